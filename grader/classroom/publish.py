"""Puts a lab's solution and its reasons into a students' kit once it is due, and takes them out again."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from . import handout
from .trouble import Cannot


def publish(root: Path, place: Path, lab: str, due: datetime | None, now: datetime) -> list[str]:
    """Copies the lab's solution; returns what to say. due: not before that moment. Raises Cannot and OSError."""
    folder = _folder(place, lab)
    if due is not None and now < due:
        raise Cannot(f"{folder} counts until {due:%F %H:%M %z}: its solution isn't due yet (FORCE=1 publishes it now)")
    files = _solution(root, folder)
    for path in files:
        (place / path.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / path.relative_to(root))
    return [f"{place}/solutions/{folder}: published, {', '.join(path.name for path in files)}.",
            "Where the kit is a repository: commit and push there. Undone by make unpublish."]


def unpublish(root: Path, place: Path, lab: str) -> list[str]:
    """Takes out what publish() put in; returns what to say. Raises Cannot and OSError."""
    folder = _folder(place, lab)
    there = [place / path.relative_to(root) for path in _solution(root, folder)]
    there = [path for path in there if path.exists()]
    if not there:
        raise Cannot(f"{place} has no solution of {folder}: it isn't published there")
    for path in there:
        path.unlink()
        handout.drop_empty(place, path.parent)
    return [f"{place}/solutions/{folder}: no longer there. What was pushed or cloned before stays where it is."]


def _folder(place: Path, lab: str) -> str:
    """The lab's folder, as the students' kit has it."""
    known = handout.read_manifest(place)["labs"]
    number = lab.removeprefix("lab")
    for folder in known:
        if folder.startswith(f"lab{number}_"):
            return folder
    raise Cannot(f"no lab {number or '(LAB= is empty)'}: {place} has {', '.join(name.partition('_')[0] for name in known)}")


def _solution(root: Path, folder: str) -> list[Path]:
    files = [path for path in sorted((root / "solutions" / folder).glob("*"))
             if path.is_file() and path.suffix in (".c", ".h", ".md")]
    if not files:
        raise Cannot(f"solutions/{folder} has no files: there is nothing to publish")
    return files
