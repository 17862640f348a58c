"""The labs: found by their folders, described by their lab.toml.

Nothing lists the labs by name. A folder `labs/labN_name` with a `lab.toml` is a lab; its student file
is `name.c`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from . import files

KIT = Path(__file__).resolve().parent.parent
FOLDER = re.compile(r"lab(\d+)_(\w+)")
POINTS_A_LAB = 100


class CatalogError(Exception):
    """The kit's own files are wrong: one line that names the file, the key and what to do."""


@dataclass(frozen=True)
class Stage:
    """One rung of a lab: a Criterion suite of the same name, worth `points`."""

    name: str
    title: str
    points: int
    plain: str                      # the test without which the rest isn't tried
    early: tuple[str, ...] = ()     # tests that take long, to be started with the plain ones
    needs: tuple[str, ...] = ()     # stages whose plain test must pass first
    hints: tuple[str, ...] = ()
    read: str = ""                  # the man page that a failing test points at


@dataclass(frozen=True)
class Limits:
    """What one run of the student's program may use."""

    cpu_seconds: float = 0.5        # of processor time, without valgrind
    valgrind_seconds: float = 3.0   # the same under valgrind
    idle_seconds: float = 2.0       # asleep on a timer while nobody else has anything to do
    memory_mb: int = 1024
    processes: int = 64             # threads count too
    output_mb: int = 16


@dataclass(frozen=True)
class Lab:
    """A lab as its folder describes it."""

    id: str                         # "lab1"
    number: int
    name: str                       # "client_send": the student file's name without .c
    folder: Path
    title: str
    stages: tuple[Stage, ...]
    limits: Limits
    queues: bool = False            # whether the queues of connections are noted while a test runs
    hidden: Path | None = None      # an instructor's further tests of this lab: with_hidden()
    weights: tuple[tuple[str, int], ...] = ()   # of "stage/test", where it isn't 1: how a stage's points are shared
    unseen: tuple[tuple[str, int], ...] = ()    # by stage: how many tests this kit doesn't have, from hidden.tsv

    @property
    def file_name(self) -> str:
        """The one file that a student edits."""
        return f"{self.name}.c"

    def stage(self, name: str) -> Stage | None:
        """The stage of that name, if there is one."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def weight(self, test: str) -> int:
        """The weight of "stage/test" among the tests of its stage."""
        return dict(self.weights).get(test, 1)


def find_labs(root: Path = KIT) -> tuple[Lab, ...]:
    """All labs under root/labs, in the order of their numbers. Raises CatalogError."""
    found = [(int(match[1]), folder) for folder in (root / "labs").glob("lab*_*")
             if (match := FOLDER.fullmatch(folder.name)) and folder.is_dir()]
    return tuple(read_lab(folder) for _, folder in sorted(found))


def read_lab(folder: Path) -> Lab:
    """The lab in one folder. Raises CatalogError."""
    match = FOLDER.fullmatch(folder.name)
    if match is None:
        raise CatalogError(f"{folder.name}: a lab's folder is called labN_name")
    table = _read_toml(folder / "lab.toml")
    if table is None:
        raise CatalogError(f"{folder.name}/lab.toml is missing: every lab has one")
    stages = tuple(_read_stage(folder.name, entry) for entry in _get(table, "stage", list, folder.name))
    _check_stages(folder.name, stages)
    return Lab(id=f"lab{match[1]}", number=int(match[1]), name=match[2], folder=folder,
               title=_get(table, "title", str, folder.name), stages=stages,
               limits=_read_limits(folder.name, table.get("limits", {})),
               queues=_get(table, "queues", bool, folder.name, default=False),
               unseen=_read_unseen(folder, stages))


def _read_unseen(folder: Path, stages: tuple[Stage, ...]) -> tuple[tuple[str, int], ...]:
    """What hidden.tsv says: a stage and a number of tests a line."""
    try:
        lines = (folder / "hidden.tsv").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    except UnicodeDecodeError as error:
        raise CatalogError(f"{folder.name}/hidden.tsv: {error}") from None
    known, found = {stage.name for stage in stages}, []
    for line in lines:
        stage, _, count = line.partition("\t")
        if stage not in known or not re.fullmatch(r"[1-9]\d{0,2}", count, re.ASCII):
            raise CatalogError(f"{folder.name}/hidden.tsv: a line is a stage, a tab and a number, not {line!r}")
        found.append((stage, int(count)))
    return tuple(found)


# ---- tests that students don't have -------------------------------------------------------------------

def with_hidden(labs: tuple[Lab, ...], root: Path) -> tuple[Lab, ...]:
    """The labs with the further tests of root/labN_name/hidden.c, where there are some. Raises CatalogError."""
    if not root.is_dir():
        raise CatalogError(f"there is no folder {root}: --hidden takes one with labN_name/hidden.c in it")
    folders = {path.parent.name for path in root.glob("*/hidden.c")}
    known = {lab.folder.name for lab in find_labs()}
    if not folders:
        raise CatalogError(f"{root} has no labN_name/hidden.c: --hidden takes a folder laid out like labs/")
    for name in sorted(folders - known):
        raise CatalogError(f"{root}/{name}: there is no such lab; there are {', '.join(sorted(known))}")
    return tuple(replace(lab, hidden=root / lab.folder.name, unseen=(), weights=_read_weights(root / lab.folder.name))
                 if lab.folder.name in folders else lab for lab in labs)


def _read_weights(folder: Path) -> tuple[tuple[str, int], ...]:
    """hidden.toml's [weights]: "stage/test" = 3."""
    table = _read_toml(folder / "hidden.toml") or {}
    weights = table.get("weights", {})
    if set(table) - {"weights"} or not isinstance(weights, dict):
        raise CatalogError(f"{folder.name}/hidden.toml: it has a table [weights] and nothing else")
    for test, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int) or not 1 <= weight <= POINTS_A_LAB:
            raise CatalogError(f"{folder.name}/hidden.toml: weights: '{test}' must be a whole number from 1, not {weight!r}")
    return tuple(weights.items())


def _read_toml(path: Path) -> dict[str, Any] | None:
    """The file's table; None where there is no file."""
    try:
        return files.read_toml(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CatalogError(f"{path.parent.name}/{path.name}: {error}") from None


def _get(table: Any, key: str, kind: type, where: str, default: Any = None) -> Any:
    if not isinstance(table, dict):
        raise CatalogError(f"{where}/lab.toml: a stage is a table: write [[stage]] above its keys")
    value = table.get(key, default)
    if value is None:
        raise CatalogError(f"{where}/lab.toml: the key '{key}' is missing")
    if not isinstance(value, kind) or isinstance(value, bool) and kind is not bool:
        raise CatalogError(f"{where}/lab.toml: '{key}' must be a {kind.__name__}, not {value!r}")
    return value


def _get_words(table: Any, key: str, where: str) -> tuple[str, ...]:
    words = _get(table, key, list, where, default=[])
    if not all(isinstance(word, str) for word in words):
        raise CatalogError(f"{where}/lab.toml: '{key}' must be a list of strings")
    return tuple(words)


def _read_stage(where: str, entry: Any) -> Stage:
    return Stage(name=_get(entry, "name", str, where), title=_get(entry, "title", str, where),
                 points=_get(entry, "points", int, where), plain=_get(entry, "plain", str, where),
                 early=_get_words(entry, "early", where), needs=_get_words(entry, "needs", where), hints=_get_words(entry, "hints", where),
                 read=_get(entry, "read", str, where, default=""))


def _check_stages(where: str, stages: tuple[Stage, ...]) -> None:
    total = sum(stage.points for stage in stages)
    if total != POINTS_A_LAB:
        raise CatalogError(f"{where}/lab.toml: the stages' points add up to {total}, not {POINTS_A_LAB}")
    earlier: set[str] = set()
    for stage in stages:
        if stage.name in earlier:
            raise CatalogError(f"{where}/lab.toml: two stages are called '{stage.name}'")
        if stage.points <= 0:
            raise CatalogError(f"{where}/lab.toml: '{stage.name}' has {stage.points} points; it needs at least 1")
        unknown = [need for need in stage.needs if need not in earlier]
        if unknown:
            raise CatalogError(f"{where}/lab.toml: '{stage.name}' needs '{unknown[0]}', which is no earlier stage")
        earlier.add(stage.name)


def _read_limits(where: str, table: Any) -> Limits:
    known = {field.name: type(field.default) for field in fields(Limits)}
    if not isinstance(table, dict):
        raise CatalogError(f"{where}/lab.toml: 'limits' must be a table")
    for key, value in table.items():
        if key not in known:
            raise CatalogError(f"{where}/lab.toml: limits: '{key}' is unknown; there are {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, (int, known[key])) or value <= 0:
            raise CatalogError(f"{where}/lab.toml: limits: '{key}' must be a positive number, not {value!r}")
    return Limits(**table)
