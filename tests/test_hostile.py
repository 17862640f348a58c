"""No hostile submission gets what it didn't earn, outlasts its grade, leaves anything, or reads what it shouldn't.

What each tries, and at which tiers that must fail, stands in its head: tests/hostile/corpus.py. `make test` runs some
of them at tier A and `make test-all` all; `make hostile` runs all at the other tiers too, where root can make them,
and writes docs/tiers.md when all that is promised has held.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from hostile import table
from hostile.corpus import BASES, HONEST, HONEST_OF, Places, Result, grade, modes, programs, tier_of

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

    def results(self) -> dict[tuple[str, str], Result]:
        """Of those that came to an end."""
        return {key: one.result() for key, one in self._futures.items() if one.done() and not one.cancelled() and not one.exception()}


def write_page(results: dict[tuple[str, str], Result]) -> None:
    """docs/tiers.md, where everything was run and all that is promised has held."""
    if set(results) == set(ALL) and set(MODES) == set(table.COLUMNS) and not any(
            one.broken and PROGRAMS[name].holds_at(tier_of(mode)) for (name, mode), one in results.items()):
        bubblewrap = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
        kernel = ".".join(platform.release().split(".")[:2])
        machine = f"Last on Linux {kernel} with bubblewrap {bubblewrap}."
        table.PAGE.write_text(table.draw(PROGRAMS, results, machine))


@pytest.fixture(scope="module")
def grades(request: pytest.FixtureRequest) -> Iterator[Grades]:
    selected = [(item.callspec.params["name"], item.callspec.params["mode"]) for item in request.session.items
                if {"name", "mode"} <= set(getattr(getattr(item, "callspec", None), "params", {}))]
    graded = Grades(selected)
    yield graded
    graded.close()
    write_page(graded.results())


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


def test_the_page_says_what_the_heads_promise() -> None:
    assert table.stale(PROGRAMS, table.PAGE.read_text()) == [], "make hostile writes docs/tiers.md anew"


def test_the_page_notices_what_has_changed() -> None:
    page, (name, other) = table.PAGE.read_text(), ("remembers", "daemon")
    assert table.stale({one: program for one, program in PROGRAMS.items() if one != name}, page)
    assert table.stale(PROGRAMS, "\n".join(line for line in page.splitlines() if not line.startswith(f"| {name} ")))
    assert table.stale(PROGRAMS, page.replace(f"| {name} |", f"| {other} |"))
    assert table.stale({**PROGRAMS, name: replace(PROGRAMS[name], head={**PROGRAMS[name].head, "held": "A"})}, page)
    assert table.stale({**PROGRAMS, other: replace(PROGRAMS[other], head={**PROGRAMS[other].head, "never": "none"})}, page)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_score_is_what_its_honest_base_gets(name: str) -> None:
    """Never a number, and never more than the honest program that it was made from."""
    program = PROGRAMS[name]
    made_from = next((base for base in BASES if f"@{base}@" in program.text), "")
    word = program.score.removeprefix("up to ")
    assert word in HONEST
    assert word in {"nothing", HONEST_OF.get(made_from), *(["right"] if made_from in ("RIGHT", "HOOKED") else [])} or program.make


def test_there_are_enough() -> None:
    assert len(PROGRAMS) >= 50
    assert {"compile", "load", "run", "after", "report", "files", "others"} == {one.head["time"] for one in PROGRAMS.values()}
