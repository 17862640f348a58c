"""Bytes on an arrow: quoted text, or hexadecimal digits, in no more than so many columns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from ..report.screen import width
from ..text import count, quote
from .model import Arrow

PRINTABLE = 0.8                         # of the characters: then it is text


def label(arrow: Arrow, columns: int, safe: Callable[[str], str]) -> str:
    """What the arrow carries, as it can be shown: "" where nothing fits."""
    if arrow.words or not arrow.data:
        words = safe(arrow.words or (count(arrow.size, "byte") if arrow.size else ""))
        return words if width(words) <= columns else ""
    data, readable = arrow.data, is_text(arrow.data)

    def shown(known: int) -> str:
        return safe(_shown(data, known, arrow.size, readable))

    most = min(len(data), 3 * columns)      # which may be shorter than one less, with its "…"
    known = most if width(shown(most)) <= columns else bisect_right(range(1, most), columns, key=lambda n: width(shown(n)))
    if known:
        return shown(known)
    size = safe(count(arrow.size, "byte"))
    return size if width(size) <= columns else ""


def _shown(data: bytes, known: int, size: int, readable: bool) -> str:
    """The first bytes, with a word on whether there are more."""
    if readable:
        cut = data[:known]
        while known < len(data) and cut and data[len(cut)] & 0xC0 == 0x80:     # within a character
            cut = cut[:-1]
        text = quote(cut, max(1, len(cut)))
        return text if text.endswith("…") or len(cut) >= size else text + "…"
    return " ".join(f"{byte:02x}" for byte in data[:known]) + (" …" if known < size else "")


def is_text(data: bytes) -> bool:
    """Whether most of it can be read. The last character may be cut."""
    text = data.decode("utf-8", "replace").rstrip("\ufffd") if len(data) > 3 else data.decode("utf-8", "replace")
    good = sum(char.isprintable() and char != "\ufffd" or char in "\t\r\n" for char in text)
    return bool(text) and good >= PRINTABLE * len(text)
