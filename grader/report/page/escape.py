"""Text as HTML. Whatever a student wrote, printed or named goes through here, and so does all the rest."""

from __future__ import annotations

import re

from ...safe import html


def text(said: str) -> str:
    """HTML that shows this text on one line: for an element's content, or a quoted attribute."""
    return html(said)


def lines(said: str) -> str:
    """The same for several lines, for an element that keeps white space: newlines and tabs do what they say."""
    return "\n".join(text(line) for line in said.expandtabs(8).split("\n"))


def prose(said: str) -> str:
    """A sentence of the field guide: what stands between backquotes is code."""
    parts = re.split(r"`([^`]+)`", said)
    return "".join(f"<code>{text(part)}</code>" if index % 2 else text(part) for index, part in enumerate(parts))
