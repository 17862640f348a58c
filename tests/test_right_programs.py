"""Right programs get full marks in any style, and no cause; the skeletons get nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit import KIT, LABS, Grades, Mutant, grade_tree, mostly_slow, mutants

VARIANTS = sorted((KIT / "tests" / "variants").glob("*/*.c"))
QUICK = ("lab1/helpers-and-copies", "lab1/nonblocking", "lab1/sendmsg-getline", "lab2/peek-and-waitall", "lab2/read-write",
         "lab2/stream-file", "lab3/epoll", "lab3/files", "lab3/threads", "lab4/nonblocking", "lab4/polling", "lab4/stdio",
         "lab5/handshake", "lab5/poll-loop", "lab5/pool", "lab6/epoll-messages", "lab6/fcntl-select", "lab6/timeouts-threads")
CUTS = mutants("cuts")


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.fixture(scope="module")
def grades(request: pytest.FixtureRequest) -> Iterator[Grades]:
    """All grades that the selected tests ask for, begun at once."""
    asked = [getattr(getattr(item, "callspec", None), "params", {}) for item in request.session.items]
    variants = [(name_of(path), LABS[path.parent.name], path.read_text, ()) for path in (a["path"] for a in asked if "path" in a)
                if path in VARIANTS]
    cuts = [(f"cut/{cut.name}", cut.lab, cut.source, ()) for cut in (a["cut"] for a in asked if "cut" in a)]
    graded = Grades([*variants, *cuts])
    yield graded
    graded.close()


def test_solutions_get_everything() -> None:
    graded = grade_tree(KIT / "solutions")
    assert graded.status == 0, graded.errors
    assert [lab["score"] for lab in graded.report["labs"]] == [100] * len(LABS)


def test_skeletons_get_nothing() -> None:
    graded = grade_tree(KIT / "labs")
    assert graded.status == 1, graded.errors
    assert [lab["score"] for lab in graded.report["labs"]] == [0] * len(LABS)
    assert all(test["status"] != "passed" for lab in LABS for test in graded.tests(lab).values())


@pytest.mark.parametrize("path", mostly_slow(VARIANTS, *(path for path in VARIANTS if name_of(path) in QUICK)), ids=name_of)
def test_any_style_is_right(grades: Grades, path: Path) -> None:
    graded = grades[name_of(path)]
    assert graded.status == 0 and graded.report["score"] == 100, graded.errors


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name)
def test_stage_k_needs_todos_1_to_k(grades: Grades, cut: Mutant) -> None:
    """A solution cut off after TODO k passes stages 1 to k."""
    graded = grades[f"cut/{cut.name}"]
    todos = int(cut.path.stem)
    stages = graded.lab(cut.lab.id)["stages"]
    assert [stage["status"] for stage in stages[:todos]] == ["passed"] * todos, graded.errors
    assert all(stage["status"] != "passed" for stage in stages[todos:]), graded.errors


def test_every_quick_style_is_there() -> None:
    assert set(QUICK) <= {name_of(path) for path in VARIANTS}


def test_every_todo_is_cut() -> None:
    for lab in LABS.values():
        assert [cut.path.stem for cut in CUTS if cut.lab == lab] == [str(k) for k in range(1, len(lab.stages))]
