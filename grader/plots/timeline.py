"""What a server's threads and its clients did when: a row each, bars for what took time. Pure functions.

Threads come from the recorded calls, clients from the peers' own events. A bar with an arrow never ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..evidence import Call, Evidence, RunSeen
from ..faults import GROUPS
from ..ladder.links import Link, links_of
from ..ladder.peerside import Namer
from ..ladder.svg import text_at
from ..text import count
from .frame import WIDE, Clock, Layout, box, length, picture, triangles, wrap

BLOCKED = 5_000_000                     # ns: a call that took so long has waited
FEW = 12                                # rows that have a name each; more are drawn close together
MOST_ROWS = 120
ROW, NOTE, DENSE = 22, 15, 260          # pixels of a row, of a note below it, of all rows that are drawn close together
OVER = ("end", "reset", "closed", "reset_sent")
WORDS = {"bar": "a client is served", "pale": "accepted, no answer yet", "waits": "waits to be accepted",
         "idle": "in accept()", "sends": "waits in send()", "stuck": "waits for a lock or a thread"}


@dataclass(frozen=True)
class Bar:
    """Something that took time. end: None if it never ended."""

    begin: int
    end: int | None
    style: str                          # of WORDS
    label: str = ""


@dataclass(frozen=True)
class Row:
    """A thread or a client."""

    name: str
    bars: tuple[Bar, ...]
    marks: tuple[tuple[int, str], ...]  # "first" answer, "last", "struck" by the test
    note: str = ""                      # how it stood in the end, where it hadn't ended
    bad: bool = False


@dataclass(frozen=True)
class Timeline:
    """All that is drawn."""

    threads: tuple[Row, ...]
    clients: tuple[Row, ...]
    at_once: int                        # clients served at the same time, at most
    faults: tuple[str, ...]
    whole: bool                         # every call was recorded
    begin: int
    end: int


def draw(evidence: Evidence, layout: Layout = WIDE) -> str | None:
    """One <svg> element. None where no server was recorded, where it has neither threads nor a second client, and
    where nobody came and nothing hangs."""
    timeline = timeline_of(evidence)
    return None if timeline is None else _draw(timeline, layout)


def timeline_of(evidence: Evidence) -> Timeline | None:
    """Rows for the run that the failure is about."""
    run = evidence.run
    namer = Namer(evidence.peers)
    begins = [event.time for peer in evidence.peers if peer.role == "connects" for event in peer.events]
    if run is None or not any(call.name in GROUPS["accept"] for call in run.calls):
        return None
    links = links_of(run.calls, evidence.peers)
    whole = run.total_calls <= len(run.calls)
    accepted = {links[call.index]: call.ended for call in run.calls
                if call.name in GROUPS["accept"] and call.index in links and call.ended is not None}
    clients = [row for link in namer.links if evidence.peers[link[0]].role == "connects"
               for row in [_client(evidence, link, namer(link) or "client", accepted, whole)]]
    threads = _threads(run, links, namer)
    alone = len(clients) < 2 and not any(call.name == "pthread_create" and not call.given for call in run.calls)
    if alone or not begins and not any(row.bad for row in threads):
        return None
    served = [bar for row in threads for bar in row.bars if bar.style == "bar"]
    ends = [time for row in (*threads, *clients) for bar in row.bars for time in (bar.begin, bar.end) if time is not None]
    faults = dict.fromkeys(call.faulted for call in run.calls if call.faulted and not call.given)
    return Timeline(tuple(threads), tuple(sorted(clients, key=lambda row: row.bars[0].begin if row.bars else 0)),
                    _at_once(served), tuple(faults), whole, min([*begins, *accepted.values()] or ends),
                    max([evidence.time, *ends, *begins]))


# ---- rows -------------------------------------------------------------------------------------------

def _client(evidence: Evidence, link: Link, name: str, accepted: dict[Link, int], whole: bool) -> Row:
    events = [event for event in evidence.peers[link[0]].events if event.connection == link[1]]
    time = {event.kind: event.time for event in reversed(events)}       # the first of each kind
    if "connected" not in time:
        last = events[-1].time
        return Row(name, (), ((last, "last"),), "refused" if "refused" in time else "", "refused" in time)
    over = min((time[kind] for kind in OVER if kind in time), default=None)
    first, begin = time.get("received"), time["connected"]
    bars: list[Bar] = []
    if link in accepted:
        bars += [Bar(begin, accepted[link], "waits")] if accepted[link] > begin else []
        begin = max(begin, accepted[link])
    elif whole:
        note = "" if over is not None else "never accepted"
        return Row(name, (Bar(begin, over, "waits"),), tuple((over, "last") for _ in [0] if over is not None), note, bool(note))
    if first is None or first > begin:
        bars.append(Bar(begin, first if first is not None else over, "pale"))
    if first is not None:
        bars.append(Bar(first, over, "bar"))
    marks = [(at, kind) for at, kind in ((first, "first"), (over, "last")) if at is not None]
    asked = "sent" in time and first is None and over is None
    note = "no answer" if asked else "still connected" if over is None else "reset" if "reset" in time else ""
    return Row(name, tuple(bars), tuple(marks), note, asked)


def _threads(run: RunSeen, links: dict[int, Link], namer: Namer) -> list[Row]:
    by_thread: dict[int, list[Call]] = {}
    for call in run.calls:
        by_thread.setdefault(call.thread, []).append(call)
    asleep = {sleeper.thread: sleeper.call for sleeper in run.asleep}
    rows = []
    for number, (thread, calls) in enumerate(by_thread.items(), 1):
        accepts = any(call.name in GROUPS["accept"] for call in calls)
        row = _thread("main" if number == 1 else f"thread {number}", calls, links, namer, asleep.get(thread, ""))
        if accepts or any(bar.style != "idle" for bar in row.bars):
            rows.append(row)
    return rows


def _thread(name: str, calls: Sequence[Call], links: dict[int, Link], namer: Namer, asleep: str) -> Row:
    own = [call for call in calls if not call.given]
    bars = [Bar(call.began, call.ended, "idle") for call in calls if call.name in GROUPS["accept"]]
    served: dict[Link, list[Call]] = {}
    for call in calls:
        if call.index in links and call.name not in (*GROUPS["accept"], "pthread_create"):
            served.setdefault(links[call.index], []).append(call)
    for link, some in served.items():
        ends = [call.ended for call in some]
        end = None if None in ends else max(end for end in ends if end is not None)
        bars.append(Bar(some[0].began, end, "bar", namer(link) or "client"))
    bars += [Bar(call.began, call.ended, "sends") for call in own if call.name in GROUPS["send"] and _waited(call)]
    bars += [Bar(call.began, call.ended, "stuck") for call in own if call.name == "pthread_join" and _waited(call)]
    pending = next((call for call in reversed(calls) if call.ended is None), None)
    note = f"in {pending.name}()" if pending else ""
    if pending and pending.where and not pending.given:
        note += f", line {pending.where.line}"
    stuck = pending is None and asleep == "futex" and bool(own)
    if stuck:
        last = max(call.ended for call in calls if call.ended is not None)
        bars.append(Bar(last, None, "stuck"))
        note = "waits for a lock/thread"
    stuck = stuck or pending is not None and pending.name == "pthread_join" and not pending.given
    return Row(name, tuple(bars), tuple((call.began, "struck") for call in own if call.faulted), note, stuck)


def _waited(call: Call) -> bool:
    return call.ended is None or call.ended - call.began >= BLOCKED


def _at_once(bars: Iterable[Bar]) -> int:
    """How many clients were served at the same time, at most."""
    changes: list[tuple[int, int]] = []
    spans: dict[str, tuple[int, int | None]] = {}
    for bar in bars:
        begin, end = spans.get(bar.label, (bar.begin, bar.end))
        spans[bar.label] = (min(begin, bar.begin), None if end is None or bar.end is None else max(end, bar.end))
    for begin, end in spans.values():
        changes += [(begin, 1)] + ([(end, -1)] if end is not None else [])
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


# ---- drawing ----------------------------------------------------------------------------------------

def _draw(timeline: Timeline, layout: Layout) -> str:
    rows = (*timeline.threads, *timeline.clients)
    moments = [time for row in rows for bar in row.bars for time in (bar.begin, bar.end) if time is not None]
    moments += [time for row in rows for time, _ in row.marks]
    early = timeline.begin - max((timeline.end - timeline.begin) // 1000, 100_000)
    clock = Clock([early, timeline.end, *(time for time in moments if early < time < timeline.end)], layout)
    body, y = [], 20.0
    for line in wrap(tell(timeline).split("; ")[0], layout.width - 24):
        body.append(text_at(12, y, line, "head"))
        y += 16
    top = y
    for name, some in (("threads", timeline.threads), ("clients", timeline.clients)):
        drawn, y = _block(name, some, clock, layout, y + 4)
        body += drawn
    grid, tears = clock.draw(top, y), clock.tears(top, y)
    shapes, words = [one for one in body if not one.startswith("<text")], [one for one in body if one.startswith("<text")]
    legend, height = _legend(timeline, layout, y + (50 if clock.cuts else 34))
    return picture(layout, height, "threads and clients over time", tell(timeline), [*grid, *shapes, *tears, *words, *legend])


def _block(name: str, rows: Sequence[Row], clock: Clock, layout: Layout, y: float) -> tuple[list[str], float]:
    """Threads or clients: rows with names where they are few, else close together."""
    if not rows:
        return [], y
    drawn = [text_at(12, y + 12, name, "dim")]
    y += 18
    if len(rows) <= FEW:
        for row in rows:
            drawn += _named(row, clock, layout, y)
            y += ROW + (NOTE if row.bad and layout.narrow else 0)
        return drawn, y + 4
    every = -(-len(rows) // MOST_ROWS)
    shown = rows[::every]
    high = min(ROW - 6, max(2, DENSE // len(shown)))
    drawn += _close_together(shown, clock, y, high)
    bottom = y + len(shown) * high
    drawn += [text_at(layout.left - 8, y + 9, "1", "dim", "end"), text_at(layout.left - 8, bottom, f"{len(rows):,}", "dim", "end")]
    notes = [row.note for row in rows if row.note]
    lines = [(f"{notes.count(note):,} {note}", any(row.bad for row in rows if row.note == note))
             for note in sorted(set(notes), key=lambda note: -notes.count(note))[:4]]
    if every > 1:
        lines.append((f"one row in {every} is drawn", False))
    if layout.narrow:
        for line, bad in lines:
            bottom += 15
            drawn.append(text_at(layout.left, bottom, line, "bad" if bad else "dim"))
    else:
        drawn += [text_at(layout.right + 12, y + 12 + 16 * at, line, "bad" if bad else "dim")
                  for at, (line, bad) in enumerate(lines)]
    return drawn, bottom + 8


def _close_together(rows: Sequence[Row], clock: Clock, y: float, high: int) -> list[str]:
    """The bars of many rows: one path a style, for hundreds of elements would make a large page."""
    paths: dict[str, list[str]] = {style: [] for style in WORDS}
    tall = high - (1 if high > 3 else 0)
    for number, row in enumerate(rows):
        for bar in row.bars:
            begin, end = clock(bar.begin), clock(bar.end if bar.end is not None else clock.last)
            wide = max(end - begin, 1.5)
            paths[bar.style].append(f"M{begin:.1f} {y + number * high:g}h{wide:.1f}v{tall}h-{wide:.1f}z")
    return [f'<path class="thin {style}" d="{"".join(parts)}"/>' for style, parts in paths.items() if parts]


def _named(row: Row, clock: Clock, layout: Layout, y: float) -> list[str]:
    drawn = [text_at(layout.left - 6, y + 12, row.name, "bad" if row.bad else "", "end")]
    taken: list[tuple[float, float]] = []
    for bar in row.bars:
        begin, end = clock(bar.begin), clock(bar.end if bar.end is not None else clock.last)
        drawn.append(box(bar.style, begin, end, y, ROW - 6, bar.end is None))
        free = not any(begin < other[1] and other[0] < end for other in taken)
        torn = min((clock(cut) for cut, _ in clock.cuts if clock(cut) > begin), default=end)
        if bar.label and free and length(bar.label) + 8 < min(end, torn) - begin:
            drawn.append(text_at(begin + 6, y + 12, bar.label, "on"))
        if bar.style == "bar":
            taken.append((begin, end))
    for time, kind in row.marks:
        if kind != "struck":
            drawn.append(f'<circle class="{kind}" cx="{clock(time):.1f}" cy="{y + 8:g}" r="3.5"/>')
    drawn += triangles((clock(time) for time, kind in row.marks if kind == "struck"), y)
    if row.note and not layout.narrow:
        drawn.append(text_at(layout.right + 14, y + 12, row.note, "bad" if row.bad else "dim"))
    elif row.bad:
        drawn.append(text_at(layout.right, y + ROW + 7, row.note, "bad", "end"))
    return drawn


def _legend(timeline: Timeline, layout: Layout, y: float) -> tuple[list[str], float]:
    """What the bars mean, those that there are; then what the test did."""
    rows = (*timeline.threads, *timeline.clients)
    styles = {bar.style for row in rows for bar in row.bars}
    kinds = {kind for row in rows for _, kind in row.marks} if len(timeline.clients) <= FEW else set()
    signs = [(f'<rect class="{style}" x="{{x}}" y="{{y}}" width="14" height="10" rx="2"/>', words)
             for style, words in WORDS.items() if style in styles]
    signs += [(f'<circle class="{kind}" cx="{{c}}" cy="{{m}}" r="3.5"/>', words)
              for kind, words in (("first", "first answer"), ("last", "end")) if kind in kinds]
    drawn, x = [], 12.0
    for sign, words in signs:
        if x > 12 and x + 20 + length(words) > layout.width - 8:
            x, y = 12.0, y + 18
        drawn += [sign.format(x=f"{x:g}", y=f"{y - 9:g}", c=f"{x + 7:g}", m=f"{y - 4:g}"), text_at(x + 20, y, words, "dim")]
        x += 20 + length(words) + 16
    for fault in timeline.faults[:2]:
        for line in wrap(f"▼ the test: {fault}", layout.width - 24):
            y += 17
            drawn.append(text_at(12, y, line, "bad"))
    if not timeline.whole:
        y += 17
        drawn.append(text_at(12, y, "only the program's first calls were recorded", "dim"))
    return drawn, y + 12


# ---- in words ---------------------------------------------------------------------------------------

def tell(timeline: Timeline) -> str:
    """The timeline in words: first one sentence for all, then what hadn't ended."""
    busy = sum(any(bar.style == "bar" for bar in row.bars) for row in timeline.threads)
    once = "none was served" if not timeline.at_once else f"at most {timeline.at_once:,} served at the same time"
    head = f"{count(len(timeline.clients), 'client')}, {once}" + (f", by {count(busy, 'thread')}" if busy else "")
    head = head if timeline.clients else "no client came yet"
    open_ones = [f"{row.name}: {row.note}" for row in (*timeline.threads, *timeline.clients) if row.note]
    more = [f"and {len(open_ones) - 12:,} more like these"] if len(open_ones) > 12 else []
    return "; ".join([head, *open_ones[:12], *more])
