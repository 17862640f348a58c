"""The kernel's view of a running program, and the calls it made."""

from __future__ import annotations

import time

from .. import kernel, words
from ..evidence import Call
from ..faults import calls_named
from .base import Verbs

SPIN_CALLS, SPIN_SECONDS = 3, 0.3
PAUSE_NS = 9_000_000                # shorter than any pause that a contract allows


class LookVerbs(Verbs):
    """Descriptors, listeners, recorded calls."""

    def do_descriptors_of(self, fields: list[bytes]) -> int:
        run = self.run(fields[0])
        found = len(run.descriptors())
        self.check_alive(run)
        return found

    def do_is_open(self, fields: list[bytes]) -> int:
        return int(int(fields[1]) in self.run(fields[0]).descriptors())

    def do_listener_address(self, fields: list[bytes]) -> str:
        found = self.run(fields[0]).listeners()
        return f"{found[0].local[0]}:{found[0].local[1]}" if found else ""

    def do_listener_port(self, fields: list[bytes]) -> int:
        found = self.run(fields[0]).listeners()
        return found[0].local[1] if found else 0

    def do_listener_backlog(self, fields: list[bytes]) -> int:
        found = self.run(fields[0]).listeners()
        return found[0].send_queue if found else -1

    def do_listener_waiting(self, fields: list[bytes]) -> int:
        found = self.run(fields[0]).listeners()
        return found[0].receive_queue if found else -1

    def do_count_calls(self, fields: list[bytes]) -> int:
        return self.count(self.run(fields[0]), fields[1].decode())

    def do_count_failed(self, fields: list[bytes]) -> int:
        run, names = self.run(fields[0]), calls_named(fields[1].decode())
        return sum(1 for call in run.recording.calls() if call.name in names and not call.given and not call.faulted
                   and call.result == -1 and call.fd != -1)

    def do_spins(self, fields: list[bytes]) -> int:
        """Whether it repeats a call that failed almost at once. Looked at until it has paused twice, or for a
        moment. A pause never ends early, so a busy machine can't make a waiter look like a spinner."""
        run, names, since = self.run(fields[0]), calls_named(fields[1].decode()), time.monotonic()
        pauses: dict[object, float] = {}            # a sleep, and when it was first seen
        while (now := time.monotonic()) - since < SPIN_SECONDS and run.poll() is None:
            calls = [call for call in run.recording.calls() if call.name in names and not call.given]
            calls.sort(key=lambda call: (call.thread, call.index))
            if sum(_at_once(call, following) for call, following in zip(calls, calls[1:])) >= SPIN_CALLS:
                return 1
            threads = kernel.threads(run.pid)
            if threads and all(thread.state == "S" for thread in threads):
                pauses.setdefault(tuple((thread.tid, thread.switches) for thread in threads), now)
                if len(pauses) > 1 and now - max(pauses.values()) > 2 * PAUSE_NS / 1e9:
                    return 0
            time.sleep(0.004)
        return 0

    def do_sleeps_for(self, fields: list[bytes]) -> int:
        """Whether the program sleeps so many milliseconds from now on, before its call returns.

        Only sleep counts that is certain: what is left between two looks at a program asleep when all that is
        taken off in which it ran or waited for a processor. So who sleeps 50 ms is never seen to sleep longer,
        however late a busy machine lets it go on.
        """
        run, wanted = self.run(fields[0]), int(fields[1]) / 1000
        calls, times, slept = len(run.reported()), int(run.request.times or 1), Slept(run.pid)

        def returned() -> bool:
            reported = len(run.reported())
            return run.poll() is not None or reported > calls or bool(run.request.function and reported >= times)

        self.wait(lambda: slept.look() >= wanted or returned(), words.return_of(run), run)
        return int(not returned())


class Slept:
    """How long a program has slept for certain, from look to look."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seconds = 0.0
        self._since = 0.0
        self._before: tuple[frozenset[int], float] | None = None

    def look(self) -> float:
        """The seconds so far."""
        now, threads = time.monotonic(), kernel.threads(self._pid)
        asleep = bool(threads) and all(thread.state == "S" for thread in threads)
        awake = kernel.awake_seconds(self._pid) if asleep else None
        seen = (frozenset(thread.tid for thread in threads), awake) if awake is not None else None
        if seen is not None and self._before is not None and seen[0] == self._before[0]:
            self._seconds += max(0.0, now - self._since - (seen[1] - self._before[1]))
        self._before, self._since = seen, time.monotonic()
        return self._seconds


def _at_once(call: Call, following: Call) -> bool:
    """The same call again by the same thread, after a failure and without a pause, in the call or after it."""
    return call.thread == following.thread and call.result == -1 and following.began - call.began < PAUSE_NS
