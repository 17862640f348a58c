"""The archive that Gradescope takes as an autograder: the grader, the labs with their suites, and perhaps hidden tests.

It has nothing of the solutions. What it does there is in autograder/: setup.sh once, run_autograder for each submission.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from ..catalog import find_labs, with_hidden
from . import canary, handout
from .handout import Entry, Kit
from .trouble import Cannot

OWN = "grader/classroom/autograder"
TAKEN = ("tools/setup.sh", "grader", "labs")
YEAR = (1980, 1, 1, 0, 0, 0)        # of every file: the same kit gives the same bytes


def make(root: Path, place: Path, labs: str, hidden: Path | None) -> list[str]:
    """Writes the archive; returns what to say. labs: "lab1,lab3" or "1,3", "" for all. Raises Cannot, CatalogError and OSError."""
    known = {lab.id: lab for lab in find_labs(root)}
    wanted = [name.strip().removeprefix("lab") for name in labs.split(",") if name.strip()]
    chosen = [f"lab{number}" for number in wanted] or list(known)
    for name in chosen:
        if name not in known:
            raise Cannot(f"no {name}: there are {', '.join(known)}")
    kit = gather(root, chosen, hidden)
    found = canary.leaks(((name, entry.content) for name, entry in kit.items()), canary.marks(root))
    if found:
        raise Cannot(f'{found[0].file} has a line of {found[0].source}: "{found[0].line}". Nothing was written.')
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(pack(kit))
    return [f"{place}: {len(kit)} files, {', '.join(chosen)}{', with hidden tests' if hidden else ''}.",
            "On Gradescope: a programming assignment, worth 100 points a lab; upload it under Configure Autograder."]


def gather(root: Path, labs: list[str], hidden: Path | None) -> Kit:
    """What is in the archive."""
    kit: Kit = {f"socklab/{name}": handout.entry(root / name) for name in handout.taken(root, TAKEN, instructors=True)
                if not name.startswith((OWN, handout.OVERLAY))}
    for name in ("setup.sh", "run_autograder"):
        kit[name] = handout.entry(root / OWN / name)
    kit["labs.txt"] = Entry(",".join(labs).encode() + b"\n")
    for lab in with_hidden(find_labs(root), hidden.absolute()) if hidden is not None else ():
        for path in sorted(lab.hidden.glob("hidden.*")) if lab.hidden else ():
            kit[f"hidden/{lab.folder.name}/{path.name}"] = handout.entry(path)
    return dict(sorted(kit.items()))


def pack(kit: Kit) -> bytes:
    """The kit as a zip, with which files can be run."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, entry in kit.items():
            member = zipfile.ZipInfo(name, YEAR)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (0o100755 if entry.executable else 0o100644) << 16
            archive.writestr(member, entry.content)
    return packed.getvalue()
