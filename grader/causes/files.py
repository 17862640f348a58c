"""Mistakes with descriptors and errno: leaks, closing what is another's, losing the reason."""

from __future__ import annotations

import errno

from ..evidence import Call, Evidence
from .base import ACCEPTS, Cause, Sure, at, cause, last_report, own_calls

CAUSES: list[Cause] = []


def _never_closed(evidence: Evidence, names: tuple[str, ...]) -> list[Call]:
    """Calls whose new descriptor was not closed before the next one, or at all."""
    made = [call for call in own_calls(evidence, *names) if call.result is not None and call.result >= 0]
    closed = own_calls(evidence, "close")
    return [call for call in made
            if not any(other.fd == call.result and other.index > call.index for other in closed)]


@cause(CAUSES, "errno-lost", text="close() came between the failure and the return, and changed errno. Keep errno in a variable "
       "before you tidy up, and put it back.")
def errno_lost(evidence: Evidence) -> Sure | None:
    report = last_report(evidence)
    if evidence.failure.kind != "error" or report is None or report[0] != -1:
        return None
    closes = [call for call in own_calls(evidence, "close") if call.faulted]
    return at(closes[-1]) if closes and report[1] == errno.EIO else None


@cause(CAUSES, "fd-leak-error", text="A way out with -1 leaves the socket open. Each failed call costs a descriptor until none is "
       "left: close it on every way out.")
def fd_leak_error(evidence: Evidence) -> Sure | None:
    report, run = last_report(evidence), evidence.run
    if report is None or run is None or report[0] != -1 or "leak" not in evidence.test:
        return None
    left = _never_closed(evidence, ("socket",))
    return at(left[-1]) if left else None


@cause(CAUSES, "fd-leak", text="The socket is never closed. The peer waits for an end that doesn't come, and each call costs a "
       "descriptor.")
def fd_leak(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function not in ("client_send", ""):
        return None
    if evidence.lab != "lab1" or evidence.failure.kind in ("result", "error", "output"):
        return None
    left = _never_closed(evidence, ("socket",))
    finished = run.running or run.status is not None
    return at(left[-1]) if left and finished and not own_calls(evidence, "close") else None


@cause(CAUSES, "closes-callers", text="The function closes a descriptor that belongs to its caller. Who closes is part of the "
       "contract.")
def closes_callers(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function not in ("send_all", "serve_client"):
        return None
    own = {call.result for call in own_calls(evidence, "socket", "dup", *ACCEPTS)}
    return next((at(call) for call in own_calls(evidence, "close") if call.fd not in own), None)
