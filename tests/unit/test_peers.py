"""Peers do what their script says, tell what they saw, and are at rest only when nothing can happen."""

from __future__ import annotations

import os
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grader import kernel, peer_cli, traffic
from grader.conversation import CHUNK, KEPT_BYTES, PeerEvent
from grader.kernel import Address, Flow, Socket, State
from grader.peers import Peer, PeerBroken, Watcher
from grader.scene import Scene
from grader.script import parse
from grader.verbs.peers import PeerVerbs

KIT = Path(__file__).resolve().parents[2]
LINGER_ZERO = struct.pack("ii", 1, 0)


def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "that never came"
        time.sleep(0.0005)


@contextmanager
def server(script: str, host: str = "127.0.0.1", watch: Watcher | None = None, seed: int = 1) -> Iterator[Peer]:
    with Peer.listening(parse(script, (b"one", b"two"), random.Random(seed)), host, watch=watch) as peer:
        peer.start()
        yield peer


@contextmanager
def talk(script: str, host: str = "127.0.0.1") -> Iterator[tuple[Peer, socket.socket]]:
    """A server peer and a connection to it."""
    with server(script, host) as peer, socket.create_connection(peer.address, timeout=5) as sock:
        yield peer, sock


@contextmanager
def clients(script: str, backlog: int = 300) -> Iterator[tuple[Peer, socket.socket]]:
    """Client peers and the listener that they connect to."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        listener.settimeout(5)
        with Peer.connecting(parse(script), listener.getsockname()) as peer:
            peer.start()
            yield peer, listener


def read_all(sock: socket.socket) -> list[bytes]:
    """What each recv() returned, up to the end."""
    return list(iter(lambda: sock.recv(1 << 20), b""))


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    sock.close()


def finish(peer: Peer) -> None:
    assert peer.wait(time.monotonic() + 5), peer.outcome.trouble


# ---- sending ----


@pytest.mark.parametrize("script, sent", [
    ("send 'hello'", b"hello"),
    ("send 'a' hex 00ff $2 'b'", b"a\0\xfftwob"),
    ("send 'x'; send the same the same", b"xxx"),
    ("send 'a'; half-close; expect end", b"a"),
    ("", b""),
])
def test_send(script: str, sent: bytes) -> None:
    with talk(script) as (peer, sock):
        assert b"".join(read_all(sock)) == sent
        sock.close()
        finish(peer)
        assert (peer.outcome.happy, peer.outcome.connections[0].sent) == (True, sent)


@pytest.mark.parametrize("script, pieces", [
    ("send 'hel' 'lo ' 'world' in pieces", [b"hel", b"lo ", b"world"]),
    ("send 'abcdefgh' in pieces of 3", [b"abc", b"def", b"gh"]),
    ("send 'ab' 'cd' 'e' in pieces of 2; wait until read; send 'f'", [b"ab", b"cd", b"e", b"f"]),
])
def test_pieces_arrive_one_by_one(script: str, pieces: list[bytes]) -> None:
    with talk(script) as (peer, sock):
        assert read_all(sock) == pieces
        assert peer.outcome.connections[0].pieces == tuple(map(len, pieces))


def test_at_once_and_each() -> None:
    with talk("send 'ab' 'cd' at once; send 'e' 'f'") as (peer, _):
        finish(peer)
        assert peer.outcome.connections[0].pieces == (4, 1, 1)


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_nobody_waits_for_a_reader_that_has_gone(leave: Callable[[socket.socket], None]) -> None:
    with talk("send 'x'; wait until read; wait until read") as (peer, sock):
        until(lambda: any(event.kind == "waiting" for event in peer.events))
        leave(sock)
        finish(peer)


def test_random_bytes_follow_the_seed() -> None:
    def once(seed: int) -> list[bytes]:
        with server("2 times: send 500 random bytes", seed=seed) as peer:
            return [b"".join(read_all(socket.create_connection(peer.address))) for _ in range(2)]

    first, second = once(1)
    assert len(first) == 500 and first != second
    assert once(1) == [first, second] != once(2)


def test_a_reader_that_resets() -> None:
    with talk("send 9000000 random bytes") as (peer, sock):
        sock.recv(1)
        reset(sock)
        finish(peer)
        outcome = peer.outcome
        assert outcome.trouble is not None
        assert re.fullmatch(r"could send only [\d,]+ of 9,000,000 bytes, then got a reset", outcome.trouble)
        assert outcome.connections[0].ending == "reset"


# ---- receiving ----


@pytest.mark.parametrize("script, sent, trouble", [
    ("receive to end", b"hello", None),
    ("receive to end slowly", b"hello" * 1000, None),
    ("receive 5 bytes; expect end", b"hello", None),
    ("receive 6 bytes", b"hello", "waited for 6 bytes, got 5 and then the end of the stream"),
    ("receive a line; expect 'b'; expect end", b"a\nb", None),
    ("receive a line", b"a", 'waited for a line, got "a" and then the end of the stream'),
    ("expect 'hel' 'lo'; expect closed", b"hello", None),
    ("expect 'hello'", b"help", 'expected "hello", got "help"'),
    ("receive 1 byte; expect 'ello'", b"hel", 'after 2 right bytes expected "lo", got the end of the stream'),
    ("expect end", b"more", 'expected the end of the stream, got "more"'),
    ("expect reset", b"", "expected a reset, got the end of the stream"),
    ("close", b"unread", None),
])
def test_receive(script: str, sent: bytes, trouble: str | None) -> None:
    with talk("wait for go; " + script) as (peer, sock):
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        peer.go()
        finish(peer)
        assert (peer.outcome.trouble, peer.outcome.happy) == (trouble, trouble is None)
        assert peer.outcome.received == sent
        assert read_all(sock) == []


@pytest.mark.parametrize("script, trouble", [
    ("expect reset", None),
    ("expect closed", None),
    ("expect end", "expected the end of the stream, got a reset"),
    ("receive to end", "waited for the end of the stream, got a reset"),
    ("echo", "echoed 0 bytes and then got a reset"),
])
def test_the_other_side_resets(script: str, trouble: str | None) -> None:
    with talk(script) as (peer, sock):
        reset(sock)
        finish(peer)
        assert (peer.outcome.trouble, peer.outcome.connections[0].ending) == (trouble, "reset")


def test_megabytes() -> None:
    data = random.Random(1).randbytes(8 << 20)
    with talk("receive to end") as (peer, sock):
        sock.sendall(data)
        sock.close()
        finish(peer)
        assert peer.outcome.received == data[:KEPT_BYTES]
        assert peer.outcome.connections[0].received_size == len(data)
        assert max(event.size for event in peer.events) <= CHUNK


def test_echo() -> None:
    with talk("echo") as (peer, sock):
        for word in (b"one", b"two"):
            sock.sendall(word)
            assert sock.recv(10) == word
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
        assert peer.outcome.connections[0].sent == b"onetwo"


# ---- ending ----


@pytest.mark.parametrize("script", [
    "reset after 3 bytes", "accept; wait for go; reset", "accept; wait for go; close without reading",
])
def test_resets(script: str) -> None:
    with talk(script) as (peer, sock):
        sock.sendall(b"abc")
        peer.go()
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_a_silent_peer_stays() -> None:
    with talk("send 'x'; stay silent") as (peer, sock):
        finish(peer)
        assert sock.recv(10) == b"x"
        sock.settimeout(0.01)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        assert peer.outcome.happy and peer.outcome.connections[0].ending == "open"
        peer.close()
        assert sock.recv(1) == b""


# ---- connections ----


def test_a_deaf_peer_acknowledges_nothing() -> None:
    with talk("send 'hello'; go deaf; never read") as (peer, sock):
        until(lambda: peer.finished)
        sock.send(b"x" * 1000)
        time.sleep(0.05)                # longer than any acknowledgement is held back
        ours = kernel.lookup(sock.getsockname(), peer.address)
        theirs = kernel.lookup(peer.address, sock.getsockname())
        assert ours is not None and (ours.receive_queue, ours.send_queue) == (5, 1000)
        assert theirs is not None and theirs.receive_queue == 0


def test_one_connection_only_is_served() -> None:
    with talk("close") as (peer, _), socket.create_connection(peer.address), socket.create_connection(peer.address):
        finish(peer)
        until(lambda: peer.outcome.extra_connections == 2)
        assert len(peer.outcome.connections) == 1
        peer.close()
        assert peer.outcome.extra_connections == 2


def test_several_in_turn() -> None:
    with server("2 times: receive to end; send 'bye'") as peer:
        with socket.create_connection(peer.address) as first, socket.create_connection(peer.address) as second:
            second.sendall(b"2")
            second.shutdown(socket.SHUT_WR)
            until(lambda: bool(peer.events))
            assert peer.outcome.trouble == "still waited for the end of the stream (connection 1 of 2)"
            first.shutdown(socket.SHUT_WR)
            assert (first.recv(9), second.recv(9)) == (b"bye", b"bye")
        finish(peer)
        assert [one.received for one in peer.outcome.connections] == [b"", b"2"]


def test_a_peer_that_ignores_and_one_that_refuses() -> None:
    with server("don't accept") as peer, socket.create_connection(peer.address):
        finish(peer)
        assert peer.outcome.happy and not peer.outcome.connections
        until(lambda: peer.outcome.extra_connections == 1)
    with server("refuse") as peer:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(peer.address)
        assert peer.outcome.happy and peer.address[1] > 0


def test_v6() -> None:
    with talk("send 'x'; expect end", "::1") as (peer, sock):
        assert sock.recv(1) == b"x"
        sock.close()
        finish(peer)
        assert peer.outcome.connections[0].local == peer.address


def test_hundreds_of_clients() -> None:
    with clients("256 clients, each: send 20 random bytes; expect the same; expect end") as (peer, listener):
        assert threading.active_count() <= 2
        accepted = [listener.accept()[0] for _ in range(256)]
        words = [sock.recv(20, socket.MSG_WAITALL) for sock in accepted]
        assert len(set(words)) == 256
        for sock, word in zip(accepted, words):
            sock.sendall(word)
            sock.close()
        finish(peer)
        assert peer.outcome.happy and len(peer.outcome.connections) == 256


def test_clients_in_turn() -> None:
    with clients("3 clients in turn: expect end") as (peer, listener):
        for number in range(3):
            with listener.accept()[0] as sock:
                own = peer.outcome.connections[number].local
                assert (own, number) == (sock.getpeername(), len(peer.outcome.connections) - 1)
        finish(peer)
        assert peer.address == peer.outcome.connections[0].local


@pytest.mark.parametrize("host, source", [("127.0.0.1", "127.0.0.9"), ("127.0.0.1", None), ("::1", "::1")])
def test_a_client_knows_its_address_at_once(host: str, source: str | None) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        with Peer.connecting(parse("stay silent"), listener.getsockname()[:2], source) as peer:
            peer.start()
            assert peer.address == listener.accept()[1][:2]
            assert peer.address[0] == (source or host)


def test_a_client_that_nobody_answers() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = closed.getsockname()
        refused = f"could not connect to 127.0.0.1:{address[1]}: Connection refused"
        with Peer.connecting(parse("send 'x'"), address) as peer:
            peer.start()
            finish(peer)
            assert peer.outcome.trouble == refused
            assert peer.outcome.connections[0].ending == "never"
            assert peer.story() == [f"the peer {refused}"]
    with Peer.connecting(parse("send 'x'"), ("127.0.0.1", 1), "192.0.2.1") as peer:
        peer.start()
        assert peer.outcome.trouble == "could not use the address 192.0.2.1: Cannot assign requested address"


def test_go() -> None:
    with server("2 times: wait for go; send 'x'; wait for go; send 'y'") as peer:
        peer.go()  # an early one counts
        with socket.create_connection(peer.address) as first:
            assert first.recv(1) == b"x"
            assert not peer.finished and peer.outcome.trouble == "still waited for go (connection 1 of 2)"
            peer.go()
            assert first.recv(1) == b"y"
        with socket.create_connection(peer.address) as second:
            peer.go()
            peer.go()
            assert b"".join(read_all(second)) == b"xy"


def test_one_go_is_for_all_clients() -> None:
    with clients("20 clients, each: wait for go; send 'x'") as (peer, listener):
        accepted = [listener.accept()[0] for _ in range(20)]
        peer.go()
        assert {sock.recv(9) for sock in accepted} == {b"x"}


# ---- at rest ----


def rests(peer: Peer) -> None:
    until(peer.at_rest)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While it is clear, the threads of peers don't come to run, as on a machine that is very busy."""
    opened, sleep = threading.Event(), Peer._sleep
    opened.set()

    def sleep_long(peer: Peer) -> list[tuple[int, int]]:
        found = sleep(peer)
        opened.wait()
        return found

    monkeypatch.setattr(Peer, "_sleep", sleep_long)
    return opened


@contextmanager
def held_up(gate: threading.Event) -> Iterator[None]:
    gate.clear()
    try:
        yield
    finally:
        gate.set()


def never_rests(peer: Peer) -> bool:
    return not any(peer.at_rest() for _ in range(50))


@pytest.mark.parametrize("script, act", [
    ("receive to end", lambda sock: sock.sendall(b"x")),
    ("receive a line", lambda sock: sock.sendall(b"x")),
    ("expect end", lambda sock: sock.shutdown(socket.SHUT_WR)),
    ("expect closed", reset),
])
def test_what_has_arrived_is_work(gate: threading.Event, script: str, act: Callable[[socket.socket], object]) -> None:
    with talk(script) as (peer, sock):
        until(lambda: bool(peer.events) and peer.at_rest())
        with held_up(gate):
            act(sock)
            assert never_rests(peer)


def test_a_connection_that_is_not_yet_accepted_is_work(gate: threading.Event) -> None:
    with server("send 'x'; stay silent") as peer:
        rests(peer)
        with held_up(gate), socket.create_connection(peer.address):
            assert never_rests(peer)


def test_a_go_that_is_not_yet_heard_is_work(gate: threading.Event) -> None:
    with server("wait for go; send 'x'") as peer:
        rests(peer)
        with held_up(gate):
            peer.go()
            assert never_rests(peer)


def test_a_peer_that_has_not_started_is_not_at_rest() -> None:
    with Peer.listening(parse("echo")) as peer:
        assert not peer.at_rest()


def test_a_connect_that_nobody_answers_is_not_at_rest() -> None:
    """The backlog is full for the third; once somebody accepts, the kernel tries again by itself."""
    with clients("3 clients, each: stay silent", backlog=0) as (peer, listener):
        rests(peer)
        assert not peer.finished
        listener.accept()[0].close()
        assert never_rests(peer)


@pytest.mark.parametrize("script", [
    "receive to end", "receive 9 bytes", "wait for go; send 'x'", "never read", "don't accept",
])
def test_two_that_wait_for_each_other_are_at_rest(script: str) -> None:
    with talk(script) as (peer, sock):
        sock.sendall(b"abc")
        rests(peer)


def test_two_that_send_and_never_read_are_at_rest() -> None:
    """At rest once both buffers are full, and the kernel has sent what little it can by itself."""
    with talk("small buffers; send 9000000 random bytes") as (peer, sock):
        sock.setblocking(False)
        until(lambda: not can_send(sock))
        rests(peer)
        assert peer.outcome.trouble == "still waited for room to send"


def can_send(sock: socket.socket) -> bool:
    try:
        return sock.send(bytes(4096)) > 0
    except BlockingIOError:
        return False


FULL = Flow(received=9000, unsent=500, in_flight=0, allowed=0, offered=0)
OPEN = Flow(received=9000, unsent=0, in_flight=0, allowed=5000, offered=5000)
LISTENER = Socket(("0.0.0.0", 7), ("0.0.0.0", 0), State.LISTEN, 1, 1, 1)


def end(state: State, receive_queue: int = 0, send_queue: int = 0, flow: Flow | None = OPEN) -> Socket:
    return Socket(("127.0.0.1", 50000), ("127.0.0.1", 7), state, receive_queue, send_queue, 1, flow)


def other(state: State, receive_queue: int = 0, send_queue: int = 0, flow: Flow | None = OPEN) -> Socket:
    return replace(end(state, receive_queue, send_queue, flow), local=("127.0.0.1", 7), remote=("127.0.0.1", 50000))


@pytest.mark.parametrize("settled, found", [
    (True, []),
    (True, [LISTENER, end(State.ESTABLISHED), other(State.ESTABLISHED)]),
    (True, [end(State.ESTABLISHED), other(State.ESTABLISHED, receive_queue=100)]),
    (True, [end(State.FIN_WAIT2, flow=None), other(State.CLOSE_WAIT)]),
    (True, [end(State.TIME_WAIT, flow=None)]),
    # bytes or an end that are not acknowledged
    (False, [end(State.ESTABLISHED, send_queue=1), other(State.ESTABLISHED)]),
    (False, [end(State.ESTABLISHED), other(State.ESTABLISHED, receive_queue=9, send_queue=9)]),
    (False, [end(State.FIN_WAIT1, send_queue=1), other(State.CLOSE_WAIT, receive_queue=1)]),
    # one end has gone, and the other doesn't know yet
    (False, [end(State.ESTABLISHED)]),
    (False, [other(State.FIN_WAIT2, flow=None)]),
    # a handshake; with a full backlog it can't go on
    (False, [end(State.SYN_SENT, flow=None)]),
    (False, [end(State.ESTABLISHED), other(State.SYN_RECV, flow=None)]),
    (False, [replace(LISTENER, receive_queue=1), end(State.SYN_SENT)]),
    (True, [replace(LISTENER, receive_queue=2), end(State.SYN_SENT)]),
    (True, [replace(LISTENER, receive_queue=2), end(State.ESTABLISHED), other(State.SYN_RECV)]),
    (False, [replace(LISTENER, receive_queue=2, local=("127.0.0.9", 7)), end(State.SYN_SENT)]),
    # a window that is closed, and all that could still open it
    (True, [end(State.ESTABLISHED, 0, 500, FULL), other(State.ESTABLISHED, 9000, 0, FULL)]),
    (True, [end(State.ESTABLISHED, 0, 500, replace(FULL, allowed=0)),
            other(State.ESTABLISHED, 9000, 0, replace(FULL, offered=None))]),
    (False, [end(State.ESTABLISHED, 0, 500, replace(FULL, allowed=536)), other(State.ESTABLISHED, 9000, 0, FULL)]),
    (False, [end(State.ESTABLISHED, 0, 500, FULL), other(State.ESTABLISHED, 9000, 0, replace(FULL, offered=9000))]),
    (False, [end(State.ESTABLISHED, 0, 500, replace(FULL, in_flight=1)), other(State.ESTABLISHED, 9000, 0, FULL)]),
    (False, [end(State.ESTABLISHED, 0, 500, FULL), other(State.ESTABLISHED, 0, 0, FULL)]),
    (False, [end(State.ESTABLISHED, 0, 500, None), other(State.ESTABLISHED, 9000, 0, None)]),
])
def test_what_is_under_way(settled: bool, found: list[Socket], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "sockets", lambda local_port=0, remote_port=0: [
        one for one in found if local_port in (0, one.local[1]) and remote_port in (0, one.remote[1])])
    assert traffic.settled(7) is settled


PING = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
    for size in (1, 100, 100000, 3) * 10:
        sock.sendall(bytes(size))
        while size:
            size -= len(sock.recv(size))
"""


def test_never_at_rest_while_a_conversation_goes_on() -> None:
    """The judge's view: all of the program's threads sleep before and after, and the peer is at rest in between."""
    def asleep() -> list[kernel.Thread]:
        threads = kernel.threads(program.pid)
        return threads if threads and all(map(kernel.blocks_forever, threads)) else []

    with server("echo") as peer:
        with subprocess.Popen([sys.executable, "-S", "-c", PING, str(peer.address[1])]) as program:
            until(lambda: bool(peer.outcome.connections))
            looks = 0
            while program.poll() is None:
                before = asleep()
                rest = peer.at_rest()
                if before and before == asleep():
                    looks += 1
                    assert not rest, "a deadlock was seen where there is none"
        finish(peer)
        assert peer.outcome.happy


# ---- closing ----


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("script", [
    "echo", "wait for go; echo", "send 9000000 random bytes", "send 'a' 'b' in pieces", "never read", "refuse",
    "don't accept", "3 times: receive to end",
])
def test_close_ends_everything(script: str) -> None:
    before = descriptors(), threading.active_count()
    with talk(script) if script != "refuse" else server(script) as found:
        peer = found if isinstance(found, Peer) else found[0]
        closers = [threading.Thread(target=peer.close) for _ in range(3)]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join()
        peer.close()
        peer.go()
        peer.start()
        assert not peer.wait(time.monotonic() + 5) or peer.finished
        assert peer.outcome is not None and peer.story() is not None
    assert (descriptors(), threading.active_count()) == before


def test_close_wakes_whoever_waits() -> None:
    with server("echo") as peer:
        waiter = threading.Thread(target=peer.wait, args=(time.monotonic() + 60,))
        waiter.start()
        peer.close()
        waiter.join(5)
        assert not waiter.is_alive()


def test_a_port_in_use() -> None:
    before = descriptors()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError):
            Peer.listening(parse("echo"), "127.0.0.1", taken.getsockname()[1])
    assert descriptors() == before


def test_a_peer_that_breaks_says_so() -> None:
    def watch(event: PeerEvent) -> None:
        raise RuntimeError("a mistake in the kit")

    with server("echo", watch=watch) as peer, socket.create_connection(peer.address):
        finish(peer)
        with pytest.raises(PeerBroken):
            print(peer.outcome)


# ---- stories ----


@pytest.mark.parametrize("script, sent, story", [
    ("send 'hel' 'lo ' 'world' in pieces; half-close", b"", [
        'the peer sent 11 bytes in 3 pieces: "hel" "lo " "world"', "the peer half-closed", "the peer closed"]),
    ("receive to end", b"hello", ['the peer received 5 bytes: "hello", then the end of the stream']),
    ("expect end", b"", ["the peer got the end of the stream"]),
    ("send $1; expect 'x'", b"\0", [
        'the peer sent 3 bytes: "one"', 'the peer received 1 byte: "\\0"', "the peer closed",
        'the peer expected "x", got "\\0"']),
    ("receive to end", b"x" * 1000, [
        'the peer received 1,000 bytes: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"…, then the end of the stream']),
    ("reset after 1 byte", b"x", ['the peer received 1 byte: "x"', "the peer reset the connection"]),
    ("2 times: receive to end", "你好".encode(), [
        'the peer received 6 bytes: "你好", then the end of the stream',
        "the peer still waited for a connection (connection 2 of 2)"]),
    ("2 times: expect 'x'", b"y", [
        'the peer received 1 byte: "y"', "the peer closed", 'the peer expected "x", got "y" (connection 1 of 2)']),
])
def test_stories(script: str, sent: bytes, story: list[str]) -> None:
    with talk(script) as (peer, sock):
        sock.sendall(sent)
        leave(sock)
        until(lambda: peer.events[-1].kind in ("closed", "reset_sent"))
        assert peer.story() == story


def leave(sock: socket.socket) -> None:
    """Ends, and reads what there is; the peer may have been quicker."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)


def test_a_story_without_a_connection() -> None:
    with server("echo") as peer:
        assert peer.story() == ["nobody connected to the peer"]


# ---- by hand ----


def test_by_hand() -> None:
    command = [sys.executable, "-m", "grader", "peer", "receive a line; wait for go; send 'bye'; expect end"]
    with subprocess.Popen(command, cwd=KIT, stdin=-1, stdout=-1, text=True) as program:
        assert program.stdin is not None and program.stdout is not None
        port = int(program.stdout.readline().split()[-1])
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"hello\n")
            lines = [program.stdout.readline().split("s  ")[1] for _ in range(3)]
            assert lines[1:] == ['received 6 bytes: "hello\\n"\n', "waiting for go: press Enter\n"]
            program.stdin.write("\n")
            program.stdin.flush()
            assert sock.recv(9) == b"bye"
        assert program.wait() == 0


@pytest.mark.parametrize("words, message", [
    (["sned 'x'"], 'in the script: no statement begins with "sned" (column 1): did you mean "send"?'),
    (["echo", "--connect"], "in the script: a client must know where to connect to: say --port N"),
    (["echo", "--port", "99999"], "in the script: 99999 is no port: write 0 to 65535"),
    (["2 times: echo", "--connect", "--port", "5"], 'in the script: "2 times" is for a peer that listens: '
     'for one that connects write "2 clients in turn:"'),
    (["echo", "--host", "192.0.2.1", "--port", "5"],
     "no listener on 192.0.2.1 port 5: Cannot assign requested address"),
])
def test_by_hand_it_says_what_is_wrong(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert peer_cli.main(words) == peer_cli.CANNOT
    assert capsys.readouterr().err == f"peer: {message}\n"


def test_by_hand_the_status_says_how_it_went(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address: Address = listener.getsockname()
        assert peer_cli.main(["send 'x'; half-close", "--connect", "--port", str(address[1])]) == peer_cli.HAPPY
    assert peer_cli.main(["send 'x'", "--connect", "--port", str(address[1])]) == peer_cli.UNHAPPY
    refused = f"could not connect to 127.0.0.1:{address[1]}: Connection refused"
    assert f"did not run to its end: the peer {refused}" in capsys.readouterr().out


def test_each_event_tells_what_the_connection_holds_where_that_is_wanted() -> None:
    for queues in (True, False):
        with Peer.listening(parse("accept; wait for go; receive 3 bytes; stay silent")) as peer:
            peer.start(queues=queues)
            with socket.create_connection(peer.address, timeout=5) as sock:
                sock.sendall(b"1234567")
                until(lambda: any(event.kind == "accepted" for event in peer.events))
                peer.go()
                until(lambda: peer.finished)
                held = [event.queues for event in peer.events if event.kind == "received"]
                assert [one and one.unread for one in held] == ([4] if queues else [None])
                assert all(one is None or one.recv_buffer > 0 and one.unacked == 0 for one in held)


def test_a_port_is_one_tests_until_it_has_ended_though_others_draw_alike() -> None:
    """A class is graded with one seed, two submissions at a time: both draw the same numbers."""
    tests: list[Any] = [SimpleNamespace(chance=random.Random(7), scene=Scene()) for _ in range(2)]
    given = [PeerVerbs.do_free_port(test, []) for _ in range(50) for test in tests]
    assert len(set(given)) == len(given)
    for test in tests:
        test.scene.close()
    again: Any = SimpleNamespace(chance=random.Random(7), scene=Scene())
    assert PeerVerbs.do_free_port(again, []) in given
    again.scene.close()
