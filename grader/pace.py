"""How slow this machine is, as its user says: SLOWNESS=3 multiplies each limit of time by 3.

Hardly anybody needs it. A busy machine doesn't: waits go by what the kernel tells, and processor time doesn't grow
with the load. A slow processor does: what takes 0.2 s of it elsewhere takes three times as long there.
"""

from __future__ import annotations

import os

VARIABLE = "SLOWNESS"
LEAST, MOST = 1.0, 100.0


class PaceError(Exception):
    """SLOWNESS is no such number."""


def slowness() -> float:
    """The factor, 1 where nothing is said. Raises PaceError."""
    text = os.environ.get(VARIABLE) or "1"
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not LEAST <= factor <= MOST:
        raise PaceError(f"{VARIABLE}={text!r}: it is a number from {LEAST:g} to {MOST:g}, by which limits of time are multiplied")
    return factor


def scaled(seconds: float) -> float:
    """A limit of time on this machine."""
    return seconds * slowness()
