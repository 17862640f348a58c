"""The grader's own errors in one line: what happened, where, and what to do."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and grade again",
    errno.EDQUOT: "your quota of disk space is used up: free some and grade again",
    errno.EROFS: "the disk is read-only: grade in a copy that can be written to",
    errno.EACCES: "build/ must be writable: see whose it is, or grade in a copy of your own",
    errno.EPERM: "build/ must be writable: see whose it is, or grade in a copy of your own",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n) and grade again",
    errno.ENFILE: "too many open files on this machine: end what you don't need and grade again",
    errno.ENOMEM: "out of memory: end what you don't need and grade again",
    errno.EAGAIN: "no more processes or threads can be started: end what you don't need (ulimit -u) and grade again",
    errno.ENOENT: "a file has gone while it was needed (make clean?): grade again",
}
NO_THREAD = "can't start new thread"


def describe(error: BaseException) -> str:
    """An error of the grader's own in one line: with what to do where that is known, else with its place."""
    chain = error
    while chain.__cause__ is not None and not isinstance(chain, OSError):
        chain = chain.__cause__
    number = chain.errno if isinstance(chain, OSError) else errno.ENOMEM if isinstance(chain, MemoryError) else None
    if NO_THREAD in str(error):
        number = errno.EAGAIN
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if number in ADVICE:
        return f"{ADVICE[number]} ({said})"
    where = traceback.extract_tb(error.__traceback__)
    return f"{said} ({Path(where[-1].filename).name}:{where[-1].lineno})" if where else said
