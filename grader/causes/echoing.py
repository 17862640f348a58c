"""Mistakes of serve_client(): what comes, what goes back, and what is said of it."""

from __future__ import annotations

import errno

from ..evidence import Call, Evidence
from .base import (
    Cause, Sure, after, all_own, at, cause, errno_behind, failed, function_of, last_report, own_recvs, own_sends,
    returned,
)  # fmt: skip
from .talks import Talk, talks

CAUSES: list[Cause] = []
LAB = "lab3"
SERVERS = ("lab3", "lab5")
FLAGS = 3                           # recv()'s argument
MSG_PEEK, MSG_WAITALL = 2, 0x100
HUGE = 2**31                        # no message is as long: -1, taken for a length


# ---- how it waits ---------------------------------------------------------

@cause(CAUSES, "nonblocking", *SERVERS, text="recv() had nothing yet, on a connection that doesn't wait (EAGAIN), and that was taken for "
       "the end or an error. Let it wait, or ask poll() first.")
def nonblocking(evidence: Evidence) -> Sure | None:
    return next((at(talk.recvs[-1]) for talk in talks(evidence) if talk.recvs and failed(talk.recvs[-1])
                 and talk.recvs[-1].errno == errno.EAGAIN and not talk.recvs[-1].faulted), None)


@cause(CAUSES, "waits-for-full", *SERVERS, text="MSG_WAITALL makes recv() wait until the buffer is full, and the client has said all that "
       "it wants to say. An echo answers what has come.")
def waits_for_full(evidence: Evidence) -> Sure | None:
    waiting = [call for call in own_recvs(evidence) if call.ended is None]
    return next((at(call) for call in waiting if call.name == "recv" and call.args[FLAGS] & MSG_WAITALL), None)


@cause(CAUSES, "neg-data", *SERVERS, text="recv() failed with -1, and -1 was taken for a number of bytes. Three kinds of answer, and "
       "three branches: bytes, 0, -1.")
def neg_data(evidence: Evidence) -> Sure | None:
    for talk in talks(evidence):
        for recv in filter(failed, talk.recvs):
            following = after(recv, talk.calls)
            if following and (following[0].size or 0) >= HUGE and following[0] in talk.sends:
                return at(recv)
    return None


# ---- what goes back ---------------------------------------------------------------------------------

def _answers(talk: Talk) -> list[tuple[Call, list[Call]]]:
    """Each recv() that gave bytes, with the sends before the next recv()."""
    recvs = [call for call in talk.recvs if (call.result or 0) > 0]
    ends = [*(call.index for call in talk.recvs), float("inf")]
    return [(recv, [send for send in talk.sends
                    if recv.index < send.index < min(end for end in ends if end > recv.index)]) for recv in recvs]


def _first_answers(evidence: Evidence) -> list[tuple[Call, Call]]:
    """Each recv() that gave bytes, with the send that follows it at once."""
    return [(recv, sends[0]) for talk in talks(evidence) for recv, sends in _answers(talk) if sends]


@cause(CAUSES, "small-type", *SERVERS, text="The number of bytes didn't fit the variable that it was kept in, and came out smaller or "
       "negative. recv() returns ssize_t, and nothing smaller will do.")
def small_type(evidence: Evidence) -> Sure | None:
    for talk in talks(evidence):
        for recv, sends in _answers(talk):
            taken = sends[0].size if sends else 0 if recv is talk.calls[-1] and returned(evidence) == 0 else recv.result
            if taken is not None and _wrapped(recv.result or 0, taken):
                return at(recv)
    return None


def _wrapped(number: int, taken: int) -> bool:
    """Whether this is what a variable of 8 or 16 bits makes of that number; a negative one is a huge length."""
    return taken >= HUGE or any(taken == number % 2**bits < number for bits in (8, 16))


@cause(CAUSES, "plus-nul", *SERVERS, text="One byte more went back than had come, a NUL. It is C's, for texts; what came is bytes, as many "
       "as recv() says.")
def plus_nul(evidence: Evidence) -> Sure | None:
    return next((at(send) for recv, send in _first_answers(evidence) if send.size == (recv.result or 0) + 1), None)


@cause(CAUSES, "sizeof-buf", *SERVERS, text="The whole buffer went back, and not what had come. sizeof is the room; how many bytes are in "
       "it is what recv() returned.")
def sizeof_buf(evidence: Evidence) -> Sure | None:
    return next((at(send) for recv, send in _first_answers(evidence)
                 if send.size == recv.size and (send.size or 0) > (recv.result or 0)), None)


@cause(CAUSES, "strlen-bin", *SERVERS, text="What went back ended at the first NUL. strlen() and %s know only texts; what came is bytes, as "
       "many as recv() says.")
def strlen_bin(evidence: Evidence) -> Sure | None:
    for talk in talks(evidence):
        position = 0
        for recv, sends in _answers(talk):
            came = _came(evidence, recv, position)
            if b"\0" in came and _asked(sends) == came.index(b"\0") and after(recv, talk.recvs):
                return at(sends[0]) if sends else at(recv)
            position += recv.result or 0
    return None


def _came(evidence: Evidence, recv: Call, position: int) -> bytes:
    """All that a recv() gave, where the peer had one connection; else what the recording kept of it."""
    peer = evidence.peer
    whole = peer.sent[position:position + (recv.result or 0)] if peer is not None and peer.connections == 1 else b""
    return whole if whole.startswith(recv.data) else recv.data


def _asked(sends: list[Call]) -> int:
    """How many bytes they were to send, none of them twice."""
    return max((send.size or 0 for send in sends), default=0)


@cause(CAUSES, "speaks-first", *SERVERS, text="Something was sent before the client had said a word. An echo sends what it has received, and "
       "nothing of its own.")
def speaks_first(evidence: Evidence) -> Sure | None:
    first = [talk.calls[0] for talk in talks(evidence) if talk.sends and talk.calls[0] in talk.sends]
    return at(first[0]) if first and (first[0].result or 0) > 0 and _wrong_bytes(evidence) else None


@cause(CAUSES, "changed-bytes", *SERVERS, text="What went back isn't what had come: other bytes, or bytes from another place in the buffer. "
       "recv() puts them where you say; send them from there, as they are.")
def changed_bytes(evidence: Evidence) -> Sure | None:
    if not _wrong_bytes(evidence):
        return None
    found = [(recv, sends) for talk in talks(evidence) for recv, sends in _answers(talk) if sends]
    first = next((sends for recv, sends in found if sends[0].data[:len(recv.data)] != recv.data[:len(sends[0].data)]), None)
    if first is None and all(_in_step(sends) for _, sends in found):
        first = next((sends for recv, sends in found if _taken(sends) == recv.result), None)
    return at(first[0]) if first is not None else None


def _taken(sends: list[Call]) -> int:
    return sum(max(send.result or 0, 0) for send in sends)


def _wrong_bytes(evidence: Evidence) -> bool:
    """Whether the client got other bytes back than it had sent, not only too few or too many."""
    failure, peer = evidence.failure, evidence.peer
    if failure.kind == "received":
        sent, received = failure.expected or b"", failure.actual or b""
    else:
        sent, received = (peer.sent, peer.received) if peer is not None else (b"", b"")
    return received[:len(sent)] != sent[:len(received)]


def _in_step(sends: list[Call]) -> bool:
    """Each send begins where the one before it ended."""
    return all(following.args[1] - send.args[1] == max(send.result or 0, 0) for send, following in zip(sends, sends[1:])
               if send.name == following.name and len(send.args) > 2)


@cause(CAUSES, "no-echo", *SERVERS, text="Bytes had come, and nothing went back before the next recv(): you wait for the client, and the "
       "client waits for its answer. An echo answers each recv() that gives bytes.")
def no_echo(evidence: Evidence) -> Sure | None:
    run = evidence.run
    stuck = run is not None and run.trouble is not None and run.trouble.kind == "stuck"
    for talk in talks(evidence) if stuck else []:
        waits = bool(talk.recvs) and talk.recvs[-1].ended is None
        unanswered = [recv for recv, sends in _answers(talk) if not sends]
        if waits and unanswered and not after(unanswered[-1], talk.sends):
            return at(unanswered[-1])
    return None


@cause(CAUSES, "half-closes", LAB, text="The server ended its side while the client still talked. What the client says next can't be "
       "answered any more: its end comes first, recv() gives 0.")
def half_closes(evidence: Evidence) -> Sure | None:
    return next((at(call) for talk in talks(evidence) for call in talk.named("shutdown")
                 if not any(recv.result == 0 and recv.index < call.index for recv in talk.recvs)
                 and not any(failed(recv) and recv.errno != errno.EINTR for recv in talk.recvs)), None)


# ---- when it is over, and what is returned ----------------------------------------------------------

@cause(CAUSES, "serve-once", LAB, text="After one recv() and its answer the conversation was over for the server, but not for the "
       "client. Go on until recv() gives 0.")
def serve_once(evidence: Evidence) -> Sure | None:
    function, found = function_of(evidence), talks(evidence)
    if function == "serve_client":
        over = found[-1:] if returned(evidence) == 0 else []
    else:
        over = [talk for talk in found if talk.accepted is not None and talk.closed is not None]
    return next((at(talk.recvs[0]) for talk in over if len(talk.recvs) == 1 and (talk.recvs[0].result or 0) > 0
                 and talk.sends and not any(map(failed, talk.calls)) and len({call.thread for call in talk.calls}) == 1),
                None)


@cause(CAUSES, "zero-error", LAB, "lab4", text="recv() gave 0, the end of the other side, and that was taken for a failure. It is how every "
       "good conversation ends.")
def zero_error(evidence: Evidence) -> Sure | None:
    recvs = own_recvs(evidence)
    if function_of(evidence) not in ("serve_client", "close_first", "close_last") or returned(evidence) != -1:
        return None
    if not recvs or recvs[-1].result != 0:
        return None
    return at(recvs[-1]) if not any(failed(call) for call in after(recvs[-1], all_own(evidence))) else None


@cause(CAUSES, "send-unchecked", LAB, text="send() failed, and the function went on as if it had not. What failed is told: -1, with "
       "errno as send() set it.")
def send_unchecked(evidence: Evidence) -> Sure | None:
    if function_of(evidence) != "serve_client":
        return None
    fails = [call for call in own_sends(evidence) if failed(call) and call.errno not in (errno.EINTR, errno.EAGAIN)]
    recvs = own_recvs(evidence)
    return next((at(call) for call in fails if after(call, recvs) or returned(evidence) == 0), None)


@cause(CAUSES, "reset-as-end", LAB, "lab4", text="recv() failed, and the function took it for the end of the stream. Only 0 is the end: -1 is "
       "an error, and errno says which.")
def reset_as_end(evidence: Evidence) -> Sure | None:
    fails = [call for call in own_recvs(evidence) if failed(call) and call.errno != errno.EINTR]
    ended = function_of(evidence) in ("serve_client", "close_first", "close_last") and returned(evidence) == 0
    return at(fails[-1]) if fails and ended else None


@cause(CAUSES, "returns-count", LAB, text="A number was returned, of bytes or of clients. These functions promise 0 for success, and "
       "-1; the counts are told with say().")
def returns_count(evidence: Evidence) -> Sure | None:
    result = returned(evidence)
    counting = function_of(evidence) in ("serve_client", "server_run") and result is not None and result > 0
    return Sure() if counting and not any(failed(call) for call in own_sends(evidence)) else None


@cause(CAUSES, "errno-replaced", LAB, "lab4", text="A call failed, and the function returned -1 with another errno. The caller wants the reason "
       "itself: leave errno alone, or keep it and put it back.")
def errno_replaced(evidence: Evidence) -> Sure | None:
    report, own = last_report(evidence), all_own(evidence)
    if evidence.failure.kind not in ("error", "said") or report is None or report[0] != -1 or report[1] == 0:
        return None
    reasons = [call for call in own if failed(call) and call.name != "close"]
    if not reasons or reasons[-1].errno == report[1]:
        return None
    if any(call.name == "close" and errno_behind(call) == report[1] for call in after(reasons[-1], own)):
        return None
    return at(reasons[-1])


@cause(CAUSES, "left-over", LAB, text="The second conversation found something that the first had left behind, in a static variable for "
       "one. Each call begins anew.")
def left_over(evidence: Evidence) -> Sure | None:
    run, found = evidence.run, talks(evidence)
    if run is None or run.function != "serve_client" or len(run.reported) < 2 or len(found) < 2:
        return None
    return Sure() if found[0].recvs and not found[-1].recvs else None


# ---- what is said -----------------------------------------------------------------------------------

def _peeks(call: Call) -> bool:
    return call.name in ("recv", "recvfrom") and bool(call.args[FLAGS] & MSG_PEEK)


def _said(evidence: Evidence) -> list[int]:
    """The numbers of all lines "received N"."""
    run = evidence.run
    lines = run.output.split(b"\n") if run is not None else []
    return [int(line[9:]) for line in lines if line.startswith(b"received ") and line[9:].isdigit()]


@cause(CAUSES, "tells-zero", LAB, text="The end was told as \"received 0\". EVENT_RECEIVED is for bytes that came: look for the end "
       "first.")
def tells_zero(evidence: Evidence) -> Sure | None:
    ends = [call for call in own_recvs(evidence) if call.result == 0]
    return at(ends[-1]) if ends and 0 in _said(evidence) and evidence.failure.kind == "said" else None


@cause(CAUSES, "tells-wrong", LAB, text="The numbers told with EVENT_RECEIVED aren't what recv() returned: each line is one recv(), "
       "with the number of bytes that this one gave.")
def tells_wrong(evidence: Evidence) -> Sure | None:
    gave = [call.result for call in own_recvs(evidence) if (call.result or 0) > 0 and not _peeks(call)]
    said = _said(evidence)
    return Sure() if said and said != gave and evidence.failure.kind == "said" else None
