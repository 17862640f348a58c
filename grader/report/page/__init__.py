"""The report as a page: one HTML file that needs no network, no script and no other file. All of it is pure.

document.py puts the page together, overview.py and failure.py write its parts, figures.py holds the pictures,
hexview.py compares bytes, and escape.py is the one place where text becomes HTML.
"""

from .document import Setting, draw
from .overview import Standing

__all__ = ["Setting", "Standing", "draw"]
