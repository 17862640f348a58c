"""No hostile submission gets what it didn't earn, outlasts its grade, leaves anything, or reads what it shouldn't.

What each tries, and at which tiers that must fail, stands in its head: tests/hostile/corpus.py. `make test` runs some
of them at tier A and `make test-all` all; `make hostile` runs all at the other tiers too, where root can make them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from hostile.corpus import Places, Result, grade, modes, programs, tier_of

PROGRAMS = programs()
MODES = modes() if os.environ.get("HOSTILE") == "all" else modes()[:1]
QUICK = ("exit_constructor", "exit_destructor", "forge_atexit", "forge_refusal", "forge_garbage_report", "override_libc",
         "override_report", "kill_all", "daemon", "output_escapes", "c_includes_itself", "c_includes_solution", "c_incbin_other",
         "c_error_escapes", "f_folder_link", "f_planted", "reads_secrets", "remembers")
ALL = [(name, mode) for mode in MODES for name, program in PROGRAMS.items() if program.may_run_at(tier_of(mode))]
FIRST = [(name, MODES[0]) for name in QUICK]
REST = [pair for pair in ALL if pair not in FIRST]


class Grades:
    """The selected grades, begun at once and made two at a time."""

    def __init__(self, selected: list[tuple[str, str]]) -> None:
        self._places = Places()
        self._pool = ThreadPoolExecutor(2)
        self._futures: dict[tuple[str, str], Future[Result]] = {
            (name, mode): self._pool.submit(grade, PROGRAMS[name], self._places.place(name, mode)) for name, mode in selected}

    def __getitem__(self, key: tuple[str, str]) -> Result:
        return self._futures[key].result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._places.close()


@pytest.fixture(scope="module")
def grades(request: pytest.FixtureRequest) -> Iterator[Grades]:
    selected = [(item.callspec.params["name"], item.callspec.params["mode"]) for item in request.session.items
                if {"name", "mode"} <= set(getattr(getattr(item, "callspec", None), "params", {}))]
    graded = Grades(selected)
    yield graded
    graded.close()


def check(grades: Grades, name: str, mode: str) -> None:
    result = grades[name, mode]
    if PROGRAMS[name].holds_at(tier_of(mode)):
        assert result.broken == (), PROGRAMS[name].head["about"]


@pytest.mark.parametrize("name, mode", FIRST)
def test_it_gets_nothing(grades: Grades, name: str, mode: str) -> None:
    check(grades, name, mode)


@pytest.mark.slow
@pytest.mark.parametrize("name, mode", REST)
def test_none_gets_anything(grades: Grades, name: str, mode: str) -> None:
    check(grades, name, mode)


def test_there_are_enough() -> None:
    assert len(PROGRAMS) >= 50
    assert {"compile", "load", "run", "after", "report", "files", "others"} == {one.head["time"] for one in PROGRAMS.values()}
