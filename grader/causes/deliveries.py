"""What lab 2's functions should have given, worked out from what the peer sent, and what they gave instead.

Each call of a function has its recorded receives. From those and from the peer's bytes follows what the
contract promises for it; finders look at how the first wrong answer differs from that.
"""

from __future__ import annotations

import errno
import random
from dataclasses import dataclass, replace

from ..evidence import Call, Evidence, PeerSeen, RunSeen
from ..script import Send, parse
from .base import RECVS, Sure, at, is_own

LAB = "lab2"
HEADER = 4
FUNCTIONS = ("recv_some", "recv_exactly", "recv_line", "recv_message", "client_ask")
FLAGS, MSG_PEEK, MSG_WAITALL = 3, 2, 0x100
PASSES = (errno.EINTR, errno.EAGAIN)        # no failure of the connection


@dataclass(frozen=True)
class Answer:
    """What one call gave, or should have given."""

    result: int
    errno: int                      # of -1
    data: bytes                     # stored, as far as the result says so


@dataclass(frozen=True)
class Delivery:
    """One call of a function: its receives, what was due and what came of it."""

    number: int                     # from 1
    function: str
    room: int                       # cap or len
    stream: bytes                   # what the peer had sent, from where this call began
    recvs: tuple[Call, ...]         # without those that only look
    peeks: tuple[Call, ...]
    due: Answer | None              # None: the evidence doesn't say
    got: Answer | None              # None: it never returned

    @property
    def last(self) -> Call | None:
        return self.recvs[-1] if self.recvs else None

    @property
    def taken(self) -> int:
        """How many bytes its receives took."""
        return sum(max(call.result or 0, 0) for call in self.recvs)

    @property
    def failure(self) -> Call | None:
        """Its last receive, if that failed for good."""
        last = self.last
        return last if last is not None and last.result == -1 and last.errno not in PASSES else None

    @property
    def at_end(self) -> bool:
        """Its last receive saw the end of the stream."""
        return self.last is not None and self.last.result == 0 and bool(self.last.size)

    @property
    def wrong(self) -> bool:
        return self.due is not None and self.due != self.got


def seen_at(call: Call, function: str) -> Sure:
    """Sure, at this call's line. Where the call stands in another of the functions, which this one uses, at the line
    that uses it: the other did its part, and the mistake is in what was made of its answer."""
    if call.inside not in FUNCTIONS or call.inside == function:
        return at(call)
    return Sure(next((frame.where for frame in call.via if frame.inside == function), None))


def peeks(call: Call) -> bool:
    """It looks and takes nothing."""
    return call.name in ("recv", "recvfrom") and bool(call.args[FLAGS] & MSG_PEEK)


def groups(evidence: Evidence, run: RunSeen) -> list[list[Call]]:
    """The student's receives, call for call of the function: the probe's report "call …" ends one."""
    found: list[list[Call]] = [[]]
    for call in run.calls:
        if call.given and call.name == "write" and call.data.startswith(b"call "):
            found.append([])
        elif not call.given and call.name in RECVS and call.socket and is_own(evidence, call):
            found[-1].append(call)
    return found


def request(run: RunSeen) -> bytes:
    """What client_ask() was to send."""
    words = [arg for arg in run.args if not arg.startswith("--")]
    return words[2].encode() if len(words) > 2 else run.input


def given(run: RunSeen) -> list[Answer]:
    """What the calls gave, as reported."""
    texts = dict(run.texts)
    answers = []
    for number, (result, error) in enumerate(run.reported, 1):
        data = texts.get(f"data{number}", b"")
        if run.function == "recv_message" and result != 1:
            data = b""
        answers.append(Answer(result, error if result == -1 else 0, data if result != -1 else b""))
    return answers


def the_peer(evidence: Evidence) -> PeerSeen | None:
    """The run's own peer, by the port among its arguments."""
    run = evidence.run
    return next((peer for peer in evidence.peers if run is not None and str(peer.port) in run.args), None)


def whole_stream(peer: PeerSeen) -> bytes:
    """All that the peer was to send on one connection: it may have been left before it had sent it."""
    data = [one for statement in parse(peer.script, peer.data, random.Random(0)).body if isinstance(statement, Send)
            for one in statement.data]
    whole = b"".join(one for one in data if isinstance(one, bytes))
    return whole if whole.startswith(peer.sent) else peer.sent


def deliveries(evidence: Evidence) -> list[Delivery]:
    """All calls of the run's function, in order. Of client_ask() only the first conversation is known."""
    run, peer = evidence.run, the_peer(evidence)
    if run is None or peer is None or not run.function:
        return []
    found, left = list[Delivery](), whole_stream(peer)
    for number, (calls, got) in enumerate(zip(groups(evidence, run), [*given(run), None]), 1):
        if number > run.times:
            break
        one = _delivery(number, run, left, calls, got)
        due, used = _due(one, peer)
        found.append(replace(one, due=due))
        left = left[used:]
    return found


def _delivery(number: int, run: RunSeen, stream: bytes, calls: list[Call], got: Answer | None) -> Delivery:
    room = int(run.args[-1]) if run.function != "client_ask" and run.args[-1:] and run.args[-1].isdigit() else 0
    takes = tuple(call for call in calls if not peeks(call))
    looks = tuple(call for call in calls if peeks(call))
    return Delivery(number, run.function, room, stream, takes, looks, None, got)


# ---- what the contract promises ---------------------------------------------------------------------

def _due(one: Delivery, peer: PeerSeen) -> tuple[Answer | None, int]:
    """The right answer, and how many bytes it takes off the stream."""
    if one.failure is not None:
        return Answer(-1, one.failure.errno, b""), 0
    rules = {"recv_some": _some, "recv_exactly": _exactly, "recv_line": _line, "recv_message": _message, "client_ask": _ask}
    rule = rules.get(one.function)
    return rule(one, "reset" in peer.script) if rule is not None else (None, 0)


def _some(one: Delivery, resets: bool) -> tuple[Answer | None, int]:
    """How much one delivery is only its recv() knows."""
    came = next((call.result for call in one.recvs if (call.result or 0) > 0), None)
    if came is None:
        return (Answer(0, 0, b""), 0) if one.at_end else (None, 0)
    came = min(came, one.room)
    return Answer(came, 0, one.stream[:came]), came


def _exactly(one: Delivery, resets: bool) -> tuple[Answer | None, int]:
    data = one.stream[:one.room]
    if len(data) < one.room and resets:
        return None, 0
    return Answer(len(data), 0, data), len(data)


def _line(one: Delivery, resets: bool) -> tuple[Answer | None, int]:
    line = one.stream[:one.stream.find(b"\n") + 1] or one.stream
    if len(line) > one.room - 1 or (len(line) == one.room - 1 and not line.endswith(b"\n")):
        return Answer(-1, errno.EMSGSIZE, b""), 0
    if not line.endswith(b"\n") and resets:
        return None, 0
    return Answer(len(line), 0, line), len(line)


def _message(one: Delivery, resets: bool) -> tuple[Answer | None, int]:
    if not one.stream and not resets:
        return Answer(0, 0, b""), 0
    length = announced(one)
    if length is not None and length > one.room:
        return Answer(-1, errno.EMSGSIZE, b""), 0
    if length is None or len(one.stream) < HEADER + length:
        return (None, 0) if resets else (Answer(-1, errno.EPROTO, b""), 0)
    return Answer(1, 0, one.stream[HEADER:HEADER + length]), HEADER + length


def _ask(one: Delivery, resets: bool) -> tuple[Answer | None, int]:
    return (None if resets or one.number > 1 else Answer(0, 0, one.stream)), 0


def announced(one: Delivery) -> int | None:
    """The length in the header, as it is meant."""
    return int.from_bytes(one.stream[:HEADER], "big") if len(one.stream) >= HEADER else None
