"""What all verbs share: the test's scene, and the ways to find, to wait and to fail."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .. import words
from ..build import Programs
from ..catalog import Lab
from ..debugger import Debugger
from ..evidence import Failure, Trouble
from ..faults import calls_named
from ..peers import Peer
from ..run import StudentRun
from ..sandbox import Sandbox
from ..scene import CannotHappen, Scene


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
            self.trouble, self.troubled = hopeless.trouble, hopeless.run
            run = hopeless.run or (about if isinstance(about, StudentRun) else None)
            raise self.unmet("wait", words.hopeless(awaited, hopeless, self.scene.runs, len(self.scene.peers)),
                              run or about) from None

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
