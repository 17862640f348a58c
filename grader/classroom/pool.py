"""A few graders side by side, a process each: one that breaks takes no other with it, and none keeps its memory.

All is done in one thread: a grader asks the kernel to be told when the thread that started it is gone.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
TICK = 0.5                          # seconds between two looks at the clock
GRACE = 10.0                        # for a grader that was told to end

_libc = ctypes.CDLL(None)           # before any fork


@dataclass(frozen=True)
class Job:
    """One command: what it writes to the two streams goes to two files."""

    name: str
    words: Sequence[str]
    out: Path
    err: Path
    seconds: float                  # after which it is taken to hang
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """How a job ended. status: the exit status, or a signal's number below zero."""

    job: Job
    status: int
    seconds: float
    late: bool                      # it was ended, since it took too long


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    watch: int                      # a descriptor that is readable once it has ended
    began: float
    told_to_end: float = 0.0


def run(jobs: Iterator[Job], at_once: int, done: Callable[[Done], None], tick: Callable[[], None]) -> None:
    """Runs all jobs, so many at once. A job is asked for when there is room. Raises OSError where none can be started.

    done() is called as each ends, tick() now and then.
    """
    running: dict[int, _Running] = {}
    poll = select.poll()
    try:
        for job in jobs:
            started = _start(job)
            running[started.watch] = started
            poll.register(started.watch, select.POLLIN)
            while len(running) >= at_once:
                _turn(running, poll, done, tick)
        while running:
            _turn(running, poll, done, tick)
    finally:
        for left in running.values():
            left.process.kill()
            left.process.wait()
            os.close(left.watch)


def _turn(running: dict[int, _Running], poll: select.poll, done: Callable[[Done], None], tick: Callable[[], None]) -> None:
    for watch, _ in poll.poll(TICK * 1000):
        ended = running.pop(watch)
        poll.unregister(watch)
        os.close(watch)
        status = ended.process.wait()
        done(Done(ended.job, status, time.monotonic() - ended.began, ended.told_to_end > 0))
    now = time.monotonic()
    for one in running.values():
        if one.told_to_end and now - one.told_to_end > GRACE:
            one.process.kill()
        elif not one.told_to_end and now - one.began > one.job.seconds:
            one.told_to_end = now
            one.process.terminate()
    tick()


def _start(job: Job) -> _Running:
    with open(job.out, "wb") as out, open(job.err, "wb") as err:
        process = subprocess.Popen(job.words, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                   env={**os.environ, **job.environment}, preexec_fn=_end_with_parent)
    return _Running(job, process, os.pidfd_open(process.pid), time.monotonic())


def _end_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
