"""One test's side of the channel: answers what the suite asks until the test is over, and keeps the evidence.

What can be asked for is in grader/verbs/: a verb there is a request of grader/c/suite.h.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from . import channel, kernel
from .build import Programs
from .catalog import Lab
from .evidence import Evidence, Failure, Happening, Held, Look, PeerSeen, Queues, RunSeen, Trouble
from .faults import FaultError
from .peers import Peer
from .recording import resolve
from .run import CRASHES, StudentRun
from .sandbox import Sandbox
from .script import ScriptError
from .verbs.base import BadRequest, NotTried, Unmet
from .verbs.expectations import ExpectationVerbs
from .verbs.looks import LookVerbs
from .verbs.resources import ResourceVerbs
from .verbs.sockets import SocketVerbs

MOST_EVENTS, LAST_EVENTS = 4096, 64         # of a peer, kept as evidence
MOST_LOOKED_AT, MOST_LOOKS = 2, 1000        # connections of a peer, and looks that are kept
FIRST_LOOK_PAUSE, LONGEST_LOOK_PAUSE = 0.003, 0.1


class Session(ExpectationVerbs, LookVerbs, ResourceVerbs, SocketVerbs):
    """A test while it runs. `failure` and `trouble` say afterwards why it didn't pass."""

    def __init__(self, lab: Lab, stage: str, test: str, programs: Programs, launcher: Path,
                 sandbox: Sandbox, seed: int) -> None:
        super().__init__(lab, programs, launcher, sandbox, seed)
        self.stage, self.test = stage, test
        self.failure: Failure | None = None
        self.skipped = ""              # why it isn't tried: what this machine lacks
        self.looks: dict[int, list[Look]] = {}      # by the peer's place
        self.next_look, self.look_pause = 0.0, FIRST_LOOK_PAUSE     # a look mustn't slow down what it looks at
        if lab.queues:
            self.scene.look = self._look_at_times

    # ---- the conversation -------------------------------------------------------------------------

    def serve(self, sock: socket.socket) -> None:
        """Answers requests until the suite hangs up or the test fails. Raises on the grader's own failures."""
        while (fields := channel.receive(sock)) is not None:
            try:
                reply = self._answer(fields)
            except Unmet as unmet:
                self.failure = self._crash_first(unmet.failure)
                self._freeze()
                sock.sendall(channel.pack([b"fail"]))
                return
            except NotTried as reason:
                self.skipped = str(reason)
                sock.sendall(channel.pack([b"skip", str(reason).encode()]))
                return
            except (BadRequest, ScriptError, FaultError) as error:
                sock.sendall(channel.pack([b"error", str(error).encode()]))
                raise
            sock.sendall(channel.pack([b"ok", *reply]))
        for peer in self.scene.peers:       # a peer that broke can't have seen all that the test rests on
            peer.check()

    def _answer(self, fields: list[bytes]) -> list[bytes]:
        verb = fields[0].decode() if fields else ""
        method: Callable[[list[bytes]], object] | None = getattr(self, f"do_{verb}", None)
        if method is None:
            raise BadRequest(f"no such request: {verb!r}")
        answer = method(fields[1:])
        self._check_recorders()
        if answer is None:
            return []
        return [answer if isinstance(answer, bytes) else str(answer).encode()]

    def _check_recorders(self) -> None:
        """A test isn't passed by a program that kept the forced faults away. (One that undoes it isn't seen.)"""
        for run in self.scene.runs:
            if run.ended is not None and not run.recording.is_intact:
                raise self.unmet("result", "the program changed the recorder's memory, or kept the recorder out", run)

    def _crash_first(self, failure: Failure) -> Failure:
        """The failure, told as the crash where the program crashed: what the suite compared comes after that."""
        self.let_end()
        crash = self.crash(failure) if self.trouble is None else ""
        if not crash:
            return failure
        rest = failure.message.replace(crash, "")
        if self.plight:
            rest = rest.replace(self.plight, "")
        rest = rest.strip(" :,;")
        return replace(failure, message=crash + (f"; {rest}" if rest else ""))

    def _look_at_times(self) -> None:
        if time.monotonic() >= self.next_look:
            self._look()
            self.next_look = time.monotonic() + self.look_pause
            self.look_pause = min(2 * self.look_pause, LONGEST_LOOK_PAUSE)

    def _look(self) -> None:
        """Notes what the peers' first connections hold, where that has changed. Nothing is decided by it."""
        for index, peer in enumerate(self.scene.peers):
            kept = self.looks.setdefault(index, [])
            for number, (here, there) in list(peer.ends.items())[:MOST_LOOKED_AT]:
                now = Look(time.monotonic_ns(), number, _queues(here, there), _queues(there, here))
                last = next((look for look in reversed(kept) if look.connection == number), None)
                if len(kept) < MOST_LOOKS and (last is None or replace(last, time=now.time) != now):
                    kept.append(now)

    def _freeze(self) -> None:
        """Takes the evidence while everything is as it was."""
        if self.lab.queues:
            self._look()
        runs = tuple(self._seen_run(run) for run in self.scene.runs)
        peers = tuple(self._seen_peer(index) for index in range(len(self.scene.peers)))
        assert self.failure is not None
        self.evidence = Evidence(self.lab.id, self.stage, self.test, self.lab.file_name, self.failure, runs, peers,
                                 tuple(Held(port, state) for port, state in self.scene.held_ports), time.monotonic_ns())

    def _seen_run(self, run: StudentRun) -> RunSeen:
        ended, request = run.poll(), run.request
        program = run.programs.probe if request.function else run.programs.main
        findings = run.findings()
        calls = resolve(run.recording.calls(), program)
        return RunSeen(
            function=request.function, args=request.args, times=int(request.times or 1), faults=request.faults,
            input_kind=request.input_kind, input=request.input, tool=request.tool, nofile=request.nofile,
            status=ended.status if ended else None, signal=ended.signal if ended else None, running=ended is None,
            trouble=self.trouble if run is self.troubled else None,
            reported=tuple((call.result, call.errno) for call in run.reported()),
            texts=run.reported_texts(), numbers=run.reported_numbers(), descriptors=tuple(run.descriptors()),
            listening=tuple(f"{host}:{port}" for host, port in (found.local for found in run.listeners())),
            output=run.output()[:65536], errors=run.errors()[:65536], calls=calls, total_calls=run.recording.total,
            findings=findings.found if findings else (), threads=0 if ended else kernel.thread_count(run.pid),
            asleep=run.sleepers(), struck=self.struck_at(run),
            fate=self.fate(run) if ended and ended.signal is not None else "")

    def _seen_peer(self, index: int) -> PeerSeen:
        peer, said = self.scene.peers[index], self.scripts[index]
        outcome = peer.outcome
        first = outcome.connections[0] if outcome.connections else None
        return PeerSeen(
            script=said.script, role=said.role, address=f"{peer.address[0]}:{peer.address[1]}", port=peer.address[1],
            data=said.data, connections=len(outcome.connections), received=outcome.received,
            sent=first.sent if first else b"", ending=first.ending if first else "never", happy=outcome.happy,
            trouble=outcome.trouble, story=tuple(peer.story()), events=_happenings(peer),
            looks=tuple(self.looks.get(index, ())))


def _happenings(peer: Peer) -> tuple[Happening, ...]:
    """A peer's events with the addresses; of very many the first ones, and the last, which say how it ended."""
    events, ends = peer.events, peer.ends
    if len(events) > MOST_EVENTS + LAST_EVENTS:
        events = events[:MOST_EVENTS] + events[-LAST_EVENTS:]
    addresses = {number: (f"{here[0]}:{here[1]}", f"{there[0]}:{there[1]}") for number, (here, there) in ends.items()}
    found = []
    for event in events:
        local, remote = addresses.get(event.connection, (None, None))
        found.append(Happening(event.time_ns, event.connection, event.kind, event.data, event.size, local, remote, event.queues))
    return tuple(found)


def _queues(here: kernel.Address, there: kernel.Address) -> Queues | None:
    end = kernel.lookup(here, there)
    if end is None or end.flow is None:
        return None
    return Queues(end.flow.unsent, end.send_queue, end.receive_queue, 0, 0)


def status_of(failure: Failure, trouble: Trouble | None, runs: Sequence[RunSeen]) -> str:
    """ "failed", "crashed" or "timed_out"."""
    if trouble is not None:
        return "timed_out"
    return "crashed" if any(run.signal in CRASHES for run in runs) else "failed"
