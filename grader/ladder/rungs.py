"""From what was recorded to the rungs of a ladder: both sides' events on one clock, matched where that is certain.

The two lanes keep their own order. Where a call and an event are two ends of the same, they share a rung; pairs
that would cross are drawn apart.
"""

from __future__ import annotations

import re
import signal
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..evidence import Call, Evidence, Happening, Held, Location, PeerSeen, RunSeen
from ..text import count
from . import phrases
from .fold import fold
from .labels import label
from .links import Link, links_of
from .model import Arrow, Ladder, Rung, Tone, Way
from .phrases import ACCEPTS, POLLS, RECVS, SENDS
from .streams import Piece, match, rest

LAST = 2**63                            # a time after all others
REPORT = 900                            # the probe's descriptor for what it reports, and the first of the kit's own
BLOCKED = 5_000_000                     # ns: a call that took so long has waited
FEW = 3                                 # so many connections are all shown
MOST_KINDS = 2                          # of more, one of each kind is shown, and of so many kinds
_ENDS = ("end", "reset")
_OVER = ("half_close", "closed", "reset_sent")
_KERNELS_NAMES = {"recvfrom": "recv", "sendto": "send", "accept4": "accept", "pselect6": "select", "ppoll": "poll",
                  "epoll_pwait": "epoll_wait", "clock_nanosleep": "sleep", "nanosleep": "sleep",
                  "futex": "a lock, or for a thread"}


@dataclass(frozen=True)
class Step:
    """What one side did at one moment: an element of a lane."""

    time: int
    kind: str                       # "connect", "accept", "send", "recv", "end", "close", "local"; a Happening's
    link: Link | None
    rung: Rung
    data: bytes = b""
    size: int = 0


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
    namer = _Namer(peers)
    left: list[Step] = []
    right = _peers_lane(peers, namer)
    for run in runs:
        left += _programs_lane(run, peers, file, focus)
    left = _known_only(left, right)
    if right or not any(peer.connections for peer in peers):
        left = [_without_arrow(step) if step.kind == "connect" and step.link is None else step for step in left]
    right += _never_accepted(left, peers, namer) + _troubles(peers, namer)
    right.sort(key=lambda step: step.time)
    left, right = _few_connections(left, right, namer)
    rungs = _merge(*_unread(left, right), namer)
    return Ladder(f"your program ({file})", namer.heading, tuple(fold(_threads(rungs))))


def _without_arrow(step: Step) -> Step:
    """A connect() that reached no peer: of a datagram socket, or to a place where the peer isn't."""
    return replace(step, rung=replace(step.rung, arrow=None))


# ---- names ------------------------------------------------------------------------------------------

class _Namer:
    """What the peers are called: just "peer" where there is one with one connection."""

    def __init__(self, peers: Sequence[PeerSeen]) -> None:
        links = sorted({(index, event.connection) for index, peer in enumerate(peers) for event in peer.events})
        self.single = len(links) <= 1
        alone = len(peers) == 1
        words = ["client" if peers[index].role == "connects" else "connection" if alone else "peer" for index, _ in links]
        self._numbers = {link: words[:place].count(word) + 1 for place, (link, word) in enumerate(zip(links, words))}
        self._words = dict(zip(links, words))
        self.links = links
        plural = f"{words[0]}s" if len(set(words)) == 1 else "peers"
        self.heading = "" if not peers else "peer" if self.single else plural
        if not links and alone and peers[0].role == "listens" and peers[0].connections == 0:      # nobody came: it may be the wrong address
            self.heading = f"peer at {peers[0].address}"

    def __call__(self, link: Link | None) -> str:
        """ "client 2"; "" where there is nothing to tell apart."""
        return "" if self.single or link not in self._words else f"{self._words[link]} {self._numbers[link]}"

    def say(self, link: Link | None, words: str) -> str:
        """ "2: closed": the heading says what is counted, where it is all the same."""
        if self.single or link not in self._words:
            return words
        return f"{self(link) if self.heading == 'peers' else self._numbers[link]}: {words}"


# ---- the program's lane -----------------------------------------------------------------------------

def _programs_lane(run: RunSeen, peers: Sequence[PeerSeen], file: str, focus: Location | None) -> list[Step]:
    links = links_of(run.calls, peers)
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
        elif (step := _given(call, links.get(call.index), listens)) is not None:
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
                key=(call.name if on_wire else f"local {call.name}", call.where, call.thread, link, bad and call.errno, call.result == 0, call.faulted))
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
    if run.signal is not None:
        return (f"killed here by {_signal(run.signal)}",)
    return ("it never returned",) if run.status is not None else ("still waiting",)


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


def _given(call: Call, link: Link | None, listens: bool) -> Step | None:
    """A call of given code, where it belongs to the conversation."""
    told = (link is not None and call.name in (*SENDS, *RECVS, "connect", "close", "shutdown", *ACCEPTS)
            or call.name == "listen" and not listens)
    if not told or call.ended is None or call.fd is None or call.fd >= REPORT:
        return None
    long, *short = phrases.phrase(call)
    rung = Rung(long, tuple(short), given=True, tone=Tone.DIM, weight=1, key=("given", call.name, link, call.result == 0))
    return _step(call, link, rung)


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
    if run.signal is not None:
        if any(step.rung.tone is Tone.WAITS and step.rung.notes for step in steps):
            return [Step(time, "exit", None, Rung(tone=Tone.DIM, weight=0))]
        return [Step(time, "exit", None, Rung(f"killed by {_signal(run.signal)}", tone=Tone.BAD, weight=8))]
    if run.status is not None:
        alone = bool(run.function) and len(run.reported) >= run.times
        words = "the program ends" if alone else f"the program exits with status {run.status}"
        return [Step(time, "exit", None, Rung(words, tone=Tone.DIM if alone else Tone.END, given=alone, weight=1 if alone else 7))]
    if run.trouble is None or any(step.rung.tone is Tone.WAITS and not step.rung.given for step in steps):
        return []
    if run.trouble.kind in ("stuck", "idle") and run.trouble.call and not (run.function and len(run.reported) >= run.times):
        name = _KERNELS_NAMES.get(run.trouble.call, run.trouble.call)
        verb = "still waits for" if name.startswith("a lock") else "still waits in" if run.trouble.kind == "stuck" else "only sleeps, in"
        return [Step(last, "exit", None, Rung(f"{verb} {name}", where=run.trouble.where, tone=Tone.WAITS, weight=8))]
    if run.trouble.kind == "busy":
        return [Step(last, "exit", None, Rung("runs on and on without a pause", tone=Tone.WAITS, weight=8))]
    return []


# ---- the peers' lane --------------------------------------------------------------------------------

def _peers_lane(peers: Sequence[PeerSeen], namer: _Namer) -> list[Step]:
    steps = []
    for index, peer in enumerate(peers):
        over: set[int] = set()
        broken: set[int] = set()
        last = {event.connection: event for event in peer.events}
        for event in peer.events:
            link = (index, event.connection)
            if event.kind == "waiting" and (peer.trouble is not None or last[event.connection] is not event):
                continue                # it came, or it is said at the end
            if event.kind == "closed" and event.connection in over or event.kind == "trouble" and event.connection in broken:
                continue                # no news
            if event.kind == "refused" and last[event.connection] is not event:
                continue                # why is said next
            if event.kind == "reset":
                broken.add(event.connection)
            if event.kind in (*_ENDS, "reset_sent", "refused", "trouble"):
                over.add(event.connection)
            tone = Tone.BAD if event.kind in ("trouble", "refused") else Tone.PLAIN
            way = Way.IN if event.kind == "sent" else Way.NONE
            arrow = Arrow(way, event.data, event.size) if event.kind in ("sent", "received") else None
            rung = Rung(right=namer.say(link, phrases.event(event)), arrow=arrow, tone=tone,
                        weight=6 if event.kind == "trouble" else 2, key=("peer", event.kind, link),
                        moved=event.size if arrow else 0)
            steps.append(Step(event.time, event.kind, link, rung, event.data, event.size))
    return steps


def _troubles(peers: Sequence[PeerSeen], namer: _Namer) -> list[Step]:
    """Peers that still wait."""
    steps = []
    for index, peer in enumerate(peers):
        if peer.trouble is None or not peer.trouble.startswith("still waited"):
            continue
        which = re.search(r"\(connection (\d+) of \d+\)$", peer.trouble)
        last = max((event.connection for event in peer.events), default=0)
        link = (index, min(int(which[1]) - 1, last) if which else last)
        if not any(event.connection == link[1] for event in peer.events):
            continue
        rung = Rung(right=namer.say(link, phrases.trouble(peer.trouble)), tone=Tone.WAITS, weight=7)
        steps.append(Step(LAST + 2, "still", link, rung))
    return steps


def _never_accepted(left: Sequence[Step], peers: Sequence[PeerSeen], namer: _Namer) -> list[Step]:
    """Clients that connected and were left in the queue."""
    taken = {step.link for step in left if step.kind == "accept"}
    if not any(step.kind in ("accept", "local") and "accept" in step.rung.left for step in left):
        return []
    waiting = [(index, event.connection) for index, peer in enumerate(peers) if peer.role == "connects"
               for event in peer.events if event.kind == "connected" and (index, event.connection) not in taken]
    return [Step(LAST + 1, "unaccepted", link, Rung(right=namer.say(link, "never accepted"), tone=Tone.WAITS, weight=5,
                                                    key=("unaccepted",))) for link in waiting]


# ---- many connections -------------------------------------------------------------------------------

def _known_only(left: list[Step], right: Sequence[Step]) -> list[Step]:
    """Without what given code did that moved no bytes, unless a peer saw it."""
    ended = {step.link for step in right if step.kind in _ENDS}
    return [step for step in left if not step.rung.given or step.kind in ("connect", "accept", "send", "recv", "exit")
            or step.kind == "close" and step.link in ended or step.rung.left.startswith("listen")]


def _few_connections(left: list[Step], right: list[Step], namer: _Namer) -> tuple[list[Step], list[Step]]:
    """Of many connections one of each kind, with a word on how many are like it."""
    if len(namer.links) <= FEW:
        return left, right
    lanes: dict[Link, tuple[list[Step], list[Step]]] = {link: ([], []) for link in namer.links}
    for side, steps in enumerate((left, right)):
        for step in steps:
            if step.link in lanes:
                lanes[step.link][side].append(step)
    kinds: dict[object, list[Link]] = {}
    for link, lane in lanes.items():
        kinds.setdefault(_signature(*lane), []).append(link)
    troubled = {step.link for step in right if step.kind in ("still", "trouble")}
    order = sorted(kinds.values(), key=lambda group: (not troubled & set(group), -len(group), group))
    shown: dict[Link, str] = {}
    for group in order[:MOST_KINDS]:
        chosen = next((link for link in group if link in troubled), group[0])
        others = len(group) - 1
        shown[chosen] = f"and {others:,} more like {namer(chosen)}" if others else ""
    missing = sum(map(len, order[MOST_KINDS:]))
    if missing:
        last = list(shown)[-1]
        shown[last] = "; ".join(filter(None, [shown[last], f"and {missing:,} others"]))
    return _only(left, shown, False), _only(right, shown, True)


def _signature(left: Sequence[Step], right: Sequence[Step]) -> object:
    """What two connections have in common that went alike: how often is no matter."""
    ours = [(step.rung.key[0], step.rung.where, step.rung.tone) for step in left if step.rung.key]
    theirs = [step.kind for step in right]
    return frozenset(ours), tuple(ours[-1:]), frozenset(theirs), tuple(theirs[-1:])


def _only(steps: Iterable[Step], shown: dict[Link, str], notes: bool) -> list[Step]:
    found: list[Step] = []
    told: set[Link] = set()
    for step in steps:
        link = step.link
        if link is not None and link not in shown:
            continue
        if notes and link is not None and link not in told and shown[link]:
            step = replace(step, rung=replace(step.rung, notes=(*step.rung.notes, shown[link]), weight=5))
            told.add(link)
        found.append(step)
    return found


# ---- both lanes -------------------------------------------------------------------------------------

@dataclass(frozen=True)
class _Pair:
    """A call and an event that are two ends of the same; of several events, they follow one another."""

    left: int
    right: tuple[int, ...]


def _merge(left: Sequence[Step], right: Sequence[Step], namer: _Namer) -> list[Rung]:
    rungs: list[Rung] = []
    i = j = 0
    for pair in _not_crossing(_pairs(left, right)):
        rungs += _by_time(left[i:pair.left], right[j:pair.right[0]], namer)
        rungs.append(_both(left[pair.left], [right[at] for at in pair.right], namer))
        i, j = pair.left + 1, pair.right[-1] + 1
    rungs += _by_time(left[i:], right[j:], namer)
    return [rung for rung in rungs if rung.left or rung.right]


def _by_time(left: Sequence[Step], right: Sequence[Step], namer: _Namer) -> list[Rung]:
    steps = sorted([*left, *right], key=lambda step: step.time)
    return [_alone(step, namer) for step in steps if not (step.kind == "exit" and step.rung.given)]


def _alone(step: Step, namer: _Namer) -> Rung:
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
        pairs += _firsts(ours, ("over",), theirs, _OVER)
        over = _firsts(ours, ("close",), theirs, _ENDS)
        exits = [(at, step) for at, step in enumerate(left) if step.kind == "exit"]
        pairs += over or _firsts(exits, ("exit",), theirs, _ENDS)
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


def _both(ours: Step, theirs: Sequence[Step], namer: _Namer) -> Rung:
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
    elif first.kind in _OVER:
        arrow = Arrow(Way.IN, words="reset" if first.kind == "reset_sent" or ours.rung.tone is Tone.BAD else "end")
    elif first.kind in _ENDS:
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
    return [replace(rung, thread=names.get(rung.thread, "")) for rung in rungs]
