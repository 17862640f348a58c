"""The ladder of a test: what the program and its peers did, on one clock, in two lanes.

program.py and peerside.py make the lanes, rungs.py matches them, crowd.py and fold.py keep them few, terminal.py and
svg.py draw them; byhand.py is for a program without a test. All are pure.
"""

from .fold import choose
from .model import Arrow, Ladder, Rung, Tone, Way
from .rungs import climb, ladder_of
from .svg import NARROW, WIDE, draw_svg
from .terminal import draw_lines

__all__ = ["Arrow", "Ladder", "NARROW", "Rung", "Tone", "WIDE", "Way", "choose", "climb", "draw_lines", "draw_svg",
           "ladder_of"]
