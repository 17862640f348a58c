"""A ladder as SVG: one self-contained picture that a page can hold as it is, in light and in dark. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import safe
from ..report import screen
from .fold import choose
from .labels import label
from .model import Arrow, Ladder, Rung, Tone, Way
from .terminal import clip

MOST_RUNGS = 60
ROW, TOP = 22, 40
CHAR = 7.3                              # a column of 12 pixel monospace


@dataclass(frozen=True)
class Layout:
    """Where the columns stand, in pixels."""

    width: int
    numbers: int                    # where numbers end
    left: int                       # where calls begin
    line_left: int                  # the two life lines
    line_right: int

    @property
    def right(self) -> int:
        """Where the peer's words begin."""
        return self.line_right + 10

    @property
    def calls(self) -> int:
        """Columns of a call."""
        return int((self.line_left - self.left - 8) / CHAR)

    @property
    def words(self) -> int:
        """Columns of the peer's words."""
        return int((self.width - self.right - 8) / CHAR)

    @property
    def label(self) -> int:
        """Columns on an arrow."""
        return int((self.line_right - self.line_left - 36) / CHAR)


WIDE = Layout(900, 52, 64, 372, 628)
NARROW = Layout(480, 44, 52, 236, 336)  # for a phone


_STYLE = """
.ladder{--ink:#1f2328;--dim:#656d76;--bad:#b3261e;--wait:#8a5300;--line:#c5ccd3;--paper:#ffffff;--mark:#fff3c4}
@media(prefers-color-scheme:dark){.ladder{--ink:#e6edf3;--dim:#9198a1;--bad:#ff8a80;--wait:#f2b84b;--line:#484f58;--paper:#0d1117;--mark:#3a3000}}
.ladder .paper{fill:var(--paper)}
.ladder text{font:12px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono","Noto Sans Mono CJK SC",monospace;fill:var(--ink);white-space:pre}
.ladder .head{font-weight:bold}.ladder .end{font-weight:bold}
.ladder .dim{fill:var(--dim)}.ladder .bad{fill:var(--bad)}.ladder .waits,.ladder .fault{fill:var(--wait)}
.ladder .lane{stroke:var(--line);stroke-width:1.5}.ladder .arrow{stroke:var(--ink);stroke-width:1.2}
.ladder .tip{fill:var(--ink)}.ladder .tip.dim{fill:var(--dim)}.ladder .arrow.dim{stroke:var(--dim)}.ladder .focus{fill:var(--mark)}
.ladder .back{fill:var(--paper)}
@media print{.ladder{--ink:#000;--dim:#444;--bad:#800;--wait:#640;--line:#999;--paper:#fff;--mark:#eee}}
"""


def draw_svg(ladder: Ladder, title: str = "the conversation", layout: Layout = WIDE, most: int = MOST_RUNGS) -> str:
    """One <svg> element. title: what a screen reader says first."""
    rungs = choose(ladder.rungs, most)
    body: list[str] = []
    told: set[str] = set()
    y = TOP + ROW
    for rung in rungs:
        drawn, y = _rung(rung, y, told, layout)
        body += drawn
    width, height = layout.width, y + 4
    lanes = "".join(f'<line class="lane" x1="{x}" y1="{TOP}" x2="{x}" y2="{height - 8}"/>'
                    for x in (layout.line_left, layout.line_right))
    room = layout.width - 12 - layout.left - screen.width(ladder.peers) * CHAR
    place, anchor = (layout.right, "start") if screen.width(ladder.peers) <= layout.words else (width - 12, "end")
    head = text_at(layout.numbers, 26, "line", "dim", "end") + text_at(place, 26, ladder.peers, "head", anchor) + \
        text_at(layout.left, 26, clip(ladder.program, int(room / CHAR) - 1), "head")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" class="ladder" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" style="max-width:100%;height:auto"><title>{plain(title)}</title>'
            f'<desc>{plain(describe(ladder, rungs))}</desc><style>{_STYLE}</style>'
            f'<rect class="paper" width="{width}" height="{height}" rx="6"/>{lanes}{head}{"".join(body)}</svg>\n')


def describe(ladder: Ladder, rungs: Sequence[Rung]) -> str:
    """The ladder in words, for who can't see it."""
    said = []
    for rung in rungs:
        if rung.gap:
            said.append(f"{rung.gap} more")
            continue
        where = f"line {rung.where.line}, " if rung.where else ""
        carried = label(rung.arrow, 40, str) if rung.arrow else ""
        parts = [rung.left and where + rung.left, carried, rung.right and f"{ladder.peers}: {rung.right}",
                 rung.fault and f"the test: {rung.fault}", *rung.notes]
        said.append(", ".join(part for part in parts if part))
    return "; ".join(said)


def plain(words: str) -> str:
    """Text that XML takes as text: no markup, no control characters."""
    return safe.html(words)


def text_at(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    """One line of text at these pixels; "" draws nothing."""
    if not words:
        return ""
    kind = f' class="{style}"' if style else ""
    where = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{round(x, 1):g}" y="{y:g}"{kind}{where}>{plain(words)}</text>'


def _rung(rung: Rung, y: int, told: set[str], layout: Layout) -> tuple[list[str], int]:
    """What is drawn for a rung whose text stands at y, and where the next one stands."""
    if rung.gap:
        return [text_at(layout.left, y, f"… {rung.gap:,} more …", "dim")], y + ROW
    tone = "" if rung.tone is Tone.PLAIN else rung.tone.value
    arrow, notes = rung.arrow, rung.notes
    if arrow is None and rung.tone is Tone.WAITS and notes and screen.width(notes[0]) <= layout.label:
        arrow, notes = Arrow(Way.NONE, words=notes[0]), notes[1:]
    number = "given" if rung.given else clip(str(rung.where.line), 5) if rung.where else ""
    call = _call(rung, arrow, layout)
    long = screen.width(call) > layout.calls
    until = layout.left + screen.width(call) * CHAR + 4 if long else layout.line_left - 4
    drawn = [f'<rect class="focus" x="4" y="{y - 15}" width="{until - 4:g}" height="{ROW - 1}" rx="3"/>'] * rung.focus
    drawn += [_behind(layout.left, y, call)] * (long and not rung.focus)
    drawn += [text_at(layout.numbers, y, ("! " if rung.fault else "") + number, "fault" if rung.fault else "dim", "end"),
              text_at(layout.left, y, call, tone)]
    drawn += _arrow(arrow, y, tone, layout)
    drawn += _words(rung, arrow, y, tone, layout)
    y += ROW
    fault = f"the test: {rung.fault}" if rung.fault else ""
    below = [(fault, "fault")] if fault and fault not in told else []
    told.add(fault)
    for note, style in [*below, *((note, "waits" if rung.tone is Tone.WAITS else "dim") for note in notes)]:
        shown = clip(note, int((layout.width - layout.left - 24) / CHAR))
        drawn += [_behind(layout.left + 14, y, shown), text_at(layout.left + 14, y, shown, style)]
        y += ROW
    return drawn, y


def _call(rung: Rung, arrow: Arrow | None, layout: Layout) -> str:
    """The call, as long as there is room: over the lanes where nothing else stands there."""
    alone = arrow is None and (not rung.right or rung.right.startswith("("))
    room = int((layout.width - layout.left - 8) / CHAR) if alone else layout.calls
    forms = [f"{rung.thread}: {text}" if rung.thread and text else text for text in (rung.left, *rung.short)]
    return clip(next((form for form in forms if screen.width(form) <= room), forms[-1]), room)


def _words(rung: Rung, arrow: Arrow | None, y: int, tone: str, layout: Layout) -> list[str]:
    """The peer's words; long ones stand over the lanes where nothing else does."""
    style = tone if not rung.left or rung.tone is Tone.DIM else ""
    if screen.width(rung.right) <= layout.words:
        return [text_at(layout.right, y, rung.right, style)]
    if arrow is not None or rung.left:
        beside = rung.right.startswith("(")
        return [] if beside else [text_at(layout.right, y, clip(rung.right, layout.words), style)]
    text = clip(rung.right, int((layout.width - layout.left - 16) / CHAR))
    return [_behind(layout.width - 12 - screen.width(text) * CHAR, y, text), text_at(layout.width - 12, y, text, style, "end")]


def _behind(x: float, y: float, text: str) -> str:
    """Paper behind a text, so that no life line goes through it."""
    return f'<rect class="back" x="{x - 3:g}" y="{y - 13}" width="{screen.width(text) * CHAR + 6:g}" height="17"/>'


def _arrow(arrow: Arrow | None, y: int, tone: str, layout: Layout) -> list[str]:
    if arrow is None:
        return []
    left, right = layout.line_left, layout.line_right
    text = label(arrow, layout.label, str)
    if arrow.way is Way.NONE:
        return [text_at(left + 16, y, text, tone)]
    at, middle = y - 4, (left + right) / 2
    dim = " dim" if tone == "dim" else ""
    tip, back = (right - 2, right - 10) if arrow.way is Way.OUT else (left + 2, left + 10)
    line = f'<line class="arrow{dim}" x1="{left + 2}" y1="{at}" x2="{right - 2}" y2="{at}"/>'
    head = f'<polygon class="tip{dim}" points="{tip},{at} {back},{at - 4} {back},{at + 4}"/>'
    if not text:
        return [line, head]
    under = _behind(middle - screen.width(text) * CHAR / 2, y, text)
    return [line, head, under, text_at(middle, y, text, tone, "middle")]
