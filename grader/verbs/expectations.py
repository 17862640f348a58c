"""What a suite expects. Each ends the test if it isn't met."""

from __future__ import annotations

import errno as errnos

from .. import words
from ..peers import Peer
from ..text import quote
from .base import BadRequest, Unmet
from .peers import PeerVerbs
from .runs import RunVerbs

BEHIND = 1 << 16                    # bytes kept of those that came behind all that was due


class ExpectationVerbs(PeerVerbs, RunVerbs):
    """Promises, and what was seen instead."""

    def do_expect_exit(self, fields: list[bytes]) -> None:
        run, status = self.run(fields[0]), int(fields[1])
        self.do_wait_exit(fields)
        ended = run.poll()
        if ended is not None and ended.status != status:
            raise self.unmet("exit", f"your program {ended.words()}, not with {status}"
                              if ended.signal is None else f"your program {self.fate(run)}", run)

    def do_expect_result(self, fields: list[bytes]) -> None:
        run, wanted = self.run(fields[0]), int(fields[1])
        result, errno = self.reported(run, 0)
        if result != wanted:
            raise self.unmet("result", f"{run.request.name} returned {words.result(result, errno)}, not {wanted}", run)

    def do_expect_error(self, fields: list[bytes]) -> None:
        run, allowed = self.run(fields[0]), [int(field) for field in fields[1:]]
        result, errno = self.reported(run, 0)
        promised = " or ".join(errnos.errorcode.get(number, str(number)) for number in allowed)
        if result != -1 or errno not in allowed:
            raise self.unmet("error", f"{run.request.name} returned {words.result(result, errno)}, "
                              f"not -1 with {promised}", run)

    def do_expect_received(self, fields: list[bytes]) -> None:
        peer, expected = self.peer(fields[0]), fields[1]
        try:
            self.wait(lambda: peer.finished, "the end of the conversation", peer)
        except Unmet as unmet:
            raise self._differs(peer, expected, self.plight if self.trouble else "") or unmet from None
        differs = self._differs(peer, expected)
        if differs:
            raise differs
        self.check_happy(peer)

    def _differs(self, peer: Peer, expected: bytes, plight: str = "") -> Unmet | None:
        actual = peer.outcome.received
        if actual == expected:
            return None
        message = words.joined(words.difference("the peer received", actual, expected), plight)
        return self.unmet("received", message, peer, expected, actual[:len(expected) + BEHIND])

    def do_expect_happy(self, fields: list[bytes]) -> None:
        peer = self.peer(fields[0])
        self.wait(lambda: peer.finished, "the end of the conversation", peer)
        self.check_happy(peer)

    def do_expect_nothing_sent(self, fields: list[bytes]) -> None:
        peer = self.peer(fields[0])
        self.wait(lambda: bool(peer.outcome.connections) or peer.at_rest(), "an end of what is under way", peer)
        if peer.outcome.connections:
            raise self.unmet("peer", "your program connected, though it had nothing to connect to", peer)

    def do_expect_output(self, fields: list[bytes]) -> None:
        run, expected = self.run(fields[0]), fields[1]
        actual = run.output()
        if actual != expected:
            raise self.unmet("output", words.difference("your program printed", actual, expected), run, expected, actual)

    def do_expect_output_contains(self, fields: list[bytes]) -> None:
        run, text = self.run(fields[0]), fields[1]
        if text not in run.output():
            raise self.unmet("output", f"{quote(text)} isn't in what your program printed: "
                              f"{quote(run.output())}", run, text, run.output(), whole=False)

    def do_expect_line(self, fields: list[bytes]) -> None:
        run, line = self.run(fields[0]), fields[1]
        if line not in run.output().replace(b"\r", b"").split(b"\n"):
            raise self.unmet("output", f"the line {quote(line)} isn't in what your program printed: "
                              f"{words.lines(run.output())}", run, line, run.output(), whole=False)

    def do_expect_errors_contain(self, fields: list[bytes]) -> None:
        run, text = self.run(fields[0]), fields[1]
        if text not in run.errors():
            raise self.unmet("output", f"{quote(text)} isn't in what your program wrote to standard error: "
                              f"{quote(run.errors())}", run, text, run.errors(), whole=False)

    def do_expect_clean_memory(self, fields: list[bytes]) -> None:
        run = self.run(fields[0])
        self.do_wait_exit(fields)
        findings = run.findings()
        if findings is None:
            raise BadRequest("expect_clean_memory needs a run with .under = MEMCHECK")
        if findings.found:
            raise self.unmet("memory", words.finding(findings.found[0], len(findings.found)), run)
        if not findings.complete:
            raise self.unmet("exit", f"your program {self.fate(run)}", run)

    def do_expect_same(self, fields: list[bytes]) -> None:
        run, what, actual, expected = self.run(fields[0]), fields[1].decode(), fields[2], fields[3]
        if actual != expected:
            raise self.unmet("same", words.mismatch(what, actual, expected), run, expected, actual)

    def do_fail(self, fields: list[bytes]) -> None:
        about = self.scene.runs[-1] if self.scene.runs else None
        raise self.unmet("said", fields[0].decode(errors="replace"), about)
