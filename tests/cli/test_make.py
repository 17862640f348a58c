"""The Makefile, run by hand in a copy of the kit: what it builds, remembers, and says when it can't."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

KIT = Path(__file__).resolve().parents[2]
Make = Callable[..., subprocess.CompletedProcess[str]]

# Answers as the grader would, says how it was called.
STAND_IN = """
import os, sys
print("grader", *sys.argv[1:], sep="|")
sys.exit(int(os.environ.get("STATUS", "0")))
"""


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """A copy of what make needs, in a folder with blanks and Chinese characters; the grader is a stand-in."""
    copy = tmp_path / "a copy 套接字"
    for name in ("labs", "tools", "grader/c"):
        shutil.copytree(KIT / name, copy / name)
    shutil.copy(KIT / "Makefile", copy)
    (copy / "grader" / "__main__.py").write_text(STAND_IN)
    return copy


@pytest.fixture
def make(kit: Path) -> Make:
    """Runs make in the copy."""
    clean = {name: value for name, value in os.environ.items()
             if name not in ("LAB", "FROM", "SEED", "ONLY", "BRIEF", "STRICT", "SCRIPT", "PORT", "CONNECT", "ARGS", "V")
             and not name.startswith("MAKE")}

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["make", *words], cwd=kit, env={**clean, "LC_ALL": "C", **variables}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return run


def labs() -> list[str]:
    """All labs, as make names them."""
    return sorted(path.name.partition("_")[0] for path in (KIT / "labs").glob("lab*_*/"))


def source(kit: Path) -> Path:
    """Lab 1's student file."""
    return kit / "labs" / "lab1_client_send" / "client_send.c"


def test_help_lists_what_works(make: Make) -> None:
    listed = make().stdout
    for command in ("make labN", "make grade ", "make grade-all", "make report", "make hint", "make watch", "make debug",
                    "make editors", "make trace", "make peer", "make test ", "make clean"):
        assert command in listed
    assert all(len(line) <= 80 for line in listed.splitlines())


@pytest.mark.parametrize("lab", labs())
def test_a_lab_is_built_and_remembered(make: Make, kit: Path, lab: str) -> None:
    done = make(lab)
    name = next((kit / "labs").glob(f"{lab}_*")).name.partition("_")[2]
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "the kit's own code compiles without a warning"
    assert os.access(kit / "build" / lab / name, os.X_OK)
    assert "make grade" in done.stdout
    assert f"grader|grade|{lab}\n" in make("grade").stdout


def test_nothing_is_built_twice(make: Make) -> None:
    assert "CC" in make("lab1").stdout
    again = make("lab1").stdout
    assert "CC" not in again and "LD" not in again


def test_an_edit_and_a_header_rebuild_what_depends_on_them(make: Make, kit: Path) -> None:
    make("lab1")
    os.utime(source(kit), (2e9, 2e9))
    assert make("lab1").stdout.count("  CC  ") == 1
    os.utime(source(kit).with_suffix(".h"), (2e9, 2e9))
    assert make("lab1").stdout.count("  CC  ") == 2


def test_all_labs_build_side_by_side(make: Make) -> None:
    done = make("-j4", *labs(), "grade")
    assert done.returncode == 0, done.stderr
    assert "grader|grade|lab" in done.stdout.splitlines()[-1]


def test_a_lab_that_does_not_exist(make: Make) -> None:
    done = make("lab9")
    assert done.returncode == 2
    assert f"no lab 9: there are {', '.join(labs())}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_lab_chosen_yet(make: Make) -> None:
    done = make("grade")
    assert done.returncode == 2
    assert 'no lab chosen yet: "make lab1"' in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("content", [None, "", " \n\n", "a folder"])
def test_a_student_file_that_is_none(make: Make, kit: Path, content: str | None) -> None:
    source(kit).unlink()
    if content == "a folder":
        source(kit).mkdir()
    elif content is not None:
        source(kit).write_text(content)
    done = make("lab1")
    assert done.returncode == 2
    assert "client_send.c is missing, empty or not a file" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_lab_that_does_not_compile_is_current_all_the_same(make: Make, kit: Path) -> None:
    source(kit).write_text("int x = ;\n")
    done = make("lab1")
    assert done.returncode == 2
    assert "client_send.c:1:9: error:" in done.stderr
    assert "grader|grade|lab1\n" in make("grade").stdout


def test_words_reach_the_grader_unharmed(make: Make) -> None:
    done = make("grade", "LAB=3", "FROM=a 'folder' of $(HOME)", "SEED=5 6")
    assert done.stdout.startswith("grader|grade|lab3|--from|a 'folder' of ")
    assert done.stdout.endswith("|--seed|5 6\n")
    assert make("grade", "LAB=lab1").stdout == "grader|grade|lab1\n"
    assert make("grade-all").stdout == "grader|grade\n"


def test_the_other_tools_take_the_current_lab_or_another(make: Make) -> None:
    make("lab1")
    for tool in ("hint", "watch", "debug"):
        assert make(tool).stdout == f"grader|{tool}|lab1\n"
        assert make(tool, "LAB=2").stdout == f"grader|{tool}|lab2\n"
    assert make("watch", "LAB=all").stdout == "grader|watch\n"
    assert make("watch", "BRIEF=1").stdout == "grader|watch|lab1|--brief\n"
    assert make("grade", "BRIEF=1").stdout == "grader|grade|lab1|--brief\n"
    assert make("debug", "ONLY=a/b c").stdout == "grader|debug|lab1|--only|a/b c\n"
    assert make("editors").stdout == "grader|editors\n"


@pytest.mark.parametrize("tool", ["hint", "watch", "debug"])
def test_the_other_tools_need_a_lab(make: Make, tool: str) -> None:
    done = make(tool)
    assert done.returncode == 2
    assert f'no lab chosen yet: "make lab1" chooses lab 1, and "make {tool} LAB=1"' in done.stderr


@pytest.mark.parametrize(("grader", "strict", "status"), [(0, "", 0), (1, "", 0), (1, "1", 2), (2, "", 2), (3, "", 2)])
def test_a_grade_that_was_given_is_no_error(make: Make, grader: int, strict: str, status: int) -> None:
    done = make("grade-all", STATUS=str(grader), STRICT=strict)
    assert done.returncode == status
    assert done.stderr == ("" if status == 0 else done.stderr)
    assert status == 0 or f"Error {grader}" in done.stderr


def test_a_peer_gets_its_script_as_it_is(make: Make) -> None:
    done = make("peer", "SCRIPT=send 'it''s $1'; close", "PORT=7788", "CONNECT=1")
    assert done.stdout == "grader|peer|send 'it''s $1'; close|--port|7788|--connect\n"
    done = make("peer")
    assert done.returncode == 2
    assert "no script: try" in done.stderr


def test_a_copied_lab_with_a_blank_in_its_name_is_left_alone(make: Make, kit: Path) -> None:
    shutil.copytree(kit / "labs" / "lab1_client_send", kit / "labs" / "lab1_client_send (copy)")
    assert make("lab1").returncode == 0


def test_clean_leaves_nothing(make: Make, kit: Path) -> None:
    before = sorted(kit.rglob("*"))
    make("lab1")
    make("clean")
    assert sorted(kit.rglob("*")) == before
