"""The program's lane: its recorded calls, what it returned, and what became of it. Pure functions."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..calls import known_as
from ..evidence import Call, Location, RunSeen
from . import phrases
from .links import Link
from .model import Arrow, Rung, Tone, Way
from .phrases import ACCEPTS, RECVS, SENDS
from .steps import LAST, Step

REPORT = 900                            # the probe's descriptor for what it reports, and the first of the kit's own
LOCK = "pthread_mutex_lock"             # found on the stack: no call of it is recorded
BLOCKED = 5_000_000                     # ns: a call that took so long has waited


def programs_lane(run: RunSeen, links: Mapping[int, Link], file: str, focus: Location | None,
                  by_hand: bool = False) -> list[Step]:
    """What the program did. links: the connection of each call by the call's index. by_hand: no peer tells its side,
    so that what given code did is told in any case."""
    own = {call.index for call in run.calls if not call.given and (call.where is None or call.where.file == file)}
    listens = any(call.name == "listen" and call.index in own for call in run.calls)
    steps: list[Step] = []
    reported = 0
    for call in run.calls:
        said = _returned(call, run, reported)
        if said is not None:
            reported += 1
            steps.append(said)
        elif call.index in own:
            steps.append(_own(call, links.get(call.index), run, focus))
        elif (step := _given(call, links.get(call.index), run, listens, by_hand)) is not None:
            steps.append(step)
    steps += _end(run, steps)
    return _ends_once(sorted(steps, key=lambda step: step.time))


def _ends_once(steps: list[Step]) -> list[Step]:
    """The first recv() that met the end of a connection shows it as an arrow."""
    seen: set[Link] = set()
    for at, step in enumerate(steps):
        if step.kind == "over" and step.link is not None and step.link not in seen:
            seen.add(step.link)
            words = "reset" if step.rung.tone is Tone.BAD else "end"
            steps[at] = replace(step, rung=replace(step.rung, arrow=Arrow(Way.IN, words=words)))
    return steps


def _own(call: Call, link: Link | None, run: RunSeen, focus: Location | None) -> Step:
    long, *short = phrases.phrase(call)
    bad = call.ended is not None and (call.result == -1 or call.name.startswith("pthread_") and call.result != 0)
    here = focus is not None and call.where == focus
    if not phrases.is_told(call) and not (bad or call.faulted):
        shown = "" if call.name in phrases.UNTOLD and not here else long
        rung = Rung(shown, (), call.where, tone=Tone.DIM, focus=here, weight=0, key=("bookkeeping", call.name, call.where))
        return Step(call.began, "local", link, rung)
    on_wire = call.socket or link is not None or call.name not in (*SENDS, *RECVS)
    rung = Rung(long, tuple(short), call.where, thread=str(call.thread), tone=Tone.BAD if bad else Tone.PLAIN, focus=here,
                fault=phrases.fault(call), weight=_weight(call, bad),
                key=(call.name if on_wire else f"local {call.name}", call.where, call.thread, link, bad and call.errno,
                     call.result == 0, call.faulted))
    if call.ended is None:
        rung = replace(rung, tone=Tone.WAITS, weight=8, notes=_never_ended(call, run))
    return _step(call, link, rung)


def _weight(call: Call, bad: bool) -> int:
    if bad or call.faulted:
        return 4
    return 3 if call.name in (*ACCEPTS, "connect", "close", "shutdown") else 2


def _never_ended(call: Call, run: RunSeen) -> tuple[str, ...]:
    if call.faulted and "wait" in call.faulted:
        return ()
    if run.signal is not None and not _crashed(run):
        return (f"killed here by {_signal(run.signal)}",)
    return ("it never returned",) if run.status is not None else ("still waiting",)


def _crashed(run: RunSeen) -> bool:
    """Whether it is known where it crashed."""
    return run.trouble is not None and run.trouble.kind == "crash"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _step(call: Call, link: Link | None, rung: Rung) -> Step:
    """The call as an element of the lane, with the bytes that it moved."""
    time = call.ended if call.ended is not None else LAST
    moved = call.result if call.result is not None and call.result > 0 else 0
    failed = call.ended is None or call.result == -1
    if call.name in SENDS and (call.socket or link is not None):
        sent = 0 if failed else moved
        arrow = Arrow(Way.OUT, call.data[:sent], sent) if sent else None
        held = failed or time - call.began > BLOCKED
        return Step(time if held else call.began, "send" if sent else "local", link, replace(rung, arrow=arrow),
                    call.data[:sent], sent)
    if call.name in RECVS and (call.socket or link is not None):
        if call.result == 0 and call.size != 0 or call.errno == 104 and call.result == -1 and not call.faulted:
            return Step(time, "over", link, rung)
        arrow = Arrow(Way.NONE, call.data[:moved], moved) if moved else None
        kind = "recv" if moved and not phrases.peeks(call) else "local"
        return Step(time, kind, link, replace(rung, arrow=arrow), call.data[:moved], moved)
    if call.name in (*SENDS, *RECVS) and moved:     # a file, or a terminal
        return Step(time, "local", link, replace(rung, arrow=Arrow(Way.NONE, call.data[:moved], moved), weight=1))
    if call.name == "connect" and not failed:
        return Step(time, "connect", link, replace(rung, arrow=Arrow(Way.OUT)))
    if call.name in ACCEPTS and not failed:
        return Step(time, "accept", link, replace(rung, arrow=Arrow(Way.IN)))
    if call.name in ("close", "shutdown") and link is not None and not failed:
        ends = call.name == "close" or len(call.args) > 1 and call.args[1] != 0
        return Step(call.began, "close" if ends else "local", link, rung)
    return Step(time, "local", link, rung)


def _given(call: Call, link: Link | None, run: RunSeen, listens: bool, by_hand: bool) -> Step | None:
    """A call of given code, where it belongs to the conversation."""
    talks = call.name in (*SENDS, *RECVS, "connect", "close", "shutdown", *ACCEPTS)
    told = link is not None and talks or call.name == "listen" and not listens
    if by_hand:
        told = call.socket and (talks or call.name in ("bind", "listen"))
    if not told or call.ended is None and not by_hand or call.fd is None or call.fd >= REPORT:
        return None
    long, *short = phrases.phrase(call)
    tone = Tone.WAITS if call.ended is None else Tone.BAD if by_hand and call.result == -1 else Tone.DIM
    rung = Rung(long, tuple(short), given=True, tone=tone, weight=1, key=("given", call.name, link, call.result == 0))
    return _step(call, link, replace(rung, notes=_never_ended(call, run)) if call.ended is None else rung)


def _returned(call: Call, run: RunSeen, reported: int) -> Step | None:
    """The function that was judged has returned: the probe says so at that moment."""
    if not run.function or call.fd != REPORT or call.name != "write" or not call.data.startswith(b"call "):
        return None
    if reported >= len(run.reported):
        return None
    result, error = run.reported[reported]
    said = f" {phrases.errno_name(error)}" if result == -1 and error else ""
    rung = Rung(f"{run.function}() returned {result}{said}", tone=Tone.END, weight=7, key=("returned", result, error))
    return Step(call.began, "returned", None, rung)


def _end(run: RunSeen, steps: Sequence[Step]) -> list[Step]:
    """What became of the program at last, where that isn't seen otherwise."""
    time = max((step.time for step in steps if step.time < LAST), default=0) + 1
    last = LAST + 1
    if run.signal is not None and _crashed(run) and run.trouble is not None:
        return [Step(time, "exit", None, Rung(f"killed by {_signal(run.signal)}", where=run.trouble.where, tone=Tone.BAD, weight=8))]
    if run.signal is not None:
        if any(step.rung.tone is Tone.WAITS and step.rung.notes for step in steps):
            return [Step(time, "exit", None, Rung(tone=Tone.DIM, weight=0))]
        return [Step(time, "exit", None, Rung(f"killed by {_signal(run.signal)}", where=run.struck, tone=Tone.BAD, weight=8))]
    if run.status is not None:
        alone = bool(run.function) and len(run.reported) >= run.times
        words = "the program ends" if alone else f"the program exits with status {run.status}"
        tone, weight = (Tone.DIM, 1) if alone else (Tone.END, 7)
        return [Step(time, "exit", None, Rung(words, tone=tone, given=alone, weight=weight))]
    if run.trouble is not None and run.trouble.call == LOCK:
        return [Step(last, "exit", None, Rung(f"still waits in {LOCK}()", where=run.trouble.where, tone=Tone.WAITS, weight=8))]
    if run.trouble is None or any(step.rung.tone is Tone.WAITS and not step.rung.given for step in steps):
        return []
    if run.trouble.kind in ("stuck", "idle") and run.trouble.call and not (run.function and len(run.reported) >= run.times):
        verb = "only sleeps, in" if run.trouble.kind == "idle" else "still waits in"
        told = "still waits for a lock, or for a thread" if run.trouble.call == "futex" else f"{verb} {known_as(run.trouble.call)}"
        return [Step(last, "exit", None, Rung(told, where=run.trouble.where, tone=Tone.WAITS, weight=8))]
    if run.trouble.kind == "busy":
        return [Step(last, "exit", None, Rung("runs on and on without a pause", where=run.trouble.where, tone=Tone.WAITS, weight=8))]
    return []
