"""Is all here that grading takes, as it was handed out? A line for each answer; exit status 0 if all are yes.

The grader judges a small lab of its own, tests/hello, whose marks are known. Your work isn't looked at.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KIT = Path(__file__).resolve().parent.parent
PLACE = KIT / "build" / "check"
HELLO = KIT / "tests" / "hello"
KNOWN = {"unwritten": 0, "right": 100, "wrong": 40}
GRADE_SECONDS = 120


def main() -> int:
    """Prints the answers; returns the exit status."""
    well = True
    for fine, line in answers():
        well = well and fine
        print(f"  {'ok  ' if fine else 'FAIL'}  {line}", flush=True)
    print("All is well: make lab1 && make grade" if well else "Something is wrong here; your work isn't the reason.")
    return 0 if well else 1


def answers() -> Iterator[tuple[bool, str]]:
    """Each question's answer: yes or no, and a line that says what was asked or found."""
    changed = changes()
    yield not changed, f"the given files are as handed out{': not ' + ', '.join(changed) if changed else ''}"
    build()
    for name, mark in KNOWN.items():
        report = grade(name)
        if "score" not in report:
            yield False, f"the grader judges {name}.c: {report['said']}"
            continue
        yield report["score"] == mark, f"the grader gives {name}.c {report['score']}, and {mark} is right"
        if name == "wrong":
            cause = report["labs"][0]["stages"][0]["tests"][0]["cause"]
            yield cause == "plus-nul", f"the grader finds the mistake in wrong.c: {cause}"
    yield True, f"the sandbox here: {report.get('sandbox', 'unknown')}"


def changes() -> list[str]:
    """The given files that aren't as they were handed out."""
    listed: dict[str, str] = json.loads((KIT / "handout.json").read_text(encoding="utf-8"))["files"]
    return [name for name, digest in listed.items() if not is_same(KIT / name, digest)]


def is_same(path: Path, digest: str) -> bool:
    """Whether the file has that SHA-256; what git makes of the ends of lines doesn't count."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return digest in (hashlib.sha256(content).hexdigest(),
                      hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest())


def build() -> None:
    """A kit under build/check whose one lab is tests/hello."""
    shutil.rmtree(PLACE, ignore_errors=True)
    shutil.copytree(KIT / "grader", PLACE / "grader", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(KIT / "labs" / "given", PLACE / "labs" / "given")
    lab = PLACE / "labs" / "lab1_hello"
    shutil.copytree(HELLO, lab, ignore=shutil.ignore_patterns(*(f"{name}.c" for name in KNOWN)))
    shutil.copy(KIT / "labs" / "lab2_client_recv" / "dial.h", lab)
    for name in KNOWN:
        tree = PLACE / name / "lab1_hello"
        tree.mkdir(parents=True)
        shutil.copy(HELLO / f"{name}.c", tree / "hello.c")


def grade(name: str) -> dict[str, Any]:
    """The report on one of the programs; {"said": …} where there is none."""
    done = subprocess.run([sys.executable, "-m", "grader", "grade", "lab1", "--from", name, "--json", "-"], cwd=PLACE,
                          capture_output=True, text=True, errors="replace", timeout=GRADE_SECONDS)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().splitlines()
        return {"said": lines[-1] if lines else "it said nothing"}
    if report["score"] is None:
        return {"said": report["labs"][0]["trouble"]}
    return report


if __name__ == "__main__":
    sys.exit(main())
