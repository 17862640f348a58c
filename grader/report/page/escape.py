"""Text as HTML. Whatever a student wrote, printed or named goes through here, and so does all the rest."""

from __future__ import annotations

import html
import re

NAMES = {"\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r", "\x1b": "\\e"}


def visible(text: str) -> str:
    """The text with every character that would act, or that nobody sees, by its number: \\x7f, \\u202e."""
    return text if text.isprintable() else "".join(char if char.isprintable() else _named(char) for char in text)


def _named(char: str) -> str:
    code = ord(char)
    return NAMES.get(char) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")


def text(said: str) -> str:
    """HTML that shows this text on one line: for an element's content, or a quoted attribute."""
    return html.escape(visible(said))


def lines(said: str) -> str:
    """The same for several lines, for an element that keeps white space: newlines and tabs do what they say."""
    return "\n".join(text(line) for line in said.expandtabs(8).split("\n"))


def prose(said: str) -> str:
    """A sentence of the field guide: what stands between backquotes is code."""
    parts = re.split(r"`([^`]+)`", said)
    return "".join(f"<code>{text(part)}</code>" if index % 2 else text(part) for index, part in enumerate(parts))
