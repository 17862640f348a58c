"""Long runs of the same become one rung that counts them, and of too many rungs the telling ones stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..text import count
from .model import Arrow, Rung, Tone, Way

SHOWN = 2                               # of a run, before it is counted
WORTH = 3                               # so many at least are counted
LONGEST_ROUND = 12
KEPT = 64                               # bytes of a run that are kept to be shown


def fold(rungs: Sequence[Rung]) -> list[Rung]:
    """The rungs with bookkeeping in one line, runs of the same counted, and rounds of the same too."""
    return _rounds(_runs(_bookkeeping(rungs)))


def _bookkeeping(rungs: Sequence[Rung]) -> list[Rung]:
    found: list[Rung] = []
    for rung in rungs:
        last = found[-1] if found else None
        if last is not None and last.key[:1] == rung.key[:1] == ("bookkeeping",):
            names = last.left.split(", ")
            if rung.left not in names:
                found[-1] = replace(last, left=f"{last.left}, {rung.left}", short=(), where=None)
            continue
        found.append(rung)
    return found


# ---- runs of one ------------------------------------------------------------------------------------

def _runs(rungs: Sequence[Rung]) -> list[Rung]:
    """A run may have events of the peer between: what it took or sent meanwhile."""
    found: list[Rung] = []
    at = 0
    while at < len(rungs):
        end = _end_of_run(rungs, at)
        same = [rung for rung in rungs[at:end] if rung.key == rungs[at].key]
        if len(same) < SHOWN + WORTH:
            found.append(rungs[at])
            at += 1
            continue
        kept, left = _first(rungs[at:end])
        found += [*kept, _counted(left)]
        at = end
    return found


def _end_of_run(rungs: Sequence[Rung], at: int) -> int:
    """One past the last rung of the run that begins there."""
    key = rungs[at].key
    end = at + 1
    if not key:
        return end
    for place in range(at + 1, len(rungs)):
        if rungs[place].key == key and not rungs[place].notes:
            end = place + 1
        elif not _meanwhile(rungs[place], key):
            break
    return end


def _meanwhile(rung: Rung, key: tuple[object, ...]) -> bool:
    """Whether it is the peer's side of the same."""
    return not rung.left and rung.key[:1] == ("peer",) and rung.key[1:2] in (("received",), ("sent",)) and \
        rung.key[2:3] == key[3:4] and not rung.notes


def _first(run: Sequence[Rung]) -> tuple[list[Rung], list[Rung]]:
    seen = 0
    for at, rung in enumerate(run):
        seen += rung.key == run[0].key
        if seen > SHOWN:
            return list(run[:at]), list(run[at:])
    return list(run), []


def _counted(run: Sequence[Rung]) -> Rung:
    """So many in one rung, with all their bytes."""
    of_key = [rung for rung in run if rung.key == run[0].key] if run[0].left else [
        rung for rung in run if rung.left] or list(run)
    first = of_key[0]
    size = sum(rung.arrow.size for rung in of_key if rung.arrow)
    way = next((rung.arrow.way for rung in of_key if rung.arrow and rung.arrow.way is not Way.NONE), Way.NONE)
    data = b"".join(rung.arrow.data for rung in of_key if rung.arrow)
    whole = len(data) == size and size <= KEPT      # what came a byte at a time is better read in one
    arrow = Arrow(way, data, size) if size and whole else Arrow(way, size=size, words=count(size, "byte")) if size else \
        first.arrow
    words = f"× {len(of_key):,} more"
    name = first.left if first.key[:1] == ("returned",) else first.left.partition("(")[0]
    moved = sum(rung.moved for rung in run)
    verb = next((_verb(rung.right) for rung in run if rung.moved), first.right)
    right = f"{verb} {count(moved, 'byte')}" if moved else verb
    return replace(first, left=f"{name} {words}" if first.left else "", short=(),
                   arrow=arrow, right=right if first.left else f"{right}, {words}", moved=moved, notes=())


def _verb(right: str) -> str:
    """ "sent" of "sent 7 bytes", "client 2: sent" of "client 2: sent 7 bytes"."""
    name, colon, words = right.rpartition(": ")
    return name + colon + words.split(" ")[0] if words.startswith(("sent", "received")) else right


# ---- rounds of several ------------------------------------------------------------------------------

def _rounds(rungs: Sequence[Rung]) -> list[Rung]:
    """The same few rungs in the same order again and again."""
    found: list[Rung] = []
    at = 0
    while at < len(rungs):
        length, times = _round_at(rungs, at)
        if times == 0:
            found.append(rungs[at])
            at += 1
            continue
        found += rungs[at:at + length]
        found.append(_again(rungs[at + length:at + length * times], times - 1))
        at += length * times
    return found


def _round_at(rungs: Sequence[Rung], at: int) -> tuple[int, int]:
    for length in range(2, LONGEST_ROUND + 1):
        keys = [rung.key for rung in rungs[at:at + length]]
        if len(keys) < length or () in keys:
            continue
        times = 1
        while [rung.key for rung in rungs[at + times * length:at + (times + 1) * length]] == keys and not any(
                rung.notes for rung in rungs[at + times * length:at + (times + 1) * length]):
            times += 1
        if times > 2:
            return length, times
    return 0, 0


def _again(rungs: Sequence[Rung], times: int) -> Rung:
    sent = sum(rung.arrow.size for rung in rungs if rung.arrow and rung.arrow.way is Way.OUT)
    got = sum(rung.arrow.size for rung in rungs if rung.arrow and rung.arrow.way is not Way.OUT and rung.left)
    sizes = [words for size, words in ((sent, f"{count(sent, 'byte')} out"), (got, f"{count(got, 'byte')} in")) if size]
    words = f"the same × {times:,} more" + (f" ({', '.join(sizes)})" if sizes else "")
    return Rung(words, (f"the same × {times:,} more",), thread=rungs[0].thread, tone=Tone.DIM, weight=3)


# ---- no more than so many ---------------------------------------------------------------------------

def choose(rungs: Sequence[Rung], most: int) -> list[Rung]:
    """The rungs that matter, in their order, as at most so many lines; what is left out is counted in between."""
    if sum(map(_lines, rungs)) <= most:
        return list(rungs)
    for keep in range(min(len(rungs), most), 0, -1):
        found = _best(rungs, keep)
        if sum(map(_lines, found)) <= most:
            return found
    return _best(rungs, 1)


def _lines(rung: Rung) -> int:
    return 1 + len(rung.notes) + bool(rung.fault)


def _best(rungs: Sequence[Rung], keep: int) -> list[Rung]:
    order = sorted(range(len(rungs)), key=lambda at: (-_value(rungs, at), -at))
    chosen = set(order[:keep])
    found: list[Rung] = []
    for at, rung in enumerate(rungs):
        if at in chosen:
            found.append(rung)
        elif at - 1 in chosen or at == 0:
            gap = next((place for place in range(at, len(rungs)) if place in chosen), len(rungs)) - at
            found.append(rung if gap == 1 and _lines(rung) == 1 else Rung(gap=gap, weight=0))
    return found


def _value(rungs: Sequence[Rung], at: int) -> int:
    """The end tells most, then what failed, then the beginning."""
    left = len(rungs) - 1 - at
    near_end = 6 if left < 6 else 3 if left < 12 else 0
    near_focus = 3 if any(rung.focus for rung in rungs[max(0, at - 2):at + 3]) else 0
    return rungs[at].weight + near_end + near_focus + (3 if at < 4 else 0) + (4 if rungs[at].focus else 0)
