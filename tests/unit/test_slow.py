"""When a program that keeps the processor busy counts as an endless loop."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
import sys

sys.path.insert(0, str(Path(__file__).parents[2]))

from grader.catalog import Limits  # noqa: E402
from grader.run import PATIENCE, SLOWLY_MOVED, StudentRun  # noqa: E402

LIMIT = Limits().cpu_seconds


def judged(*looks: tuple[float, int], tool: str = "") -> list[bool]:
    """What is said at each look at a program that has used so many seconds and moved so many bytes."""
    run = SimpleNamespace(_moved=0, _moved_at=0.0, limits=Limits(), request=SimpleNamespace(tool=tool))
    verdicts = []
    for used, moved in looks:
        run.cpu_seconds, run.recording = lambda used=used: used, SimpleNamespace(moved=moved)
        verdicts.append(StudentRun.runs_on(run))  # type: ignore[arg-type]
    return verdicts


def test_one_that_moves_nothing_has_the_limit() -> None:
    assert judged((LIMIT - 0.01, 0), (LIMIT + 0.01, 0)) == [False, True]


def test_one_that_moves_bytes_has_more() -> None:
    assert judged((LIMIT - 0.01, 5), (LIMIT + 0.01, 6), (2 * LIMIT, 7), (3 * LIMIT - 0.01, 7)) == [False] * 4


def test_one_that_moves_no_more_has_the_limit_again() -> None:
    assert judged((LIMIT - 0.01, 5), (2 * LIMIT, 5)) == [False, True]


def test_one_that_moves_bytes_for_ever_ends_too() -> None:
    steps = [(LIMIT / 2 * n, n) for n in range(1, 2 * PATIENCE + 2)]
    assert judged(*steps) == [False] * (2 * PATIENCE) + [True]


def test_one_that_moves_much_has_the_limit_from_then_on() -> None:
    assert judged((LIMIT / 2, SLOWLY_MOVED), (LIMIT, SLOWLY_MOVED + 1), (1.6 * LIMIT, SLOWLY_MOVED + 2)) == [False, False, True]


def test_valgrind_has_its_own_limit() -> None:
    assert judged((LIMIT + 0.01, 0), (Limits().valgrind_seconds + 0.01, 0), tool="memcheck") == [False, True]
