"""--only: one test and what it needs, without a mark."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

KIT = Path(__file__).resolve().parents[2]


def grade(*words: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run([sys.executable, "-m", "grader", "grade", "lab3", *words, "--json", "-"], cwd=KIT,
                          capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def test_runs_the_test_and_the_plain_ones_it_needs() -> None:
    status, report, _ = grade("--from", "solutions", "--only", "one_after_another/no_limit")
    stages = report["labs"][0]["stages"]
    assert status == 0
    assert [test["test"] for stage in stages for test in stage["tests"]] == [
        "listens_where_it_was_told", "tells_who_called", "echoes_until_the_end", "serves_three_clients", "no_limit"]


def test_is_no_mark() -> None:
    _, report, errors = grade("--from", "solutions", "--only", "talking/any_bytes")
    assert report["score"] is None and report["labs"][0]["score"] is None and report["labs"][0]["partial"]
    assert "some tests, no mark" in errors


def test_what_fails_is_told() -> None:
    status, report, errors = grade("--only", "talking/any_bytes")
    assert status == 1 and "ENOSYS" in errors
    assert [test["status"] for test in report["labs"][0]["stages"][0]["tests"]] == ["failed", "not_tried"]


def test_a_name_that_no_test_has() -> None:
    status, _, errors = grade("--only", "talking/nothing")
    assert status == 2 and errors.startswith("socklab: lab3 has no test 'talking/nothing': there are ")
    assert errors.count("\n") == 1
