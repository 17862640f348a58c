"""A program that hangs or crashes: the report names the call or the signal, and the line of the student's file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit import LABS, Grades, Mutant, grade_source, mutants, solution

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


def test_a_child_of_vfork_that_never_ends() -> None:
    """Its parent can't even be interrupted. It is given up long before the backstop of 45 s."""
    lab, begin = LABS["lab1"], "    const char *next = data;\n"
    source = solution(lab)
    assert source.count(begin) == 1
    endless = source.replace(begin, f"{begin}    if (vfork() == 0)\n        pause();\n")
    test = "sending_text/a_short_text_arrives"
    seen = grade_source(lab, endless, "--only", test).tests("lab1")[test]
    assert seen["status"] == "timed_out" and "waits in vfork()" in seen["message"], seen
    assert seen["seconds"] < 20, seen
