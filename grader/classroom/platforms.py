"""Marks for learning platforms: fills in the table that Canvas or Moodle has exported, and writes what Gradescope reads.

Of a table nothing changes but the cells of one column, in the rows of students that are found. Pure.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..safe import visible
from .records import Row

# Columns that say who somebody is. Numbers come first: two students may share a name.
NUMBERS = ("ID", "Identifier")
LOGINS = ("SIS User ID", "SIS Login ID", "Integration ID", "ID number", "Username", "Email address", "Email")
NAMES = ("Student", "Full name", "Name")
OWN_NUMBER = re.compile(r"(?P<who>.+)_(?P<id>\d+)", re.DOTALL)


class TableError(Exception):
    """The table can't be filled in: one line that says why, and what to do."""


@dataclass(frozen=True)
class Filled:
    """A table with the marks in it, and who wasn't found."""

    text: str
    column: str
    unmatched: tuple[str, ...]      # students that have a mark and no row
    ambiguous: tuple[str, ...]      # students that more than one row could be
    without: int                    # rows that nobody's mark went to


def fill(text: str, column: str, marks: Mapping[str, int | None]) -> Filled:
    """Writes marks, by the student's name, into a column of an exported table. Raises TableError.

    text: as the file has it, with its mark of byte order if there is one, and its own ends of lines. column: its
    name, without the number that Canvas puts behind it; "" is Moodle's "Grade".
    """
    bom, body = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    first = body.split("\n", 1)[0]
    comma = max(",;\t", key=first.count)
    rows = list(csv.reader(io.StringIO(body, newline=""), delimiter=comma))
    if not rows:
        raise TableError("the table is empty: export it once more")
    heads = [head.strip() for head in rows[0]]
    place = _column(heads, column)
    people = [number for number in range(1, len(rows)) if _is_somebody(rows[number], heads)]
    keys = _keys(rows, heads, people)
    unmatched: list[str] = []
    ambiguous: list[str] = []
    filled: set[int] = set()
    for student, mark in marks.items():
        found = _find(student, keys)
        if len(found) != 1:
            (ambiguous if found else unmatched).append(student)
            continue
        number = found.pop()
        filled.add(number)
        if mark is not None:
            rows[number] += [""] * (place + 1 - len(rows[number]))
            rows[number][place] = str(mark)
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=comma, lineterminator="\r\n" if "\r\n" in body else "\n").writerows(rows)
    return Filled(bom + out.getvalue(), heads[place], tuple(unmatched), tuple(ambiguous), len(set(people) - filled))


def _column(heads: Sequence[str], wanted: str) -> int:
    name = wanted or "Grade"
    found = [number for number, head in enumerate(heads) if head == name or re.fullmatch(re.escape(name) + r" \(\d+\)", head)]
    if len(found) != 1:
        what = "more than one column" if found else "no column"
        known = ", ".join(visible(head, 60) for head in heads if head not in (*NUMBERS, *LOGINS, *NAMES))
        raise TableError(f"the table has {what} '{name}': --column says which, of {known}")
    return found[0]


def _is_somebody(row: Sequence[str], heads: Sequence[str]) -> bool:
    """Not Canvas' line of possible points, nor its test student's, nor an empty one."""
    first = row[0].strip() if row else ""
    return any(cell.strip() for cell in row) and first not in ("Points Possible", "Student, Test")


def _keys(rows: Sequence[Sequence[str]], heads: Sequence[str], people: Iterable[int]) -> dict[str, dict[str, set[int]]]:
    """What each row's person can be known by, in three sorts."""
    keys: dict[str, dict[str, set[int]]] = {sort: defaultdict(set) for sort in ("number", "login", "name")}
    for number in people:
        for head, cell in zip(heads, rows[number]):
            cell = cell.strip()
            if not cell:
                continue
            if head in NUMBERS:
                keys["number"][_plain(cell.removeprefix("Participant "))].add(number)
            elif head in LOGINS:
                keys["login"][_plain(cell)].add(number)
                keys["login"][_plain(cell.partition("@")[0])].add(number)
            elif head in NAMES:
                for name in _names(cell):
                    keys["name"][name].add(number)
    return keys


def _names(cell: str) -> set[str]:
    """ "Doe, Jane" is Jane Doe too, and doejane in the name of a file."""
    last, comma, first = cell.partition(",")
    whole = f"{first.strip()} {last.strip()}" if comma else cell
    packed = "".join(char for char in _plain(last + first if comma else cell) if char.isalnum())
    return {_plain(cell), _plain(whole), packed}


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _find(student: str, keys: Mapping[str, Mapping[str, set[int]]]) -> set[int]:
    """The rows that this student may be: by the number in a platform's name, then by login, then by name."""
    match = OWN_NUMBER.fullmatch(student)
    if match and (found := keys["number"].get(match["id"], set())):
        return set(found)
    for name in (student, match["who"] if match else student):
        for sort in ("number", "login", "name"):
            if found := keys[sort].get(_plain(name), set()):
                return set(found)
    return set()


def gradescope(row: Row, final: int | None, words: str) -> str:
    """results.json of one submission: a test a stage, which the student sees. final: after late days."""
    tests = []
    for lab in row.labs:
        first = next((stage for stage in lab.stages if stage.status != "passed"), None)
        tests += [{"name": f"{lab.lab}: {stage.title}", "score": stage.score or 0, "max_score": stage.max_score,
                   "status": "passed" if stage.status == "passed" else "failed", "visibility": "visible",
                   "output": visible(lab.failure) if stage is first else ""} for stage in lab.stages]
    said = [words] if words else []
    if row.trouble:             # without a score Gradescope shows that the autograder failed
        return json.dumps({"output": "The grader failed, not your program. There is no mark.", "tests": []}) + "\n"
    said.append(f"Sandbox: {row.tier}. The same once more: SEED={row.setting.seed}")
    return json.dumps({"score": final, "output": "\n".join(said), "visibility": "visible", "stdout_visibility": "hidden",
                       "tests": tests}) + "\n"
