"""Starting other programs from a process of many threads.

Between fork() and exec() a child has copies of all descriptors of this process, close-on-exec or not (open(2),
O_CLOEXEC). A socket that another thread closes in that moment lives on: its port stays taken, and a listener goes on
listening. A Python that uses vfork() can't show this, as the caller holds the interpreter's lock until exec();
others can (subprocess, _USE_VFORK). So no child is started while alone() is held, and none is half-started when it begins.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any

Words = Sequence[str | PathLike[str]]

_STARTING = threading.Lock()


@contextmanager
def alone() -> Iterator[None]:
    """Without any child that may have copies of what is closed in the block. Not to be nested, nor held for long."""
    with _STARTING:
        yield


def start(words: Words, **options: Any) -> subprocess.Popen[bytes]:
    """subprocess.Popen(), which returns when the child has come to exec()."""
    with _STARTING:
        return subprocess.Popen(words, **options)


def run(words: Words, *, given: bytes | None = None, timeout: float | None = None,
        **options: Any) -> subprocess.CompletedProcess[bytes]:
    """A program's whole run. given: its standard input. Raises OSError, and TimeoutExpired after it was killed."""
    if given is not None:
        options["stdin"] = subprocess.PIPE
    with start(words, **options) as process:
        try:
            out, errors = process.communicate(given, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(words, process.returncode, out, errors)
