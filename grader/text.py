"""Bytes and numbers as a learner reads them."""

from __future__ import annotations

COLUMNS = 44
_ESCAPES = {0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r", 27: "\\e", 34: '\\"', 92: "\\\\"}


def quote(data: bytes, most: int = 32) -> str:
    """Bytes as a C string, cut after about `most` bytes. Text in UTF-8 is left readable; where it is none, no byte
    beyond ASCII is taken for a part of a character."""
    cut = data[:most] if len(data) <= most else _whole_characters(data[: most + 3], most)
    try:
        chars = cut.decode("utf-8")
    except UnicodeDecodeError:
        chars = cut.decode("ascii", "surrogateescape")
    body = ""
    for char in chars:
        if len(body) > COLUMNS:     # bytes that are no text take four columns each
            return f'"{body}"…'
        body += _shown(char)
    return f'"{body}"' + ("…" if len(cut) < len(data) else "")


def _whole_characters(data: bytes, most: int) -> bytes:
    """At least `most` bytes, and no more than end the character that begins among them."""
    end = most
    while end < len(data) and data[end] & 0xC0 == 0x80:
        end += 1
    return data[:end]


def _shown(char: str) -> str:
    code = ord(char)
    if code in _ESCAPES:
        return _ESCAPES[code]
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))


def count(n: int, thing: str) -> str:
    """ "1 byte", "2 bytes"."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def source_lines(source: str) -> list[str]:
    """A file's lines as the compiler counts them: what else Unicode calls the end of a line is none."""
    return [line.removesuffix("\r") for line in source.removesuffix("\n").split("\n")]
