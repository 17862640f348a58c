"""A ladder as SVG: one self-contained picture that a page can hold as it is, in light and in dark. Pure functions."""

from __future__ import annotations

import html
from collections.abc import Sequence

from ..report.screen import width
from .fold import choose
from .labels import label
from .model import Arrow, Ladder, Rung, Tone, Way
from .terminal import clip

MOST_RUNGS = 60
WIDTH, ROW, TOP = 900, 22, 40
CHAR = 7.3                              # a column of 12 pixel monospace
NUMBERS, LEFT, RIGHT = 52, 64, 640      # where numbers end, calls and the peer's words begin
LINE_LEFT, LINE_RIGHT = 372, 628        # the two life lines
CALL = int((LINE_LEFT - LEFT - 8) / CHAR)
WORDS = int((WIDTH - RIGHT - 8) / CHAR)
LABEL = int((LINE_RIGHT - LINE_LEFT - 40) / CHAR)

_STYLE = """
.ladder{--ink:#1f2328;--dim:#656d76;--bad:#b3261e;--wait:#8a5300;--line:#c5ccd3;--paper:#ffffff;--mark:#fff3c4}
@media(prefers-color-scheme:dark){.ladder{--ink:#e6edf3;--dim:#9198a1;--bad:#ff8a80;--wait:#f2b84b;--line:#484f58;--paper:#0d1117;--mark:#3a3000}}
.ladder .paper{fill:var(--paper)}
.ladder text{font:12px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono","Noto Sans Mono CJK SC",monospace;fill:var(--ink);white-space:pre}
.ladder .head{font-weight:bold}.ladder .end{font-weight:bold}
.ladder .dim{fill:var(--dim)}.ladder .bad{fill:var(--bad)}.ladder .waits,.ladder .fault{fill:var(--wait)}
.ladder .lane{stroke:var(--line);stroke-width:1.5}.ladder .arrow{stroke:var(--ink);stroke-width:1.2}
.ladder .tip{fill:var(--ink)}.ladder .arrow.dim{stroke:var(--dim)}.ladder .focus{fill:var(--mark)}
.ladder .back{fill:var(--paper)}
@media print{.ladder{--ink:#000;--dim:#444;--bad:#800;--wait:#640;--line:#999;--paper:#fff;--mark:#eee}}
"""


def draw_svg(ladder: Ladder, title: str = "the conversation", most: int = MOST_RUNGS) -> str:
    """One <svg> element. title: what a screen reader says first."""
    rungs = choose(ladder.rungs, most)
    body: list[str] = []
    told: set[str] = set()
    y = TOP + ROW
    for rung in rungs:
        drawn, y = _rung(rung, y, told)
        body += drawn
    height = y + 4
    lanes = "".join(f'<line class="lane" x1="{x}" y1="{TOP}" x2="{x}" y2="{height - 8}"/>' for x in (LINE_LEFT, LINE_RIGHT))
    head = _text(NUMBERS, 26, "line", "dim", "end") + _text(LEFT, 26, ladder.program, "head") + \
        _text(RIGHT, 26, ladder.peers, "head")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" class="ladder" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" style="max-width:100%;height:auto"><title>{plain(title)}</title>'
            f'<desc>{plain(describe(ladder, rungs))}</desc><style>{_STYLE}</style>'
            f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>{lanes}{head}{"".join(body)}</svg>\n')


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


def plain(text: str) -> str:
    """Text that XML takes as text: no markup, no control characters."""
    clean = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return html.escape(clean)


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    if not text:
        return ""
    kind = f' class="{style}"' if style else ""
    where = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:g}" y="{y:g}"{kind}{where}>{plain(text)}</text>'


def _rung(rung: Rung, y: int, told: set[str]) -> tuple[list[str], int]:
    """What is drawn for a rung whose text stands at y, and where the next one stands."""
    if rung.gap:
        return [_text(LEFT, y, f"… {rung.gap:,} more …", "dim")], y + ROW
    tone = "" if rung.tone is Tone.PLAIN else rung.tone.value
    room = CALL if rung.arrow is not None else CALL + LABEL
    forms = [f"{rung.thread}: {text}" if rung.thread and text else text for text in (rung.left, *rung.short)]
    left = next((form for form in forms if width(form) <= room), forms[-1])
    drawn = [f'<rect class="focus" x="4" y="{y - 15}" width="{LINE_LEFT - 8}" height="{ROW - 1}" rx="3"/>'] * rung.focus
    number = "given" if rung.given else str(rung.where.line) if rung.where else ""
    drawn.append(_text(NUMBERS, y, ("! " if rung.fault else "") + number, "fault" if rung.fault else "dim", "end"))
    drawn.append(_text(LEFT, y, clip(left, room), tone))
    drawn += _arrow(rung.arrow, y, tone)
    drawn.append(_text(RIGHT, y, clip(rung.right, WORDS), tone if not rung.left or rung.tone is Tone.DIM else ""))
    y += ROW
    fault = f"the test: {rung.fault}" if rung.fault else ""
    notes = [(fault, "fault")] if fault and fault not in told else []
    told.add(fault)
    for note, style in [*notes, *((note, "waits" if rung.tone is Tone.WAITS else "dim") for note in rung.notes)]:
        shown = clip(note, CALL + LABEL + WORDS)
        drawn += [_behind(LEFT + 14, y, shown), _text(LEFT + 14, y, shown, style)]
        y += ROW
    return drawn, y


def _behind(x: float, y: float, text: str) -> str:
    """Paper behind a text, so that no life line goes through it."""
    return f'<rect class="back" x="{x - 3:g}" y="{y - 13}" width="{width(text) * CHAR + 6:g}" height="17"/>'


def _arrow(arrow: Arrow | None, y: int, tone: str) -> list[str]:
    if arrow is None:
        return []
    middle = (LINE_LEFT + LINE_RIGHT) / 2
    text = label(arrow, LABEL, str)
    if arrow.way is Way.NONE:
        return [_text(LINE_LEFT + 16, y, text, tone)]
    at = y - 4
    dim = " dim" if tone == "dim" else ""
    tip = LINE_RIGHT - 2 if arrow.way is Way.OUT else LINE_LEFT + 2
    back = tip - 8 if arrow.way is Way.OUT else tip + 8
    line = f'<line class="arrow{dim}" x1="{LINE_LEFT + 2}" y1="{at}" x2="{LINE_RIGHT - 2}" y2="{at}"/>'
    head = f'<polygon class="tip" points="{tip},{at} {back},{at - 4} {back},{at + 4}"/>'
    words = [_behind(middle - width(text) * CHAR / 2, y, text), _text(middle, y, text, tone, "middle")] if text else []
    return [line, head, *words]
