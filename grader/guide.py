"""The field guide, docs/mistakes.md: what it says of one mistake."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from .catalog import KIT

GUIDE = KIT / "docs" / "mistakes.md"


@dataclass(frozen=True)
class Entry:
    """One mistake, in the guide's words. Text between backquotes is a command or a man page."""

    slug: str
    wrong: str                      # lines of C
    see: str
    why: str
    idea: str
    by_hand: str

    @property
    def pages(self) -> tuple[str, ...]:
        """The man pages that it names, as "man 2 accept" and, where it says which, the part of the page."""
        found = re.findall(r"`(man \d \w+)`(?:, ([A-Z][^.:;()`]*))?", f"{self.why} {self.idea}")
        return tuple(dict.fromkeys(f"{page}, {part.strip()}" if part else page for page, part in found))


def find(slug: str) -> Entry | None:
    """The guide's entry of that name; None where there is none, or no guide."""
    return _entries().get(slug)


@cache
def _entries() -> dict[str, Entry]:
    try:
        text = GUIDE.read_text(encoding="utf-8")
    except OSError:
        return {}
    found = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        slug = part.partition("\n")[0].strip()
        said = dict(re.findall(r"^\*\*(You see|Why|Idea|By hand)\*\* (.+)$", part, re.MULTILINE))
        wrong = re.search(r"^```c\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
        found[slug] = Entry(slug, wrong[1] if wrong else "", *(said.get(name, "") for name in ("You see", "Why", "Idea", "By hand")))
    return found
