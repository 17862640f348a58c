"""The process that waits beside a grade and tidies up after it, however it ends.

A grade has threads and dozens of processes, and can be interrupted at any moment. So it runs in a child, and this
process does nothing but wait: for the child's end, or for a signal. Then it ends all that is left, by SIGKILL, and
removes what was temporary. What killed graders have left is removed before a grade begins.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from . import claims, kernel
from .command import complain
from .run import signal_name

FAILED = 3
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PR_SET_PDEATHSIG = 1
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8      # mallopt(3)
GIVEN_BACK = 1 << 18                        # bytes: blocks of this size go back to the system when they are freed


def run(work: Callable[[], int], left: str = "nothing was graded") -> int:
    """The exit status of work(), done in a child; 128 and the signal's number where a signal came first.

    left: what the user is told of the work that was interrupted. Where the child ends without having finished, the
    grader has failed: 3, and a line on standard error.
    """
    try:
        folder, lock = claims.make()
    except OSError as error:
        return complain(f"the grader failed: no room for temporary files: {error.strerror} ({error.filename}). "
                        "Free some space, or set TMPDIR to a folder that can be written to.", FAILED)
    claims.sweep(folder.parent)
    kernel.adopt_orphans()
    wanted = {number for number in INTERRUPTS if signal.getsignal(number) != signal.SIG_IGN}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*wanted, signal.SIGCHLD})
    try:
        try:
            keeper, child = os.getpid(), os.fork()
        except OSError as error:
            return complain(f"the grader failed: it can't start a process: {error.strerror}. Close some and try again.", FAILED)
        if child == 0:
            _be_child(keeper, before, folder, work)
        ended = _wait(child, wanted)
        kernel.end_descendants()
    finally:
        claims.remove(folder)
        os.close(lock)
    return ended if ended >= 0 else _tell(-ended, wanted, left)


def _be_child(keeper: int, mask: set[int | signal.Signals], folder: Path, work: Callable[[], int]) -> None:
    """The child's whole life. It ends without what the interpreter does at an end: its threads may hang."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != keeper:
        os._exit(FAILED)
    status = FAILED
    try:
        for number in INTERRUPTS:       # not SIG_IGN: what it starts would inherit that
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: None)      # the keeper gets it too, or has it alone
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        claims.use(folder)
        _use_little_memory()
        status = work()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else FAILED
    except BaseException:
        traceback.print_exc()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = FAILED
    os._exit(status)


def _use_little_memory() -> None:
    """A grade has many threads, one at a time at work, and megabytes of what students' programs send: one heap for all
    of them takes half of what the C library's own setting does."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):        # the GNU C library
        libc.mallopt(M_ARENA_MAX, 1)
        libc.mallopt(M_MMAP_THRESHOLD, GIVEN_BACK)


def _wait(child: int, interrupts: set[signal.Signals]) -> int:
    """The child's exit status; where a signal killed it, or came to this process, its number below zero."""
    while True:
        number = signal.sigwait({*interrupts, signal.SIGCHLD})
        if number != signal.SIGCHLD:
            return -number
        while (found := os.waitpid(-1, os.WNOHANG))[0] != 0:
            if found[0] == child:
                return os.waitstatus_to_exitcode(found[1])


def _tell(number: int, interrupts: set[signal.Signals], left: str) -> int:
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    if number not in interrupts:
        return complain(f"the grader failed: it was killed by {signal_name(number)}. Is the machine out of memory? "
                        f"{left.capitalize()}; try again.", FAILED)
    return complain(f"interrupted by {signal_name(number)}: {left}", 128 + number)
