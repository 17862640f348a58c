"""Two mistakes at once: the first cause that the report names is one of the two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from kit import Grades, Mutant, mutants

KNOWN = {mutant.name: mutant for mutant in mutants("mutants")}
PAIRS = [
    ("lab1/no-htons", "lab1/short-send"),
    ("lab1/sigpipe", "lab1/leak-refused"),
    ("lab1/eintr-send", "lab1/fgets-nl"),
    ("lab1/dgram", "lab1/scanf-word"),
    ("lab1/pton-neg", "lab1/plus-nul"),
    ("lab3/no-close", "lab3/serve-once"),
    ("lab3/accept-eintr", "lab3/no-ntohs"),
    ("lab3/lo-only", "lab3/exit-after-1"),
    ("lab3/emfile-spin", "lab3/sigpipe"),
    ("lab3/no-listen", "lab3/zero-spin"),
]


def mix(one: str, two: str) -> Mutant:
    """A mutant with the edits of both."""
    first, second = KNOWN[one], KNOWN[two]
    return replace(first, edits=(*first.edits, *second.edits), fails=(*first.fails, *second.fails))


@pytest.fixture(scope="module")
def grades() -> Iterator[Grades]:
    graded = Grades((f"{one}+{two}", KNOWN[one].lab, mix(one, two).source, ()) for one, two in PAIRS)
    yield graded
    graded.close()


@pytest.mark.slow
@pytest.mark.parametrize("one, two", PAIRS, ids="+".join)
def test_both_are_named_or_the_first_that_matters(grades: Grades, one: str, two: str) -> None:
    graded, lab = grades[f"{one}+{two}"], KNOWN[one].lab.id
    wanted = {KNOWN[one].cause, KNOWN[two].cause}
    given = list(graded.causes(lab).values())
    assert set(graded.failed(lab)) & set(KNOWN[one].fails) or set(graded.failed(lab)) & set(KNOWN[two].fails)
    assert graded.status == 1, graded.errors
    assert given[0] in wanted, f"first named: {given[0]}, not one of {wanted}\n{graded.errors}"
