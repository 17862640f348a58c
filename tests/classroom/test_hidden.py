"""Hidden tests: run with --hidden, counted where they aren't there, and never passed over in silence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KIT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(KIT), str(KIT / "tests")]

from grader.classroom import handout  # noqa: E402
from grader.catalog import CatalogError, read_lab  # noqa: E402
from grader.verdict import share  # noqa: E402
from kit import LABS, Graded, grade_source, mostly_slow, run_grader, solution  # noqa: E402

HIDDEN = Path(__file__).with_name("hidden")
LAB = LABS["lab1"]
TESTS = {"sending_text/begins_with_hash_bang": 3, "sending_everything/one_more_than_64_kib": 1}
SENTENCE = "1 hidden test in this stage: run when the class is graded"
FIRST = "    const char *next = data;\n"
BEFORE = FIRST + "    while (len > 0) {\n"
MISTAKES = {                        # what only a hidden test sees
    "sending_text/begins_with_hash_bang": "    if (len > 1 && next[0] == '#' && next[1] == '!')\n        return 0;\n",
    "sending_everything/one_more_than_64_kib": "    len = len == 65537 ? 1 : len;\n",
}


def wrong(test: str) -> str:
    text = solution(LAB)
    assert text.count(BEFORE) == 1
    return text.replace(BEFORE, FIRST + MISTAKES[test] + BEFORE.removeprefix(FIRST))


def hidden_of(graded: Graded) -> dict[str, dict[str, object]]:
    return {name: test for name, test in graded.tests("lab1").items() if test["hidden"]}


def test_a_solution_passes_them_and_the_sum_stays() -> None:
    graded = grade_source(LAB, solution(LAB), "--hidden", str(HIDDEN))
    assert (graded.status, graded.report["score"]) == (0, 100)
    assert {name: test["max_score"] for name, test in hidden_of(graded).items()} == TESTS
    for stage in graded.lab("lab1")["stages"]:
        assert sum(test["max_score"] for test in stage["tests"]) == stage["max_score"] and stage["hidden"] is None
        places = [test["hidden"] for test in stage["tests"]]
        assert places == sorted(places), "they come last"


@pytest.mark.parametrize("test", mostly_slow(MISTAKES, "sending_text/begins_with_hash_bang"))
def test_a_mistake_that_only_a_hidden_test_sees(test: str) -> None:
    assert grade_source(LAB, wrong(test)).report["score"] == 100
    graded = grade_source(LAB, wrong(test), "--hidden", str(HIDDEN))
    assert graded.failed("lab1") == [test]
    assert (graded.status, graded.report["score"]) == (1, 100 - TESTS[test])


def test_a_skeleton_scores_0() -> None:
    graded = grade_source(LAB, (LAB.folder / LAB.file_name).read_text(), "--hidden", str(HIDDEN))
    assert graded.report["score"] == 0 and len(hidden_of(graded)) == 2


# ---- what students see ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def students(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A students' kit that knows of them, with lab 1 solved."""
    place = tmp_path_factory.mktemp("student") / "socklab"
    kit = handout.gather(KIT, HIDDEN)
    for name, entry in kit.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(entry.content)
    shutil.copy(KIT / "solutions" / LAB.folder.name / LAB.file_name, place / "labs" / LAB.folder.name)
    return place


def test_students_get_number_and_stage_alone(students: Path) -> None:
    told = (students / "labs" / LAB.folder.name / "hidden.tsv").read_text()
    assert told == "sending_text\t1\nsending_everything\t1\n"
    assert len(list(students.glob("labs/*/hidden.*"))) == 1
    for path in students.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"begins_with_hash_bang" not in content and b"65537 bytes" not in content, path


def test_a_report_never_says_that_all_passed(students: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "grader", "grade", "lab1", "--json", "r.json", "--markdown", "r.md",
                           "--html", "r.html", "--junit", "r.xml"], cwd=students, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    texts = {"terminal": done.stdout, **{name: (students / name).read_text() for name in ("r.md", "r.html", "r.xml")}}
    for name, text in texts.items():
        assert text.replace("\\", "").count(SENTENCE) == 2, name
        assert "tests passed" not in text or "that are here passed" in text, name
    assert "Hidden ones are run when the class is graded: 2." in texts["r.html"]
    stages = json.loads((students / "r.json").read_text())["labs"][0]["stages"]
    assert {stage["stage"]: stage["hidden"] for stage in stages if stage["hidden"]} == {
        "sending_text": {"count": 1, "status": "not_run"}, "sending_everything": {"count": 1, "status": "not_run"}}
    said = subprocess.run([sys.executable, "-m", "grader", "hint", "lab1"], cwd=students, capture_output=True, text=True)
    assert "nothing that was tried is wrong" in said.stdout and "hidden ones" in said.stdout


def test_a_stage_not_tried_counts_them_too(students: Path) -> None:
    skeleton = students / "empty" / LAB.folder.name
    skeleton.mkdir(parents=True)
    shutil.copy(LAB.folder / LAB.file_name, skeleton)
    done = subprocess.run([sys.executable, "-m", "grader", "grade", "lab1", "--from", "empty"], cwd=students,
                          capture_output=True, text=True)
    assert done.stdout.count(SENTENCE) == 2 and "0/100" in done.stdout


@pytest.mark.parametrize("text", ["sending_text", "sending_text\t0\n", "no_stage\t1\n", "sending_text\t-1\n", "sending_text\t1e3\n"])
def test_a_list_of_numbers_that_is_none(tmp_path: Path, text: str) -> None:
    folder = tmp_path / LAB.folder.name
    folder.mkdir()
    shutil.copy(LAB.folder / "lab.toml", folder)
    (folder / "hidden.tsv").write_text(text)
    with pytest.raises(CatalogError, match="hidden.tsv"):
        read_lab(folder)


# ---- what an instructor may do wrong ------------------------------------------------------------------------

@pytest.mark.parametrize("files, status, says", [
    ({}, 2, "has no labN_name/hidden.c"),
    ({"lab1_server/hidden.c": ""}, 2, "there is no such lab"),
    ({f"{LAB.folder.name}/hidden.c": '#include "suite.h"\nTest(x'}, 3, "hidden.c:2"),
    ({f"{LAB.folder.name}/hidden.c": '#include "suite.h"\nTest(elsewhere, x) {}\n'}, 3, "'elsewhere'"),
    ({f"{LAB.folder.name}/hidden.c": '#include "suite.h"\nTest(prompts, x) {}\n',
      f"{LAB.folder.name}/hidden.toml": '[weights]\n"prompts/y" = 2\n'}, 3, "there is no test 'prompts/y'"),
    ({f"{LAB.folder.name}/hidden.c": "", f"{LAB.folder.name}/hidden.toml": '[weights]\n"prompts/x" = 0\n'}, 2,
     "must be a whole number from 1"),
    ({f"{LAB.folder.name}/hidden.c": "", f"{LAB.folder.name}/hidden.toml": "wieghts = 1"}, 2, "a table [weights]"),
])
def test_bad_input(tmp_path: Path, files: dict[str, str], status: int, says: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = run_grader("grade", "lab1", "--from", "solutions", "--hidden", str(tmp_path))
    assert (done.returncode, says in done.stdout + done.stderr) == (status, True), done.stdout + done.stderr
    assert "100/100" not in done.stdout and "Traceback" not in done.stderr


def test_points_are_shared_by_weight() -> None:
    assert share(20, [1] * 10) == [2] * 10
    assert share(25, [1] * 11) == [3, 3, 3] + [2] * 8
    assert share(10, [1, 1, 3]) == [3, 2, 5]
    assert share(3, [100, 1, 1]) == [1, 1, 1]
    assert share(0, []) == []
    for points in range(1, 60):
        for weights in ([1, 2, 3], [5], [1, 1, 1, 9], [7, 7, 2]):
            shares = share(points, weights)
            assert sum(shares) == points
            assert min(shares) >= (1 if points >= len(weights) else 0)
            assert all(shares[i] <= shares[j] for i, one in enumerate(weights) for j, other in enumerate(weights) if one < other)


# ---- the class ------------------------------------------------------------------------------------------

def test_a_class_is_graded_with_them(tmp_path: Path) -> None:
    works = {"anna": solution(LAB), "ben": wrong("sending_text/begins_with_hash_bang")}
    for name, text in works.items():
        folder = tmp_path / "in" / name / LAB.folder.name
        folder.mkdir(parents=True)
        (folder / LAB.file_name).write_text(text)
    words = ["class", str(tmp_path / "in"), "--labs", "lab1", "--sandbox", "auto", "--seed", "1"]
    assert run_grader(*words, "--out", str(tmp_path / "plain")).returncode == 0
    done = run_grader(*words, "--out", str(tmp_path / "out"), "--hidden", str(HIDDEN))
    assert done.returncode == 0, done.stdout + done.stderr

    def marks(out: str) -> dict[str, int]:
        records = (json.loads(path.read_text()) for path in sorted((tmp_path / out / "results").glob("*.json")))
        return {record["student"]: record["report"]["score"] for record in records}
    assert marks("plain") == {"anna": 100, "ben": 100}
    assert marks("out") == {"anna": 100, "ben": 97}
