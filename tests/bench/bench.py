"""What a grade costs (make bench): `make grade` of each lab's solution, in seconds and in floors.

The floor is what no grade can do without: compile one student file, start an empty Criterion suite,
memcheck a trivial program. Both are measured in one run, so the machine is the same; each figure is
the median of five (make bench ROUNDS=N: of N). CPU is that of all processes together.

Two more rows a lab. What ladders cost: one for each stage, which is the most that a report draws, at the mean cost
of the lab's recorded evidence; and its share of a grade after an edit. What `make watch` takes from a save to the
first line of the lab's result, through a pipe.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
KIT = HERE.parents[1]
DRAWING = """
import gzip, json, sys, time
from pathlib import Path
from grader import keep
from grader.ladder import draw_lines, ladder_of
lines = gzip.decompress(Path(sys.argv[1]).read_bytes()).splitlines()
seen = [keep.unpack(json.loads(line)["evidence"]) for line in lines]
wall, cpu = time.perf_counter(), time.process_time()
for evidence in seen:
    draw_lines(ladder_of(evidence), 76)
print((time.perf_counter() - wall) / len(seen), (time.process_time() - cpu) / len(seen))
"""
ROUNDS = int(os.environ.get("ROUNDS", "5"))
COMPILE = ["gcc", "-std=gnu11", "-g", "-O1", "-fno-optimize-sibling-calls", "-fno-omit-frame-pointer", "-pthread",
           "-Wall", "-Wextra"]
MEMCHECK = ["valgrind", "-q", "--leak-check=full", "--track-fds=yes"]


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, and of all processors."""

    wall: float
    cpu: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


def run(words: Sequence[str], cwd: Path) -> Cost:
    """Runs a command to its end; what it and all it started took."""
    log = cwd / "bench.log"
    with log.open("wb") as out:
        began = time.monotonic()
        process = subprocess.Popen(words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(words)} failed:\n{log.read_text(errors='replace')}")
    return Cost(wall, used.ru_utime + used.ru_stime)


def median(words: Sequence[str], cwd: Path, before: Callable[[int], object] = lambda _: None) -> Cost:
    """The median of all rounds; `before` prepares each and isn't counted."""
    costs = []
    for number in range(ROUNDS):
        before(number)
        costs.append(run(words, cwd))
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))


def show(name: str, cost: Cost, floor: Cost | None = None) -> None:
    """One line of the table."""
    floors = f"{cost.wall / floor.wall:8.2f} {cost.cpu / floor.cpu:8.2f}" if floor else ""
    print(f"  {name:<36} {cost.wall:8.3f} {cost.cpu:8.3f}{floors}", flush=True)


def measure_floor(work: Path) -> Cost:
    """The three parts, and their sum."""
    for words in ([*COMPILE, "-o", "suite", str(HERE / "suite.c"), "-lcriterion"],
                  [*COMPILE, "-o", "trivial", str(HERE / "trivial.c")]):
        run(words, work)
    parts = {
        "compile one student file": [*COMPILE, "-c", str(HERE / "student.c"), "-o", "student.o"],
        "start an empty Criterion suite": ["./suite"],
        "memcheck a trivial program": [*MEMCHECK, "./trivial"],
    }
    floor = Cost(0, 0)
    for name, words in parts.items():
        cost = median(words, work)
        floor += cost
        show(name, cost)
    show("the floor", floor, floor)
    return floor


def copy_kit(to: Path) -> None:
    """The working tree as it is, without what is built."""
    listed = subprocess.run(["git", "ls-files", "-zco", "--exclude-standard"], cwd=KIT, capture_output=True, check=True)
    for name in os.fsdecode(listed.stdout).split("\0"):
        if (KIT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(KIT / name, to / name)


def measure_lab(lab: Path, kit: Path, floor: Cost) -> None:
    """Grades a lab's solution from nothing, after an edit, and once more unchanged."""
    number, name = lab.name.removeprefix("lab").split("_", 1)
    source = kit / "solutions" / lab.name / f"{name}.c"
    grade = ["make", "grade", f"LAB={number}", "FROM=solutions", "STRICT=1", f"PYTHON={sys.executable}"]

    def edit(number: int) -> None:
        with source.open("a", encoding="utf-8") as file:
            file.write(f"/* edit {number} */\n")

    build = kit / "build"
    show(f"lab{number}, cold (after make clean)", median(grade, kit, lambda _: shutil.rmtree(build, True)), floor)
    warm = median(grade, kit, edit)
    show(f"lab{number}, warm (after an edit)", warm, floor)
    show(f"lab{number}, warm (nothing changed)", median(grade, kit), floor)
    run(["make", f"lab{number}"], kit)
    show(f"make lab{number}, nothing to rebuild", median(["make", f"lab{number}"], kit), floor)
    drawing = measure_drawing(lab, kit)
    show(f"lab{number}, a ladder a stage: {100 * drawing.wall / warm.wall:.1f} % of warm", drawing)
    shutil.copy(source, lab / source.name)
    show(f"make watch, from a save to lab{number}'s result", Cost(measure_watch(lab, kit), 0))


def measure_drawing(lab: Path, kit: Path) -> Cost:
    """What it costs to draw one ladder for each stage of a lab."""
    name = lab.name.partition("_")[0]
    with (lab / "lab.toml").open("rb") as file:
        stages = len(tomllib.load(file)["stage"])
    words = [sys.executable, "-c", DRAWING, str(kit / "tests" / "evidence" / f"{name}.jsonl.gz")]
    costs = []
    for _ in range(ROUNDS):
        wall, cpu = subprocess.run(words, cwd=kit, capture_output=True, text=True, check=True).stdout.split()
        costs.append(Cost(stages * float(wall), stages * float(cpu)))
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))


def measure_watch(lab: Path, kit: Path) -> float:
    """The median of the seconds from a save until the lab's result is told."""
    name, source = lab.name.partition("_")[0], next(iter(lab.glob(f"{lab.name.partition('_')[2]}.c")))
    with subprocess.Popen([sys.executable, "-m", "grader", "watch", name], cwd=kit, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as watch:
        assert watch.stdout is not None

        def wait_for(begin: str) -> float:
            for line in watch.stdout or ():
                if line.startswith(begin):
                    return time.monotonic()
            sys.exit(f"make watch ended before it said {begin!r}")

        wait_for("---- graded")
        took = []
        for number in range(ROUNDS):
            with source.open("a", encoding="utf-8") as file:
                file.write(f"/* save {number} */\n")
            saved = time.monotonic()
            took.append(wait_for(name) - saved)
            wait_for("---- graded")
        watch.send_signal(signal.SIGINT)
    return statistics.median(took)


def main() -> None:
    """Prints the table."""
    os.environ.pop("MAKEFLAGS", None)
    print(f"{'seconds, and multiples of the floor':<38} {'wall':>8} {'CPU':>8} {'wall':>7} {'CPU':>8}")
    with tempfile.TemporaryDirectory() as place:
        floor = measure_floor(Path(place))
        kit = Path(place) / "kit"
        copy_kit(kit)
        for lab in sorted((kit / "labs").glob("lab*_*/")):
            measure_lab(lab, kit, floor)


if __name__ == "__main__":
    main()
