"""make two-limits: the whole corpus judged at normal limits, and again as on a machine three times slower.

    tests/two_limits.py [--sample N] [--only NAME,...] [--load N] [--slowness S] [LAB...]

The second time busy loops share each processor with the grader, and limits of time are scaled by SLOWNESS. Each test
whose status or cause differs is printed; exit status 1 if one did. Of a mutant that races, its threads or it and its
peer, it only counts that it fails what it must: it is another program at each run, and what else differs is told apart.
Without --sample all solutions, variants and mutants are judged; with it so many of them, chosen by SEED. --only takes
those that differed last time again.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from kit import KIT, LABS, Lab, grade_source, mutants, solution
from soak import Verdicts, load, verdicts

Program = tuple[str, Lab, str, tuple[str, ...]]      # a name, a lab, a text, and the only tests that count where it races


def corpus(labs: list[str]) -> list[Program]:
    """All programs that are known."""
    found: list[Program] = [(f"solution/{name}", LABS[name], solution(LABS[name]), ()) for name in labs]
    found += [(f"variant/{path.parent.name}/{path.stem}", LABS[path.parent.name], path.read_text(), ())
              for path in sorted((KIT / "tests" / "variants").glob("*/*.c")) if path.parent.name in labs]
    return found + [(mutant.name, mutant.lab, mutant.source(), mutant.fails if mutant.races else ())
                    for mutant in mutants("mutants") if mutant.lab.id in labs]


def judge(programs: list[Program]) -> tuple[list[Verdicts], float]:
    """The verdicts on each, two programs at a time, and how long it took."""
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda one: verdicts(grade_source(one[1], one[2], "--seed", "two limits"), one[1]), programs))
    return found, time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("labs", nargs="*", default=list(LABS))
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--load", type=int, default=2 * len(os.sched_getaffinity(0)))
    parser.add_argument("--slowness", default="3")
    options = parser.parse_args()
    programs = corpus(options.labs)
    if options.only:
        programs = [program for program in programs if program[0] in options.only.split(",")]
    if options.sample:
        chance = random.Random(os.environ.get("SEED", "1"))
        programs = chance.sample(programs, min(options.sample, len(programs)))
    normal, seconds = judge(programs)
    os.environ["SLOWNESS"] = options.slowness
    with load(options.load):
        slow, longer = judge(programs)
    differed = count = chance = 0
    for (name, _, _, named), one, other in zip(programs, normal, slow):
        count += len(one)
        for test in sorted(one.keys() | other.keys()):
            if one.get(test) != other.get(test):
                counts = not named or test in named and ("passed", None) in (one.get(test), other.get(test))
                differed += counts
                chance += not counts
                print(f"  {name}: {test}: {one.get(test)}, then {other.get(test)}{'' if counts else ' (it races)'}", flush=True)
    print(f"{len(programs)} programs, {count} verdicts; {seconds:.0f} s, and {longer:.0f} s beside {options.load} busy loops with "
          f"SLOWNESS={options.slowness}: {differed} differ, and {chance} of programs that race")
    return differed > 0


if __name__ == "__main__":
    sys.exit(main())
