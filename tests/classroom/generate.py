"""A class whose right marks are known: right programs, mutants, skeletons, broken and hostile files, handed in in every way.

    python3 tests/classroom/generate.py COUNT FOLDER [LAB...]    writes it, to look at by hand
"""

from __future__ import annotations

import io
import os
import random
import re
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hostile import corpus  # noqa: E402
from kit import KIT, LABS, Mutant, mutants, solution  # noqa: E402

NAMES = ("Anna Bell", "O'Neil, Zoë", "李 明", "Пётр", "emoji 😀", "=HYPERLINK(1)", "-dash", "a b  c", "Ünal", "<b>bold")


@dataclass
class Expected:
    """What must come of one submission: full marks, none, or what a mutant says."""

    full: list[str] = field(default_factory=list)
    none: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)     # none, and why: it doesn't compile
    hostile: dict[str, str] = field(default_factory=dict)       # by their names: one that may compile or not
    mutants: dict[str, Mutant] = field(default_factory=dict)
    way: str = ""

    def wrong(self, record: dict[str, object]) -> list[str]:
        """What a record says that isn't right."""
        report = record["report"]
        if not isinstance(report, dict):
            return [f"no report: {record['trouble']}"]
        found = []
        for lab in report["labs"]:
            name, failed = lab["lab"], [f"{stage['stage']}/{test['test']}" for stage in lab["stages"] for test in stage["tests"]
                                        if test["status"] not in ("passed", "not_tried")]
            earned = sum(test["score"] for stage in lab["stages"] for test in stage["tests"] if test["status"] == "passed")
            if lab["score"] != earned:
                found.append(f"{name}: {lab['score']}, and the tests that passed are worth {earned}")
            if name in self.full and lab["score"] != 100:
                found.append(f"{name}: {lab['score']}, not 100: {failed}")
            if name in (*self.none, *self.broken) and lab["score"] != 0:
                found.append(f"{name}: {lab['score']}, not 0")
            if name not in self.hostile and (name in self.broken) != bool(lab["compile"]):
                found.append(f"{name}: compiles: {lab['compile']}")
            if name in self.mutants and not set(self.mutants[name].fails) <= set(failed):
                found.append(f"{name}: {self.mutants[name].name} failed {failed}")
        return found


def variants(lab: str) -> list[str]:
    """Right programs: the solution, and others' styles."""
    return [solution(LABS[lab]), *(path.read_text() for path in sorted((KIT / "tests" / "variants" / lab).glob("*.c")))]


def hostile(lab: str) -> list[corpus.Program]:
    """Hostile programs for a lab whose right mark is known: none, or full."""
    return [one for one in corpus.programs().values() if one.lab.id == lab and one.score in ("nothing", "right")
            and one.make is None and "A" in one.head.get("held", "A").split() and "seconds" not in one.head
            and set(re.findall(r"@([A-Z]+)@", one.text)) in ({"STARTER"}, {"RIGHT"})]


def generate(folder: Path, count: int, labs: Sequence[str], seed: int = 1) -> dict[str, Expected]:
    """Writes submissions into a folder that isn't there yet; returns what must come of each, by the student."""
    folder.mkdir(parents=True)
    chance, found = random.Random(seed), {}
    every = {lab: [one for one in mutants("mutants") if one.lab.id == lab] for lab in labs}
    right, attacks = {lab: variants(lab) for lab in labs}, {lab: hostile(lab) for lab in labs}
    for number in range(count):
        name = f"{NAMES[number % len(NAMES)]} {number:03}" if number % 3 == 0 else f"student{number:03}"
        expected, works = Expected(), {}
        for lab in labs:
            kinds = ("right", "mutant", "skeleton", "broken", "missing", "hostile")
            kind = chance.choices(kinds, (50, 33, 6, 4, 3, min(16, 2 * len(attacks[lab]))))[0]
            if kind == "hostile":
                content = _attack(lab, chance.choice(attacks[lab]), expected)
            else:
                content = _content(lab, kind, expected, chance, right[lab], every[lab])
            if content is not None:
                works[f"{LABS[lab].folder.name}/{LABS[lab].file_name}"] = content.encode()
        expected.way = (*WAYS,)[number % len(WAYS)]
        WAYS[expected.way](folder, name, works)
        found[name] = expected
    return found


def _content(lab: str, kind: str, expected: Expected, chance: random.Random, right: list[str],
             every: list[Mutant]) -> str | None:
    if kind == "right":
        expected.full.append(lab)
        return chance.choice(right)
    if kind == "mutant":
        expected.mutants[lab] = chance.choice(every)
        return expected.mutants[lab].source()
    if kind == "broken":
        expected.broken.append(lab)
        return solution(LABS[lab]) + "\nint unfinished(\n"
    expected.none.append(lab)
    return (KIT / "labs" / LABS[lab].folder.name / LABS[lab].file_name).read_text() if kind == "skeleton" else None


def _attack(lab: str, program: corpus.Program, expected: Expected) -> str:
    """The hostile program's text; what it was made from says what it gets."""
    expected.hostile[lab] = program.name
    (expected.full if program.score == "right" else expected.none).append(lab)
    for name in ("STARTER", "RIGHT"):
        program = replace(program, text=program.text.replace(f"@{name}@", corpus.BASES[name](program.lab)))
    return program.text


# ---- ways to hand in --------------------------------------------------------------------------------

def _folder(top: Path, name: str, works: dict[str, bytes]) -> None:
    for place, content in works.items():
        (top / name / place).parent.mkdir(parents=True, exist_ok=True)
        (top / name / place).write_bytes(content)
    (top / name).mkdir(exist_ok=True)


def _flat(top: Path, name: str, works: dict[str, bytes]) -> None:
    _folder(top, name, {f"my files/{place.rpartition('/')[2]}": content for place, content in works.items()})


def _crlf(top: Path, name: str, works: dict[str, bytes]) -> None:
    _folder(top, name, {place: content.replace(b"\n", b"\r\n") for place, content in works.items()})


def _tampered(top: Path, name: str, works: dict[str, bytes]) -> None:
    """A whole kit with everything changed that the student shouldn't change."""
    more = {"Makefile": b"grade:\n\techo 100/100\n", "grader/verdict.py": b"raise SystemExit(0)\n"}
    for place in works:
        lab = place.partition("/")[0]
        more |= {f"{lab}/suite.c": b"int main(void) { return 0; }\n", f"{lab}/lab.toml": b"title = 1\n",
                 f"{lab}/{lab.partition('_')[2]}.h": b"#error mine\n"}
    _folder(top, name, {f"kit/labs/{place}": content for place, content in {**works, **more}.items()})


def _zip(top: Path, name: str, works: dict[str, bytes]) -> None:
    with zipfile.ZipFile(top / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in works.items():
            archive.writestr(f"{name}/work/{place}", content)


def _tar(top: Path, name: str, works: dict[str, bytes], kind: str = "gz") -> None:
    with tarfile.open(top / f"{name}.tar.{kind}", f"w:{kind}") as archive:      # type: ignore[call-overload]
        for place, content in works.items():
            info = tarfile.TarInfo(place)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def _twice(top: Path, name: str, works: dict[str, bytes]) -> None:
    """An old one that is empty, and the right one."""
    _zip(top, name, {})
    os.utime(top / f"{name}.zip", (1_000_000_000, 1_000_000_000))
    _tar(top, name, works, "xz")


WAYS: dict[str, Callable[[Path, str, dict[str, bytes]], None]] = {
    "folder": _folder, "zip": _zip, "tar.gz": _tar, "flat": _flat, "tampered": _tampered, "CRLF": _crlf, "twice": _twice}

if __name__ == "__main__":
    generate(Path(sys.argv[2]), int(sys.argv[1]), sys.argv[3:] or list(LABS))
