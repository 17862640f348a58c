"""gdb at this terminal, on one run of the student's program while its test goes on around it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

SETTINGS = ("set sysroot", "set debuginfod enabled off", "set print symbol-loading off")    # this machine's own files
STEP_OVER = "skip -gfi */recorder.c"            # send() is one step, though the recorder stands before it


class Debugger:
    """gdb for run number `run` (from 1) of the test "stage/test". Times of the test don't count while it works.

    sources: folders where gdb finds the source. stops: places where the program is to stop, as gdb names them.
    say: shows a line of text, which may hold what came from the student.
    """

    def __init__(self, test: str, run: int, sources: Sequence[Path], stops: Sequence[str],
                 say: Callable[[str], None]) -> None:
        self.test, self.run, self._say = test, run, say
        self._words = ["gdb", "--quiet", *(word for line in SETTINGS for word in ("-iex", line)),
                       "-ex", "set confirm off", *(f"--directory={folder}" for folder in sources)]
        self._stops = stops
        self._ended = threading.Event()
        self._taken = False

    def take(self, pid: int, program: Path, function: str) -> None:
        """Starts gdb on a program that waits for it. It has the terminal until it ends. function: where the program
        is to stop first, and only once."""
        commands = [STEP_OVER, f"tbreak {function}", *(f"break {place}" for place in self._stops), "continue"]
        words = [*self._words, f"--pid={pid}", *(word for line in commands for word in ("-ex", line)), str(program)]
        process = subprocess.Popen(words, process_group=0)
        self._taken = True
        _give_terminal(process.pid)
        threading.Thread(target=self._wait, args=(process,), daemon=True).start()

    def works(self) -> bool:
        """Whether gdb runs."""
        return self._taken and not self._ended.is_set()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until gdb has ended. One that Ctrl-Z stops goes on: nobody else could be reached at this terminal."""
        while True:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                break
            _give_terminal(process.pid)
        process.returncode = os.waitstatus_to_exitcode(status)
        _give_terminal(os.getpgrp())
        self._ended.set()

    def test_is_over(self, failure: str) -> None:
        """The test has its verdict; the program stays until gdb is left. failure: '' if the test passed."""
        if self.works():
            said = f"it failed, {failure}" if failure else "it passed"
            self._say(f"[the test is over: {said}. quit leaves gdb, after Ctrl-C where the program still runs]")
            self._ended.wait()


def _give_terminal(group: int) -> None:
    """Makes a group of processes the terminal's foreground, as shells do, and lets it go on."""
    if sys.stdin.isatty():
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            os.tcsetpgrp(0, group)
        except OSError:             # the terminal has gone, or the group
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    if group != os.getpgrp():
        try:
            os.killpg(group, signal.SIGCONT)
        except ProcessLookupError:
            pass
