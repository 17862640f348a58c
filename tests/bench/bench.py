"""What a grade costs (make bench): `make grade` of each lab's solution, in seconds and in floors.

The floor is what no grade can do without: compile one student file, start an empty Criterion suite,
memcheck a trivial program. Both are measured in one run, so the machine is the same; each figure is
the median of five (make bench ROUNDS=N: of N; make bench BENCH=lab3: one lab). CPU is that of all processes together.

What the sandbox costs a run of the student's program stands above the labs (make bench BENCH=runs: that alone).

More rows a lab. What it costs to draw: the report on the terminal and the page, with all their ladders and plots, of
the mutant in which most goes wrong; and its share of that grade. What `make watch` takes on a terminal, from a
save to the first test's verdict and to the lab's whole result.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
KIT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from kit import LABS, WORST, read_mutant  # noqa: E402

# One grade with its page; says what share of its time went into the report on the terminal and into the page.
DRAWING = """
import sys, time
from grader import cli
spent = []
def timed(work):
    def run(*words):
        began = time.perf_counter()
        try:
            return work(*words)
        finally:
            spent.append(time.perf_counter() - began)
    return run
def grade(*words, whole=timed(cli._grade_labs)):
    status = whole(*words)
    print("\\n", *spent)
    return status
cli._show, cli._page, cli._grade_labs = timed(cli._show), timed(cli._page), grade
cli.main(["grade", sys.argv[1], "--from", sys.argv[2], "--html", "page.html"])
"""
ROUNDS = int(os.environ.get("ROUNDS", "5"))
RUNS = "runs"
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


def measure_runs(work: Path) -> None:
    """A trivial program run as a student's is, in each tier by turns."""
    run([*COMPILE, "-o", "trivial", str(HERE / "trivial.c")], work)
    work.chmod(0o755)                   # each run may have a user of its own
    done = subprocess.run([sys.executable, str(HERE / "runs.py"), str(work / "trivial"), str(20 * ROUNDS)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"runs.py failed:\n{done.stderr}")
    bare = None
    for tier, *seconds in map(str.split, done.stdout.splitlines()):
        cost = Cost(*map(float, seconds))
        bare = bare or cost
        more = f", {1000 * (cost.wall - bare.wall):.1f} ms more" if cost is not bare else ""
        show(f"a run, sandbox {tier}{more}", cost)


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
    drawing, share = measure_drawing(lab, kit)
    show(f"worst mutant: drawing, {100 * share:.1f} % of its grade", Cost(drawing, drawing))
    shutil.copy(source, lab / source.name)
    first, whole = measure_watch(lab, kit)
    show("make watch, a save to the first verdict", Cost(first, 0))
    show(f"make watch, a save to lab{number}'s result", Cost(whole, 0))


def measure_drawing(lab: Path, kit: Path) -> tuple[float, float]:
    """The medians of the seconds that the report and the page of the lab's worst mutant take, and of their share of its grade."""
    name = lab.name.partition("_")[0]
    tree = kit / "build" / "worst"
    source = read_mutant(KIT / "tests" / "mutants" / name / f"{WORST[name]}.mutant").source()
    place = tree / lab.name
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{lab.name.partition('_')[2]}.c").write_text(source, encoding="utf-8")
    drawn, shares = [], []
    for _ in range(ROUNDS):
        said = subprocess.run([sys.executable, "-c", DRAWING, name, str(tree)], cwd=kit, capture_output=True, text=True, check=True)
        report, page, whole = map(float, said.stdout.splitlines()[-1].split())
        drawn.append(report + page)
        shares.append((report + page) / whole)
    return statistics.median(drawn), statistics.median(shares)


def measure_watch(lab: Path, kit: Path) -> tuple[float, float]:
    """The medians of the seconds from a save until a terminal shows the first test's verdict, and the lab's result."""
    name, source = lab.name.partition("_")[0], next(iter(lab.glob(f"{lab.name.partition('_')[2]}.c")))
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-m", "grader", "watch", name], cwd=kit, stdin=subprocess.DEVNULL,
                          stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}) as watch:
        os.close(theirs)
        shown = b""

        def wait_for(pattern: str) -> float:
            nonlocal shown
            while not (found := re.search(pattern.encode(), shown)):
                shown += os.read(ours, 65536)
            shown = shown[found.end():]
            return time.monotonic()

        wait_for("---- graded")
        first, whole = [], []
        for number in range(ROUNDS):
            with source.open("a", encoding="utf-8") as file:
                file.write(f"/* save {number} */\n")
            saved = time.monotonic()
            first.append(wait_for(f"grading: {name} [1-9]") - saved)
            whole.append(wait_for("---- graded") - saved)
        watch.send_signal(signal.SIGINT)
    os.close(ours)
    return statistics.median(first), statistics.median(whole)


def main() -> None:
    """Prints the table, of all parts or of those named."""
    os.environ.pop("MAKEFLAGS", None)
    wanted = sys.argv[1:] or [RUNS, *LABS]
    print(f"{'seconds, and multiples of the floor':<38} {'wall':>8} {'CPU':>8} {'wall':>7} {'CPU':>8}")
    with tempfile.TemporaryDirectory() as place:
        if RUNS in wanted:
            measure_runs(Path(place))
        if wanted == [RUNS]:
            return
        floor = measure_floor(Path(place))
        kit = Path(place) / "kit"
        copy_kit(kit)
        for lab in sorted((kit / "labs").glob("lab*_*/")):
            if lab.name.partition("_")[0] in wanted:
                measure_lab(lab, kit, floor)


if __name__ == "__main__":
    main()
