"""Mistakes with what comes: recv_some(), recv_exactly(), recv_line(), recv_message()."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from ..evidence import Call, Evidence
from .base import RECVS, Cause, Sure, at, cause, failed, function_of, own_calls
from .deliveries import FLAGS, HEADER, LAB, MSG_WAITALL, Delivery, announced, deliveries, peeks, seen_at

CAUSES: list[Cause] = []
ENDLESS = 20                        # the same answer so many times in a row
POINTER, SIZE = 1, 2                # a recv's arguments
PLAIN = ("recv", "read", "recvfrom")
POINTER_SIZE = 8
EMSGSIZE = (-1, errno.EMSGSIZE)


def wrong(evidence: Evidence, *functions: str) -> Delivery | None:
    """The first call that gave another answer than it should have, if it is one of these functions."""
    first = next((one for one in deliveries(evidence) if one.wrong), None)
    return first if first is not None and (not functions or first.function in functions) else None


def answered(evidence: Evidence, *functions: str) -> Delivery | None:
    """The same, if it returned."""
    one = wrong(evidence, *functions)
    return one if one is not None and one.got is not None else None


def last_of(one: Delivery) -> Sure:
    return seen_at(one.last, one.function) if one.last is not None else Sure()


def stuck(evidence: Evidence) -> bool:
    run = evidence.run
    return run is not None and run.trouble is not None and run.trouble.kind == "stuck"


def _pairs(evidence: Evidence) -> Iterator[tuple[Delivery, Call, Call]]:
    """Two receives of the same kind within one call, one after the other."""
    for one in deliveries(evidence):
        for call, following in zip(one.recvs, one.recvs[1:]):
            if call.name == following.name and call.name in PLAIN:
                yield one, call, following


def short(call: Call | None) -> bool:
    """It gave something, and less than it was asked for."""
    return call is not None and call.result is not None and call.size is not None and 0 < call.result < call.size


# ---- a signal, an error, the end --------------------------------------------------------------------

@cause(CAUSES, "stale-errno", LAB, text="errno was looked at after a recv that had worked, and still said EINTR "
       "from before. The result comes first: errno speaks only after -1.")
def stale_errno(evidence: Evidence) -> Sure | None:
    run = evidence.run
    spins = run is not None and run.trouble is not None and run.trouble.kind != "stuck"
    return next((at(following) for one, call, following in _pairs(evidence)
                 if (call.result or 0) > 0 and call.args == following.args and (spins or one.function == "recv_some")
                 and (one.number > 1 or any(failed(other) for other in one.recvs))), None)


@cause(CAUSES, "minus-1-counted", LAB, text="A recv failed with -1, and that was counted as bytes: the position "
       "went one back. -1 is no count; and kept in a size_t it isn't even below 0.")
def minus_1_counted(evidence: Evidence) -> Sure | None:
    return next((at(call) for one, call, following in _pairs(evidence) if failed(call)
                 and one.recvs[0].args[POINTER] != following.args[POINTER] == call.args[POINTER] - 1), None)


@cause(CAUSES, "eintr-moves", LAB, text="After EINTR the next recv put its bytes somewhere else. An interrupted "
       "recv gave nothing: neither leave room for it, nor start over.")
def eintr_moves(evidence: Evidence) -> Sure | None:
    return next((at(call) for one, call, following in _pairs(evidence)
                 if failed(call) and call.errno == errno.EINTR and following.args[POINTER] != call.args[POINTER]
                 and one.wrong), None)


@cause(CAUSES, "eintr-recv", LAB, text="A signal interrupted the recv before anything came (EINTR). Nothing is "
       "wrong: the same recv, once more.")
def eintr_recv(evidence: Evidence) -> Sure | None:
    return next((at(one.last) for one in deliveries(evidence) if one.last is not None and one.got is not None
                 and failed(one.last) and one.last.errno == errno.EINTR and one.last.faulted), None)


@cause(CAUSES, "header-size", LAB, text="The header that was received isn't 4 bytes long. A length in front has one "
       "size, which both sides know: here it is sizeof a uint32_t, whatever an int or a long is.")
def header_size(evidence: Evidence) -> Sure | None:
    one = wrong(evidence, "recv_message")
    if one is None or not one.recvs or one.recvs[0].size not in (2, 8):
        return None
    second = one.recvs[1].size if len(one.recvs) > 1 else None
    return seen_at(one.recvs[0], one.function) if one.recvs[0].size == 8 or second != 2 else None


@cause(CAUSES, "last-line-lost", LAB, text="The stream ended without a newline, and the bytes before the end were "
       "dropped, or called an error. They are the last line.")
def last_line_lost(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line")
    if one is None or one.due is None or one.got is None or not one.at_end:
        return None
    lost = one.due.result == one.taken > 0 and one.got.result in (0, -1)
    return last_of(one) if lost else None


@cause(CAUSES, "empty-is-error", LAB, text="Nothing at all is an answer too: a message may have no bytes, and so "
       "may a whole reply. It is told as a success, with length 0.")
def empty_is_error(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_message", "client_ask")
    if one is None or one.due is None or one.got is None or one.got.result != -1 or one.due.data:
        return None
    if one.function == "client_ask" and not one.at_end:
        return None
    return last_of(one) if one.due.result == (1 if one.function == "recv_message" else 0) else None


@cause(CAUSES, "zero-error", LAB, text="recv() gave 0, the end of the stream, and that was told as an error. It is "
       "how every good conversation ends: 0, or the bytes that had come.")
def zero_error(evidence: Evidence) -> Sure | None:
    one = answered(evidence)
    if one is None or one.due is None or one.got is None:
        return None
    early = one.function == "recv_message" and one.taken > 0
    return last_of(one) if one.at_end and one.got.result == -1 and one.due.result >= 0 and not early else None


@cause(CAUSES, "reset-as-end", LAB, text="recv() failed, and the function took it for the end of the stream. Only 0 "
       "is the end: -1 is an error, and errno says which. What a reset has cut off isn't whole.")
def reset_as_end(evidence: Evidence) -> Sure | None:
    return next((seen_at(one.failure, one.function) for one in deliveries(evidence)
                 if one.failure is not None and one.got is not None and one.got.result >= 0), None)


@cause(CAUSES, "errno-replaced", LAB, text="recv() failed, and the function returned -1 with another errno. The "
       "caller wants the reason itself: leave errno alone, or keep it and put it back.")
def errno_replaced(evidence: Evidence) -> Sure | None:
    one = next((one for one in deliveries(evidence) if one.failure is not None), None)
    if one is None or one.failure is None or one.got is None or one.got.result != -1:
        return None
    closed = any(call.index > one.failure.index for call in own_calls(evidence, "close"))
    return seen_at(one.failure, one.function) if one.got.errno not in (0, one.failure.errno) and not closed else None


@cause(CAUSES, "cut-is-end", LAB, text="The stream ended in the middle of a message, and that was told as the end "
       "between two. Half a header, or half a body, is an error: EPROTO.")
def cut_is_end(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_message")
    return last_of(one) if one is not None and _is(one, (-1, errno.EPROTO), 0) and one.at_end else None


@cause(CAUSES, "cut-accepted", LAB, text="The stream ended before the whole body had come, and the part was handed "
       "on as a message. The header says how much it must be: fewer bytes are EPROTO.")
def cut_accepted(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_message")
    return last_of(one) if one is not None and _is(one, (-1, errno.EPROTO), 1) and one.at_end else None


def _is(one: Delivery, due: tuple[int, int], got: int) -> bool:
    """This was due, and another result came of it."""
    if one.due is None or one.got is None:
        return False
    return (one.due.result, one.due.errno) == due and one.got.result == got


@cause(CAUSES, "count-lost", LAB, text="The stream ended early, and 0 was returned although bytes had come. How "
       "many they are is the answer; 0 is for none.")
def count_lost(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_exactly")
    if one is None or one.due is None or one.got is None or not one.at_end:
        return None
    return last_of(one) if 0 < one.due.result < one.room and one.got.result == 0 else None


# ---- how it waits -----------------------------------------------------------------------------------

@cause(CAUSES, "overflow", LAB, text="More was written than there is room for. How much room there is the caller "
       "says, with cap or len, and no buffer of your own does.")
def overflow(evidence: Evidence) -> Sure | None:
    run_on = next((one for one in deliveries(evidence) if one.function == "recv_line" and _ran_on(one)), None)
    if run_on is not None:
        return last_of(run_on)
    return Sure() if _number(evidence, "behind") > 1 and not _asked_beyond(evidence) else None


def _number(evidence: Evidence, name: str, unknown: int = 0) -> int:
    numbers = evidence.run.numbers if evidence.run is not None else ()
    return next((number for known, number in numbers if known == name), unknown)


def _ran_on(one: Delivery) -> bool:
    """It stored byte after byte, beyond the room."""
    if not one.recvs or one.peeks or one.taken <= one.room:
        return False
    return one.recvs[-1].args[POINTER] == one.recvs[0].args[POINTER] + one.taken


@cause(CAUSES, "eagain-spin", LAB, text="recv() was told not to wait, and is asked again and again until something "
       "has come: that burns a processor. A recv() that waits costs nothing.")
def eagain_spin(evidence: Evidence) -> Sure | None:
    tail, run = own_calls(evidence, *RECVS)[-ENDLESS:], evidence.run
    spins = len(tail) == ENDLESS and all(failed(call) and call.errno == errno.EAGAIN for call in tail)
    return at(tail[0]) if spins and run is not None and run.trouble is not None else None


@cause(CAUSES, "nonblocking", LAB, text="recv() had nothing yet and was told not to wait (EAGAIN), and that was "
       "taken for the end or an error. Let it wait, or ask poll() first.")
def nonblocking(evidence: Evidence) -> Sure | None:
    return next((at(one.last) for one in deliveries(evidence) if one.last is not None and one.got is not None
                 and failed(one.last) and one.last.errno == errno.EAGAIN and not one.last.faulted), None)


@cause(CAUSES, "peek-spin", LAB, text="MSG_PEEK leaves the bytes in the queue, so looking again shows the same at "
       "once, over and over, until more comes. What you have looked at and need, take.")
def peek_spin(evidence: Evidence) -> Sure | None:
    tail, run = own_calls(evidence, *RECVS)[-ENDLESS:], evidence.run
    looks = all(peeks(call) and (call.result or 0) > 0 and call.args == tail[0].args for call in tail)
    again = len(tail) == ENDLESS and looks and run is not None and run.trouble is not None
    return at(tail[0]) if again else None


@cause(CAUSES, "peek-only", LAB, text="MSG_PEEK shows what is in the queue and leaves it there: the next call gets "
       "the same again. Somebody has to take it.")
def peek_only(evidence: Evidence) -> Sure | None:
    own = [call for call in own_calls(evidence, *RECVS) if call.socket]
    came = [call for call in own if (call.result or 0) > 0]
    return at(came[0]) if came and all(map(peeks, own)) and (len(own) > 1 or wrong(evidence) is not None) else None


@cause(CAUSES, "waits-for-full", LAB, text="Something had come, and the function waits until the room is full. The "
       "peer may have said all that it wants to say: one delivery is what is there.")
def waits_for_full(evidence: Evidence) -> Sure | None:
    for one in deliveries(evidence) if function_of(evidence) == "recv_some" else []:
        waitall = next((call for call in one.recvs if call.name == "recv" and call.args[FLAGS] & MSG_WAITALL), None)
        more = [call for call in one.recvs if (call.result or 0) > 0][:1]
        if waitall is not None and (waitall.ended is None or one.wrong or waitall.result != one.room):
            return at(waitall)
        if more and one.recvs[-1] is not more[0]:
            return at(one.recvs[-1])
    return None


@cause(CAUSES, "empty-waits", LAB, text="All had come, and the function waits for more. No bytes are had at once: "
       "ask whether any are missing before you call recv().")
def empty_waits(evidence: Evidence) -> Sure | None:
    one = wrong(evidence, "recv_exactly", "recv_message")
    if one is None or one.due is None or one.due.result == -1 or one.got is not None or not stuck(evidence):
        return None
    nothing = one.taken == len(one.due.data) + (HEADER if one.function == "recv_message" else 0)
    return last_of(one) if nothing else None


@cause(CAUSES, "waits-for-rest", LAB, text="The line is too long already, and the function reads on to its end. It "
       "may have none: a peer that never sends a newline keeps you for ever. Say EMSGSIZE at once.")
def waits_for_rest(evidence: Evidence) -> Sure | None:
    one = wrong(evidence, "recv_line")
    if one is None or one.due is None or one.got is not None or not stuck(evidence):
        return None
    return last_of(one) if (one.due.result, one.due.errno) == EMSGSIZE else None


# ---- how much it asks for ---------------------------------------------------------------------------

@cause(CAUSES, "split-char", LAB, text="Bytes of a character went missing where it was cut, or because they aren't "
       "ASCII. Receiving knows no characters: keep every byte, and decode when you have all of them.")
def split_char(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_exactly", "recv_line")
    if one is None or one.due is None or one.got is None or one.got.result < 0 or one.taken != len(one.due.data):
        return None
    left = iter(one.due.data)
    fewer = len(one.got.data) < len(one.due.data) and all(byte in left for byte in one.got.data)
    lost = sum(byte >= 0x80 for byte in one.due.data) - sum(byte >= 0x80 for byte in one.got.data)
    return last_of(one) if fewer and lost == len(one.due.data) - len(one.got.data) else None


@cause(CAUSES, "trust-len", LAB, text="The header says more than there is room for, and the body was received all "
       "the same. Compare the length first, as an unsigned number: 0xffffffff is no -1. What doesn't fit is refused "
       "before a byte of it is asked for.")
def trust_len(evidence: Evidence) -> Sure | None:
    for one in deliveries(evidence):
        length, taken = announced(one), 0
        if one.function != "recv_message" or length is None or length <= one.room:
            continue
        for call in one.recvs:
            if taken >= HEADER:
                return seen_at(call, one.function)
            taken += max(call.result or 0, 0)
    return None


@cause(CAUSES, "asks-too-much", LAB, text="recv() was asked for more bytes than are missing. What it takes beyond "
       "them is gone for whoever receives next, or lands behind your room. Ask for what is missing, and no more.")
def asks_too_much(evidence: Evidence) -> Sure | None:
    return _asked_beyond(evidence)


def _asked_beyond(evidence: Evidence) -> Sure | None:
    """A receive of more than is missing: the first one, or one of a size that never changes."""
    for one in _until_wrong(evidence) if function_of(evidence) in ("recv_some", "recv_exactly", "recv_message") else []:
        taken, before = 0, None
        for call in one.recvs:
            if (call.size or 0) > _missing(one, taken) and before in (None, call.size):
                return seen_at(call, one.function)
            taken += max(call.result or 0, 0)
            before = call.size
    return None


def _until_wrong(evidence: Evidence) -> list[Delivery]:
    """The calls up to the first wrong one: what later ones meet may be its fault."""
    found = deliveries(evidence)
    end = next((index for index, one in enumerate(found) if one.wrong), len(found))
    return found[:end + 1]


def _missing(one: Delivery, taken: int) -> int:
    """How many bytes the function may still ask for."""
    length = announced(one)
    if one.function != "recv_message":
        return one.room - taken
    if taken < HEADER or length is None:
        return HEADER - taken
    return HEADER + length - taken


@cause(CAUSES, "sizeof-pointer", LAB, text="8 bytes were asked for, whatever the room: sizeof of a pointer is the "
       "size of the pointer. How much room there is only cap knows.")
def sizeof_pointer(evidence: Evidence) -> Sure | None:
    return _asked_little(evidence, (POINTER_SIZE,))


@cause(CAUSES, "asks-too-little", LAB, text="recv() was asked for fewer bytes than there is room for, though more "
       "had come. One delivery is all that is there, as far as the room goes: cap bytes.")
def asks_too_little(evidence: Evidence) -> Sure | None:
    return _asked_little(evidence)


def _asked_little(evidence: Evidence, sizes: tuple[int, ...] = ()) -> Sure | None:
    for one in deliveries(evidence) if function_of(evidence) == "recv_some" else []:
        call = one.last
        if len(one.recvs) == 1 and call is not None and call.result == call.size and 0 < (call.size or 0) < one.room \
                and len(one.stream) > (call.size or 0) and (not sizes or call.size in sizes):
            return at(call)
    return None


@cause(CAUSES, "empty-skipped", LAB, text="An empty line was skipped. It is a line: its newline alone, and its "
       "length is 1.")
def empty_skipped(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line")
    if one is None or one.due is None or one.got is None or one.due.data != b"\n" or one.got.result <= 1:
        return None
    return Sure() if one.stream.lstrip(b"\n").startswith(one.got.data) else None


@cause(CAUSES, "read-ahead", LAB, text="More was taken than the line: what came behind the newline is no longer in "
       "the socket, and a socket has no way back. A byte at a time, or look first (MSG_PEEK).")
def read_ahead(evidence: Evidence) -> Sure | None:
    if function_of(evidence) != "recv_line":
        return None
    for one in _until_wrong(evidence):
        line, taken = len(one.stream.split(b"\n")[0]) + 1, 0
        for call in one.recvs:
            taken += max(call.result or 0, 0)
            if taken > line:
                return seen_at(call, one.function)
    first = next(iter(deliveries(evidence)), None)
    run = evidence.run
    if first is None or first.got is None or first.recvs or first.peeks:
        return None
    by_library = first.got.result > 0 and run is not None and evidence.failure.kind in ("same", "said")
    return Sure() if by_library else None


# ---- where it puts them -----------------------------------------------------------------------------

@cause(CAUSES, "neg-index", LAB, text="A byte was written before the room: recv() gave -1, and -1 became an index. "
       "Look whether it failed before you use what it returned.")
def neg_index(evidence: Evidence) -> Sure | None:
    return Sure() if _number(evidence, "before") > 0 else None


@cause(CAUSES, "off-by-one", LAB, text="One byte was written behind the room, a NUL perhaps. recv() fills the room "
       "to its last byte; if you want a NUL behind the bytes, keep one free for it.")
def off_by_one(evidence: Evidence) -> Sure | None:
    return Sure() if _number(evidence, "behind") == 1 else None


@cause(CAUSES, "bad-offset", LAB, text="Each recv() put its bytes at the start, over those that had come before. "
       "The next ones go behind them: buf + got.")
def bad_offset(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_exactly", "client_ask")
    if one is None or one.got is None:
        return None
    position = 0
    for call, following in zip(one.recvs, one.recvs[1:]):
        position += max(call.result or 0, 0)
        same = following.args[POINTER] == call.args[POINTER] and (call.result or 0) > 0 and (following.result or 0) > 0
        last = one.stream[position:position + (following.result or 0)]
        if same and last and following is _last_with_data(one) and one.got.data.startswith(last):
            return seen_at(following, one.function)
    return None


def _last_with_data(one: Delivery) -> Call | None:
    return next((call for call in reversed(one.recvs) if (call.result or 0) > 0), None)


@cause(CAUSES, "left-over", LAB, text="The second call found something that the first had left behind, in a static "
       "variable for one. Each call begins anew.")
def left_over(evidence: Evidence) -> Sure | None:
    found = deliveries(evidence)
    for before, one in zip(found, found[1:]):
        good = before.got is not None and before.got == before.due and before.got.result > 0
        if good and one.wrong and not one.recvs and not one.peeks and one.got is not None and one.got.result >= 0:
            return Sure()
    if function_of(evidence) != "client_ask" or len(found) < 2 or found[1].got is None or found[0].got is None:
        return None
    first, second = found[0].got.data, found[1].got.data
    return Sure() if first and len(second) == len(first) + found[1].taken and found[1].at_end else None


# ---- what it makes of it ----------------------------------------------------------------------------

@cause(CAUSES, "header-cut", LAB, text="Not all four bytes of the length were looked at: it came out as what is "
       "left of it in one byte or in two. ntohl() takes the four, ntohs() only two.")
def header_cut(evidence: Evidence) -> Sure | None:
    for one in deliveries(evidence):
        length, told = announced(one), _length(evidence, one)
        if one.function == "recv_message" and length is not None and one.got is not None and one.got.result == 1 \
                and told != length and told in (length & 0xFF, length & 0xFFFF):
            return last_of(one)
    return None


@cause(CAUSES, "last-count", LAB, text="The length of the last piece was told, not of all of them. Add up what each "
       "recv() gave.")
def last_count(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_exactly", "client_ask")
    last = _last_with_data(one) if one is not None else None
    if one is None or one.due is None or last is None or one.taken != len(one.due.data):
        return None
    return seen_at(last, one.function) if _length(evidence, one) == last.result != one.taken else None


@cause(CAUSES, "small-type", LAB, text="The number of bytes didn't fit the variable that it was kept in, and came "
       "out smaller or negative. recv() returns ssize_t and lengths are size_t: nothing smaller will do.")
def small_type(evidence: Evidence) -> Sure | None:
    one = answered(evidence)
    if one is None or one.due is None or one.got is None:
        return None
    total, told = one.taken, _length(evidence, one)
    if one.function == "recv_message":
        total -= HEADER
    small = (_signed(total, 8), _signed(total, 16), total % 2**8, total % 2**16)
    wrapped = told not in (0, -1, total) and told in small
    whole = one.room if one.function == "recv_exactly" else announced(one) or 0
    cut = one.function in ("recv_exactly", "recv_message") and one.got.result != -1 and not one.at_end \
        and total == whole % 2**16 < whole
    return last_of(one) if (wrapped and total > 127) or cut else None


def _signed(number: int, bits: int) -> int:
    low = number % (1 << bits)
    return low - (1 << bits) if low >= 1 << (bits - 1) else low


@cause(CAUSES, "strlen-rx", LAB, text="What came was taken for a string and ended at its first NUL. It is bytes, "
       "and how many recv() has said; strlen(), strcpy() and %s don't know.")
def strlen_rx(evidence: Evidence) -> Sure | None:
    one = answered(evidence)
    if one is None or one.due is None or one.got is None or b"\0" not in one.due.data:
        return None
    first = one.due.data.index(b"\0")
    counted = (_length(evidence, one), len(one.got.data))
    cut = first in counted and one.got.result >= 0 and one.taken > first
    return last_of(one) if cut and one.got.data == one.due.data[:first] else None


def _length(evidence: Evidence, one: Delivery) -> int:
    """The length that it told, wherever that stands."""
    if one.function in ("recv_message", "client_ask"):
        return _number(evidence, f"len{one.number}", -1)
    return one.got.result if one.got is not None else -1


@cause(CAUSES, "returns-status", LAB, text="0 or 1 was returned for a success. This function returns how much there "
       "is, and 0 has a meaning of its own: the end.")
def returns_status(evidence: Evidence) -> Sure | None:
    one = answered(evidence)
    if one is None or one.due is None or one.got is None or one.at_end or one.due.result < 1:
        return None
    if one.function == "recv_message":
        told = one.got.result == 0 and one.taken == HEADER + len(one.due.data) > HEADER
    else:
        told = one.got.result in (0, 1) and one.taken == one.due.result > 1
    return last_of(one) if told and one.function != "client_ask" and one.due.data != b"\n" else None


@cause(CAUSES, "returns-asked", LAB, text="What was asked for was returned, not what came. How many bytes there are "
       "only recv()'s result says.")
def returns_asked(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_some", "recv_exactly")
    if one is None or one.got is None:
        return None
    return last_of(one) if one.got.result == one.room > one.taken and one.recvs else None


@cause(CAUSES, "short-as-error", LAB, text="recv() gave fewer bytes than it was asked for, and that was taken for a "
       "failure. It is its right: ask for the rest.")
def short_as_error(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_exactly")
    return last_of(one) if one is not None and one.got is not None and one.got.result == -1 and short(one.last) else None


@cause(CAUSES, "not-copied", LAB, text="The memory grew, and what had come was left behind in the old: malloc() "
       "gives new memory with nothing in it. realloc() takes the bytes along, or you copy them.")
def not_copied(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "client_ask")
    if one is None or one.due is None or one.got is None or one.got.result != 0 or len(one.got.data) != len(one.due.data):
        return None
    kept = 0                        # how many of the first bytes came before the memory last moved
    for _, call, following in _pairs(evidence):
        if following.args[POINTER] != call.args[POINTER] + max(call.result or 0, 0):
            kept = sum(max(other.result or 0, 0) for other in one.recvs if other.index < following.index)
    good, told = one.due.data, one.got.data
    return Sure() if 0 < kept < len(good) and told[kept:] == good[kept:] and _mostly_wrong(told[:kept], good[:kept]) else None


def _mostly_wrong(told: bytes, due: bytes) -> bool:
    """Nothing of it is where it should be, but for bytes that are the same by chance."""
    return sum(a == b for a, b in zip(told, due)) <= len(due) // 16


@cause(CAUSES, "own-limit", LAB, text="There is room, or memory, for all of it, and it was cut or refused where a "
       "buffer of your own was full. How much may come only the caller knows, and for a whole reply nobody.")
def own_limit(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line", "client_ask")
    if one is None or one.due is None or one.got is None or one.due.result < 0 or one.at_end:
        return None
    fits = one.function == "client_ask" or len(one.due.data) + 1 < one.room
    refused = one.got.result == -1 and one.failure is None and one.taken > 500 and one.got.errno != errno.ENOMEM
    filled = one.last is not None and one.last.result == one.last.size and one.taken % 512 == 0 < one.taken
    cut = one.got.result >= 0 and len(one.got.data) == one.taken < len(one.due.data) and filled and len(one.recvs) > 1
    return last_of(one) if fits and (refused or cut) else None


@cause(CAUSES, "ends-elsewhere", LAB, text="The line was ended by another byte than a newline. '\\r' and NUL are "
       "bytes of a line like any other: only '\\n' ends it.")
def ends_elsewhere(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line")
    if one is None or one.due is None or one.got is None:
        return None
    part = one.got.data
    cut = one.due.data.startswith(part) and part != one.due.data
    return last_of(one) if part and cut and part[-1:] in b"\0\r" else None


@cause(CAUSES, "char-eof", LAB, text="The byte 0xff ended the line: kept in a char it looks like EOF. recv() says "
       "the end by its result, and every byte is a byte.")
def char_eof(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line")
    if one is None or one.due is None or one.got is None or b"\xff" not in one.due.data:
        return None
    return last_of(one) if one.got.data == one.due.data.split(b"\xff")[0] else None


@cause(CAUSES, "one-recv", LAB, text="It stopped before all had come. One recv() may return any part of what was "
       "sent, and fewer bytes than you asked for are no end: go on until you have all that you want, or recv() "
       "gives 0.")
def one_recv(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_exactly", "recv_line", "recv_message", "client_ask")
    last = one.last if one is not None else None
    if one is None or one.due is None or one.got is None or last is None or (last.result or 0) <= 0:
        return None
    needed = len(one.due.data) + (HEADER if one.function == "recv_message" else 0)
    if one.due.result == -1 or not 0 < one.taken < needed:
        return None
    part = one.due.data.startswith(one.got.data)
    if one.function == "recv_message":
        return seen_at(last, one.function) if short(last) else None
    stopped = one.got.result >= 0 and (one.function != "recv_line" or one.peeks)
    return seen_at(last, one.function) if part and stopped else None


# ---- lines ------------------------------------------------------------------------------------------

@cause(CAUSES, "no-nul", LAB, text="The line has no NUL at its end, so whoever reads it goes on into what lies "
       "behind. A string in C ends with one, recv() puts none there, and here you promise it.")
def no_nul(evidence: Evidence) -> Sure | None:
    numbers = dict(evidence.run.numbers) if evidence.run is not None else {}
    return next((Sure() for one in deliveries(evidence) if one.function == "recv_line" and one.got is not None
                 and one.got.result > 0 and one.got == one.due and numbers.get(f"nul{one.number}") == 0), None)


@cause(CAUSES, "newline-cut", LAB, text="The newline was taken off the line. Here it stays: it tells a whole line "
       "from one that the end of the stream has left unfinished.")
def newline_cut(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line")
    if one is None or one.due is None or one.got is None or not one.due.data[1:].endswith(b"\n"):
        return None
    cut = (one.due.data[:-1], one.due.data[:-1] + b"\0")
    return Sure() if one.got.data in cut and one.taken == len(one.due.data) else None


@cause(CAUSES, "newline-added", LAB, text="A newline was put behind a last line that had none. It is returned as it "
       "is: the missing newline tells that the stream ended there.")
def newline_added(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line")
    if one is None or one.due is None or one.got is None:
        return None
    return last_of(one) if one.got.data == one.due.data + b"\n" else None


@cause(CAUSES, "plus-nul", LAB, text="The NUL was counted. The length is that of the bytes that came; a NUL behind "
       "them is C's.")
def plus_nul(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line", "client_ask")
    if one is None or one.due is None or one.got is None:
        return None
    return Sure() if one.got.data == one.due.data + b"\0" and _length(evidence, one) == len(one.due.data) + 1 else None


@cause(CAUSES, "trims", LAB, text="A carriage return was taken off with the newline. It belongs to the line, and "
       "nothing here goes.")
def trims(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line")
    if one is None or one.due is None or one.got is None or one.got.data == one.due.data:
        return None
    return Sure() if one.got.data == one.due.data.replace(b"\r\n", b"\n") else None


@cause(CAUSES, "just-fits", LAB, text="It fits exactly, and was refused. A line may have cap - 1 bytes beside its "
       "NUL, and the body of a message cap: the header isn't stored there.")
def just_fits(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line", "recv_message")
    if one is None or one.due is None or one.got is None or (one.got.result, one.got.errno) != EMSGSIZE:
        return None
    full = one.room - 1 if one.function == "recv_line" else one.room
    return last_of(one) if one.due.result > 0 and len(one.due.data) == full else None


@cause(CAUSES, "long-line-cut", LAB, text="A line too long was cut and passed off as a whole one. When the room is "
       "full and there is no newline, there is more: that is EMSGSIZE here.")
def long_line_cut(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line")
    if one is None or one.due is None or one.got is None or (one.due.result, one.due.errno) != EMSGSIZE:
        return None
    return last_of(one) if one.got.result > 0 and one.stream.startswith(one.got.data) else None


@cause(CAUSES, "empty-is-end", LAB, text="Something empty was taken for the end: a line that is only its newline, "
       "or a message of length 0. The end is when recv() gives 0.")
def empty_is_end(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_line", "recv_message")
    if one is None or one.due is None or one.got is None or one.got.result != 0 or one.at_end:
        return None
    empty = one.due.data == b"\n" if one.function == "recv_line" else one.due.result == 1 and not one.due.data
    return last_of(one) if empty else None


# ---- a length in front ------------------------------------------------------------------------------

@cause(CAUSES, "no-ntohl", LAB, text="The length's four bytes were read in your machine's order: 5 is 83,886,080 "
       "then. A length on the wire is in network order, and ntohl() turns it.")
def no_ntohl(evidence: Evidence) -> Sure | None:
    one, length = answered(evidence, "recv_message"), None
    if one is not None and one.due is not None and one.due.result == 1:
        length = announced(one)
    if one is None or one.got is None or length is None:
        return None
    turned = int.from_bytes(length.to_bytes(4, "big"), "little")
    return last_of(one) if turned > one.room and (one.got.result, one.got.errno) == EMSGSIZE else None


@cause(CAUSES, "header-counted", LAB, text="The header's four bytes were counted as part of the body. *len is the "
       "length of the body alone, what the header says.")
def header_counted(evidence: Evidence) -> Sure | None:
    return next((Sure() for one in deliveries(evidence) if one.function == "recv_message" and one.got is not None
                 and one.got.result == 1 and _length(evidence, one) == (announced(one) or 0) + HEADER), None)


@cause(CAUSES, "len-unset", LAB, text="The length was never told: the caller's variable is as it was. *len or "
       "*reply_len is set whenever there is something to tell the length of.")
def len_unset(evidence: Evidence) -> Sure | None:
    good = {"recv_message": 1, "client_ask": 0}
    return next((Sure() for one in deliveries(evidence) if one.got is not None and one.function in good
                 and one.got.result == good[one.function] and _length(evidence, one) == -1), None)


@cause(CAUSES, "returns-count", LAB, text="The length was returned. It goes into *len or *reply_len; what is "
       "returned says how it went, and that is 1 for a message and 0 for a reply.")
def returns_count(evidence: Evidence) -> Sure | None:
    one = answered(evidence, "recv_message", "client_ask")
    if one is None or one.due is None or one.got is None or one.got.result <= 1:
        return None
    return Sure() if one.got.result in (len(one.due.data), _length(evidence, one)) else None
