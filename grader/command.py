"""What the commands share: how they say in one line that something is wrong, whatever somebody typed or named."""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import NoReturn

from . import safe
from .report.screen import Screen


def complain(message: str, status: int, who: str = "socklab") -> int:
    """The message on standard error, as one line; returns the status."""
    with contextlib.suppress(OSError):      # then nobody can be told
        screen = Screen(sys.stderr)
        screen.line(f"{who}: {message}")
        screen.flush()
    return status


class Parser(argparse.ArgumentParser):
    """Of a command's words; what it says of them is safe to read."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with status 2."""
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: error: {safe.terminal(message)}\n")
