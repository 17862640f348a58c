"""What the plots share: sizes, colours, text, and a time axis that leaves out where nothing happens. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..ladder.svg import plain, text_at
from ..report import screen

CHAR = 6.9                              # a column of 12 pixel text, at most, on the average
BREAK = 30                              # pixels of a piece of time that is left out
MOST_BREAKS = 4
SHORT = 2_000_000                       # ns: nothing shorter is left out
STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Layout:
    """How wide a plot is and where its axis stands, in pixels."""

    width: int
    left: int                       # where the axis begins: what stands before it names rows
    right: int                      # where it ends

    @property
    def narrow(self) -> bool:
        """Whether notes have no room beside the axis."""
        return self.width < 600


WIDE = Layout(900, 100, 716)
NARROW = Layout(358, 58, 346)           # for a phone


_STYLE = """
.plot{--ink:#1f2328;--dim:#59636e;--line:#d1d9e0;--paper:#ffffff;--one:#0860ca;--two:#8250df;--three:#b04000;--wait:#875800;--bad:#b3261e;--soft:.16}
@media(prefers-color-scheme:dark){.plot{--ink:#e6edf3;--dim:#9198a1;--line:#3d444d;--paper:#0d1117;--one:#5ea4ff;--two:#b88cff;--three:#f0883e;--wait:#e3b341;--bad:#ff8a80;--soft:.24}}
.plot .paper{fill:var(--paper)}
.plot text{font:12px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;fill:var(--ink);paint-order:stroke;stroke:var(--paper);stroke-width:3px}
.plot .head{font-weight:600}.plot text.dim{fill:var(--dim)}.plot text.one{fill:var(--one)}.plot text.two{fill:var(--two)}
.plot text.three{fill:var(--three)}.plot text.wait{fill:var(--wait)}.plot text.bad{fill:var(--bad)}
.plot text.on{fill:var(--paper);stroke:none;font-weight:600}
.plot .grid{stroke:var(--line);stroke-width:1}.plot .axis{stroke:var(--dim);stroke-width:1}
.plot .curve{fill:none;stroke-width:2;stroke-linejoin:round}.plot .under{stroke:none;fill-opacity:var(--soft)}
.plot .one{stroke:var(--one)}.plot .two{stroke:var(--two)}.plot .three{stroke:var(--three)}.plot .bad{stroke:var(--bad)}
.plot text.one,.plot text.two,.plot text.three,.plot text.bad{stroke:var(--paper)}
.plot .under.one,.plot .dot.one{fill:var(--one)}.plot .under.two,.plot .dot.two{fill:var(--two)}
.plot .under.three,.plot .dot.three{fill:var(--three)}.plot .dot{stroke:none}
.plot .one.curve{stroke-width:4;stroke-opacity:.75}.plot .under.one,.plot .under.two,.plot .dot{stroke:none}
.plot .limit{stroke-width:1.2;stroke-dasharray:5 4;fill:none}.plot .gap{fill:var(--paper);stroke:none}
.plot .tear{stroke:var(--dim);stroke-width:1;fill:none}
.plot .bar{stroke:none;fill:var(--one)}.plot .pale{stroke:var(--one);stroke-width:1;fill:var(--one);fill-opacity:var(--soft)}
.plot .waits{stroke:var(--wait);stroke-width:1;fill:var(--wait);fill-opacity:var(--soft)}
.plot .sends{stroke:none;fill:var(--wait)}.plot .thin{stroke:none}.plot .thin.pale{fill-opacity:.35}.plot .thin.waits{fill-opacity:.7}.plot .thin.stuck{fill-opacity:.9}
.plot .idle{stroke:var(--line);stroke-width:1;fill:var(--dim);fill-opacity:.1}
.plot .stuck{stroke:var(--bad);stroke-width:1.2;fill:var(--bad);fill-opacity:var(--soft)}
.plot .tick{stroke:var(--dim);stroke-width:1.2}.plot .struck{fill:var(--bad);stroke:none}
.plot .first{fill:var(--paper);stroke:var(--ink);stroke-width:1}.plot .last{fill:var(--ink);stroke:none}
@media print{.plot{--ink:#000;--dim:#444;--line:#bbb;--paper:#fff}}
"""


class Clock:
    """Where a moment stands on the time axis. Long pieces without any event are cut to a few pixels.

    moments: when something happened, ns, in any order; at least one.
    """

    def __init__(self, moments: Iterable[int], layout: Layout) -> None:
        times = sorted(set(moments))
        self.first, self.last = times[0], times[-1]
        self._left, self._right = layout.left, layout.right
        self._edge = min(layout.right + 30, layout.width - 4)
        self.cuts = _cuts(times)
        borders = [self.first, *(moment for cut in self.cuts for moment in cut), self.last]
        self.pieces = list(zip(borders[::2], borders[1::2]))        # the times that are drawn to scale
        shown = sum(end - begin for begin, end in self.pieces)
        room = self._right - self._left - BREAK * len(self.cuts)
        self._scale = room / shown if shown else 0.0
        self.shown = shown

    def __call__(self, moment: int) -> float:
        """The x of a moment; what is before the first or after the last stands at the edge."""
        moment = min(max(moment, self.first), self.last)
        x = float(self._left)
        for number, (begin, end) in enumerate(self.pieces):
            if moment <= end or number == len(self.cuts):
                if moment < begin:          # inside of what is cut out
                    before = self.pieces[number - 1][1]
                    return x - BREAK * (1 - (moment - before) / (begin - before))
                return x + (moment - begin) * self._scale
            x += (end - begin) * self._scale + BREAK
        return x

    def draw(self, top: float, bottom: float) -> list[str]:
        """Grid lines with their times below, and what is cut out, torn."""
        drawn: list[str] = []
        step = _nice(self.shown / max(2.0, (self._right - self._left) / 90))
        taken = -1000.0
        for begin, end in self.pieces:
            tick = math.ceil((begin - self.first) / step) * step
            while tick <= end - self.first and len(drawn) < 400:
                x = self(self.first + int(tick))
                drawn.append(f'<line class="grid" x1="{x:.1f}" y1="{top:g}" x2="{x:.1f}" y2="{bottom:g}"/>')
                words = duration(tick, step)
                if x - len(words) * CHAR / 2 > taken and x + len(words) * CHAR / 2 < self._edge:
                    drawn.append(text_at(x, bottom + 15, words, "dim", "middle"))
                    taken = x + len(words) * CHAR / 2 + 8
                tick += step
        return drawn

    def tears(self, top: float, bottom: float) -> list[str]:
        """Over everything: where time is left out, with how much."""
        drawn = []
        for begin, end in self.cuts:
            x = self(begin) + 4
            drawn.append(f'<rect class="gap" x="{x:.1f}" y="{top:g}" width="{BREAK - 8}" height="{bottom - top:g}"/>')
            for at in (x, x + BREAK - 8):
                zigzag = " ".join(f"{at + (3 if number % 2 else -3):.1f},{y:g}" for number, y in
                                  enumerate([*range(int(top), int(bottom), 12), int(bottom)]))
                drawn.append(f'<polyline class="tear" points="{zigzag}"/>')
            words = f"{duration(end - begin)} later"
            middle = min(x + BREAK / 2 - 4, self._edge - length(words) / 2)
            drawn.append(text_at(middle, bottom + 31, words, "dim", "middle"))
        return drawn


def _cuts(times: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The pieces of time to be left out: each longer than half of all that would be left. On both sides of each a
    little stays, so that one sees what went on meanwhile; cuts that would nearly touch become one."""
    gaps = sorted(((end - begin, begin, end) for begin, end in zip(times, times[1:])), reverse=True)
    left = times[-1] - times[0]
    found: list[tuple[int, int]] = []
    for long, begin, end in gaps[:MOST_BREAKS]:
        if len(times) < 4 or long < 0.5 * left or long < SHORT:
            break
        found.append((begin, end))
        left -= long
    stub = max(left // 10, 1000)
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(found):
        if joined and begin - joined[-1][1] < 2 * stub:
            begin = joined.pop()[0]
        joined.append((begin, end))
    return tuple((begin + stub, end - stub) for begin, end in joined)


def _nice(at_least: float) -> float:
    """The least round step, in ns."""
    power = 10.0 ** math.floor(math.log10(max(at_least, 1.0)))
    return next(step * power for step in (*STEPS, 10) if step * power >= at_least)


def duration(ns: float, step: float = 0) -> str:
    """ "0.2 ms": as exact as steps of that size need."""
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if max(ns, step) >= unit or name == "µs":
            size = ns / unit
            digits = 0 if ns == 0 or size >= 100 or step and step % unit == 0 else 1 if size >= 10 else 2
            return f"{size:.{digits}f}".rstrip("0").rstrip(".") + f" {name}" if digits else f"{size:.0f} {name}"
    return ""


def length(words: str) -> float:
    """The pixels that a text takes, rather too many."""
    return screen.width(words) * CHAR


def wrap(words: str, room: float) -> list[str]:
    """The text in lines of at most so many pixels; a word that is longer is cut."""
    lines: list[str] = []
    for word in words.split():
        if lines and length(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
            continue
        lines.append(word if length(word) <= room else word[:max(1, int(room / CHAR) - 1)] + "…")
    return lines


def box(style: str, begin: float, end: float, y: float, height: float, open_end: bool = False) -> str:
    """A bar from x to x; one that never ends has no right edge but an arrow."""
    width = max(end - begin, 1.5)
    if not open_end or height < 6:
        return f'<rect class="{style}" x="{begin:.1f}" y="{y:g}" width="{width:.1f}" height="{height:g}" rx="{2 if height > 6 else 0}"/>'
    middle, edge = y + height / 2, begin + width
    return (f'<polygon class="{style}" points="{begin:.1f},{y:g} {edge:.1f},{y:g} {edge + 7:.1f},{middle:g} '
            f'{edge:.1f},{y + height:g} {begin:.1f},{y + height:g}"/>')


def triangles(places: Iterable[float], y: float) -> list[str]:
    """Each points at what the test put in; of those that would lie on each other, the first."""
    drawn, last = [], -10.0
    for x in sorted(places):
        if x - last >= 9:
            drawn.append(f'<polygon class="struck" points="{x:.1f},{y:g} {x - 4:.1f},{y - 7:g} {x + 4:.1f},{y - 7:g}"/>')
            last = x
    return drawn


def picture(layout: Layout, height: float, title: str, told: str, body: Iterable[str]) -> str:
    """The whole <svg> element. title and told: what a screen reader says."""
    return (f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {layout.width} {height:g}" '
            f'width="{layout.width}" height="{height:g}" role="img" style="max-width:100%;height:auto">'
            f"<title>{plain(title)}</title><desc>{plain(told)}</desc><style>{_STYLE}</style>"
            f'<rect class="paper" width="{layout.width}" height="{height:g}" rx="6"/>{"".join(body)}</svg>\n')
