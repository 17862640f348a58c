"""From what was recorded to the rungs of a ladder: both sides' events on one clock, matched where that is certain.

The two lanes keep their own order. Where a call and an event are two ends of the same, they share a rung; pairs
that would cross are drawn apart.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..evidence import Evidence, Happening, Held, Location, PeerSeen, RunSeen
from ..text import count
from . import phrases
from .crowd import few_connections
from .fold import fold
from .labels import label
from .links import links_of
from .model import Arrow, Ladder, Rung, Tone, Way
from .peerside import Namer, never_accepted, peers_lane, troubles
from .program import programs_lane
from .steps import ENDS, LAST, OVER, Step
from .streams import Piece, first_takers, match, rest


def ladder_of(evidence: Evidence, focus: Location | None = None) -> Ladder:
    """The ladder of a failed test. focus: the line that the cause names."""
    run = evidence.run
    runs = [run] if run is not None else []
    ladder = climb(runs, _involved(runs, evidence), evidence.file, focus)
    return replace(ladder, rungs=tuple(_with_held(rung, evidence.held) for rung in ladder.rungs))


def _with_held(rung: Rung, held: Sequence[Held]) -> Rung:
    """A bind() to a port that the test held has a word on how."""
    port = re.search(r":(\d+)\)", rung.left) if rung.left.startswith("bind(") else None
    found = [one for one in held if port is not None and one.port == int(port[1])]
    if not found:
        return rung
    how = " and ".join(dict.fromkeys(one.state for one in found if one.state))
    return replace(rung, notes=(*rung.notes, f"the test held port {found[0].port}{f': {how}' if how else ''}"))


def _involved(runs: Sequence[RunSeen], evidence: Evidence) -> list[PeerSeen]:
    """The peers that had to do with these runs, and not just with earlier ones; if none had, the one that it is
    about."""
    began = min((call.began for run in runs for call in run.calls), default=0)
    met = [peer for peer in evidence.peers if peer.events and peer.events[-1].time >= began]
    return met or [peer for peer in (evidence.peer,) if peer is not None and not peer.events]


def climb(runs: Sequence[RunSeen], peers: Sequence[PeerSeen], file: str, focus: Location | None = None) -> Ladder:
    """The ladder of these runs and peers. file: the student's, "client_send.c"."""
    namer = Namer(peers)
    left: list[Step] = []
    right = peers_lane(peers, namer)
    for run in runs:
        left += programs_lane(run, links_of(run.calls, peers), file, focus)
    left = _known_only(left, right)
    if right or not any(peer.connections for peer in peers):
        left = [_without_arrow(step) if step.kind == "connect" and step.link is None else step for step in left]
    right += never_accepted(left, peers, namer) + troubles(peers, namer)
    right = sorted(_before_taken(left, right), key=lambda step: step.time)
    left, right = few_connections(left, right, namer)
    rungs = _merge(*_unread(left, right), namer)
    return Ladder(f"your program ({file})", namer.heading, tuple(fold(_threads(rungs))))


def _known_only(left: list[Step], right: Sequence[Step]) -> list[Step]:
    """Without what given code did that moved no bytes, unless a peer saw it."""
    ended = {step.link for step in right if step.kind in ENDS}
    return [step for step in left if not step.rung.given or step.kind in ("connect", "accept", "send", "recv", "exit")
            or step.kind == "close" and step.link in ended or step.rung.left.startswith("listen")]


def _before_taken(left: Sequence[Step], right: Sequence[Step]) -> list[Step]:
    """The peers' steps with times that the bytes prove: what was received had been sent before. A peer notes a send
    when it is over, and by then the program may have received."""
    times = [step.time for step in right]
    for link in {step.link for step in right if step.kind == "sent"}:
        theirs = [at for at, step in enumerate(right) if step.link == link]
        ours = [step for step in left if step.link == link and step.kind == "recv"]
        takers = first_takers(_pieces([(at, right[at]) for at in theirs], "sent"),
                              [Piece(at, step.data, step.size) for at, step in enumerate(ours)])
        latest = LAST + LAST
        for at in reversed(theirs):
            taken = ours[takers[at]].time - 1 if at in takers else latest
            latest = times[at] = min(times[at], taken, latest)
    return [replace(step, time=time) for step, time in zip(right, times)]


def _without_arrow(step: Step) -> Step:
    """A connect() that reached no peer: of a datagram socket, or to a place where the peer isn't."""
    return replace(step, rung=replace(step.rung, arrow=None))


# ---- both lanes -------------------------------------------------------------------------------------

@dataclass(frozen=True)
class _Pair:
    """A call and an event that are two ends of the same; of several events, they follow one another."""

    left: int
    right: tuple[int, ...]


def _merge(left: Sequence[Step], right: Sequence[Step], namer: Namer) -> list[Rung]:
    rungs: list[Rung] = []
    i = j = 0
    for pair in _not_crossing(_pairs(left, right)):
        rungs += _by_time(left[i:pair.left], right[j:pair.right[0]], namer)
        rungs.append(_both(left[pair.left], [right[at] for at in pair.right], namer))
        i, j = pair.left + 1, pair.right[-1] + 1
    rungs += _by_time(left[i:], right[j:], namer)
    return [rung for rung in rungs if rung.left or rung.right]


def _by_time(left: Sequence[Step], right: Sequence[Step], namer: Namer) -> list[Rung]:
    steps = sorted([*left, *right], key=lambda step: step.time)
    return [_alone(step, namer) for step in steps if not (step.kind == "exit" and step.rung.given)]


def _alone(step: Step, namer: Namer) -> Rung:
    """A call without its other end says at least whom it is about."""
    rung = step.rung
    return replace(rung, right=f"({namer(step.link)})") if rung.left and step.link and namer(step.link) else rung


def _not_crossing(pairs: Sequence[_Pair]) -> list[_Pair]:
    """As many as can be drawn as one: the longest rising sequence."""
    ends: list[tuple[int, ...]] = []        # of the sequences of each length, the one that ends the lowest
    last: list[int] = []
    before: list[int] = []
    order = sorted(pairs, key=lambda pair: (pair.left, tuple(-at for at in pair.right)))
    for place, pair in enumerate(order):
        length = bisect_left(ends, pair.right)
        before.append(last[length - 1] if length else -1)
        ends[length:length + 1], last[length:length + 1] = [pair.right], [place]
    kept: list[_Pair] = []
    at = last[-1] if last else -1
    while at != -1:
        kept.append(order[at])
        at = before[at]
    return kept[::-1]


def _pairs(left: Sequence[Step], right: Sequence[Step]) -> list[_Pair]:
    links = sorted({step.link for step in right if step.link is not None})
    pairs: list[_Pair] = []
    for link in links:
        ours = [(at, step) for at, step in enumerate(left) if step.link == link]
        theirs = [(at, step) for at, step in enumerate(right) if step.link == link]
        for kind, other in (("connect", "accepted"), ("accept", "connected")):
            pairs += _firsts(ours, (kind,), theirs, (other,))
        for block in match(_pieces(ours, "send"), _pieces(theirs, "received")):
            if _in_a_row(block.taken):
                pairs.append(_Pair(block.put[-1], block.taken))
        for block in match(_pieces(theirs, "sent"), _pieces(ours, "recv")):
            if len(block.taken) == 1 and _in_a_row(block.put):
                pairs.append(_Pair(block.taken[0], block.put))
        pairs += _firsts(ours, ("over",), theirs, OVER)
        over = _firsts(ours, ("close",), theirs, ENDS)
        exits = [(at, step) for at, step in enumerate(left) if step.kind == "exit"]
        pairs += over or _firsts(exits, ("exit",), theirs, ENDS)
    return pairs


def _firsts(ours: Sequence[tuple[int, Step]], kinds: tuple[str, ...], theirs: Sequence[tuple[int, Step]],
            others: tuple[str, ...]) -> list[_Pair]:
    """The first of one side with the first of the other."""
    one = next((at for at, step in ours if step.kind in kinds), None)
    other = next((at for at, step in theirs if step.kind in others), None)
    return [_Pair(one, (other,))] if one is not None and other is not None else []


def _pieces(steps: Sequence[tuple[int, Step]], kind: str) -> list[Piece]:
    return [Piece(at, step.data, step.size) for at, step in steps if step.kind == kind]


def _in_a_row(places: Sequence[int]) -> bool:
    return places[-1] - places[0] == len(places) - 1


def _both(ours: Step, theirs: Sequence[Step], namer: Namer) -> Rung:
    """One rung for the two ends. The peer's bytes and the call's are the same, so they stand there once."""
    rung, first = ours.rung, theirs[0]
    size = sum(step.size for step in theirs)
    words = first.rung.right
    arrow = rung.arrow
    if first.kind in ("sent", "received"):
        known = Happening(0, 0, first.kind, b"", size)
        plain = first.kind if size == ours.size and not namer.single else phrases.event(
            known, pieces=len(theirs) if first.kind == "sent" else 1)
        words = namer.say(ours.link, plain)
        way = Way.IN if first.kind == "sent" else Way.OUT
        arrow = Arrow(way, ours.data, ours.size)
    elif first.kind in OVER:
        arrow = Arrow(Way.IN, words="reset" if first.kind == "reset_sent" or ours.rung.tone is Tone.BAD else "end")
    elif first.kind in ENDS:
        arrow = Arrow(Way.OUT, words=first.kind)
    notes = (*rung.notes, *(note for step in theirs for note in step.rung.notes))
    weight = max(rung.weight, *(step.rung.weight for step in theirs))
    return replace(rung, right=words, arrow=arrow, notes=notes, weight=weight, moved=size)


def _unread(left: list[Step], right: list[Step]) -> tuple[list[Step], list[Step]]:
    """With a word on what the peer sent and the program never took: below the close, or below its last rung without
    one, or below the peer's last send if that came later."""
    lanes = [list(left), list(right)]
    told = [at for at, step in enumerate(left) if step.rung.left and step.time < LAST and not step.rung.given]
    over = [at for at, step in enumerate(left) if step.kind in ("exit", "returned")]
    for link in sorted({step.link for step in left if step.link is not None}):
        ours = [(at, step) for at, step in enumerate(left) if step.link == link]
        theirs = [(at, step) for at, step in enumerate(right) if step.link == link]
        sent = [(at, step) for at, step in theirs if step.kind == "sent"]
        data, size = rest(_pieces(theirs, "sent"), _pieces(ours, "recv"))
        reads = any(step.kind in ("recv", "over") for _, step in ours) or any(step.kind == "reset" for _, step in theirs)
        places = [at for at, step in ours if step.kind == "close"] or told[-1:] * (over[-1:] > [ours[-1][0]])
        if size and reads and places:
            shown = label(Arrow(Way.NONE, data, size), 30, str) if data else ""
            note = f"never read: {count(size, 'byte')}{', ' if shown else ''}{shown}"
            later = sent[-1][1].time > left[places[0]].time
            lane, at = (lanes[1], sent[-1][0]) if later else (lanes[0], places[0])
            rung = lane[at].rung
            lane[at] = replace(lane[at], rung=replace(rung, notes=(*rung.notes, note), weight=max(5, rung.weight)))
    return lanes[0], lanes[1]


def _threads(rungs: Sequence[Rung]) -> list[Rung]:
    """Threads by name, where calls of more than one are shown: "main", "t2", "t3"."""
    seen = list(dict.fromkeys(rung.thread for rung in rungs if rung.thread))
    ordered = sorted(seen, key=int)
    names = {thread: "main" if at == 0 else f"t{at + 1}" for at, thread in enumerate(ordered)} if len(seen) > 1 else {}
    return [replace(rung, thread=names.get(rung.thread, "")) if rung.thread else rung for rung in rungs]
