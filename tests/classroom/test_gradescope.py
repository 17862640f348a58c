"""make gradescope: the archive, unpacked as Gradescope does it, grades a submission into a results.json of its format."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

KIT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(KIT / "tests"))

from kit import LABS, mutants, solution  # noqa: E402

from grader.classroom import canary, gradescope  # noqa: E402
from grader.classroom.trouble import Cannot  # noqa: E402

LAB = LABS["lab1"]
HIDDEN = Path(__file__).with_name("hidden")

# What gradescope-autograders.readthedocs.io documents of results.json.
VISIBLE = {"hidden", "after_due_date", "after_published", "visible"}
FIELDS: dict[str, Any] = {"score": (int, float), "execution_time": (int, float), "output": str, "output_format": str,
                          "test_output_format": str, "test_name_format": str, "visibility": str, "stdout_visibility": str,
                          "extra_data": dict, "tests": list, "leaderboard": list}
OF_A_TEST: dict[str, Any] = {"score": (int, float), "max_score": (int, float), "status": str, "name": str, "name_format": str,
                             "number": str, "output": str, "output_format": str, "tags": list, "visibility": str,
                             "extra_data": dict}


def check(results: dict[str, Any]) -> None:
    """Nothing that Gradescope doesn't know, and a score where one is due."""
    for table, known in [(results, FIELDS), *((test, OF_A_TEST) for test in results["tests"])]:
        for key, value in table.items():
            assert isinstance(value, known[key]) and not isinstance(value, bool), f"{key}: {value!r}"
        assert table.get("visibility", "visible") in VISIBLE and table.get("stdout_visibility", "visible") in VISIBLE
    assert all(test["status"] in ("passed", "failed") and 0 <= test["score"] <= test["max_score"] for test in results["tests"])
    if results["tests"]:
        assert results["score"] == sum(test["score"] for test in results["tests"])


class Place:
    """What Gradescope calls /autograder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, script: Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "AUTOGRADER": str(self.folder)}
        return subprocess.run([script], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=600)

    def grade(self, source: str | None) -> dict[str, Any]:
        """What Gradescope is told of a submission: this file, uploaded alone."""
        shutil.rmtree(self.folder / "submission", ignore_errors=True)
        shutil.rmtree(self.folder / "results", ignore_errors=True)
        (self.folder / "submission").mkdir()
        if source is not None:
            (self.folder / "submission" / LAB.file_name).write_text(source)
        done = self.run(self.folder / "run_autograder")
        results = self.folder / "results" / "results.json"
        assert results.is_file(), done.stderr
        found: dict[str, Any] = json.loads(results.read_text())
        check(found)
        return found


def unpack(archive: Path, place: Path) -> Place:
    """As Gradescope makes an image of it."""
    subprocess.run([sys.executable, "-m", "zipfile", "-e", archive, place / "source"], check=True)
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            (place / "source" / member.filename).chmod(member.external_attr >> 16 & 0o777)
    shutil.copy(place / "source" / "run_autograder", place / "run_autograder")
    return Place(place)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("an image")
    (folder / "autograder").mkdir()
    done = subprocess.run([sys.executable, "-m", "grader", "gradescope", "--labs", "lab1", "--to", str(folder / "it.zip")],
                          cwd=KIT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    place = unpack(folder / "it.zip", folder / "autograder")
    done = place.run(folder / "autograder" / "source" / "setup.sh")
    assert done.returncode == 0, done.stderr
    yield place


@pytest.mark.slow
def test_a_solution_gets_full_marks_and_a_mutant_less(place: Place) -> None:
    results = place.grade(solution(LAB))
    assert results["score"] == 100 and all(test["status"] == "passed" for test in results["tests"])
    assert "Sandbox: " in results["output"]
    wrong = next(one for one in mutants("mutants") if one.lab == LAB)
    results = place.grade(wrong.source())
    failed = [test for test in results["tests"] if test["status"] == "failed"]
    assert results["score"] < 100 and failed and failed[0]["output"]
    assert place.grade(None)["score"] == 0


@pytest.mark.slow
def test_a_grader_that_fails_gives_no_mark(place: Place) -> None:
    suite = place.folder / "source" / "socklab" / "labs" / LAB.folder.name / "lab.toml"
    before = suite.read_bytes()
    suite.write_bytes(b"title = ")
    try:
        results = place.grade(solution(LAB))
    finally:
        suite.write_bytes(before)
    assert "score" not in results and "The grader failed" in results["output"]


def test_what_is_in_it(tmp_path: Path) -> None:
    kit = gradescope.gather(KIT, ["lab1"], HIDDEN)
    assert {name.partition("/")[0] for name in kit} == {"setup.sh", "run_autograder", "labs.txt", "socklab", "hidden"}
    assert {name for name in kit if name.startswith("hidden/")} == \
        {f"hidden/{path.relative_to(HIDDEN).as_posix()}" for path in HIDDEN.glob("*/hidden.*")}
    assert kit["run_autograder"].executable and kit["setup.sh"].executable
    assert "socklab/grader/classroom/command.py" in kit and f"socklab/labs/{LAB.folder.name}/suite.c" in kit
    assert not [name for name in kit if name.startswith(("socklab/solutions", "socklab/tests", "socklab/build"))]
    assert canary.leaks(((name, entry.content) for name, entry in kit.items()), canary.marks(KIT)) == []
    assert gradescope.pack(kit) == gradescope.pack(kit)
    with pytest.raises(Cannot, match="no lab9: there are lab1"):
        gradescope.make(KIT, tmp_path / "x.zip", "1,9", None)
    assert list(tmp_path.iterdir()) == []
