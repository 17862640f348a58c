"""The field guide, the causes and the mutants know each other: nothing is named in one of them alone."""

from __future__ import annotations

import re

from kit import KIT, mutants

from grader.causes import CAUSES

GUIDE = (KIT / "docs" / "mistakes.md").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^## (.+)$", GUIDE, re.MULTILINE)
SLUGS = {cause.slug for cause in CAUSES}
MUTANTS = mutants("mutants")
PARTS = ("**You see** ", "**Why** ", "**Idea** ", "**By hand** ")


def test_every_cause_has_an_entry_and_every_entry_is_a_cause() -> None:
    assert SLUGS - set(ENTRIES) == set()
    assert set(ENTRIES) - SLUGS == set()


def test_entries_are_in_the_order_of_the_alphabet() -> None:
    assert ENTRIES == sorted(set(ENTRIES))


def test_an_entry_is_short_and_complete() -> None:
    """A wrong line, what one sees, why, the right idea, how to see it by hand: 6 to 12 lines."""
    for slug, entry in zip(ENTRIES, re.split(r"^## .+\n", GUIDE, flags=re.MULTILINE)[1:]):
        lines = [line for line in entry.splitlines() if line]
        assert 6 <= len(lines) <= 12 and lines[0] == "```c", slug
        assert tuple(part for line in lines for part in PARTS if line.startswith(part)) == PARTS, slug


def test_every_cause_is_found_in_some_mutant() -> None:
    assert SLUGS - {mutant.cause for mutant in MUTANTS} == set()


def test_every_mutant_names_a_cause_or_says_that_none_is_sure() -> None:
    assert {mutant.cause for mutant in MUTANTS} - SLUGS - {"-"} == set()


def test_few_mutants_have_no_cause() -> None:
    assert sum(mutant.cause == "-" for mutant in MUTANTS) <= 0.15 * len(MUTANTS)
