"""A ladder in a terminal: two lanes of text with arrows between them. Pure functions.

Each cell is made safe first, and measured then: what the terminal can't show takes more columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..report.screen import pad, width
from .fold import choose
from .labels import label
from .model import Arrow, Ladder, Rung, Tone, Way

MOST_LINES = 24
GUTTER = 9                              # two marks, "given" or a line's number, two blanks
LEAST_ARROW, GOOD_ARROW, MOST_ARROW = 14, 19, 26
MOST_LEFT, MOST_RIGHT = 36, 26
GROWING_LEFT, GROWING_RIGHT = 31, 15    # of a ladder whose rungs aren't known yet
BARE_LEFT = 30                          # a call without an arrow widens its lane up to here
COLOURS = {Tone.PLAIN: "", Tone.DIM: "dim", Tone.BAD: "red", Tone.WAITS: "yellow", Tone.END: "bold"}

Line = list[tuple[str, str]]            # texts, each with its colour
Safe = Callable[[str], str]


@dataclass(frozen=True)
class _Lanes:
    """The widths of the columns."""

    left: int
    arrow: int
    right: int
    safe: Safe
    bars: bool


def draw_lines(ladder: Ladder, columns: int, safe: Safe = str, most: int = MOST_LINES) -> list[Line]:
    """The ladder as lines of at most so many columns. safe: what makes a text fit for the terminal."""
    rungs = choose(ladder.rungs, most - 1)
    lanes = _lanes(ladder, rungs, columns, safe)
    lines = [_heading(ladder, lanes, columns)]
    told: set[str] = set()
    for rung in rungs:
        lines += _rung(rung, lanes, columns, told)
    return lines


class Growing:
    """A ladder that isn't whole yet: its columns are fixed, and its rungs come one by one."""

    def __init__(self, columns: int, safe: Safe = str) -> None:
        room = columns - GUTTER - 4
        right = min(GROWING_RIGHT, room // 4)
        left = min(GROWING_LEFT, room - right - GOOD_ARROW)
        self._lanes = _Lanes(left, min(MOST_ARROW, room - left - right), right, safe, True)
        self._columns = columns
        self._told: set[str] = set()

    def heading(self, ladder: Ladder) -> Line:
        """What stands above it."""
        return _heading(ladder, self._lanes, self._columns)

    def rung(self, rung: Rung) -> list[Line]:
        """The lines of the next rung."""
        return _rung(rung, self._lanes, self._columns, self._told)


def _lanes(ladder: Ladder, rungs: Sequence[Rung], columns: int, safe: Safe) -> _Lanes:
    """As wide as what stands in them, as far as there is room; the arrows get the rest."""
    room = columns - GUTTER - 4         # a blank and a bar on both sides of the arrow
    full = [rung for rung in rungs if rung.arrow is not None or rung.left and rung.right]
    lefts = [width(safe(_named(rung, rung.left))) for rung in rungs if rung.left]
    lefts = [one for one, rung in zip(lefts, [rung for rung in rungs if rung.left]) if rung in full or one <= BARE_LEFT]
    shorts = [width(safe(_forms(rung)[-1])) for rung in full if rung.left]
    rights = [width(safe(rung.right)) for rung in rungs if rung.right]
    right = min(max([one for one in rights if one <= MOST_RIGHT] + [width(ladder.peers)]), MOST_RIGHT)
    least = min(max(shorts, default=0), MOST_LEFT)
    left = max(width(safe(ladder.program)), min(max(lefts, default=0), MOST_LEFT))
    left = max(min(left, room - right - GOOD_ARROW), min(least, room - right - LEAST_ARROW), 10)
    right = min(right, room - left - LEAST_ARROW)
    return _Lanes(left, min(MOST_ARROW, room - left - right), right, safe, bool(ladder.peers))


def _heading(ladder: Ladder, lanes: _Lanes, columns: int) -> Line:
    program = clip(lanes.safe(ladder.program), lanes.left + lanes.arrow + 2, lanes.safe)
    peers = lanes.safe(ladder.peers)
    before = min(GUTTER + lanes.left + lanes.arrow + 4, columns - width(peers))
    return [(f"{pad(clip(pad('   line', GUTTER) + program, before - 1, lanes.safe), before)}{peers}".rstrip(), "bold")]


def _named(rung: Rung, text: str) -> str:
    return f"{rung.thread}: {text}" if rung.thread and text else text


def _forms(rung: Rung) -> list[str]:
    """What the left lane can say, the longest first."""
    return [_named(rung, text) for text in (rung.left, *rung.short)]


def _rung(rung: Rung, lanes: _Lanes, columns: int, told: set[str]) -> list[Line]:
    if rung.gap:
        return [[(" " * GUTTER + lanes.safe(f"… {rung.gap:,} more …"), "dim")]]
    safe, colour = lanes.safe, COLOURS[rung.tone]
    gutter = _gutter(rung, safe)
    left = _named(rung, rung.left)
    aside = rung.arrow is None and rung.right.startswith("(") and width(safe(left)) > lanes.left
    fault = f"the test: {rung.fault}" if rung.fault else ""
    if rung.arrow is None and (aside or not rung.right):
        extra = _beside(rung, fault)
        if width(safe(f"{left}   {extra}")) > columns - GUTTER:
            extra = ""
        text = clip(safe(left + (f"   {extra}" if extra else "")), columns - GUTTER, safe)
        line: Line = [gutter, (text, colour)]
        if width(text) <= lanes.left and lanes.bars:
            bars = safe("│")
            line = [gutter, (pad(text, lanes.left + 1), colour), (bars + " " * lanes.arrow + bars, "dim")]
        notes = rung.notes if not extra else rung.notes[1:] if extra != fault else rung.notes
        notes = (fault, *notes) if fault and extra != fault and fault not in told else notes
        told.add(fault)
    elif not rung.left and rung.arrow is None and width(safe(rung.right)) > lanes.right:
        text = clip(safe(rung.right), columns - GUTTER, safe)
        line, notes = [(" " * (columns - width(text)), ""), (text, colour)], rung.notes
    else:
        arrow, notes = rung.arrow, rung.notes
        if arrow is None and rung.tone is Tone.WAITS and notes and width(safe(notes[0])) <= lanes.arrow - 3:
            arrow, notes = Arrow(Way.NONE, words=notes[0]), notes[1:]
        line = [gutter, *_lanes_of(rung, arrow, lanes, colour)]
        notes = notes if not fault or fault in told else (fault, *notes)
        told.add(fault)
    below = [[(" " * (GUTTER + 2) + clip(safe(note), columns - GUTTER - 2, safe), _note_colour(rung, note))]
             for note in notes]
    return [_stripped(line), *below]


def _beside(rung: Rung, fault: str) -> str:
    """What stands on the same line, where nothing else does."""
    return fault or (rung.notes[0] if rung.notes and rung.tone in (Tone.WAITS, Tone.BAD) else "")


def _note_colour(rung: Rung, note: str) -> str:
    return "yellow" if note.startswith("the test:") or rung.tone is Tone.WAITS else "dim"


def _gutter(rung: Rung, safe: Safe) -> tuple[str, str]:
    focus = safe("►") if rung.focus else " "
    fault = "!" if rung.fault else " "
    number = "given" if rung.given else str(rung.where.line) if rung.where else ""
    colour = "bold" if rung.focus else "yellow" if rung.fault else "dim"
    return f"{focus}{fault}{clip(number, 5, safe):>5}  ", colour


def _lanes_of(rung: Rung, arrow: Arrow | None, lanes: _Lanes, colour: str) -> Line:
    safe = lanes.safe
    text = next((form for form in map(safe, _forms(rung)) if width(form) <= lanes.left), None)
    text = clip(safe(_forms(rung)[-1]), lanes.left, safe) if text is None else text
    bar = safe("│")
    right_colour = colour if not rung.left or rung.tone is Tone.DIM else ""
    line: Line = [(pad(text, lanes.left + 1), colour), (bar, "dim")]
    line.append((_arrow(arrow, lanes), "dim" if rung.tone is Tone.DIM else ""))
    right = clip(safe(rung.right), lanes.right, safe)
    return [*line, (bar + " " if right else bar, "dim"), (right, right_colour)]


def _arrow(arrow: Arrow | None, lanes: _Lanes) -> str:
    """`─── "hel" ──►`, or the bytes alone."""
    safe, columns = lanes.safe, lanes.arrow
    if arrow is None:
        return " " * columns
    if arrow.way is Way.NONE:
        return pad("  " + label(arrow, columns - 3, safe), columns)
    line, text = safe("─"), label(arrow, columns - 6, safe)
    body = f" {text} " if text else ""
    left = max(0, columns - 1 - width(body)) // 2
    drawn = line * left + body + line * max(0, columns - 1 - width(body) - left)
    return drawn + safe("►") if arrow.way is Way.OUT else safe("◄") + drawn


def _stripped(line: Line) -> Line:
    """Without blanks at the end."""
    while line and not line[-1][0].strip():
        line = line[:-1]
    return [*line[:-1], (line[-1][0].rstrip(), line[-1][1])] if line else line


def clip(text: str, columns: int, safe: Safe = str) -> str:
    """A safe text in so many columns, with an ellipsis where it is cut."""
    if width(text) <= columns:
        return text
    mark = safe("…")
    kept = ""
    for char in text:
        if width(kept + char) > columns - len(mark):
            break
        kept += char
    return (kept + mark)[:max(columns, 0)]
