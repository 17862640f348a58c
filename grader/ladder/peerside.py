"""The peers' lane: their events, what they still wait for, and what they are called. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..evidence import PeerSeen
from . import phrases
from .links import Link
from .model import Arrow, Rung, Tone, Way
from .steps import ENDS, LAST, Step


class Namer:
    """What the peers are called: just "peer" where there is one with one connection."""

    def __init__(self, peers: Sequence[PeerSeen]) -> None:
        links = sorted({(index, event.connection) for index, peer in enumerate(peers) for event in peer.events})
        self.single = len(links) <= 1
        alone = len(peers) == 1
        words = ["client" if peers[index].role == "connects" else "connection" if alone else "peer" for index, _ in links]
        self._numbers = {link: words[:place].count(word) + 1 for place, (link, word) in enumerate(zip(links, words))}
        self._words = dict(zip(links, words))
        self.links = links
        plural = f"{words[0]}s" if len(set(words)) == 1 else "peers"
        self.heading = "" if not peers else "peer" if self.single else plural
        if not links and alone and peers[0].role == "listens" and peers[0].connections == 0:
            # nobody came: it may be the wrong address
            self.heading = f"peer at {peers[0].address}"

    def __call__(self, link: Link | None) -> str:
        """ "client 2"; "" where there is nothing to tell apart."""
        return "" if self.single or link not in self._words else f"{self._words[link]} {self._numbers[link]}"

    def say(self, link: Link | None, words: str) -> str:
        """ "2: closed": the heading says what is counted, where it is all the same."""
        if self.single or link not in self._words:
            return words
        return f"{self(link) if self.heading == 'peers' else self._numbers[link]}: {words}"


def peers_lane(peers: Sequence[PeerSeen], namer: Namer) -> list[Step]:
    steps = []
    for index, peer in enumerate(peers):
        over: set[int] = set()
        broken: set[int] = set()
        last = {event.connection: event for event in peer.events}
        for event in peer.events:
            link = (index, event.connection)
            if event.kind == "waiting" and (peer.trouble is not None or last[event.connection] is not event):
                continue                # it came, or it is said at the end
            if event.connection in (over if event.kind == "closed" else broken if event.kind == "trouble" else ()):
                continue                # no news
            if event.kind == "refused" and last[event.connection] is not event:
                continue                # why is said next
            if event.kind == "reset":
                broken.add(event.connection)
            if event.kind in (*ENDS, "reset_sent", "refused", "trouble"):
                over.add(event.connection)
            tone = Tone.BAD if event.kind in ("trouble", "refused") else Tone.PLAIN
            way = Way.IN if event.kind == "sent" else Way.NONE
            arrow = Arrow(way, event.data, event.size) if event.kind in ("sent", "received") else None
            rung = Rung(right=namer.say(link, phrases.event(event)), arrow=arrow, tone=tone,
                        weight=6 if event.kind == "trouble" else 2, key=("peer", event.kind, link),
                        moved=event.size if arrow else 0)
            steps.append(Step(event.time, event.kind, link, rung, event.data, event.size))
    return steps


def troubles(peers: Sequence[PeerSeen], namer: Namer) -> list[Step]:
    """Peers that still wait."""
    steps = []
    for index, peer in enumerate(peers):
        if peer.trouble is None or not peer.trouble.startswith("still waited"):
            continue
        which = re.search(r"\(connection (\d+) of \d+\)$", peer.trouble)
        last = max((event.connection for event in peer.events), default=0)
        link = (index, min(int(which[1]) - 1, last) if which else last)
        if not any(event.connection == link[1] for event in peer.events):
            continue
        rung = Rung(right=namer.say(link, phrases.trouble(peer.trouble)), tone=Tone.WAITS, weight=7)
        steps.append(Step(LAST + 2, "still", link, rung))
    return steps


def never_accepted(left: Sequence[Step], peers: Sequence[PeerSeen], namer: Namer) -> list[Step]:
    """Clients that connected and were left in the queue."""
    taken = {step.link for step in left if step.kind == "accept"}
    if not any(step.kind in ("accept", "local") and "accept" in step.rung.left for step in left):
        return []
    waiting = [(index, event.connection) for index, peer in enumerate(peers) if peer.role == "connects"
               for event in peer.events if event.kind == "connected" and (index, event.connection) not in taken]
    return [Step(LAST + 1, "unaccepted", link, Rung(right=namer.say(link, "never accepted"), tone=Tone.WAITS, weight=5,
                                                    key=("unaccepted",))) for link in waiting]
