"""A peer's events as a few lines that a learner reads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from .conversation import PeerEvent
from .text import count, quote

MOST_LINES = 4
MOST_PIECES = 4
_ENDS = {"end": "the end of the stream", "reset": "a reset"}
_ACTS = {"half_close": "half-closed", "closed": "closed", "reset_sent": "reset the connection",
         "deaf": "went deaf: nothing reaches it any more"}


def tell(events: Sequence[PeerEvent], shown: int, trouble: str | None, connections: int, extra: int) -> list[str]:
    """The story of one of the peer's connections, or of the last before it, and why the script wasn't finished."""
    lines = []
    shown = max((event.connection for event in events if event.connection <= shown), default=shown)
    if connections > 1:
        lines.append(f"the peer had {count(connections, 'connection')}; this is number {shown + 1}")
    if connections == 0:
        lines.append("the peer could not connect" if trouble and events else "nobody connected to the peer")
    if extra:
        verb = "was" if extra == 1 else "were"
        lines.append(f"{count(extra, 'connection')} waited in the backlog of the peer and {verb} not accepted")
    lines += _conversation(_without_last_close([event for event in events if event.connection == shown]))
    if trouble is not None and connections:
        lines = [*lines[: MOST_LINES - 1], f"the peer {trouble}"]
    return lines[:MOST_LINES]


def _without_last_close(events: list[PeerEvent]) -> list[PeerEvent]:
    """That the peer closes after the other side's end is no news."""
    kinds = [event.kind for event in events]
    return events[:-1] if kinds[-1:] == ["closed"] and "end" in kinds else events


def _conversation(events: Sequence[PeerEvent]) -> list[str]:
    """A line for each turn of the conversation; where there are many turns, a line for each side."""
    told = [event for event in events if _side(event)]
    turns = [list(members) for _, members in groupby(told, key=_side)]
    if len(turns) > MOST_LINES:
        sides = list(dict.fromkeys(map(_side, told)))
        turns = [[event for event in told if _side(event) == side] for side in sides]
    return [_tell_turn(turn) for turn in turns]


def _side(event: PeerEvent) -> str:
    """Who did it: "sent" and "received" go together with nothing else; "" isn't told."""
    if event.kind in _ENDS:
        return "received"
    return event.kind if event.kind in ("sent", "received", *_ACTS) else ""


def _tell_turn(turn: Sequence[PeerEvent]) -> str:
    side = _side(turn[0])
    if side in _ACTS:
        return f"the peer {_ACTS[side]}"
    return _tell_sent(turn) if side == "sent" else _tell_received(turn)


def _tell_sent(turn: Sequence[PeerEvent]) -> str:
    size = sum(event.size for event in turn)
    if len(turn) == 1:
        return f"the peer sent {count(size, 'byte')}: {_quote(turn)}"
    shown = [_quote([event]) for event in turn[:MOST_PIECES]] + ["…"] * (len(turn) > MOST_PIECES)
    return f"the peer sent {count(size, 'byte')} in {len(turn):,} pieces: {' '.join(shown)}"


def _tell_received(turn: Sequence[PeerEvent]) -> str:
    received = [event for event in turn if event.kind == "received"]
    ends = [_ENDS[event.kind] for event in turn if event.kind in _ENDS]
    if not received:
        return f"the peer got {ends[0]}"
    size = sum(event.size for event in received)
    return ", then ".join([f"the peer received {count(size, 'byte')}: {_quote(received)}", *ends])


def _quote(turn: Sequence[PeerEvent]) -> str:
    """The first bytes of these events; an event may have kept only its own first bytes."""
    first = b"".join(event.data for event in turn) if turn[0].size == len(turn[0].data) else turn[0].data
    text = quote(first)
    whole = text.endswith("…") or len(first) == sum(event.size for event in turn)
    return text if whole else text + "…"
