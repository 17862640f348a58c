"""grader similar: a copy under other names is found, others' work and the skeleton's lines are not."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kit import KIT, LABS, run_grader, solution  # noqa: E402

from grader.classroom import similar  # noqa: E402

LAB = LABS["lab1"]


def test_each_pair_is_told_once_with_the_larger_share() -> None:
    said = ("Total input: 3 files\n\n0.c consists for 90 % of 1.c material\n1.c consists for 95 % of 0.c material\n"
            "2.c consists for 8 % of 0.c material\n2.c consists for 81 % of 1.c material\n")
    assert similar.pairs(said, ["a", "b", "c"], 80) == [(95, "a", "b"), (81, "b", "c")]


def test_the_skeletons_lines_are_left_out() -> None:
    skeleton = (LAB.folder / LAB.file_name).read_bytes()
    assert similar.own_lines(skeleton, LAB).strip() == b""
    assert similar.own_lines(skeleton + b"int mine;\n", LAB).split() == [b"int", b"mine;"]


@pytest.mark.skipif(shutil.which("sim_c", path="/usr/bin") is None, reason="similarity-tester isn't installed")
def test_a_copy_under_other_names_is_found(tmp_path: Path) -> None:
    copy = re.sub(r"\bfd\b", "my_socket", solution(LAB)).replace("    ", "  ")
    other = max((KIT / "tests" / "variants" / "lab1").glob("*.c")).read_text()
    skeleton = (LAB.folder / LAB.file_name).read_text()
    for name, source in (("anna", solution(LAB)), ("b\x1b[31men", copy), ("carl", other), ("dora", skeleton), ("eve", skeleton)):
        (tmp_path / name).mkdir()
        (tmp_path / name / LAB.file_name).write_text(source)
    done = run_grader("similar", str(tmp_path), "--labs", "lab1")
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("lab1")]
    assert len(told) == 1 and "anna · b" in told[0] and "\x1b" not in told[0], done.stdout


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    for words, says in (([str(tmp_path / "no")], "there is no folder"), ([str(tmp_path), "--labs", "lab9"], "no lab9")):
        done = run_grader("similar", *words)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
        assert says in done.stderr or "sim_c is missing" in done.stderr
