"""Every mutant is killed by the test it names, and the cause it names is given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit import LABS, Grades, Mutant, mutants

MUTANTS = mutants("mutants")
RIGHT_CAUSES = 0.95


@pytest.fixture(scope="module")
def grades() -> Iterator[Grades]:
    graded = Grades((mutant.name, mutant.lab, mutant.source) for mutant in MUTANTS)
    yield graded
    graded.close()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_named_test_kills_it(grades: Grades, mutant: Mutant) -> None:
    graded = grades[mutant.name]
    failed = graded.failed(mutant.lab.id)
    assert graded.status == 1, graded.errors
    assert mutant.fails, "a mutant names the test that must fail"
    assert set(mutant.fails) <= set(failed), f"{mutant.about}: failed {failed}\n{graded.errors}"


def test_causes(grades: Grades) -> None:
    wrong = [f"{mutant.name}: {mutant.fails[0]}: {given}, not {mutant.cause}" for mutant in MUTANTS
             if (given := grades[mutant.name].causes(mutant.lab.id).get(mutant.fails[0]) or "-") != mutant.cause]
    share = 1 - len(wrong) / len(MUTANTS)
    print(f"\n{len(MUTANTS) - len(wrong)} of {len(MUTANTS)} causes right")
    assert share >= RIGHT_CAUSES, "\n".join(wrong)


@pytest.mark.parametrize("lab", LABS)
def test_no_test_is_idle(grades: Grades, lab: str) -> None:
    """Each test of a suite is killed for: at least one mutant names it."""
    named = {test for mutant in MUTANTS if mutant.lab.id == lab for test in mutant.fails}
    some = next(mutant for mutant in MUTANTS if mutant.lab.id == lab)
    assert set(grades[some.name].tests(lab)) - named == set()
