"""python3 -m grader fetch LIST --to DIR: clones a class's repositories, each as DIR/STUDENT.

    # LIST: a repository a line, and perhaps the student's name; without it the repository's counts
    course/lab-anna
    ben/socklab         Ben Bell

A name in the list is a word for git and no more: nothing of it reaches a shell, an option or another host. CLASS_TOKEN
in the environment is a token that may read the repositories; git alone gets it. Exit status: 0 all are there, 2 the list
is wrong, 3 some could not be fetched; they are named, and have no mark rather than a bad one.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..command import Parser, complain
from ..safe import visible
from . import collect, records
from .trouble import Cannot

OK, CANNOT, FAILED = 0, 2, 3
AT_ONCE = 4
SECONDS = 300                       # for one repository
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*")
TOKEN = "CLASS_TOKEN"


@dataclass(frozen=True)
class Wanted:
    """One line of the list."""

    repository: str                 # "owner/name"
    student: str


def main(words: list[str]) -> int:
    """The fetch verb; returns the exit status."""
    parser = Parser(prog="grader fetch", allow_abbrev=False, description="clones a class's repositories")
    parser.add_argument("list", type=Path, metavar="LIST", help="a file: owner/name a line, and perhaps the student's name")
    parser.add_argument("--to", type=Path, metavar="DIR", help="where the clones go; without it the list is only checked")
    parser.add_argument("--shard", default="", metavar="I/N", help="only the I-th of N parts, as class --shard takes them")
    parser.add_argument("--url", default="https://github.com", metavar="URL", help="where the repositories are")
    options = parser.parse_args(words)
    try:
        part, parts = records.read_shard(options.shard)
        listed = read_list(options.list)
        wanted = [one for one in listed if records.shard_of(one.student, parts) == part]
        if options.to is None:
            print(f"{options.list}: {len(wanted)} repositories")
            return OK
        options.to.mkdir(parents=True, exist_ok=True)
    except Cannot as error:
        return complain(str(error), CANNOT)
    except OSError as error:
        return complain(f"{error.filename}: {error.strerror}", CANNOT)
    return _fetch_all(wanted, options.to, options.url.rstrip("/"))


def read_list(place: Path) -> list[Wanted]:
    """The repositories of a list, each student once. Raises Cannot and OSError."""
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise Cannot(f"{place}: {error}") from None
    found: dict[str, Wanted] = {}
    for number, line in enumerate(lines, start=1):
        repository, _, student = " ".join(line.split()).partition(" ")
        if not repository or repository.startswith("#"):
            continue
        if not REPOSITORY.fullmatch(repository):
            raise Cannot(f"{place}:{number}: a repository is owner/name, not {visible(repository, 60)}")
        student = student or repository.partition("/")[2]
        if student.startswith(".") or "/" in student or "\0" in student or collect.student_of(Path(student)) != student:
            raise Cannot(f"{place}:{number}: {visible(student, 60)} can't be a student's name here: write another behind the "
                         "repository")
        if other := found.get(student):
            raise Cannot(f"{place}:{number}: {visible(student, 60)} is {other.repository} already: write each student's name "
                         "behind the repository")
        found[student] = Wanted(repository, student)
    if not found:
        raise Cannot(f"{place} has no repositories: a line is owner/name, and perhaps the student's name")
    return list(found.values())


def _fetch_all(wanted: list[Wanted], folder: Path, url: str) -> int:
    environment = {**os.environ, **_access(url, os.environ.get(TOKEN, ""))}
    environment.pop(TOKEN, None)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        troubles = list(pool.map(lambda one: _fetch(one, folder, url, environment), wanted))
    for one, trouble in zip(wanted, troubles):
        if trouble:
            print(f"{visible(one.student, 60)}: {one.repository} could not be fetched: {visible(trouble, 200)}")
    print(f"{troubles.count('')} of {len(wanted)} repositories fetched")
    return FAILED if any(troubles) else OK


def _access(url: str, token: str) -> dict[str, str]:
    """What git's environment needs to read there, asking nobody. No other host gets the token."""
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1"}
    if not token:
        return quiet
    word = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {**quiet, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"http.{url}/.extraheader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {word}"}


def _fetch(one: Wanted, folder: Path, url: str, environment: Mapping[str, str]) -> str:
    """Clones one repository, its last commit alone; returns why it can't be had, "" if it is there."""
    place, aside = folder / one.student, folder / f".fetching {one.student}"
    words = ["git", "-c", "core.hooksPath=/dev/null", "clone", "--quiet", "--depth", "1", "--no-tags", "--single-branch", "--",
             f"{url}/{one.repository}.git", str(aside)]
    try:
        shutil.rmtree(aside, ignore_errors=True)
        done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        if done.returncode:
            said = [line for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("fatal: ")]
            return said[0].removeprefix("fatal: ") if said else f"git ended with status {done.returncode}"
        shutil.rmtree(place, ignore_errors=True)
        aside.rename(place)
    except subprocess.TimeoutExpired:
        return f"it took more than {SECONDS} s"
    except OSError as error:
        return error.strerror or str(error)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return ""
