"""python3 -m grader merge: see command.py."""

from .command import merge as main

__all__ = ["main"]
