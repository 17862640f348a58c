"""What was handed in: whose it is, when, and the labs' files in it. The only code that touches submissions.

A student's file is found by its name, wherever it lies. Nothing that is there is run, followed or unpacked.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .. import build
from ..catalog import Lab
from ..safe import visible
from . import archives
from .archives import Candidate, Unreadable, sized

# What a learning platform's download calls a submission: the student, a number that is theirs, the upload.
CANVAS = re.compile(r"(?P<who>[^_]+)(?:_LATE)?_(?P<id>\d+)_\d+_(?P<file>.+)", re.DOTALL)
MOODLE = re.compile(r"(?P<who>.+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?", re.DOTALL)
AGAIN = re.compile(r"-\d+(?=\.c$)")             # Canvas writes client_send-1.c for the second upload
SKIPPED = ("build", "__MACOSX", "node_modules")
DEEPEST = 16


@dataclass(frozen=True)
class Entry:
    """One thing that was handed in: a folder, an archive, or loose C files of one student."""

    student: str                    # as the file system has it: any bytes, by surrogateescape
    paths: tuple[Path, ...]         # more than one only for loose files
    when: float                     # seconds since the epoch

    @property
    def name(self) -> str:
        return ", ".join(visible(path.name, 120) for path in self.paths)


@dataclass(frozen=True)
class Student:
    """One student, the submission that counts and what is to be said of it."""

    name: str
    entry: Entry
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """The labs' files of one submission, by lab, and what is to be said of those that aren't there."""

    files: dict[str, bytes]
    notes: tuple[str, ...]


# ---- who ------------------------------------------------------------------------------------------

def find(folder: Path, names: Collection[str]) -> tuple[list[Student], list[str]]:
    """The students in the order of their names, and what in the folder is nobody's submission. Raises OSError."""
    found: dict[str, list[Entry]] = defaultdict(list)
    loose: dict[str, list[Path]] = defaultdict(list)
    others: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        kind = _kind(path, names)
        if kind == "loose":
            loose[student_of(path)].append(path)
        elif kind == "submission":
            found[student_of(path)].append(Entry(student_of(path), (path,), when(path, names)))
        else:
            others.append(f"{visible(path.name, 120)}: {kind}")
    for student, paths in loose.items():
        latest = max(path.lstat().st_mtime for path in paths)
        found[student].append(Entry(student, tuple(paths), latest))
    return [_latest(student, entries) for student, entries in sorted(found.items())], others


def _kind(path: Path, names: Collection[str]) -> str:
    """ "submission", "loose", or why it is neither."""
    if path.is_symlink():
        return "a symbolic link isn't followed"
    lower = path.name.lower()
    if path.is_dir() or path.is_file() and lower.endswith((*archives.SUFFIXES, *archives.OTHERS)):
        return "submission"
    match = CANVAS.fullmatch(path.name)
    if path.is_file() and match and AGAIN.sub("", match["file"]) in names:
        return "loose"
    return "neither a folder nor an archive"


def student_of(path: Path) -> str:
    """Whose submission it is, by its name."""
    name = path.name
    if match := MOODLE.fullmatch(name) or CANVAS.fullmatch(name):
        return f"{match['who']}_{match['id']}"
    if not path.is_dir():
        suffix = next((suffix for suffix in sorted((*archives.SUFFIXES, *archives.OTHERS), key=len, reverse=True)
                       if name.lower().endswith(suffix)), "")
        name = name[:len(name) - len(suffix)] or name
    return name


def _latest(student: str, entries: Sequence[Entry]) -> Student:
    """The submission that counts: the latest, and of one second the last by name."""
    chosen = max(entries, key=lambda entry: (int(entry.when), entry.name))
    left = [entry.name for entry in entries if entry is not chosen]
    notes = (f"{len(entries)} submissions: {chosen.name} is the latest and counts, not {', '.join(left)}",) if left else ()
    return Student(student, chosen, notes)


# ---- when -----------------------------------------------------------------------------------------

def when(path: Path, names: Collection[str]) -> float:
    """When it was handed in: a clone's last commit, an archive's time, a folder's newest file of these names."""
    if path.is_dir():
        if (committed := last_commit(path)) is not None:
            return committed
        with contextlib.suppress(Unreadable):
            return max((_time(place) for place, _ in _walk(path, names)), default=_time(path))
    return _time(path)


def _time(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def last_commit(folder: Path) -> float | None:
    """When the clone's last commit was made, None where that can't be known.

    git reads the commit with a configuration of ours, since one of the student's could make it run programs.
    """
    inner = folder / ".git"
    if inner.is_symlink() or not inner.is_dir() or (inner / "objects").is_symlink():
        return None
    commit = _head(inner)
    if commit is None:
        return None
    with tempfile.TemporaryDirectory() as own:
        for name in ("objects", "refs"):
            (Path(own) / name).mkdir()
        (Path(own) / "HEAD").write_text("ref: refs/heads/none\n")
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "GIT_DIR": own, "LC_ALL": "C", "HOME": own,
                       "GIT_OBJECT_DIRECTORY": str(inner / "objects"), "GIT_CONFIG_NOSYSTEM": "1", "GIT_ALLOW_PROTOCOL": ""}
        try:
            done = subprocess.run(["git", "cat-file", "commit", commit], env=environment, capture_output=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
    match = re.search(rb"^committer .*> (\d{1,11}) [-+]\d{4}$", done.stdout, re.MULTILINE)
    return float(match[1]) if done.returncode == 0 and match else None


def _head(inner: Path) -> str | None:
    """The last commit's name."""
    said = _small(inner / "HEAD")
    if match := re.fullmatch(r"ref: (refs/[\w./@+-]+)\s*", said):
        name = match[1]
        if ".." in name:
            return None
        said = _small(inner / name)
        if not said:
            packed = re.search(rf"^([0-9a-f]{{40,64}}) {re.escape(name)}$", _small(inner / "packed-refs"), re.MULTILINE)
            said = packed[1] if packed else ""
    return said.strip() if re.fullmatch(r"[0-9a-f]{40,64}\s*", said) else None


def _small(path: Path) -> str:
    try:
        content = _open(path, 1 << 20)
    except OSError:
        return ""
    return content.decode("ascii", "replace") if content is not None else ""


# ---- what -----------------------------------------------------------------------------------------

def take(entry: Entry, labs: Sequence[Lab]) -> Work:
    """The labs' files of a submission. Never raises: what can't be taken is told."""
    wanted = {lab.file_name for lab in labs}
    found: list[Candidate] = []
    notes: list[str] = []
    try:
        for candidate in _candidates(entry, wanted):
            found.append(candidate)
            if len(found) > archives.MOST_CANDIDATES:
                raise Unreadable(f"there are more than {archives.MOST_CANDIDATES} files of the labs' names")
    except Unreadable as error:
        return Work({}, (str(error),))
    files: dict[str, bytes] = {}
    for lab in labs:
        chosen, problem = pick(lab, found)
        if chosen is not None:
            files[lab.id] = chosen.content
        if problem:
            notes.append(f"{lab.id}: {problem}")
    if not found:
        notes.append("none of the labs' files is in it")
    return Work(files, tuple(notes))


def pick(lab: Lab, found: Sequence[Candidate]) -> tuple[Candidate | None, str]:
    """The lab's file among all candidates, and what is to be said: of two, of one that can't be taken.

    The one in the lab's folder comes first, then the one that lies least deep; the kit's own solution, which an
    instructor may have published, is never taken.
    """
    own = [one for one in found if one.parts[-1] == lab.file_name
           and one.parts[-3:-1] != ("solutions", lab.folder.name)]
    if not own:
        return None, ""
    ranked = sorted(own, key=lambda one: (_rank(lab, one), one.parts))
    best = ranked[0]
    same = [one for one in ranked if _rank(lab, one) == _rank(lab, best)]
    if len(same) > 1 and len({(one.content, one.problem) for one in same}) > 1:
        return None, f"{best.shown} and {same[1].shown} differ, and neither comes first: none is taken"
    if best.problem:
        return None, f"{best.shown} {best.problem}"
    others = f"{best.shown} is taken, not {ranked[1].shown}" if len(ranked) > len(same) else ""
    return best, others


def _rank(lab: Lab, one: Candidate) -> tuple[bool, int]:
    return one.parts[-2:-1] != (lab.folder.name,), len(one.parts)


def _candidates(entry: Entry, names: Collection[str]) -> Iterator[Candidate]:
    """The files of these names in a submission. Raises Unreadable."""
    first = entry.paths[0]
    if len(entry.paths) > 1 or not first.is_dir() and first.name.lower().endswith(".c"):
        for path in sorted(entry.paths, key=_time, reverse=True):
            match = CANVAS.fullmatch(path.name)
            yield _read_file(path, (AGAIN.sub("", match["file"] if match else path.name),))
    elif first.is_dir():
        for path, parts in _walk(first, names):
            yield _read_file(path, parts)
    elif first.name.lower().endswith(archives.SUFFIXES):
        yield from archives.read(first, names)
    else:
        raise Unreadable("archives of this kind aren't read: ask for .zip or .tar.gz")


def _walk(top: Path, names: Collection[str]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The files of these names below a folder, whatever they are, and their parts. Links aren't followed.
    Raises Unreadable."""
    seen = 0
    for folder, inner, files in os.walk(top):
        parts = Path(folder).relative_to(top).parts
        inner[:] = sorted(name for name in inner if not name.startswith(".") and name not in SKIPPED)
        seen += len(inner) + len(files)
        if seen > archives.MOST_FILES:
            raise Unreadable(f"the folder has more than {archives.MOST_FILES:,} files")
        for name in sorted(set(names).intersection(files) | set(names).intersection(inner)):   # a link to a folder, too
            yield Path(folder, name), (*parts, name)
        if len(parts) >= DEEPEST:
            inner.clear()


def _read_file(path: Path, parts: tuple[str, ...]) -> Candidate:
    try:
        content = _open(path, build.MAX_SOURCE + 1)
    except OSError as error:
        return Candidate(parts, problem="is a symbolic link, not a file" if path.is_symlink() else
                         f"can't be read ({error.strerror})")
    return Candidate(parts, problem="isn't a regular file") if content is None else sized(parts, content)


def _open(path: Path, most: int) -> bytes | None:
    """A regular file's first bytes, None where it is another thing. Raises OSError, for a link too."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        return file.read(most) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def moment(seconds: float) -> str:
    """A time as it is written in records: with its offset, to the second."""
    return datetime.fromtimestamp(int(seconds)).astimezone().isoformat()
