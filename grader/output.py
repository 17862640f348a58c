"""Standard output and standard error that may be lost: the reader goes away (| head -1), the disk behind them is full,
they were closed before the start (>&-).

What a descriptor refuses is dropped from then on. Who grades goes on all the same: the marks and the other reports are
worth having. Who only shows something ends: there the error is raised, once.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TextIO

OUT, ERR = 1, 2
_NAMES = {OUT: "standard output", ERR: "standard error"}


class Stream(io.FileIO):
    """One of the two descriptors; `lost` is why nothing can be written to it any more."""

    def __init__(self, descriptor: int, patient: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.descriptor, self.patient = descriptor, patient
        self.lost: OSError | None = None

    def write(self, data: bytes | bytearray | memoryview) -> int:       # type: ignore[override]
        """As FileIO's; where the descriptor doesn't wait for its reader, this does."""
        try:
            while (written := super().write(data)) is None:
                select.select([], [self.descriptor], [])
            return written
        except OSError as error:
            self.lost = error
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, self.descriptor)
            os.close(nowhere)
            if not self.patient:
                raise
            return len(data)


_streams: tuple[Stream, ...] = ()


def take(patient: bool) -> None:
    """Puts sys.stdout and sys.stderr on streams of this kind; patient: what they refuse is no exception."""
    global _streams
    _open_closed()
    _streams = (Stream(OUT, patient), Stream(ERR, patient))
    sys.stdout = _text(_streams[0], sys.stdout, sys.stdout is not None and bool(sys.stdout.line_buffering))
    sys.stderr = _text(_streams[1], sys.stderr, True)


def _open_closed() -> None:
    """What was closed is open from here on, so that no other file gets its number. Standard output is one that can't be
    written to; standard error swallows what it gets, as whoever closed it wants."""
    for descriptor, way in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, way), True)      # takes the lowest number that is free


def _text(stream: Stream, before: TextIO | None, lines: bool) -> TextIO:
    encoding, errors = (before.encoding, before.errors) if before is not None else (None, None)
    return io.TextIOWrapper(io.BufferedWriter(stream), encoding, errors, line_buffering=lines)


def lost() -> str | None:
    """Why one of the two can't be written to any more; "" where its reader has gone, which nobody needs to be told; None
    where nothing is lost."""
    for stream in _streams:
        if stream.lost is not None:
            if stream.lost.errno == errno.EPIPE:
                return ""
            why = "it is closed" if stream.lost.errno == errno.EBADF else stream.lost.strerror
            return f"can't write to {_NAMES[stream.descriptor]}: {why}"
    return None
