"""The students' kit: what an instructor hands out.

It is gathered in memory, searched for the solutions, tried in a folder of its own, and only then written: as a folder
that is ready to be a template repository, and as an archive that is the same at each making.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import build, grade
from ..catalog import Lab, find_labs, with_hidden
from . import canary
from .trouble import Cannot

NAME = "socklab"
MANIFEST = "handout.json"
VERSION = 1
TRIAL_SECONDS = 600
WRITTEN = 315532800                 # 1 January 1980, for every file of the archive: zip knows no earlier day

# What students get, as it is. A folder is taken with what it holds; hidden files and editors' copies are not.
TAKEN = (
    "LICENSE", ".clang-format", ".editorconfig", ".gitignore", ".vscode/tasks.json",
    ".devcontainer/devcontainer.json", ".devcontainer/Dockerfile", ".github/workflows/grade.yml", "tools/setup.sh",
    "grader", "labs",
    "docs/faults.md", "docs/how-grading-works.md", "docs/mistakes.md", "docs/peers.md", "docs/subject.md",
    "docs/tools.md", "docs/zh.md",
)
KINDS = {".py", ".c", ".h", ".def", ".toml", ".md", ".html", ".css"}       # in folders
INSTRUCTORS = ("grader/classroom/",)                                       # of those, what students don't get
OVERLAY = "grader/classroom/student"       # files of the students' kit alone, laid out as they will lie
SECTION = re.compile(r"^# ---- the kit itself ----\n.*?(?=^# ---- )", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """One file of the students' kit."""

    content: bytes
    executable: bool = False


Kit = dict[str, Entry]              # by its path, with slashes


# ---- what is in it ------------------------------------------------------------------------------------

def gather(root: Path, hidden: Path | None = None) -> Kit:
    """The students' kit of the kit at root. hidden: a folder of tests of which students learn the number and the stage.
    Raises Cannot, CatalogError, BuildError and OSError."""
    labs = find_labs(root)
    kit = {name: entry(root / name) for name in taken(root)}
    overlay = root / OVERLAY
    for path in sorted(overlay.rglob("*")):
        name = path.relative_to(overlay).as_posix()
        if path.is_file() and name != "test.mk" and not _is_stray(path.relative_to(overlay)):
            kit[name] = entry(path)
    kit["Makefile"] = Entry(_makefile((root / "Makefile").read_text(encoding="utf-8"),
                                      (overlay / "test.mk").read_text(encoding="utf-8")).encode())
    docker = kit[".devcontainer/Dockerfile"].content
    kit[".devcontainer/Dockerfile"] = Entry(docker.replace(b"setup.sh lint", b"setup.sh grade"))
    for lab in with_hidden(labs, hidden.absolute()) if hidden is not None else ():
        if lab.hidden is not None:
            kit[f"labs/{lab.folder.name}/hidden.tsv"] = Entry(_counts(lab).encode())
    kit[MANIFEST] = Entry(_manifest(kit, labs))
    return dict(sorted(kit.items()))


def _counts(lab: Lab) -> str:
    """How many hidden tests the lab has, a stage a line."""
    tests = [test for test in grade.read_tests(lab, build.suite(lab)) if test.hidden]
    counts = {stage.name: sum(test.stage == stage.name for test in tests) for stage in lab.stages}
    return "".join(f"{stage}\t{count}\n" for stage, count in counts.items() if count)


def taken(root: Path, names: Iterable[str] = TAKEN, instructors: bool = False) -> Iterable[str]:
    """The files that are taken of these files and folders. instructors: their part of the grader, too."""
    left_out = () if instructors else INSTRUCTORS
    for name in names:
        path = root / name
        if not path.is_dir():
            yield name
            continue
        for inner in sorted(path.rglob("*")):
            held = inner.relative_to(root)
            if inner.is_file() and inner.suffix in KINDS and not _is_stray(held) and not held.as_posix().startswith(left_out):
                yield held.as_posix()


def _is_stray(path: Path) -> bool:
    """Whether an editor, Python or git left it there."""
    return any(part.startswith(".#") or part in ("__pycache__", ".git") or part.startswith("#") or part.endswith("~")
               for part in path.parts)


def entry(path: Path) -> Entry:
    """A file of the kit here. Raises Cannot and OSError."""
    if path.is_symlink() or not path.is_file():
        raise Cannot(f"{path} is missing or isn't a regular file: the students' kit needs it")
    return Entry(path.read_bytes(), os.access(path, os.X_OK))


def _makefile(text: str, own: str) -> str:
    """The Makefile with the students' section in the place of the kit's own."""
    changed, count = SECTION.subn(lambda _: own + "\n", text)
    if count != 1:
        raise Cannot('Makefile: the section "# ---- the kit itself ----" isn\'t there, or no other one follows it')
    return changed.replace("# make test   tests/ ──pytest──> does the grader judge rightly?\n", "")


def _manifest(kit: Kit, labs: tuple[Lab, ...]) -> bytes:
    """What was handed out. The students' own files aren't in its list: they are there to be changed."""
    own = {f"labs/{lab.folder.name}/{lab.file_name}" for lab in labs}
    listed = {name: hashlib.sha256(entry.content).hexdigest() for name, entry in sorted(kit.items()) if name not in own}
    table = {"version": VERSION, "labs": [lab.folder.name for lab in labs], "edited": sorted(own), "files": listed}
    return json.dumps(table, indent=1).encode() + b"\n"


# ---- is it fit to be handed out? ------------------------------------------------------------------------

def check(kit: Kit, root: Path) -> None:
    """Raises Cannot where something of the solutions is in it."""
    found = canary.leaks(((name, entry.content) for name, entry in kit.items()), canary.marks(root))
    if found:
        first, more = found[0], f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise Cannot(f'{first.file} has a line of {first.source}: "{first.line}"{more}. Nothing was written. If it is '
                     "meant to be given, add it to grader/classroom/shared_lines.txt.")


def try_out(kit: Kit) -> int:
    """Grades the kit's skeletons with the kit's own grader; returns how many labs. Raises Cannot."""
    with tempfile.TemporaryDirectory(prefix="socklab-") as folder:
        place = Path(folder) / NAME
        _write_all(kit, place)
        done = subprocess.run([sys.executable, "-B", "-m", "grader", "grade", "--json", "-"], cwd=place, text=True,
                              capture_output=True, timeout=TRIAL_SECONDS)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise Cannot(f"the students' kit can't grade: {done.stderr.strip() or 'it said nothing'}") from None
    for lab in report["labs"]:
        if lab["score"] != 0 or lab["compile"]:
            why = (lab["trouble"] or (lab["compile"] or {}).get("message")
                   or f"it scores {lab['score']}, and a skeleton scores 0")
            raise Cannot(f"labs/{lab['file']} is no skeleton: {why}. Nothing was written. "
                         f"git restore labs/{lab['file']} brings it back.")
    return len(report["labs"])


# ---- written ------------------------------------------------------------------------------------------

def make(root: Path, place: Path, hidden: Path | None = None) -> list[str]:
    """Writes the kit to the folder and, beside it, as an archive; returns what to say. Raises Cannot."""
    old = _old_files(place)
    kit = gather(root, hidden)
    check(kit, root)
    labs = try_out(kit)
    for name in old - kit.keys():
        (place / name).unlink(missing_ok=True)
        drop_empty(place, (place / name).parent)
    _write_all(kit, place)
    archive = place.with_name(f"{place.name}.tar.gz")
    archive.write_bytes(pack(kit))
    shown = [_shown(path, root) for path in (place, archive)]
    return [f"{shown[0]}/: the students' kit, {len(kit)} files, {labs} labs. Nothing of the solutions is in it, and",
            "its skeletons score 0 there. The folder is ready to be a template repository.",
            f"{shown[1]}: the same as an archive."]


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _old_files(place: Path) -> set[str]:
    """What a handout before this one wrote there. Raises Cannot where the folder is somebody else's."""
    if not place.exists():
        return set()
    if not place.is_dir():
        raise Cannot(f"{place} isn't a folder: TO takes a new one, or one that make handout wrote")
    if all(path.name == ".git" for path in place.iterdir()):
        return set()
    return set(read_manifest(place)["files"])


def read_manifest(place: Path) -> dict[str, list[str]]:
    """The list in a students' kit. Raises Cannot."""
    try:
        table = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        if table["version"] == VERSION and all(_is_inside(name) for name in table["files"]):
            return {"labs": list(table["labs"]), "files": list(table["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise Cannot(f"{place} is no students' kit: make handout writes one, with a {MANIFEST}")


def _is_inside(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def _write_all(kit: Mapping[str, Entry], place: Path) -> None:
    for name, entry in kit.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.content)
        path.chmod(0o755 if entry.executable else 0o644)


def drop_empty(place: Path, folder: Path) -> None:
    """Removes the folder, and those above it that are empty then, up to place."""
    while folder != place and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def pack(kit: Kit) -> bytes:
    """The kit as a tar.gz: the same kit gives the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, entry in kit.items():
            member = tarfile.TarInfo(f"{NAME}/{name}")
            member.size, member.mtime = len(entry.content), WRITTEN
            member.mode = 0o755 if entry.executable else 0o644
            tar.addfile(member, io.BytesIO(entry.content))
    return gzip.compress(packed.getvalue(), 9, mtime=0)
