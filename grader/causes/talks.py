"""A server's recorded calls, sorted by conversation: what finders of its mistakes ask about."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..evidence import Call, Evidence
from .base import ACCEPTS, RECVS, SENDS, all_own, failed, own_calls, returned

OTHERS = ("close", "shutdown")


@dataclass(frozen=True)
class Talk:
    """What was done with one connection, from accept() until its descriptor's next use."""

    fd: int
    accepted: Call | None           # by the student; None where the probe did it
    calls: list[Call] = field(default_factory=list)

    def named(self, *names: str) -> list[Call]:
        """Its calls of these names."""
        return [call for call in self.calls if call.name in names]

    @property
    def recvs(self) -> list[Call]:
        return self.named(*RECVS)

    @property
    def sends(self) -> list[Call]:
        return self.named(*SENDS)

    @property
    def closed(self) -> Call | None:
        return next(iter(self.named("close")), None)


def talks(evidence: Evidence) -> list[Talk]:
    """The conversations of the run that the failure is about, in order. The student's calls only, but for
    the accept() that begins one."""
    run = evidence.run
    found: list[Talk] = []
    by_fd: dict[int, Talk] = {}
    if run is None:
        return found
    own = {call.index for call in all_own(evidence)}
    for call in run.calls:
        if call.name in ACCEPTS and call.result is not None and call.result >= 0:
            by_fd[call.result] = Talk(call.result, call if call.index in own else None)
            found.append(by_fd[call.result])
        elif call.index in own and call.fd in by_fd and call.name in (*RECVS, *SENDS, *OTHERS):
            by_fd[call.fd].calls.append(call)
    return found


def accepts(evidence: Evidence) -> list[Call]:
    """The student's own calls of accept() and accept4()."""
    return own_calls(evidence, *ACCEPTS)


def accepted(evidence: Evidence) -> list[Call]:
    """Those that gave a connection."""
    return [call for call in accepts(evidence) if call.ended is not None and not failed(call)]


def listener(evidence: Evidence) -> int | None:
    """The descriptor on which the student accepts."""
    calls = accepts(evidence)
    return calls[0].fd if calls else None


def wanted_clients(evidence: Evidence) -> int | None:
    """How many clients server_run() was to accept, 0 for no limit; None where it wasn't called."""
    run = evidence.run
    if run is None or run.function not in ("server_run", ""):
        return None
    if run.function:
        words = run.args
    else:
        words = run.args[run.args.index("--clients"):] if "--clients" in run.args else ()
    return next((int(word) for word in words if word.isdigit()), 0)


def number(evidence: Evidence, name: str) -> int | None:
    """The last number that the probe reported under that name."""
    return dict(evidence.run.numbers).get(name) if evidence.run is not None else None


def ended_well(evidence: Evidence) -> bool:
    """Whether server_run() returned 0, or the program around it ended so."""
    run = evidence.run
    return run is not None and (returned(evidence) == 0 if run.function else run.status == 0)


def gave_up(evidence: Evidence) -> bool:
    """Whether server_run() returned -1, or the program around it ended so."""
    run = evidence.run
    return run is not None and (returned(evidence) == -1 if run.function else run.status == 1)
