"""The reference programs, run by hand, work with programs that nobody here wrote: nc and telnet."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit import KIT, LABS, Lab


def build(lab: Lab, folder: Path) -> Path:
    """The lab's program around the reference, as `make labN` builds a student's."""
    program = folder / lab.name
    sources = [KIT / "solutions" / lab.folder.name / lab.file_name, lab.folder / "main.c",
               *(KIT / "labs" / "given").glob("*.c")]
    subprocess.run(["gcc", "-std=gnu11", "-pthread", "-I", lab.folder, "-I", KIT / "labs" / "given", "-I",
                    KIT / "grader" / "c", *sources, "-o", program], check=True)
    return program


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(LABS["lab1"], tmp_path_factory.mktemp("lab1"))


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], int]]:
    program = build(LABS["lab3"], tmp_path_factory.mktemp("lab3"))
    with subprocess.Popen([program, "127.0.0.1", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening 127.0.0.1:")
        yield process, int(line.rpartition(":")[2])
        process.kill()


def wait_for_listener(port: int) -> None:
    """Until somebody listens there, seen in the kernel's table."""
    from grader import kernel
    deadline = time.monotonic() + 20
    while not any(found.local[1] == port for found in kernel.listeners()):
        assert time.monotonic() < deadline


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_64_mib_from_a_file_reach_nc_unharmed(client: Path, tmp_path: Path) -> None:
    message, port = os.urandom(64 << 20), free_port()
    (tmp_path / "message").write_bytes(message)
    with open(tmp_path / "received", "wb") as received:
        nc = subprocess.Popen(["nc", "-l", "127.0.0.1", str(port)], stdin=subprocess.DEVNULL, stdout=received)
        wait_for_listener(port)
        with open(tmp_path / "message", "rb") as source:
            sent = subprocess.run([client, "127.0.0.1", str(port), "-"], stdin=source)
        assert sent.returncode == 0 and nc.wait(timeout=60) == 0
    assert hashlib.sha256((tmp_path / "received").read_bytes()).digest() == hashlib.sha256(message).digest()


def test_nc_is_answered(server: tuple[subprocess.Popen[str], int]) -> None:
    done = subprocess.run(["nc", "-N", "127.0.0.1", str(server[1])], input="你好\n", capture_output=True, text=True, timeout=60)
    assert done.stdout == "你好\n"


def test_telnet_sends_crlf_and_gets_it_back(server: tuple[subprocess.Popen[str], int]) -> None:
    process, port = server
    with subprocess.Popen(["telnet", "127.0.0.1", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as telnet:
        assert telnet.stdin is not None and telnet.stdout is not None and process.stdout is not None
        telnet.stdin.write("hi\n")
        telnet.stdin.flush()
        lines = iter(telnet.stdout.readline, "")
        assert any(line.strip() == "hi" for line in lines)
        telnet.kill()
    assert process.stdout.readline().startswith("client 127.0.0.1:")
    assert process.stdout.readline() == "received 4\n"          # h i CR LF


def test_129_clients_wait_and_all_are_served(server: tuple[subprocess.Popen[str], int]) -> None:
    clients = [socket.create_connection(("127.0.0.1", server[1]), timeout=60) for _ in range(129)]
    for number, sock in enumerate(clients):
        with sock:
            sock.sendall(b"%d" % number)
            sock.shutdown(socket.SHUT_WR)
            assert sock.makefile("rb").read() == b"%d" % number


# ---- lab 5: many at once ------------------------------------------------------------------------------

@pytest.fixture
def threaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], int]]:
    program = build(LABS["lab5"], tmp_path_factory.mktemp("lab5"))
    with subprocess.Popen([program, "127.0.0.1", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, int(process.stdout.readline().rpartition(":")[2])
        process.kill()


def test_a_silent_nc_blocks_no_other(threaded: tuple[subprocess.Popen[str], int]) -> None:
    words = ["nc", "-N", "127.0.0.1", str(threaded[1])]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as silent:
        for text in ("one\n", "two\n"):
            done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60)
            assert done.stdout == text
        assert silent.communicate("three\n", timeout=60)[0] == "three\n"


def test_pythons_sockets_are_ended_by_ctrl_c(threaded: tuple[subprocess.Popen[str], int]) -> None:
    process, port = threaded
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    for number, client in enumerate(clients):
        client.sendall(b"%d" % number)
    assert [client.recv(10) for client in clients] == [b"%d" % number for number in range(100)]
    process.send_signal(signal.SIGINT)
    assert [client.recv(10) for client in clients] == [b""] * 100
    assert process.wait(timeout=60) == 0 and process.stderr is not None
    assert "stopping with 100 clients; 0 were served, and 190 bytes received" in process.stderr.read()
    for client in clients:
        client.close()


# ---- lab 2 ------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(LABS["lab2"], tmp_path_factory.mktemp("lab2"))


def receive_from_nc(receiver: Path, stream: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    """What client_recv makes of a stream that nc sends, and then ends."""
    port = free_port()
    with subprocess.Popen(["nc", "-N", "-l", "127.0.0.1", str(port)], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL) as nc:
        assert nc.stdin is not None
        wait_for_listener(port)
        nc.stdin.write(stream)
        nc.stdin.close()
        return subprocess.run([receiver, *words, "127.0.0.1", str(port)], capture_output=True, timeout=60)


@pytest.mark.parametrize("words, received", [
    (("--line",), "你好\n".encode()), (("--exactly", "9"), "你好\nab".encode()), (("--all",), "你好\nab\0c".encode()),
], ids=["line", "exactly", "all"])  # fmt: skip
def test_what_nc_sends_is_received(receiver: Path, words: tuple[str, ...], received: bytes) -> None:
    done = receive_from_nc(receiver, "你好\nab\0c".encode(), *words)
    assert done.stdout == received and done.returncode == 0


def test_a_message_that_python_packed(receiver: Path) -> None:
    body = os.urandom(50000)       # what a pipe holds before nc has anybody to send it to
    done = receive_from_nc(receiver, struct.pack(">I", len(body)) + body + b"rest", "--message")
    assert done.stdout == body and done.returncode == 0


def test_a_message_that_is_cut_short_is_an_error(receiver: Path) -> None:
    done = receive_from_nc(receiver, struct.pack(">I", 5) + b"hel", "--message")
    assert done.stdout == b"" and done.returncode == 1 and b"Protocol error" in done.stderr


def test_a_reply_of_16_mib_to_one_who_waits_for_the_end(receiver: Path) -> None:
    reply = os.urandom(16 << 20)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = subprocess.Popen([receiver, "--all", "127.0.0.1", str(listener.getsockname()[1]), "question"],
                                  stdout=subprocess.PIPE)
        with listener.accept()[0] as connection:
            assert connection.makefile("rb").read() == b"question"      # to the end, which is a half-close
            connection.sendall(reply)
        received, _ = client.communicate(timeout=60)
    assert client.returncode == 0 and received == reply


# ---- lab 4: a restart, and what ss says of it ----------------------------------------------------------

def test_restarted_at_once_after_nc(tmp_path_factory: pytest.TempPathFactory) -> None:
    program, port = build(LABS["lab4"], tmp_path_factory.mktemp("lab4")), str(free_port())

    def state() -> str:
        return subprocess.run([program, "--state", port], capture_output=True, text=True).stdout.strip()

    for _ in range(3):
        with subprocess.Popen([program, "127.0.0.1", port], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == f"listening 127.0.0.1:{port}\n"
            assert state() == f"{port}: listening"
            nc = subprocess.run(["nc", "-d", "127.0.0.1", port], capture_output=True, text=True, timeout=60)
            assert nc.stdout == "good-bye\n" and process.wait(timeout=60) == 0
        shown = subprocess.run(["ss", "-Htan", f"sport = :{port}"], capture_output=True, text=True).stdout
        assert state() == f"{port}: {'held by TIME_WAIT' if 'TIME-WAIT' in shown else 'free'}"


@pytest.fixture(scope="module")
def buffers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(LABS["lab6"], tmp_path_factory.mktemp("lab6"))


def letters(size: int) -> bytes:
    """What the program of lab 6 sends."""
    return (b"abcdefghijklmnopqrstuvwxyz" * (size // 26 + 1))[:size]


def test_a_megabyte_reaches_nc_before_the_end(buffers: Path, tmp_path: Path) -> None:
    port = free_port()
    with open(tmp_path / "received", "wb") as received:
        nc = subprocess.Popen(["nc", "-l", "127.0.0.1", str(port)], stdin=subprocess.DEVNULL, stdout=received)
        wait_for_listener(port)
        done = subprocess.run([buffers, "--buffers", "4096", "finish", "1000000", "60000", "127.0.0.1", str(port)],
                              capture_output=True, text=True, timeout=60)
        assert (done.stdout, nc.wait(timeout=60)) == ("finished 1000000\n", 0)
    assert (tmp_path / "received").read_bytes() == letters(1000000)


def test_an_exchange_with_socat(buffers: Path) -> None:
    port = free_port()
    with subprocess.Popen(["socat", f"TCP4-LISTEN:{port},bind=127.0.0.1,rcvbuf=4096,sndbuf=4096", "EXEC:cat"]) as socat:
        wait_for_listener(port)
        done = subprocess.run([buffers, "--buffers", "4096", "exchange", "300000", "127.0.0.1", str(port)],
                              capture_output=True, text=True, timeout=60)
        socat.kill()
    assert done.stdout == "exchanged 300000\n"


def queues_of(words: str) -> list[str]:
    """Recv-Q and Send-Q of the one connection that ss finds."""
    found = subprocess.run(["ss", "-tnH", words], capture_output=True, text=True).stdout.split()
    return found[1:3]


def test_the_queues_as_ss_shows_them(buffers: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with subprocess.Popen([buffers, "--buffers", "4096", "queues", "3000", "127.0.0.1", str(port)], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            assert program.stdin is not None and program.stdout is not None
            connection = server.accept()[0]
            connection.sendall(b"hello")
            program.stdin.write("\n")
            program.stdin.flush()
            program.stdout.readline()
            deadline = time.monotonic() + 20
            while queues_of(f"dport = :{port}") != ["5", "0"] or queues_of(f"sport = :{port}") != ["3000", "0"]:
                assert time.monotonic() < deadline
            program.stdin.write("\n")
            program.stdin.close()
            assert program.stdout.readline() == "unsent 0 unacked 0 unread 5\n"
            connection.close()
