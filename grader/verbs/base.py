"""What all verbs share: the test's scene, and the ways to find, to wait and to fail."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import kernel, words
from ..build import Programs
from ..catalog import Lab
from ..debugger import Debugger
from ..evidence import Failure, Location, Trouble
from ..faults import calls_named
from ..pace import scaled
from ..peers import Peer
from ..recording import line_of, lines_of, resolve
from ..run import StudentRun
from ..sandbox import Sandbox
from ..scene import CannotHappen, Scene
from ..standing import look_at

ENDLESS, CIRCLE = 64, 16            # calls that make a loop, and those of it that are looked at
ENDING_SECONDS = 2                  # for a program that has closed all its descriptors
SILENT = ("close", "thread_start")     # calls that don't tell what a program was about


class Unmet(Exception):
    """An expectation or a wait of the test isn't met."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class NotTried(Exception):
    """The test needs what this machine doesn't have."""


class BadRequest(Exception):
    """The suite asks for something that makes no sense: the kit's mistake, never the student's."""


@dataclass(frozen=True)
class Said:
    """What the suite said of a peer."""

    role: str                       # "listens" or "connects"
    script: str
    data: tuple[bytes, ...]         # $1 to $4
    at_once: int                    # how many connections it has side by side


class Verbs:
    """A test's scene. Each do_VERB of a subclass is one request of suite.h: it gets the request's fields and
    returns the reply's; an expectation that isn't met raises Unmet, and the test is over."""

    def __init__(self, lab: Lab, programs: Programs, launcher: Path, sandbox: Sandbox, seed: int) -> None:
        self.lab, self.programs, self.launcher, self.sandbox = lab, programs, launcher, sandbox
        self.scene = Scene()
        self.trouble: Trouble | None = None         # why a wait was hopeless
        self.troubled: StudentRun | None = None     # whose trouble it is
        self.plight = ""                            # and what that program does, for a reader
        self.scripts: list[Said] = []               # of the scene's peers
        self.chance = random.Random(seed)
        self.debugger: Debugger | None = None       # for one of the test's runs

    def run(self, field: bytes) -> StudentRun:
        number = int(field)
        if not 1 <= number <= len(self.scene.runs):
            raise BadRequest(f"there is no run {number}")
        return self.scene.runs[number - 1]

    def peer(self, field: bytes) -> Peer:
        number = int(field)
        if not 1 <= number <= len(self.scene.peers):
            raise BadRequest(f"there is no peer {number}")
        return self.scene.peers[number - 1]

    def unmet(self, kind: str, message: str, about: StudentRun | Peer | None = None,
               expected: bytes | None = None, actual: bytes | None = None, whole: bool = True) -> Unmet:
        run = self.scene.runs.index(about) if isinstance(about, StudentRun) else None
        peer = self.scene.peers.index(about) if isinstance(about, Peer) else None
        return Unmet(Failure(kind, message, run, peer, expected, actual, whole))

    def wait(self, condition: Callable[[], bool], awaited: str, about: StudentRun | Peer | None = None) -> None:
        """Waits; raises Unmet when the condition can't come to hold. awaited: "the end of your program"."""
        try:
            self.scene.wait(condition)
        except CannotHappen as hopeless:
            self.troubled = hopeless.run
            self.trouble = self.placed(hopeless.run, hopeless.trouble)
            run = hopeless.run or (about if isinstance(about, StudentRun) else None)
            why = CannotHappen(hopeless.run, self.trouble)
            missed, plight = words.hopeless(awaited, why, self.scene.runs, words.peers_wait(self.scene.peers), self.fate)
            placeless = self.trouble is not None and self.trouble.where is None      # as under valgrind
            self.plight = plight + (self.last_call(hopeless.run) if placeless or "() returned " in plight else "")
            raise self.unmet("wait", words.joined(missed, self.plight), run or about) from None

    # ---- where a program stands ---------------------------------------------------------------------

    def placed(self, run: StudentRun | None, trouble: Trouble | None) -> Trouble | None:
        """The trouble with the call and the line: from the recording, else from the program's stack."""
        if run is None or trouble is None:
            return trouble
        own = [call for call in run.recording.calls() if not call.given]
        waits = [call for call in own if call.ended is None]
        if trouble.kind == "busy":
            circle = own[-CIRCLE:]
            if len(own) < ENDLESS or len({call.site for call in circle}) > CIRCLE // 2:
                threads = sorted(kernel.threads(run.pid), key=lambda one: one.state != "R")
                return Trouble("busy", None, self.line_now(run, threads))
            resolved = [call.where for call in resolve(circle, run.program) if call.where is not None]
            first = min(resolved, key=lambda where: where.line, default=None)
            return Trouble("busy", None, first)
        locked = [thread for thread in kernel.threads(run.pid) if kernel.waits_for_lock(thread)]
        if locked and (where := self.line_now(run, locked)):
            return Trouble(trouble.kind, "pthread_mutex_lock", where)
        if waits:
            last = resolve(waits[-1:], run.program)[0]
            return Trouble(trouble.kind, last.name, last.where, (time.monotonic_ns() - last.began) / 1e9)
        return Trouble(trouble.kind, trouble.call, self.line_now(run, kernel.threads(run.pid)[::-1]) or self.childs_line(run))

    def last_call(self, run: StudentRun | None) -> str:
        """What it asked of the kernel last, for a reader; "" where nothing was recorded."""
        own = [call for call in run.recording.calls() if not call.given and call.name not in SILENT] if run else []
        return words.last_call(resolve(own[-1:], run.program)[0]) if run is not None and own else ""

    def fate(self, run: StudentRun) -> str:
        """How a program ended; where a signal struck it, with the line, and what is known if it is none of the student's:
        the kit's line, and which call of the student's was the last before it."""
        ended = run.poll()
        if ended is None:
            return "still runs"
        told, where = ended.words(run.errors()), self.struck_at(run)
        if where is not None or not ended.crashed:
            return told + words.at(where)
        return told + words.elsewhere(self.lines_struck(run), run.request.name, len(run.reported())) + self.last_call(run)

    def let_end(self) -> None:
        """Waits for programs that are ending right now: their connections are closed before anybody hears of the end."""
        for run in self.scene.live():
            if not kernel.descriptors(run.pid):
                kernel.readable([run.control.fileno()], scaled(ENDING_SECONDS))
                run.poll()

    def crash(self, failure: Failure) -> str:
        """How the program ended that the failure is about, or another of the test, if a signal ended it that it brought
        on itself; "" if none did."""
        about = [self.scene.runs[failure.run]] if failure.run is not None else []
        runs = [run for run in (*about, *reversed(self.scene.runs)) if run.ended is not None and run.ended.crashed]
        return f"your program {self.fate(runs[0])}" if runs else ""

    def check_alive(self, run: StudentRun) -> None:
        """Raises Unmet if the program has ended: then what the kernel told of it is nothing, and no number."""
        if not kernel.descriptors(run.pid):         # it has ended, or does so right now
            self.wait(lambda: run.poll() is not None, words.end_of(run), run)
        ended = run.poll()
        if ended is not None:
            raise self.unmet("wait", f"your program {self.fate(run)}{'' if ended.crashed else ', too early'}", run)

    def line_now(self, run: StudentRun, threads: Sequence[kernel.Thread], pid: int = 0) -> Location | None:
        """The first line of the student's file that one of these threads stands at. pid: of a child, if they are its."""
        if run.request.tool or not run.recording.base:
            return None                 # valgrind's own stack is none of the student's
        found = look_at([thread.tid for thread in threads if thread.state in ("R", *kernel.ASLEEP)], pid or run.pid)
        return line_of(found, run.recording.base, run.program, self.lab.file_name)

    def struck_at(self, run: StudentRun) -> Location | None:
        """The line where a signal ended the program: as the recorder saw it, in a call that never returned, or as
        valgrind tells."""
        ended = run.poll()
        if ended is None or ended.signal is None:
            return None
        findings = run.findings()
        where = next((line for line in self.lines_struck(run) if line.file == self.lab.file_name), None)
        waits = [call for call in run.recording.calls() if call.ended is None and not call.given]
        if where is None and waits:
            where = resolve(waits[-1:], run.program)[0].where
        seen = [one.where for one in findings.found if one.kind == "error" and one.where] if findings else []
        return where or (seen[-1] if seen else None)

    def childs_line(self, run: StudentRun) -> Location | None:
        """Where its children stand: while a child of vfork() runs, its parent can't be looked at."""
        children = [pid for pid in kernel.family(run.pid) if pid != run.pid]
        return next((where for pid in children if (where := self.line_now(run, kernel.threads(pid), pid))), None)

    def lines_struck(self, run: StudentRun) -> list[Location]:
        """The lines that were under way where a signal struck the program, the innermost first."""
        struck = run.recording.struck()
        return lines_of([struck], run.recording.base, run.program) if struck is not None else []

    def listener_of(self, run: StudentRun) -> tuple[str, int]:
        self.wait(lambda: bool(run.listeners()), "a listener in the kernel's table", run)
        found = run.listeners()
        if not found:
            raise self.unmet("wait", "your program's listener has gone", run)
        return found[0].local

    def count(self, run: StudentRun, group: str) -> int:
        names = calls_named(group)
        total = run.recording.total
        kept = run.recording.calls()
        found = sum(1 for call in kept if call.name in names and not call.given)
        return found + max(0, total - len(kept))        # beyond what is kept: the loop goes on

    def check_happy(self, peer: Peer) -> None:
        outcome = peer.outcome
        if not outcome.happy:
            raise self.unmet("peer", f"the peer {outcome.trouble or 'could not finish its script'}", peer)
