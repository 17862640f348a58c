"""Sockets in the kernel's table: their states, options and queues, and ports that others hold."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from .. import kernel, spawn, traffic
from ..conversation import ConnectionOutcome
from ..kernel import Address, Socket, State
from ..run import StudentRun
from .base import BadRequest, Unmet, Verbs

HOLD_SECONDS = 10
TRIES = 5
OPTIONS = {"SO_REUSEADDR": socket.SO_REUSEADDR, "SO_REUSEPORT": socket.SO_REUSEPORT, "SO_SNDBUF": socket.SO_SNDBUF,
           "SO_RCVBUF": socket.SO_RCVBUF}
TCP_OPTIONS = {"TCP_USER_TIMEOUT": 18}       # tcp(7); the types of the socket module leave it out
UNREAD = ("FIN_WAIT1", "CLOSING", "LAST_ACK")      # with bytes before the end that the client doesn't read
EARLIER = {"CLOSING": ("FIN_WAIT1",), "LAST_ACK": ("CLOSE_WAIT",)}
SMALL = 4096                        # bytes of a receive buffer
NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
INSTEAD = "127.0.0.9"               # where this machine has no IPv6
RFC1337 = Path("/proc/sys/net/ipv4/tcp_rfc1337")
OTHER = {b"peer": b"student", b"student": b"peer"}


class SocketVerbs(Verbs):
    """The kernel's view of single sockets, whoever has them."""

    def do_state_of(self, fields: list[bytes]) -> str:
        """The state of one end of a peer's first connection, "" when the kernel has no entry (any more)."""
        self.wait_settled(fields[0], self.first_connection(fields[0]))
        found = self.end(fields[0], fields[1])
        if found is None and self.end(fields[0], OTHER[fields[1]]) is None and not _is_kept():
            return self.inferred(fields[0], fields[1] == b"peer")
        return found.state.name if found else ""

    def inferred(self, field: bytes, of_peer: bool) -> str:
        """Where both ends have gone, and the kernel may have dropped a TIME_WAIT: who has it when both sides ended in
        good order, each by an end of the stream, is the one that ended first."""
        events = [event.kind for event in self.peer(field).events if event.connection == 0]
        own = next((index for index, kind in enumerate(events) if kind in ("half_close", "closed")), None)
        others = events.index("end") if "end" in events else None
        if own is None or others is None or "reset" in events or "reset_sent" in events:
            return ""
        return "TIME_WAIT" if of_peer == (own < others) else ""

    def do_listener_option(self, fields: list[bytes]) -> int:
        """A socket option of the program's listener, -1 where it has none."""
        run, option = self.run(fields[0]), _option(fields[1].decode())
        listening = {found.inode for found in run.listeners()}
        for fd, inode in kernel.socket_inodes(run.pid).items():
            if inode in listening:
                with kernel.borrow_socket(run.pid, fd) as borrowed:
                    return borrowed.getsockopt(socket.SOL_SOCKET, option)
        return -1

    def first_connection(self, field: bytes) -> ConnectionOutcome:
        """A peer's first connection, once it has begun."""
        peer = self.peer(field)
        self.wait(lambda: bool(peer.outcome.connections), "a connection", peer)
        return peer.outcome.connections[0]

    def end(self, field: bytes, whose: bytes) -> Socket | None:
        """One end of a peer's first connection, "peer" or "student"; None when the kernel has no entry."""
        connection = self.first_connection(field)
        ends = (connection.local, connection.remote) if whose == b"peer" else (connection.remote, connection.local)
        return kernel.lookup(*ends)

    def wait_settled(self, field: bytes, connection: ConnectionOutcome) -> None:
        """Until nothing is on its way between the two ends of a connection."""
        peer = self.peer(field)
        role = self.scripts[self.scene.peers.index(peer)].role
        callers = connection.local if role == "connects" else connection.remote
        self.wait(lambda: traffic.settled(callers[1]), "rest on the connection", peer)

    # ---- queues and buffers of a connection ---------------------------------------------------------

    def do_queued_at(self, fields: list[bytes]) -> str:
        """What is not sent, not acknowledged, not read at one end."""
        found = self.end(fields[0], fields[1])
        if found is None:
            return "0 0 0"
        unsent = found.flow.unsent if found.flow else found.send_queue
        return f"{unsent} {found.send_queue} {found.receive_queue}"

    def do_wait_peer_settled(self, fields: list[bytes]) -> None:
        peer = self.peer(fields[0])
        self.first_connection(fields[0])
        try:
            self.wait(peer.at_rest, "an end to all that is on its way", peer)
        except Unmet:
            if self.trouble is None or self.trouble.kind != "stuck":
                raise
            self.trouble = None         # the program has done all that it was to do
            raise self.unmet("said", "what the peer sent comes again and again, and finds no room in the receive "
                             "buffer: the peer was told another size", peer) from None

    def do_wait_full(self, fields: list[bytes]) -> None:
        """Until the program has sent more than the two buffers before the peer can pass on."""
        peer = self.peer(fields[0])

        def full() -> bool:
            end = self.end(fields[0], b"student")
            return end is not None and end.flow is not None and end.flow.unsent > 0 and peer.at_rest()

        self.wait(full, "a full send buffer", peer)

    def borrow(self, run: StudentRun, peer: bytes) -> socket.socket:
        """The program's own socket of a peer's first connection."""
        end = self.end(peer, b"student")
        for fd, inode in kernel.socket_inodes(run.pid).items():
            if end is not None and inode == end.inode:
                return kernel.borrow_socket(run.pid, fd)
        raise self.unmet("said", "your program has closed the connection", run)

    def do_option_of(self, fields: list[bytes]) -> int:
        """A socket option of the program's end. Where the system doesn't let anybody look (see borrow_socket()), one of
        TCP_OPTIONS is 0: all but lab 6 can do without."""
        name = fields[2].decode()
        try:
            with self.borrow(self.run(fields[0]), fields[1]) as borrowed:
                if name in TCP_OPTIONS:
                    return borrowed.getsockopt(socket.IPPROTO_TCP, TCP_OPTIONS[name])
                return borrowed.getsockopt(socket.SOL_SOCKET, _option(name))
        except OSError:
            if name in TCP_OPTIONS:
                return 0
            raise

    def do_is_nonblocking(self, fields: list[bytes]) -> int:
        """Whether the program's end has O_NONBLOCK."""
        with self.borrow(self.run(fields[0]), fields[1]) as borrowed:
            return int(bool(fcntl.fcntl(borrowed, fcntl.F_GETFL) & os.O_NONBLOCK))

    def do_kernel_gives(self, fields: list[bytes]) -> int:
        """What this kernel makes of a wish, tried on a socket of our own; 0 asks for nothing."""
        option, asked = _option(fields[0].decode()), int(fields[1])
        with socket.socket() as trial:
            if asked:
                trial.setsockopt(socket.SOL_SOCKET, option, asked)
            return trial.getsockopt(socket.SOL_SOCKET, option)

    # ---- ports that others hold ---------------------------------------------------------------------

    def do_hold_port(self, fields: list[bytes]) -> None:
        """Leaves a port as a server does that listens, serves, or has gone; and sees it so in the kernel's table."""
        port, state, option, at = int(fields[0]), fields[1].decode(), fields[2].decode(), fields[3].decode()
        self.scene.held_ports.append((port, state))
        if state == "SYN_SENT":
            self.call_in_vain(at or "127.0.0.1", port, option or "SO_REUSEADDR")
            return
        listener = _listen(at or "127.0.0.1", port, option or "SO_REUSEADDR")
        self.scene.held.append(listener)
        if state == "LISTEN":
            return
        if not any(self.leave(listener, state) for _ in range(TRIES)):
            raise TimeoutError(f"no port can be held in {state or 'TIME_WAIT of a client'} here")
        with spawn.alone():
            listener.close()

    def leave(self, listener: socket.socket, state: str) -> bool:
        """One conversation at that listener, up to that state; False where the kernel has dropped its TIME_WAIT."""
        client = self.call(listener, SMALL if state in UNREAD else None)
        server = listener.accept()[0]
        self.scene.held.append(server)
        ends = server.getsockname()[:2], client.getsockname()[:2]
        if state in UNREAD:
            _fill(server)
        return all(_reached(step, server, client, ends) for step in (*EARLIER.get(state, ()), state))

    def call(self, listener: socket.socket, receive_buffer: int | None = None) -> socket.socket:
        """A client of that listener."""
        client = socket.socket(listener.family, socket.SOCK_STREAM)
        self.scene.held.append(client)
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(HOLD_SECONDS)
        client.connect(listener.getsockname()[:2])
        return client

    def call_in_vain(self, at: str, port: int, option: str) -> None:
        """A caller, bound to that port, who gets no answer: the queue of the listener that it calls is full."""
        busy = _listen(at, 0, option, backlog=1)
        self.scene.held.append(busy)
        for _ in range(2):          # the queue takes one more than the backlog
            self.call(busy)
        there = busy.getsockname()[:2]
        _wait_until(lambda: any(one.local == there and one.receive_queue == 2 for one in kernel.listeners()), "a full queue")
        caller = _bound(at, port, option)
        self.scene.held.append(caller)
        caller.setblocking(False)
        caller.connect_ex(there)
        here = caller.getsockname()[:2]
        _wait_until(lambda: _state(here, there) == "SYN_SENT", "a call that nobody answers")


def _option(name: str) -> int:
    if name not in OPTIONS:
        raise BadRequest(f'no socket option "{name}" here; there are {", ".join(OPTIONS)}')
    return OPTIONS[name]


def _bound(at: str, port: int, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in at else socket.AF_INET
    try:
        bound = socket.socket(family, socket.SOCK_STREAM)
        if option != "none":
            bound.setsockopt(socket.SOL_SOCKET, _option(option), 1)
        bound.bind((at, port))
    except OSError as error:
        if family == socket.AF_INET or error.errno not in NO_IPV6:
            raise
        return _bound(INSTEAD, port, option)
    return bound


def _listen(at: str, port: int, option: str, backlog: int = 8) -> socket.socket:
    listener = _bound(at, port, option)
    listener.listen(backlog)
    return listener


def _fill(sender: socket.socket) -> None:
    """Sends what finds room, which is more than a small buffer on the other side takes in: the rest stays, and keeps
    the end from going out."""
    sender.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sender.send(bytes(16 * SMALL))


def _reached(step: str, server: socket.socket, client: socket.socket, ends: tuple[Address, Address]) -> bool:
    _bring_to(step, server, client)
    return _wait_for(step, *ends)


def _bring_to(state: str, server: socket.socket, client: socket.socket) -> None:
    """The last steps of a conversation, until the server's end is in that state."""
    steps: dict[str, Callable[[], None]] = {
        "ESTABLISHED": lambda: None,
        "CLOSE_WAIT": lambda: client.shutdown(socket.SHUT_WR),
        "FIN_WAIT1": lambda: server.shutdown(socket.SHUT_WR),
        "FIN_WAIT2": lambda: server.shutdown(socket.SHUT_WR),
        "CLOSING": lambda: client.shutdown(socket.SHUT_WR),
        "LAST_ACK": lambda: server.shutdown(socket.SHUT_WR),
        "TIME_WAIT": lambda: _end(server, client),
        "": lambda: _end(client, server),
    }
    if state not in steps:
        raise BadRequest(f'a port can\'t be held in "{state}"')
    steps[state]()


def _end(first: socket.socket, last: socket.socket) -> None:
    first.close()
    last.recv(1)                    # waits for the end of the stream
    last.close()


def _is_kept() -> bool:
    """Whether nothing but time ends a TIME_WAIT here: sandbox.py asks for that in a network of the grader's own."""
    try:
        return RFC1337.read_text().strip() == "1"
    except OSError:
        return False


def _wait_for(state: str, server: Address, client: Address) -> bool:
    """Until both ends are in the kernel's table as they should be; False where there is none any more."""
    others = {"TIME_WAIT": "", "": "TIME_WAIT", "CLOSE_WAIT": "FIN_WAIT2", "FIN_WAIT2": "CLOSE_WAIT",
              "FIN_WAIT1": "ESTABLISHED", "CLOSING": "FIN_WAIT2", "LAST_ACK": "FIN_WAIT2"}
    wanted = (state, others.get(state, state))
    deadline = time.monotonic() + HOLD_SECONDS
    while (seen := (_state(server, client), _state(client, server))) != wanted:
        if seen == ("", "") and not _is_kept():
            return False
        if time.monotonic() > deadline:
            raise TimeoutError(f"a port should be held in {wanted}, and is in {seen}: is net.ipv4.tcp_max_tw_buckets small?")
        time.sleep(0.0005)
    return True


def _wait_until(seen: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + HOLD_SECONDS
    while not seen():
        if time.monotonic() > deadline:
            raise TimeoutError(f"a port should be held by {what}, and isn't")
        time.sleep(0.0005)


def _state(here: Address, there: Address) -> str:
    found = kernel.lookup(here, there)
    return found.state.name if found is not None and found.state is not State.LISTEN else ""
