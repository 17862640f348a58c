"""make editors: compile_commands.json at the top of the kit, by which clangd and its like know each file's flags."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import build
from .catalog import KIT, CatalogError, Lab, find_labs
from .command import Parser, complain
from .files import write

PLACE = KIT / "compile_commands.json"
DONE, CANNOT, FAILED = 0, 2, 3


def main(words: list[str]) -> int:
    """Writes the file; returns the exit status."""
    Parser(prog="grader editors", allow_abbrev=False).parse_args(words)
    try:
        entries = [*commands(find_labs())]
        write(PLACE, json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
    except CatalogError as error:
        return complain(str(error), FAILED)
    except OSError as error:
        return complain(f"can't write {PLACE.name}: {error.strerror}", CANNOT)
    print(f"{PLACE.name} is written: {len(entries)} files. clangd reads it when it starts.")
    return DONE


def commands(labs: Iterable[Lab]) -> Iterator[dict[str, object]]:
    """How each C file of labs/ and solutions/ is compiled, as clang's JSON compilation database has it."""
    for lab in labs:
        for folder in (lab.folder, KIT / "solutions" / lab.folder.name):
            for source in sorted(folder.glob("*.c")):
                yield _command(source, [lab.folder])
    for source in sorted(build.GIVEN.glob("*.c")):
        yield _command(source, [])


def _command(source: Path, include: list[Path]) -> dict[str, object]:
    folders = [folder.relative_to(KIT) for folder in (*include, build.GIVEN, build.C)]
    name = str(source.relative_to(KIT))
    return {"directory": str(KIT), "file": name,
            "arguments": ["gcc", *build.STUDENT_FLAGS, *(word for folder in folders for word in ("-I", str(folder))),
                          "-c", name]}
