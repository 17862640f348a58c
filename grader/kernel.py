"""What the kernel knows of sockets, threads and descriptors; nothing here changes anything.

Sockets come from sock_diag, the netlink interface that `ss` uses: one exact look-up takes microseconds,
where /proc/net/tcp walks the whole table. Where netlink is refused, /proc/net/tcp is read all the same.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import re
import resource
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

Address = tuple[str, int]


class State(IntEnum):
    """The kernel's numbers for the states of a TCP socket."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11


@dataclass(frozen=True, slots=True)
class Flow:
    """How far the bytes are: what tcp_info tells beyond the queues."""

    received: int  # bytes that arrived here in order; the other side's FIN counts as one more
    unsent: int  # bytes still to leave
    in_flight: int  # segments that left and are not acknowledged
    allowed: int | None  # the window that this side was offered (None before Linux 5.4)
    offered: int | None  # the window that it offered last (None before Linux 6.2)


@dataclass(frozen=True, slots=True)
class Socket:
    """One TCP socket. For a listener the queues are the connections that wait, and the backlog."""

    local: Address
    remote: Address
    state: State
    receive_queue: int  # bytes that arrived and were not read
    send_queue: int  # bytes that are not sent, or not acknowledged; an unacknowledged FIN counts as one
    inode: int  # 0: no descriptor leads to it
    flow: Flow | None = None  # None where netlink is refused, for listeners and for what is left of closed sockets


_SO_ATTACH_FILTER = 26

# ---- descriptors of our own ----


def readable(descriptors: Iterable[int], seconds: float) -> bool:
    """Waits until one of them can be read or has ended. poll(2), which knows of no highest descriptor."""
    poll = select.poll()
    for fd in descriptors:
        poll.register(fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def allow_descriptors(most: int = 1 << 16) -> None:
    """Raises this process's limit: hundreds of clients are its own descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def allowed_memory() -> int | None:
    """The bytes of memory that this process, and each that it starts, may have: as much as it can allow itself. None:
    no limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    return None if hard == resource.RLIM_INFINITY else hard


@functools.cache
def can_go_deaf() -> bool:
    """Whether a socket may be given a packet filter: some systems refuse it to all but root."""
    with socket.socket() as trial:
        try:
            go_deaf(trial)
        except OSError:
            return False
    return True


def go_deaf(sock: socket.socket) -> None:
    """A filter that keeps 0 bytes of each packet: the kernel throws it away before TCP sees it."""
    nothing = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))   # BPF_RET | BPF_K, 0
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(nothing)))


# ---- sockets, by netlink ----

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_ERROR, _DONE = 2, 3
_ONE, _DUMP = 0x001, 0x301  # NLM_F_REQUEST, alone and with NLM_F_DUMP
_INFO = 2  # INET_DIAG_INFO
_ANY_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=IHHIIBBBxI")
_MESSAGE = struct.Struct("=BBxx")
_QUEUES = struct.Struct("=4xIIII")
_PORTS = struct.Struct("!HH")
_NOWHERE = bytes(16)
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def sockets(
    states: Iterable[State] = State, *, local_port: int = 0, remote_port: int = 0
) -> list[Socket]:
    """The TCP sockets of this network namespace, v4 and v6, in these states and with these ports (0: any)."""
    wanted = frozenset(states)
    if not _netlink_works():
        return [one for one in _proc_sockets() if one.state in wanted and _on(one, local_port, remote_port)]
    mask = sum(1 << state for state in wanted)
    ports = _PORTS.pack(local_port, remote_port)
    dumps = (_ask(family, _DUMP, mask, ports, _NOWHERE, _NOWHERE, 0) for family in _FAMILIES)
    return [_decode(body) for dump in dumps for body in dump]


def listeners() -> list[Socket]:
    """The sockets that listen."""
    return sockets((State.LISTEN,))


def lookup(local: Address, remote: Address) -> Socket | None:
    """The socket with exactly these two ends, or None when there is none (any more)."""
    if not _netlink_works():
        ends = (local, remote)
        return next((one for one in _proc_sockets() if (one.local, one.remote) == ends), None)
    family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
    ports = _PORTS.pack(local[1], remote[1])
    here, there = (socket.inet_pton(family, host) for host, _ in (local, remote))
    try:
        found = [_decode(body) for body in _ask(family, _ONE, 0, ports, here, there, _ANY_COOKIE)]
    except FileNotFoundError:
        return None
    # Without a connection of these ends the kernel offers the listener of the local one.
    return next((one for one in found if (one.local, one.remote) == (local, remote)), None)


@functools.cache
def _netlink_works() -> bool:
    try:
        list(_ask(socket.AF_INET, _DUMP, 1 << State.LISTEN, bytes(4), _NOWHERE, _NOWHERE, 0))
    except OSError:
        return False
    return True


def _ask(
    family: int, flags: int, states: int, ports: bytes, here: bytes, there: bytes, cookie: int
) -> Iterator[bytes]:
    """Sends one request and gives the answers' bodies; an error that the kernel answers with is raised."""
    request = _REQUEST.pack(72, _BY_FAMILY, flags, 0, 0, family, socket.IPPROTO_TCP, 1 << (_INFO - 1), states)
    ends = ports + here.ljust(16, b"\0") + there.ljust(16, b"\0") + struct.pack("=III", 0, cookie, cookie)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as link:
        link.send(request + ends)
        more = True
        while more:
            for kind, body in _messages(link.recv(1 << 17)):
                if kind == _BY_FAMILY:
                    yield body
                _raise_error(kind, body)
                more = kind == _BY_FAMILY and flags == _DUMP


def _messages(answer: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(answer):
        length, kind, _, _, _ = _HEADER.unpack_from(answer.ljust(at + _HEADER.size, b"\0"), at)
        if length < _HEADER.size:
            raise _not_understood()
        yield kind, answer[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def _raise_error(kind: int, body: bytes) -> None:
    if kind == _ERROR:
        number = -int.from_bytes(body[:4], "little", signed=True)
        raise OSError(number, os.strerror(number), "sock_diag")


def _not_understood() -> OSError:
    return OSError(errno.EPROTO, "an answer that makes no sense", "sock_diag")


def _decode(body: bytes) -> Socket:
    try:
        return _decode_whole(body)
    except (struct.error, ValueError):
        raise _not_understood() from None


def _decode_whole(body: bytes) -> Socket:
    family, state = _MESSAGE.unpack_from(body)
    local_port, remote_port = _PORTS.unpack_from(body, 4)
    receive_queue, send_queue, _, inode = _QUEUES.unpack_from(body, 52)
    size = 16 if family == socket.AF_INET6 else 4
    local = (_host(body[8 : 8 + size]), local_port)
    remote = (_host(body[24 : 24 + size]), remote_port)
    return Socket(local, remote, State(state), receive_queue, send_queue, inode, _flow(state, body))


@functools.lru_cache(maxsize=256)
def _host(packed: bytes) -> str:
    """The address as text; a v4 address inside a v6 socket reads like any other v4 address."""
    if packed[:12] == b"\0" * 10 + b"\xff\xff":
        packed = packed[12:]
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _flow(state: int, body: bytes) -> Flow | None:
    info = _attribute(body, _INFO)
    if state == State.LISTEN or len(info) < 148:
        return None
    (in_flight,) = struct.unpack_from("=I", info, 24)
    received, _, _, unsent = struct.unpack_from("=QIII", info, 128)
    allowed = struct.unpack_from("=I", info, 228)[0] if len(info) >= 232 else None
    offered = struct.unpack_from("=I", info, 232)[0] if len(info) >= 236 else None
    return Flow(received, unsent, in_flight, allowed, offered)


def _attribute(body: bytes, wanted: int) -> bytes:
    at = 72
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        if kind == wanted:
            return body[at + 4 : at + length]
        at += max(4, (length + 3) & ~3)
    return b""


# ---- sockets, by /proc ----


def _proc_sockets() -> Iterator[Socket]:
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError):
            lines = Path("/proc/thread-self/net", table).read_text(encoding="ascii").splitlines()
            yield from map(_proc_socket, lines[1:])


def _proc_socket(line: str) -> Socket:
    _, local, remote, state, queues, _, _, _, _, inode, *_ = line.split()
    send_queue, receive_queue = (int(text, 16) for text in queues.split(":"))
    # A handshake that is under way has a number of its own inside the kernel.
    known = State.SYN_RECV if int(state, 16) == 12 else State(int(state, 16))
    return Socket(_proc_address(local), _proc_address(remote), known, receive_queue, send_queue, int(inode))


def _proc_address(text: str) -> Address:
    """Reads "0100007F:1F90": the address is in words of the machine's byte order."""
    host, port = text.split(":")
    words = (int(host[at : at + 8], 16) for at in range(0, len(host), 8))
    return _host(b"".join(struct.pack("=I", word) for word in words)), int(port, 16)


def _on(one: Socket, local_port: int, remote_port: int) -> bool:
    return local_port in (0, one.local[1]) and remote_port in (0, one.remote[1])


# ---- processes ----

# How /proc says that a process has gone; a zombie's files belong to root, and refuse anybody else.
PAGE = 4096  # of a file of /proc: few are longer
GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
STOPPED = ("T", "t")  # by SIGSTOP: only somebody else can wake it
ASLEEP = ("S", *STOPPED)
_FUTEX_WAIT, _PRIVATE = 0, 128


@dataclass(frozen=True)
class Thread:
    """One thread as /proc shows it.

    The count of switches is read first: two snapshots with the same count say that the thread did not run
    from the first to the second, so that state and call of the first held all that time.
    """

    pid: int
    tid: int
    state: str  # R runs, S sleeps, D sleeps and can't be interrupted, T is stopped, Z is dead, …
    syscall: str | None  # None: not in a system call, or not to be told
    args: tuple[int, ...]
    switches: int
    own_tid: int = 0  # as the program itself knows it, in its pid namespace


def threads(pid: int) -> list[Thread]:
    """The threads of a process, main thread first; empty when the process is gone."""
    found = []
    with contextlib.suppress(*GONE):
        for tid in sorted(int(name) for name in os.listdir(f"/proc/{pid}/task")):
            with contextlib.suppress(*GONE):
                found.append(_thread(pid, tid))
    return found


def waits_for_lock(thread: Thread) -> bool:
    """Whether it sleeps in pthread_mutex_lock(): a plain FUTEX_WAIT, which conditions and joins don't use."""
    return thread.state == "S" and thread.syscall == "futex" and thread.args[1:2] in ((_FUTEX_WAIT,), (_FUTEX_WAIT | _PRIVATE,))


def all_asleep(pid: int) -> bool:
    """Whether every thread of a process sleeps or is stopped; False when it is gone. Looks no further than
    the first that doesn't."""
    tids: list[str] = []
    with contextlib.suppress(*GONE):
        tids = os.listdir(f"/proc/{pid}/task")
        for tid in tids:
            with contextlib.suppress(*GONE):
                if _state(f"/proc/{pid}/task/{tid}/") not in ASLEEP:
                    return False
    return bool(tids)


def thread_count(pid: int) -> int:
    """How many threads a process has; 0 when it is gone."""
    with contextlib.suppress(*GONE):
        return len(os.listdir(f"/proc/{pid}/task"))
    return 0


def size_kb(pid: int, what: str) -> int:
    """One of the sizes of a process in /proc/PID/status, in KiB: "VmRSS", "VmData", …; 0 when it is gone."""
    with contextlib.suppress(*GONE):
        found = re.search(rf"^{what}:\s+(\d+) kB", _read(f"/proc/{pid}/status"), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0


def _state(folder: str) -> str:
    return _read(folder + "stat").rpartition(")")[2].split()[0]


def _thread(pid: int, tid: int) -> Thread:
    folder = f"/proc/{pid}/task/{tid}/"
    status = _read(folder + "status")
    switches = sum(int(count) for count in re.findall(r"ctxt_switches:\t(\d+)", status))
    own = re.search(r"^NSpid:.*?(\d+)$", status, re.MULTILINE)
    state = _state(folder)
    call, args = _system_call(folder)
    return Thread(pid, tid, state, call, args, switches, int(own[1]) if own else tid)


def _system_call(folder: str) -> tuple[str | None, tuple[int, ...]]:
    try:
        number, *words = _read(folder + "syscall").split()
    except PermissionError:
        return None, ()
    if number == "running" or int(number) < 0:
        return None, ()
    name = _names().get(int(number), f"syscall {number}")
    return name, tuple(int(word, 16) for word in words[:6])


def _read(path: str) -> str:
    """A file of /proc. No text file of Python's: this is done ten thousand times a grade."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = part = os.read(file, PAGE)
        while part:                 # most have ended by now: a second read says so
            part = os.read(file, PAGE)
            content += part
    finally:
        os.close(file)
    return content.decode("utf-8", "replace")


def all_threads() -> int:
    """How many threads the whole system has now."""
    return int(_read("/proc/loadavg").split()[3].partition("/")[2])


def cpu_seconds(pid: int) -> float:
    """The processor time of all threads of a process, to the nanosecond; 0 when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid() gives
    except OSError:
        return 0.0


def awake_seconds(pid: int) -> float | None:
    """How long the threads of a process have run, or waited for a processor, all together; None where that isn't told."""
    total = 0
    with contextlib.suppress(*GONE):
        for tid in os.listdir(f"/proc/{pid}/task"):
            try:
                ran, waited, _ = _read(f"/proc/{pid}/task/{tid}/schedstat").split()
            except (*GONE, ValueError):
                return None
            total += int(ran) + int(waited)
    return total / 1e9


def family(pid: int) -> list[int]:
    """A process and all its descendants that are alive (a process that is gone has none)."""
    found = [pid]
    for parent in found:  # the list grows while it is read
        with contextlib.suppress(*GONE):
            for tid in os.listdir(f"/proc/{parent}/task"):
                found += map(int, _read(f"/proc/{parent}/task/{tid}/children").split())
    return found


def ancestors(pid: int) -> list[int]:
    """A process, its parent, and so on up; it ends early where one has gone."""
    found: list[int] = []
    while pid > 0 and pid not in found:
        found.append(pid)
        try:
            pid = int(_read(f"/proc/{pid}/stat").rpartition(")")[2].split()[1])
        except (*GONE, ValueError, IndexError):
            break
    return found


def adopt_orphans() -> None:
    """From here on whatever this process starts, at any remove, stays below it: PR_SET_CHILD_SUBREAPER."""
    _libc().prctl(36, 1, 0, 0, 0)


def end_descendants() -> None:
    """Ends all that is below this process; returns when none of it is left. Needs adopt_orphans()."""
    while True:
        for pid in family(os.getpid())[1:]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break


def descriptors(pid: int) -> dict[int, str]:
    """The open descriptors and what they lead to ("socket:[123]", "/dev/null"); empty when the process is gone."""
    found: dict[int, str] = {}
    with contextlib.suppress(*GONE):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(*GONE):
                found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return dict(sorted(found.items()))


def socket_inodes(pid: int) -> dict[int, int]:
    """The descriptors that are sockets, with the inode by which sockets() and lookup() know them."""
    links = descriptors(pid).items()
    return {fd: int(link[8:-1]) for fd, link in links if link.startswith("socket:[")}


def borrow_socket(pid: int, fd: int) -> socket.socket:
    """The process's own socket, to ask it for options; close it when done. OSError when it can't be had."""
    process = os.pidfd_open(pid)
    try:
        copy = _libc().syscall(_PIDFD_GETFD, process, fd, 0)
        if copy == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), f"descriptor {fd} of process {pid}")
    finally:
        os.close(process)
    return _as_socket(copy)


def _as_socket(fd: int) -> socket.socket:
    try:
        return socket.socket(fileno=fd)
    except OSError:
        os.close(fd)
        raise


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


# ---- calls that sleep ----

_PIDFD_GETFD = 438  # on every machine
_CALLS = {  # name: number on x86_64, on aarch64
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "epoll_wait": (232, None),
    "epoll_pwait": (281, 22),
    "epoll_pwait2": (441, 441),
    "connect": (42, 203),
    "accept": (43, 202),
    "accept4": (288, 242),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "sendfile": (40, 71),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "recvmmsg": (299, 243),
    "splice": (275, 76),
    "futex": (202, 98),
    "vfork": (58, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "pause": (34, None),
    "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137),
    "wait4": (61, 260),
    "waitid": (247, 95),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "restart_syscall": (219, 128),
}


@functools.cache
def _names() -> dict[int, str]:
    column = 1 if os.uname().machine == "aarch64" else 0
    return {number: name for name, numbers in _CALLS.items() if (number := numbers[column]) is not None}


def blocks_forever(thread: Thread) -> bool:
    """Whether the thread sleeps in a call that only someone else can end: no time-out, no clock.

    A call that is not known here doesn't count. An alarm() that the program set can't be seen.
    """
    rule = _FOREVER.get(thread.syscall or "")
    return thread.state == "S" and rule is not None and rule(thread)


def _always(_: Thread) -> bool:
    return True


def _negative(position: int) -> Callable[[Thread], bool]:
    return lambda thread: bool(thread.args[position] & 0x80000000)


def _null(position: int) -> Callable[[Thread], bool]:
    return lambda thread: thread.args[position] == 0


def _futex(thread: Thread) -> bool:
    waits = {0, 6, 9, 11, 13}  # WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2
    return thread.args[1] & 0x7F in waits and thread.args[3] == 0


def _without(option: int, position: int = 0) -> Callable[[Thread], bool]:
    """For a call on a descriptor: no time-out was set on the socket, and it is no timer. position: of the descriptor."""

    def rule(thread: Thread) -> bool:
        fd = thread.args[position] & 0xFFFFFFFF
        try:
            link = os.readlink(f"/proc/{thread.pid}/fd/{fd}")  # this one alone: hundreds of threads ask
        except GONE:
            return False
        if not link.startswith("socket:"):
            return link != "anon_inode:[timerfd]"
        try:
            with borrow_socket(thread.pid, fd) as borrowed:
                return not any(borrowed.getsockopt(socket.SOL_SOCKET, option, 16))
        except OSError:
            return False

    return rule


_reads, _writes = _without(socket.SO_RCVTIMEO), _without(socket.SO_SNDTIMEO)
_splices_to = _without(socket.SO_SNDTIMEO, 2)
_FOREVER: dict[str, Callable[[Thread], bool]] = {
    **dict.fromkeys(("read", "readv", "accept", "accept4", "recvfrom", "recvmsg", "recvmmsg"), _reads),
    **dict.fromkeys(("write", "writev", "connect", "sendto", "sendmsg", "sendmmsg", "sendfile"), _writes),
    **dict.fromkeys(("pause", "rt_sigsuspend", "wait4", "waitid"), _always),
    "poll": _negative(2),
    **dict.fromkeys(("epoll_wait", "epoll_pwait"), _negative(3)),
    **dict.fromkeys(("ppoll", "rt_sigtimedwait"), _null(2)),
    **dict.fromkeys(("select", "pselect6"), _null(4)),
    "splice": lambda thread: _reads(thread) and _splices_to(thread),
    "epoll_pwait2": _null(3),
    "futex": _futex,
}
