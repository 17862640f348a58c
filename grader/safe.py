"""Text from outside, made safe for where it goes: a function a destination.

What a student's work says is data: output, file names (#line names too), compiler messages, source, names of people.
Each report passes all that it says through the function of its destination, its own words too: then none is forgotten.
A character that acts, or that nobody sees, is shown by its number: \\x1b, \\u202e. What was made safe stays as it is.
"""

from __future__ import annotations

import html as entities
import json
import re
import unicodedata
from typing import Any

MOST = 2000                         # characters of one line
MOST_PAGE = 20_000                  # of one text in a picture or a page
MOST_LINES = 200                    # of a program's output
MARKS = 4                           # combining characters on one letter; no script needs more
_CUT = 40                           # characters that a cut's own words may take
_NAMES = {"\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r", "\x1b": "\\e"}
# Printable by Unicode's categories, and yet nobody sees them.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
# What a runner obeys: "::name …::" where a line begins, "##[name]" anywhere.
_COMMAND = re.compile(r"(?<!\S)::(?=[A-Za-z-]+(?:\s.*?)?::)")
_BRACKET = re.compile(r"##(?=\[)")
_DIRECTIVE = re.compile(r"\[\[(?=\s*\w+\s*\|)")     # "[[ATTACHMENT|/etc/passwd]]", which Jenkins and GitLab obey
_FORMULA = re.compile(r"[\s'\"]*[-=+@\uff1d\uff0b\uff0d\uff20|%]|[\t\r\n]")


def decode(data: bytes) -> str:
    """Bytes as text; one that is no UTF-8 becomes what is shown as \\xff."""
    return data.decode("utf-8", "surrogateescape")


def visible(text: str, most: int = MOST) -> str:
    """The text as one line without any character that acts, or that nobody sees; cut after about `most` characters."""
    if text.isascii() and text.isprintable():
        return _cut(text, most)
    found: list[str] = []
    marks = 0
    for char in text[:most + _CUT + 1]:
        marks = marks + 1 if unicodedata.category(char)[0] == "M" else 0
        found.append(char if char.isprintable() and marks <= MARKS and not _UNSEEN.match(char) else _named(char))
    shown = "".join(found)
    return _cut(shown, most, max(0, len(text) - most - _CUT - 1))


def _cut(text: str, most: int, unread: int = 0) -> str:
    if len(text) + unread <= most + _CUT:
        return text
    return f"{text[:most]}… ({len(text) + unread - most:,} more)"


def _named(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:    # decode() made it of a byte
        code -= 0xDC00
    return _NAMES.get(char) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")


def terminal(text: str) -> str:
    """For a line on a terminal, or in a runner's log: nothing in it is a workflow command, wherever a line breaks at
    a blank."""
    return _BRACKET.sub(r"#\\x23", _COMMAND.sub(r"\\x3a:", visible(text)))


def github_message(text: str) -> str:
    """For what stands after the second :: of a workflow command."""
    return _BRACKET.sub(r"#\\x23", visible(text)).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def github_property(text: str) -> str:
    """For a property of a workflow command: file, title."""
    return github_message(visible(text, 200)).replace(":", "%3A").replace(",", "%2C")


def markdown(text: str) -> str:
    """For Markdown, as code: there no link, mention, reference, tag or formula is anything but text. Not for a table."""
    said = terminal(visible(text, 600)).strip()
    if not said:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", said)), default=0))
    blank = " " if said[0] == "`" or said[-1] == "`" else ""
    return f"{fence}{blank}{said}{blank}{fence}"


def html(text: str) -> str:
    """For HTML or SVG: an element's content on one line, or a quoted attribute."""
    return entities.escape(visible(text, MOST_PAGE))


def xml(text: str) -> str:
    """For an attribute of a JUnit report, or an element's content on one line. What XML 1.0 forbids is shown by its
    number too, and no reader takes a part of it for a directive of its own."""
    return entities.escape(_DIRECTIVE.sub(r"[\\x5b", terminal(text)))


def xml_lines(text: str) -> str:
    """The same for several lines."""
    lines = text.replace("\r\n", "\n").expandtabs(8).split("\n")
    more = [f"… ({len(lines) - MOST_LINES:,} more lines)"] if len(lines) > MOST_LINES else []
    return "\n".join(map(xml, [*lines[:MOST_LINES], *more]))


def csv(text: str) -> str:
    """For one field of a table in CSV, with its quotes. What a spreadsheet would take for a formula has a ' before it."""
    formula = "'" if _FORMULA.match(text) else ""
    return '"' + formula + visible(text).replace('"', '""') + '"'


def json_line(value: Any) -> str:
    """A value as JSON: one line in ASCII, so that it says the same in a file, on a terminal and in a runner's log."""
    return json.dumps(value).replace("\x7f", "\\u007f").replace("##[", "#\\u0023[")
