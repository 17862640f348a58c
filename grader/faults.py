"""Faults in words, such as "send takes at most 7 bytes; accept 2 waits".

One fault is `CALL [N | N-M] WHAT`, or `every Nth CALL WHAT`; several are joined by ";". WHAT is one of
`takes at most N bytes`, `takes N to M bytes`, `fails with ERRNO`, `leaves errno ERRNO`, `waits`, `returns late`,
`reaches its time limit`.
The calls "send", "recv", "accept", "poll", "nap" and "malloc" stand for all that do the same, and "say" for the call with
which say() prints its line; any other is that call alone.
A call's number counts the calls made while armed, from 1, and for send and recv those on sockets.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from enum import IntEnum

from .calls import CALLS

SENDING = ("send", "write", "sendto", "sendmsg", "sendmmsg", "writev", "sendfile", "splice")
RECEIVING = ("recv", "read", "recvfrom", "recvmsg", "recvmmsg", "readv", "splice_in")
NAPPING = ("sleep", "usleep", "nanosleep", "pthread_cond_timedwait", "sem_timedwait")
ALLOCATING = ("malloc", "calloc", "realloc")
GROUPS = {
    "send": SENDING,
    "recv": RECEIVING,
    "accept": ("accept", "accept4"),
    "poll": ("poll", "ppoll", "select", "pselect", "epoll_wait"),
    "nap": NAPPING,
    "malloc": ALLOCATING,
    "say": ("fflush",),
}
MOST_FAULTS = 16
MOST = 2**32 - 1
EXAMPLES = '"send takes at most 7 bytes", "every 3rd recv fails with EINTR" or "accept 2 waits"'

_FAULT = re.compile(r"""
    (?: every \s (?P<every>\d+)(?:st|nd|rd|th) \s )?
    (?P<call>\w+)
    (?: \s (?P<first>\d+) (?:-(?P<last>\d+))? )?
    \s (?: takes \s at \s most \s (?P<most>\d+) \s bytes?
         | takes \s (?P<low>\d+) \s to \s (?P<high>\d+) \s bytes
         | fails \s with \s (?P<fails>\w+)
         | leaves \s errno \s (?P<leaves>\w+)
         | reaches \s its \s (?P<expires>time) \s limit
         | returns \s (?P<returns>late)
         | waits )
    """, re.VERBOSE)


class FaultError(ValueError):
    """Words that name no fault; its text is one line for whoever wrote them."""


class Action(IntEnum):
    """enum fault_action of recorder.h."""

    FAILS = 1
    SHORTENS = 2
    LEAVES = 3
    WAITS = 4
    EXPIRES = 5
    LINGERS = 6


@dataclass(frozen=True)
class Fault:
    """One entry of the recorder's table; see struct fault in recorder.h."""

    text: str
    calls: tuple[str, ...]
    sockets_only: bool
    action: Action
    first: int = 1
    last: int = MOST
    every: int = 1
    low: int = 0
    high: int = 0

    @property
    def mask(self) -> int:
        """Its calls as bits."""
        return sum(1 << CALLS.index(name) for name in self.calls)


def calls_named(word: str) -> tuple[str, ...]:
    """The calls that a word stands for. Raises FaultError."""
    if word in GROUPS:
        return GROUPS[word]
    if word in CALLS:
        return (word,)
    raise FaultError(f'no recorded call is named "{word}"; these are: {" ".join(sorted(CALLS))}')


def parse_faults(text: str) -> tuple[Fault, ...]:
    """The faults that the words name. Raises FaultError."""
    faults = tuple(_parse(" ".join(part.split())) for part in text.split(";") if part.strip())
    if len(faults) > MOST_FAULTS:
        raise FaultError(f"{len(faults)} faults are too many: a run takes {MOST_FAULTS}")
    return faults


def _parse(text: str) -> Fault:
    found = _FAULT.fullmatch(text)
    if found is None:
        calls_named(_subject(text))
        raise FaultError(f'"{text}" is no fault; write for example {EXAMPLES}')
    words = found.groupdict()
    names = calls_named(words["call"])
    first, last, every = _which(words, text)
    action, low, high = _what(words, names, text)
    return Fault(text, names, words["call"] in ("send", "recv"), action, first, last, every, low, high)


def _subject(text: str) -> str:
    """The word where the call's name should stand."""
    return re.sub(r"^every \w+ ", "", text).split()[0]


def _which(words: dict[str, str | None], text: str) -> tuple[int, int, int]:
    """The first and the last call that it strikes, and every how many."""
    every = int(words["every"] or 1)
    first = int(words["first"] or 1)
    last = int(words["last"] or words["first"] or MOST)
    if words["every"] and words["first"]:
        raise FaultError(f'"{text}" says both "every" and a number: choose one')
    if min(every, first) < 1 or not first <= last <= MOST or every > MOST:
        raise FaultError(f'"{text}" strikes no call: they are counted from 1, the smaller number first')
    return first, last, every


def _what(words: dict[str, str | None], names: tuple[str, ...], text: str) -> tuple[Action, int, int]:
    """The action with its numbers."""
    for action in (Action.FAILS, Action.LEAVES):
        if name := words[action.name.lower()]:
            return action, _errno(name, text), 0
    if words["expires"]:
        if not set(names) <= {*SENDING, *RECEIVING, *NAPPING, *GROUPS["poll"]}:
            raise FaultError(f'"{text}": only calls that send, receive, poll or sleep have a time limit of their own')
        return Action.EXPIRES, 0, 0
    if words["returns"]:
        return Action.LINGERS, 0, 0
    high = words["most"] or words["high"]
    if high is None:
        return Action.WAITS, 0, 0
    if not set(names) <= {*SENDING, *RECEIVING}:
        raise FaultError(f'"{text}": only calls that send or receive take bytes')
    low = int(words["low"] or high)
    if not 1 <= low <= int(high) <= MOST:
        raise FaultError(f'"{text}": at least 1 byte, the smaller number first (0 bytes would mean the end)')
    return Action.SHORTENS, low, int(high)


def _errno(name: str, text: str) -> int:
    second_names = {"EWOULDBLOCK": errno.EWOULDBLOCK, "EOPNOTSUPP": errno.EOPNOTSUPP}
    numbers = {word: number for number, word in errno.errorcode.items()} | second_names
    if name not in numbers:
        raise FaultError(f'"{text}": there is no errno named "{name}"')
    return numbers[name]
