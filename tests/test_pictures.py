"""README's pictures are what the kit draws today (make pictures)."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from kit import KIT
from pictures import SHOWN, framed, pictures


@pytest.mark.parametrize("name", ["report.svg", "ladder.svg"])
def test_a_picture_is_what_the_kit_draws_today(name: str) -> None:
    assert (SHOWN / name).read_text(encoding="utf-8") == pictures()[name], "make pictures draws it anew"


def test_the_readme_shows_them() -> None:
    readme = (KIT / "README.md").read_text(encoding="utf-8")
    assert all(f"docs/pictures/{name}" in readme for name in pictures())


def test_what_is_framed_is_text() -> None:
    drawn = framed("\x1b[31m<b>&\x1b[0m plain\n", "make <x>")
    root = ElementTree.fromstring(drawn)
    texts = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["$ make <x>", "<b>&", "plain"]
