"""Hostile submissions that are no C file: links, pipes, devices and trees."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kit import LABS, solution

if TYPE_CHECKING:
    from hostile.corpus import Place, Program

FILE = LABS["lab1"].file_name


def _link_to_solution(folder: Path, place: Place) -> None:
    (folder / FILE).symlink_to(place.kit / "solutions" / folder.name / FILE)


def _folder_link(folder: Path, place: Place) -> None:
    folder.rmdir()
    folder.symlink_to(place.kit / "solutions" / folder.name)


def _folder_link_outside(folder: Path, place: Place) -> None:
    folder.rmdir()
    folder.symlink_to(f"../../../{place.work.name}/other/{folder.name}")


def _pipe(folder: Path, place: Place) -> None:
    os.mkfifo(folder / FILE)


def _a_folder(folder: Path, place: Place) -> None:
    (folder / FILE).mkdir()


def _device(folder: Path, place: Place) -> None:
    (folder / FILE).symlink_to("/dev/zero")


def _huge(folder: Path, place: Place) -> None:
    with open(folder / FILE, "wb") as file:
        file.truncate(10 << 30)


def _loop(folder: Path, place: Place) -> None:
    (folder / FILE).symlink_to(FILE)


def _planted(folder: Path, place: Place) -> None:
    """Files that a tool may take as its own where it looks around."""
    spoils = f"import os\nos.system('touch /tmp/hostile-{place.work.name}')\n"
    for name in ("json.py", "sitecustomize.py", "conftest.py", "grader.py"):
        (folder / name).write_text(spoils)
        (folder.parent / name).write_text(spoils)
    make = f"$(shell touch /tmp/hostile-{place.work.name})\n"
    for name in ("GNUmakefile", "Makefile"):
        (folder / name).write_text(make)
        (folder.parent / name).write_text(make)
    (folder / "client_send.h").write_text("#error its own header was taken\n")
    (folder / "report.h").write_text("#error its own header was taken\n")
    (folder / "suite.c").write_text("#error its own suite was taken\n")
    (folder / "lab.toml").write_text('title = "owned"\n[[stage]]\nname = "x"\ntitle = "x"\npoints = 100\nplain = "x"\n')
    (folder / FILE).write_text(solution(LABS["lab1"]))


def _odd_names(folder: Path, place: Place) -> None:
    for name in (b"\x1b[2J.c", b"a\n::error::owned.c", b"\xff\xfe.c", b"-rf.c", b"=cmd().c", b"<script>.c"):
        (folder / os.fsdecode(name)).write_text("owned")
    (folder / FILE).write_text(solution(LABS["lab1"]))


def _program(name: str, about: str, make: Callable[[Path, Place], None], **more: str) -> tuple[str, Program]:
    from hostile.corpus import Program
    head = {"about": about, "time": "files", "threat": "files", "status": "2", **more}
    return name, Program(name, head, "", make)


FILES = dict([
    _program("f_link", "a symbolic link to the solution in the file's place", _link_to_solution, says="is a symbolic link"),
    _program("f_folder_link", "the lab's folder is a symbolic link to the solution's", _folder_link, says="symbolic link"),
    _program("f_folder_link_other", "the lab's folder is a link with .. in it, to another submission", _folder_link_outside,
             says="symbolic link"),
    _program("f_loop", "a symbolic link to itself", _loop, says="is a symbolic link"),
    _program("f_device", "a link to /dev/zero", _device, says="is a symbolic link"),
    _program("f_pipe", "a pipe that nobody writes to", _pipe, says="isn't a regular file"),
    _program("f_a_folder", "a folder", _a_folder, says="isn't a regular file"),
    _program("f_huge", "a file of 10 GB that takes no room", _huge, says="is larger than"),
    _program("f_planted", "Makefiles, Python modules, headers and a lab.toml beside a right file", _planted, status="0", score="right"),
    _program("f_odd_names", "names of files that a terminal or a shell would obey, beside a right file", _odd_names, status="0",
             score="right"),
])
