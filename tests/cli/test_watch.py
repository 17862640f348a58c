"""make watch, at a terminal of its own: a save is graded soon, a newer save ends an older grade, Ctrl-C ends all."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import SECONDS, Terminal, copy_kit

KIT = Path(__file__).resolve().parents[2]
FOLDER, FILE = "lab1_client_send", "client_send.c"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    subprocess.run([sys.executable, "-m", "grader", "grade", "lab1"], cwd=KIT, stdout=subprocess.DEVNULL, check=False)
    return copy_kit(tmp_path_factory.mktemp("watched") / "kit")


class Watched(Terminal):
    """make watch, and the file that it watches."""

    def __init__(self, kit: Path) -> None:
        self.file = kit / "labs" / FOLDER / FILE
        shutil.copy(KIT / "labs" / FOLDER / FILE, self.file)
        super().__init__(kit, "watch", "lab1")

    def folder(self) -> Path:
        """Where the grade that runs now puts what it needs for a while."""
        pid = self.process.pid
        child = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        return Path(re.search(rb"TMPDIR=([^\0]+)", Path(f"/proc/{child}/environ").read_bytes())[1].decode())  # type: ignore[index]


@pytest.fixture
def terminal(kit: Path) -> Iterator[Watched]:
    shown = Watched(kit)
    yield shown
    shown.close()


def solution() -> str:
    return (KIT / "solutions" / FOLDER / FILE).read_text()


def gone(pids: set[int]) -> bool:
    """Whether none of them is there any more, nor waits for its parent."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_save_is_graded(terminal: Watched) -> None:
    terminal.wait_for(r"watching lab1_client_send")
    terminal.wait_for(r" 0/100")
    terminal.wait_for(r"the next save grades again")
    terminal.file.write_text(solution())
    terminal.wait_for(r"client_send\.c is saved")
    terminal.wait_for(r"100/100")


def test_a_save_by_renaming_with_an_old_time_is_seen(terminal: Watched) -> None:
    """As some editors save, and as cp -p restores."""
    terminal.wait_for(r"the next save grades again")
    aside = terminal.file.with_suffix(".new")
    aside.write_text(solution())
    os.utime(aside, (1e9, 1e9))
    aside.rename(terminal.file)
    terminal.wait_for(r"100/100")


def test_what_editors_leave_beside_it_is_no_save(terminal: Watched) -> None:
    terminal.wait_for(r"the next save grades again")
    for name in (".client_send.c.swp", "client_send.c~", "#client_send.c#", "4913"):
        (terminal.file.parent / name).write_text("x")
    terminal.read(1.0)
    for name in (".client_send.c.swp", "client_send.c~", "#client_send.c#", "4913"):
        (terminal.file.parent / name).unlink()
    assert "is saved" not in terminal.seen


def test_a_newer_save_ends_the_older_grade(terminal: Watched) -> None:
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


def test_ctrl_c_in_the_middle_leaves_nothing(terminal: Watched) -> None:
    terminal.wait_for(r"the next save grades again")
    terminal.file.write_text(solution() + "/* once more */\n")
    terminal.wait_for(r"grading: lab1 [1-9]")
    running, folder = terminal.family(), terminal.folder()
    assert len(running) > 2 and folder.is_dir()
    assert terminal.interrupt() == 130
    assert gone(running) and not folder.exists()
    assert "Traceback" not in terminal.seen and "100/100" not in terminal.seen


def test_ctrl_c_at_rest(terminal: Watched) -> None:
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
