"""The instructor's command line.

    python3 -m classroom handout [--to DIR] [--hidden DIR]     the students' kit, as a folder and an archive

0 done; 2 it can't be done, with one line that says why.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from grader.catalog import KIT, CatalogError

from . import handout
from .trouble import Cannot

DONE, CANNOT = 0, 2
HANDOUT = KIT / "build" / "handout" / "socklab"


def main(words: list[str]) -> int:
    """Runs one command; returns the exit status."""
    options = _parser().parse_args(words)
    try:
        for line in _run(options):
            print(line)
    except (Cannot, CatalogError) as error:
        print(f"socklab: {error}", file=sys.stderr)
        return CANNOT
    except OSError as error:
        print(f"socklab: {error.filename}: {error.strerror}", file=sys.stderr)
        return CANNOT
    except KeyboardInterrupt:
        return 130
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="classroom", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("handout", allow_abbrev=False, help="the students' kit, as a folder and an archive")
    command.add_argument("--to", type=Path, default=HANDOUT, metavar="DIR",
                         help="a new folder, an empty clone, or one that this command wrote before")
    return parser


def _run(options: argparse.Namespace) -> list[str]:
    """Does it; returns what to say."""
    return handout.make(KIT, options.to)
