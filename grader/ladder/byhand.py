"""The ladder of a program that runs by hand: no peer tells its side, so the right lane has what the calls tell of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..evidence import Call, RunSeen
from .fold import fold
from .links import Link, Table, hands_out
from .model import Arrow, Ladder, Rung, Way
from .program import programs_lane
from .steps import Step

_DATAGRAM = 2
_LONG = 15                             # columns of an address that may not fit on an arrow


class Met(Table):
    """The connections that the program met, numbered as they came: one for each accept() and each connect()."""

    def __init__(self) -> None:
        super().__init__(())
        self.links: dict[int, Link] = {}            # by the call's index
        self._names: dict[Link, tuple[str, str | None]] = {}    # "client 2", and its address
        self._datagrams: set[int] = set()

    def note(self, begun: Iterable[Call], returned: Iterable[Call]) -> None:
        """Calls that have begun, and calls that have returned, since the last time."""
        moments = [(call.began, call.index, call) for call in begun if not hands_out(call)]
        moments += [(call.ended or 0, call.index, call) for call in returned if hands_out(call)]
        for _, _, call in sorted(moments, key=lambda moment: moment[:2]):
            link = self._see(call)
            if link is not None:
                self.links[call.index] = link
        self.links |= self.earlier

    def _see(self, call: Call) -> Link | None:
        if call.name == "socket" and call.result is not None and call.result >= 0:
            self._open.pop(call.result, None)       # whatever had this number is closed
            self._datagrams.discard(call.result)
            if len(call.args) > 1 and call.args[1] & 0xF == _DATAGRAM:
                self._datagrams.add(call.result)
        return self.see(call)

    def _take(self, fd: int, role: str, address: str | None) -> Link | None:
        if role == "listens" and fd in self._open:
            return self._open[fd]                   # connect() is asked again how it went
        if role == "listens" and (address is None or fd in self._datagrams):
            return None
        word = "client" if role == "connects" else "connection"
        link = (0 if role == "connects" else 1, sum(name.startswith(word) for name, _ in self._names.values()))
        self._names[link] = f"{word} {link[1] + 1}", address
        self._open[fd] = link
        return link

    def name(self, link: Link | None) -> str:
        """ "client 2"; "" where there is nothing to tell apart, yet."""
        return self._names[link][0] if link in self._names and len(self._names) > 1 else ""

    def full_name(self, link: Link) -> tuple[str, str]:
        """The name in any case, and the address as far as the program asked for it."""
        return self._names[link][0], self._names[link][1] or ""


def heading(file: str) -> Ladder:
    """A ladder without rungs, for what stands above them. file: the student's, "client_send.c"."""
    return Ladder(f"your program ({file})", "the other side", ())


def rungs_of(run: RunSeen, met: Met, file: str) -> list[Rung]:
    """The rungs of the run's calls, one by one. run: of a live ladder it holds the latest calls alone."""
    return [_rung(step, met) for step in programs_lane(run, met.links, file, None, by_hand=True) if step.rung.left]


def folded(rungs: Sequence[Rung], threads: Mapping[str, str]) -> list[Rung]:
    """The rungs with runs of the same folded. threads: their names; none where there is one thread."""
    return fold([replace(rung, thread=threads.get(rung.thread, "")) for rung in rungs])


def _rung(step: Step, met: Met) -> Rung:
    """What is known of the other side: who it is, and that what came in came from there."""
    rung, link = step.rung, step.link
    arrow = replace(rung.arrow, way=Way.IN) if step.kind == "recv" and rung.arrow is not None else rung.arrow
    if step.kind == "accept" and link is not None:
        name, address = met.full_name(link)
        notes = (f"from {address}",) if len(address) > _LONG else ()
        return replace(rung, arrow=Arrow(Way.IN, words=address), right=name, notes=notes)
    if step.kind == "connect" and link is not None:
        return replace(rung, arrow=arrow, right=met.name(link) or met.full_name(link)[1])
    if step.kind == "connect":
        return replace(rung, arrow=None)
    name = met.name(link)
    return replace(rung, arrow=arrow, right=f"({name})" if name else "")
