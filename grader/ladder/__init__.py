"""The ladder of a test: what the program and its peers did, on one clock, in two lanes.

rungs.py makes the rungs of evidence, fold.py keeps them few, terminal.py and svg.py draw them. All are pure.
"""

from .rungs import climb, ladder_of
from .fold import choose
from .model import Arrow, Ladder, Rung, Tone, Way
from .svg import NARROW, WIDE, draw_svg
from .terminal import draw_lines

__all__ = ["Arrow", "Ladder", "NARROW", "Rung", "Tone", "WIDE", "Way", "choose", "climb", "draw_lines", "draw_svg", "ladder_of"]
