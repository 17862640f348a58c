"""What finders are made of: the registry's decorator, and questions about recorded calls."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from dataclasses import dataclass

from ..evidence import Call, Evidence, Location
from ..faults import GROUPS

SENDS, RECVS, ACCEPTS = GROUPS["send"], GROUPS["recv"], GROUPS["accept"]
CLIENTS = ("lab1", "lab2")              # the labs whose program is a client and no more
DIALERS = (*CLIENTS, "lab6")            # those that connect


@dataclass(frozen=True)
class Sure:
    """A finder's answer: it is this mistake, seen at this line (None: no single line shows it)."""

    where: Location | None = None


Finder = Callable[[Evidence], Sure | None]


@dataclass(frozen=True)
class Cause:
    """One mistake that is known by name."""

    slug: str
    labs: tuple[str, ...]           # () means every lab
    text: str
    find: Finder


def cause(into: list[Cause], slug: str, *labs: str, text: str) -> Callable[[Finder], Finder]:
    """Adds a finder to a module's CAUSES."""
    def add(find: Finder) -> Finder:
        into.append(Cause(slug, labs, text, find))
        return find
    return add


# ---- the student's calls ----------------------------------------------------------------------------

def all_own(evidence: Evidence) -> list[Call]:
    """The calls that stand in the student's file, of the run that the failure is about."""
    run = evidence.run
    if run is None:
        return []
    return [call for call in run.calls if is_own(evidence, call)]


def is_own(evidence: Evidence, call: Call) -> bool:
    """Whether a call stands in the student's file."""
    return not call.given and (call.where is None or call.where.file == evidence.file)


def own_calls(evidence: Evidence, *names: str) -> list[Call]:
    """Those of these names."""
    return [call for call in all_own(evidence) if call.name in names]


def own_sends(evidence: Evidence) -> list[Call]:
    """The student's sends, whichever call they used."""
    return [call for call in own_calls(evidence, *SENDS) if call.socket]


def own_recvs(evidence: Evidence) -> list[Call]:
    """The student's receives, whichever call they used."""
    return [call for call in own_calls(evidence, *RECVS) if call.socket]


def at(call: Call) -> Sure:
    """Sure, at this call's line."""
    return Sure(call.where)


def failed(call: Call) -> bool:
    """It returned -1."""
    return call.result == -1


def errno_behind(call: Call) -> int:
    """What a call left in errno: its own error, or what the test made it leave; 0 where it left it alone."""
    left = re.search(r"leaves errno (\w+)", call.faulted or "")
    return int(getattr(errno, left[1], 0)) if left is not None and not failed(call) else call.errno


def after(call: Call, calls: list[Call]) -> list[Call]:
    """Those that began after this one."""
    return [other for other in calls if other.index > call.index]


# ---- what came of it --------------------------------------------------------------------------------

def last_report(evidence: Evidence) -> tuple[int, int] | None:
    """Result and errno of the probe's last call; None while a call hasn't returned."""
    run = evidence.run
    if run is None or not run.reported or (run.trouble is not None and len(run.reported) < run.times):
        return None
    return run.reported[-1]


def returned(evidence: Evidence) -> int | None:
    """The result of the probe's last call."""
    report = last_report(evidence)
    return report[0] if report is not None else None


def function_of(evidence: Evidence) -> str | None:
    """The function that was judged, "" for the whole program, None where nothing ran."""
    return evidence.run.function if evidence.run is not None else None


def on_the_wire(evidence: Evidence) -> tuple[bytes, bytes] | None:
    """What the peer was to receive and what it received, where the test is about that."""
    failure = evidence.failure
    if failure.kind != "received" or failure.expected is None or failure.actual is None:
        return None
    return failure.expected, failure.actual


# ---- addresses --------------------------------------------------------------------------------------

def swapped(port: int) -> int:
    """A port's two bytes the other way round."""
    return (port & 0xFF) << 8 | port >> 8


def port_of(address: str | None) -> int | None:
    """7788 of "127.0.0.1:7788"."""
    return int(address.rpartition(":")[2]) if address else None


def host_of(address: str | None) -> str | None:
    """127.0.0.1 of "127.0.0.1:7788"."""
    return address.rpartition(":")[0] if address else None
