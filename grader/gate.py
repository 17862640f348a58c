"""Which test may run now: the plain test of a stage first, and not too many at once.

All workers of a suite start at once and ask to be let in. A stage's plain test goes in when the plain
tests of the stages it needs have passed; the rest of the stage once its own plain test has passed. Where
that can't be any more, the test isn't tried.
"""

from __future__ import annotations

import os
import threading

from .catalog import Lab

AT_ONCE = max(3, 2 * len(os.sched_getaffinity(0)))


class Gate:
    """Shared by the threads that serve a suite's tests."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._changed = threading.Condition()
        self._plain: dict[str, bool] = {}       # stages whose plain test is decided
        self._slots = AT_ONCE
        self._closed = False

    def admit(self, stage_name: str, test: str) -> bool:
        """Waits for this test's turn; False when it isn't to be tried."""
        stage = self._lab.stage(stage_name)
        assert stage is not None                # read_tests() has checked
        plain = test == stage.plain
        required = stage.needs if plain else (stage.name,)
        with self._changed:
            self._changed.wait_for(lambda: self._hopeless(required) or self._turn(required))
            if self._hopeless(required):
                if plain:
                    self._plain[stage.name] = False
                    self._changed.notify_all()
                return False
            self._slots -= test not in stage.early
            return True

    def _hopeless(self, required: tuple[str, ...]) -> bool:
        return self._closed or any(self._plain.get(name) is False for name in required)

    def _turn(self, required: tuple[str, ...]) -> bool:
        return self._slots > 0 and all(self._plain.get(name) for name in required)

    def done(self, stage_name: str, test: str, passed: bool) -> None:
        """An admitted test has ended."""
        stage = self._lab.stage(stage_name)
        assert stage is not None
        with self._changed:
            self._slots += test not in stage.early
            if test == stage.plain:
                self._plain[stage_name] = passed
            self._changed.notify_all()

    def close(self) -> None:
        """Lets nobody in any more; those who wait are not tried."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
