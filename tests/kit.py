"""What the tests of the grader share: grading a tree, and mutants as small edits of a solution."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

KIT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(KIT))

from grader.catalog import Lab, find_labs  # noqa: E402

Key = TypeVar("Key")
LABS = {lab.id: lab for lab in find_labs()}
WORST = {"lab1": "stale-errno", "lab2": "nonblocking", "lab3": "serve-once", "lab4": "bare-close", "lab5": "iterative",
         "lab6": "nb-gives-up"}         # of 14 to 19 graded in each lab those with most failing tests


@dataclass(frozen=True)
class Graded:
    """One run of the grader."""

    status: int
    report: dict[str, Any]
    errors: str                     # the terminal report: with --json - it goes to standard error

    def lab(self, name: str) -> dict[str, Any]:
        """One lab of the report."""
        return next(lab for lab in self.report["labs"] if lab["lab"] == name)

    def tests(self, name: str) -> dict[str, dict[str, Any]]:
        """The lab's tests by "stage/test"."""
        return {f"{stage['stage']}/{test['test']}": test for stage in self.lab(name)["stages"] for test in stage["tests"]}

    def failed(self, name: str) -> list[str]:
        """The tests that failed, in order; not those that weren't tried."""
        return [test for test, seen in self.tests(name).items() if seen["status"] not in ("passed", "not_tried")]

    def causes(self, name: str) -> dict[str, str | None]:
        """The cause given for each failed test."""
        tests = self.tests(name)
        return {test: tests[test]["cause"] for test in self.failed(name)}


def run_grader(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """python3 -m grader, with these words."""
    return subprocess.run([sys.executable, "-m", "grader", *words], cwd=KIT, capture_output=True, text=True,
                          errors="replace", timeout=300, **options)


def grade_tree(tree: Path, *words: str) -> Graded:
    """Grades labs of a tree laid out like labs/."""
    done = run_grader("grade", *words, "--from", str(tree), "--json", "-")
    assert done.stdout, done.stderr
    return Graded(done.returncode, json.loads(done.stdout), done.stderr)


def grade_source(lab: Lab, source: str | bytes, *words: str) -> Graded:
    """Grades one student file."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / lab.folder.name
        place.mkdir()
        content = source if isinstance(source, bytes) else source.encode()
        (place / lab.file_name).write_bytes(content)
        return grade_tree(Path(folder), lab.id, *words)


def solution(lab: Lab) -> str:
    """The reference solution's text."""
    return (KIT / "solutions" / lab.folder.name / lab.file_name).read_text()


# ---- edits ------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Mutant:
    """A right solution with one mistake: what it must fail, and what must be said of it.

    A file of headers and edits:
        about: what the learner did wrong
        fails: stage/test        (must be among those that fail; more than one line allowed)
        cause: slug              (of the first test in `fails`; "-" where the evidence can't single one out)
        says: words              (under tests/stuck: what stands in the message)
        races: for what          (its threads, or it and its peer: what it fails besides those named is its own chance)
        <<<<
        old lines, found exactly once in the solution
        ====
        new lines
        >>>>
    """

    path: Path
    about: str
    fails: tuple[str, ...]
    cause: str
    edits: tuple[tuple[str, str], ...]
    says: str = ""
    races: str = ""

    @property
    def lab(self) -> Lab:
        return LABS[self.path.parent.name]

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"

    def source(self) -> str:
        """The solution with the edits made."""
        text = solution(self.lab)
        for old, new in self.edits:
            assert text.count(old) == 1, f"{self.name}: found {text.count(old)} times in the solution:\n{old}"
            text = text.replace(old, new)
        return text


def read_mutant(path: Path) -> Mutant:
    """Reads one file of edits."""
    head, *blocks = path.read_text().split("<<<<\n")
    headers = [line.split(": ", 1) for line in head.splitlines() if line.strip()]
    edits = []
    for block in blocks:
        old, rest = block.split("====\n", 1)
        edits.append((old, rest.split(">>>>", 1)[0]))
    values = [(name.strip(), value.strip()) for name, value in headers]
    first = dict(reversed(values))
    return Mutant(path, first.get("about", ""), tuple(value for name, value in values if name == "fails"),
                  first.get("cause", "-"), tuple(edits), first.get("says", ""), first.get("races", ""))


def mutants(folder: str) -> list[Mutant]:
    """All files of edits under tests/<folder>/<lab>/."""
    return [read_mutant(path) for path in sorted((KIT / "tests" / folder).glob("*/*.mutant"))]


# ---- what make test leaves to make test-all -------------------------------------------------------

def mostly_slow(values: Iterable[Any], *quick: Any) -> list[Any]:
    """Parameters of a test: these few in make test, all the others in make test-all. Each of these few is there."""
    all_values = list(values)
    assert set(quick) <= set(all_values), set(quick) - set(all_values)
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in all_values]


# ---- many at once -----------------------------------------------------------------------------------

class Grades:
    """Grades many sources, two at a time, started together and asked for one by one.

    Each is a name, a lab, what gives the text, and the tests to run: none means all.
    """

    def __init__(self, sources: Iterable[tuple[str, Lab, Callable[[], str], Sequence[str]]]) -> None:
        self._pool = ThreadPoolExecutor(2)
        self._futures: dict[str, Future[Graded]] = {}
        for name, lab, source, only in sources:
            words = [word for test in only for word in ("--only", test)]
            self._futures[name] = self._pool.submit(
                lambda lab=lab, source=source, words=words: grade_source(lab, source(), *words))

    def __getitem__(self, name: str) -> Graded:
        return self._futures[name].result()

    def close(self) -> None:
        """Drops what hasn't begun."""
        self._pool.shutdown(cancel_futures=True)
