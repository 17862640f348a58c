"""A file a submission in OUT/results: what it was graded by, and what came of it.

The key is the hash of all that a grade depends on. A submission whose record has the key that is due isn't graded again.
All of a record is the same in every run but "seconds", which stands apart.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import build, files
from ..catalog import KIT, Lab
from ..safe import visible
from .trouble import Cannot

VERSION = 1
LONGEST_NAME = 100                  # bytes of a file's name before its suffix
CODE = (".py", ".c", ".h", ".def", ".toml", ".css", ".html")


class NoRecord(Exception):
    """A file isn't a record: one line that says which."""


@dataclass(frozen=True)
class Setting:
    """What all submissions of a class share. Two runs go together if it is the same."""

    kit: str                        # the digest of all that grades
    seed: str
    sandbox: str                    # as it was wished for
    labs: tuple[str, ...]
    hidden: str = field(default="", compare=False)      # the folder of the hidden tests; kit is of what is in it

    def key(self, work: Mapping[str, bytes]) -> str:
        """What a grade of these files is known by."""
        parts = [self.kit, self.seed, self.sandbox,
                 *(f"{lab} {hashlib.sha256(work[lab]).hexdigest() if lab in work else '-'}" for lab in self.labs)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class StageRow:
    """One stage of one submission."""

    stage: str
    title: str
    score: int | None
    max_score: int
    status: str


@dataclass(frozen=True)
class LabRow:
    """One lab of one submission, as the books need it."""

    lab: str
    title: str
    score: int | None
    max_score: int
    state: str                      # "", or "missing", "doesn't compile", "the grader failed"
    stages: tuple[StageRow, ...]
    causes: tuple[str, ...]         # slugs, each once
    failure: str                    # the first thing that is wrong, "" if nothing is
    seconds: float


@dataclass(frozen=True)
class Row:
    """One submission."""

    student: str
    file: str                       # the name of its files, without a suffix
    entry: str
    submitted: str                  # ISO 8601
    notes: tuple[str, ...]
    trouble: str                    # why the grader failed, "" if it didn't
    tier: str
    score: int | None
    max_score: int
    labs: tuple[LabRow, ...]
    seconds: float
    setting: Setting
    key: str


def kit_digest(labs: Sequence[Lab], more: Sequence[Path] = ()) -> str:
    """The digest of all that a mark depends on: the labs without the students' own files, the grader, the compiler.

    more: folders of further tests.
    """
    digest = hashlib.sha256(build.compiler_version().encode())
    own = {lab.folder / lab.file_name for lab in labs}
    for top in (KIT / "labs", KIT / "grader", *more):
        for path in sorted(top.rglob("*")):
            if path.suffix in CODE and path not in own and "__pycache__" not in path.parts and path.is_file():
                content = path.read_bytes()
                digest.update(f"{path.relative_to(top)} {len(content)}\n".encode(errors="surrogateescape") + content)
    return digest.hexdigest()[:16]


def file_name(student: str) -> str:
    """A name for a student's files that any file system takes, and no two students share."""
    raw = student.encode("utf-8", "surrogateescape")
    plain = "".join(char if char.isalnum() or char in "-_.@ " else "_" for char in visible(student)).lstrip(". ")
    while len(plain.encode()) > LONGEST_NAME:
        plain = plain[:-1]
    plain = plain.rstrip(". ")
    return plain if plain == student else f"{plain or 'student'}-{hashlib.sha256(raw).hexdigest()[:8]}"


def read_shard(text: str) -> tuple[int, int]:
    """From "2/3": the second of three, as 1 and 3; from "" all. Raises Cannot."""
    if not text:
        return 0, 1
    first, _, last = text.partition("/")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise Cannot(f"--shard {text}: say which part of how many, such as 1/4")
    return int(first) - 1, int(last)


def shard_of(student: str, shards: int) -> int:
    """Which of so many shards a student is in, from 0: the same whoever else is in the class."""
    return int.from_bytes(hashlib.sha256(student.encode("utf-8", "surrogateescape")).digest()[:8], "big") % shards


def steady(report: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A JSON report without its seconds, and the seconds: in all and by lab."""
    seconds: dict[str, Any] = {}
    labs = []
    for lab in report["labs"]:
        seconds[lab["lab"]] = lab["seconds"]
        stages = [{**stage, "tests": [{name: value for name, value in test.items() if name != "seconds"}
                                      for test in stage["tests"]]} for stage in lab["stages"]]
        labs.append({name: value for name, value in {**lab, "stages": stages}.items() if name != "seconds"})
    return {**report, "labs": labs}, seconds


def write(place: Path, setting: Setting, *, student: str, entry: str, submitted: str, notes: Sequence[str], key: str,
          report: Mapping[str, Any] | None, trouble: str, seconds: float) -> None:
    """Writes a record. report: as grade --json wrote it, None where the grader failed. Raises OSError."""
    kept, each = steady(report) if report is not None else (None, {})
    record = {"version": VERSION, "student": student, "entry": entry, "submitted": submitted, "notes": list(notes),
              "key": key, "setting": {"kit": setting.kit, "seed": setting.seed, "sandbox": setting.sandbox,
                                      "labs": list(setting.labs)},
              "trouble": trouble, "report": kept, "seconds": {"all": round(seconds, 3), **each}}
    files.write(place, json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def read(place: Path) -> Row:
    """One record. Raises NoRecord."""
    try:
        record = json.loads(place.read_text(encoding="utf-8"))
        if record["version"] != VERSION:
            raise ValueError(f"version {record['version']}")
        return _row(record, place.stem if place.suffix == ".json" else place.name)
    except FileNotFoundError:
        raise NoRecord(f"{place} is missing") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise NoRecord(f"{place} isn't a record of a class ({error}): remove it, and grade again") from None


def update(place: Path, *, entry: str, submitted: str, notes: Sequence[str]) -> None:
    """Writes anew what a record says of the submission around the files. Raises OSError."""
    record = json.loads(place.read_text(encoding="utf-8"))
    record |= {"entry": entry, "submitted": submitted, "notes": list(notes)}
    files.write(place, json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def read_all(folder: Path) -> Iterator[Row]:
    """The records of a folder of them, in the order of their names. Raises NoRecord."""
    for place in sorted(folder.glob("*.json")):
        yield read(place)


def _row(record: Mapping[str, Any], file: str) -> Row:
    said, seconds, report = record["setting"], record["seconds"], record["report"]
    setting = Setting(said["kit"], said["seed"], said["sandbox"], tuple(said["labs"]))
    labs = tuple(_lab(lab, float(seconds.get(lab["lab"], 0))) for lab in report["labs"]) if report else ()
    return Row(student=record["student"], file=file, entry=record["entry"], submitted=record["submitted"],
               notes=tuple(record["notes"]), trouble=record["trouble"], tier=report["sandbox"] if report else "",
               score=None if record["trouble"] or not report else report["score"],
               max_score=report["max_score"] if report else 100 * len(setting.labs), labs=labs,
               seconds=float(seconds["all"]), setting=setting, key=record["key"])


def _lab(lab: Mapping[str, Any], seconds: float) -> LabRow:
    tests = [(stage, test) for stage in lab["stages"] for test in stage["tests"]]
    failed = [(stage, test) for stage, test in tests if test["status"] in ("failed", "crashed", "timed_out")]
    state, failure = "", ""
    if lab["trouble"]:
        state, failure = "the grader failed", lab["trouble"]
    elif lab["unreadable"]:
        state, failure = "missing" if re.search(r" is missing$", lab["unreadable"]) else "unreadable", lab["unreadable"]
    elif lab["compile"]:
        state, failure = "doesn't compile", lab["compile"]["message"]
    elif failed:
        failure = f"{failed[0][1]['title']}: {failed[0][1]['message']}"
    stages = tuple(StageRow(stage["stage"], stage["title"], stage["score"], stage["max_score"],
                            stage["status"] if stage["tests"] else "not_tried") for stage in lab["stages"])
    return LabRow(lab["lab"], lab["title"], lab["score"], lab["max_score"], state, stages,
                  tuple(dict.fromkeys(test["cause"] for _, test in failed if test["cause"])), failure, seconds)
