"""make soak: the same verdicts again and again on a busy machine, two grades at a time. None may differ.

    tests/soak.py [--right N] [--mutants N] [--load N] [LAB...]

Prints how many test verdicts there were and each that differed. Exit status 1 if one did.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from kit import LABS, Graded, Lab, grade_source, mutants, solution

Verdicts = dict[str, tuple[str, str | None]]


@contextmanager
def load(processes: int) -> Iterator[None]:
    """So many busy loops beside everything else."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def verdicts(graded: Graded, lab: Lab) -> Verdicts:
    """Each test's status and cause; a grade that failed is told in place of them."""
    if graded.status not in (0, 1):
        return {"the grader": (f"status {graded.status}", str(graded.lab(lab.id).get("trouble")))}
    return {name: (test["status"], test["cause"]) for name, test in graded.tests(lab.id).items()}


def soak(what: str, lab: Lab, sources: list[tuple[str, str]], wanted: int) -> int:
    """Grades the sources in turn until there are so many verdicts; returns how many differed."""
    first: dict[str, Verdicts] = {}
    seen = differed = grades = 0
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        turns = itertools.cycle(sources)
        while seen < wanted:
            batch = [next(turns) for _ in range(max(2, len(sources)))]
            for (name, _), graded in zip(batch, pool.map(lambda pair: grade_source(lab, pair[1]), batch)):
                grades += 1
                found = verdicts(graded, lab)
                seen += sum(status != "not_tried" for status, _ in found.values())
                known = first.setdefault(name, found)
                for test in sorted(known.keys() | found.keys()):
                    if known.get(test) != found.get(test):
                        differed += 1
                        print(f"  {name}: {test}: {known.get(test)}, then {found.get(test)}", flush=True)
    print(f"{lab.id}: {seen} verdicts of {what} in {grades} grades, {time.monotonic() - began:.0f} s: {differed} differed", flush=True)
    return differed


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("labs", nargs="*", default=list(LABS))
    parser.add_argument("--right", type=int, default=3000)
    parser.add_argument("--mutants", type=int, default=500)
    parser.add_argument("--load", type=int, default=2)
    options = parser.parse_args()
    differed = 0
    with load(options.load):
        for lab in (LABS[name] for name in options.labs):
            differed += soak("right programs", lab, [("solution", solution(lab))], options.right)
            wrong = [(mutant.name, mutant.source()) for mutant in mutants("mutants") if mutant.lab == lab]
            if wrong and options.mutants:
                differed += soak("mutants", lab, wrong, options.mutants)
    print("none differed" if differed == 0 else f"{differed} differed")
    return differed > 0


if __name__ == "__main__":
    sys.exit(main())
