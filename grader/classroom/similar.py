"""python3 -m grader similar SUBMISSIONS: pairs of submissions that share much, as places to look, never a verdict.

sim_c (Debian's similarity-tester) compares the files token by token, whatever names and layout they have. The skeleton's
own lines are blanked out before. It reads strangers' bytes, so it runs in the sandbox. Exit status: 0 done, 2 can't.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from .. import build, sandbox
from ..build import BuildError
from ..catalog import CatalogError, Lab, find_labs
from ..command import Parser, complain
from ..safe import visible
from . import collect
from .trouble import Cannot

OK, CANNOT = 0, 2
USUAL_LEAST = 80                    # per cent
SECONDS = 600
LIMITS = {"cpu": SECONDS, "memory": 1 << 30, "fsize": 64 << 20, "nproc": 16}
SHARE = re.compile(r"^(\d+)\.c consists for (\d+) % of (\d+)\.c material$", re.MULTILINE)


def main(words: list[str]) -> int:
    """The similar verb; returns the exit status."""
    parser = Parser(prog="grader similar", allow_abbrev=False, description="pairs of submissions that share much")
    parser.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help="as for class")
    parser.add_argument("--labs", default="", metavar="lab1,lab3", help="only these labs")
    parser.add_argument("--least", type=int, default=USUAL_LEAST, metavar="PERCENT", help="the smallest share that is told")
    options = parser.parse_args(words)
    try:
        return _similar(options)
    except (Cannot, CatalogError, BuildError) as error:
        return complain(str(error), CANNOT)
    except OSError as error:
        return complain(f"{visible(str(error.filename or 'sim_c'), 200)}: {error.strerror or error}", CANNOT)


def _similar(options: argparse.Namespace) -> int:
    if shutil.which("sim_c", path="/usr/bin") is None:
        raise Cannot("sim_c is missing: apt install similarity-tester")
    wanted = {name.strip() for name in options.labs.split(",") if name.strip()}
    labs = [lab for lab in find_labs() if not wanted or lab.id in wanted]
    if unknown := wanted - {lab.id for lab in labs}:
        raise Cannot(f"no {min(unknown)}: there are {', '.join(lab.id for lab in find_labs())}")
    if not options.submissions.is_dir():
        raise Cannot(f"there is no folder {options.submissions}: SUBMISSIONS holds a folder, an archive or a clone a student")
    students, _ = collect.find(options.submissions, {lab.file_name for lab in labs})
    works = {student.name: collect.take(student.entry, labs).files for student in students}
    box = sandbox.prepare("auto", build.launcher)
    print(f"{len(works)} submissions; pairs that share {options.least} % or more of what isn't the skeleton's.")
    print("Places to look, never a verdict: a short task has few ways to be right.")
    for lab in labs:
        sources = {name: own_lines(files[lab.id], lab) for name, files in works.items() if lab.id in files}
        for share, one, other in pairs(_compare(list(sources.values()), box), list(sources), options.least):
            print(f"{lab.id}  {share:3} %  {visible(one, 60)} · {visible(other, 60)}")
    return OK


def own_lines(source: bytes, lab: Lab) -> bytes:
    """The student's file with the skeleton's lines left empty."""
    given = {line.strip() for line in (lab.folder / lab.file_name).read_bytes().splitlines()}
    return b"\n".join(b"" if line.strip() in given else line for line in source.splitlines()) + b"\n"


def pairs(said: str, names: list[str], least: int) -> list[tuple[int, str, str]]:
    """What sim_c said, each pair once with the larger share, the largest first."""
    found: dict[tuple[int, int], int] = {}
    for one, share, other in SHARE.findall(said):
        key = (min(int(one), int(other)), max(int(one), int(other)))
        found[key] = max(int(share), found.get(key, 0))
    return sorted(((share, names[one], names[other]) for (one, other), share in found.items() if share >= least),
                  key=lambda pair: (-pair[0], *pair[1:]))


def _compare(sources: list[bytes], box: sandbox.Sandbox) -> str:
    """What sim_c says of the files 0.c, 1.c, ... Raises Cannot and OSError."""
    if len(sources) < 2:
        return ""
    with contextlib.closing(sandbox.Room(box, build.launcher(), [Path("/usr/bin/sim_c")], kept=True)) as room:
        for number, source in enumerate(sources):
            (room.folder / f"{number}.c").write_bytes(source)
            (room.folder / f"{number}.c").chmod(0o644)
        log = os.memfd_create("log", os.MFD_CLOEXEC)
        try:
            words = ["/usr/bin/sim_c", "-p", "-a", "-e", "-s", "-t1", "-T", *(f"{number}.c" for number in range(len(sources)))]
            status = room.run(words, LIMITS, log, SECONDS)
            said = os.pread(log, LIMITS["fsize"], 0).decode(errors="replace")
        finally:
            os.close(log)
    if status != 0:
        raise Cannot(f"sim_c failed ({status}): {visible(said.strip()[-200:], 200)}")
    return said
