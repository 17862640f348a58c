"""docs/tiers.md: which hostile submissions each tier doesn't hold, drawn from the results of a run of all."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kit import KIT

from hostile.corpus import Program, Result, tier_of

PAGE = KIT / "docs" / "tiers.md"
COLUMNS = {"root": "bubblewrap, root", "plain": "bubblewrap, plain user", "B": "Landlock", "none": "none"}
HELD, MORE, NOT_RUN = "held", "held, not promised", "not run"
KINDS = {"points": "points that it didn't earn", "loses points": "loses points", "secret": "what it reads is told",
         "no mark": "no mark: the grader fails", "status": "another status", "late": "too slow", "memory": "too much memory",
         "process left": "a process stays", "file left": "a file stays", "shared memory left": "shared memory stays",
         "escapes": "its words are obeyed", "not told": "isn't told"}
HEAD = """# What each tier holds

`make hostile` makes this page: it grades the {count} hostile submissions of `tests/hostile` in bubblewrap, as root and as a
plain user, and as a plain user with Landlock and with no sandbox. {machine}
Below are those that aren't held everywhere. "not run": it would harm the machine, or who looks on. "held, not
promised": nothing came of it in this run, and its head doesn't say that it must be so.

No tier keeps a program from its own process, in which the recorder forces calls to fail. Who makes system calls with
machine instructions, or looks up the C library's functions while the program runs, meets none of these failures, and
passes the tests of them unearned; who finds other traces of valgrind behaves while it looks. What arrives at the peer
and what the kernel tells isn't touched by that, and such a file shows what it does to anybody who reads it.

| program | what it tries |{columns}
| --- | --- |{rules}
"""


def draw(programs: Mapping[str, Program], results: Mapping[tuple[str, str], Result], machine: str) -> str:
    """The page. results: by name and mode, of all that may be run. machine: a sentence about where that was."""
    lines = []
    counts = {mode: [0, 0] for mode in COLUMNS}
    for name, program in programs.items():
        cells = {mode: _cell(program, mode, results) for mode in COLUMNS}
        for mode, cell in cells.items():
            counts[mode][0] += cell in (HELD, MORE)
            counts[mode][1] += cell != NOT_RUN
        if set(cells.values()) != {HELD}:
            lines.append(_row([name, program.head["about"], *cells.values()]))
    sums = _row(["", "held, of those that were run", *(f"{held} of {run}" for held, run in counts.values())])
    head = HEAD.format(count=len(programs), machine=machine, columns="".join(f" {title} |" for title in COLUMNS.values()),
                       rules=" --- |" * len(COLUMNS))
    return head + "\n".join([sums, *lines]) + "\n"


def _cell(program: Program, mode: str, results: Mapping[tuple[str, str], Result]) -> str:
    if not program.may_run_at(tier_of(mode)):
        return NOT_RUN
    kinds = {breach.kind: None for breach in results[program.name, mode].broken}
    if kinds:
        return ", ".join(KINDS[kind] for kind in kinds)
    return HELD if program.holds_at(tier_of(mode)) else MORE


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def stale(programs: Mapping[str, Program], page: str) -> list[str]:
    """What on the page isn't as the heads say: nothing where `make hostile` has been run since they changed."""
    rows = {cells[0]: cells[1:] for cells in re.findall(r"^\| (\w*) \| (.*?) \| " + r" \| ".join(["(.*?)"] * len(COLUMNS)) + r" \|$",
                                                       page, re.MULTILINE) if cells[0] != "program"}
    sums = rows.pop("", ("",) * (1 + len(COLUMNS)))[1:]
    wrong = [f"{name}: there is no such program" for name in rows.keys() - programs.keys()]
    for mode, said in zip(COLUMNS, sums, strict=True):
        run = sum(program.may_run_at(tier_of(mode)) for program in programs.values())
        if not said.endswith(f" of {run}"):
            wrong.append(f"{mode}: {said!r} where {run} are run")
    for name, program in programs.items():
        about, *cells = rows.get(name, (program.head["about"], *[HELD] * len(COLUMNS)))
        if about != program.head["about"]:
            wrong.append(f"{name}: its head says {program.head['about']!r}")
        for mode, cell in zip(COLUMNS, cells, strict=True):
            runs, promised = program.may_run_at(tier_of(mode)), program.holds_at(tier_of(mode))
            if (cell == HELD) != (runs and promised) or (cell == NOT_RUN) != (not runs):
                wrong.append(f"{name}, {mode}: {cell}")
    return wrong
