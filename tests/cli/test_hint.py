"""make hint: the next hint for the first thing that is wrong, and what was shown is remembered."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from terminal import copy_kit

KIT = Path(__file__).resolve().parents[2]
FILE = "labs/lab1_client_send/client_send.c"
SOLUTION = (KIT / "solutions" / "lab1_client_send" / "client_send.c").read_text()

sys.path.insert(0, str(KIT))
from grader import guide, hint  # noqa: E402
from grader.catalog import find_labs  # noqa: E402
from grader.causes import CAUSES  # noqa: E402


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit of its own."""
    return copy_kit(tmp_path_factory.mktemp("hinted") / "kit")


def run(kit: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "grader", *words], cwd=kit, capture_output=True, text=True,
                          encoding="utf-8", timeout=60)


def shown(kit: Path) -> str:
    """One hint, as one line of words."""
    done = run(kit, "hint", "lab1")
    assert done.returncode == 0, done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    return " ".join(done.stdout.split())


def test_a_lab_not_yet_graded_is_graded_and_the_hints_come_one_by_one(kit: Path) -> None:
    first = shown(kit)
    stage = find_labs()[0].stages[0]
    assert "it has no grade" not in first and "no grade yet" in first
    assert "hint 1 of 3" in first and stage.hints[0] in first and stage.hints[1] not in first
    second, third, again = shown(kit), shown(kit), shown(kit)
    assert "no grade yet" not in second
    assert "hint 2 of 3" in second and stage.hints[1] in second
    assert "hint 3 of 3" in third and stage.hints[2] in third and "the next one" not in third
    assert "hint 3 of 3, once more" in again and stage.hints[2] in again


def test_a_known_cause_has_hints_of_its_own(kit: Path) -> None:
    """After an edit the work is graded again; another mistake begins with its first hint."""
    mistake = re.sub(r"htons\((.*?)\)", r"\1", SOLUTION, count=1)
    assert mistake != SOLUTION
    (kit / FILE).write_text(mistake)
    entry = guide.find("no-htons")
    assert entry is not None
    first, second, third = shown(kit), shown(kit), shown(kit)
    assert "no grade yet" in first and "hint 1 of 3" in first and entry.why in first and entry.idea not in first
    assert "hint 2 of 3" in second and entry.idea in second
    assert "hint 3 of 3" in third and entry.by_hand in third and "docs/mistakes.md#no-htons" in third


def test_nothing_wrong(kit: Path) -> None:
    (kit / FILE).write_text(SOLUTION)
    assert "nothing is wrong" in shown(kit)


def test_what_does_not_compile(kit: Path) -> None:
    (kit / FILE).write_text(SOLUTION + "int x = ;\n")
    said = shown(kit)
    assert "it doesn't compile: client_send.c:" in said and "hint 1" not in said


def test_a_file_that_is_none(kit: Path) -> None:
    (kit / FILE).unlink()
    done = run(kit, "hint", "lab1")
    assert done.returncode == 2 and "client_send.c is missing" in done.stdout + done.stderr
    (kit / FILE).write_text(SOLUTION)


def test_a_lab_that_does_not_exist(kit: Path) -> None:
    done = run(kit, "hint", "lab9")
    assert done.returncode == 2 and done.stderr.startswith("socklab: no lab9: there are lab1")


def test_memory_that_makes_no_sense_is_none(kit: Path) -> None:
    (kit / FILE).write_text((KIT / FILE).read_text())
    shown(kit)
    for nonsense in ("", "[]", '{"connecting/-": "x"}', '{"connecting/-": -5}', "\x00"):
        (kit / "build/lab1/hints.json").write_text(nonsense)
        assert "hint 1 of 3" in shown(kit)
    (kit / "build/lab1/last.json").write_text('{"labs": []}')
    assert "no grade yet" in shown(kit)


def test_a_grade_of_another_tree_or_of_some_tests_is_not_the_last(kit: Path) -> None:
    run(kit, "grade", "lab1")
    before = (kit / "build/lab1/last.json").read_text()
    assert json.loads(before)["labs"][0]["lab"] == "lab1"
    other = kit / "other" / "lab1_client_send"
    other.mkdir(parents=True)
    (other / "client_send.c").write_text(SOLUTION)
    run(kit, "grade", "lab1", "--from", str(kit / "other"))
    run(kit, "grade", "lab1", "--only", "connecting/reaches_the_server")
    assert (kit / "build/lab1/last.json").read_text() == before


@pytest.mark.parametrize("lab", find_labs(), ids=lambda lab: lab.id)
def test_each_stage_and_each_cause_has_three_hints(lab: object) -> None:
    for stage in lab.stages:  # type: ignore[attr-defined]
        for cause in (None, *(known.slug for known in CAUSES)):
            hints = hint.hints_for(stage, cause)
            assert len(hints) == 3 and all(hints), (stage.name, cause, hints)
            assert len(set(hints)) == 3


def test_the_guide_s_man_pages_are_found() -> None:
    entry = guide.find("accept-exit")
    assert entry is not None and entry.pages == ("man 2 accept, Error handling",)
    assert guide.find("no such mistake") is None
