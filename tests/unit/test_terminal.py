"""The last lines of the terminal report."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from grader.report.screen import Screen, width  # noqa: E402
from grader.report.terminal import show_total  # noqa: E402


def total(labs: int, score: str) -> list[str]:
    """The lines that tell how far so many labs are."""
    stream = io.StringIO()
    show_total(Screen(stream), (), {f"lab{number}": score for number in range(1, labs + 1)}, [], "5eed", 1.0)
    return stream.getvalue().splitlines()[:-1]


@pytest.mark.parametrize("labs", [2, 6, 12])
@pytest.mark.parametrize("score", ["-", "0/100", "100/100"])
def test_all_labs_fit_on_80_columns(labs: int, score: str) -> None:
    lines = total(labs, score)
    assert all(width(line) <= 80 for line in lines), lines
    assert " ".join(lines).split().count(score) == labs
    assert [line for line in lines if line.startswith("all labs")] == lines[:1]
