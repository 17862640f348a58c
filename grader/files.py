"""Files: written whole or not at all, and a table read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import claims


def read_toml(place: Path) -> dict[str, Any]:
    """The table in a file. Raises OSError, and ValueError where it isn't TOML in UTF-8."""
    return tomllib.loads(place.read_text(encoding="utf-8"))


def write(place: Path, text: str) -> None:
    """Writes aside and renames. Of a symbolic link it is the target that is written; what is there and is no file, as
    a device or a pipe, is written to. Raises OSError."""
    try:
        mode = os.stat(place).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG | 0o644
    data = text.encode("utf-8", "backslashreplace")
    if stat.S_ISREG(mode):
        _replace(Path(os.path.realpath(place)), data, stat.S_IMODE(mode))
        return
    with open(place, "wb", buffering=0) as other:       # where it is a folder, this says so
        rest = memoryview(data)
        while rest:
            rest = rest[other.write(rest):]


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While nobody else is here with that folder: for who reads a file in it and writes it anew. It is made where it is
    missing; a file system without locks has none. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _replace(place: Path, data: bytes, mode: int) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".socklab-{secrets.token_hex(4)}")     # short, however long the other is
    with claims.aside(aside):
        try:
            with open(aside, "xb") as file:
                file.write(data)
            os.chmod(aside, mode)
            os.replace(aside, place)
        finally:
            aside.unlink(missing_ok=True)
