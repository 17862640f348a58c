"""Mistakes with what a function leaves behind: descriptors, errno, memory, and how it returns."""

from __future__ import annotations

import errno

from ..evidence import Call, Evidence
from .base import (
    ACCEPTS, CLIENTS, RECVS, SENDS, Cause, Sure, after, all_own, at, cause, errno_behind, failed, function_of, last_report,
    own_calls, own_recvs, own_sends, returned,
)  # fmt: skip

CAUSES: list[Cause] = []
RECEIVERS = ("recv_some", "recv_exactly", "recv_line", "recv_message")
BUFFERS = ("fill_send_buffer", "queues", "send_within", "exchange")    # they leave their descriptor open
PASSING = (errno.EINTR, errno.EAGAIN, errno.EINPROGRESS)        # they say: once more, or later
MISUSE = 2                          # the probe's own exit status for wrong arguments


# ---- errno and results ------------------------------------------------------------------------------

@cause(CAUSES, "errno-lost", text="close() came between the failure and the return, and changed errno. Keep errno in a variable "
       "before you tidy up, and put it back.")
def errno_lost(evidence: Evidence) -> Sure | None:
    report, own = last_report(evidence), all_own(evidence)
    if evidence.failure.kind not in ("error", "said") or report is None or report[0] != -1:
        return None
    reasons = [call for call in own if failed(call) and call.name != "close"]
    if not reasons or reasons[-1].errno == report[1]:
        return None
    closes = [call for call in after(reasons[-1], own) if call.name == "close" and errno_behind(call) == report[1]]
    return at(closes[-1]) if closes and report[1] != 0 else None


@cause(CAUSES, "errno-unset", text="The function returned -1 and left errno as it was, so nobody knows why. No call had failed in a "
       "way that sets errno: here it is yours to set.")
def errno_unset(evidence: Evidence) -> Sure | None:
    run = evidence.run
    reported = run.reported if run is not None and evidence.failure.kind in ("error", "said") else ()
    if reported and (end := _end_with_old_errno(evidence, *reported[-1])) is not None:
        return at(end)
    unset = any(report == (-1, errno.EINTR if later else 0) for later, report in enumerate(reported))
    if not unset or any(failed(call) for call in all_own(evidence)):
        return None
    if function_of(evidence) == "port_state" and run is not None and "--full" not in run.args:
        return None     # nothing had failed: it isn't errno that is wrong
    asked = [call for call in own_calls(evidence, "inet_pton", "inet_aton", "getaddrinfo")
             if (call.result == 0) == (call.name != "getaddrinfo")]
    return at(asked[-1]) if asked else Sure()


def _end_with_old_errno(evidence: Evidence, result: int, error: int) -> Call | None:
    """The recv() that met the end of the stream, where -1 was told of that with an errno that is older."""
    own = [call for call in all_own(evidence) if call.name != "close"]
    old = any(failed(call) and call.errno == error for call in own)
    ended = bool(own) and own[-1].name in RECVS and own[-1].result == 0 and own[-1].size != 0
    return own[-1] if result == -1 and error in PASSING and old and ended else None


@cause(CAUSES, "not-minus-1", text="A failure was told by another number than -1. The contract knows one sign of failure, -1; "
       "which one it was goes into errno.")
def not_minus_1(evidence: Evidence) -> Sure | None:
    result, fails = returned(evidence), [call for call in all_own(evidence) if failed(call) and call.name != "close"]
    if evidence.failure.kind not in ("error", "said") or result is None:
        return None
    negative = result < -1
    positive = result > 0 and bool(fails) and function_of(evidence) in ("send_all", "client_send", "serve_client")
    return (at(fails[-1]) if fails else Sure()) if negative or positive else None


@cause(CAUSES, "exits", text="The function ended the whole program: exit() was called in it. It returns -1 with errno, and what "
       "becomes of the program is for its caller to say.")
def exits(evidence: Evidence) -> Sure | None:
    run, own = evidence.run, all_own(evidence)
    if run is None or not run.function or run.status in (None, MISUSE) or len(run.reported) >= run.times:
        return None
    if run.findings:
        return None                 # valgrind ends a program whose memory is beyond repair
    return at(own[-1]) if own else Sure()


# ---- descriptors ------------------------------------------------------------------------------------

def _left_open(evidence: Evidence) -> list[tuple[Call, int]]:
    """The socket() calls whose descriptor is still open after the student's function has returned, each with what
    that returned. Empty unless each call made one socket."""
    run = evidence.run
    made = [call for call in own_calls(evidence, "socket") if not failed(call)]
    if run is None or len(made) not in (len(run.reported), len(run.reported) + 1):
        return []
    closed = own_calls(evidence, "close")
    return [(call, result) for call, (result, _) in zip(made, run.reported) if call.result in run.descriptors
            and not any(other.fd == call.result for other in after(call, closed))]


@cause(CAUSES, "fd-leak-error", text="A way out with -1 leaves the socket open. Each failed call costs a descriptor until none is "
       "left: close it on every way out.")
def fd_leak_error(evidence: Evidence) -> Sure | None:
    left = _left_open(evidence)
    run = evidence.run
    good = run is not None and any(result != -1 for result, _ in run.reported)
    only_failures = left and all(result == -1 for _, result in left)
    return at(left[-1][0]) if only_failures and (good or function_of(evidence) != "client_send") else None


@cause(CAUSES, "fd-leak", "lab1", text="The socket is still open when all is done. Each call costs a descriptor, and a peer would "
       "wait for an end that doesn't come.")
def fd_leak(evidence: Evidence) -> Sure | None:
    left = _left_open(evidence)
    if left and function_of(evidence) == "client_send":
        return at(left[-1][0])
    run = evidence.run
    found = run.findings if run is not None and evidence.failure.kind == "memory" else ()
    return Sure(found[0].where) if found and found[0].kind == "descriptor" else None


@cause(CAUSES, "double-close", *CLIENTS, "lab3", "lab4", "lab6", text="A descriptor was closed a second time. By then its number may belong to another file, "
       "which is closed in its place.")
def double_close(evidence: Evidence) -> Sure | None:
    closes = own_calls(evidence, "close")
    sent_later = any(failed(call) and call.errno == errno.EBADF for call in own_calls(evidence, *SENDS))
    return next((at(call) for call in closes if failed(call) and call.errno == errno.EBADF and not call.faulted
                 and not sent_later and any(other.fd == call.fd and other.index < call.index for other in closes)), None)


@cause(CAUSES, "closes-callers", text="The function ends a connection that belongs to its caller. Who closes is part of the "
       "contract.")
def closes_callers(evidence: Evidence) -> Sure | None:
    function = function_of(evidence)
    if function not in ("send_all", "serve_client", "reuse_enabled", *RECEIVERS, *BUFFERS):
        return None
    names = ("close",) if function == "serve_client" else ("close", "shutdown")
    own = {call.result for call in own_calls(evidence, "socket", "dup", "fcntl", *ACCEPTS)}
    used = {call.fd for call in (*own_sends(evidence), *own_recvs(evidence), *own_calls(evidence, "getsockopt"))}
    return next((at(call) for call in own_calls(evidence, *names) if call.fd in used - own), None)


@cause(CAUSES, "prints", *CLIENTS, text="Something was printed that isn't asked for. Below main() nothing prints: a function "
       "returns what happened, and its caller may say it.")
def prints(evidence: Evidence) -> Sure | None:
    run, failure = evidence.run, evidence.failure
    if run is None or failure.kind not in ("output", "said"):
        return None
    if failure.kind == "output" and failure.expected is not None and failure.actual:
        left = iter(failure.actual)
        more = len(failure.actual) > len(failure.expected) and all(byte in left for byte in failure.expected)
        return Sure() if more and run.function != "prompt_line" else None
    fails = [call for call in all_own(evidence) if failed(call) and call.name != "close"]
    right = bool(fails) and run.reported == ((-1, fails[-1].errno),) and run.function == "client_send"
    return at(fails[-1]) if right and run.errors and not run.tool else None


# ---- memory -----------------------------------------------------------------------------------------

@cause(CAUSES, "memory-leak", text="Memory was taken and never given back. What malloc(), strdup() or getline() hands out is yours "
       "to free(), on every way out.")
def memory_leak(evidence: Evidence) -> Sure | None:
    return _found(evidence, "leak")


@cause(CAUSES, "memory-error", text="Memory was used that isn't the program's (before or behind a variable, or freed already), or "
       "that nobody had filled in.")
def memory_error(evidence: Evidence) -> Sure | None:
    return _found(evidence, "error")


def _found(evidence: Evidence, kind: str) -> Sure | None:
    run = evidence.run
    if run is None or evidence.failure.kind != "memory" or not run.findings or run.findings[0].kind != kind:
        return None
    return Sure(run.findings[0].where)
