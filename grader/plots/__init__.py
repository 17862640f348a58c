"""Plots of a run as self-contained SVG: what lay in a connection's queues, and what threads and clients did when.

queues.py and timeline.py each have draw(evidence), which gives None where there is nothing to draw; frame.py has what
they share. All are pure.
"""

from .frame import NARROW, WIDE, Layout

__all__ = ["Layout", "NARROW", "WIDE"]
