"""Sentences for a learner: what was seen, said in plain words. Pure functions."""

from __future__ import annotations

import errno as errnos
import os
import re
from collections.abc import Callable, Sequence

from . import kernel
from .calls import AS_WRITTEN, known_as
from .evidence import Call, Finding, Location
from .peers import Peer
from .run import StudentRun
from .scene import CannotHappen
from .text import count, quote

SHOWN = 40                          # bytes of a value that a sentence shows whole


def result(value: int, errno: int) -> str:
    """A call's result, with its errno where it failed: "-1 (ECONNREFUSED: Connection refused)"."""
    if value != -1:
        return str(value)
    if errno == 0:
        return "-1 (errno 0)"
    return f"-1 ({errnos.errorcode.get(errno, f'errno {errno}')}: {os.strerror(errno)})"


def difference(subject: str, actual: bytes, expected: bytes) -> str:
    """How what came differs from what was promised, around the first byte that is wrong."""
    same = next((i for i, (a, b) in enumerate(zip(actual, expected)) if a != b), min(len(actual), len(expected)))
    if same == len(expected):
        extra = actual[same:]
        return f"{subject} all {count(same, 'byte')} and then {count(len(extra), 'byte')} too many: {quote(extra)}"
    if same == len(actual):
        if not actual:
            return f"{subject} nothing of {count(len(expected), 'byte')}: {quote(expected)}"
        return (f"{subject} {len(actual):,} of {count(len(expected), 'byte')}; what came is right, "
                f"the last {len(expected) - len(actual):,} are missing")
    return (f"{subject} a wrong byte at position {same + 1:,}: {quote(actual[same:], 12)} "
            f"where {quote(expected[same:], 12)} was due ({count(len(actual), 'byte')} came, {len(expected):,} were due)")


def lines(output: bytes, most: int = 6) -> str:
    """The first lines that a program printed: "listening 127.0.0.1:7788", "client 127.0.0.1:54600"."""
    found = output.replace(b"\r", b"").splitlines()
    more = f" and {len(found) - most:,} more" if len(found) > most else ""
    return (", ".join(quote(line) for line in found[:most]) or "nothing") + more


def mismatch(what: str, actual: bytes, expected: bytes) -> str:
    """How a short value differs: shown whole where that is short enough."""
    if max(len(actual), len(expected)) <= SHOWN:
        return f"{what} was {quote(actual)}, not {quote(expected)}"
    return difference(f"{what} was wrong: it held", actual, expected)


def end_of(run: StudentRun) -> str:
    """What is awaited when a program should end."""
    return return_of(run) if run.request.function else "the end of your program"


def return_of(run: StudentRun) -> str:
    """What is awaited when a function should return."""
    return f"the return of {run.request.function}()" if run.request.function else "your program's answer"


WAITED = "still waited for "
LEAVES = {"closed", "reset_sent", "half_close", "refused", "end", "reset", "deaf", "trouble"}       # of a peer's events


def at(where: Location | None) -> str:
    """ " at client_send.c:45", "" where no line is known."""
    return f" at {where.file}:{where.line}" if where is not None else ""


def elsewhere(lines: Sequence[Location], function: str, calls: int) -> str:
    """Where a program crashed, if not in the student's file: " at probe.c:220, which is the kit's, after client_ask() had
    returned". function: what the probe judges; calls: how often that had returned."""
    if not lines:
        return ""
    after = f", after {function} had returned" if calls else ""
    return f" at {lines[0].file}:{lines[0].line}, which is the kit's{after}"


def peers_wait(peers: Sequence[Peer]) -> str:
    """What the other side does while the program waits: ", and the peer waits for the end of the stream"."""
    waits = [trouble.removeprefix(WAITED) for peer in peers if (trouble := peer.outcome.trouble or "").startswith(WAITED)]
    whom = "the peer" if len(peers) == 1 else "a peer"
    if any(wait != "go" for wait in waits):
        return f", and {whom} waits for {next(wait for wait in waits if wait != 'go')}"
    done = {event.kind for peer in peers for event in peer.events}
    if len(peers) == 1 and done & {"accepted", "connected"} and not done & LEAVES:
        return f", and the peer has sent {'all that it had' if 'sent' in done else 'nothing'}, and keeps the connection open"
    return f", and {whom} waits too" if peers else ""


def hopeless(awaited: str, why: CannotHappen, runs: Sequence[StudentRun], others: str,
             fate: Callable[[StudentRun], str]) -> tuple[str, str]:
    """That something never came, and why not: "" where nothing is known. others: peers_wait(). fate: how a program ended."""
    trouble = why.trouble
    returned = _what_returned(why.run or (runs[-1] if runs else None))
    never_came, never_comes = _missed(awaited)
    if returned and (trouble is None or trouble.kind == "stuck"):
        return never_came, returned
    if trouble is None:
        ends = [run for run in runs if run.ended is not None]
        return never_came, f"your program {fate(ends[-1])}" if ends else ""
    where = at(trouble.where)
    so_far = f" ({trouble.seconds:.1f} s so far)" if trouble.seconds else ""
    if trouble.kind == "stuck" and trouble.call is None:
        return never_comes, f"your program stands still{where}, stopped by a signal"
    if trouble.kind == "stuck" and trouble.call is not None:
        if trouble.call == "futex" and (held := _held(runs)):
            return never_comes, f"though your program is held in {held}() until then"
        return never_comes, f"your program waits {waiting(trouble.call)}{where}{so_far}{others}"
    if trouble.kind == "busy":
        return never_came, f"your program runs without a pause and gets nowhere{where} (an endless loop?)"
    if trouble.kind == "idle":
        asleep = f", in {known_as(trouble.call)}()" if trouble.call else ""
        return never_came, f"your program only sleeps{asleep}{where}{so_far}{others}"
    return f"{never_came} within the time there is", ""


def last_call(call: Call) -> str:
    """ "; its last call was accept() at server_accept.c:58, which failed (EINTR)"."""
    failed = f", which failed ({errnos.errorcode.get(call.errno, call.errno)})" if call.result == -1 else ""
    return f"; its last call was {AS_WRITTEN.get(call.name, call.name)}(){at(call.where)}{failed}"


def joined(missed: str, plight: str) -> str:
    """What was missed, and what the program does meanwhile, "" where that isn't known."""
    return missed + (", " if plight.startswith("though ") else ": " if plight else "") + plight


def _missed(awaited: str) -> tuple[str, str]:
    """That something didn't come, and that it never will: "recv_line() never returned", "recv_line() never returns"."""
    what = awaited.removeprefix("the return of ")
    if what != awaited:
        return f"{what} never returned", f"{what} never returns"
    what = awaited.removeprefix("the end of ")
    if what == "your program":
        return f"{what} never ended", f"{what} never ends"
    return f"{awaited} never came", f"{awaited} never comes"


def waiting(call: str) -> str:
    """What a program does that sleeps in this call: "in recv()"."""
    if call == "vfork":
        return "for the child of its vfork()"
    return "for a lock, or for a thread," if call == "futex" else f"in {known_as(call)}()"


def _what_returned(run: StudentRun | None) -> str:
    """Where a function is judged that has returned: what it returned. What the probe does then is no news."""
    if run is None or not run.request.function or len(run.reported()) < int(run.request.times or 1):
        return ""
    last = run.reported()[-1]
    if last.result != -1 and (kernel.thread_count(run.pid) > 1 or (run.ended and run.held)):
        return ""                   # its threads go on, as they should; or it ended while it was to stay
    return f"{run.request.name} returned {result(last.result, last.errno)}"


def _held(runs: Sequence[StudentRun]) -> str:
    """The call that a fault holds, "" if none does."""
    calls = [call for run in runs for call in run.recording.calls() if call.ended is None and call.faulted]
    return calls[-1].name if calls else ""


def _access(text: str) -> str:
    """ "a write of 8 bytes" of helgrind's "Possible data race during write of size 8 at 0x4AF60C0 by thread #4"."""
    found = re.search(r"during (read|write) of size (\d+)", text)
    return f"a {found[1]} of {count(int(found[2]), 'byte')}" if found else text


def finding(first: Finding, total: int) -> str:
    """The first thing that valgrind found."""
    if first.kind == "descriptor":
        text = f"a descriptor was still open at the end ({first.text.rstrip(':')})"
    elif first.kind == "leak":
        text = f"memory was never freed ({first.text.split(' in loss record')[0].strip()})"
    elif first.kind == "race":
        text = f"two threads use the same memory at once, and nothing orders them ({_access(first.text)})"
    else:
        text = f"valgrind found: {first.text}"
    where = f", {first.where.file}:{first.where.line}" if first.where else ""
    more = f"; {total - 1} more" if total > 1 else ""
    return text + where + more
