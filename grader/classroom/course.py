"""What an instructor does around the grading of a class.

    python3 -m grader handout [--to DIR] [--hidden DIR]     the students' kit, as a folder and an archive
    python3 -m grader publish LAB [--to DIR] [--policy FILE] [--force]   a lab's solution, in a students' kit
    python3 -m grader unpublish LAB [--to DIR]              takes it out again
    python3 -m grader gradescope [--to FILE] [--labs lab1,lab3] [--hidden DIR]   an autograder for Gradescope

0 done; 2 it can't be done, with one line that says why.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ..build import BuildError
from ..catalog import KIT, CatalogError
from ..command import Parser, complain
from . import gradescope, handout, policy, publish
from .trouble import Cannot

DONE, CANNOT = 0, 2
HANDOUT = KIT / "build" / "handout" / "socklab"
ARCHIVE = KIT / "build" / "gradescope.zip"


def hand_out(words: list[str]) -> int:
    """The handout verb; returns the exit status."""
    parser = _parser("handout", "the students' kit, as a folder and an archive",
                     "a new folder, an empty clone, or one that this command wrote before")
    parser.add_argument("--hidden", type=Path, metavar="DIR", help="students learn how many tests are there, and no more")
    options = parser.parse_args(words)
    return _done(lambda: handout.make(KIT, options.to, options.hidden))


def put_in(words: list[str]) -> int:
    """The publish verb; returns the exit status."""
    parser = _parser("publish", "a lab's solution and its reasons, into a students' kit", "the students' kit")
    parser.add_argument("lab", metavar="LAB", help="3 or lab3")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="late days and a cut-off: not before that")
    parser.add_argument("--force", action="store_true", help="before that, too")
    options = parser.parse_args(words)
    return _done(lambda: publish.publish(KIT, options.to, options.lab, _due(options), datetime.now().astimezone()))


def take_out(words: list[str]) -> int:
    """The unpublish verb; returns the exit status."""
    parser = _parser("unpublish", "takes out what publish has put in", "the students' kit")
    parser.add_argument("lab", metavar="LAB", help="3 or lab3")
    options = parser.parse_args(words)
    return _done(lambda: publish.unpublish(KIT, options.to, options.lab))


def autograder(words: list[str]) -> int:
    """The gradescope verb; returns the exit status."""
    parser = _parser("gradescope", "an autograder for Gradescope", "the archive", ARCHIVE, "FILE")
    parser.add_argument("--labs", default="", metavar="lab1,lab3", help="only these labs")
    parser.add_argument("--hidden", type=Path, metavar="DIR", help="further tests that students don't have")
    options = parser.parse_args(words)
    return _done(lambda: gradescope.make(KIT, options.to, options.labs, options.hidden))


def _parser(verb: str, what: str, place: str, usual: Path = HANDOUT, kind: str = "DIR") -> Parser:
    parser = Parser(prog=f"grader {verb}", allow_abbrev=False, description=what)
    parser.add_argument("--to", type=Path, default=usual, metavar=kind, help=place)
    return parser


def _due(options: argparse.Namespace) -> datetime | None:
    """Before which nothing is published."""
    return policy.last_moment(policy.read(options.policy)) if options.policy and not options.force else None


def _done(work: Callable[[], list[str]]) -> int:
    try:
        for line in work():
            print(line)
    except (Cannot, policy.PolicyError, CatalogError, BuildError) as error:
        return complain(str(error), CANNOT)
    except OSError as error:
        return complain(f"{error.filename}: {error.strerror}", CANNOT)
    return DONE
