"""The scores that are kept from grade to grade: two grades that end at once lose none."""

from __future__ import annotations

import json
import platform
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

KIT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(KIT))

from grader import cli  # noqa: E402

FLOCK = {"x86_64": "73", "aarch64": "32"}[platform.machine()]


def results(lab: str, score: int) -> tuple[SimpleNamespace, ...]:
    return (SimpleNamespace(lab=SimpleNamespace(id=lab), score=score),)


def is_at_lock(thread: threading.Thread) -> bool:
    """Whether the kernel has it in flock(2)."""
    try:
        return Path(f"/proc/self/task/{thread.native_id}/syscall").read_text().split()[0] == FLOCK
    except OSError:                 # it has ended
        return False


def test_two_grades_that_end_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first has read what was kept and has yet to write, until the second has written, or waits for the first."""
    place, written = tmp_path / "build" / "progress.json", threading.Event()
    write = cli.files.write

    def second() -> None:
        cli._progress_of(results("lab2", 60), cli.Writing())        # type: ignore[arg-type]
        written.set()

    def slow_write(to: Path, text: str) -> None:
        if threading.current_thread() is threading.main_thread():
            other = threading.Thread(target=second)
            other.start()
            while not written.is_set() and not is_at_lock(other):
                time.sleep(0.001)
        write(to, text)

    monkeypatch.setattr(cli, "PROGRESS", place)
    monkeypatch.setattr(cli.files, "write", slow_write)
    cli._progress_of(results("lab1", 50), cli.Writing())            # type: ignore[arg-type]
    assert written.wait(20)
    kept = json.loads(place.read_text())
    assert (kept["lab1"], kept["lab2"]) == (50, 60)


def test_what_is_no_record_of_scores_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "PROGRESS", tmp_path / "progress.json")
    for text in ("", "[1]", '{"lab1": "x", "lab9": 3}'):
        cli.PROGRESS.write_text(text)
        assert cli._progress_of(results("lab2", 60), cli.Writing()) == {      # type: ignore[arg-type]
            **{lab.id: None for lab in cli.find_labs()}, "lab2": 60}
