"""docs/subject.md: every statement of the notes has its verdict, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kit import KIT, LABS

DOCS = KIT / "docs"
PAGE = (DOCS / "subject.md").read_text(encoding="utf-8")
CHINESE = (DOCS / "zh.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
VERDICTS = ("**holds**", "**loose**", "**wrong**")


def anchors(markdown: str) -> set[str]:
    """The anchors of its headings, made as GitHub does."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def promises_of(lab: str) -> set[str]:
    suite = (LABS[lab].folder / "suite.c").read_text(encoding="utf-8")
    return {f"{stage}/{test}" for stage, test in re.findall(r"^Test\((\w+),\s*(\w+)", suite, re.MULTILINE)}


def test_all_44_statements_are_there() -> None:
    assert sorted(int(row[0]) for row in ROWS) == list(range(1, 45))
    assert sorted(int(number) for number in re.findall(r"^\| (\d+) \|", CHINESE, re.MULTILINE)) == list(range(1, 45))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_statement_has_a_verdict_and_something_to_see(row: tuple[str, str, str, str]) -> None:
    _, _, verdict, places = row
    assert verdict.startswith(VERDICTS)
    shown = re.findall(r"`(lab\d) (\w+/\w+)`", places)
    linked = re.findall(r"\]\(([^)]+)\)", places)
    assert shown or linked
    for lab, test in shown:
        assert test in promises_of(lab), f"{lab} has no test {test}"


@pytest.mark.parametrize("page", sorted([*DOCS.glob("*.md"), KIT / "README.md", *KIT.glob("labs/*/*.md"),
                                         *KIT.glob("solutions/*/*.md")]), ids=lambda page: str(page.relative_to(KIT)))
def test_no_link_is_dead(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        assert place.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(place.read_text(encoding="utf-8")), f"{page.name}: {target}"
