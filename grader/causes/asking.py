"""Mistakes of client_ask(): its own end, the reply's memory, what is left behind."""

from __future__ import annotations

import errno
import signal

from ..evidence import Call, Evidence
from .base import RECVS, SENDS, Cause, Sure, after, all_own, at, cause, failed, is_own, own_calls
from .deliveries import LAB, deliveries, request, seen_at, the_peer
from .receiving import stuck

CAUSES: list[Cause] = []
SHUT_WR = 1


def _calls(evidence: Evidence, *names: str) -> list[Call]:
    """The calls that client_ask() made, those of dial.h among them. Empty where it wasn't called."""
    run = evidence.run
    return list(run.named(*names)) if run is not None and run.function == "client_ask" else []


def _own_line(evidence: Evidence, call: Call) -> Sure:
    """At this call, if it stands in the student's file."""
    return seen_at(call, "client_ask") if is_own(evidence, call) else Sure()


def _result(evidence: Evidence) -> int | None:
    """What the first call returned."""
    run = evidence.run
    return run.reported[0][0] if run is not None and run.function == "client_ask" and run.reported else None


# ---- the connection ---------------------------------------------------------------------------------

@cause(CAUSES, "conn-unchecked", LAB, text="Connecting failed, and the function went on as if it had not. Look at "
       "what dial() gives: after -1 there is no connection, and no reply.")
def conn_unchecked(evidence: Evidence) -> Sure | None:
    used = [call for call in _calls(evidence, "shutdown", *RECVS) if call.fd == -1 and is_own(evidence, call)]
    if used:
        return at(used[0])
    dials = _calls(evidence, "connect", *SENDS)
    broken = dials and failed(dials[-1]) and dials[-1].errno != errno.EINTR and not _calls(evidence, *RECVS)
    refused = not dials and _calls(evidence, "inet_pton")
    return Sure() if _result(evidence) == 0 and (broken or refused) else None


@cause(CAUSES, "nobody-dialled", LAB, text="0 was returned, and nobody had been dialled. A request of no bytes is a "
       "conversation too: the peer sees a connection and its end, and may answer.")
def nobody_dialled(evidence: Evidence) -> Sure | None:
    return Sure() if _result(evidence) == 0 and not _calls(evidence, "socket", "connect", "inet_pton") else None


@cause(CAUSES, "old-connection", LAB, text="A later call used the connection of an earlier one. Each call is a "
       "conversation of its own, with a connection of its own.")
def old_connection(evidence: Evidence) -> Sure | None:
    run, dials = evidence.run, _calls(evidence, "connect")
    if run is None or len(run.reported) < 2 or len(dials) != 1:
        return None
    return Sure() if any(failed(call) and call.errno == errno.EBADF for call in _calls(evidence, "shutdown", *RECVS)) else None


# ---- what goes out ----------------------------------------------------------------------------------

@cause(CAUSES, "shutdown-first", LAB, text="The sending direction was ended before the request was sent. What comes "
       "after that end can't be sent any more: EPIPE.")
def shutdown_first(evidence: Evidence) -> Sure | None:
    sends = _calls(evidence, *SENDS)
    return next((at(call) for call in _calls(evidence, "shutdown") if call.args[1] == SHUT_WR and sends
                 and sends[0].index > call.index and sends[0].fd == call.fd), None)


@cause(CAUSES, "nothing-sent", LAB, text="The request was never sent: the peer waits for a question, or answers one "
       "that it never got.")
def nothing_sent(evidence: Evidence) -> Sure | None:
    run = evidence.run
    connected = [call for call in _calls(evidence, "connect") if not failed(call)]
    asked = run is not None and connected and request(run)
    return Sure() if asked and not _calls(evidence, *SENDS) and _calls(evidence, "shutdown", *RECVS) else None


@cause(CAUSES, "strlen-bin", LAB, text="The request ended at its first NUL: its length was searched for, with "
       "strlen(). Bytes may have a NUL in their middle; the length is the one that is given.")
def strlen_bin(evidence: Evidence) -> Sure | None:
    run, peer = evidence.run, the_peer(evidence)
    if run is None or peer is None or run.function != "client_ask":
        return None
    whole = request(run)
    return Sure() if b"\0" in whole and peer.connections and peer.received == whole.split(b"\0")[0] else None


@cause(CAUSES, "plus-nul", LAB, text="One byte more than the request was sent, a NUL. The length is the one that is "
       "given; the NUL behind a text is C's.")
def plus_nul(evidence: Evidence) -> Sure | None:
    run, peer = evidence.run, the_peer(evidence)
    asked = run is not None and peer is not None and run.function == "client_ask" and request(run)
    return Sure() if asked and peer is not None and run is not None and peer.received == request(run) + b"\0" else None


# ---- the half-close ---------------------------------------------------------------------------------

@cause(CAUSES, "closed-before-served", LAB, text="The connection was closed before the reply had come: what follows "
       "fails with EBADF. close() ends both directions; shutdown() can end one of them.")
def closed_before_served(evidence: Evidence) -> Sure | None:
    broken = {call.fd for call in _calls(evidence, *RECVS) if failed(call) and call.errno == errno.EBADF}
    return next((at(call) for call in own_calls(evidence, "close") if call.fd in broken and call.result == 0), None)


@cause(CAUSES, "wrong-direction", LAB, text="shutdown() ended the direction in which the reply comes. There are "
       "two: SHUT_WR ends yours, SHUT_RD the other, SHUT_RDWR both.")
def wrong_direction(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _calls(evidence, "shutdown") if call.args[1] != SHUT_WR and call.result == 0
                 and [other for other in after(call, _calls(evidence, *RECVS)) if other.fd == call.fd]), None)


@cause(CAUSES, "no-halfclose", LAB, text="You wait for the reply, and the peer waits for the end of your request, "
       "which never comes. shutdown() ends your direction and keeps the other.")
def no_halfclose(evidence: Evidence) -> Sure | None:
    waits = [call for call in _calls(evidence, *RECVS, "poll") if call.ended is None]
    peer = the_peer(evidence)
    open_still = peer is not None and peer.ending == "open" and not _calls(evidence, "shutdown")
    return _own_line(evidence, waits[-1]) if waits and open_still and stuck(evidence) else None


# ---- the reply --------------------------------------------------------------------------------------

@cause(CAUSES, "reply-not-null", LAB, text="-1 was returned, and *reply isn't NULL: the caller, who frees what it "
       "gets, frees something that isn't its own, or uses half a reply. Set it to NULL on every way out with -1.")
def reply_not_null(evidence: Evidence) -> Sure | None:
    run = evidence.run
    numbers = dict(run.numbers) if run is not None and run.function == "client_ask" else {}
    reported = run.reported if run is not None else ()
    return next((Sure() for number, (result, _) in enumerate(reported, 1)
                 if result == -1 and numbers.get(f"null{number}") == 0), None)


@cause(CAUSES, "reply-not-malloced", LAB, text="The caller frees the reply, and can't: it isn't a block from "
       "malloc(), or not one for each reply. A static buffer, or a place within a block, is nothing to free.")
def reply_not_malloced(evidence: Evidence) -> Sure | None:
    run, found = evidence.run, deliveries(evidence)
    if run is None or run.function != "client_ask" or run.tool:
        return None
    died = run.signal == signal.SIGABRT and len(run.reported) == run.times and b"free(): invalid pointer" in run.errors
    datas = [one.got.data for one in found if one.got is not None]
    over = len(datas) > 1 and datas[0] != b"" and datas[0] == datas[1] and found[0].wrong
    return Sure() if over or (died and any(result == 0 for result, _ in run.reported)) else None


# ---- what is left -----------------------------------------------------------------------------------

def _left_open(evidence: Evidence) -> list[tuple[Call, int]]:
    """The sockets that are still open, each with what its call returned."""
    run, made, closed = evidence.run, _calls(evidence, "socket"), _calls(evidence, "close")
    if run is None or len(made) != len(run.reported):
        return []
    return [(call, result) for call, (result, _) in zip(made, run.reported) if call.result in run.descriptors
            and not any(other.fd == call.result for other in after(call, closed))]


def _last_use(evidence: Evidence, made: Call) -> Sure:
    """The student's last call on that descriptor."""
    uses = [call for call in after(made, all_own(evidence)) if call.fd == made.result]
    return seen_at(uses[-1], "client_ask") if uses else Sure()


@cause(CAUSES, "fd-leak-error", LAB, text="A way out with -1 leaves the socket open. Each failed call costs a "
       "descriptor until none is left: close it on every way out.")
def fd_leak_error(evidence: Evidence) -> Sure | None:
    left = _left_open(evidence)
    return _last_use(evidence, left[0][0]) if left and all(result == -1 for _, result in left) else None


@cause(CAUSES, "fd-leak", LAB, text="The socket is still open when all is done. Each call costs a descriptor, and a "
       "peer would wait for an end that doesn't come.")
def fd_leak(evidence: Evidence) -> Sure | None:
    left, run = _left_open(evidence), evidence.run
    if any(result != -1 for _, result in left):
        return _last_use(evidence, left[-1][0])
    found = run.findings if run is not None and evidence.failure.kind == "memory" else ()
    return Sure(found[0].where) if found and found[0].kind == "descriptor" else None
