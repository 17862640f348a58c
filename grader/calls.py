"""The recorded calls, read from c/calls.def, the list that recorder.c is compiled from, and from recorder.c itself."""

from __future__ import annotations

import re
from pathlib import Path

_C = Path(__file__).parent / "c"
_TEXT = (_C / "calls.def").read_text(encoding="utf-8")
_ENTERS = re.findall(r"^ +ENTER\((\w+), \w+(.*)\);$", (_C / "recorder.c").read_text(encoding="utf-8"), re.MULTILINE)

CALLS: tuple[str, ...] = tuple(re.findall(r"^(?:CALL|MARK)\((\w+)\)", _TEXT, re.MULTILINE))
MARKS: frozenset[str] = frozenset(re.findall(r"^MARK\((\w+)\)", _TEXT, re.MULTILINE))
ALIASES: dict[str, str] = dict(re.findall(r"^SAME\((\w+), (\w+)\)", _TEXT, re.MULTILINE))
SYMBOLS: tuple[str, ...] = (*(name for name in CALLS if name not in MARKS), *ALIASES)
BY_NUMBER = "syscall"       # makes any of them, and is recorded as that one
ARGUMENTS: dict[str, int] = {name: given.count(",") for name, given in _ENTERS}      # how many are recorded of each call

AS_WRITTEN = {"splice_in": "splice"}    # a recorded call's name in a program
_KERNELS = {"recvfrom": "recv", "sendto": "send", "accept4": "accept", "pselect6": "select", "ppoll": "poll",
            "epoll_pwait": "epoll_wait", "clock_nanosleep": "sleep", "nanosleep": "sleep", "wait4": "wait",
            "rt_sigtimedwait": "sigwait", **AS_WRITTEN}


def known_as(call: str) -> str:
    """What a reader knows a call as in which a program sleeps, by the kernel's name or a recorded one: "recv"."""
    return _KERNELS.get(call, call)
