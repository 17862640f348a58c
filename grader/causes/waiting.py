"""Mistakes with full buffers: waiting for room, both ways at once, and the end without a loss (lab 6)."""

from __future__ import annotations

import errno

from ..evidence import Call, Evidence
from ..faults import GROUPS
from .base import (
    RECVS, SENDS, Cause, Sure, all_own, at, cause, failed, function_of, last_report, own_calls, own_recvs,
    own_sends, returned,
)  # fmt: skip
from .buffers import LAB, asked, number, taken, would_wait

CAUSES: list[Cause] = []
POLLIN, POLLOUT = 1, 4
SHUT_WR = 1
POINTER = 1
ENDLESS = 20
WAITS = GROUPS["poll"]
TIMED = {"poll": 2, "epoll_wait": 3}    # where the timeout stands, in ms
DAYS_MS = 2**30                     # a time limit that no test waits for
MORE_MS = 3                         # than the time that there was: rounding is less


def _trouble(evidence: Evidence) -> str:
    run = evidence.run
    return run.trouble.kind if run is not None and run.trouble is not None else ""


def _open_call(evidence: Evidence) -> Call | None:
    """The call that the student's function is in, when it hangs."""
    return next((call for call in reversed(all_own(evidence)) if call.ended is None), None)


def _timeout(evidence: Evidence) -> int | None:
    """The time limit that the function was given."""
    what = asked(evidence)
    return what.number(0) if what.function in ("send_within", "finish") else None


def _timeout_of(call: Call) -> int | None:
    """That of a poll() or epoll_wait(); -1 is no limit."""
    if call.name not in TIMED:
        return None
    low = call.args[TIMED[call.name]] & 0xFFFFFFFF
    return low - 2**32 if low & 2**31 else low


def _events(call: Call) -> int | None:
    """What a poll() asked for, of one descriptor."""
    return int.from_bytes(call.data[4:6], "little") if call.name == "poll" and call.args[1] == 1 else None


# ---- who hangs, and in what -------------------------------------------------------------------------

@cause(CAUSES, "send-then-recv", LAB, text="It waits to send, and reads nothing meanwhile; the peer waits to send as well. All buffers "
       "are full, and nobody ever reads. Do both at once: poll(), then what can be done without waiting.")
def send_then_recv(evidence: Evidence) -> Sure | None:
    held = _open_call(evidence)
    if function_of(evidence) not in ("exchange", "") or held is None or _trouble(evidence) != "stuck":
        return None
    if not function_of(evidence) and "exchange" not in (evidence.run.args if evidence.run else ()):
        return None
    sends = held.name in SENDS and held.socket
    return at(held) if sends or (held.name == "poll" and _events(held) == POLLOUT and _wants_more(evidence)) else None


def _wants_more(evidence: Evidence) -> bool:
    """Whether exchange() hasn't yet all that it was to receive."""
    return taken(own_recvs(evidence)) < (asked(evidence).number(1) or 0)


@cause(CAUSES, "recv-then-send", LAB, text="It waits to receive, and not all is sent; the peer waits for the rest before it answers. "
       "Neither may wait for the other: do both at once.")
def recv_then_send(evidence: Evidence) -> Sure | None:
    held, left = _open_call(evidence), (asked(evidence).number(0) or 0) - taken(own_sends(evidence))
    if function_of(evidence) != "exchange" or held is None or _trouble(evidence) != "stuck" or left <= 0:
        return None
    receives = held.name in RECVS and held.socket
    return at(held) if receives or (held.name == "poll" and _events(held) == POLLIN) else None


@cause(CAUSES, "blocking-send", LAB, text="The send waits for room, for as long as it takes. Here it mustn't: MSG_DONTWAIT for this call, "
       "or O_NONBLOCK for the descriptor, and EAGAIN is the answer.")
def blocking_send(evidence: Evidence) -> Sure | None:
    held = _open_call(evidence)
    if function_of(evidence) not in ("fill_send_buffer", "send_within") or held is None or _trouble(evidence) != "stuck":
        return None
    return at(held) if held.name in SENDS and held.socket else None


@cause(CAUSES, "no-time-limit", LAB, text="It waits without a limit, and was given one. The timeout is for the whole of the function: what "
       "is left of it is the limit of each wait, and a call that blocks has none.")
def no_time_limit(evidence: Evidence) -> Sure | None:
    held, timeout = _open_call(evidence), _timeout(evidence)
    if held is None or timeout is None or timeout < 0 or _trouble(evidence) != "stuck":
        return None
    receives = held.name in RECVS and held.socket
    return at(held) if receives or _timeout_of(held) == -1 else None


# ---- who doesn't wait, or for the wrong thing -------------------------------------------------------

@cause(CAUSES, "eagain-spin", LAB, text="There was no room, or nothing there (EAGAIN), and the same call was made again at once, over and "
       "over. That burns the processor: let poll() wait until there is.")
def eagain_spin(evidence: Evidence) -> Sure | None:
    tail = [call for call in all_own(evidence) if call.socket or call.name in WAITS][-ENDLESS:]
    waits = [call for call in tail if would_wait(call)]         # now and then a few bytes find room
    spins = _trouble(evidence) == "busy" and len(tail) == ENDLESS and len(waits) >= ENDLESS - 2
    return at(waits[0]) if spins else None


@cause(CAUSES, "waits-on-error", LAB, text="A send failed, not for want of room, and it waited for room and tried again. Only EAGAIN gets "
       "better by waiting: tell any other error.")
def waits_on_error(evidence: Evidence) -> Sure | None:
    passing = (errno.EINTR, errno.EAGAIN)
    bad = [call for call in own_sends(evidence) if failed(call) and call.errno not in passing]
    if function_of(evidence) != "send_within" or len(bad) < 2 or not own_calls(evidence, *WAITS):
        return None
    return at(bad[0])


@cause(CAUSES, "poll-spins", LAB, text="poll() was asked for something that is ready and isn't wanted any more: it returns at once, over "
       "and over, and burns the processor. Ask only for what is left to do.")
def poll_spins(evidence: Evidence) -> Sure | None:
    tail = [call for call in all_own(evidence) if call.socket or call.name in WAITS][-2 * ENDLESS:]
    ready = [call for call in tail if call.name in WAITS and (call.result or 0) > 0]
    moved = [call for call in tail if call.name not in WAITS and (call.result or 0) > 0]
    ended = any(call.result == 0 for call in tail if call.name in RECVS)
    return at(ready[0]) if _trouble(evidence) == "busy" and len(ready) >= ENDLESS // 2 and not moved and not ended else None


@cause(CAUSES, "no-pollout", LAB, text="poll() wasn't asked for POLLOUT. There is room again, and it isn't told: it waits for what was "
       "asked, and for nothing else.")
def no_pollout(evidence: Evidence) -> Sure | None:
    if function_of(evidence) != "send_within":
        return None
    polls = [call for call in own_calls(evidence, "poll") if _events(call) is not None]
    return next((at(call) for call in polls if not (_events(call) or 0) & POLLOUT
                 and (call.ended is None or call.result == 0)), None)


# ---- the time ---------------------------------------------------------------------------------------

@cause(CAUSES, "timeout-anew", LAB, text="The time began anew at each wait, or at each interruption. It is for all of them together: note "
       "the moment when it is over, and ask before each wait what is left.")
def timeout_anew(evidence: Evidence) -> Sure | None:
    timeout, run = _timeout(evidence), evidence.run
    if run is None or timeout is None or timeout <= 0 or evidence.failure.kind not in ("said", "wait"):
        return None
    if run.reported and evidence.failure.kind == "wait":
        return None
    waits = [call for call in own_calls(evidence, *TIMED) if (_timeout_of(call) or 0) > 0]
    return next((at(wait) for wait in waits[1:]
                 if (_timeout_of(wait) or 0) + (wait.began - waits[0].began) / 1e6 > timeout + MORE_MS), None)


@cause(CAUSES, "eintr-poll", LAB, text="A signal interrupted the wait (EINTR), and that was taken for its end. Nothing has happened: wait "
       "for what is left of the time.")
def eintr_poll(evidence: Evidence) -> Sure | None:
    calls = [call for call in all_own(evidence) if call.name in WAITS or (call.socket and call.name in (*SENDS, *RECVS))]
    struck = calls and calls[-1].name in WAITS and failed(calls[-1]) and calls[-1].errno == errno.EINTR
    return at(calls[-1]) if struck and last_report(evidence) is not None else None


@cause(CAUSES, "negative-timeout", LAB, text="A negative timeout was taken for one that is over. Here, as in poll(), it means that there "
       "is no limit.")
def negative_timeout(evidence: Evidence) -> Sure | None:
    waits, timeout = own_calls(evidence, *TIMED), _timeout(evidence)
    gave_up = evidence.failure.kind == "said" and returned(evidence) is not None
    over = [call for call in waits if _timeout_of(call) == 0 and call.result == 0]
    return at(over[-1]) if timeout is not None and timeout < 0 and gave_up and over else None


@cause(CAUSES, "timeout-errno", LAB, text="The time was over, and errno says something else (EAGAIN, that it would have had to wait). The "
       "contract's word for it is ETIMEDOUT, and no call sets it here: you do.")
def timeout_errno(evidence: Evidence) -> Sure | None:
    timeout, report = _timeout(evidence), last_report(evidence)
    if timeout is None or timeout < 0 or report is None or report[0] != -1 or report[1] == errno.ETIMEDOUT:
        return None
    waited = [call for call in own_calls(evidence, *WAITS) if call.result == 0]
    real = [call for call in all_own(evidence) if failed(call) and call.errno not in (errno.EAGAIN, errno.EINTR)]
    return at(waited[-1]) if waited and not real and evidence.failure.kind == "error" else None


@cause(CAUSES, "deadline-overflow", LAB, text="The timeout was 24 days, and was over at once: now and the timeout together, or the timeout "
       "in smaller units, don't fit the type that they were put in. Use 64 bits, or a struct timespec.")
def deadline_overflow(evidence: Evidence) -> Sure | None:
    timeout, report = _timeout(evidence), last_report(evidence)
    if timeout is None or timeout < DAYS_MS or report is None or any(_real_failure(call) for call in all_own(evidence)):
        return None
    waits = [call for call in own_calls(evidence, *WAITS) if call.ended is not None and call.result == 0]
    function, timed_out = function_of(evidence), report == (-1, errno.ETIMEDOUT)
    short = bool(waits) and function == "send_within" and 0 <= report[0] < (asked(evidence).number(1) or 0)
    over = timed_out and (bool(waits) or function == "finish")       # which has waited, in an earlier test, with less time
    return (at(waits[-1]) if waits else Sure()) if short or over else None


def _real_failure(call: Call) -> bool:
    return failed(call) and call.errno not in (errno.EAGAIN, errno.EINTR)


# ---- what is told -----------------------------------------------------------------------------------

@cause(CAUSES, "eagain-drop", LAB, text="There was no room, or nothing there (EAGAIN), and that was taken for a failure, or for the end. It "
       "only says \"not now\".")
def eagain_drop(evidence: Evidence) -> Sure | None:
    calls = [call for call in all_own(evidence) if call.name in WAITS or (call.socket and call.name in (*SENDS, *RECVS))]
    result, function = returned(evidence), function_of(evidence)
    if not calls or not would_wait(calls[-1]) or calls[-1].faulted or result is None:
        return None
    if function == "send_within" and evidence.failure.kind in ("result", "received", "said"):
        early = (_timeout(evidence) or 0) != 0 and result < (asked(evidence).number(1) or 0)
        return at(calls[-1]) if early else None
    drops = function in ("fill_send_buffer", "exchange", "finish") and result == -1
    return at(calls[-1]) if drops else None


@cause(CAUSES, "partial-as-failure", LAB, text="-1 was returned, and some bytes had been taken. Without the count the caller can't know "
       "where to go on: what went wrong after them is for the next call to tell.")
def partial_as_failure(evidence: Evidence) -> Sure | None:
    sends = own_sends(evidence)
    lost = function_of(evidence) == "send_within" and returned(evidence) == -1 and taken(sends) > 0
    run = evidence.run
    alone = run is not None and len(run.reported) == 1
    return at([call for call in sends if (call.result or 0) > 0][-1]) if lost and alone else None


@cause(CAUSES, "none-is-0", LAB, text="Not one byte was taken in time, and 0 was returned. That is -1 with ETIMEDOUT: 0 is for a caller "
       "who had nothing to send.")
def none_is_0(evidence: Evidence) -> Sure | None:
    nothing = function_of(evidence) == "send_within" and returned(evidence) == 0 and not taken(own_sends(evidence))
    return Sure() if nothing and (asked(evidence).number(1) or 0) > 0 else None


def _steps(evidence: Evidence) -> list[tuple[Call, Call]]:
    """Each send that took something, with the next one of send_within() or exchange()."""
    if function_of(evidence) not in ("send_within", "exchange"):
        return []
    sends = [call for call in own_sends(evidence) if call.name in ("send", "write", "sendto")]
    return [(call, following) for call, following in zip(sends, sends[1:]) if (call.result or 0) > 0]


def _wrong_bytes(evidence: Evidence) -> bool:
    return evidence.failure.kind in ("received", "peer", "result", "wait", "same")


@cause(CAUSES, "no-advance", LAB, text="After a short count the same bytes were sent again from the start. Go on behind those that were "
       "taken: data + sent.")
def no_advance(evidence: Evidence) -> Sure | None:
    return next((at(following) for call, following in _steps(evidence) if following.args[POINTER] == call.args[POINTER]
                 and 1 < len(call.data) and (call.result or 0) < (call.size or 0)
                 and following.data[:len(call.data)] == call.data[:len(following.data)]
                 and _wrong_bytes(evidence)), None)


@cause(CAUSES, "nb-partial", LAB, text="A send that doesn't wait takes what fits, often less than it was given. The next one went on as if "
       "all had been taken, and the rest is lost: move by what send() returned.")
def nb_partial(evidence: Evidence) -> Sure | None:
    return next((at(call) for call, following in _steps(evidence) if (call.result or 0) < (call.size or 0)
                 and following.args[POINTER] == call.args[POINTER] + (call.size or 0) and _wrong_bytes(evidence)), None)


# ---- both ways --------------------------------------------------------------------------------------

@cause(CAUSES, "reads-beyond", LAB, text="More was received than was asked for. What comes behind the in_len bytes belongs to whoever reads "
       "next: never ask recv() for more than what is left.")
def reads_beyond(evidence: Evidence) -> Sure | None:
    wanted, got = asked(evidence).number(1), 0
    run = evidence.run
    if function_of(evidence) != "exchange" or wanted is None or run is None or run.times > 1:
        return None
    for call in own_recvs(evidence):
        if (call.size or 0) > wanted - got and (call.result or 0) > wanted - got:
            return at(call)
        got += max(0, call.result or 0)
    return None


@cause(CAUSES, "recv-of-nothing", LAB, text="recv() was asked for 0 bytes, gave 0, and that was taken for the peer's end. Nothing is left to "
       "receive: don't ask.")
def recv_of_nothing(evidence: Evidence) -> Sure | None:
    calls = own_recvs(evidence)
    last = calls[-1] if calls else None
    if function_of(evidence) != "exchange" or last is None or last.size != 0 or returned(evidence) != -1:
        return None
    return at(last)


@cause(CAUSES, "half-closes", LAB, text="exchange() ended the stream: nothing can be sent on this connection any more. That is the end of a "
       "conversation, and not of an exchange.")
def half_closes(evidence: Evidence) -> Sure | None:
    ends = own_calls(evidence, "shutdown") if function_of(evidence) == "exchange" else []
    broke = any(failed(call) and call.errno not in (errno.EINTR, errno.EAGAIN) for call in own_recvs(evidence))
    return at(ends[0]) if ends and not broke else None


@cause(CAUSES, "half-done", LAB, text="exchange() returned 0 with one half still to do. It is over when all is sent and all is received, "
       "and an end of the peer's before that is a failure.")
def half_done(evidence: Evidence) -> Sure | None:
    what, run = asked(evidence), evidence.run
    out, into = what.number(0), what.number(1)
    if what.function != "exchange" or returned(evidence) != 0 or run is None:
        return None
    if len({call.thread for call in all_own(evidence)}) > 1 or own_calls(evidence, "fork") or out is None or into is None:
        return None
    calls = [call for call in (*own_recvs(evidence), *own_sends(evidence))]
    half = taken(own_sends(evidence)) < out * run.times or taken(own_recvs(evidence)) < into * run.times
    return (at(calls[-1]) if calls else Sure()) if half else None


# ---- the end ----------------------------------------------------------------------------------------

def _saw_the_end(evidence: Evidence) -> bool:
    return any(call.result == 0 and call.size for call in own_recvs(evidence))


@cause(CAUSES, "left-open", LAB, text="finish() has returned, and the connection is still open. It is closed on every way out, with an error "
       "too: nobody else can do it any more.")
def left_open(evidence: Evidence) -> Sure | None:
    if function_of(evidence) != "finish" or number(evidence, "open") != 1:
        return None
    own = all_own(evidence)
    return at(own[-1]) if own else Sure()


@cause(CAUSES, "shut-both", LAB, text="shutdown() with SHUT_WR says that you have done with sending, and leaves the way in open. SHUT_RD and "
       "SHUT_RDWR end the reading, where it is still needed.")
def shut_both(evidence: Evidence) -> Sure | None:
    if function_of(evidence) != "finish":
        return None
    return next((at(call) for call in own_calls(evidence, "shutdown") if call.args[1] != SHUT_WR and not failed(call)), None)


@cause(CAUSES, "no-goodbye", LAB, text="It waits for the peer's end, and has never said its own. The peer waits for that: shutdown() first, "
       "then read.")
def no_goodbye(evidence: Evidence) -> Sure | None:
    if function_of(evidence) != "finish" or own_calls(evidence, "shutdown", "close"):
        return None
    held = _open_call(evidence)
    waits = held is not None and (held.name in WAITS or held.name in RECVS)
    return at(held) if held is not None and waits and _trouble(evidence) in ("stuck", "idle") else None


@cause(CAUSES, "reset-as-end", LAB, text="recv() failed, and the function took it for the end of the stream. Only 0 is the end: -1 is an "
       "error, and errno says which.")
def reset_as_end(evidence: Evidence) -> Sure | None:
    fails = [call for call in own_recvs(evidence) if failed(call) and call.errno not in (errno.EINTR, errno.EAGAIN)]
    return at(fails[-1]) if fails and function_of(evidence) == "finish" and returned(evidence) == 0 else None


@cause(CAUSES, "no-drain", LAB, text="The connection was closed without reading what the peer still sends. A close with data unread is a "
       "reset, and it takes what is still in the send buffer with it: read to the end first.")
def no_drain(evidence: Evidence) -> Sure | None:
    whole = not function_of(evidence) and evidence.run is not None and "finish" in evidence.run.args
    if function_of(evidence) != "finish" and not whole:
        return None
    closes = own_calls(evidence, "close")
    if own_calls(evidence, "setsockopt"):
        return None                 # SO_LINGER is a mistake of its own
    return at(closes[-1]) if closes and not own_recvs(evidence) and not own_calls(evidence, *WAITS) else None


@cause(CAUSES, "end-not-awaited", LAB, text="finish() said that all went well, and recv() hadn't given 0. Until it has, the peer may still "
       "send: each of its bytes that comes too late makes a reset, and bytes of yours may be lost.")
def end_not_awaited(evidence: Evidence) -> Sure | None:
    if function_of(evidence) != "finish" or returned(evidence) != 0 or _saw_the_end(evidence):
        return None
    if own_calls(evidence, "setsockopt"):
        return None                 # SO_LINGER is a mistake of its own
    closes = own_calls(evidence, "close")
    return at(closes[-1]) if closes else None

