"""Causes, field guide and mutants agree: none without the others."""

from __future__ import annotations

import re

from kit import KIT, LABS, mutants

from grader.causes import CAUSES

SLUGS = {cause.slug for cause in CAUSES}
GUIDE = (KIT / "docs" / "mistakes.md").read_text(encoding="utf-8")


def test_every_cause_has_an_entry_and_every_entry_a_cause() -> None:
    entries = re.findall(r"^## (\S+)$", GUIDE, re.MULTILINE)
    assert len(entries) == len(set(entries))
    assert SLUGS - set(entries) == set()
    assert set(entries) - SLUGS == set()


def test_every_entry_is_whole() -> None:
    for section in GUIDE.split("\n## ")[1:]:
        for part in ("\n    ", "**You see**", "**Why**", "**The idea**", "**By hand**"):
            assert part in section, f"{section.split()[0]}: no {part.strip() or 'code'}"


def test_every_cause_has_a_mutant_and_every_mutant_a_cause() -> None:
    given = {mutant.cause for mutant in mutants("mutants")} - {"-"}
    assert given - SLUGS == set()
    assert SLUGS - given == set()


def test_causes_belong_to_labs() -> None:
    known = {"lab1", "lab2", "lab3", "lab4", "lab5", "lab6"}
    assert all(set(cause.labs) <= known for cause in CAUSES) and set(LABS) <= known
