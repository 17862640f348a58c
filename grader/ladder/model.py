"""What a ladder is made of: rungs, in the order in which they are drawn. No drawing here, and no opinion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..evidence import Location
from ..faults import GROUPS


class Way(Enum):
    """Where the bytes between the two lanes went."""

    OUT = "out"                     # from the program to the peer
    IN = "in"
    NONE = "none"                   # nothing went over the wire here: the bytes are only shown


class Tone(Enum):
    """How much a rung matters to a reader."""

    PLAIN = "plain"
    DIM = "dim"                     # given code, bookkeeping
    BAD = "bad"                     # it failed
    WAITS = "waits"                 # it never came to an end
    END = "end"                     # what came of it


@dataclass(frozen=True)
class Arrow:
    """What stands between the lanes."""

    way: Way
    data: bytes = b""               # the first bytes, as many as are known
    size: int = 0                   # all bytes
    words: str = ""                 # in place of bytes: "end", "reset"


@dataclass(frozen=True)
class Rung:
    """One line of a ladder: what the program did, what the peer did, or both where they are two ends of the same."""

    left: str = ""                  # "recv(3, …, 11) = 3"
    short: tuple[str, ...] = ()     # the same in fewer and fewer characters
    where: Location | None = None   # the student's line
    given: bool = False             # given code did it
    thread: str = ""                # "main", "t2"; "" where there is only one
    arrow: Arrow | None = None
    right: str = ""                 # "client 2: sent 20 bytes"
    fault: str = ""                 # what the test put in: "at most 7 bytes"
    notes: tuple[str, ...] = ()     # sentences below it
    tone: Tone = Tone.PLAIN
    focus: bool = False             # it is at the line that the cause names
    key: tuple[object, ...] = ()    # rungs with the same key do the same; () is like no other
    moved: int = 0                  # bytes that the peer received or sent here
    weight: int = 2                 # what is left out first has the least
    gap: int = 0                    # not a rung: so many were left out here


@dataclass(frozen=True)
class Ladder:
    """The conversation of one test."""

    program: str                    # the left lane's heading
    peers: str                      # the right lane's heading
    rungs: tuple[Rung, ...]

    @property
    def tells(self) -> bool:
        """Whether the student's code dialled, accepted, sent, received or ended it, or set an option: then there is
        a conversation to look at."""
        talks = ("connect", "setsockopt", *GROUPS["accept"], *GROUPS["send"], *GROUPS["recv"])
        own = [rung for rung in self.rungs if rung.left and not rung.given]
        return any(rung.key and rung.key[0] in talks or rung.arrow is not None and rung.arrow.way is Way.OUT
                   or rung.tone is Tone.BAD and rung.key[:1] == ("bind",) for rung in own)
