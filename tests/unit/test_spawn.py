"""A port that was closed is free, whatever other threads start meanwhile."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader import spawn

GRADER = Path(spawn.__file__).parent
BY_THEMSELVES = {"debugger.py", "hint.py", "trace.py", "watch.py"}     # no other thread's sockets are near them
CHILDREN = 600                      # without alone() the port is taken again and again


@contextlib.contextmanager
def others(threads: int) -> Iterator[list[int]]:
    """So many threads that start one program after another; what they have started."""
    over = threading.Event()
    started: list[int] = []

    def start_all() -> None:
        while not over.is_set():
            started.append(spawn.run(["true"]).returncode)

    workers = [threading.Thread(target=start_all) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield started
    finally:
        over.set()
        for worker in workers:
            worker.join()


def listen(port: int = 0) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


def test_no_child_keeps_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "_USE_VFORK", False)    # as other builds of Python have it
    listener = listen()
    port = listener.getsockname()[1]
    with others(3) as started:
        while len(started) < CHILDREN:
            with spawn.alone():
                listener.close()
            listener = listen(port)         # OSError where somebody still listens there
    listener.close()


def test_a_run_has_its_input_and_output() -> None:
    done = spawn.run(["cat"], given=b"bytes", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, b"bytes")


def test_all_are_started_there() -> None:
    for path in (*GRADER.glob("*.py"), *GRADER.glob("verbs/*.py")):
        if path.name not in BY_THEMSELVES | {"spawn.py"}:
            assert not re.search(r"subprocess\.(Popen|run|call|check_\w+)\(", path.read_text(encoding="utf-8")), path
