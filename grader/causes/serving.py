"""Mistakes of server_run(): one client after another, none of them the end of all, and the listener's end."""

from __future__ import annotations

import errno

from ..evidence import Call, Evidence
from .accepting import SHORTAGE
from .base import RECVS, Cause, Sure, after, all_own, at, cause, failed, own_calls, own_recvs
from .talks import Talk, accepted, accepts, ended_well, gave_up, listener, number, talks, wanted_clients

CAUSES: list[Cause] = []
LAB = "lab3"
ENOUGH = 3
MANY_TRIES = 10                     # of accept(), before a test asks how long the wait is
PAUSE_NS = 9_000_000                # between two tries: a right program waits longer
COPYING = (0, 1030)                 # fcntl()'s F_DUPFD and F_DUPFD_CLOEXEC
MANY = 10                           # descriptors of a server that serves one client after another


def _went_wrong(talk: Talk) -> bool:
    return any(failed(call) and call.errno != errno.EINTR for call in (*talk.recvs, *talk.sends))


def _over(talk: Talk) -> bool:
    """The client has ended, or the connection broke."""
    return any(call.result == 0 for call in talk.recvs) or _went_wrong(talk)


# ---- a connection's life ----------------------------------------------------------------------------

@cause(CAUSES, "closed-before-served", LAB, "lab4", text="The connection was closed before the conversation was over: what follows fails with "
       "EBADF. Closing it is the last thing that happens to it.")
def closed_before_served(evidence: Evidence) -> Sure | None:
    broken = {call.fd for call in own_calls(evidence, *RECVS)
              if failed(call) and call.errno == errno.EBADF}
    return next((at(call) for call in own_calls(evidence, "close") if call.fd in broken and call.result == 0), None)


@cause(CAUSES, "copy-left", LAB, "lab4", "lab5", text="The connection has a copy, by dup(), and only one of the two was closed. The "
       "end goes out with the last one: close both, or don't copy.")
def copy_left(evidence: Evidence) -> Sure | None:
    run, failure = evidence.run, evidence.failure
    if run is None or not (failure.kind in ("wait", "peer") or (failure.kind == "said" and "descriptor" in failure.message)):
        return None
    calls = [call for call in all_own(evidence) if call.fd is not None]
    for copy in own_calls(evidence, "dup", "fcntl"):
        if (copy.result or 0) <= 2 or copy.fd is None or (copy.name == "fcntl" and copy.args[1] not in COPYING):
            continue
        for closed, left in ((copy.fd, copy.result), (copy.result, copy.fd)):
            close = next((call for call in after(copy, calls) if call.name == "close" and call.fd == closed
                          and call.result == 0), None)
            if close is not None and left in run.descriptors and not any(
                    call.fd == left and (call.index > close.index or call.ended is None or call.name in ("close", "shutdown"))
                    for call in after(copy, calls)):
                return at(copy)
    return None


@cause(CAUSES, "drops-clients", LAB, text="A client was accepted and its connection closed, or forgotten, without a word. Each client "
       "that accept() gives is served; who isn't wanted stays in the queue.")
def drops_clients(evidence: Evidence) -> Sure | None:
    if wanted_clients(evidence) is None:
        return None
    copied = {call.fd for call in own_calls(evidence, "dup", "fcntl")}
    return next((at(talk.closed) for talk in talks(evidence) if talk.accepted is not None and talk.closed is not None
                 and not talk.recvs and talk.fd not in copied), None)


@cause(CAUSES, "no-close", LAB, text="The connection was never closed. The client waits for the end of the stream, and each client "
       "costs a descriptor.")
def no_close(evidence: Evidence) -> Sure | None:
    if wanted_clients(evidence) is None:
        return None
    closed = own_calls(evidence, "close")
    for talk in talks(evidence):
        if talk.accepted is not None and talk.closed is None and _over(talk) and _left_behind(talk, evidence):
            return at(talk.accepted)
    copies = [call for call in own_calls(evidence, "dup", "fcntl") if (call.result or 0) > 2]
    return next((at(call) for call in copies if not any(other.fd == call.result for other in after(call, closed))
                 and any(recv.fd == call.result for recv in own_recvs(evidence))), None)


def _left_behind(talk: Talk, evidence: Evidence) -> bool:
    """server_run() went on to the next client, or returned; and nothing else was closed in this one's place."""
    rest = after(talk.calls[-1], accepts(evidence))
    closes = [call for call in after(talk.calls[-1], own_calls(evidence, "close"))
              if call.fd != listener(evidence) and (not rest or call.index < rest[0].index)]
    return not closes and (bool(rest) or ended_well(evidence))


@cause(CAUSES, "fd-leak", LAB, text="For each client a descriptor is opened that is never closed, besides its connection. A server "
       "that runs for a day has none left.")
def fd_leak(evidence: Evidence) -> Sure | None:
    run, good = evidence.run, accepted(evidence)
    found = run.findings if run is not None and evidence.failure.kind == "memory" else ()
    if found and found[0].kind == "descriptor":
        return Sure(found[0].where)
    if run is None or run.function != "server_run" or len(run.descriptors) < max(MANY, len(good) // 2):
        return None
    if any(talk.closed is None for talk in talks(evidence) if talk.accepted is not None):
        return None
    made = own_calls(evidence, "socket", "dup", "epoll_create1")
    left = [call for call in made if call.result in run.descriptors]
    return at(left[-1]) if left else Sure()


# ---- how many, and how it returns -------------------------------------------------------------------

@cause(CAUSES, "exit-after-1", LAB, text="The server took one client and was done. A server goes back to accept() when a client has "
       "left.")
def exit_after_1(evidence: Evidence) -> Sure | None:
    wanted, good = wanted_clients(evidence), accepted(evidence)
    done = wanted is not None and wanted != 1 and len(good) == 1 and ended_well(evidence)
    return at(good[0]) if done else None


@cause(CAUSES, "no-limit", LAB, text="With clients 0 the server came to an end. 0 is no number of clients to count to: it means that "
       "there is no limit.")
def no_limit(evidence: Evidence) -> Sure | None:
    return Sure() if wanted_clients(evidence) == 0 and ended_well(evidence) else None


@cause(CAUSES, "too-few", LAB, text="The server returned before all clients were accepted that it was asked to serve. Count what "
       "accept() gave, from 1 to clients.")
def too_few(evidence: Evidence) -> Sure | None:
    return Sure() if len(accepted(evidence)) < (wanted_clients(evidence) or 0) and ended_well(evidence) else None


def _one_more(evidence: Evidence) -> Call | None:
    """An accept() after the last client that was asked for."""
    wanted, good = wanted_clients(evidence), accepted(evidence)
    if not wanted or len(good) < wanted:
        return None
    more = after(good[wanted - 1], accepts(evidence))
    return more[0] if more else None


@cause(CAUSES, "bad-not-counted", LAB, text="The server asked for one client more than it was to serve: one whose conversation failed "
       "wasn't counted. clients is how many to accept, however they end.")
def bad_not_counted(evidence: Evidence) -> Sure | None:
    more = _one_more(evidence)
    return at(more) if more is not None and any(_went_wrong(talk) for talk in talks(evidence)) else None


@cause(CAUSES, "too-many", LAB, text="The server asked for one client more than it was to serve. clients is how many to accept in all.")
def too_many(evidence: Evidence) -> Sure | None:
    more = _one_more(evidence)
    return at(more) if more is not None else None


def _last_talk(evidence: Evidence) -> Talk | None:
    """The conversation after which server_run() gave up."""
    found, calls = talks(evidence), accepts(evidence)
    if wanted_clients(evidence) is None or not found or not gave_up(evidence) or failed(calls[-1]):
        return None
    return found[-1] if _over(found[-1]) else None


@cause(CAUSES, "last-result", LAB, text="The last client's conversation failed, and server_run() returned -1 for it. How one client "
       "ended is no result of the server: all were served, so it is 0.")
def last_result(evidence: Evidence) -> Sure | None:
    talk = _last_talk(evidence)
    return at(talk.calls[-1]) if talk is not None and len(accepted(evidence)) == wanted_clients(evidence) else None


@cause(CAUSES, "one-client-ends-all", LAB, text="One client's conversation failed or was empty, and the server stopped. It is that "
       "client's trouble alone: close its connection and take the next one.")
def one_client_ends_all(evidence: Evidence) -> Sure | None:
    talk = _last_talk(evidence)
    over = [call for call in (*talk.recvs, *talk.sends) if failed(call) or call.result == 0] if talk is not None else []
    return at(over[-1]) if over else None


# ---- no descriptor, no memory -----------------------------------------------------------------------

def _struck(evidence: Evidence) -> list[Call]:
    """Those at the end of the run's accept() calls for which something was short."""
    calls = accepts(evidence)
    if wanted_clients(evidence) is None or not calls or calls[-1].errno not in SHORTAGE:
        return []
    return [call for call in calls if failed(call) and call.errno in SHORTAGE]


@cause(CAUSES, "emfile-spin", LAB, text="No descriptor was left for the next client (EMFILE), and the server asked again almost at "
       "once, over and over, and uses up the processor. Wait a little between two tries.")
def emfile_spin(evidence: Evidence) -> Sure | None:
    calls = accepts(evidence)
    quick = [call for call, following in zip(calls, calls[1:]) if failed(call) and call.errno in SHORTAGE
             and not call.faulted and following.began - (call.ended or 0) < PAUSE_NS]
    return at(quick[0]) if wanted_clients(evidence) is not None and len(quick) >= ENOUGH else None


@cause(CAUSES, "emfile-long", LAB, text="No descriptor was left (EMFILE), and the server sleeps too long before it tries again. The "
       "client waits all that time: at most a second.")
def emfile_long(evidence: Evidence) -> Sure | None:
    run, struck = evidence.run, _struck(evidence)
    asleep = run is not None and run.trouble is not None and run.trouble.kind in ("idle", "stuck")
    tries = evidence.failure.kind == "said" and len(struck) >= MANY_TRIES
    return at(struck[-1]) if struck and (asleep or tries) else None


@cause(CAUSES, "emfile-exit", LAB, text="Nothing was left for the next client, no descriptor (EMFILE) or no memory, and the server "
       "gave up. They come back when a client leaves: wait a little and try again.")
def emfile_exit(evidence: Evidence) -> Sure | None:
    struck = _struck(evidence)
    return at(struck[-1]) if struck and gave_up(evidence) else None


# ---- what is said -----------------------------------------------------------------------------------

@cause(CAUSES, "not-told", LAB, text="Something that happened wasn't told with say(), or without the client's name: EVENT_CLIENT when "
       "it was accepted, EVENT_RECEIVED for each recv() that gave bytes, EVENT_GONE when its connection is closed.")
def not_told(evidence: Evidence) -> Sure | None:
    run, good = evidence.run, accepted(evidence)
    if run is None or evidence.failure.kind not in ("said", "output", "wait"):
        return None
    lines = run.output.split(b"\n")
    told = {word: [line for line in lines if line.startswith(word)] for word in (b"client ", b"received ", b"gone ")}
    gave = [call for call in own_recvs(evidence) if (call.result or 0) > 0]
    if gave and not told[b"received "]:
        return at(gave[0])
    closed = [talk.closed for talk in talks(evidence) if talk.accepted is not None and talk.closed is not None]
    done = closed if run.status == 0 or run.reported else closed[:-1]
    if len(told[b"client "]) < len(good) and evidence.failure.kind == "output":
        return at(good[0])
    unnamed = b"gone ?" in lines or b"client ?" in lines
    missing = len(told[b"gone "]) < len(done) or unnamed
    return at(done[-1]) if done and missing and evidence.failure.kind == "output" else None


# ---- the listener's end -----------------------------------------------------------------------------

def _serves_last(evidence: Evidence) -> Call | None:
    """The accept() of the last client that was asked for, once its conversation has begun."""
    wanted, good = wanted_clients(evidence), accepted(evidence)
    if not wanted or len(good) != wanted:
        return None
    begun = [talk for talk in talks(evidence) if talk.accepted is good[-1] and talk.recvs]
    return good[-1] if begun else None


@cause(CAUSES, "shutdown-not-close", LAB, "lab5", text="shutdown() ended the listening, and the descriptor is still open. close() gives the "
       "descriptor back, and ends the listening as well.")
def shutdown_not_close(evidence: Evidence) -> Sure | None:
    fd = listener(evidence)
    closed = any(call.fd == fd for call in own_calls(evidence, "close"))
    return next((at(call) for call in own_calls(evidence, "shutdown")
                 if call.fd == fd and not closed and number(evidence, "listener_open") == 1), None)


@cause(CAUSES, "listener-stays", LAB, text="The last client has been accepted, and the listener is still open: newcomers are let into a "
       "queue where nobody will ever take them. Close it before you serve the last one.")
def listener_stays(evidence: Evidence) -> Sure | None:
    run, last, fd = evidence.run, _serves_last(evidence), listener(evidence)
    if run is None or last is None:
        return None
    before = [call for call in own_calls(evidence, "close", "shutdown") if call.fd == fd]
    open_still = bool(run.listening) or number(evidence, "listener_open") == 1
    return at(last) if open_still and not before else None


@cause(CAUSES, "listener-twice", LAB, text="The listener was closed a second time. By then its number may belong to another descriptor, "
       "which is closed in its place.")
def listener_twice(evidence: Evidence) -> Sure | None:
    fd = listener(evidence)
    closes = [call for call in own_calls(evidence, "close") if call.fd == fd]
    return at(closes[-1]) if len(closes) > 1 and number(evidence, "taken_open") == 0 else None
