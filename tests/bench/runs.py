"""What a sandbox costs a run of the student's program: the same trivial one in each tier by turns, as the grader runs it.

    runs.py PROGRAM COUNT        prints a line a tier: its name, seconds on the clock and of processor time, the medians
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from pathlib import Path

KIT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(KIT))

from grader import build, kernel, run, sandbox  # noqa: E402
from grader.catalog import Limits  # noqa: E402

TIERS = ("landlock", "bubblewrap")


def used() -> float:
    """Processor time of all that has ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def cost(programs: build.Programs, launcher: Path, tier: sandbox.Sandbox) -> tuple[float, float]:
    """Of one run, from its start until nothing is left."""
    wall, cpu = time.perf_counter(), used()
    one = run.start(1, run.Request(), programs, launcher, tier, Limits(), 1)
    while (ended := one.poll()) is None:
        kernel.readable([one.control.fileno()], 10)
    one.close()
    if ended.status != 0:
        sys.exit(f"in {tier.tier} it {ended.words}")
    return time.perf_counter() - wall, used() - cpu


def main() -> None:
    program, count = Path(sys.argv[1]), int(sys.argv[2])
    launcher = build.launcher()
    sandbox.prepare("auto", lambda: launcher)                   # the network is the same for all
    found = [sandbox._try(tier, "", launcher)[0] for tier in TIERS]
    tiers = [sandbox.Sandbox("none"), *(tier for tier in found if tier is not None)]     # limits alone, as oneself
    programs = build.Programs(program.parent, program, program, program)
    costs = [[cost(programs, launcher, tier) for tier in tiers] for _ in range(count)]
    for index, tier in enumerate(tiers):
        wall, cpu = (statistics.median(row[index][which] for row in costs) for which in (0, 1))
        print(tier.tier, wall, cpu)


main()
