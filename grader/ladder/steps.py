"""What the ladder's lanes are made of: what one side did at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from .links import Link
from .model import Rung

LAST = 2**63                            # a time after all others
ENDS = ("end", "reset")                 # the other side's end, as a peer saw it
OVER = ("half_close", "closed", "reset_sent")       # the peer's own


@dataclass(frozen=True)
class Step:
    """What one side did at one moment: an element of a lane."""

    time: int
    kind: str                       # "connect", "accept", "send", "recv", "end", "close", "local"; a Happening's
    link: Link | None
    rung: Rung
    data: bytes = b""
    size: int = 0
