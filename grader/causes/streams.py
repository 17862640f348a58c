"""Mistakes with a stream of bytes: short counts, interruptions, peers that leave, wrong lengths."""

from __future__ import annotations

import errno
import signal

from ..evidence import Call, Evidence
from ..faults import GROUPS
from .base import (
    ACCEPTS, CLIENTS, RECVS, SENDS, Cause, Sure, all_own, at, cause, failed, function_of, is_own, last_report, on_the_wire,
    own_calls, own_recvs, own_sends, returned,
)  # fmt: skip

CAUSES: list[Cause] = []
POINTER, SIZE = 1, 2                # a send's arguments
BEHIND = b"\xaa" * 64               # what lab 1's probe puts behind the data, and then a NUL
POINTER_SIZE = 8
PLAIN_SENDS = ("send", "write", "sendto")        # those that take a pointer and a length
WHOLE = ("lab1", "lab2", "lab3", "lab4", "lab5")    # what is to be sent is sent whole, with calls that wait
ENDLESS = 20                        # the same answer so many times in a row, and no end


# ---- a signal came in between, or the peer left -----------------------------------------------------

@cause(CAUSES, "sigpipe", text="Sending to a peer that has left raises SIGPIPE, which ends the program. MSG_NOSIGNAL, or "
       "ignoring SIGPIPE, turns it into the error EPIPE.")
def sigpipe(evidence: Evidence) -> Sure | None:
    run, calls = evidence.run, own_sends(evidence)
    if run is None or run.signal != signal.SIGPIPE:
        return None
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
    latest = {call.fd: call for call in calls}
    return next((at(call) for call in latest.values()
                 if failed(call) and call.errno == errno.EINTR and call.faulted), None)


@cause(CAUSES, "minus-1-counted", text="A send failed with -1, and that was counted as bytes: the position went one back. -1 is no "
       "count; and kept in a size_t it isn't even below 0.")
def minus_1_counted(evidence: Evidence) -> Sure | None:
    return next((at(call) for call, following in _pairs(evidence)
                 if failed(call) and following.args[POINTER] == call.args[POINTER] - 1), None)


@cause(CAUSES, "stale-errno", "lab1", text="errno was looked at after a send that had worked, and still said EINTR from before. The result "
       "comes first: errno speaks only after -1.")
def stale_errno(evidence: Evidence) -> Sure | None:
    pairs, run = _pairs(evidence), evidence.run
    again = next((i for i, (call, following) in enumerate(pairs) if _same_again(call, following)), None)
    if again is None or run is None or run.trouble is None:
        return None                 # errno stays as it is, so that loop has no end
    struck = any(failed(call) and call.errno == errno.EINTR for call, _ in pairs[:again])
    moved = any(following.args[POINTER] > call.args[POINTER] for call, following in pairs[:again])
    whole = pairs[again][0].result == pairs[again][0].size
    sure = whole if run.reported else struck and (whole or moved)
    return at(pairs[again][1]) if sure else None


def _same_again(call: Call, following: Call) -> bool:
    """A send that had worked was made once more."""
    same = (call.size, call.args[POINTER]) == (following.size, following.args[POINTER])
    return same and (call.result or 0) > 0 and call.data[:len(following.data)] == following.data[:len(call.data)]


@cause(CAUSES, "eintr-moves", text="After EINTR the next send began somewhere else. An interrupted send took nothing: neither "
       "skip the piece, nor start over.")
def eintr_moves(evidence: Evidence) -> Sure | None:
    return next((at(call) for call, following in _pairs(evidence)
                 if failed(call) and call.errno == errno.EINTR and following.args[POINTER] != call.args[POINTER]
                 and _wrong_bytes(evidence)), None)


# ---- short counts -----------------------------------------------------------------------------------

def _short(call: Call) -> bool:
    """It took fewer bytes than it was given."""
    return call.result is not None and call.size is not None and 0 < call.result < call.size


def _pairs(evidence: Evidence, across: bool = False) -> list[tuple[Call, Call]]:
    """Each send with the next one of the same kind on the same descriptor, nothing received in between:
    the second goes on where the first one ended, or should. Both take a pointer and a length. Both belong to
    the same call of the student's function, or, with `across`, to two such calls."""
    found, before, returned_since = [], dict[int | None, Call](), set[int | None]()
    for call in evidence.run.calls if evidence.run is not None else ():
        if call.given:
            returned_since = set(before)        # the probe's own calls: the student's function had returned
        elif call.name in RECVS:
            before.pop(call.fd, None)
        elif call.name in PLAIN_SENDS and call.socket and is_own(evidence, call):
            last = before.get(call.fd)
            if last is not None and last.name == call.name and (call.fd in returned_since) == across:
                found.append((last, call))
            before[call.fd] = call
            returned_since.discard(call.fd)
    return found


def _after_short(evidence: Evidence) -> list[tuple[Call, Call]]:
    return [(call, following) for call, following in _pairs(evidence) if _short(call)]


def _wrong_bytes(evidence: Evidence) -> bool:
    """Whether other bytes than the right ones came, and not only too few; or it never ended."""
    wire = on_the_wire(evidence)
    if wire is not None:
        return not wire[0].startswith(wire[1])
    return evidence.failure.kind in ("peer", "wait")


@cause(CAUSES, "no-advance", *WHOLE, text="After a short count the same bytes were sent again from the start. Go on behind those that "
       "were taken: data + sent.")
def no_advance(evidence: Evidence) -> Sure | None:
    return next((at(following) for call, following in _after_short(evidence)
                 if following.args[POINTER] == call.args[POINTER] and len(call.data) >= 2
                 and following.data[:len(call.data)] == call.data[:len(following.data)] and _wrong_bytes(evidence)), None)


@cause(CAUSES, "no-shrink", *WHOLE, text="After a short count the position moved on, but the length stayed: the last send read beyond the "
       "end of the data. What is left is len - sent.")
def no_shrink(evidence: Evidence) -> Sure | None:
    wire = on_the_wire(evidence)
    whole = len(wire[0]) if wire is not None else None
    return next((at(following) for call, following in _after_short(evidence)
                 if following.args[POINTER] > call.args[POINTER] and following.size == call.size
                 and (following.size == _came_before(evidence, call)
                      or (whole is None or following.size == whole) and _wrong_bytes(evidence))), None)


def _came_before(evidence: Evidence, send: Call) -> int | None:
    """What the last recv() before it gave: all that an echo has to send. None where nothing was received."""
    came = [call.result for call in own_recvs(evidence) if call.fd == send.fd and call.index < send.index]
    return came[-1] if came else None


@cause(CAUSES, "wrong-step", *WHOLE, text="After a short count the next send didn't begin where the last one ended. The position moves "
       "by what send() returned: not by what it was asked for, nor by a number of your own.")
def wrong_step(evidence: Evidence) -> Sure | None:
    return next((at(following) for call, following in _after_short(evidence)
                 if 0 < following.args[POINTER] - call.args[POINTER] <= (call.size or 0)
                 and following.args[POINTER] - call.args[POINTER] != call.result and _wrong_bytes(evidence)), None)


def _rest_dropped(evidence: Evidence) -> Call | None:
    """A short send whose rest was never sent: nothing followed on that descriptor, or something else came first."""
    latest: dict[int | None, Call] = {}
    for call in own_calls(evidence, *SENDS, *RECVS):
        if call.name in SENDS and call.socket:
            latest[call.fd] = call
        elif call.fd in latest and _short(latest[call.fd]):
            return latest[call.fd]
    return next((call for call in latest.values() if _short(call)), None)


@cause(CAUSES, "short-as-error", *WHOLE, text="send() took fewer bytes than it was given, and that was taken for a failure. It is its "
       "right: send the rest.")
def short_as_error(evidence: Evidence) -> Sure | None:
    dropped = _rest_dropped(evidence)
    gave_up = last_report(evidence) == (-1, 0) and not any(failed(call) for call in own_sends(evidence)[-1:])
    return at(dropped) if dropped is not None and gave_up else None


@cause(CAUSES, "short-send", *WHOLE, text="send() took fewer bytes than it was given, which is its right, and the rest was never sent. "
       "Look at what it returns and send the rest.")
def short_send(evidence: Evidence) -> Sure | None:
    dropped = _rest_dropped(evidence)
    told = returned(evidence) == 0 or evidence.failure.kind in ("received", "peer", "wait")
    return at(dropped) if dropped is not None and told and returned(evidence) != -1 else None


@cause(CAUSES, "old-position", "lab1", text="A call that had failed left its position behind, and the next one went on from there. "
       "Each call begins at its own first byte: nothing of it may be static.")
def old_position(evidence: Evidence) -> Sure | None:
    run, wire = evidence.run, on_the_wire(evidence)
    if run is None or wire is None or len(run.reported) < 2 or run.reported[0][0] != -1 or wire[0] == wire[1]:
        return None
    begin = own_sends(evidence)[:1]
    return next((at(following) for call, following in _pairs(evidence, across=True) if failed(call)
                 and following.args[POINTER] > begin[0].args[POINTER]), None)


# ---- the length -------------------------------------------------------------------------------------

@cause(CAUSES, "plus-nul", text="One byte more than the message was sent, a NUL. The length of a text is strlen(), without + 1: "
       "the NUL is C's, not the message's.")
def plus_nul(evidence: Evidence) -> Sure | None:
    wire, calls = on_the_wire(evidence), own_sends(evidence)
    return at(calls[-1]) if calls and wire is not None and wire[1] == wire[0] + b"\0" else None


@cause(CAUSES, "strlen-bin", text="The length was searched for, with strlen(): it stops at the first NUL. Bytes may have one in "
       "their middle, and need have none behind them. The length is the one that is given.")
def strlen_bin(evidence: Evidence) -> Sure | None:
    wire, calls = on_the_wire(evidence), own_sends(evidence)
    if wire is None or not calls or any(_short(call) or failed(call) for call in calls):
        return None
    expected, actual = wire
    cut = b"\0" in expected and actual == expected[:expected.index(b"\0")]
    ran_on = b"\0" not in expected and actual == expected + BEHIND
    return at(calls[-1]) if cut or ran_on else None


@cause(CAUSES, "sizeof-buf", text="More was sent than the message: the size of a buffer, not the length of what is in it. "
       "sizeof is all the room; how much of it is message only len knows.")
def sizeof_buf(evidence: Evidence) -> Sure | None:
    wire, calls = on_the_wire(evidence), own_sends(evidence)
    if wire is None or not calls:
        return None
    padded = wire[1].startswith(wire[0]) and len(wire[1]) > len(wire[0]) and (calls[0].size or 0) > len(wire[0])
    return at(calls[0]) if padded else None


@cause(CAUSES, "sizeof-pointer", text="8 bytes were sent, whatever the message: sizeof of a pointer is the size of the pointer. How "
       "long the message is only len knows.")
def sizeof_pointer(evidence: Evidence) -> Sure | None:
    wire, calls = on_the_wire(evidence), own_sends(evidence)
    if wire is None or len(calls) != 1 or len(wire[0]) <= POINTER_SIZE:
        return None
    return at(calls[0]) if wire[1] == wire[0][:POINTER_SIZE] and calls[0].size == POINTER_SIZE else None


@cause(CAUSES, "chars-not-bytes", text="The length was counted in characters. What is sent is bytes, and a character can be "
       "several of them: 你 is 3 bytes in UTF-8 and 2 in GBK.")
def chars_not_bytes(evidence: Evidence) -> Sure | None:
    wire, calls = on_the_wire(evidence), own_sends(evidence)
    if wire is None or not calls:
        return None
    for encoding in ("utf-8", "gbk"):
        try:
            characters = len(wire[0].decode(encoding))
        except UnicodeDecodeError:
            continue
        if characters < len(wire[0]) and wire[1] == wire[0][:characters]:
            return at(calls[-1])
    return None


@cause(CAUSES, "small-type", "lab1", text="The length didn't fit the type it was kept in, and what was left of it is the remainder by "
       "65,536, or by 4,294,967,296. size_t holds every length.")
def small_type(evidence: Evidence) -> Sure | None:
    run, calls = evidence.run, own_sends(evidence)
    if run is None or run.function == "prompt_line" or any(_short(call) or failed(call) for call in calls):
        return None
    if "--mebibytes" in run.args:
        return Sure() if returned(evidence) == 0 else None
    wire = on_the_wire(evidence)
    whole, asked = len(wire[0] if wire else run.input), sum(call.size or 0 for call in calls)
    if asked != whole % 2**16 or whole < 2**16:
        return None
    return at(calls[-1]) if calls else Sure()


@cause(CAUSES, "empty-send", "lab1", text="No bytes to send is nothing wrong. send() then returns 0, which is no failure, and so does "
       "send_all().")
def empty_send(evidence: Evidence) -> Sure | None:
    run, calls = evidence.run, own_sends(evidence)
    if run is None or run.function not in ("send_all", "client_send") or returned(evidence) != -1:
        return None
    if any(failed(call) for call in own_calls(evidence, "socket", "connect", *SENDS)):
        return None
    empty = not any(run.args[2:]) and not run.input
    asked_nothing = bool(calls) and calls[-1].size == 0
    return (at(calls[-1]) if calls else Sure()) if empty or asked_nothing else None


# ---- what send() said, and what is returned ---------------------------------------------------------

@cause(CAUSES, "retries-all", *WHOLE, text="The loop takes -1 for something that passes, whatever errno says, and calls again. An "
       "interruption (EINTR) is worth the same call again; other errors stay.")
def retries_all(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.trouble is None or run.trouble.kind == "stuck":
        return _tried_again(evidence)
    tail = own_calls(evidence, *SENDS, *RECVS, *ACCEPTS, "connect")[-ENDLESS:]
    same = all(failed(call) and call.errno == tail[0].errno != errno.EINTR and call.name == tail[0].name for call in tail)
    enough = len(tail) == ENDLESS or (run.trouble.kind == "idle" and len(tail) >= 2)
    return at(tail[0]) if enough and same else None


def _tried_again(evidence: Evidence) -> Sure | None:
    """A send that had failed was repeated, went through, and all was called well."""
    told = evidence.failure.kind == "error" and returned(evidence) == 0
    return next((at(call) for call, _ in _pairs(evidence)
                 if told and failed(call) and call.errno not in (errno.EINTR, errno.EAGAIN)), None)


@cause(CAUSES, "zero-spin", text="recv() gives 0 when the peer has ended its side, and will give 0 for ever after. The loop takes "
       "it for an empty message and goes on.")
def zero_spin(evidence: Evidence) -> Sure | None:
    tail = own_recvs(evidence)[-ENDLESS:]
    same = len({(call.thread, call.fd) for call in tail}) == 1
    clients = {call.index for call in own_calls(evidence, *ACCEPTS) if tail and call.index > tail[0].index}
    endless = len(tail) == ENDLESS and same and not clients and all(call.result == 0 and call.size for call in tail)
    return at(tail[0]) if endless else None


@cause(CAUSES, "eagain-drop", *WHOLE, text="send() was told not to wait, the kernel's buffer was full (EAGAIN), and that was taken for a "
       "failure. Wait until there is room: a blocking send does so by itself.")
def eagain_drop(evidence: Evidence) -> Sure | None:
    calls = own_sends(evidence)
    last = calls[-1] if calls else None
    gave_up = last is not None and failed(last) and last.errno == errno.EAGAIN and not last.faulted
    report = last_report(evidence)
    something_else = report is not None and report[0] == -1 and report[1] not in (errno.EAGAIN, 0)
    return at(calls[-1]) if gave_up and report is not None and not something_else else None


@cause(CAUSES, "time-limit", "lab1", "lab2", "lab3", text="A time limit ran out while the peer was slow (of a socket, SO_SNDTIMEO or "
       "SO_RCVTIMEO: EAGAIN; of poll(): 0), and that was taken for a failure. A peer may take as long as it likes: a limit that is "
       "meant for connect() goes when connect() is done.")
def a_time_limit(evidence: Evidence) -> Sure | None:
    last, report = _last_that_waits(evidence), last_report(evidence)
    gave_up = report is not None and report[0] == -1
    return at(last) if gave_up and last is not None and "time limit" in (last.faulted or "") else None


@cause(CAUSES, "eintr-poll", "lab1", "lab2", "lab3", text="A signal interrupted poll() (EINTR), and that was taken for a failure. Nothing "
       "has happened: wait again.")
def eintr_poll(evidence: Evidence) -> Sure | None:
    last, report = _last_that_waits(evidence), last_report(evidence)
    struck = last is not None and last.name in GROUPS["poll"] and failed(last) and last.errno == errno.EINTR
    return at(last) if struck and last is not None and report == (-1, errno.EINTR) else None


def _last_that_waits(evidence: Evidence) -> Call | None:
    """The last of the student's calls that may wait for the peer."""
    calls = [call for call in all_own(evidence) if call.name in GROUPS["poll"] or (call.socket and call.name in (*SENDS, *RECVS))]
    return calls[-1] if calls else None


@cause(CAUSES, "send-unchecked", *CLIENTS, text="send() failed, and the function said that all was well. Return -1 and leave errno "
       "as send() set it.")
def send_unchecked(evidence: Evidence) -> Sure | None:
    last = own_sends(evidence)[-1:]
    return next((at(call) for call in last if failed(call) and returned(evidence) == 0), None)


@cause(CAUSES, "returns-count", "lab1", text="The number of bytes was returned. send() counts; this function promises 0 for "
       "success, and -1.")
def returns_count(evidence: Evidence) -> Sure | None:
    result, calls = returned(evidence), own_sends(evidence)
    if function_of(evidence) not in ("send_all", "client_send") or result is None or result <= 0:
        return None
    counts = {call.result for call in calls} | {sum(call.result or 0 for call in calls if not failed(call))}
    return at(calls[-1]) if calls and result in counts else None


# ---- the end ----------------------------------------------------------------------------------------

@cause(CAUSES, "waits-for-answer", "lab1", text="The client waits for an answer that nobody promised. This client only "
       "sends: it reads nothing.")
def waits_for_answer(evidence: Evidence) -> Sure | None:
    calls, run = own_calls(evidence, *RECVS, *GROUPS["poll"]), evidence.run
    stuck = run is not None and run.trouble is not None and run.trouble.kind == "stuck"
    asked = bool(calls) and calls[-1].ended is None and (calls[-1].socket or calls[-1].name in GROUPS["poll"])
    return at(calls[-1]) if stuck and asked and function_of(evidence) != "prompt_line" else None


@cause(CAUSES, "sleeps", "lab1", text="The program sleeps where nobody needs it to. The kernel goes on sending after close(): wait "
       "for an event, and never for time.")
def sleeps(evidence: Evidence) -> Sure | None:
    trouble = evidence.run.trouble if evidence.run is not None else None
    asleep = trouble is not None and trouble.kind == "idle" and trouble.call in ("nanosleep", "clock_nanosleep")
    return Sure() if asleep else None


SO_LINGER, SOL_SOCKET = 13, 1


@cause(CAUSES, "linger-0", text="SO_LINGER with 0 seconds makes close() a reset: what is still on its way is thrown away, and the "
       "peer gets an error for an end. A plain close() goes on sending.")
def linger_0(evidence: Evidence) -> Sure | None:
    peer = evidence.peer
    calls = [call for call in own_calls(evidence, "setsockopt") if call.args[1:3] == (SOL_SOCKET, SO_LINGER)
             and int.from_bytes(call.data[:4], "little") and not any(call.data[4:8])]
    broken = peer is not None and (peer.ending == "reset" or "reset" in (peer.trouble or ""))
    return at(calls[-1]) if calls and broken else None
