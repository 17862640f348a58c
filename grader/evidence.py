"""What was seen of one test: facts without opinions, frozen before anything is judged.

The grader fills these while a test runs; causes.py and the reports only read them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Location:
    """A line of the student's source."""

    file: str                       # its base name
    line: int


@dataclass(frozen=True, slots=True)
class Queues:
    """What one end of a connection held at a moment, in bytes."""

    unsent: int                     # taken by send(), and not on its way yet
    unacked: int                    # not acknowledged: `unsent` is part of it
    unread: int                     # arrived, and not taken by recv()
    send_buffer: int                # SO_SNDBUF and SO_RCVBUF; 0: not known
    recv_buffer: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A line that a function was called from."""

    where: Location
    inside: str | None              # the function that it stands in


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call of the student's program."""

    index: int
    thread: int
    name: str
    began: int                      # ns, CLOCK_MONOTONIC
    ended: int | None               # None: it never returned
    fd: int | None
    args: tuple[int, ...]
    result: int | None
    errno: int
    address: str | None             # "127.0.0.1:7788", "[::1]:80"
    family: int | None
    data: bytes                     # the first bytes sent or received
    size: int | None                # bytes asked for
    faulted: str | None             # what the test put in
    given: bool                     # made by the kit's given code
    socket: bool                    # on a socket
    site: int                       # the return address, relative to the program
    where: Location | None
    inside: str | None = None       # the function that it stands in
    callers: tuple[int, ...] = ()   # return addresses of that function and its callers, as `site`
    via: tuple[Frame, ...] = ()     # and their lines, the nearest first
    queues: Queues | None = None    # of its connection, right after it (close: before); only in labs that ask for it


@dataclass(frozen=True)
class Trouble:
    """Why a wait was given up: the program can't go on, or not in time. Or where it crashed."""

    kind: str                       # "stuck", "busy", "idle", "slow" or "crash"
    call: str | None                # what it sleeps in, where it sleeps
    where: Location | None
    seconds: float = 0.0            # how long by then, where the call was recorded


@dataclass(frozen=True)
class Finding:
    """One thing that valgrind found: its first line, and the student's line nearest to it."""

    kind: str                       # "error", "leak", "descriptor" or "race"
    text: str
    where: Location | None


@dataclass(frozen=True)
class Sleeper:
    """A thread that slept in the kernel when the test ended."""

    thread: int                     # as in Call.thread
    call: str                       # by the kernel's name: "futex", "accept", "recvfrom"


@dataclass(frozen=True)
class RunSeen:
    """One run of the student's program."""

    function: str                   # of the probe; "" for the whole program
    args: tuple[str, ...]
    times: int                      # calls that the probe was to make
    faults: str
    input_kind: str
    input: bytes
    tool: str
    nofile: int
    status: int | None              # of exit(); None if it was killed or still runs
    signal: int | None
    running: bool                   # when the test ended
    trouble: Trouble | None
    reported: tuple[tuple[int, int], ...]       # result and errno of the probe's calls
    texts: tuple[tuple[str, bytes], ...]        # what else the probe reported, by name
    numbers: tuple[tuple[str, int], ...]
    descriptors: tuple[int, ...]    # open when the test ended, without the kit's own; none if it had ended
    listening: tuple[str, ...]      # addresses where it listened when the test ended
    output: bytes
    errors: bytes
    calls: tuple[Call, ...]
    total_calls: int
    findings: tuple[Finding, ...]
    threads: int = 0                # that it had when the test ended
    asleep: tuple[Sleeper, ...] = ()    # and those of them that slept in a system call
    struck: Location | None = None  # where the signal struck that ended it
    fate: str = ""                  # and all that is known of that end, for a reader: "was killed by SIGSEGV (…) at …"

    def named(self, *names: str) -> tuple[Call, ...]:
        """The student's own calls of these names, in order."""
        return tuple(call for call in self.calls if call.name in names and not call.given)


@dataclass(frozen=True, slots=True)
class Happening:
    """One event on a peer's side."""

    time: int                       # ns, CLOCK_MONOTONIC: the clock of Call.began
    connection: int                 # from 0
    kind: str                       # of conversation.PeerEvent: "accepted", "sent", "end", …
    data: bytes                     # the first bytes that went over the wire; with other kinds words
    size: int                       # all bytes that went over the wire
    local: str | None = None        # the connection's two addresses, "127.0.0.1:7788": the peer's own
    remote: str | None = None       # and the program's
    queues: Queues | None = None    # of the peer's end, right after it; only in labs that ask for it


@dataclass(frozen=True)
class Look:
    """What the two ends of a connection held at a moment, by the kernel's table."""

    time: int                       # ns, on the clock of Call.began
    connection: int
    peer: Queues | None             # None: the kernel has no such end (any more)
    program: Queues | None


@dataclass(frozen=True)
class PeerSeen:
    """One scripted peer."""

    script: str
    role: str                       # "listens" or "connects"
    address: str                    # its own, "127.0.0.1:7788"
    port: int
    data: tuple[bytes, ...]         # $1 to $4
    connections: int                # that it had
    received: bytes                 # by the first
    sent: bytes
    ending: str                     # of the first: "open", "end", "reset" or "never"
    happy: bool
    trouble: str | None
    story: tuple[str, ...]
    events: tuple[Happening, ...] = ()
    looks: tuple[Look, ...] = ()    # at its connections, while the grader waited and in the end; only in labs that ask for it


@dataclass(frozen=True)
class Held:
    """A port that the grader held for the test, as another server does."""

    port: int
    state: str                      # "LISTEN", "TIME_WAIT", …; "" where its client has the TIME_WAIT


@dataclass(frozen=True)
class Failure:
    """The first expectation or wait of a test that wasn't met."""

    kind: str                       # "exit", "result", "error", "received", "output", "memory", "peer", "wait", "said"
    message: str
    run: int | None = None          # index into Evidence.runs
    peer: int | None = None
    expected: bytes | None = None
    actual: bytes | None = None
    whole: bool = True              # actual was to be expected and nothing else; False: to have it somewhere


@dataclass(frozen=True)
class Evidence:
    """All that was seen of one failed test."""

    lab: str
    stage: str
    test: str
    file: str                       # the student's file, "client_send.c"
    failure: Failure
    runs: tuple[RunSeen, ...] = field(default=())
    peers: tuple[PeerSeen, ...] = field(default=())
    held: tuple[Held, ...] = field(default=())
    time: int = 0                   # when it was taken: ns, on the clock of Call.began; 0: not known

    @property
    def run(self) -> RunSeen | None:
        """The run that the failure is about, or the only one."""
        if self.failure.run is not None:
            return self.runs[self.failure.run]
        return self.runs[-1] if self.runs else None

    @property
    def peer(self) -> PeerSeen | None:
        """The peer that the failure is about, or the only one."""
        if self.failure.peer is not None:
            return self.peers[self.failure.peer]
        return self.peers[-1] if self.peers else None
