"""A program that hangs or crashes: the report names the call or the signal, and the line of the student's file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit import Grades, Mutant, mutants

LONGEST = 20                    # seconds
STUCK = mutants("stuck")


@pytest.fixture(scope="module")
def grades() -> Iterator[Grades]:
    graded = Grades((mutant.name, mutant.lab, mutant.source, mutant.fails) for mutant in STUCK)
    yield graded
    graded.close()


@pytest.mark.parametrize("mutant", STUCK, ids=lambda mutant: mutant.name)
def test_the_report_names_what_and_where(grades: Grades, mutant: Mutant) -> None:
    """`says` stands in the message, and the line is the one that says "here"."""
    graded = grades[mutant.name]
    seen = graded.tests(mutant.lab.id)[mutant.fails[0]]
    assert seen["status"] in ("crashed", "timed_out"), graded.errors
    assert mutant.says in seen["message"], graded.errors
    where = seen["location"]
    assert where is not None and where["file"] == mutant.lab.file_name, graded.errors
    assert "/* here */" in mutant.source().splitlines()[where["line"] - 1], graded.errors
    assert f"{where['file']}:{where['line']}" in seen["message"], graded.errors
    assert seen["seconds"] < LONGEST, "it was given up by the backstop alone"
