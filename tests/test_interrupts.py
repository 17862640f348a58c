"""A grade that is interrupted or killed at any moment leaves no process, no temporary file and no half-written report.

The moments are random, from SEED. A kill -9 of the keeper can't tidy up at once: its processes end, and its files are
removed by the next grade.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit import KIT, LABS, solution

sys.path.insert(0, str(KIT / "tests" / "cli"))
from terminal import Terminal, copy_kit  # noqa: E402

from grader import kernel  # noqa: E402

SEED = os.environ.get("SEED", "leave no trace")
LAB = LABS["lab3"]
GONE_WITHIN = 10                # seconds, for what was killed on a busy machine
LATEST = 1.8                    # seconds: a grade takes a little less on a machine that has nothing else to do
QUICK, MANY = 6, 50


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = copy_kit(tmp_path_factory.mktemp("interrupted") / "kit")
    shutil.copytree(KIT / "tools", place / "tools")
    shutil.copy(KIT / "Makefile", place)
    subprocess.run([sys.executable, "-m", "grader", "grade", LAB.id], cwd=place, stdout=subprocess.DEVNULL, check=False)
    return place


@pytest.fixture(autouse=True)
def adopting() -> Iterator[None]:
    """Whatever a test starts stays below this process, where it is seen."""
    kernel.adopt_orphans()
    yield
    kernel._libc().prctl(36, 0, 0, 0, 0)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for temporary files whose path isn't too long for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="sl-", dir="/tmp") as folder:
        yield Path(folder)


def left_over() -> list[int]:
    """What is still there of what a test started, without what has ended."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return kernel.family(os.getpid())[1:]
        except ChildProcessError:
            return []


def check_all_gone() -> None:
    deadline = time.monotonic() + GONE_WITHIN
    while left := left_over():
        assert time.monotonic() < deadline, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]
        time.sleep(0.01)


def traces(kit: Path, temporary: Path) -> list[str]:
    """What lies about that shouldn't."""
    places = [kit / "build", kit / "build" / "cache", *(kit / "build").glob("lab*"), temporary]
    return [str(path) for place in places for path in [*place.glob(".*"), *place.glob("socklab-*")]]


def check_whole(report: Path) -> None:
    if report.exists():
        assert json.loads(report.read_text())["labs"]


class Grade:
    """A grade of a program that was never compiled before, in a session of its own."""

    def __init__(self, kit: Path, folder: Path, temporary: Path, mark: str) -> None:
        self.temporary, self.report = temporary, folder / "reports" / "report.json"
        place = folder / "tree" / LAB.folder.name
        for made in (self.report.parent, place):
            made.mkdir(parents=True, exist_ok=True)
        (place / LAB.file_name).write_text(f"/* {mark} */\n{solution(LAB)}")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "grader", "grade", LAB.id, "--from", str(folder / "tree"), "--json", str(self.report)],
            cwd=kit, env={**os.environ, "TMPDIR": str(self.temporary)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True)

    def worker(self) -> int | None:
        """The keeper's child."""
        try:
            pid = self.process.pid
            return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        except (OSError, IndexError):
            return None

    def end(self) -> tuple[int, str]:
        output, errors = self.process.communicate(timeout=60)
        assert "Traceback" not in errors, errors
        return self.process.returncode, errors


def interrupt(kit: Path, folder: Path, temporary: Path, number: int) -> None:
    """One random moment: all must be as if the grade had never been, or had ended before."""
    chance = random.Random(f"{SEED}/{number}")
    how = chance.choice(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "all", "twice"])
    grade = Grade(kit, folder, temporary, f"{SEED} {number}")
    wanted = getattr(signal, how, signal.SIGINT)
    time.sleep(chance.uniform(0.15, LATEST))        # before it, Python itself is interrupted while it starts
    if how in ("all", "twice"):
        os.killpg(grade.process.pid, signal.SIGINT)
        if how == "twice":
            time.sleep(chance.uniform(0, 0.05))
            try:
                os.killpg(grade.process.pid, signal.SIGINT)
            except ProcessLookupError:
                pass
    else:
        grade.process.send_signal(wanted)
    status, errors = grade.end()
    told = f"{number}: {how}: {status}: {errors}"
    if status == -wanted or status == 130 and errors == "":
        pass                                        # while Python itself began: there was no grade yet
    elif status != 0:
        assert status == 128 + wanted, told
        assert errors.count("\n") == 1 and f"interrupted by {wanted.name}" in errors, told
    assert left_over() == [], told                  # at once: the keeper has waited for them
    assert traces(kit, grade.temporary) == [], told
    assert [path for path in grade.report.parent.iterdir() if path != grade.report] == [], told
    check_whole(grade.report)


def kill(kit: Path, folder: Path, temporary: Path, number: int) -> None:
    """One random moment, kill -9 of the grader or of its keeper."""
    chance = random.Random(f"{SEED}/kill/{number}")
    grade = Grade(kit, folder, temporary, f"{SEED} kill {number}")
    time.sleep(chance.uniform(0.15, LATEST))
    worker = grade.worker() if number % 2 else None
    try:
        os.kill(worker or grade.process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    status, errors = grade.end()
    if worker is not None:
        assert status in (0, 3), errors             # 0: it had finished
        assert status == 0 or "the grader failed: it was killed by SIGKILL" in errors
        assert left_over() == [] and traces(kit, grade.temporary) == [], number
    check_all_gone()
    check_whole(grade.report)
    again = subprocess.run([sys.executable, "-m", "grader", "grade", LAB.id], cwd=kit, capture_output=True, text=True,
                           env={**os.environ, "TMPDIR": str(grade.temporary)})
    assert again.returncode == 1, again.stderr
    assert traces(kit, grade.temporary) == [], number
    assert [path for path in grade.report.parent.iterdir() if path != grade.report] == [], number


@pytest.mark.parametrize("number", range(QUICK))
def test_an_interrupt_leaves_nothing(kit: Path, tmp_path: Path, short: Path, number: int) -> None:
    interrupt(kit, tmp_path, short, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(QUICK, MANY))
def test_an_interrupt_at_any_moment_leaves_nothing(kit: Path, tmp_path: Path, short: Path, number: int) -> None:
    interrupt(kit, tmp_path, short, number)


@pytest.mark.parametrize("number", range(4))
def test_what_a_killed_grader_leaves_the_next_grade_removes(kit: Path, tmp_path: Path, short: Path, number: int) -> None:
    kill(kit, tmp_path, short, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4, MANY))
def test_a_kill_at_any_moment(kit: Path, tmp_path: Path, short: Path, number: int) -> None:
    kill(kit, tmp_path, short, number)


@pytest.mark.parametrize("times", [1, 2])
def test_make_grade_is_interrupted_at_a_terminal(kit: Path, short: Path, times: int) -> None:
    terminal = Terminal(kit, "grade", f"LAB={LAB.number}", f"FROM={KIT / 'solutions'}", program=("make",),
                        TMPDIR=str(short))
    terminal.wait_for(rf"grading: {LAB.id} \d+/\d+")
    for _ in range(times):
        terminal.type("\x03")
    terminal.wait_for(r"interrupted by SIGINT: nothing was graded")
    assert terminal.process.wait(timeout=20) in (2, 130, -signal.SIGINT)
    terminal.close()
    check_all_gone()
    assert traces(kit, short) == []


def test_a_lock_says_who_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another grade's folder stays while its keeper lives, and what it names with it; then both go. What isn't called
    like something aside stays in any case."""
    from grader import claims
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder, lock = claims.make()
    aside, precious = tmp_path / ".report-1", tmp_path / "thesis"
    for number, path in enumerate((aside, precious)):
        path.write_text("…")
        (folder / f"{claims.LINK}{number}").symlink_to(path)
    claims.sweep(folder.parent)
    assert folder.exists() and aside.exists()
    os.close(lock)
    claims.sweep(folder.parent)
    assert not folder.exists() and not aside.exists() and precious.exists()
