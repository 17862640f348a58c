"""docs/adding-a-lab.md: the lab that it builds, built as it says, is found, made and graded."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kit import KIT

PAGE = (KIT / "docs" / "adding-a-lab.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```(?:c|toml) (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the kit with the page's files in it, and no other change."""
    copy = tmp_path_factory.mktemp("kit") / "socklab"
    for name in ("grader", "tools", "labs/given"):
        shutil.copytree(KIT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(KIT / "Makefile", copy)
    for name, text in FILES:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(text, encoding="utf-8")
    return copy


def make(kit: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *words], cwd=kit, capture_output=True, text=True, env=environment)


def test_the_page_has_all_files() -> None:
    assert {name.rpartition("/")[2] for name, _ in FILES} == {
        "greet.h", "greet.c", "main.c", "probe.c", "suite.c", "lab.toml"}


def test_the_program_is_made(kit: Path) -> None:
    done = make(kit, "lab7")
    assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
    done = subprocess.run([kit / "build" / "lab7" / "greet", "127.0.0.1", "1", "you"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "greet: Function not implemented\n")


@pytest.mark.parametrize("tree, score", [("solutions", 100), ("labs", 0)])
def test_it_is_graded(kit: Path, tree: str, score: int) -> None:
    done = subprocess.run(["python3", "-m", "grader", "grade", "lab7", "--from", tree, "--json", "-"], cwd=kit,
                          capture_output=True, text=True)
    assert json.loads(done.stdout)["score"] == score, done.stderr


def test_a_known_mistake_is_named(kit: Path) -> None:
    """Causes that apply everywhere are found in a new lab too."""
    solution = (kit / "solutions" / "lab7_greet" / "greet.c").read_text()
    folder = kit / "wrong" / "lab7_greet"
    folder.mkdir(parents=True)
    wrong = solution.replace("send_all(fd, text, (size_t)len)", "send_all(fd, text, (size_t)len + 1)")
    assert wrong != solution
    (folder / "greet.c").write_text(wrong)
    done = subprocess.run(["python3", "-m", "grader", "grade", "lab7", "--from", "wrong", "--json", "-"], cwd=kit,
                          capture_output=True, text=True)
    tests = {test["test"]: test for stage in json.loads(done.stdout)["labs"][0]["stages"] for test in stage["tests"]}
    assert (tests["says_hello"]["status"], tests["says_hello"]["cause"]) == ("failed", "plus-nul")
    assert tests["short_counts"]["status"] == "not_tried"
