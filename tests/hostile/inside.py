"""Runs a grade as process 1 of a pid namespace, and says what was left when it had ended.

    inside.py SECONDS KIT WORDS…        prints one line of JSON

Being process 1, it inherits whatever outlives the grader. Standard library only, and run by path: it may run as
another user, in a copy of the kit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

SETTLE_SECONDS = 3.0            # for the kernel to take away what has been killed


def others() -> list[str]:
    """The processes besides this one, by name; zombies are gone already."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                name, _, rest = (folder / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
            except OSError:
                continue
            if rest.split()[0] not in "ZX":
                found.append(name)
    return found


def memory() -> int:
    """MiB that processes and memory files of this machine hold."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(lines[name].split()[0]) for name in ("AnonPages", "Shmem")) >> 10


def watch_memory(over: threading.Event, seen: list[int]) -> None:
    while not over.wait(0.05):
        seen.append(memory())


def main() -> None:
    seconds, kit, words = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
    seen = [memory()]
    over = threading.Event()
    watcher = threading.Thread(target=watch_memory, args=(over, seen))
    watcher.start()
    began = time.monotonic()
    grader = subprocess.Popen([sys.executable, "-m", "grader", *words], cwd=kit, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        said, in_time = grader.communicate(timeout=seconds)[0], True
    except subprocess.TimeoutExpired as late:
        said, in_time = late.stdout or b"", False
    took = time.monotonic() - began
    over.set()
    watcher.join()
    deadline = time.monotonic() + SETTLE_SECONDS
    while (left := others()) and time.monotonic() < deadline and in_time:
        time.sleep(0.02)
    shared = [name for name in ("shm", "sem", "msg")
              for _ in Path(f"/proc/sysvipc/{name}").read_text().splitlines()[1:]]
    print(json.dumps({"status": grader.returncode if in_time else None, "seconds": round(took, 1), "left": left,
                      "shared": shared, "memory": max(seen) - seen[0], "said": said.decode(errors="replace")}), flush=True)
    os._exit(0)                 # process 1 goes, and whatever is left with it


main()
