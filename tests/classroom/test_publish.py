"""make publish and make unpublish: a solution goes into a students' kit once it is due, and out again."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

KIT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(KIT))

from grader.classroom import handout  # noqa: E402

LAB3 = "lab3_server_accept"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A students' kit in a folder with a blank and Chinese characters."""
    monkeypatch.setattr(handout, "try_out", lambda kit: 6)
    place = tmp_path / "a course 课程"
    handout.make(KIT, place)
    return place


def files(place: Path) -> dict[str, bytes]:
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def make(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("MAKE") and name not in ("LAB", "TO", "POLICY", "FORCE")}
    return subprocess.run(["make", *words], cwd=KIT, env=environment, capture_output=True, text=True)


def test_it_goes_in_and_out(place: Path) -> None:
    before = files(place)
    done = make("publish", "LAB=3", f"TO={place}")
    assert done.returncode == 0, done.stderr
    added = {name: content for name, content in files(place).items() if name not in before}
    assert added == {f"solutions/{LAB3}/{path.name}": path.read_bytes() for path in (KIT / "solutions" / LAB3).iterdir()}
    assert make("publish", "LAB=3", f"TO={place}").returncode == 0, "twice is no mistake"
    assert make("publish", "LAB=lab1", f"TO={place}").returncode == 0
    assert make("unpublish", "LAB=1", f"TO={place}").returncode == 0
    assert make("unpublish", "LAB=3", f"TO={place}").returncode == 0
    assert files(place) == before and not (place / "solutions").exists()


@pytest.mark.parametrize("words, says", [
    (["publish"], "LAB=N says which lab"),
    (["publish", "LAB=9"], "no lab 9"),
    (["publish", "LAB=../.."], "no lab ../.."),
    (["unpublish", "LAB=3"], "isn't published there"),
    (["publish", "LAB=3", "POLICY=/nowhere.toml"], "/nowhere.toml"),
])
def test_bad_input_is_one_line(place: Path, words: list[str], says: str) -> None:
    done = make(*words, f"TO={place}")
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert len(told) == 1 and says in told[0], done.stderr


def test_a_folder_that_is_no_students_kit(tmp_path: Path) -> None:
    done = make("publish", "LAB=3", f"TO={tmp_path}")
    assert done.returncode != 0 and "is no students' kit" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("days_ago, more, published", [
    (1, "", True), (1, '[extensions]\n"anna" = 5', False),
    *(pytest.param(*values, marks=pytest.mark.slow) for values in (
        (-1, "", False), (1, "cut_off_days = 3", False), (4, "cut_off_days = 3", True), (6, '[extensions]\n"anna" = 5', True))),
])
def test_not_while_work_still_counts(place: Path, tmp_path: Path, days_ago: int, more: str, published: bool) -> None:
    policy = tmp_path / "policy.toml"
    due = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(days=days_ago)
    policy.write_text(f"due = {due.isoformat()}\n{more}\n")
    done = make("publish", "LAB=3", f"TO={place}", f"POLICY={policy}")
    assert (done.returncode == 0) == published, done.stderr
    assert (place / "solutions" / LAB3).exists() == published
    if not published:
        assert f"{LAB3} counts until" in done.stderr
        assert make("publish", "LAB=3", f"TO={place}", f"POLICY={policy}", "FORCE=1").returncode == 0


@pytest.mark.parametrize("text", ["", "due = 3", "due = 2026-03-01", "due = 2026-03-01T10:00:00", "due = [", "\udcff",
                                  "due = 2026-03-01T10:00:00Z\nextensions = 3",
                                  'due = 2026-03-01T10:00:00Z\n[extensions]\n"anna" = "two"'])
def test_a_policy_that_is_none(place: Path, tmp_path: Path, text: str) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_bytes(text.encode(errors="surrogateescape"))
    done = make("publish", "LAB=3", f"TO={place}", f"POLICY={policy}")
    assert done.returncode != 0 and str(policy) in done.stderr and "Traceback" not in done.stderr
    assert not (place / "solutions").exists()
