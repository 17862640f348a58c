"""What an instructor is told in one line."""

from __future__ import annotations


class Cannot(Exception):
    """It can't be done: what, where, and what to do."""
