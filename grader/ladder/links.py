"""Which connection a call is about: the program's descriptors beside the peers' connections. Pure functions.

What isn't certain stays open: a call without a link is drawn by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..evidence import Call, PeerSeen
from .phrases import ACCEPTS

Link = tuple[int, int]                  # a peer's place among the peers, its connection's number
_OPENED = {"accepted", "connected", "refused"}  # refused: or reset at once


@dataclass(frozen=True)
class _Ends:
    """One connection's addresses, seen from the peer."""

    link: Link
    role: str
    local: str | None
    remote: str | None


def links_of(calls: Sequence[Call], peers: Sequence[PeerSeen]) -> dict[int, Link]:
    """The connection of each call by the call's index, where there is one and it is known."""
    table = Table(peers)
    found: dict[int, Link] = {}
    for _, _, call in sorted(_moments(calls), key=lambda moment: moment[:2]):
        link = table.see(call)
        if link is not None:
            found[call.index] = link
    return table.earlier | found


def hands_out(call: Call) -> bool:
    """Whether it hands out a descriptor or a connection: then it counts when it returns, any other when it begins."""
    return call.name in (*ACCEPTS, "connect", "dup", "dup2", "dup3", "socket")


def _moments(calls: Iterable[Call]) -> Iterable[tuple[int, int, Call]]:
    for call in calls:
        if not hands_out(call):
            yield call.began, call.index, call
        elif call.ended is not None:
            yield call.ended, call.index, call


class Table:
    """The program's descriptors as they were at a moment."""

    def __init__(self, peers: Sequence[PeerSeen]) -> None:
        self._open: dict[int, Link] = {}
        self._made: dict[int, list[int]] = {}   # what was done to a socket before it was connected
        self.earlier: dict[int, Link] = {}
        self._latest: dict[int, Link | None] = {}
        self._free = [_Ends((index, event.connection), peer.role, event.local, event.remote)
                      for index, peer in enumerate(peers) for event in peer.events if event.kind in _OPENED]

    def see(self, call: Call) -> Link | None:
        """The link that the call is about; what it opens and closes is noted."""
        done = call.ended is not None and call.result is not None and call.result >= 0
        if call.name in ACCEPTS:
            link = self._take(call.result, "connects", call.address) if done and call.result is not None else None
            self._latest[call.thread] = link
            return link
        if call.name == "pthread_create":       # for the client that this thread has just accepted
            return self._latest.get(call.thread)
        if call.name == "socket" and done and call.result is not None:
            self._made[call.result] = [call.index]
        if call.fd is None:
            return None
        self._made.setdefault(call.fd, []).append(call.index)
        if call.name == "connect" and (done or call.errno == 115):      # EINPROGRESS
            link = self._take(call.fd, "listens", call.address)
            if link is not None:
                self.earlier |= {index: link for index in self._made[call.fd]}
            return link
        link = self._open.get(call.fd)
        if call.name == "close":
            self._open.pop(call.fd, None)
            self._made.pop(call.fd, None)
        elif call.name in ("dup", "dup2", "dup3") and done and link is not None and call.result is not None:
            self._open[call.result] = link
        return link

    def _take(self, fd: int, role: str, address: str | None) -> Link | None:
        """A new descriptor's connection: the one with that address, of a listening peer the next that it had."""
        for ends in self._free:
            known = ends.local == address or address is None and role == "connects"
            if ends.role == role and known:
                self._free.remove(ends)
                self._open[fd] = ends.link
                return ends.link
        self._open.pop(fd, None)
        return None
