"""What the kernel tells of sockets, threads and descriptors: by netlink, by /proc, and of sleeping calls."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from grader import kernel
from grader.kernel import Address, State

NOWHERE = ("127.0.0.1", 1)


@pytest.fixture(params=["netlink", "/proc"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test with each source of the socket table."""
    works = request.param == "netlink"
    if works and not kernel._netlink_works():
        pytest.skip("no sock_diag here")
    monkeypatch.setattr(kernel, "_netlink_works", lambda: works)
    return str(request.param)


@contextmanager
def pair(listen_at: str = "127.0.0.1", dial: str = "127.0.0.1") -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection: the client's end and the server's."""
    family = socket.AF_INET6 if ":" in listen_at else socket.AF_INET
    with socket.create_server((listen_at, 0), family=family, dualstack_ipv6=listen_at == "::") as listener:
        with socket.create_connection((dial, listener.getsockname()[1])) as client, listener.accept()[0] as server:
            yield client, server


def ends(sock: socket.socket) -> tuple[Address, Address]:
    return sock.getsockname()[:2], sock.getpeername()[:2]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "that never came"
        time.sleep(0.001)


def test_lookup_tells_both_queues(source: str) -> None:
    with pair() as (client, server):
        client.sendall(b"hello")
        here, there = kernel.lookup(*ends(client)), kernel.lookup(*ends(server))
        assert here is not None and there is not None
        assert (here.local, here.remote) == ends(client) == (there.remote, there.local)
        assert (here.state, there.state, there.receive_queue) == (State.ESTABLISHED, State.ESTABLISHED, 5)
        assert here.inode == os.fstat(client.fileno()).st_ino
        if source == "netlink":
            assert there.flow is not None and (there.flow.received, there.flow.unsent) == (5, 0)
        server.recv(5)
        again = kernel.lookup(*ends(server))
        assert again is not None and again.receive_queue == 0


def test_lookup_finds_nothing_but_these_ends(source: str) -> None:
    with pair() as (client, server):
        assert kernel.lookup(server.getsockname(), NOWHERE) is None
        ends_of_client = ends(client)
    until(lambda: (left := kernel.lookup(*ends_of_client)) is None or left.state is State.TIME_WAIT)


@pytest.mark.parametrize("listen_at, dial", [("::1", "::1"), ("::", "127.0.0.1")])
def test_lookup_of_v6(source: str, listen_at: str, dial: str) -> None:
    """A v4 address inside a v6 socket reads like any other."""
    with pair(listen_at, dial) as (client, _):
        local, remote = ends(client)
        found = kernel.lookup(remote, local)
        assert found is not None and (found.local, found.remote) == (remote, local)


def test_sockets_by_state_and_port(source: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=7) as listener:
        address: Address = listener.getsockname()
        with socket.create_connection(address) as client:
            (found,) = [one for one in kernel.listeners() if one.local == address]
            assert found.inode == os.fstat(listener.fileno()).st_ino
            assert found.receive_queue == 1
            if source == "netlink":
                assert found.send_queue == 7
            (mine,) = kernel.sockets((State.ESTABLISHED,), remote_port=address[1])
            assert mine.local == client.getsockname()
            assert len(kernel.sockets(local_port=address[1])) == 2
        until(lambda: bool(kernel.sockets((State.CLOSE_WAIT,), local_port=address[1])))


def test_an_error_of_netlink_is_raised() -> None:
    with pytest.raises(OSError) as caught:
        list(kernel._ask(99, kernel._DUMP, 1, bytes(4), bytes(16), bytes(16), 0))
    assert caught.value.errno in (errno.ENOENT, errno.EINVAL)


def test_descriptors_of_a_process() -> None:
    with pair() as (client, _):
        assert kernel.socket_inodes(os.getpid())[client.fileno()] == os.fstat(client.fileno()).st_ino
        with open(os.devnull, encoding="ascii") as null:
            assert kernel.descriptors(os.getpid())[null.fileno()] == os.devnull


def test_cpu_seconds() -> None:
    before = kernel.cpu_seconds(os.getpid())
    while time.process_time() < 0.01:
        pass
    assert kernel.cpu_seconds(os.getpid()) > before


def test_a_process_that_has_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert (kernel.threads(gone.pid), kernel.descriptors(gone.pid), kernel.socket_inodes(gone.pid)) == ([], {}, {})
    assert kernel.cpu_seconds(gone.pid) == 0


def test_a_family() -> None:
    """A program, its child and its grandchild."""
    code = "import os; os.fork() or os.fork() or input(); os.waitid(os.P_ALL, 0, os.WEXITED)"
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdin=-1, process_group=0) as program:
        until(lambda: len(kernel.family(program.pid)) == 3)
        assert kernel.family(program.pid)[0] == program.pid
        os.killpg(program.pid, 9)


SOCKETS = "import socket; l = socket.create_server(('127.0.0.1', 0)); "
LOCKED = "import threading; l = threading.Lock(); l.acquire(); "
SECONDS = "l.setsockopt(1, socket.{}, (9).to_bytes(8, 'little') + bytes(8)); "
FULL = "c = socket.create_connection(l.getsockname()); "


@pytest.mark.parametrize("code, calls, forever", [
    ("input()", "read", True),
    ("import os; r, w = os.pipe(); os.write(w, bytes(1 << 20))", "write", True),
    ("import time; time.sleep(99)", "nanosleep clock_nanosleep", False),
    ("import select; select.poll().poll()", "poll ppoll", True),
    ("import select; select.poll().poll(99000)", "poll ppoll", False),
    ("import select; select.select([0], [], [])", "select pselect6", True),
    ("import select; select.select([0], [], [], 99)", "select pselect6", False),
    ("import select; select.epoll().poll()", "epoll_wait epoll_pwait", True),
    ("import select; select.epoll().poll(99)", "epoll_wait epoll_pwait", False),
    (SOCKETS + "l.accept()", "accept accept4", True),
    (SOCKETS + SECONDS.format("SO_RCVTIMEO") + "l.accept()", "accept accept4", False),
    (SOCKETS + FULL + "c.recv(1)", "recvfrom", True),
    (SOCKETS + FULL + "c.sendall(bytes(1 << 28))", "sendto", True),
    (LOCKED + "l.acquire()", "futex", True),
    (LOCKED + "l.acquire(timeout=99)", "futex", False),
    ("import signal; signal.sigwait([2])", "rt_sigtimedwait", True),
    ("import signal; signal.sigtimedwait([2], 99)", "rt_sigtimedwait", False),
    ("import os; os.fork() or __import__('time').sleep(9); os.wait()", "wait4", True),
])
def test_calls_that_block_forever(code: str, calls: str, forever: bool) -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, process_group=0) as program:
        try:
            until(lambda: any(thread.syscall in calls.split() for thread in kernel.threads(program.pid)))
            until(lambda: kernel.threads(program.pid)[0].state == "S")
            (thread,) = kernel.threads(program.pid)
            assert (thread.syscall in calls.split(), kernel.blocks_forever(thread)) == (True, forever)
            assert kernel.threads(program.pid) == [thread]
        finally:
            os.killpg(program.pid, 9)


def test_a_running_thread_does_not_block() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) as program:
        until(lambda: kernel.cpu_seconds(program.pid) > 0.02)
        assert not any(map(kernel.blocks_forever, kernel.threads(program.pid)))
        program.kill()


def test_borrowing_a_socket() -> None:
    code = SOCKETS + "print(l.getsockname()[1], l.fileno(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdin=-1, stdout=-1, text=True) as program:
        assert program.stdout is not None
        port, fd = map(int, program.stdout.readline().split())
        with closing(kernel.borrow_socket(program.pid, fd)) as borrowed:
            assert borrowed.getsockname() == ("127.0.0.1", port)
        with pytest.raises(OSError):
            kernel.borrow_socket(program.pid, 77)
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(OSError):
            kernel.borrow_socket(program.pid, 0)
        assert len(os.listdir("/proc/self/fd")) == before
        program.kill()


def test_a_thread_as_the_program_itself_knows_it() -> None:
    assert [one.own_tid for one in kernel.threads(os.getpid())] == [one.tid for one in kernel.threads(os.getpid())]
