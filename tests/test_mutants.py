"""Every mutant is killed by the test it names, and the cause it names is given.

`make test` has one mutant for each test of each suite, and runs the tests that the mutant names (--only).
`make test-all` grades the rest of them in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from kit import KIT, LABS, Grades, Mutant, mutants

from grader import build
from grader.grade import read_tests

MUTANTS = mutants("mutants")
RIGHT_CAUSES = 0.95


def first_of_each_test() -> list[Mutant]:
    """For each test the mutant that names it and fails the least beside it."""
    found: dict[tuple[str, str], Mutant] = {}
    for mutant in sorted(MUTANTS, key=lambda mutant: len(mutant.fails)):
        for test in mutant.fails:
            found.setdefault((mutant.lab.id, test), mutant)
    return sorted(set(found.values()), key=lambda mutant: mutant.name)


FIRST = first_of_each_test()
REST = [mutant for mutant in MUTANTS if mutant not in FIRST]


@pytest.fixture(scope="module")
def grades(request: pytest.FixtureRequest) -> Iterator[Grades]:
    """All grades that the selected tests ask for, begun at once."""
    asked = {item.callspec.params["mutant"].name for item in request.session.items
             if "mutant" in getattr(getattr(item, "callspec", None), "params", {})}
    graded = Grades((mutant.name, mutant.lab, mutant.source, mutant.fails if mutant in FIRST else ())
                    for mutant in MUTANTS if mutant.name in asked)
    yield graded
    graded.close()


def check_killed(grades: Grades, mutant: Mutant) -> None:
    graded = grades[mutant.name]
    failed = graded.failed(mutant.lab.id)
    assert graded.status == 1, graded.errors
    assert mutant.fails, "a mutant names the test that must fail"
    assert set(mutant.fails) <= set(failed), f"{mutant.about}: failed {failed}\n{graded.errors}"
    nameless = [test for test in failed if not names_where(graded.tests(mutant.lab.id)[test])]
    assert not nameless, f"{mutant.about}: no call or signal, or no line, for {nameless}\n{graded.errors}"


def names_where(seen: dict[str, Any]) -> bool:
    """Whether a test that hung or crashed names the call or the signal, and a line; the crash before all else."""
    if seen["status"] not in ("crashed", "timed_out"):
        return True
    if seen["status"] == "crashed" and re.match(r"your program was killed by SIG[A-Z]+ ", seen["message"]) is None:
        return False
    told = re.sub(r"\w+\(\) returned", "", seen["message"])      # what the learner's function did names no call
    named = re.search(r"\w\(\)|SIG[A-Z]+|without a pause", told)
    return named is not None and re.search(r"\w\.c:\d", told) is not None


def check_causes(grades: Grades, some: list[Mutant]) -> None:
    wrong = [f"{mutant.name}: {mutant.fails[0]}: {given}, not {mutant.cause}" for mutant in some
             if (given := grades[mutant.name].causes(mutant.lab.id).get(mutant.fails[0]) or "-") != mutant.cause]
    print(f"\n{len(some) - len(wrong)} of {len(some)} causes right")
    assert len(wrong) <= (1 - RIGHT_CAUSES) * len(some), "\n".join(wrong)


@pytest.mark.parametrize("mutant", FIRST, ids=lambda mutant: mutant.name)
def test_the_named_test_kills_it(grades: Grades, mutant: Mutant) -> None:
    check_killed(grades, mutant)


def test_causes(grades: Grades) -> None:
    check_causes(grades, FIRST)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", REST, ids=lambda mutant: mutant.name)
def test_the_named_test_kills_the_rest(grades: Grades, mutant: Mutant) -> None:
    check_killed(grades, mutant)


@pytest.mark.slow
def test_causes_of_the_rest(grades: Grades) -> None:
    check_causes(grades, REST)


def test_few_mutants_race_and_the_docs_name_each() -> None:
    """What such a mutant fails besides the test it names is its own chance, and no verdict counts (make two-limits)."""
    racing = [mutant for mutant in MUTANTS if mutant.races]
    told = (KIT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert all(mutant.name.rpartition("/")[2] in told for mutant in racing)
    assert len(racing) < 0.02 * len(MUTANTS) and sum(mutant.lab.id != "lab5" for mutant in racing) < 4


@pytest.mark.parametrize("lab", LABS)
def test_no_test_is_idle(lab: str) -> None:
    """Each test of a suite is killed for: at least one mutant names it."""
    named = {test for mutant in MUTANTS if mutant.lab.id == lab for test in mutant.fails}
    tests = read_tests(LABS[lab], build.suite(LABS[lab]))
    assert {f"{test.stage}/{test.name}" for test in tests} - named == set()
