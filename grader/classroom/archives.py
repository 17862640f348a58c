"""Files by their names out of an archive, without unpacking anything else. What is in it is the student's: data.

Nothing is written. Only regular files of the wanted names are read, each up to a limit; how much is unpacked on the
way is limited too, so that a small archive can't fill the memory.
"""

from __future__ import annotations

import bz2
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from .. import build
from ..safe import visible

TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
SUFFIXES = (".zip", *TARS)
OTHERS = (".rar", ".7z", ".gz", ".xz", ".bz2", ".zst", ".tar.zst", ".lz", ".z", ".cab", ".iso")
MOST_BYTES = 256 << 20              # that a tar may have once it is unpacked; of an archive itself, too
MOST_FILES = 20_000                 # in an archive or a folder
MOST_CANDIDATES = 64                # files of the wanted names
MOST_DIRECTORY = 2 << 20            # bytes of a zip's list of files
MEMORY = 128 << 20                  # for xz
PIECE = 64 << 10


class Unreadable(Exception):
    """Nothing can be taken out of a submission: why, in words for the instructor's list."""


@dataclass(frozen=True)
class Candidate:
    """A file of a wanted name: its place in the submission, and its content or why that isn't taken."""

    parts: tuple[str, ...]          # folders and, last, the name
    content: bytes = b""
    problem: str = ""

    @property
    def shown(self) -> str:
        return visible("/".join(self.parts), 200)


def read(path: Path, names: Collection[str]) -> Iterator[Candidate]:
    """The files of these names in an archive. Raises Unreadable."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Unreadable(f"the archive is larger than {MOST_BYTES >> 20} MiB")
        with open(path, "rb") as file:
            if path.name.lower().endswith(".zip"):
                yield from _read_zip(file, names)
            else:
                yield from _read_tar(file, names)
    except OSError as error:
        raise Unreadable(f"the archive can't be read: {error.strerror or visible(str(error), 100)}") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error, ValueError,
            NotImplementedError, RuntimeError, OverflowError) as error:
        raise Unreadable(f"the archive is damaged: {visible(str(error), 100)}") from None


def safe_parts(name: str) -> tuple[str, ...] | None:
    """The parts of a member's name, None where it leads out of the archive."""
    if name.startswith("/") or "\0" in name:
        return None
    parts = tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
    return None if ".." in parts or not parts else parts


# ---- zip ------------------------------------------------------------------------------------------

def _read_zip(file: BinaryIO, names: Collection[str]) -> Iterator[Candidate]:
    _check_directory(file)
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            parts = safe_parts(member.filename)
            if parts is None or parts[-1] not in names or member.is_dir():
                continue
            problem = _zip_problem(member)
            if problem:
                yield Candidate(parts, problem=problem)
                continue
            with archive.open(member) as inside:
                yield sized(parts, inside.read(build.MAX_SOURCE + 1))


def _zip_problem(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & 1:
        return "is encrypted"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a symbolic link, not a file" if kind == stat.S_IFLNK else "isn't a regular file"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed in a way that isn't read here: zip it anew"
    return ""


def _check_directory(file: BinaryIO) -> None:
    """Looks at a zip's last record before its list of files is read, which could be huge. Raises Unreadable."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65557))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise Unreadable("the archive is empty or cut off" if size else "the archive is empty")
    entries, directory = struct.unpack_from("<HI", tail, at + 10)
    if entries > MOST_FILES or directory > MOST_DIRECTORY:
        raise Unreadable(f"the archive has more than {MOST_FILES:,} files")
    file.seek(0)


# ---- tar ------------------------------------------------------------------------------------------

class _Decoder(Protocol):
    """What bz2, lzma and zlib have in common."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class _Unpacked:
    """The content of a packed tar as a file that tarfile reads as a stream, no more of it than is allowed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._total, self._ready = file, 0, b""
        start = file.read(6)
        file.seek(0)
        self._decoder: _Decoder | None = None
        self._zlib: zlib._Decompress | None = None
        if start.startswith(b"\x1f\x8b"):
            self._zlib = zlib.decompressobj(31)
        elif start == b"\xfd7zXZ\0":
            self._decoder = lzma.LZMADecompressor(memlimit=MEMORY)
        elif start.startswith(b"BZh"):
            self._decoder = bz2.BZ2Decompressor()
        self._rest = b""

    def read(self, size: int) -> bytes:
        """As a file's. Raises Unreadable where there is too much."""
        while len(self._ready) < size:
            piece = self._piece()
            if not piece:
                break
            self._total += len(piece)
            if self._total > MOST_BYTES:
                raise Unreadable(f"the archive unpacks to more than {MOST_BYTES >> 20} MiB")
            self._ready += piece
        given, self._ready = self._ready[:size], self._ready[size:]
        return given

    def _piece(self) -> bytes:
        """Some unpacked bytes, none at the end."""
        while True:
            if self._decoder is None and self._zlib is None:
                return self._file.read(PIECE)
            if self._zlib is not None:
                data = self._rest or self._file.read(PIECE)
                if self._zlib.eof:
                    return b""
                if not data:
                    raise EOFError("it is cut off")
                piece = self._zlib.decompress(data, PIECE)
                self._rest = self._zlib.unconsumed_tail
            else:
                assert self._decoder is not None
                if self._decoder.eof:
                    return b""
                data = self._file.read(PIECE) if getattr(self._decoder, "needs_input") else b""
                if not data and getattr(self._decoder, "needs_input"):
                    raise EOFError("it is cut off")
                piece = self._decoder.decompress(data, PIECE)
            if piece:
                return piece


def _read_tar(file: BinaryIO, names: Collection[str]) -> Iterator[Candidate]:
    if not file.read(1):
        raise Unreadable("the archive is empty")
    file.seek(0)
    with tarfile.open(fileobj=cast(BinaryIO, _Unpacked(file)), mode="r|", errorlevel=2) as archive:
        for number, member in enumerate(archive):
            if number >= MOST_FILES:
                raise Unreadable(f"the archive has more than {MOST_FILES:,} files")
            parts = safe_parts(member.name)
            if parts is None or parts[-1] not in names or member.isdir():
                continue
            if not member.isreg() or member.issparse():
                link = member.issym() or member.islnk()
                yield Candidate(parts, problem="is a link, not a file" if link else "isn't a regular file")
                continue
            inside = archive.extractfile(member)
            assert inside is not None
            yield sized(parts, inside.read(build.MAX_SOURCE + 1))


def sized(parts: tuple[str, ...], content: bytes) -> Candidate:
    """A candidate of what was read: MAX_SOURCE bytes, or one more where it is too large."""
    if len(content) > build.MAX_SOURCE:
        return Candidate(parts, problem=f"is larger than {build.MAX_SOURCE >> 10} KiB")
    return Candidate(parts, content)
