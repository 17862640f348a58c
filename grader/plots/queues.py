"""What lay in the queues of one connection over time, at both of its ends. Pure functions.

The program's end is known at each of its calls, the peer's at each of its events, and both whenever the grader looked
while it waited. Each of these is a dot; a line between two dots says no more than that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..evidence import Call, Evidence, PeerSeen, Queues, RunSeen
from ..ladder.links import Link, links_of
from ..ladder.svg import text_at
from ..faults import GROUPS
from ..text import count
from .frame import WIDE, Clock, Layout, box, duration, length, picture, triangles, wrap

BLOCKED = 5_000_000                     # ns: a call that took so long has waited
PANEL, LANE = 120, 16                   # heights
MOST_DOTS = 60
MOST_POINTS = 600
SERIES = (("unacked", "one", "not acknowledged"), ("unsent", "two", "not sent yet"), ("unread", "three", "unread"))


@dataclass(frozen=True)
class Sample:
    """What one end held at a moment."""

    time: int
    queues: Queues


@dataclass(frozen=True)
class Scene:
    """One connection from both sides."""

    run: RunSeen
    peer: PeerSeen
    calls: tuple[Call, ...]             # of the program, on this connection
    ours: tuple[Sample, ...]
    theirs: tuple[Sample, ...]
    moments: tuple[tuple[int, str], ...]    # the peer's events
    end: int


def draw(evidence: Evidence, layout: Layout = WIDE) -> str | None:
    """One <svg> element; None where nothing was noted, or nothing ever lay in a queue."""
    scene = scene_of(evidence)
    return None if scene is None else _draw(scene, evidence.file, layout)


def scene_of(evidence: Evidence) -> Scene | None:
    """The connection that the failure is about: of that peer, and the one with most in its queues."""
    run = evidence.run
    if run is None:
        return None
    links = links_of(run.calls, evidence.peers)
    scenes = {link: _scene(run, evidence, link, links) for link in sorted(set(links.values()))}
    found = [(link[0] == evidence.failure.peer, peak(scene.ours) + peak(scene.theirs), scene)
             for link, scene in scenes.items() if peak(scene.ours) + peak(scene.theirs)]
    return max(found, key=lambda one: one[:2])[2] if found else None


def _scene(run: RunSeen, evidence: Evidence, link: Link, links: dict[int, Link]) -> Scene:
    peer = evidence.peers[link[0]]
    calls = tuple(call for call in run.calls if links.get(call.index) == link
                  or call.name in GROUPS["poll"] and _blocked(call))
    events = [event for event in peer.events if event.connection == link[1]]
    looks = [look for look in peer.looks if look.connection == link[1]]
    ours = [Sample(call.began if call.name == "close" else call.ended, call.queues)
            for call in calls if call.queues is not None and call.ended is not None]
    ours += [Sample(look.time, look.program) for look in looks if look.program is not None]
    theirs = [Sample(event.time, event.queues) for event in events if event.queues is not None]
    theirs += [Sample(look.time, look.peer) for look in looks if look.peer is not None]
    if not any(call.name == "close" and call.ended is not None for call in calls) and ours and looks and \
            looks[-1].program is not None:
        ours.append(Sample(max(evidence.time, ours[-1].time), looks[-1].program))      # it was looked at once more
    if theirs and looks and looks[-1].peer is not None:
        theirs.append(Sample(max(evidence.time, theirs[-1].time), looks[-1].peer))
    in_order = [tuple(sorted(side, key=lambda sample: sample.time)) for side in (ours, theirs)]
    return Scene(run, peer, calls, in_order[0], in_order[1], tuple((event.time, event.kind) for event in events),
                 evidence.time)


def _blocked(call: Call) -> bool:
    return call.ended is None or call.ended - call.began >= BLOCKED


def peak(samples: Sequence[Sample]) -> int:
    """The most bytes that lay in one queue."""
    return max((max(s.queues.unacked, s.queues.unread) for s in samples), default=0)


def buffers(samples: Sequence[Sample]) -> tuple[int, int]:
    """SO_SNDBUF and SO_RCVBUF as they were last; 0 where they aren't known."""
    known = [sample.queues for sample in samples if sample.queues.send_buffer]
    return (known[-1].send_buffer, known[-1].recv_buffer) if known else (0, 0)


# ---- drawing ----------------------------------------------------------------------------------------

def _draw(scene: Scene, file: str, layout: Layout) -> str:
    own = [call for call in scene.calls if not call.given]
    moments = [sample.time for sample in (*scene.ours, *scene.theirs)] + [time for time, _ in scene.moments]
    moments += [time for call in own for time in (call.began, call.ended) if time is not None]
    clock = Clock([*moments, max(scene.end, max(moments))], layout)
    body, y = _lanes(scene, own, clock, layout, 26)
    for name, samples in ((f"your program's end ({file})", scene.ours), ("the peer's end", scene.theirs)):
        drawn, y = _panel(name, samples, clock, layout, y + 8)
        body += drawn
    grid = clock.draw(30, y)
    tears = clock.tears(30, y)
    title = text_at(layout.left, 20, "what lay in the queues, in bytes", "head")
    return picture(layout, y + (42 if clock.cuts else 26), "the queues over time", tell(scene),
                   [*grid, title, *_behind(body, tears)])


def _behind(body: list[str], tears: list[str]) -> list[str]:
    """Tears cover curves and bars, and no text."""
    texts = [one for one in body if one.startswith("<text")]
    return [*(one for one in body if not one.startswith("<text")), *tears, *texts]


def _lanes(scene: Scene, own: Sequence[Call], clock: Clock, layout: Layout, y: float) -> tuple[list[str], float]:
    """A strip for the program's calls, and below it a line for each thing to be said of them."""
    y += 10
    drawn = [text_at(layout.left - 8, y + 12, "calls", "dim", "end")]
    notes: list[tuple[float, str, str]] = []
    for call in own:
        begin, end = clock(call.began), clock(call.ended if call.ended is not None else clock.last)
        never = call.ended is None
        if _blocked(call):
            drawn.append(box("stuck" if never else "waits", begin, end, y, LANE, never))
            notes.append((begin, _waited(call), "bad" if never else "wait"))
        else:
            drawn.append(f'<line class="tick" x1="{begin:.1f}" y1="{y + 2:g}" x2="{begin:.1f}" y2="{y + LANE - 2:g}"/>')
    drawn += triangles((clock(call.began) for call in own if call.faulted), y - 1)
    faults = sorted({call.faulted for call in own if call.faulted})
    y += LANE
    lines: list[tuple[str, str]] = []
    said = list(dict.fromkeys((words, style) for _, words, style in notes))
    for words, style in said[:2]:
        lines += [(line, style) for line in wrap(words, layout.width - layout.left - 12)]
    if len(said) > 2:
        lines.append((f"and {len(said) - 2} more that waited", "wait"))
    for fault in faults[:2]:
        lines += [(line, "bad") for line in wrap(f"▼ the test: {fault}", layout.width - layout.left - 12)]
    for line, style in lines:
        y += 15
        drawn.append(text_at(layout.left, y, line, style))
    theirs, y = _peers_lane(scene, clock, layout, y + 8)
    return drawn + theirs, y + 8


def _peers_lane(scene: Scene, clock: Clock, layout: Layout, y: float) -> tuple[list[str], float]:
    """A strip for the peer's events, and for what it still waited for."""
    drawn = [text_at(layout.left - 8, y + 12, "peer", "dim", "end")]
    for time, kind in scene.moments:
        if kind not in ("waiting", "trouble"):
            x = clock(time)
            drawn.append(f'<line class="tick" x1="{x:.1f}" y1="{y + 2:g}" x2="{x:.1f}" y2="{y + LANE - 2:g}"/>')
    waited = scene.peer.trouble or ""
    y += LANE
    if scene.moments and waited.startswith("still waited"):
        told = waited == "still waited for go"
        drawn.insert(0, box("idle" if told else "stuck", clock(scene.moments[-1][0]), clock(clock.last), y - LANE, LANE, True))
        words = "the peer waited, as it was told to" if told else f"the peer {waited}"
        for line in wrap(words, layout.width - layout.left - 12):
            y += 15
            drawn.append(text_at(layout.left, y, line, "dim" if told else "bad"))
    return drawn, y


def _waited(call: Call) -> str:
    where = f", {call.where.file}:{call.where.line}" if call.where else ""
    if call.ended is None:
        return f"{call.name}() never returned{where}"
    return f"{call.name}() waited for {duration(call.ended - call.began)}{where}"


def _panel(name: str, samples: Sequence[Sample], clock: Clock, layout: Layout, y: float) -> tuple[list[str], float]:
    """One end: its three queues, and what its buffers may hold."""
    send, recv = buffers(samples)
    highest = max(peak(samples), 1)
    near = [size for size in (send, recv) if size and size <= 3 * highest]
    most = max([highest, *near])
    beyond = [f"{option} {size:,}" for option, size in (("SO_SNDBUF", send), ("SO_RCVBUF", recv))
              if size and size not in near]
    head = name + (f" · {', '.join(beyond)}: higher than this picture" if beyond else "")
    heads = wrap(head, layout.width - 24 if layout.narrow else layout.right - layout.left)
    drawn = [text_at(layout.left if not layout.narrow else 12, y + 12 + 15 * at, line, "head" if at == 0 and not beyond else "")
             for at, line in enumerate(heads)]
    top = y + 15 * len(heads) + (16 if near else 6)
    bottom = top + PANEL

    def level(size: int) -> float:
        return bottom - PANEL * size / most

    drawn += [f'<line class="axis" x1="{layout.left}" y1="{bottom:g}" x2="{layout.right}" y2="{bottom:g}"/>',
              text_at(layout.left - 6, bottom + 4, "0", "dim", "end")]
    marks = [highest] if highest > 1 else []
    drawn += [text_at(layout.left - 6, level(size) + 4, f"{size:,}", "dim", "end") for size in marks]
    drawn += _limits(send if send in near else 0, recv if recv in near else 0, level, layout)
    across = [clock(one.time) for one in samples]
    for key, style, _ in SERIES:
        sizes = [getattr(one.queues, key) for one in samples]
        drawn += _curve([(x, level(size), size) for x, size in zip(across, sizes)], style, bottom)
    labels, bottom = _labels(samples, level, layout, bottom)
    return drawn + labels, bottom + 8


def _limits(send: int, recv: int, level: Callable[[int], float], layout: Layout) -> list[str]:
    drawn = []
    words = [(send, "one", "SO_SNDBUF"), (recv, "three", "SO_RCVBUF")]
    if send == recv:
        words = [(send, "one", "SO_SNDBUF = SO_RCVBUF")]
    for size, style, option in words:
        if size:
            y = level(size)
            drawn += [f'<line class="limit {style}" x1="{layout.left}" y1="{y:.1f}" x2="{layout.right}" y2="{y:.1f}"/>',
                      text_at(layout.left + 6, y - 4, f"{option} {size:,}", style)]
    return drawn


def _curve(points: list[tuple[float, float, int]], style: str, bottom: float) -> list[str]:
    if not any(size for _, _, size in points):
        return []
    points = _thin(points)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    drawn = [f'<polyline class="curve {style}" points="{line}"/>']
    if style != "three":                # what is to be sent fills the box
        drawn.insert(0, f'<polygon class="under {style}" points="{points[0][0]:.1f},{bottom:g} {line} '
                        f'{points[-1][0]:.1f},{bottom:g}"/>')
    if len(points) <= MOST_DOTS:
        drawn += [f'<circle class="dot {style}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y, _ in points]
    return drawn


def _thin(points: list[tuple[float, float, int]]) -> list[tuple[float, float, int]]:
    """Of very many points, at each pixel the first, the highest, the lowest and the last."""
    if len(points) <= MOST_POINTS:
        return points
    columns: dict[int, list[tuple[float, float, int]]] = {}
    for point in points:
        columns.setdefault(int(point[0]), []).append(point)
    kept = []
    for column in columns.values():
        some = {0, len(column) - 1, max(range(len(column)), key=lambda at: column[at][2]),
                min(range(len(column)), key=lambda at: column[at][2])}
        kept += [column[at] for at in sorted(some)]
    return kept


def _labels(samples: Sequence[Sample], level: Callable[[int], float], layout: Layout,
            bottom: float) -> tuple[list[str], float]:
    """What each line is and holds last: beside the axis where there is room, else below."""
    if not samples:
        return [], bottom
    last = samples[-1].queues
    words = [(getattr(last, key), style, f"{getattr(last, key):,} {name}") for key, style, name in SERIES]
    if layout.narrow:
        drawn, y, x = [], bottom + 16, 12.0
        for _, style, said in reversed(words):
            if x > 12 and x + length(said) + 14 > layout.width - 8:
                x, y = 12.0, y + 16
            drawn += [f'<circle class="dot {style}" cx="{x + 4:g}" cy="{y - 4:g}" r="4"/>', text_at(x + 12, y, said, style)]
            x += length(said) + 24
        return drawn, y + 4
    drawn, lowest = [], bottom + 4
    for size, style, said in sorted(words, key=lambda one: (one[0], one[1] == "two")):
        y = min(level(size) + 4, lowest)
        drawn.append(text_at(layout.right + 12, y, said, style))
        lowest = y - 15
    return drawn, bottom


# ---- in words ---------------------------------------------------------------------------------------

def tell(scene: Scene) -> str:
    """The plot in words, for who can't see it."""
    said = []
    for name, samples in (("your program", scene.ours), ("the peer", scene.theirs)):
        if samples:
            send, recv = buffers(samples)
            last, most = samples[-1].queues, peak(samples)
            limits = f", with a send buffer of {send:,} and a receive buffer of {recv:,} bytes" if send else ""
            said.append(f"at the end of {name}{limits}: at most {count(most, 'byte')} in one queue; last "
                        f"{last.unsent:,} not sent yet, {last.unacked:,} not acknowledged, {last.unread:,} unread")
    waits = [_waited(call) for call in scene.calls if not call.given and _blocked(call)]
    waited = scene.peer.trouble or ""
    return "; ".join([*said, *waits[:3], *([f"the peer {waited}"] if waited else [])])
