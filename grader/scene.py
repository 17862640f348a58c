"""The scene of one test: its runs and peers, and the one way to wait for something.

A wait ends when its condition holds, or as soon as it is certain that it can't hold any more. That is
known from the kernel, not from a clock, so that a loaded machine changes no verdict:
  ended   no program of the scene runs, and every peer is at rest;
  stuck   every thread of the program sleeps in a call that only somebody else can end, and every peer
          is at rest: each waits for the other, for ever;
  busy    it has used more processor time than a right program needs, and moved no byte meanwhile, or far more;
  idle    it has slept on timers for idle_seconds while nobody else had anything to do;
  still   it has slept, and with it all that it started, for STILL_SECONDS without waking once, and no peer has
          anything to do: what is on its way comes again and again, and finds no room.
The backstop on the wall clock ("slow") is for what nobody thought of.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from . import kernel
from .evidence import Trouble
from .pace import scaled
from .peers import Peer
from .run import StudentRun

FIRST_PAUSE, LONGEST_PAUSE = 0.0002, 0.008
LOOK_EVERY = 0.010
LONGEST_NAP, SHORT_NAP = 0.5, 0.05  # that count between two looks: where no thread woke meanwhile, and where one may have
QUIET_SECONDS, QUIET_LOOKS = 0.2, 8
STILL_SECONDS, STILL_EVERY = 3.0, 0.25
BACKSTOP_SECONDS = 45.0
LONGEST_STEP = 1.0                  # seconds between two looks that count: one that was stopped meanwhile saw nothing
COST = 4                            # a look that takes long comes seldom: hundreds of threads are many files


class CannotHappen(Exception):
    """A condition can't come to hold. `run` is the program to blame, None if all have ended."""

    def __init__(self, run: StudentRun | None, trouble: Trouble | None) -> None:
        super().__init__(trouble.kind if trouble else "ended")
        self.run = run
        self.trouble = trouble


class Scene:
    """The runs and peers of one test."""

    def __init__(self) -> None:
        self.runs: list[StudentRun] = []
        self.peers: list[Peer] = []
        self.held: list[socket.socket] = []         # what else the grader keeps open for the test
        self.held_ports: list[tuple[int, str]] = []
        self.spent = 0.0            # seconds of waiting
        self.look: Callable[[], None] = lambda: None        # takes notes while something is awaited
        self.patient: Callable[[], bool] = lambda: False    # whether a debugger holds a program: then time is no sign

    def wait(self, condition: Callable[[], bool]) -> None:
        """Returns once condition() holds; raises CannotHappen when it can't any more."""
        pause = FIRST_PAUSE
        watch = Watch(self)
        while not condition():
            verdict = watch.look()
            if verdict is not None:
                if condition():
                    return
                try:
                    raise verdict
                finally:
                    del verdict         # its traceback holds this frame, and so all that the test saw
            self._rest(pause)
            self.look()
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def _rest(self, seconds: float) -> None:
        """Until that time is over or a program ends."""
        kernel.readable([run.control.fileno() for run in self.live()], seconds)

    def live(self) -> list[StudentRun]:
        """The programs that still run."""
        return [run for run in self.runs if run.poll() is None]

    def close(self) -> None:
        """Ends everything; returns when nothing is left."""
        for run in self.runs:
            run.close()
        for peer in self.peers:
            peer.close()
        for sock in self.held:
            sock.close()
        self.look = lambda: None        # it holds the session, which holds the scene


class Watch:
    """Looks again and again at a scene in which something is awaited."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._last = time.monotonic()
        self._every = LOOK_EVERY
        self._idle = 0.0
        self._quiet_since = 0.0
        self._looks = 0
        self._signature: object = None
        self._nap: object = None
        self._picture: object = None
        self._still, self._pictured, self._next_picture = 0.0, self._last, self._last + STILL_EVERY

    def look(self) -> CannotHappen | None:
        """What is certain by now, None while there is hope. Raises PeerBroken and StartError."""
        for peer in self._scene.peers:
            peer.check()
        live = self._scene.live()
        if not live and all(peer.at_rest() for peer in self._scene.peers):
            return CannotHappen(None, None)
        now = time.monotonic()
        if self._scene.patient():
            self._last = now
            return None
        since = now - self._last
        if since < self._every:
            return None
        found = self._look(live, since, now)
        if found is not None and found.run is not None:
            found.run.check_tool()
        self._last = time.monotonic()
        self._every = max(LOOK_EVERY, COST * (self._last - now))
        return found

    def _look(self, live: list[StudentRun], since: float, now: float) -> CannotHappen | None:
        self._scene.spent += min(since, LONGEST_STEP)
        if self._scene.spent > scaled(BACKSTOP_SECONDS):
            return CannotHappen(live[0] if live else None, Trouble("slow", None, None))
        for run in live:
            if run.runs_on():
                return CannotHappen(run, Trouble("busy", None, None))
        return self._look_at_sleep(live, since, now) or self._look_at_stillness(live, now)

    def _look_at_sleep(self, live: list[StudentRun], since: float, now: float) -> CannotHappen | None:
        asleep = bool(live) and all(kernel.all_asleep(run.pid) for run in live)
        threads = [(run, thread) for run in live for thread in kernel.threads(run.pid)] if asleep else []
        if not all(thread.state in kernel.ASLEEP for _, thread in threads):
            threads = []
        if not threads or not all(peer.at_rest() for peer in self._scene.peers):
            self._signature = self._nap = None
            return None
        if not all(thread.state in kernel.STOPPED or kernel.blocks_forever(thread) for _, thread in threads):
            nap = tuple((thread.tid, thread.switches) for _, thread in threads)
            self._idle += min(since, LONGEST_NAP if nap == self._nap else SHORT_NAP)
            self._signature, self._nap = None, nap
            run = live[0]       # its timers run as fast on a slow machine: this limit isn't scaled
            return CannotHappen(run, Trouble("idle", _call(run), None)) if self._idle > run.limits.idle_seconds else None
        return self._count_quiet(live[0], tuple((t.tid, t.syscall, t.switches) for _, t in threads), now)

    def _look_at_stillness(self, live: list[StudentRun], now: float) -> CannotHappen | None:
        """Now and then, for a process's whole family takes long to look at. A long time between two looks counts little."""
        if now < self._next_picture:
            return None
        step, self._next_picture = 2 * STILL_EVERY, now + STILL_EVERY
        threads = [thread for run in live for pid in kernel.family(run.pid) for thread in kernel.threads(pid)]
        awake = any(thread.state not in (*kernel.ASLEEP, "D") for thread in threads)
        if awake or not all(peer.waits() for peer in self._scene.peers):
            self._picture = None
            return None
        picture = tuple((thread.tid, thread.switches) for thread in threads)
        self._still = self._still + min(now - self._pictured, step) if picture == self._picture else 0.0
        self._picture, self._pictured = picture, now
        if self._still < scaled(STILL_SECONDS):
            return None
        return CannotHappen(live[0] if live else None, Trouble("stuck", _call(live[0]), None) if live else None)

    def _count_quiet(self, run: StudentRun, signature: object, now: float) -> CannotHappen | None:
        if signature != self._signature:
            self._signature, self._quiet_since, self._looks = signature, now, 0
        self._looks += 1
        if self._looks >= QUIET_LOOKS and now - self._quiet_since >= scaled(QUIET_SECONDS):
            return CannotHappen(run, Trouble("stuck", _call(run), None))
        return None


def _call(run: StudentRun) -> str | None:
    """What the program's newest sleeping thread sleeps in; None for one that a signal has stopped."""
    threads = reversed(kernel.threads(run.pid))
    return next((thread.syscall for thread in threads if thread.syscall and thread.state in ("S", "D")), None)
