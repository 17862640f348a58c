"""make trace: each lab's program by hand, with real peers on loopback: drawn while it runs, and saved."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from terminal import SECONDS, Terminal, copy_kit

KIT = Path(__file__).resolve().parents[2]
NAMES = {folder.name.partition("_")[0]: folder for folder in (KIT / "labs").glob("lab*_*")}
INCLUDES = "#include <signal.h>\n#include <stdlib.h>\n#include <string.h>\n"
SOCKLAB = [sys.executable, "-m", "grader", "trace"]


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit of its own, whose labs are solved."""
    kit = copy_kit(tmp_path_factory.mktemp("traced") / "a kit")
    shutil.copytree(KIT / "solutions", kit / "labs", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.md"))
    return kit


class Run:
    """A program under trace, without a terminal; both its output and its ladder are gathered."""

    def __init__(self, kit: Path, lab: str, *words: str, **variables: str) -> None:
        self.kit, self.lab = kit, lab
        self.process = subprocess.Popen([*SOCKLAB, lab, "--", *words], cwd=kit, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                                        env={**os.environ, **variables})
        self.live = ""

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Until the live ladder has it."""
        assert self.process.stderr
        until = time.monotonic() + SECONDS / 3
        while not (found := re.search(pattern, self.live)):
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, until - time.monotonic()))
            piece = os.read(self.process.stderr.fileno(), 65536) if ready else b""
            assert piece, f"{pattern} isn't in {self.live}"
            self.live += piece.decode()
        return found

    def say(self) -> str:
        """The next line that the program prints."""
        assert self.process.stdout
        return self.process.stdout.readline().decode()

    def port(self) -> int:
        """The port that a server says it has."""
        return int(self.say().strip().rpartition(":")[2])

    def end(self, signal_number: int | None = None) -> int:
        """Ctrl-C, or its own end; its status."""
        if signal_number is not None:
            os.killpg(self.process.pid, signal_number)
        output, live = self.process.communicate(timeout=SECONDS)
        self.live += live.decode()
        return self.process.returncode

    def text(self) -> str:
        """The ladder that was saved."""
        return (self.kit / "build" / self.lab / "trace.txt").read_text(encoding="utf-8")

    def svg(self) -> str:
        """The same as a picture, which is well-formed."""
        picture = (self.kit / "build" / self.lab / "trace.svg").read_text(encoding="utf-8")
        xml.fromstring(picture)
        return picture


@pytest.fixture
def trace(kit: Path) -> Iterator[Callable[..., Run]]:
    started: list[Run] = []

    def start(*words: str, **variables: str) -> Run:
        started.append(Run(kit, *words, **variables))
        return started[-1]
    yield start
    for run in started:
        if run.process.poll() is None:
            os.killpg(run.process.pid, signal.SIGKILL)
        run.process.communicate()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)
        yield server


def port_of(server: socket.socket) -> str:
    return str(server.getsockname()[1])


def dial(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    return client


def rung(line: str | int, call: str, between: str) -> str:
    """A pattern for one line of a ladder."""
    return rf"(?m)^ *{line}  (\w+: )?{call} *│.*{between}.*│"


def edited(kit: Path, lab: str, old: str, new: str) -> Iterator[None]:
    """The lab's solution with an edit, as long as it lasts."""
    place = kit / "labs" / NAMES[lab].name / f"{NAMES[lab].name.partition('_')[2]}.c"
    source = place.read_text()
    assert source.count(old) == 1
    place.write_text(INCLUDES + source.replace(old, new))
    yield
    place.write_text(source)


def test_lab1_sends(trace: Callable[..., Run], listener: socket.socket) -> None:
    run = trace("lab1", "127.0.0.1", port_of(listener), "hello")
    server, _ = listener.accept()
    with server:
        assert server.recv(100) == b"hello"
    assert run.end() == 0
    for shown in (run.live, run.text()):
        assert re.search(rung(r"\d+", rf"connect\(3, 127\.0\.0\.1:{port_of(listener)}\)", "►"), shown)
        assert re.search(rung(r"\d+", r"send\(3, …, 5.*\) = 5", '"hello".*►'), shown)
        assert "the program exits with status 0" in shown
        assert all(len(line) <= 80 for line in shown.splitlines())
    assert "saved: build/lab1/trace.txt and build/lab1/trace.svg\n" in run.live
    assert "hello" in run.svg()


def test_lab1_asks_at_the_terminal(kit: Path, listener: socket.socket) -> None:
    """As by hand: the prompts work, and what isn't ASCII."""
    at = Terminal(kit, "trace", "lab1")
    try:
        at.wait_for("server IP: ")
        at.type("127.0.0.1\n")
        at.wait_for("port: ")
        at.type(port_of(listener) + "\n")
        at.wait_for("message: ")
        at.type("你好\n")
        server, _ = listener.accept()
        with server:
            at.wait_for(r'send\(3.*"你好"')
        assert at.process.wait(timeout=SECONDS) == 0
    finally:
        at.close()


def test_lab2_waits_and_then_receives(trace: Callable[..., Run], listener: socket.socket) -> None:
    run = trace("lab2", "--exactly", "8", "127.0.0.1", port_of(listener))
    server, _ = listener.accept()
    with server:
        waits = run.wait_for(r"(?m)^ *(\d+)  recv\(3, …, 8\) +│? *waits")
        source = (NAMES["lab2"].parents[1] / "solutions/lab2_client_recv/client_recv.c").read_text().splitlines()
        assert "recv(" in source[int(waits[1]) - 1], "the line is named at which it waits"
        server.sendall(b"hel")
        run.wait_for(rung(waits[1], r"recv\(3, …, 8\) = 3", '◄.*"hel"'))
        run.wait_for(r"recv\(3, …, 5\) +│? *waits")
        server.sendall(b"lo you")
        run.wait_for(rung(waits[1], r"recv\(3, …, 5\) = 5", '◄.*"lo yo"'))
    assert run.end() == 0


def test_lab2_whose_given_code_finds_nobody(trace: Callable[..., Run], listener: socket.socket) -> None:
    port = port_of(listener)
    listener.close()
    run = trace("lab2", "--line", "127.0.0.1", port)
    assert run.end() == 0
    assert re.search(rf"given  connect\(3, 127\.0\.0\.1:{port}\) = -1 ECONNREFUSED", run.text())
    assert "the program exits with status 1" in run.text()


def test_lab3_two_clients_in_turn_and_ctrl_c(trace: Callable[..., Run]) -> None:
    run = trace("lab3", "127.0.0.1", "0")
    port = run.port()
    run.wait_for(r"accept\(3, …\) +(│ )?.*waits")
    with dial(port) as first:
        first.sendall(b"one\n")
        address = f"127.0.0.1:{first.getsockname()[1]}"
        run.wait_for(rung(r"\d+", r"accept\(3, …\) = 4", f"◄.*{address}") + " client 1")
        run.wait_for(rung(r"\d+", r"recv\(4, …, \d+\) = 4", r'◄.*"one\\n"'))
        run.wait_for(rung(r"\d+", r"send\(4, …, 4.*\) = 4", r'"one\\n".*►'))
        assert first.recv(100) == b"one\n"
    run.wait_for(rung(r"\d+", r"recv\(4, …, \d+\) = 0", "◄.* end "))
    second = dial(port)
    run.wait_for(rung(r"\d+", r"accept\(3, …\) = 4", "◄") + " client 2")
    second.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    second.close()
    run.wait_for(rung(r"\d+", r"recv\(4, ….*\) = -1 ECONNR.*", "◄.* reset ") + r" \(client 2\)")
    run.wait_for(r"accept\(3, …\) +(│ )?.*waits(.|\n)*accept\(3, …\) +(│ )?.*waits")
    assert run.end(signal.SIGINT) == 130
    assert re.search(r"accept\(3, …\) +killed here by SIGINT", run.text())
    assert run.text().count("client 1") >= 3 and "client 2" in run.svg()


def test_lab4_who_ends_first(trace: Callable[..., Run]) -> None:
    run = trace("lab4", "127.0.0.1", "0")
    with dial(run.port()) as client:
        assert client.recv(100) == b"good-bye\n"
    assert run.end() == 0
    assert re.search(rung("given", r"send\(4, …, 9.*\) = 9", r'"good-bye\\n".*►'), run.text())
    assert re.search(rung(r"\d+", r"shutdown\(4, SHUT_WR\)", " "), run.text())


def test_lab5_threads_and_clients_side_by_side(trace: Callable[..., Run]) -> None:
    """Ctrl-C is the program's own: it stops in good order, and that is seen."""
    run = trace("lab5", "127.0.0.1", "0")
    port = run.port()
    clients = []
    for number in (1, 2, 3):
        client = dial(port)
        clients.append(client)
        client.sendall(b"number %d" % number)
        assert client.recv(100) == b"number %d" % number
        found = run.wait_for(rung(r"\d+", rf"recv\({number + 3}, …, \d+\) = 8", f'◄.*"number {number}"'))
        assert found[1] == f"t{number + 2}: ", "each client has a thread"
    run.wait_for(r"t4: recv\(5, ….*waits +│ \(client 2\)")
    assert run.end(signal.SIGINT) == 0
    for client in clients:
        client.close()
    assert "the program exits with status 0" in run.text()
    assert re.search(r"main: shutdown\(3, SHUT_RDWR\)", run.text())
    assert all(f"client {number}" in run.svg() for number in (1, 2, 3))


def test_lab5_many_clients_are_all_in_the_file(trace: Callable[..., Run]) -> None:
    run = trace("lab5", "127.0.0.1", "0")
    port = run.port()
    for number in range(40):
        with dial(port) as client:
            client.sendall(b"x" * 100)
            assert client.recv(100, socket.MSG_WAITALL)
    assert run.end(signal.SIGINT) == 0
    assert len(re.findall(r"accept\(3, …\) = \d", run.text())) == 40
    assert "client 40" in run.text()
    run.svg()


def test_lab6_fills_the_boxes(trace: Callable[..., Run], listener: socket.socket) -> None:
    run = trace("lab6", "--buffers", "4096", "fill", "127.0.0.1", port_of(listener))
    server, _ = listener.accept()
    with server:
        assert run.end() == 0
    assert re.search(r"setsockopt\(3, SO_SNDBUF, 4096\)", run.text())
    assert re.search(r"send\(3, .*\) = -1 EAGAIN", run.text())


def test_what_comes_fast_is_drawn_as_its_gist(trace: Callable[..., Run]) -> None:
    run = trace("lab3", "--clients", "1", "127.0.0.1", "0")
    sent = got = 0
    with dial(run.port()) as client:
        while sent < 4_000_000:
            sent += client.send(b"x" * 4096)
            got += len(client.recv(65536))
        client.shutdown(socket.SHUT_WR)
        while piece := client.recv(65536):
            got += len(piece)
    assert got == sent
    assert run.end() == 0
    assert len(re.findall(r"the same × [\d,]+ more", run.live)) >= 1
    assert len(run.live.splitlines()) < 300 and len(run.text().splitlines()) < 300
    assert f"{sent:,}"[:2] in run.text(), "what is folded is counted"


# ---- what goes wrong --------------------------------------------------------------------------------

@pytest.mark.parametrize("code, name", [
    ("*(volatile char *)8 = 1;", "SIGSEGV"),
    ("memset((char *)8 + len, 1, len + 100);", "SIGSEGV"),
    ("abort();", "SIGABRT"),
    ("return (int)(5 / (len - 5));", "SIGFPE"),
    ("if (len != 9) { char *p = malloc(len); free(p); __asm__ volatile(\"\" : \"+r\"(p)); free(p); }", "SIGABRT"),
    ("raise(SIGSEGV);", "SIGSEGV"),
    ("if (len > 0) return send_all(fd, data, len + 1) + (int)len;", "SIGSEGV"),
])
def test_a_crash_names_signal_and_line(kit: Path, trace: Callable[..., Run], listener: socket.socket, code: str,
                                       name: str) -> None:
    start = "    const char *next = data;\n"
    for _ in edited(kit, "lab1", start, f"{start}{code}\n"):
        source = (kit / "labs/lab1_client_send/client_send.c").read_text()
        line = source[:source.index(code)].count("\n") + 1
        first = source[:source.index("\nint send_all(") + 1].count("\n") + 1
        # a stack overflows at any step into the function
        lines = "|".join(map(str, range(first, line + 1) if "send_all" in code else [line]))
        run = trace("lab1", "127.0.0.1", port_of(listener), "hello")
        assert run.end() == 0, run.live
    assert f"killed by {name}" in run.text()
    said = " ".join(run.live.split())
    assert re.search(rf"client_send was killed by {name} \(.*\) at client_send\.c:({lines}) ", said), run.live
    assert re.search(rf"(?m)^ *({lines})  killed by {name}", run.text())


def test_a_crash_in_one_thread_of_several(kit: Path, trace: Callable[..., Run]) -> None:
    start = "        count_bytes(client->server, (size_t)n);\n"
    crash = "        if (buffer[0] == '!') *(volatile char *)8 = 1;\n"
    for _ in edited(kit, "lab5", start, crash + start):
        line = (kit / "labs/lab5_threaded_server/threaded_server.c").read_text().partition(crash)[0].count("\n") + 1
        run = trace("lab5", "127.0.0.1", "0")
        port = run.port()
        with dial(port), dial(port) as second:
            run.wait_for(r"recv\(5, ….*waits")
            second.sendall(b"!")
            assert run.end() == 0
    assert re.search(rf"(?m)^ *{line}  killed by SIGSEGV", run.text())
    assert "killed here" not in run.text(), "the other threads only waited"


def test_output_that_is_meant_for_a_terminal(kit: Path, trace: Callable[..., Run], listener: socket.socket) -> None:
    """Bytes from the wire are shown and not obeyed, in each file."""
    run = trace("lab2", "--all", "127.0.0.1", port_of(listener), "\x1b[2J<&\"")
    server, _ = listener.accept()
    with server:
        assert server.recv(100)
        server.sendall(b"\x1b[31mred</text>&\x00\n")
    assert run.end() == 0
    assert r"\e[31m" in run.text(), run.text()
    for shown in (run.live, run.text(), run.svg()):
        assert "\x1b" not in shown and "\x00" not in shown
    assert "red</text>" not in run.svg()


@pytest.mark.parametrize("variables", [{"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
                                       {"PYTHONIOENCODING": "ascii"}])
def test_a_terminal_with_ascii_alone(trace: Callable[..., Run], listener: socket.socket, variables: dict[str, str]) -> None:
    run = trace("lab1", "127.0.0.1", port_of(listener), "你好", **variables)
    server, _ = listener.accept()
    with server:
        assert server.recv(100).decode() == "你好"
        assert run.end() == 0
    assert run.live.isascii() and re.search(r"send\(3, .*\|-.*->\|", run.live)
    assert '"你好"' in run.text(), "the file is UTF-8 all the same"


def test_who_ends_it_ends_the_program(trace: Callable[..., Run]) -> None:
    run = trace("lab3", "127.0.0.1", "0")
    port = run.port()
    run.wait_for(r"accept\(3, …\) +(│ )?.*waits")
    run.process.terminate()
    assert run.end() == 0
    assert "killed here by SIGTERM" in run.text()
    with pytest.raises(ConnectionRefusedError):
        dial(port)


def test_nobody_reads_the_ladder(kit: Path) -> None:
    """| head: the program isn't left behind."""
    process = subprocess.Popen([*SOCKLAB, "lab3", "--", "127.0.0.1", "0"], cwd=kit, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout and process.stderr
    port = int(process.stdout.readline().strip().rpartition(":")[2])
    process.stderr.close()
    with dial(port) as client:
        client.sendall(b"x")
        assert process.wait(timeout=SECONDS) == 0       # who has stopped reading is no failure
    process.stdout.close()
    with pytest.raises(ConnectionRefusedError):
        dial(port)


def test_without_arguments_a_program_says_how_it_is_used(trace: Callable[..., Run]) -> None:
    run = trace("lab3")
    assert run.end() == 0
    assert "usage: server_accept" in run.live and "the program exits with status 2" in run.text()


def refused(kit: Path, *words: str) -> str:
    done = subprocess.run([*SOCKLAB, *words], cwd=kit, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=SECONDS)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_what_cannot_be_traced_is_one_line(kit: Path, tmp_path: Path) -> None:
    assert refused(kit, "lab9").startswith("socklab: no lab9: there are lab1, ")
    assert "no closing quotation" in refused(kit, "lab1", "--args", "127.0.0.1 'x")
    assert refused(kit, "lab1", "--from", str(tmp_path)) == "socklab: lab1_client_send/client_send.c is missing\n"
    for _ in edited(kit, "lab1", "    const char *next = data;\n", "    const char *next = ;\n"):
        assert re.match(r"socklab: it doesn't compile: client_send\.c:\d+: expected expression", refused(kit, "lab1"))


def test_make_takes_any_words(kit: Path, listener: socket.socket) -> None:
    """Blanks, quotes, a $ and a # reach the program as a shell would give them."""
    shutil.copy(KIT / "Makefile", kit)
    if not (kit / "tools").exists():
        shutil.copytree(KIT / "tools", kit / "tools")
    message = "it's 1 \"$HOME\" $(x `y` #z %s"
    quoted = "'it'\\''s 1 \"$HOME\" $(x `y` #z %s'"
    done = subprocess.run(["make", "trace", "LAB=1", f"ARGS=127.0.0.1 {port_of(listener)} {quoted}"], cwd=kit,
                          capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    server, _ = listener.accept()
    with server:
        assert server.recv(100).decode() == message
    assert (kit / "build/lab1/trace.txt").read_text().startswith("lab1  client_send 127.0.0.1 ")


def test_it_begins_at_once(trace: Callable[..., Run], listener: socket.socket) -> None:
    """With the program built, a client has dialled before a learner has looked up."""
    trace("lab1", "127.0.0.1", port_of(listener), "once").end()
    listener.accept()[0].close()
    began = time.monotonic()
    trace("lab1", "127.0.0.1", port_of(listener), "twice")
    server, _ = listener.accept()
    server.close()
    assert time.monotonic() - began < 5
