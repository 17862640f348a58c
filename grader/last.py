"""The last whole grade of the student's own work, a file a lab: build/labN/last.json.

It is the lab's JSON report with one more key, "source": the digest of the file that was graded. So who reads
it can tell whether the work has changed since.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from . import build
from .catalog import KIT, Lab
from .files import write

FAILED = ("failed", "crashed", "timed_out")


def digest(lab: Lab) -> str:
    """Of the student's own file as it is now, "" where it can't be read."""
    try:
        return hashlib.sha256(build.read_submission(lab, KIT / "labs")).hexdigest()
    except build.SubmissionError:
        return ""


def keep(lab: Lab, report: str, source: str) -> None:
    """Keeps a report that has this lab alone. source: digest() from before the grade. Raises OSError."""
    write(KIT / "build" / lab.id / "last.json", json.dumps({**json.loads(report), "source": source}) + "\n")


def read(lab: Lab) -> dict[str, Any] | None:
    """The lab's part of the last report; None where there is none, or where the work has changed since."""
    try:
        kept = json.loads((KIT / "build" / lab.id / "last.json").read_text(encoding="utf-8"))
        fresh = kept["source"] == digest(lab) != ""
        found = kept["labs"][0]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return found if fresh and isinstance(found, dict) else None


def first_failure(report: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The first stage and test of a lab's report that failed, in the order of the report."""
    return next(((stage, test) for stage in report["stages"] for test in stage["tests"] if test["status"] in FAILED),
                None)
