"""make watch: grades again at each save, the lab that changed, until Ctrl-C.

    python3 -m grader watch [LAB] [--brief]      no LAB: all labs; 130 after Ctrl-C

Each grade is a child process. A save during a grade ends it, with all that it started, and begins the next: this
process is the one that orphans come to (PR_SET_CHILD_SUBREAPER), so it can tell when none is left.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from . import claims, kernel
from .catalog import KIT, CatalogError, Lab, find_labs
from .command import Parser, complain
from .report.screen import Screen

LOOK_EVERY = 0.12                   # seconds between two looks at the files
SUFFIXES = (".c", ".h", ".toml")    # what a grade is made of, and not what editors leave beside it
CANNOT, FAILED, INTERRUPTED = 2, 3, 130

Stamp = tuple[int, int, int]
Stamps = dict[str, Stamp]


def main(words: list[str]) -> int:
    """Watches until it is interrupted; returns the exit status."""
    parser = Parser(prog="grader watch", allow_abbrev=False)
    parser.add_argument("lab", nargs="?", metavar="LAB", help="lab1, lab3, ...; none: all")
    parser.add_argument("--brief", action="store_true", help="a line a failure, for editors")
    options = parser.parse_args(words)
    try:
        labs = {lab.id: lab for lab in find_labs()}
    except CatalogError as error:
        return complain(str(error), FAILED)
    if options.lab is not None and options.lab not in labs:
        return complain(f"no {options.lab}: there are {', '.join(labs)}", CANNOT)
    chosen = [labs[options.lab]] if options.lab else list(labs.values())
    screen = Screen(sys.stdout)
    watch = Watch(screen, options.brief)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        watch.loop(chosen)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)    # a second Ctrl-C doesn't keep it from tidying up
        return INTERRUPTED
    finally:
        watch.end()
        screen.progress("")
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class Watch:
    """The grade that runs now, if one does."""

    def __init__(self, screen: Screen, brief: bool) -> None:
        self._screen, self._brief = screen, brief
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        kernel.adopt_orphans()

    def loop(self, labs: list[Lab]) -> None:
        """Grades what changes, for ever. One lab alone is graded at once, too."""
        seen = {lab.id: stamps(lab.folder) for lab in labs}
        if len(labs) == 1:
            self._begin(labs[0], "")
        else:
            self._screen.line(f"watching {', '.join(seen)}: a save grades its lab (Ctrl-C ends this)")
            self._screen.flush()
        while True:
            time.sleep(LOOK_EVERY)
            for lab in labs:
                now = stamps(lab.folder)
                if changed := changes(seen[lab.id], now):
                    seen[lab.id] = now
                    self._begin(lab, changed[0])
            self._tell_end()

    def _begin(self, lab: Lab, saved: str) -> None:
        """A new grade instead of the one that runs."""
        self.end()
        self._separate(f"{time.strftime('%H:%M:%S')}  {saved} is saved" if saved else f"watching {lab.folder.name}")
        self._folder, self._lock = claims.make()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "grader", "grade", lab.id, *(["--brief"] if self._brief else [])],
            cwd=KIT, stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(self._folder)}, start_new_session=True)

    def _separate(self, text: str) -> None:
        """A clear screen where there is one; else a line."""
        if self._screen.is_terminal and os.environ.get("TERM", "dumb") != "dumb" and not self._brief:
            sys.stdout.write("\x1b[H\x1b[2J")
        self._screen.line(f"---- {text} ----", "dim")
        self._screen.flush()

    def _tell_end(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self.end()
            self._screen.line("---- graded; the next save grades again (Ctrl-C ends this) ----", "dim")
            self._screen.flush()

    def end(self) -> None:
        """Ends the grade and all that it started; returns when none of it is left."""
        kernel.end_descendants()
        if self._process is not None:
            self._process.poll()        # which learns that it has gone
            self._process = None
        if self._folder is not None:
            claims.remove(self._folder)
            os.close(self._lock)
            self._folder = None


def stamps(folder: Path) -> Stamps:
    """The time, size and number of each file of a lab. A file is opened for it: then a network file system asks its
    server, where stat() alone may tell what it knew some seconds ago."""
    found: Stamps = {}
    try:
        names = [name for name in os.listdir(folder) if name.endswith(SUFFIXES) and not name.startswith((".", "#"))]
    except OSError:
        return found
    for name in names:
        try:
            descriptor = os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:
            continue
        try:
            facts = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if stat.S_ISREG(facts.st_mode):
            found[name] = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
    return found


def changes(before: Stamps, now: Stamps) -> list[str]:
    """The names of the files that were saved, or came. One that has gone is none: editors rename as they save."""
    return sorted(name for name, stamp in now.items() if before.get(name) != stamp)
