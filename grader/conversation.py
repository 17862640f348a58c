"""One connection of a peer: carries out a script's statements, and remembers what went over the wire.

A conversation is a generator. It works without ever sleeping and yields a Wait for each thing that it
must sleep for; the engine in peers.py goes on with it once that has come true.
"""

from __future__ import annotations

import array
import fcntl
import random
import select
import socket
import struct
import termios
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

from . import kernel
from .evidence import Queues
from .kernel import Address, State
from .script import (
    Accept, Close, Closing, Data, Echo, Expect, ExpectClosing, GoDeaf, HalfClose, Pacing, Random, ReceiveBytes,
    ReceiveLine, ReceiveToEnd, Reset, Same, Script, Send, Statement, Stay, WaitForGo, WaitUntilRead,
)  # fmt: skip
from .text import count, quote

CHUNK = 256 * 1024
SLOW_CHUNK = 2048
KEPT_BYTES = 2 << 20  # of what one connection receives; beyond that bytes are only counted
EVENT_BYTES = 64
MOST_EVENTS = 8_000
SMALL_BUFFER = 4096
_SIOCOUTQNSD = 0x894B  # linux/sockios.h: what has not been sent
_ORPHANS = (State.FIN_WAIT1, State.FIN_WAIT2, State.CLOSING, State.LAST_ACK)
_OPEN = frozenset({State.ESTABLISHED, State.FIN_WAIT1, State.FIN_WAIT2})  # the other side's stream goes on
_CONNECTED = _OPEN | {State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK}
MOST_UNTOLD = 0.2  # seconds until a packet to this machine that could leave has come, and long before that
_DELIVERED = {Closing.END: ("end",), Closing.RESET: ("reset",), Closing.EITHER: ("end", "reset")}
_ENDINGS = {"end": Closing.END.value, "reset": Closing.RESET.value}


@dataclass(frozen=True, slots=True)
class PeerEvent:
    """Something that happened on the peer's side. Times are time.monotonic_ns()."""

    time_ns: int
    connection: int  # from 0
    kind: str  # accepted connected refused sent received end reset half_close closed reset_sent waiting deaf trouble
    data: bytes  # the first bytes that went over the wire; with other kinds words, or who the other side is
    size: int  # all bytes that went over the wire
    queues: Queues | None = None  # of the peer's end, right after it


@dataclass(frozen=True)
class ConnectionOutcome:
    """What became of one connection."""

    received: bytes
    received_size: int  # more than len(received) only beyond KEPT_BYTES
    sent: bytes
    pieces: tuple[int, ...]  # the sizes of the pieces in which it was sent
    ending: str  # by the other side, as far as was seen: "open", "end", "reset"; "never" connected
    local: Address
    remote: Address


@dataclass(frozen=True)
class Wait:
    """What a conversation sleeps for: a socket that is ready, or something to be asked for again and again."""

    what: str
    sock: socket.socket | None = None
    events: int = 0
    asks: Callable[[], bool] | None = None
    polled: bool = False  # asks must be tried by the clock: nobody says when it comes true

    def holds(self) -> bool:
        """Whether it has come true by now."""
        if self.asks is not None:
            return self.asks()
        assert self.sock is not None
        poll = select.poll()
        poll.register(self.sock, self.events)
        return bool(poll.poll(0))


Steps = Generator[Wait, None, None]
Taking = Generator[Wait, None, bytes]


class Unhappy(Exception):
    """The script can't go on as it is written; the text goes on from "the peer"."""


class Stage:
    """What the conversations of one peer share."""

    def __init__(self, script: Script, connects: bool, watch: Callable[[PeerEvent], None] | None) -> None:
        self.script, self.connects = script, connects
        self.events: list[PeerEvent] = []
        self.gos = 0
        self.queues = False  # whether each event tells what the connection holds
        self.buffer = memoryview(bytearray(CHUNK))
        self._watch = watch

    def note(self, event: PeerEvent) -> None:
        """Keeps an event. After very many, a further one that is like the last becomes one with it."""
        last = self.events[-1] if len(self.events) > MOST_EVENTS else None
        if last is not None and (last.connection, last.kind) == (event.connection, event.kind):
            data = (last.data + event.data)[:EVENT_BYTES]
            self.events[-1] = replace(last, data=data, size=last.size + event.size)
        else:
            self.events.append(event)
        if self._watch is not None:
            self._watch(event)


class Conversation:
    """One connection and its script."""

    def __init__(self, stage: Stage, number: int, gos_used: int = 0) -> None:
        self.stage, self.number = stage, number
        self.sock: socket.socket | None = None
        self.local: Address | None = None
        self.remote: Address | None = None
        self.received, self.received_size = bytearray(), 0
        self.sent = bytearray()
        self.pieces: list[int] = []
        self.ending = "never"
        self.trouble: str | None = None
        self.done = False
        self.gos_used = gos_used
        self._half_closed = False
        self._sent_last = b""
        self._outcome: ConnectionOutcome | None = None
        self._random = random.Random(f"{stage.script.seed}/{number}")

    @property
    def outcome(self) -> ConnectionOutcome | None:
        """What is known so far; None before the connection has its two addresses."""
        if self.local is None or self.remote is None:
            return None
        now = (self.received_size, len(self.sent), self.ending)
        if self._outcome is None or now != (self._outcome.received_size, len(self._outcome.sent), self._outcome.ending):
            received, sent, pieces = bytes(self.received), bytes(self.sent), tuple(self.pieces)
            self._outcome = ConnectionOutcome(
                received, self.received_size, sent, pieces, self.ending, self.local, self.remote
            )
        return self._outcome

    # ---- the script as a whole ----

    def run(self, opener: Callable[[Conversation], Steps]) -> Steps:
        """Carries out the script. opener: the steps to a connection."""
        try:
            for statement in self.stage.script.body:
                if self.ending == "never" and (self.stage.connects or not isinstance(statement, WaitForGo)):
                    yield from opener(self)
                yield from self._carry_out(statement)
            if self.ending == "never":
                yield from opener(self)
            if Stay() not in self.stage.script.body:
                yield from self._close(Close())
        except Unhappy as unhappy:
            self.trouble = str(unhappy)
            self.note("trouble", self.trouble.encode())
            yield from self._close(Close())
        self.done = True

    def opened(self, sock: socket.socket, kind: str) -> None:
        """The opener's word that the connection stands."""
        assert self.remote is not None
        self.sock, self.ending = sock, "open"
        self.note(kind, f"{self.remote[0]}:{self.remote[1]}".encode(), 0)

    def _carry_out(self, statement: Statement) -> Steps:
        match statement:
            case Accept() | Stay():
                pass
            case Send():
                yield from self._send(statement)
            case ReceiveBytes():
                yield from self._receive_bytes(statement.size)
            case ReceiveLine():
                yield from self._receive_line()
            case ReceiveToEnd():
                yield from self._receive_to_end(SLOW_CHUNK if statement.slowly else CHUNK)
            case Expect():
                yield from self._expect(b"".join(map(self._bytes, statement.data)))
            case ExpectClosing():
                yield from self._expect_closing(statement.closing)
            case Echo():
                yield from self._echo()
            case HalfClose():
                yield from self._half_close()
            case Close():
                yield from self._close(statement)
            case Reset():
                yield from self._reset()
            case WaitUntilRead():
                yield from self._wait_until_read()
            case WaitForGo():
                yield from self._wait_for_go()
            case GoDeaf():
                self._go_deaf()

    def note(self, kind: str, data: bytes = b"", size: int = 0) -> None:
        """An event of this connection."""
        queues = self._look() if self.stage.queues else None
        self.stage.note(PeerEvent(time.monotonic_ns(), self.number, kind, data, size, queues))

    def _look(self) -> Queues | None:
        """What the peer's end holds; None where it is closed."""
        if self.sock is None or self.sock.fileno() == -1:
            return None
        try:
            unsent, unacked, unread = (self._queued(what) for what in (_SIOCOUTQNSD, termios.TIOCOUTQ, termios.FIONREAD))
            buffers = (self.sock.getsockopt(socket.SOL_SOCKET, what) for what in (socket.SO_SNDBUF, socket.SO_RCVBUF))
        except OSError:
            return None
        return Queues(unsent, unacked, unread, *buffers)

    @property
    def _connected(self) -> socket.socket:
        assert self.sock is not None
        return self.sock

    # ---- sending ----

    def _send(self, statement: Send) -> Steps:
        parts = [self._bytes(one) for one in statement.data]
        self._sent_last = b"".join(parts)
        for index, part in enumerate(self._pieces(parts, statement)):
            if index and statement.pacing is Pacing.PIECES:
                yield from self._wait_until_read()
            yield from self._send_all(part)

    def _pieces(self, parts: list[bytes], statement: Send) -> Iterator[bytes]:
        if statement.piece is not None:
            size = statement.piece
            return (self._sent_last[at : at + size] for at in range(0, len(self._sent_last), size))
        return iter([self._sent_last] if statement.pacing is Pacing.AT_ONCE else parts)

    def _bytes(self, data: Data) -> bytes:
        match data:
            case Random():
                return self._random.randbytes(data.size)
            case Same():
                return self._sent_last
        return data

    def _send_all(self, data: bytes) -> Steps:
        left = memoryview(data)
        while left:
            try:
                taken = self._connected.send(left)
            except BlockingIOError:
                yield Wait("room to send", self._connected, select.POLLOUT)
            except OSError:
                self._count_sent(data, len(data) - len(left))
                self._saw("reset")
                taken = len(data) - len(left)
                raise Unhappy(f"could send only {taken:,} of {count(len(data), 'byte')}, then got a reset") from None
            else:
                left = left[taken:]
        self._count_sent(data, len(data))

    def _count_sent(self, data: bytes, taken: int) -> None:
        if taken:
            self.sent += memoryview(data)[:taken]
            self.pieces.append(taken)
            self.note("sent", data[:EVENT_BYTES], taken)

    def _wait_until_read(self) -> Steps:
        if not self._all_read():
            self.note("waiting", b"until all is read")
            yield Wait("the other side to read", asks=self._all_read, polled=True)

    def _all_read(self) -> bool:
        """Whether the other side has taken all that was sent out of its receive queue, or never will.

        The queue is looked at only after all has arrived there. The kernel takes the socket's lock for a
        look-up, so that afterwards the recv() that emptied the queue is over, and the next piece can't
        slip into it.
        """
        waiting = len(self.sent) + self._half_closed
        unsent = self._queued(termios.TIOCOUTQ)
        other = self._other_end()
        if other is None:
            return True
        if other.receive_queue > 0 or (other.flow.received < waiting if other.flow else unsent > 0):
            return False
        again = self._other_end()
        return again is None or again.receive_queue == 0

    def _other_end(self) -> kernel.Socket | None:
        """The other end in the kernel's table; None when no program has it any more."""
        assert self.local is not None and self.remote is not None
        other = kernel.lookup(self.remote, self.local)
        if other is None or other.state in (State.TIME_WAIT, State.CLOSE):
            return None
        return None if other.inode == 0 and other.state in _ORPHANS else other

    def _queued(self, request: int) -> int:
        """Bytes in this socket's own queue: of SIOCINQ or SIOCOUTQ, by the numbers that they share with terminals."""
        answer = array.array("i", [0])
        fcntl.ioctl(self._connected, request, answer)
        return answer[0]

    # ---- receiving ----

    def _take(self, most: int, what: str) -> Taking:
        """The next bytes, at most so many; b"" once the other side has ended, and `ending` says how."""
        yield Wait(what, self._connected, select.POLLIN)
        return self._take_now(most)

    def _take_now(self, most: int) -> bytes:
        try:
            size = self._connected.recv_into(self.stage.buffer, min(most, CHUNK))
        except OSError:
            self._saw("reset")
            return b""
        if size == 0:
            self._saw("end")
            return b""
        data = bytes(self.stage.buffer[:size])
        self.received += data[: KEPT_BYTES - len(self.received)]
        self.received_size += size
        self.note("received", data[:EVENT_BYTES], size)
        return data

    def _take_arrived(self) -> bytes:
        """What lies in the receive queue right now."""
        arrived = b""
        left = self._queued(termios.FIONREAD)
        while left > 0 and (data := self._take_now(left)):
            arrived += data
            left -= len(data)
        return arrived

    def _saw(self, ending: str) -> None:
        if self.ending == "open":
            self.ending = ending
            self.note(ending)

    def _how_it_ended(self) -> str:
        return _ENDINGS[self.ending]

    def _receive_bytes(self, size: int) -> Steps:
        left = size
        while left:
            data = yield from self._take(left, count(left, "more byte"))
            if not data:
                raise Unhappy(f"waited for {count(size, 'byte')}, got {size - left:,} and then {self._how_it_ended()}")
            left -= len(data)

    def _receive_line(self) -> Steps:
        line = b""
        while not line.endswith(b"\n"):
            yield Wait("a line", self._connected, select.POLLIN)
            data = self._take_now(self._length_to_newline())
            if not data:
                raise Unhappy(f"waited for a line, got {quote(line)} and then {self._how_it_ended()}")
            line += data

    def _length_to_newline(self) -> int:
        """How many of the bytes that have arrived belong to this line."""
        try:
            waiting = self._connected.recv(CHUNK, socket.MSG_PEEK)
        except OSError:
            return 1  # the receive that follows meets it again
        return waiting.find(b"\n") + 1 or max(1, len(waiting))

    def _receive_to_end(self, chunk: int) -> Steps:
        while (yield from self._take(chunk, Closing.END.value)):
            pass
        if self.ending != "end":
            raise Unhappy(f"waited for {Closing.END.value}, got {self._how_it_ended()}")

    def _expect(self, wanted: bytes) -> Steps:
        at = 0
        while at < len(wanted):
            data = yield from self._take(len(wanted) - at, quote(wanted[at:]))
            after = f"after {count(at, 'right byte')} " if at else ""
            if not data:
                raise Unhappy(f"{after}expected {quote(wanted[at:])}, got {self._how_it_ended()}")
            if wanted[at : at + len(data)] != data:
                raise Unhappy(f"{after}expected {quote(wanted[at:])}, got {quote(data + self._take_arrived())}")
            at += len(data)

    def _expect_closing(self, closing: Closing) -> Steps:
        data = yield from self._take(CHUNK, closing.value)
        if data or self.ending not in _DELIVERED[closing]:
            got = quote(data + self._take_arrived()) if data else self._how_it_ended()
            raise Unhappy(f"expected {closing.value}, got {got}")

    def _echo(self) -> Steps:
        while data := (yield from self._take(CHUNK, "something to echo")):
            yield from self._send_all(data)
        if self.ending != "end":
            raise Unhappy(f"echoed {count(len(self.sent), 'byte')} and then got {self._how_it_ended()}")

    # ---- ending ----

    def _half_close(self) -> Steps:
        try:
            self._connected.shutdown(socket.SHUT_WR)
        except OSError:
            self._saw("reset")
            raise Unhappy("could not half-close: the connection had been reset") from None
        self._half_closed = True
        self.note("half_close")
        yield from self._until_told(_OPEN)

    def _close(self, how: Close) -> Steps:
        """Closes. What has arrived is read first, because the kernel makes a close with unread data a reset."""
        if self.sock is None:
            return
        if not how.unread and self.ending == "open":
            self._take_arrived()
        self.sock.close()
        self.sock = None
        if self.ending != "never":
            self.note("closed")
            yield from self._until_told(_OPEN)

    def _reset(self) -> Steps:
        self._connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connected.close()
        self.sock = None
        self.note("reset_sent")
        yield from self._until_told(_CONNECTED)

    def _until_told(self, untold: frozenset[State]) -> Steps:
        """Until the other side's kernel knows of the end or the reset: its socket is in none of these states.

        On a busy machine even a packet to the same machine waits for its turn, and a test whose peer is done goes on.
        Not for long: where the other side's window is full, its end can't be told.
        """
        until = time.monotonic() + MOST_UNTOLD

        def told() -> bool:
            other = self._other_end()
            return other is None or other.state not in untold or time.monotonic() > until

        if not told():
            yield Wait("the other side to be told", asks=told, polled=True)

    def _go_deaf(self) -> None:
        """Nothing that comes from now on reaches TCP."""
        kernel.go_deaf(self._connected)
        self.note("deaf")

    # ---- waiting ----

    def _wait_for_go(self) -> Steps:
        self.gos_used += 1
        number = self.gos_used
        if self.stage.gos < number:
            self.note("waiting", b"for go")
            yield Wait("go", asks=lambda: self.stage.gos >= number)
