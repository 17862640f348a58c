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


def _number(text: str, name: str) -> int:
    """The number after a name, as /proc writes it; 0 where it isn't there."""
    return int(text.partition(f"{name}:")[2].split(maxsplit=1)[0]) if f"{name}:" in text else 0


def memory() -> int:
    """KiB that the processes here have written to, and that their memory files hold: what two share may count twice."""
    found, files = 0, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status = (folder / "status").read_text(errors="replace")
                found += _number(status, "RssAnon") + _number(status, "RssShmem")
                files.update(memory_files(folder / "fd"))
            except OSError:                 # it has gone
                continue
    return found + sum(files.values())


def memory_files(descriptors: Path) -> dict[int, int]:
    """The files of memfd_create() that a process has open: KiB by inode. Mapped or not."""
    found = {}
    for entry in os.scandir(descriptors):
        try:
            if os.readlink(entry.path).startswith("/memfd:"):
                facts = os.stat(entry.path)
                found[facts.st_ino] = facts.st_blocks // 2
        except OSError:                     # it was closed
            continue
    return found


def running() -> float:
    """Threads of this machine that run or want to, for each processor."""
    return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0]) / len(os.sched_getaffinity(0))


class Watch(threading.Thread):
    """Looks now and then at the memory that is taken, and at how busy the machine is."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._over = threading.Event()
        self._memory = [0]
        self._running = [running()]

    def run(self) -> None:
        while not self._over.wait(0.05):
            self._memory.append(memory())
            self._running.append(running())

    def end(self) -> tuple[int, float]:
        """The most MiB, and by how much everything took longer than on a machine of its own."""
        self._over.set()
        self.join()
        return max(self._memory) >> 10, max(1.0, sum(self._running) / len(self._running))


def main() -> None:
    seconds, kit, words = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
    watch = Watch()
    watch.start()
    began = time.monotonic()
    grader = subprocess.Popen([sys.executable, "-m", "grader", *words], cwd=kit, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        said, in_time = grader.communicate(timeout=seconds)[0], True
    except subprocess.TimeoutExpired as late:
        said, in_time = late.stdout or b"", False
    took = time.monotonic() - began
    memory, longer = watch.end()
    deadline = time.monotonic() + SETTLE_SECONDS
    while (left := others()) and time.monotonic() < deadline and in_time:
        time.sleep(0.02)
    shared = [name for name in ("shm", "sem", "msg")
              for _ in Path(f"/proc/sysvipc/{name}").read_text().splitlines()[1:]]
    print(json.dumps({"status": grader.returncode if in_time else None, "seconds": round(took / longer, 1), "left": left,
                      "shared": shared, "memory": memory, "said": said.decode(errors="replace")}), flush=True)
    os._exit(0)                 # process 1 goes, and whatever is left with it


main()
