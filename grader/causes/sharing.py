"""Mistakes with what all threads of a server share: the counters, and the end of it all."""

from __future__ import annotations

from ..evidence import Call, Evidence
from .accepting import SHORTAGE
from .base import RECVS, SENDS, Cause, Sure, after, at, cause, failed, own_calls
from .talks import Talk, accepted, accepts, number, talks

CAUSES: list[Cause] = []
LAB = "lab5"
HOW, SHUT_RD = 1, 0                 # shutdown()'s second argument


# ---- the counters -----------------------------------------------------------------------------------

@cause(CAUSES, "race-count", LAB, text="A data race: two threads use the same variable, one of them writes, and no lock and no atomic "
       "orders the two. Readers need the lock as well, and it must be the same one.")
def race_count(evidence: Evidence) -> Sure | None:
    run = evidence.run
    races = [found for found in run.findings if found.kind == "race"] if run is not None and evidence.failure.kind == "memory" else []
    return Sure(races[0].where) if races else None


@cause(CAUSES, "count-off", LAB, text="A number isn't what it should be, though nothing was under way: it is counted in the wrong place, "
       "not on every way, or not back. clients goes up with accept and down with close; bytes with each recv.")
def count_off(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function != "server_stats" or run.tool or evidence.failure.kind != "said":
        return None
    # Only the first question: what server_stats() itself changes is another mistake.
    asked = [value for name, value in run.numbers if name == "bytes"]
    counts = any(value for name, value in run.numbers if name in ("clients", "served", "bytes"))
    return Sure() if "--ask-always" not in run.args and 1 <= len(asked) <= 5 and accepted(evidence) and counts else None


# ---- the stop ---------------------------------------------------------------------------------------

def _main(evidence: Evidence) -> int | None:
    run = evidence.run
    return run.calls[0].thread if run is not None and run.calls else None


def _waits_in_stop(evidence: Evidence) -> bool:
    """server_stop() was begun, or the signal sent, and it doesn't come back."""
    run = evidence.run
    waits = run is not None and run.trouble is not None and run.trouble.kind in ("stuck", "idle")
    return waits and run is not None and (run.function == "server_stop" and len(run.reported) == 1)


def _in_stop(evidence: Evidence) -> list[Call]:
    """What the main thread did after server_start()."""
    made = [call for call in own_calls(evidence, "pthread_create") if call.thread == _main(evidence)]
    mine = [call for call in own_calls(evidence, "shutdown", "close", "pthread_join") if call.thread == _main(evidence)]
    return after(made[-1], mine) if made else mine


def _conversations(evidence: Evidence) -> list[Talk]:
    return [talk for talk in talks(evidence) if talk.accepted is not None]


@cause(CAUSES, "cuts-off", LAB, text="The connection was closed, or shut for sending, while its client still waited for an answer. To stop "
       "taking in is shutdown(SHUT_RD): recv() gives what has come, then 0, and the answers still go out.")
def cuts_off(evidence: Evidence) -> Sure | None:
    if evidence.failure.kind not in ("peer", "wait", "received"):
        return None
    for talk in _conversations(evidence):
        movers = {call.thread for call in talk.calls if call.name in (*RECVS, *SENDS)}
        for call in talk.calls:
            cuts = (call.name == "shutdown" and call.args[HOW] != SHUT_RD) or (
                call.name == "close" and call.thread == _main(evidence))
            if cuts and movers and call.thread not in movers and _under_way(talk, call):
                return at(call)
    return None


def _under_way(talk: Talk, cut: Call) -> bool:
    """Somebody was receiving or sending, or did so later."""
    moves = [call for call in talk.calls if call.name in (*RECVS, *SENDS)]
    return any(call.ended is None or call.ended > cut.began for call in moves)


@cause(CAUSES, "stop-accepts", LAB, text="A client that came after server_stop() was called was still accepted. First the door: shut the "
       "listener down and wait for the acceptor; then the clients.")
def stop_accepts(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function != "server_stop" or evidence.failure.kind not in ("said", "wait"):
        return None
    halved = [call for call in _in_stop(evidence) if call.name == "shutdown" and call.fd in {talk.fd for talk in talks(evidence)}]
    late = [call for call in accepted(evidence) if halved and (call.ended or 0) > halved[0].began]
    return at(late[0]) if late else None


@cause(CAUSES, "acceptor-sleeps", LAB, text="server_stop() waits for the thread that accepts, and that one sleeps in accept(): nobody has "
       "woken it. Closing the listener doesn't; shutdown() on it does.")
def acceptor_sleeps(evidence: Evidence) -> Sure | None:
    asleep = [call for call in accepts(evidence) if call.ended is None]
    stop = [call for call in _in_stop(evidence) if call.ended is None]
    shut = {call.fd for call in _in_stop(evidence) if call.name == "shutdown"}
    woken = bool(asleep) and asleep[0].fd in shut
    waits = bool(stop) or not any(call.ended is None for talk in _conversations(evidence) for call in talk.calls)
    return at((stop or asleep)[0]) if _waits_in_stop(evidence) and asleep and not woken and waits else None


@cause(CAUSES, "stop-emfile", LAB, text="server_stop() waits for the thread that accepts, and that one waits for a descriptor. accept() "
       "says EMFILE even when the listener has been shut down: before each pause, ask whether the server stops.")
def stop_emfile(evidence: Evidence) -> Sure | None:
    calls = accepts(evidence)
    joins = [call for call in own_calls(evidence, "pthread_join") if call.thread == _main(evidence) and call.ended is None]
    return at(calls[-1]) if _short(evidence) and joins and _waits_in_stop(evidence) else None


def _short(evidence: Evidence) -> bool:
    """The acceptor's last accept() found no descriptor or memory."""
    last = accepts(evidence)[-1:]
    return bool(last) and failed(last[0]) and last[0].errno in SHORTAGE and not last[0].faulted


@cause(CAUSES, "no-half-close", LAB, text="server_stop() waits for a client that says nothing, and so it waits for ever. Half-close each "
       "connection for reading: recv() in its thread comes back with 0.")
def no_half_close(evidence: Evidence) -> Sure | None:
    waiting = [talk.recvs[-1] for talk in _conversations(evidence) if talk.recvs and talk.recvs[-1].ended is None
               and not any(call.name == "shutdown" for call in talk.calls)]
    return at(waiting[0]) if waiting and _waits_in_stop(evidence) and not _short(evidence) else None


@cause(CAUSES, "stops-early", LAB, text="server_stop() returned while a client still waited for its answer. Count the conversations, and wait "
       "on a condition variable until there is none.")
def stops_early(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function != "server_stop" or len(run.reported) < 2 or run.reported[1][0] != 0:
        return None
    early = evidence.failure.kind == "said" and (number(evidence, "listener_open") is not None)
    left = [talk for talk in _conversations(evidence) if talk.closed is None and talk.recvs]
    return at(left[0].calls[-1]) if early and left else None
