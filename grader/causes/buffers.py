"""Mistakes with a connection's two buffers: their sizes, how much fits, what is in them (lab 6)."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from ..evidence import Call, Evidence
from .base import (
    RECVS, Cause, Sure, all_own, at, cause, failed, function_of, own_calls, own_sends, returned,
)  # fmt: skip

CAUSES: list[Cause] = []
LAB = "lab6"
SOL_SOCKET, SO_SNDBUF, SO_RCVBUF = 1, 7, 8
INT_SIZE = 4
SIOCINQ, SIOCOUTQ, SIOCOUTQNSD = 0x541B, 0x5411, 0x894B
F_SETFL, O_NONBLOCK, MSG_PEEK = 4, 0o4000, 0x2
SWITCHES = ("--hold", "--nonblocking", "--fill", "--when-left", "--rest", "--listener")


@dataclass(frozen=True)
class Asked:
    """What a test asked of a function: the words behind IP and PORT, and the probe's options."""

    function: str
    words: tuple[str, ...]
    options: tuple[str, ...]

    def number(self, place: int) -> int | None:
        """The word at that place, as a number."""
        word = self.words[place] if place < len(self.words) else ""
        return int(word) if word.lstrip("-").isdigit() else None


def asked(evidence: Evidence) -> Asked:
    """Of the run that the failure is about."""
    run = evidence.run
    words, options = [], []
    left = iter(run.args if run is not None else ())
    for word in left:
        if word.startswith("--"):
            options.append(word)
            if word not in SWITCHES:
                next(left, None)
        else:
            words.append(word)
    return Asked(function_of(evidence) or "", tuple(words[2:]), tuple(options))


def value(call: Call) -> int:
    """The number that an option or an ioctl() was about."""
    return int.from_bytes(call.data[:INT_SIZE], "little", signed=True)


def number(evidence: Evidence, name: str) -> int | None:
    """The last number that the probe reported under that name."""
    return dict(evidence.run.numbers).get(name) if evidence.run is not None else None


def would_wait(call: Call) -> bool:
    """EAGAIN: it would have had to wait."""
    return failed(call) and call.errno == errno.EAGAIN


def taken(calls: list[Call]) -> int:
    """The bytes that these sends or receives moved."""
    return sum(call.result for call in calls if call.result is not None and call.result > 0)


def _sizes(evidence: Evidence, name: str, option: int) -> list[Call]:
    return [call for call in own_calls(evidence, name) if call.args[1:3] == (SOL_SOCKET, option)]


def _wishes(evidence: Evidence) -> list[Call]:
    return [call for call in own_calls(evidence, "setsockopt")
            if call.args[1] == SOL_SOCKET and call.args[2] in (SO_SNDBUF, SO_RCVBUF)]


def _wanted(evidence: Evidence) -> tuple[int, int] | None:
    """The two sizes that set_buffers() or connect_with_buffers() was given."""
    what = asked(evidence)
    if what.function not in ("set_buffers", "connect_with_buffers"):
        return None
    send, recv = what.number(0), what.number(1)
    return (send, recv) if send is not None and recv is not None else None


# ---- what holds for all of the lab ------------------------------------------------------------------

@cause(CAUSES, "state-not-restored", LAB, text="The descriptor isn't as the caller left it: O_NONBLOCK was set and stayed, or was taken "
       "away. It is a state of the open file: keep what F_GETFL says, and put that back.")
def state_not_restored(evidence: Evidence) -> Sure | None:
    was = "--nonblocking" in asked(evidence).options
    last = {call.fd: call for call in own_calls(evidence, "fcntl") if call.args[1] == F_SETFL and not failed(call)}
    if evidence.failure.kind != "said" or evidence.run is None or evidence.run.trouble is not None:
        return None
    return next((at(call) for call in last.values() if bool(call.args[2] & O_NONBLOCK) != was
                 and "O_NONBLOCK" in evidence.failure.message), None)


@cause(CAUSES, "failure-unseen", LAB, text="A call failed, and the function returned as if it had not. What fails is told: -1, with "
       "errno as that call left it.")
def failure_unseen(evidence: Evidence) -> Sure | None:
    result = returned(evidence)
    if result is None or result < 0 or function_of(evidence) in ("", "send_within"):
        return None
    passing = (errno.EINTR, errno.EAGAIN, errno.EINPROGRESS)
    names = ("getsockopt", "setsockopt", "ioctl", "shutdown", "connect", "send", "write", "sendto", "sendmsg", "writev")
    return next((at(call) for call in own_calls(evidence, *names) if failed(call) and call.errno not in passing), None)


# ---- sizes ------------------------------------------------------------------------------------------

@cause(CAUSES, "option-size", LAB, text="SO_SNDBUF and SO_RCVBUF are ints: the option's length is sizeof(int), and anything less is "
       "EINVAL.")
def option_size(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _wishes(evidence)
                 if failed(call) and call.errno == errno.EINVAL and call.args[4] < INT_SIZE), None)


@cause(CAUSES, "option-pointer", LAB, text="setsockopt() wants the address of the number, and got the number itself: EFAULT.")
def option_pointer(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _wishes(evidence) if failed(call) and call.errno == errno.EFAULT), None)


@cause(CAUSES, "rcv-late", LAB, text="The receive buffer was set after connect(). By then the peer has been told how much it may send: "
       "set it before (a server: on the listener).")
def rcv_late(evidence: Evidence) -> Sure | None:
    dialled = {call.fd: call.index for call in own_calls(evidence, "connect") if call.result == 0}
    late = [call for call in _sizes(evidence, "setsockopt", SO_RCVBUF) if call.index > dialled.get(call.fd, call.index)]
    return at(late[0]) if late and evidence.failure.kind in ("said", "wait") else None


@cause(CAUSES, "negative-size", LAB, text="A negative size was given, and the kernel was asked all the same. It takes the bits for a very "
       "large number: look at both sizes before you ask for either.")
def negative_size(evidence: Evidence) -> Sure | None:
    wanted, wishes = _wanted(evidence), _wishes(evidence)
    return at(wishes[-1]) if wanted is not None and min(wanted) < 0 and wishes else None


@cause(CAUSES, "asks-for-zero", LAB, text="The kernel was asked for a buffer of 0 bytes, and gives the least that it has. Here 0 means "
       "that nothing is asked for.")
def asks_for_zero(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _wishes(evidence) if value(call) == 0 and not failed(call)), None)


@cause(CAUSES, "buffers-swapped", LAB, text="The two sizes are mixed up: SO_SNDBUF is the buffer of what you send, SO_RCVBUF of what you "
       "receive.")
def buffers_swapped(evidence: Evidence) -> Sure | None:
    wanted = _wanted(evidence)
    send, recv = (_sizes(evidence, "setsockopt", option)[-1:] for option in (SO_SNDBUF, SO_RCVBUF))
    if wanted is not None and wanted[0] != wanted[1]:
        return at(send[0]) if send and recv and (value(send[0]), value(recv[0])) == (wanted[1], wanted[0]) else None
    send, recv = (_sizes(evidence, "getsockopt", option)[-1:] for option in (SO_SNDBUF, SO_RCVBUF))
    if not send or not recv or value(send[0]) == value(recv[0]):
        return None
    told = number(evidence, "send_bytes"), number(evidence, "recv_bytes")
    line = f"got {value(recv[0])} {value(send[0])}\n".encode()
    mixed = told == (value(recv[0]), value(send[0])) or (evidence.run is not None and line in evidence.run.output)
    return at(send[0]) if mixed else None


@cause(CAUSES, "no-double", LAB, text="The kernel makes of a wish what it likes: it doubles it, and knows a least and a most. What you "
       "get isn't what you asked for, and nothing is wrong.")
def no_double(evidence: Evidence) -> Sure | None:
    wanted, own = _wanted(evidence), all_own(evidence)
    looks = [call for call in own_calls(evidence, "getsockopt") if call.args[2] in (SO_SNDBUF, SO_RCVBUF)]
    if wanted is not None and returned(evidence) == -1:
        fine = not any(failed(call) for call in own) and min(wanted) >= 0
        return at(looks[-1]) if fine and looks else None
    if wanted is not None:
        return next((at(call) for call in _wishes(evidence) if value(call) * 2 in (size & ~1 for size in wanted if size > 1)
                     and value(call) not in wanted), None)
    told = number(evidence, "send_bytes"), number(evidence, "recv_bytes")
    return next((at(call) for call in looks if value(call) // 2 in told and value(call) not in told), None)


@cause(CAUSES, "not-asked", LAB, text="A size was wanted, and the kernel was never asked for it. SO_SNDBUF and SO_RCVBUF are two options: "
       "one setsockopt() each.")
def not_asked(evidence: Evidence) -> Sure | None:
    wanted = _wanted(evidence)
    result = returned(evidence)
    if wanted is None or result is None or result < 0 or min(wanted) < 0:
        return None
    missing = any(size > 0 and not _sizes(evidence, "setsockopt", option)
                  for size, option in zip(wanted, (SO_SNDBUF, SO_RCVBUF)))
    return Sure() if missing else None


# ---- full -------------------------------------------------------------------------------------------

@cause(CAUSES, "sent-not-received", LAB, text="send() promises that the kernel has the bytes, not that they have arrived. What the peer "
       "has of them is another question, and may never be answered.")
def sent_not_received(evidence: Evidence) -> Sure | None:
    if function_of(evidence) != "fill_send_buffer":
        return None
    looks = [call for call in own_calls(evidence, "ioctl") if call.args[1] in (SIOCOUTQ, SIOCOUTQNSD)]
    return at(looks[-1]) if looks and own_sends(evidence) and any(map(would_wait, own_sends(evidence))) else None


@cause(CAUSES, "wrong-total", LAB, text="The number that was returned isn't what the sends took. Add up what each of them returned, short "
       "counts too, and nothing else.")
def wrong_total(evidence: Evidence) -> Sure | None:
    result, sends = returned(evidence), own_sends(evidence)
    run = evidence.run
    if function_of(evidence) not in ("fill_send_buffer", "send_within") or result is None or result < 0 or run is None:
        return None
    whole = run.total_calls == len(run.calls) and len(run.reported) == 1 and evidence.failure.kind in ("said", "result")
    short = [call for call in sends if 0 < (call.result or 0) < (call.size or 0)]
    return at((short or sends)[-1]) if whole and sends and result != taken(sends) and taken(sends) > 0 else None


@cause(CAUSES, "not-filled", LAB, text="It stopped while there was room: the last send had taken something, and no send had said that no "
       "more fits. Only EAGAIN says so.")
def not_filled(evidence: Evidence) -> Sure | None:
    sends = own_sends(evidence)
    if function_of(evidence) != "fill_send_buffer" or not sends or (returned(evidence) or 0) <= 0:
        return None
    return at(sends[-1]) if (sends[-1].result or 0) > 0 and evidence.failure.kind == "said" else None


# ---- what is in the queues --------------------------------------------------------------------------

def _answers(evidence: Evidence) -> Iterator[tuple[int, Call]]:
    for call in own_calls(evidence, "ioctl"):
        if not failed(call):
            yield call.args[1], call


def _told(evidence: Evidence) -> tuple[int | None, int | None, int | None]:
    return number(evidence, "unsent"), number(evidence, "unacked"), number(evidence, "unread")


@cause(CAUSES, "look-takes", LAB, text="recv() was called to look into the queue. It takes out what it counts, or waits where there is "
       "nothing. SIOCINQ asks, and leaves all where it is.")
def look_takes(evidence: Evidence) -> Sure | None:
    if function_of(evidence) != "queues":
        return None
    return next((at(call) for call in own_calls(evidence, *RECVS) if call.socket and call.name in ("recv", "read", "recvfrom")
                 and (call.name == "read" or not call.args[3] & MSG_PEEK or call.ended is None)), None)


@cause(CAUSES, "outq-read", LAB, text="SIOCOUTQ counts what isn't acknowledged, sent or not; SIOCOUTQNSD what hasn't been sent. One "
       "stands where the other should.")
def outq_read(evidence: Evidence) -> Sure | None:
    if function_of(evidence) != "queues":
        return None
    unsent, unacked, _ = _told(evidence)
    answers = dict(_answers(evidence))
    outq, nsd = answers.get(SIOCOUTQ), answers.get(SIOCOUTQNSD)
    if outq is not None and unsent == value(outq) and (nsd is None or value(nsd) != unsent):
        return at(outq)
    wrong = nsd is not None and unacked == value(nsd) == unsent and outq is None
    return at(nsd) if nsd is not None and wrong else None


@cause(CAUSES, "in-flight-only", LAB, text="unacked is all that the peer's kernel hasn't acknowledged, and what hasn't left is part of "
       "that. Here it was taken off.")
def in_flight_only(evidence: Evidence) -> Sure | None:
    _, unacked, _ = _told(evidence)
    answers = dict(_answers(evidence))
    outq, nsd = answers.get(SIOCOUTQ), answers.get(SIOCOUTQNSD)
    if outq is None or nsd is None or value(nsd) == 0 or unacked != value(outq) - value(nsd):
        return None
    return at(outq)


@cause(CAUSES, "queues-swapped", LAB, text="What waits to be read and what waits to be sent are mixed up: SIOCINQ is about the receive "
       "buffer, SIOCOUTQ about the send buffer.")
def queues_swapped(evidence: Evidence) -> Sure | None:
    _, unacked, unread = _told(evidence)
    answers = dict(_answers(evidence))
    inq, outq = answers.get(SIOCINQ), answers.get(SIOCOUTQ)
    if inq is None or outq is None or value(inq) == value(outq):
        return None
    line = f"unacked {value(inq)} unread {value(outq)}\n".encode()
    mixed = (unacked, unread) == (value(inq), value(outq)) or (evidence.run is not None and line in evidence.run.output)
    return at(inq) if mixed else None

