"""Grades a generated class, checks each mark, and says what it took: python3 tests/classroom/measure.py COUNT [LAB...]

Memory is that of the grader's own processes, Python's and the suites', by their proportional set size (shared pages
count once, and so does the memory that a new process shares with its maker until it begins), summed up twice a second;
students' programs, valgrind and compilers don't count.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from generate import Expected, generate  # noqa: E402
from kit import KIT, LABS  # noqa: E402

from grader import kernel  # noqa: E402

OWN = ("python", "suite")
LIBC = ctypes.CDLL(None)
SYS_KCMP, KCMP_VM = {"x86_64": 312, "aarch64": 272}.get(os.uname().machine, -1), 1


def main(words: list[str]) -> int:
    """0 if every mark is right."""
    count, labs = int(words[0]), words[1:] or list(LABS)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        expected = generate(Path(folder, "in"), count, labs)
        began, before = time.monotonic(), os.times()
        command = [sys.executable, "-m", "grader", "class", str(Path(folder, "in")), "--out", str(Path(folder, "out")),
                   "--labs", ",".join(labs), "--seed", "cafe"]
        with open(Path(folder, "said"), "w+", encoding="utf-8") as said, \
                subprocess.Popen(command, cwd=KIT, stdout=said, stderr=said) as process:
            peak = watch(process)
            said.seek(0)
            text = said.read()
        seconds, after = time.monotonic() - began, os.times()
        if process.returncode != 0:
            print(text)
        wrong = check(Path(folder, "out"), expected)
        quick = prompt(Path(folder, "out"), expected)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    for line in wrong:
        print(line)
    print(f"{count} submissions, {len(labs)} labs: {len(wrong)} marks wrong; {seconds:.0f} s, {seconds / count:.2f} s each, "
          f"{60 * count / seconds:.1f} a minute; {cpu / count:.2f} s of processor each; peak {peak / 1024:.0f} MB; "
          f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors")
    workers = len(os.sched_getaffinity(0))
    if quick:
        print(f"{len(quick)} of them have nothing hostile, and no test that came to no end: {sum(quick) / len(quick):.2f} s each, "
              f"{60 * workers * len(quick) / sum(quick):.1f} a minute by {workers} workers")
    return 1 if wrong or process.returncode else 0


def prompt(out: Path, expected: dict[str, Expected]) -> list[float]:
    """The seconds of each submission that is neither hostile nor has a test that came to no end."""
    found = []
    for path in (out / "results").glob("*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        labs = record["report"]["labs"] if record["report"] else []
        endless = any(test["status"] == "timed_out" for lab in labs for stage in lab["stages"] for test in stage["tests"])
        if labs and not endless and not expected[record["student"]].hostile:
            found.append(record["seconds"]["all"])
    return found


def check(out: Path, expected: dict[str, Expected]) -> list[str]:
    """Each mark that isn't right."""
    found, seen = [], set()
    for path in sorted((out / "results").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        seen.add(record["student"])
        what = expected[record["student"]]
        found += [f"{record['student']} ({what.way}): {line}" for line in what.wrong(record)]
    return found + [f"{name}: no record" for name in expected if name not in seen]


def watch(process: subprocess.Popen[bytes]) -> int:
    """The most memory that the grader's own processes had at once, in KiB."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, together(kernel.family(process.pid)))
        time.sleep(0.5)
    return peak


def together(pids: list[int]) -> int:
    """What these have, in KiB. Between vfork() and execve() a process has its maker's memory, and none of its own."""
    total = 0
    for pid in pids:
        own = memory(pid)
        if own and not borrowed(pid, pids):
            total += own
    return total


def borrowed(pid: int, pids: list[int]) -> bool:
    """Whether its maker, one of these, has the same memory: kcmp(2)."""
    try:
        maker = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return False
    return maker in pids and LIBC.syscall(SYS_KCMP, pid, maker, KCMP_VM, 0, 0) == 0


def memory(pid: int) -> int:
    try:
        if not Path(f"/proc/{pid}/comm").read_text().startswith(OWN):
            return 0
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
