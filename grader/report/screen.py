"""A terminal's ways: which characters it can show, how wide they are, colour or none."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Sequence
from typing import TextIO

from ..safe import terminal

ASCII = {"✓": "+", "✗": "x", "·": "-", "…": "...", "█": "#", "░": ".", "►": ">", "◄": "<", "─": "-", "│": "|", "“": '"', "”": '"',
         "’": "'", "–": "-", "—": "-", "×": "x", "→": "->"}
COMMANDS = ("::", "##[")            # at the start of a line a GitHub log obeys them
COLOURS = {"green": "32", "red": "31", "yellow": "33", "bold": "1", "dim": "2"}


def width(text: str) -> int:
    """Columns that the text takes: 2 for a wide character, 0 for a combining one."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
               for char in text)


def pad(text: str, columns: int) -> str:
    """The text and blanks up to so many columns."""
    return text + " " * max(0, columns - width(text))


def wrap(text: str, columns: int) -> list[str]:
    """Lines of at most so many columns, broken at blanks, or anywhere where there is none."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if width(joined) <= columns:
            line = joined
            continue
        if line:
            lines.append(line)
        while width(word) > columns:
            cut = _fit(word, columns)
            cut -= cut > 1 and word.startswith("::", cut)   # with these, a line might be a command to a runner
            lines.append(word[:cut])
            word = word[cut:]
        line = word
    return [*lines, line] if line or not lines else lines


def _fit(word: str, columns: int) -> int:
    taken = 0
    for index, char in enumerate(word):
        taken += width(char)
        if taken > columns:
            return max(1, index)
    return len(word)


class Screen:
    """Writes lines to a stream in the characters it has. Text from the student is shown, never obeyed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = stream.encoding or "ascii"
        self.is_terminal = stream.isatty()
        self._colour = self.is_terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self.columns = max(60, min(100, shutil.get_terminal_size((80, 24)).columns if self.is_terminal else 80))
        self._fancy = self._can_show("✓✗·…█░►│")

    def _can_show(self, text: str) -> bool:
        try:
            text.encode(self._encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return self._encoding.lower().replace("-", "") in ("utf8", "utf_8")

    def safe(self, text: str) -> str:
        """The text as data, in characters that the stream can show."""
        clean = terminal(text)
        if not self._fancy:
            clean = "".join(ASCII.get(char, char) for char in clean)
        return clean.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour where there are colours."""
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if self._colour else text

    def line(self, text: str = "", colour: str = "") -> None:
        """One line; what it holds is made safe first."""
        self.pieces([(text, colour)])

    def pieces(self, parts: Sequence[tuple[str, str]]) -> None:
        """One line of several texts, each with its colour, "" for none."""
        shown = [(self.safe(text), colour) for text, colour in parts]
        first = next((index for index, (text, _) in enumerate(shown) if text.strip()), 0)
        if "".join(text for text, _ in shown).lstrip().startswith(COMMANDS):
            text, colour = shown[first]
            shown[first] = text[:len(text) - len(text.lstrip())] + "\\" + text.lstrip()[1:], colour
        self._stream.write("".join(self.paint(text, colour) if colour else text for text, colour in shown) + "\n")

    def block(self, text: str, indent: int, colour: str = "") -> None:
        """Text wrapped to the screen's width, each line indented."""
        for line in wrap(self.safe(text), self.columns - indent):
            self.line(" " * indent + line, colour)

    def labelled(self, label: str, text: str, indent: int, colour: str = "") -> None:
        """`label   text`, the text wrapped beside the label."""
        first = True
        for line in wrap(self.safe(text), self.columns - indent - 8):
            self.line(" " * indent + pad(label if first else "", 8) + line, colour if first else "")
            first = False

    def progress(self, text: str) -> None:
        """A line that the next one overwrites; on a terminal only."""
        if self.is_terminal:
            self._stream.write("\r\x1b[K" + self.safe(text)[:self.columns - 1])
            self._stream.flush()

    def flush(self) -> None:
        self._stream.flush()
