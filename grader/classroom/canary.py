"""Looks for the solutions in what students get.

A *mark* is a line of a solution by which it can be known: long enough, and in no skeleton. Blanks don't count. Lines
that given code or the field guide has too are listed in shared_lines.txt, so that a new one is noticed.
"""

from __future__ import annotations

import bz2
import gzip
import html
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SHORTEST = 20                       # characters; shorter lines are everybody's
DEEPEST = 4                         # archives in archives
LARGEST = 64 << 20                  # bytes of one unpacked member
SHARED = Path(__file__).with_name("shared_lines.txt")


@dataclass(frozen=True)
class Leak:
    """A line of a solution where none may be."""

    file: str
    line: str
    source: str                     # "solutions/lab1_client_send/client_send.c:17"


def squeeze(text: bytes) -> bytes:
    """The text with each run of blanks as one blank."""
    return b" ".join(text.split())


def marks(root: Path) -> dict[bytes, str]:
    """The lines by which the solutions under root are known, and where each stands. Those shared are left out."""
    known = shared(SHARED.read_text(encoding="utf-8") if SHARED.exists() else "")
    found: dict[bytes, str] = {}
    for path in sorted(path for path in (root / "solutions").glob("*/*") if path.is_file()):
        skeleton = root / "labs" / path.parent.name / path.name
        given = set() if path.suffix != ".c" or not skeleton.exists() else set(_lines(skeleton))
        for number, line in enumerate(_lines(path), start=1):
            if len(line) >= SHORTEST and not line.startswith(b"#include") and line not in given and line not in known:
                found.setdefault(line, f"{path.relative_to(root)}:{number}")
    return found


def shared(text: str) -> set[bytes]:
    """The lines that a solution may share with what is given. A line that begins with # is a comment."""
    return {squeeze(line.encode()) for line in text.splitlines() if line.strip() and not line.startswith("# ")}


def _lines(path: Path) -> list[bytes]:
    return [squeeze(line) for line in path.read_bytes().splitlines()]


def leaks(files: Iterable[tuple[str, bytes]], known: Mapping[bytes, str]) -> list[Leak]:
    """Every mark in every file, and in what the files hold packed."""
    return [Leak(name, line.decode(errors="replace"), source)
            for outer, packed in files for name, content in _with_members(outer, packed, DEEPEST)
            for text in [_readings(content)] for line, source in known.items() if line in text]


def _readings(content: bytes) -> bytes:
    """The content as it is; as two bytes a character; and as HTML and JSON write it."""
    plain = squeeze(content)
    others = [squeeze(content.replace(b"\0", b""))] if b"\0" in content else []
    if b"&" in content:
        others.append(squeeze(html.unescape(content.decode(errors="replace")).encode()))
    if b"\\" in content:
        others.append(squeeze(content.replace(b'\\"', b'"').replace(b"\\n", b"\n").replace(b"\\t", b"\t")))
    return b"\n".join([plain, *others])


def _with_members(name: str, content: bytes, deep: int) -> Iterator[tuple[str, bytes]]:
    """The file, and what is packed in it."""
    yield name, content
    if deep:
        for inner, unpacked in _members(content):
            yield from _with_members(f"{name}:{inner}", unpacked, deep - 1)


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    if content.startswith(b"\x1f\x8b"):
        yield "unpacked", gzip.GzipFile(fileobj=io.BytesIO(content)).read(LARGEST)
    elif content.startswith(b"BZh"):
        yield "unpacked", bz2.BZ2File(io.BytesIO(content)).read(LARGEST)
    elif content.startswith(b"\xfd7zXZ"):
        yield "unpacked", lzma.LZMAFile(io.BytesIO(content)).read(LARGEST)
    elif content.startswith(b"PK\3\4"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from ((entry.filename, archive.read(entry)) for entry in archive.infolist())
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                held = tar.extractfile(member)
                if held is not None:
                    yield member.name, held.read(LARGEST)
    elif content[:1] == b"x":       # an object of git
        try:
            yield "inflated", zlib.decompressobj().decompress(content, LARGEST)
        except zlib.error:
            pass
