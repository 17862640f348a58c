"""Mistakes with a stream of bytes: short counts, interruptions, peers that leave, wrong lengths."""

from __future__ import annotations

import errno
import signal

from ..evidence import Call, Evidence
from .base import SENDS, Cause, Sure, after, at, cause, last_report, own_calls, own_recvs, own_sends

CAUSES: list[Cause] = []


def _short(call: Call) -> bool:
    """It took fewer bytes than it was given."""
    return call.result is not None and call.size is not None and 0 < call.result < call.size


@cause(CAUSES, "sigpipe", text="Sending to a peer that has left raises SIGPIPE, which ends the program. MSG_NOSIGNAL, or "
       "ignoring SIGPIPE, turns it into the error EPIPE.")
def sigpipe(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.signal != signal.SIGPIPE:
        return None
    calls = own_sends(evidence)
    return at(calls[-1]) if calls else Sure()


@cause(CAUSES, "eintr-send", text="A signal interrupted the send before it took anything (EINTR). Nothing is wrong and nothing "
       "is lost: the same send, once more.")
def eintr_send(evidence: Evidence) -> Sure | None:
    return _gave_up_on_eintr(own_sends(evidence))


@cause(CAUSES, "eintr-recv", text="A signal interrupted the recv before anything came (EINTR). Nothing is wrong: the same recv, "
       "once more.")
def eintr_recv(evidence: Evidence) -> Sure | None:
    return _gave_up_on_eintr(own_recvs(evidence))


def _gave_up_on_eintr(calls: list[Call]) -> Sure | None:
    for call in calls:
        if call.result == -1 and call.errno == errno.EINTR and call.faulted:
            later = [other for other in after(call, calls) if other.fd == call.fd]
            if not later:
                return at(call)
    return None


@cause(CAUSES, "eintr-skips", text="After EINTR the loop went on as if bytes had been taken: -1 was added to the position, or the "
       "piece was skipped. An interrupted send took nothing.")
def eintr_skips(evidence: Evidence) -> Sure | None:
    if evidence.failure.kind != "received":
        return None
    calls = own_sends(evidence)
    for call, following in zip(calls, calls[1:]):
        if call.result == -1 and call.errno == errno.EINTR and call.name == following.name and call.name in SENDS[:3]:
            moved = following.args[1] != call.args[1] or following.size != call.size
            if moved and following.fd == call.fd:
                return at(call)
    return None


@cause(CAUSES, "no-advance", text="After a short count the same bytes were sent again from the start. Go on behind those that "
       "were taken: data + sent.")
def no_advance(evidence: Evidence) -> Sure | None:
    if evidence.failure.kind not in ("received", "peer", "wait"):
        return None
    for call, following in _after_short(evidence):
        if following.args[1] == call.args[1] and following.data[:8] == call.data[:8] and len(call.data) >= 2:
            return at(following)
    return None


@cause(CAUSES, "no-shrink", text="After a short count the position moved on, but the length stayed: the last send read beyond the "
       "end of the data. What is left is len - sent.")
def no_shrink(evidence: Evidence) -> Sure | None:
    if evidence.failure.kind not in ("received", "peer", "memory", "exit", "result", "wait"):
        return None
    for call, following in _after_short(evidence):
        if following.args[1] > call.args[1] and following.size == call.size:
            return at(following)
    return None


@cause(CAUSES, "short-recount", text="After a short count the next send did not begin where the last one ended. The position moves "
       "by what send() returned, no more and no less.")
def short_recount(evidence: Evidence) -> Sure | None:
    if evidence.failure.kind not in ("received", "peer", "wait"):
        return None
    for call, following in _after_short(evidence):
        assert call.result is not None
        moved = following.args[1] - call.args[1]
        if moved != call.result and 0 < moved <= (call.size or 0):
            return at(following)
    return None


def _after_short(evidence: Evidence) -> list[tuple[Call, Call]]:
    """Each short send with the next send on the same descriptor, where both take a pointer and a length."""
    calls = [call for call in own_sends(evidence) if call.name in ("send", "write", "sendto")]
    return [(call, following) for call, following in zip(calls, calls[1:])
            if _short(call) and following.fd == call.fd and following.name == call.name]


@cause(CAUSES, "short-send", text="send() took fewer bytes than it was given, which is its right, and the rest was never sent. "
       "Look at what it returns and send the rest.")
def short_send(evidence: Evidence) -> Sure | None:
    if evidence.failure.kind not in ("received", "peer", "wait", "result"):
        return None
    calls = own_sends(evidence)
    for call in calls:
        if _short(call) and not [other for other in after(call, calls) if other.fd == call.fd]:
            return at(call)
    if evidence.lab == "lab1" or len(calls) < 2:
        return None
    return next((at(call) for call, following in _after_short(evidence)
                 if following.data[:8] != call.data[call.result:][:8] and call.result and call.result < 24), None)


@cause(CAUSES, "plus-nul", text="One byte more than the message was sent, a NUL. The length of a text is strlen(), without + 1: "
       "the NUL is C's, not the message's.")
def plus_nul(evidence: Evidence) -> Sure | None:
    failure = evidence.failure
    if failure.kind != "received" or failure.expected is None or failure.actual != failure.expected + b"\0":
        return None
    calls = own_sends(evidence)
    return at(calls[-1]) if calls else Sure()


@cause(CAUSES, "sizeof-buf", text="More was sent than the message: the size of a buffer, not the length of what is in it.")
def sizeof_buf(evidence: Evidence) -> Sure | None:
    failure = evidence.failure
    if failure.kind != "received" or not failure.expected or failure.actual is None:
        return None
    calls = own_sends(evidence)
    padded = failure.actual.startswith(failure.expected) and len(failure.actual) > len(failure.expected) + 1
    first = calls[0] if calls else None
    if padded and first is not None and (first.size or 0) > len(failure.expected):
        return at(first)
    return None


@cause(CAUSES, "strlen-bin", text="The message was cut at its first NUL byte. strlen() knows only texts; the length is the one "
       "that you are given.")
def strlen_bin(evidence: Evidence) -> Sure | None:
    failure = evidence.failure
    if failure.expected is None or failure.actual is None or failure.kind not in ("received", "output"):
        return None
    first = failure.expected.find(b"\0")
    if first < 0 or failure.actual != failure.expected[:first]:
        return None
    if any(_short(call) for call in own_sends(evidence)):
        return None
    calls = own_sends(evidence)
    return at(calls[-1]) if calls else Sure()


@cause(CAUSES, "chars-not-bytes", text="The length was counted in characters. What is sent is bytes, and a character can be "
       "several of them: 你 is 3 bytes in UTF-8 and 2 in GBK.")
def chars_not_bytes(evidence: Evidence) -> Sure | None:
    failure = evidence.failure
    if failure.kind != "received" or failure.expected is None or failure.actual is None:
        return None
    calls = own_sends(evidence)
    for encoding in ("utf-8", "gbk"):
        try:
            characters = len(failure.expected.decode(encoding))
        except UnicodeDecodeError:
            continue
        if characters < len(failure.expected) and failure.actual == failure.expected[:characters] and calls:
            return at(calls[-1])
    return None


@cause(CAUSES, "empty-send", text="A message of no bytes is nothing to send and nothing wrong: 0 at once.")
def empty_send(evidence: Evidence) -> Sure | None:
    run, report = evidence.run, last_report(evidence)
    if run is None or run.function != "send_all" or run.input or len(run.args) > 2 or report is None:
        return None
    return Sure() if evidence.failure.kind == "result" and report[0] == -1 else None


@cause(CAUSES, "retries-all", text="The loop takes every -1 for an interruption and calls again for ever. Only EINTR is worth the "
       "same call again; other errors stay.")
def retries_all(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.trouble is None or run.trouble.kind not in ("busy", "idle", "slow"):
        return None
    calls = own_calls(evidence, "send", "write", "sendto", "sendmsg", "writev", "recv", "read", "recvfrom", "accept", "accept4")
    tail = calls[-20:]
    same = len(tail) == 20 and all(call.result == -1 and call.errno == tail[0].errno != errno.EINTR and
                                   call.name == tail[0].name for call in tail)
    return at(tail[0]) if same else None


@cause(CAUSES, "zero-spin", text="recv() gives 0 when the peer has ended its side, and will give 0 for ever after. The loop takes "
       "it for an empty message and goes on.")
def zero_spin(evidence: Evidence) -> Sure | None:
    tail = own_recvs(evidence)[-20:]
    return at(tail[0]) if len(tail) == 20 and all(call.result == 0 and call.size for call in tail) else None


@cause(CAUSES, "waits-for-answer", "lab1", text="The client waits in recv() for an answer that nobody promised. This client only "
       "sends: it reads nothing.")
def waits_for_answer(evidence: Evidence) -> Sure | None:
    calls = own_recvs(evidence)
    run = evidence.run
    stuck = run is not None and run.trouble is not None and run.trouble.kind == "stuck"
    return at(calls[-1]) if calls and stuck and calls[-1].ended is None else None


@cause(CAUSES, "send-unchecked", "lab1", text="send() failed, and the function said that all was well. Return -1 and leave errno "
       "as send() set it.")
def send_unchecked(evidence: Evidence) -> Sure | None:
    report = last_report(evidence)
    failed = [call for call in own_sends(evidence) if call.result == -1 and call.errno != errno.EINTR]
    return at(failed[-1]) if failed and report is not None and report[0] == 0 else None
