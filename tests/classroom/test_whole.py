"""A class graded for real: killed half-way, in two parts, and with everything tampered with, the marks and files are the
same. test_runs.py tries the same, and more, with a stand-in for the grader."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

KIT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(KIT / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from kit import LABS, mutants, solution  # noqa: E402
from test_runs import steady  # noqa: E402

from grader.classroom import records  # noqa: E402

pytestmark = pytest.mark.slow
LAB = LABS["lab1"]
WRONG = next(one for one in mutants("mutants") if one.lab == LAB)
WORKS = {"anna": solution(LAB), "ben": WRONG.source(), "dora": solution(LAB) + "\nint unfinished(\n",
         "eve": (LAB.folder / LAB.file_name).read_text()}
TIMED = (".html", ".txt")           # a page has times, ports and ladders


def hand_in(place: Path, source: str) -> None:
    """The file where it belongs, always of the same time."""
    file = place / "labs" / LAB.folder.name / LAB.file_name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    os.utime(file, (1_800_000_000, 1_800_000_000))


def words(folder: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "grader", "class", str(folder), "--out", str(out), "--labs", "lab1", "--seed", "cafe",
            "--sandbox", "auto", *more]


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=KIT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def files(out: Path) -> dict[str, object]:
    """What is the same in every run, and which other files there are."""
    return {name: "" if Path(name).parent.name == "reports" and Path(name).suffix in TIMED else content
            for name, content in steady(out).items()}


def marks(out: Path) -> dict[str, int]:
    return {row.student: row.score if row.score is not None else -1 for row in records.read_all(out / "results")}


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("class") / "in"
    for name, source in WORKS.items():
        hand_in(folder / name, source)
    return folder


@pytest.fixture(scope="module")
def whole(handed_in: Path) -> Path:
    """An undisturbed run."""
    out = handed_in.parent / "whole"
    run(*words(handed_in, out))
    found = marks(out)
    assert found["anna"] == 100 and 0 <= found["ben"] < 100 and found["dora"] == found["eve"] == 0
    return out


def test_killed_half_way_it_finishes_with_the_same_files(handed_in: Path, whole: Path, tmp_path: Path) -> None:
    out, results = tmp_path / "out", tmp_path / "out" / "results"
    with subprocess.Popen(words(handed_in, out, "--jobs", "1"), cwd=KIT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and (not results.is_dir() or len(list(results.glob("[!.]*.json"))) < 2):
            time.sleep(0.01)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert 2 <= len(list(results.glob("[!.]*.json"))) < len(WORKS)
    run(*words(handed_in, out))
    assert files(out) == files(whole)


def test_two_parts_equal_one_run(handed_in: Path, whole: Path, tmp_path: Path) -> None:
    parts = [tmp_path / "1", tmp_path / "2"]
    for number, part in enumerate(parts, start=1):
        run(*words(handed_in, part, "--shard", f"{number}/2"))
        assert 0 < len(marks(part)) < len(WORKS)
    run(sys.executable, "-m", "grader", "merge", *map(str, parts), "--out", str(tmp_path / "out"))
    assert files(tmp_path / "out") == files(whole)


def test_whatever_is_tampered_with_the_mark_is_the_same(handed_in: Path, whole: Path, tmp_path: Path) -> None:
    """Each has a whole kit of its own around the file, and all in it says that the work is right."""
    tampered = tmp_path / "in"
    for name, source in WORKS.items():
        place = tampered / name
        for folder in ("labs", "grader", ".github"):
            shutil.copytree(KIT / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__", LAB.file_name))
        lab = place / "labs" / LAB.folder.name
        (lab / "suite.c").write_text("#include <criterion/criterion.h>\nTest(connecting, mine) { cr_assert(1); }\n")
        (lab / "main.c").write_text("int main(void) { return 0; }\n")
        (lab / "probe.c").write_text("int main(void) { return 0; }\n")
        (lab / "client_send.h").write_text("#error mine\n")
        (lab / "lab.toml").write_text('title = "mine"\n[[stage]]\nname = "connecting"\ntitle = "x"\npoints = 100\nplain = "mine"\n')
        (place / "grader" / "verdict.py").write_text("raise SystemExit(0)\n")
        (place / "grader" / "__main__.py").write_text("print('100/100')\n")
        (place / "grader" / "c" / "recorder.c").write_text("#error mine\n")
        (place / ".github" / "workflows" / "grade.yml").write_text("on: push\njobs: {}\n")
        (place / "Makefile").write_text(f"$(shell touch {tmp_path}/pwned)\ngrade:\n\techo 100/100\n")
        for stray in ("json.py", "sitecustomize.py"):
            (place / stray).write_text(f"open('{tmp_path}/pwned', 'w')\n")
        hand_in(place, source)
    run(*words(tampered, tmp_path / "out"))
    assert marks(tmp_path / "out") == marks(whole)
    assert {row.student: row.key for row in records.read_all(tmp_path / "out" / "results")} == \
        {row.student: row.key for row in records.read_all(whole / "results")}
    assert not (tmp_path / "pwned").exists()
