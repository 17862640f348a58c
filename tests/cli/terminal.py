"""A kit of one's own, and the grader at a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import termios
import time
from pathlib import Path

KIT = Path(__file__).resolve().parents[2]
SECONDS = 60                        # for what takes one or two on a machine at rest


def copy_kit(to: Path) -> Path:
    """A kit of its own: what is saved here is saved nowhere else. Lab 1's suite is built, if it was here."""
    for name in ("labs", "grader", "docs"):
        shutil.copytree(KIT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for built in (KIT / "build" / "cache").glob("lab1-suite-*"):
        shutil.copytree(built, to / "build" / "cache" / built.name)
    return to


class Terminal:
    """python3 -m grader, at a terminal; what it shows is gathered in `seen`."""

    def __init__(self, kit: Path, *words: str, program: tuple[str, ...] = (sys.executable, "-m", "grader"),
                 **environment: str) -> None:
        self.master, theirs = pty.openpty()
        self.process = subprocess.Popen([*program, *words], cwd=kit, stdin=theirs,
                                        stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm", **environment},
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        self.seen = ""

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Until it is on the screen. What came before it is forgotten."""
        until = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < until, f"{pattern} isn't in {self.seen!r}"
            self.read(0.05)
        self.seen = self.seen[found.end():]
        return found

    def read(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
                self.seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.seen)       # colours and the like
            except OSError:         # the terminal's other side is closed
                pass

    def family(self) -> set[int]:
        """All processes below it."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    found += map(int, task.read_text().split())
                except OSError:
                    pass
        return set(found[1:])

    def type(self, text: str) -> None:
        """As from the keyboard."""
        os.write(self.master, text.encode())

    def interrupt(self) -> int:
        """Ctrl-C; its exit status."""
        self.type("\x03")
        status = self.process.wait(timeout=SECONDS)
        self.read(0.1)
        return status

    def close(self) -> None:
        """Hangs up."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=SECONDS)
