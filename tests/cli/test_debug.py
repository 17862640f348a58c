"""make debug: gdb on the student's program in a failing test, at a terminal and by a pipe."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from terminal import SECONDS, Terminal, copy_kit

KIT = Path(__file__).resolve().parents[2]
FILE = "labs/lab1_client_send/client_send.c"
WAITS = "    if (port > 0)\n        pause();\n"

pytestmark = pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb isn't here")


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit of its own whose lab 1 is the solution, with a client_connect() that waits for ever first."""
    kit = copy_kit(tmp_path_factory.mktemp("debugged") / "a kit")
    source = (KIT / "solutions/lab1_client_send/client_send.c").read_text()
    start = re.search(r"^int client_connect\(.*\n\{\n", source, re.MULTILINE)
    assert start
    (kit / FILE).write_text(source[:start.end()] + WAITS + source[start.end():])
    return kit


def debug(kit: Path, *words: str, said: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "grader", "debug", *words], cwd=kit, input=said, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS / 2,
                          env={**os.environ, **variables})


def test_stops_in_the_student_s_function_with_the_test_s_arguments(kit: Path) -> None:
    done = debug(kit, "lab1", said="print ip\nnext\nbacktrace 2\nquit\n")
    assert done.returncode == 0, done.stdout
    assert "connecting/reaches_the_server" in done.stdout
    assert '"127.0.0.1"' in done.stdout
    assert re.search(r"#0  client_connect \(.*\n?.*client_send\.c:\d+", done.stdout)
    assert "pause();" in done.stdout, "the source is found"


def test_the_test_goes_on_with_its_peer_and_its_faults(kit: Path) -> None:
    """The program is let out of its endless wait by hand; then the same test passes."""
    after = (kit / FILE).read_text().partition(WAITS)[0].count("\n") + WAITS.count("\n") + 1
    done = debug(kit, "lab1", "--only", "connecting/reaches_the_server",
                 said=f"set $port = port\nset var port = 0\ntbreak {after}\ncontinue\n"
                      "set var port = $port\ncontinue\nquit\n")
    assert "exited normally" in done.stdout, done.stdout


def test_another_tests_name(kit: Path) -> None:
    done = debug(kit, "lab1", "--only", "prompts/asks_and_returns_the_line", said="quit\n")
    assert done.returncode == 0 and "it passes" in done.stdout
    assert re.search(r"Temporary breakpoint 1, prompt_line", done.stdout)
    done = debug(kit, "lab1", "--only", "prompts/no_memory_goes_wrong", said="quit\n")
    assert done.returncode == 0, "a test that valgrind watches in a grade is debugged without it"
    assert "Temporary breakpoint 1, " in done.stdout
    done = debug(kit, "lab1", "--only", "prompts/nothing")
    assert done.returncode == 2 and "has no test 'prompts/nothing'" in done.stdout
    done = debug(kit, "lab1", "--only", "connecting/bad_addresses")
    assert done.returncode == 2


def test_without_gdb_one_line_says_how(kit: Path, tmp_path: Path) -> None:
    done = debug(kit, "lab1", PATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == "socklab: gdb isn't installed: sudo apt install gdb, and then make debug once more\n"


@pytest.fixture
def terminal(kit: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*words: str) -> Terminal:
        opened.append(Terminal(kit, *words))
        return opened[-1]
    yield start
    for one in opened:
        one.close()


def test_no_clock_runs_and_ctrl_c_is_gdb_s(terminal: Callable[..., Terminal]) -> None:
    at = terminal("debug", "lab1")
    at.wait_for(r"Temporary breakpoint 1, client_connect")
    at.wait_for(r"\(gdb\)")
    at.type("continue\n")
    at.wait_for(r"Breakpoint 2, client_connect")    # the line where it waits, which the report named
    at.wait_for(r"\(gdb\)")
    at.type("continue\n")
    at.wait_for(r"Continuing")
    time.sleep(3.5)                 # more than the 2 s after which a test gives a sleeper up
    at.type("\x03")
    at.wait_for(r"SIGINT")
    at.wait_for(r"\(gdb\)")
    at.type("backtrace\n")
    at.wait_for(r"pause")
    at.wait_for(r"client_connect \(")
    at.wait_for(r"\(gdb\)")
    running = at.family()
    at.type("kill\nquit\n")
    assert at.process.wait(timeout=SECONDS) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in running), "nothing is left"


def test_who_ends_the_grader_ends_gdb_and_the_program(terminal: Callable[..., Terminal]) -> None:
    at = terminal("debug", "lab1")
    at.wait_for(r"\(gdb\)")
    running = at.family()
    at.process.terminate()
    at.close()
    until = time.monotonic() + SECONDS
    while any(Path(f"/proc/{pid}").exists() for pid in running):
        assert time.monotonic() < until, "something is left"
        time.sleep(0.05)
