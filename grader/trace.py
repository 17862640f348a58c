"""make trace: the student's own program by hand, with any arguments and any peer, drawn as a ladder while it runs.

    python3 -m grader trace LAB [--from DIR] [--args "WORDS" | -- WORD...]

The program is built as a grade builds it and runs without a sandbox: its terminal, its files and its ports are those
of whoever started it. The ladder goes to standard error, and at the end to build/LAB/trace.txt and trace.svg.

Status: 0 the program has run, whatever became of it; 130 Ctrl-C ended it; 2 it can't be run; 3 the grader failed.
"""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from . import build, files, kernel
from .catalog import KIT, CatalogError, Lab, find_labs
from .command import Parser, complain
from .evidence import Call, Location, RunSeen, Trouble
from .ladder import Ladder, Rung, choose, draw_svg
from .ladder.byhand import Met, folded, heading, rungs_of
from .ladder.terminal import Growing
from .recording import VARIABLE, Recording, lines_of, locate
from .report.screen import Screen
from .run import signal_words
from .sandbox import Sandbox
from .text import count

DONE, CANNOT, FAILED, INTERRUPTED = 0, 2, 3, 130
CAPACITY = 16384                    # calls that are kept
OWN_RUN = Sandbox("none", "it is the student's own run")
LOOK_EVERY = 0.02                   # seconds between two looks at the recording
WAITS = 300_000_000                 # ns after which a call is shown as waiting
AT_ONCE = 20                        # rungs that are drawn as they come, in each PAUSE
PAUSE = 500_000_000                 # ns between two draws of what comes faster: its gist, in AT_ONCE lines
SVG_RUNGS = 400

Place = tuple[Location | None, str | None]


def main(words: list[str]) -> int:
    """Traces one program; returns the exit status."""
    own = words.index("--") if "--" in words else len(words)
    parser = Parser(prog="grader trace", allow_abbrev=False, usage='%(prog)s LAB [--from DIR] '
                                     '[--args "WORDS" | -- WORD...]')
    parser.add_argument("lab", metavar="LAB", help="lab1, lab3, ...")
    parser.add_argument("--from", dest="tree", default=str(KIT / "labs"), metavar="DIR", help="a tree laid out like labs/")
    parser.add_argument("--args", default="", metavar="WORDS", help="the program's arguments as a shell would split them")
    options = parser.parse_args(words[:own])
    try:
        labs = {lab.id: lab for lab in find_labs()}
        if options.lab not in labs:
            return complain(f"no {options.lab}: there are {', '.join(labs)}", CANNOT)
        lab = labs[options.lab]
        arguments = [*_split(options.args), *words[own + 1:]]
        programs = build.student_programs(lab, build.read_submission(lab, Path(options.tree)), OWN_RUN)
        return Trace(lab, programs.main, arguments, Screen(sys.stderr)).run()
    except build.CompileError as error:
        return complain(f"it doesn't compile: {error.message}", CANNOT)
    except (Cannot, build.MissingTool, build.SubmissionError) as error:
        return complain(str(error), CANNOT)
    except (CatalogError, build.BuildError) as error:
        return complain(str(error), FAILED)


class Cannot(Exception):
    """There is nothing to run: one line that says why."""


def _split(text: str) -> list[str]:
    """The words as a shell splits them. Raises Cannot."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Cannot(f"ARGS={text}: {str(error).lower()}: write it as a shell takes it, each quote with its "
                     "second one") from None


class Trace:
    """One run by hand, from its start until its ladder is saved."""

    def __init__(self, lab: Lab, program: Path, arguments: Sequence[str], screen: Screen) -> None:
        self._lab, self._program, self._arguments = lab, program, arguments
        self._live = Live(lab.file_name, program, Recording.create("", 0, CAPACITY), screen)
        self._screen = screen
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Runs the program to its end; returns the exit status. Raises Cannot."""
        kernel.adopt_orphans()
        before = {number: signal.signal(number, self._pass_on)
                  for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)}
        try:
            self._live.begin(self._title())
            status = self._watch(self._start())
            self._live.look(final=True)
            return self._end(status)
        finally:
            kernel.end_descendants()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self) -> subprocess.Popen[bytes]:
        descriptor = self._live.recording.fd
        try:
            self._process = subprocess.Popen(
                [str(self._program), *self._arguments], pass_fds=(descriptor,),
                env={**os.environ, VARIABLE: str(descriptor)})
        except (OSError, ValueError) as error:
            raise Cannot(f"{self._lab.name} can't be started: {error}") from None
        return self._process

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """The keyboard's signals reach the program by themselves, and it is the one to end; others are handed on."""
        if number in (signal.SIGTERM, signal.SIGHUP) and self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def _watch(self, process: subprocess.Popen[bytes]) -> int:
        """Draws until the program has ended; its status, negative for a signal."""
        ended = os.pidfd_open(process.pid)
        try:
            while not kernel.readable([ended], LOOK_EVERY):
                self._live.look()
        finally:
            os.close(ended)
        return process.wait()

    def _end(self, status: int) -> int:
        """Draws what became of it, saves the ladder."""
        live, screen = self._live, self._screen
        live.finish(status)
        if live.crash is not None:
            where = f" at {live.crash.file}:{live.crash.line}"
            screen.block(f"{self._lab.name} was killed by {signal_words(-status)}{where}", 0, "red")
        if live.recording.total > CAPACITY:
            screen.block(f"{count(live.recording.total, 'call')}: the ladder has the first {CAPACITY:,}", 0)
        folder = KIT / "build" / self._lab.id
        try:
            ladder = live.ladder(status)
            files.write(folder / "trace.txt", self._text(ladder))
            files.write(folder / "trace.svg", draw_svg(ladder, self._title(), most=SVG_RUNGS))
        except OSError as error:
            raise Cannot(f"the ladder can't be saved in {folder}: {error.strerror}") from None
        screen.line(f"saved: {_short(folder / 'trace.txt')} and {_short(folder / 'trace.svg')}", "bold")
        screen.flush()
        return INTERRUPTED if status == -signal.SIGINT else DONE

    def _title(self) -> str:
        return f"{self._lab.id}  {shlex.join([self._lab.name, *self._arguments])}"

    def _text(self, ladder: Ladder) -> str:
        """The whole ladder in 80 columns."""
        file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        page = Screen(file)
        page.line(self._title())
        page.line()
        lanes = Growing(page.columns, page.safe)
        for line in (lanes.heading(ladder), *(line for rung in ladder.rungs for line in lanes.rung(rung))):
            page.pieces(line)
        file.seek(0)
        return file.read()


def _short(path: Path) -> str:
    """As seen from where the user stands, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


class Live:
    """What the recording tells so far, drawn as it comes."""

    def __init__(self, file: str, program: Path, recording: Recording, screen: Screen) -> None:
        self.recording = recording
        self.crash: Location | None = None
        self._file, self._program, self._screen = file, program, screen
        self._ladder = Growing(screen.columns, screen.safe)
        self._met = Met()
        self._seen = 0                          # slots of the recording that were looked at
        self._begun: set[int] = set()           # calls that are known to have begun
        self._open: dict[int, Call | None] = {}     # those that haven't returned
        self._waiting: set[int] = set()         # those that are drawn as waiting
        self._done: list[Call] = []
        self._undrawn: list[Call] = []
        self._since, self._room = 0, 0          # when this PAUSE began, in ns, and how many rungs it still takes
        self._places: dict[int, Place] = {}
        self._threads: dict[str, str] = {}      # their names, by number

    def begin(self, title: str) -> None:
        """What stands above the rungs."""
        self._screen.line(f"{title}   (Ctrl-C ends it)", "bold")
        self._screen.pieces(self._ladder.heading(heading(self._file)))
        self._screen.flush()

    def look(self, final: bool = False) -> None:
        """Takes in what is new. Draws it, or where a lot comes at once its gist after a pause; final: now."""
        held = bool(self._undrawn)
        self._undrawn += self._take_in()
        now = time.monotonic_ns()
        over = now - self._since > PAUSE
        if over:
            self._since, self._room = now, 0 if held else AT_ONCE
        if final or over or len(self._undrawn) <= self._room:
            self._room -= len(self._undrawn)
            self._draw(rungs_of(_run(self._undrawn), self._met, self._file))
            self._undrawn = []
        late = [call for call in self._left() if call.index not in self._waiting and now - call.began > WAITS]
        if late and not self._undrawn and not final:
            self._waiting |= {call.index for call in late}
            self._draw([replace(rung, notes=("waits",)) for rung in rungs_of(_run(late), self._met, self._file)])

    def finish(self, status: int) -> None:
        """Draws what was still under way, and the end."""
        self._note_crash()
        self._draw(rungs_of(self._seen_at_end(status, self._left()), self._met, self._file))

    def ladder(self, status: int) -> Ladder:
        """The whole ladder of the run that is over. status: negative for a signal."""
        calls = sorted([*self._done, *self._left()], key=lambda call: call.index)
        rungs = rungs_of(self._seen_at_end(status, calls), self._met, self._file)
        return replace(heading(self._file), rungs=tuple(folded(rungs, self._names())))

    def _left(self) -> list[Call]:
        return [call for call in self._open.values() if call is not None]

    def _seen_at_end(self, status: int, calls: Sequence[Call]) -> RunSeen:
        run = _run(calls)
        trouble = Trouble("crash", None, self.crash) if self.crash is not None else None
        return replace(run, trouble=trouble, status=status if status >= 0 else None, signal=-status if status < 0 else None)

    def _take_in(self) -> list[Call]:
        """The calls that have returned since the last time, with their lines."""
        total = min(self.recording.total, CAPACITY)
        self._open |= dict.fromkeys(range(self._seen, total))
        self._seen = total
        fresh = [call for index in self._open if (call := self.recording.call(index)) is not None]
        self._learn_places(call.site for call in fresh)
        placed = [replace(call, where=where, inside=inside) for call in fresh
                  for where, inside in [self._places.get(call.site, (None, None))]]
        begun = [call for call in placed if call.index not in self._begun]
        self._begun |= {call.index for call in begun}
        returned = [call for call in placed if call.ended is not None]
        self._met.note(begun, returned)
        self._open |= {call.index: call for call in placed}
        for call in returned:
            del self._open[call.index]
        for call in begun:
            self._threads.setdefault(str(call.thread), f"t{len(self._threads) + 1}" if self._threads else "main")
        self._done += returned
        return sorted(returned, key=lambda call: call.ended or 0)

    def _learn_places(self, sites: Iterable[int]) -> None:
        new = sorted(set(sites) - self._places.keys())
        self._places |= dict.fromkeys(new, (None, None))
        self._places |= locate(new, self._program)

    def _note_crash(self) -> None:
        """The innermost line of the student's, or else of given code."""
        struck = self.recording.struck()
        lines = lines_of([struck], self.recording.base, self._program) if struck is not None else []
        own = [where for where in lines if where.file == self._file]
        self.crash = next(iter([*own, *lines]), None)

    def _names(self) -> dict[str, str]:
        """The threads' names, where there is more than one."""
        return self._threads if len(self._threads) > 1 else {}

    def _draw(self, rungs: Sequence[Rung]) -> None:
        for rung in choose(folded(rungs, self._names()), AT_ONCE):
            for line in self._ladder.rung(rung):
                self._screen.pieces(line)
        if rungs:
            self._screen.flush()


def _run(calls: Sequence[Call]) -> RunSeen:
    """These calls as a run that goes on."""
    return RunSeen(
        function="", args=(), times=0, faults="", input_kind="", input=b"", tool="", nofile=0, status=None, signal=None,
        running=True, trouble=None, reported=(), texts=(), numbers=(), descriptors=(), listening=(), output=b"", errors=b"",
        calls=tuple(calls), total_calls=len(calls), findings=())
