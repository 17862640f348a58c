"""The recorded calls, read from c/calls.def: the list that recorder.c is compiled from."""

from __future__ import annotations

import re
from pathlib import Path

_TEXT = (Path(__file__).parent / "c" / "calls.def").read_text()

CALLS: tuple[str, ...] = tuple(re.findall(r"^(?:CALL|MARK)\((\w+)\)", _TEXT, re.MULTILINE))
MARKS: frozenset[str] = frozenset(re.findall(r"^MARK\((\w+)\)", _TEXT, re.MULTILINE))
ALIASES: dict[str, str] = dict(re.findall(r"^SAME\((\w+), (\w+)\)", _TEXT, re.MULTILINE))
SYMBOLS: tuple[str, ...] = (*(name for name in CALLS if name not in MARKS), *ALIASES)
