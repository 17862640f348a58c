"""One test's side of the channel: does what the suite asks for, and checks what it expects.

Each request of suite.h is one method here, called do_VERB. A method returns the reply's fields; an
expectation that isn't met raises Unmet, and the test is over.
"""

from __future__ import annotations

import errno as errnos
import random
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import channel, kernel, valgrind, words
from .build import Programs
from .catalog import Lab
from .evidence import Call, Evidence, Failure, PeerSeen, RunSeen, Trouble
from .faults import FaultError, calls_named
from .peers import Peer
from .recording import resolve
from .run import Request, StudentRun, start
from .sandbox import Sandbox
from .scene import CannotHappen, Scene
from .text import count, quote
from .script import Crowd, Script, ScriptError, parse

LOWEST_FREE, HIGHEST_FREE = 10000, 30000    # below Linux's range of automatic ports
SPIN_CALLS, SPIN_SECONDS = 3, 0.3
PAUSE_NS = 9_000_000                # shorter than any pause that a contract allows


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


class Session:
    """A test while it runs. `failure` and `trouble` say afterwards why it didn't pass."""

    def __init__(self, lab: Lab, stage: str, test: str, programs: Programs, launcher: Path,
                 sandbox: Sandbox, seed: int) -> None:
        self.lab, self.stage, self.test = lab, stage, test
        self.scene = Scene()
        self.failure: Failure | None = None
        self.trouble: Trouble | None = None
        self.skipped = False
        self._troubled: StudentRun | None = None
        self._programs, self._launcher, self._sandbox = programs, launcher, sandbox
        self._chance = random.Random(seed)
        self._scripts: list[Said] = []

    # ---- the conversation -------------------------------------------------------------------------

    def serve(self, sock: socket.socket) -> None:
        """Answers requests until the suite hangs up or the test fails. Raises on the grader's own failures."""
        while (fields := channel.receive(sock)) is not None:
            try:
                reply = self._answer(fields)
            except Unmet as unmet:
                self.failure = unmet.failure
                self._freeze()
                sock.sendall(channel.pack([b"fail"]))
                return
            except NotTried as reason:
                self.skipped = True
                sock.sendall(channel.pack([b"skip", str(reason).encode()]))
                return
            except (BadRequest, ScriptError, FaultError) as error:
                sock.sendall(channel.pack([b"error", str(error).encode()]))
                raise
            sock.sendall(channel.pack([b"ok", *reply]))

    def _answer(self, fields: list[bytes]) -> list[bytes]:
        verb = fields[0].decode() if fields else ""
        method: Callable[[list[bytes]], object] | None = getattr(self, f"do_{verb}", None)
        if method is None:
            raise BadRequest(f"no such request: {verb!r}")
        answer = method(fields[1:])
        if answer is None:
            return []
        return [answer if isinstance(answer, bytes) else str(answer).encode()]

    def _freeze(self) -> None:
        """Takes the evidence while everything is as it was."""
        runs = tuple(self._seen_run(run) for run in self.scene.runs)
        peers = tuple(self._seen_peer(index) for index in range(len(self.scene.peers)))
        assert self.failure is not None
        self.evidence = Evidence(self.lab.id, self.stage, self.test, self.lab.file_name, self.failure, runs, peers)

    def _seen_run(self, run: StudentRun) -> RunSeen:
        ended, request = run.poll(), run.request
        program = self._programs.probe if request.function else self._programs.main
        findings = run.findings()
        calls = resolve(run.recording.calls(), program)
        trouble = self.trouble if run is self._troubled else None
        if trouble is not None:
            open_calls = [call for call in calls if call.ended is None and not call.given]
            last = open_calls[-1] if open_calls else None
            trouble = Trouble(trouble.kind, last.name if last else trouble.call, last.where if last else None)
        return RunSeen(
            function=request.function, args=request.args, times=int(request.times or 1), faults=request.faults,
            input_kind=request.input_kind, input=request.input, tool=request.tool, nofile=request.nofile,
            status=ended.status if ended else None, signal=ended.signal if ended else None, running=ended is None,
            trouble=trouble, reported=tuple((call.result, call.errno) for call in run.reported()),
            texts=run.reported_texts(), numbers=run.reported_numbers(), descriptors=tuple(run.descriptors()),
            listening=tuple(f"{host}:{port}" for host, port in (found.local for found in run.listeners())),
            output=run.output()[:65536], errors=run.errors()[:65536], calls=calls, total_calls=run.recording.total,
            findings=findings.found if findings else ())

    def _seen_peer(self, index: int) -> PeerSeen:
        peer, said = self.scene.peers[index], self._scripts[index]
        outcome = peer.outcome
        first = outcome.connections[0] if outcome.connections else None
        return PeerSeen(
            script=said.script, role=said.role, address=f"{peer.address[0]}:{peer.address[1]}", port=peer.address[1],
            data=said.data, connections=len(outcome.connections), received=outcome.received,
            sent=first.sent if first else b"", ending=first.ending if first else "never", happy=outcome.happy,
            trouble=outcome.trouble, story=tuple(peer.story()))

    # ---- finding things ---------------------------------------------------------------------------

    def _run(self, field: bytes) -> StudentRun:
        number = int(field)
        if not 1 <= number <= len(self.scene.runs):
            raise BadRequest(f"there is no run {number}")
        return self.scene.runs[number - 1]

    def _peer(self, field: bytes) -> Peer:
        number = int(field)
        if not 1 <= number <= len(self.scene.peers):
            raise BadRequest(f"there is no peer {number}")
        return self.scene.peers[number - 1]

    def _unmet(self, kind: str, message: str, about: StudentRun | Peer | None = None,
               expected: bytes | None = None, actual: bytes | None = None) -> Unmet:
        run = self.scene.runs.index(about) if isinstance(about, StudentRun) else None
        peer = self.scene.peers.index(about) if isinstance(about, Peer) else None
        return Unmet(Failure(kind, message, run, peer, expected, actual))

    def _wait(self, condition: Callable[[], bool], awaited: str, about: StudentRun | Peer | None = None) -> None:
        """Waits; raises Unmet when the condition can't come to hold. awaited: "the end of your program"."""
        try:
            self.scene.wait(condition)
        except CannotHappen as hopeless:
            self.trouble, self._troubled = hopeless.trouble, hopeless.run
            run = hopeless.run or (about if isinstance(about, StudentRun) else None)
            raise self._unmet("wait", words.hopeless(awaited, hopeless, self.scene.runs, len(self.scene.peers)),
                              run or about) from None

    # ---- peers ------------------------------------------------------------------------------------

    def do_peer_listens(self, fields: list[bytes]) -> int:
        script, at, port, data = fields[1].decode(), fields[2].decode(), fields[3].decode(), tuple(fields[5:9])
        parsed = parse(script, data, self._chance)
        return self._add_peer(Peer.listening(parsed, at or "127.0.0.1", int(port or 0)), "listens", parsed, data)

    def do_peer_connects(self, fields: list[bytes]) -> int:
        run, script, at, to = self._run(fields[0]), fields[1].decode(), fields[2].decode(), fields[4].decode()
        data = tuple(fields[5:9])
        host, port = self._listener_of(run)
        target = (to or ("127.0.0.1" if host == "0.0.0.0" else host), port)
        parsed = parse(script, data, self._chance)
        return self._add_peer(Peer.connecting(parsed, target, at or None), "connects", parsed, data)

    def _add_peer(self, peer: Peer, role: str, script: Script, data: tuple[bytes, ...]) -> int:
        self.scene.peers.append(peer)
        at_once = script.connections if script.crowd is Crowd.TOGETHER else 1
        self._scripts.append(Said(role, script.text, data, at_once))
        peer.start()
        return len(self.scene.peers)

    def _listener_of(self, run: StudentRun) -> tuple[str, int]:
        self._wait(lambda: bool(run.listeners()), "a listener in the kernel's table", run)
        found = run.listeners()
        if not found:
            raise self._unmet("wait", "your program's listener has gone", run)
        return found[0].local

    def do_port_of(self, fields: list[bytes]) -> int:
        return self._peer(fields[0]).address[1]

    def do_address_of(self, fields: list[bytes]) -> str:
        peer = self._peer(fields[0])
        self._wait(lambda: bool(peer.outcome.connections), "a connection", peer)
        host, port = peer.outcome.connections[0].local
        return f"{host}:{port}"

    def do_free_port(self, fields: list[bytes]) -> int:
        for _ in range(1000):
            port = self._chance.randint(LOWEST_FREE, HIGHEST_FREE)
            with socket.socket() as trial:
                try:
                    trial.bind(("0.0.0.0", port))
                except OSError:
                    continue
                return port
        raise BadRequest("no free port was found")

    def do_go(self, fields: list[bytes]) -> None:
        self._peer(fields[0]).go()

    def do_wait_done(self, fields: list[bytes]) -> None:
        peer = self._peer(fields[0])
        self._wait(lambda: peer.finished, "the end of the conversation", peer)

    def do_wait_connected(self, fields: list[bytes]) -> None:
        peer = self._peer(fields[0])
        wanted = self._scripts[self.scene.peers.index(peer)].at_once
        def stand() -> bool:
            return sum(event.kind in ("accepted", "connected") for event in peer.events) >= wanted

        self._wait(lambda: stand() or peer.finished, "a connection" if wanted == 1 else f"connection {wanted}", peer)
        if not stand():
            self._check_happy(peer)

    def do_wait_received(self, fields: list[bytes]) -> None:
        peer, n = self._peer(fields[0]), int(fields[1])
        self._wait(lambda: len(peer.outcome.received) >= n, f"{count(n, 'byte')} for the peer", peer)

    def do_peer_waits(self, fields: list[bytes]) -> int:
        return int(self._peer(fields[0]).at_rest())

    def do_received_by(self, fields: list[bytes]) -> bytes:
        return self._peer(fields[0]).outcome.received

    # ---- runs -------------------------------------------------------------------------------------

    def do_run(self, fields: list[bytes]) -> int:
        head = [field.decode() for field in fields[:4]]
        request = Request(function=head[0], times=head[1], stay=bool(head[2]), input_kind=head[3], input=fields[4],
                          faults=fields[5].decode(), tool=fields[6].decode(), nofile=int(fields[7]),
                          args=tuple(field.decode() for field in fields[8:]))
        if request.tool and not valgrind.is_installed():
            raise NotTried("valgrind isn't installed")
        run = start(len(self.scene.runs) + 1, request, self._programs, self._launcher, self._sandbox,
                         self.lab.limits, self._chance.getrandbits(32))
        self.scene.runs.append(run)
        return run.number

    def do_wait_exit(self, fields: list[bytes]) -> None:
        run = self._run(fields[0])
        self._wait(lambda: run.poll() is not None, words.end_of(run), run)

    def do_wait_calls(self, fields: list[bytes]) -> None:
        run, n = self._run(fields[0]), int(fields[1])
        self._wait(lambda: len(run.reported()) >= n, words.return_of(run), run)

    def do_wait_blocked(self, fields: list[bytes]) -> None:
        run, call = self._run(fields[0]), fields[1].decode()
        self._wait(lambda: run.sleeps_in(call), f"a wait in {call}()", run)

    def do_wait_listening(self, fields: list[bytes]) -> None:
        self._listener_of(self._run(fields[0]))

    def do_wait_output(self, fields: list[bytes]) -> None:
        run, text = self._run(fields[0]), fields[1]
        self._wait(lambda: text in run.output(), f"the output {quote(text)}", run)

    def do_wait_recorded(self, fields: list[bytes]) -> None:
        run, group, n = self._run(fields[0]), fields[1].decode(), int(fields[2])
        self._wait(lambda: self._count(run, group) >= n, f"call {n} of {group}()", run)

    def do_type_text(self, fields: list[bytes]) -> None:
        self._run(fields[0]).type_text(fields[1])

    def do_finish(self, fields: list[bytes]) -> None:
        self._run(fields[0]).end_input()
        self.do_wait_exit(fields)

    def do_release(self, fields: list[bytes]) -> None:
        self._run(fields[0]).recording.release()

    def do_raise_nofile(self, fields: list[bytes]) -> None:
        self._run(fields[0]).raise_nofile(int(fields[1]))

    def do_stop(self, fields: list[bytes]) -> None:
        self._run(fields[0]).stop()

    # ---- the kernel's view ------------------------------------------------------------------------

    def do_descriptors_of(self, fields: list[bytes]) -> int:
        return len(self._run(fields[0]).descriptors())

    def do_is_open(self, fields: list[bytes]) -> int:
        return int(int(fields[1]) in self._run(fields[0]).descriptors())

    def do_listener_address(self, fields: list[bytes]) -> str:
        found = self._run(fields[0]).listeners()
        return f"{found[0].local[0]}:{found[0].local[1]}" if found else ""

    def do_listener_port(self, fields: list[bytes]) -> int:
        found = self._run(fields[0]).listeners()
        return found[0].local[1] if found else 0

    def do_listener_backlog(self, fields: list[bytes]) -> int:
        found = self._run(fields[0]).listeners()
        return found[0].send_queue if found else -1

    def do_listener_waiting(self, fields: list[bytes]) -> int:
        found = self._run(fields[0]).listeners()
        return found[0].receive_queue if found else -1

    def _count(self, run: StudentRun, group: str) -> int:
        names = calls_named(group)
        total = run.recording.total
        kept = run.recording.calls()
        found = sum(1 for call in kept if call.name in names and not call.given)
        return found + max(0, total - len(kept))        # beyond what is kept: the loop goes on

    def do_count_calls(self, fields: list[bytes]) -> int:
        return self._count(self._run(fields[0]), fields[1].decode())

    def do_count_failed(self, fields: list[bytes]) -> int:
        run, names = self._run(fields[0]), calls_named(fields[1].decode())
        return sum(1 for call in run.recording.calls() if call.name in names and not call.given and not call.faulted
                   and call.result == -1 and call.fd != -1)

    def do_spins(self, fields: list[bytes]) -> int:
        """Whether it repeats a call that failed almost at once. Looked at until it has paused twice, or for a
        moment. A pause never ends early, so a busy machine can't make a waiter look like a spinner."""
        run, names, since = self._run(fields[0]), calls_named(fields[1].decode()), time.monotonic()
        pauses: dict[object, float] = {}            # a sleep, and when it was first seen
        while (now := time.monotonic()) - since < SPIN_SECONDS and run.poll() is None:
            calls = [call for call in run.recording.calls() if call.name in names and not call.given]
            if sum(_at_once(call, following) for call, following in zip(calls, calls[1:])) >= SPIN_CALLS:
                return 1
            threads = kernel.threads(run.pid)
            if threads and all(thread.state == "S" for thread in threads):
                pauses.setdefault(tuple((thread.tid, thread.switches) for thread in threads), now)
                if len(pauses) > 1 and now - max(pauses.values()) > 2 * PAUSE_NS / 1e9:
                    return 0
            time.sleep(0.004)
        return 0

    # ---- the program's report and output ----------------------------------------------------------

    def _reported(self, run: StudentRun, n: int) -> tuple[int, int]:
        """The nth reported call, 0 for the last; raises Unmet when it never returned."""
        found = run.reported()
        if len(found) >= max(n, 1):
            call = found[n - 1]
            return call.result, call.errno
        ended = run.poll()
        if ended is not None and ended.status == 2 and run.errors().startswith(b"probe: "):
            raise BadRequest(f"the probe refused its arguments: {run.errors().decode(errors='replace')}")
        how = ended.words if ended else "still runs"
        raise self._unmet("result", f"{run.request.name} never returned: the program {how}", run)

    def do_result_of(self, fields: list[bytes]) -> int:
        return self._reported(self._run(fields[0]), int(fields[1]))[0]

    def do_errno_of(self, fields: list[bytes]) -> int:
        return self._reported(self._run(fields[0]), int(fields[1]))[1]

    def do_bytes_reported(self, fields: list[bytes]) -> bytes | None:
        return self._run(fields[0]).reported_bytes(fields[1].decode())

    def do_number_of(self, fields: list[bytes]) -> int:
        number = self._run(fields[0]).reported_number(fields[1].decode())
        return -1 if number is None else number

    def do_output_of(self, fields: list[bytes]) -> bytes:
        return self._run(fields[0]).output()

    def do_errors_of(self, fields: list[bytes]) -> bytes:
        return self._run(fields[0]).errors()

    # ---- expectations -----------------------------------------------------------------------------

    def do_expect_exit(self, fields: list[bytes]) -> None:
        run, status = self._run(fields[0]), int(fields[1])
        self.do_wait_exit(fields)
        ended = run.poll()
        if ended is not None and ended.status != status:
            raise self._unmet("exit", f"your program {ended.words}, not with {status}"
                              if ended.signal is None else f"your program {ended.words}", run)

    def do_expect_result(self, fields: list[bytes]) -> None:
        run, wanted = self._run(fields[0]), int(fields[1])
        result, errno = self._reported(run, 0)
        if result != wanted:
            raise self._unmet("result", f"{run.request.name} returned {words.result(result, errno)}, not {wanted}", run)

    def do_expect_error(self, fields: list[bytes]) -> None:
        run, allowed = self._run(fields[0]), [int(field) for field in fields[1:]]
        result, errno = self._reported(run, 0)
        promised = " or ".join(errnos.errorcode.get(number, str(number)) for number in allowed)
        if result != -1 or errno not in allowed:
            raise self._unmet("error", f"{run.request.name} returned {words.result(result, errno)}, "
                              f"not -1 with {promised}", run)

    def do_expect_received(self, fields: list[bytes]) -> None:
        peer, expected = self._peer(fields[0]), fields[1]
        try:
            self._wait(lambda: peer.finished, "the end of the conversation", peer)
        except Unmet as unmet:
            raise self._differs(peer, expected) or unmet from None
        differs = self._differs(peer, expected)
        if differs:
            raise differs
        self._check_happy(peer)

    def _differs(self, peer: Peer, expected: bytes) -> Unmet | None:
        actual = peer.outcome.received
        if actual == expected:
            return None
        message = words.difference("the peer received", actual, expected)
        return self._unmet("received", message, peer, expected, actual)

    def do_expect_happy(self, fields: list[bytes]) -> None:
        peer = self._peer(fields[0])
        self._wait(lambda: peer.finished, "the end of the conversation", peer)
        self._check_happy(peer)

    def _check_happy(self, peer: Peer) -> None:
        outcome = peer.outcome
        if not outcome.happy:
            raise self._unmet("peer", f"the peer {outcome.trouble or 'could not finish its script'}", peer)

    def do_expect_nothing_sent(self, fields: list[bytes]) -> None:
        peer = self._peer(fields[0])
        if peer.outcome.connections:
            raise self._unmet("peer", "your program connected, though it had nothing to connect to", peer)

    def do_expect_output(self, fields: list[bytes]) -> None:
        run, expected = self._run(fields[0]), fields[1]
        actual = run.output()
        if actual != expected:
            raise self._unmet("output", words.difference("your program printed", actual, expected), run, expected, actual)

    def do_expect_output_contains(self, fields: list[bytes]) -> None:
        run, text = self._run(fields[0]), fields[1]
        if text not in run.output():
            raise self._unmet("output", f"{quote(text)} isn't in what your program printed: "
                              f"{quote(run.output())}", run, text, run.output())

    def do_expect_line(self, fields: list[bytes]) -> None:
        run, line = self._run(fields[0]), fields[1]
        if line not in run.output().replace(b"\r", b"").split(b"\n"):
            raise self._unmet("output", f"the line {quote(line)} isn't in what your program printed: "
                              f"{words.lines(run.output())}", run, line, run.output())

    def do_expect_errors_contain(self, fields: list[bytes]) -> None:
        run, text = self._run(fields[0]), fields[1]
        if text not in run.errors():
            raise self._unmet("output", f"{quote(text)} isn't in what your program wrote to standard error: "
                              f"{quote(run.errors())}", run, text, run.errors())

    def do_expect_clean_memory(self, fields: list[bytes]) -> None:
        run = self._run(fields[0])
        self.do_wait_exit(fields)
        findings = run.findings()
        if findings is None:
            raise BadRequest("expect_clean_memory needs a run with .under = MEMCHECK")
        if findings.found:
            raise self._unmet("memory", words.finding(findings.found[0], len(findings.found)), run)
        if not findings.complete:
            ended = run.poll()
            raise self._unmet("exit", f"your program {ended.words if ended else 'still runs'}", run)

    def do_expect_same(self, fields: list[bytes]) -> None:
        run, what, actual, expected = self._run(fields[0]), fields[1].decode(), fields[2], fields[3]
        if actual != expected:
            raise self._unmet("same", words.mismatch(what, actual, expected), run, expected, actual)

    def do_fail(self, fields: list[bytes]) -> None:
        about = self.scene.runs[-1] if self.scene.runs else None
        raise self._unmet("said", fields[0].decode(errors="replace"), about)


def _at_once(call: Call, following: Call) -> bool:
    """The same call again, after a failure and without a pause."""
    return call.result == -1 and call.ended is not None and following.began - call.ended < PAUSE_NS


def status_of(failure: Failure, trouble: Trouble | None, runs: Sequence[RunSeen]) -> str:
    """ "failed", "crashed" or "timed_out"."""
    if trouble is not None:
        return "timed_out"
    crashes = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGPIPE,
               signal.SIGXFSZ, signal.SIGTRAP, signal.SIGSYS}
    return "crashed" if any(run.signal in crashes for run in runs) else "failed"
