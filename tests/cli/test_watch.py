"""make watch, at a terminal of its own: a save is graded soon, a newer save ends an older grade, Ctrl-C ends all."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

KIT = Path(__file__).resolve().parents[2]
SECONDS = 60                        # for what takes one or two on a machine at rest
FOLDER, FILE = "lab1_client_send", "client_send.c"


def copy_kit(to: Path) -> Path:
    """A kit of its own: what is saved here is saved nowhere else. What was built is shared by content."""
    for name in ("labs", "grader", "docs"):
        shutil.copytree(KIT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(KIT / "build" / "cache", to / "build" / "cache", dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns(".*", "*-student-*", *(f"lab{n}-*" for n in range(2, 10))))
    return to


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    subprocess.run([sys.executable, "-m", "grader", "grade", "lab1"], cwd=KIT, stdout=subprocess.DEVNULL, check=False)
    return copy_kit(tmp_path_factory.mktemp("watched") / "kit")


class Terminal:
    """python3 -m grader watch at a terminal; what it shows is gathered in `seen`."""

    def __init__(self, kit: Path, *words: str) -> None:
        self.file = kit / "labs" / FOLDER / FILE
        self.master, theirs = pty.openpty()
        self.process = subprocess.Popen([sys.executable, "-m", "grader", "watch", *words], cwd=kit, stdin=theirs,
                                        stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"},
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        self.seen = ""

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Until it is on the screen. What came before it is forgotten."""
        until = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < until, f"{pattern} isn't in {self.seen!r}"
            self.read(0.05)
        self.seen = self.seen[found.end():]
        return found

    def read(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
            except OSError:         # the terminal's other side is closed
                pass

    def family(self) -> set[int]:
        """All processes below it."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    found += map(int, task.read_text().split())
                except OSError:
                    pass
        return set(found[1:])

    def folder(self) -> Path:
        """Where the grade that runs now puts what it needs for a while."""
        child = next(pid for pid in self.family() if Path(f"/proc/{pid}/stat").read_text().split()[3] == str(self.process.pid))
        return Path(re.search(rb"TMPDIR=([^\0]+)", Path(f"/proc/{child}/environ").read_bytes())[1].decode())  # type: ignore[index]

    def interrupt(self) -> int:
        """Ctrl-C; its exit status."""
        os.write(self.master, b"\x03")
        status = self.process.wait(timeout=SECONDS)
        self.read(0.1)
        return status


@pytest.fixture
def terminal(kit: Path) -> Iterator[Terminal]:
    shutil.copy(KIT / "labs" / FOLDER / FILE, kit / "labs" / FOLDER / FILE)
    shown = Terminal(kit, "lab1")
    yield shown
    if shown.process.poll() is None:
        shown.process.send_signal(signal.SIGTERM)
        shown.process.wait(timeout=SECONDS)
    os.close(shown.master)


def solution() -> str:
    return (KIT / "solutions" / FOLDER / FILE).read_text()


def gone(pids: set[int]) -> bool:
    """Whether none of them is there any more, nor waits for its parent."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_save_is_graded(terminal: Terminal) -> None:
    terminal.wait_for(r"watching lab1_client_send")
    terminal.wait_for(r" 0/100")
    terminal.wait_for(r"the next save grades again")
    terminal.file.write_text(solution())
    terminal.wait_for(r"client_send\.c is saved")
    terminal.wait_for(r"100/100")


def test_a_save_by_renaming_with_an_old_time_is_seen(terminal: Terminal) -> None:
    """As some editors save, and as cp -p restores."""
    terminal.wait_for(r"the next save grades again")
    aside = terminal.file.with_suffix(".new")
    aside.write_text(solution())
    os.utime(aside, (1e9, 1e9))
    aside.rename(terminal.file)
    terminal.wait_for(r"100/100")


def test_what_editors_leave_beside_it_is_no_save(terminal: Terminal) -> None:
    terminal.wait_for(r"the next save grades again")
    for name in (".client_send.c.swp", "client_send.c~", "#client_send.c#", "4913"):
        (terminal.file.parent / name).write_text("x")
    terminal.read(1.0)
    for name in (".client_send.c.swp", "client_send.c~", "#client_send.c#", "4913"):
        (terminal.file.parent / name).unlink()
    assert "is saved" not in terminal.seen


def test_a_newer_save_ends_the_older_grade(terminal: Terminal) -> None:
    terminal.wait_for(r"the next save grades again")
    terminal.file.write_text(solution() + "/* the older */\n")
    terminal.wait_for(r"is saved")
    terminal.wait_for(r"grading: lab1 [1-9]")
    older = terminal.family()
    assert len(older) > 2, "a grade has a suite, and programs"
    terminal.file.write_text(solution() + "\n#error the newer\n")
    shown = terminal.wait_for(r"is saved[^$]*grading")[0]
    assert gone(older), "the older grade has ended when the newer begins"
    terminal.wait_for(r"doesn't compile: client_send.c:\d+: #error the newer")
    terminal.wait_for(r"the next save grades again")
    assert "100/100" not in shown + terminal.seen


def test_ctrl_c_in_the_middle_leaves_nothing(terminal: Terminal) -> None:
    terminal.wait_for(r"the next save grades again")
    terminal.file.write_text(solution() + "/* once more */\n")
    terminal.wait_for(r"grading: lab1 [1-9]")
    running, folder = terminal.family(), terminal.folder()
    assert len(running) > 2 and folder.is_dir()
    assert terminal.interrupt() == 130
    assert gone(running) and not folder.exists()
    assert "Traceback" not in terminal.seen and "100/100" not in terminal.seen


def test_ctrl_c_at_rest(terminal: Terminal) -> None:
    terminal.wait_for(r"the next save grades again")
    assert terminal.interrupt() == 130


def test_without_a_terminal_it_writes_no_control_characters(kit: Path) -> None:
    with subprocess.Popen([sys.executable, "-m", "grader", "watch", "lab1", "--brief"], cwd=kit, stdout=subprocess.PIPE,
                          text=True, encoding="utf-8") as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "the next save" in line:
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SECONDS) == 130
    assert "\x1b" not in "".join(lines)
    assert any(line.startswith("lab1  client send: ") for line in lines)


def test_a_lab_that_does_not_exist() -> None:
    done = subprocess.run([sys.executable, "-m", "grader", "watch", "lab9"], cwd=KIT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("socklab: no lab9: there are lab1")
