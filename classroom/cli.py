"""The instructor's command line.

    python3 -m classroom handout [--to DIR] [--hidden DIR]     the students' kit, as a folder and an archive
    python3 -m classroom publish LAB [--to DIR] [--policy FILE] [--force]   its solution, in a students' kit
    python3 -m classroom unpublish LAB [--to DIR]              takes it out again

0 done; 2 it can't be done, with one line that says why.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

from grader.build import BuildError
from grader.catalog import KIT, CatalogError

from . import handout, publish
from .trouble import Cannot

DONE, CANNOT = 0, 2
HANDOUT = KIT / "build" / "handout" / "socklab"


def main(words: list[str]) -> int:
    """Runs one command; returns the exit status."""
    options = _parser().parse_args(words)
    try:
        for line in _run(options):
            print(line)
    except (Cannot, CatalogError, BuildError) as error:
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
    command.add_argument("--hidden", type=Path, metavar="DIR", help="students learn how many tests are there, and no more")
    for name, words in (("publish", "a lab's solution and its reasons, in a students' kit"), ("unpublish", "out again")):
        command = commands.add_parser(name, allow_abbrev=False, help=words)
        command.add_argument("lab", metavar="LAB", help="3 or lab3")
        command.add_argument("--to", type=Path, default=HANDOUT, metavar="DIR", help="the students' kit")
        if name == "publish":
            command.add_argument("--policy", type=Path, metavar="FILE", help="late days and a cut-off: not before that")
            command.add_argument("--force", action="store_true", help="before that, too")
    return parser


def _run(options: argparse.Namespace) -> list[str]:
    """Does it; returns what to say."""
    if options.command == "publish":
        due = publish.last_moment(options.policy) if options.policy and not options.force else None
        return publish.publish(KIT, options.to, options.lab, due, datetime.now().astimezone())
    if options.command == "unpublish":
        return publish.unpublish(KIT, options.to, options.lab)
    return handout.make(KIT, options.to, options.hidden)
