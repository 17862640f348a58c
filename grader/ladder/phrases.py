"""Calls and peers' events in a reader's words. Pure functions."""

from __future__ import annotations

import errno as errnos
import re
import signal
import socket
from collections.abc import Sequence

from ..calls import AS_WRITTEN
from ..evidence import Call, Happening
from ..faults import GROUPS
from ..report.screen import width
from ..text import count, quote

SENDS, RECVS, ACCEPTS, POLLS = GROUPS["send"], GROUPS["recv"], GROUPS["accept"], GROUPS["poll"]
OPENING = ("socket", "bind", "listen", "connect", *ACCEPTS)
OPTIONS = ("setsockopt", "getsockopt")
THREADS = ("pthread_create", "pthread_join", "fork")
MEMORY = GROUPS["malloc"]           # there only where a fault is about it
# Where they succeed they say nothing.
UNTOLD = ("thread_start", "inet_pton", "inet_addr", "inet_aton", "getaddrinfo", "pthread_detach", "epoll_create1")
TOLD = (*OPENING, *SENDS, *RECVS, "close", "shutdown", *OPTIONS, *THREADS, *POLLS, *MEMORY, "dup", "dup2", "dup3")
# Where 0 says no more than "done".
_QUIET_0 = ("bind", "listen", "connect", "close", "shutdown", "fcntl", "ioctl", "sigaction", "signal", "getsockname",
            "getpeername", "epoll_ctl", *OPTIONS, *THREADS)
_HOW = {0: "SHUT_RD", 1: "SHUT_WR", 2: "SHUT_RDWR"}
_TYPES = {1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW"}
_TYPE_FLAGS = {0o4000: "SOCK_NONBLOCK", 0o2000000: "SOCK_CLOEXEC"}
_MESSAGE_FLAGS = {0x1: "MSG_OOB", 0x2: "MSG_PEEK", 0x20: "MSG_TRUNC", 0x40: "MSG_DONTWAIT", 0x100: "MSG_WAITALL",
                  0x4000: "MSG_NOSIGNAL", 0x8000: "MSG_MORE"}
_F_GETFL, _F_SETFL, _O_NONBLOCK = 3, 4, 0o4000
_IOCTLS = {0x541B: "SIOCINQ", 0x5411: "SIOCOUTQ", 0x894B: "SIOCOUTQNSD", 0x5421: "FIONBIO"}
_SOCKET_OPTIONS = {2: "SO_REUSEADDR", 3: "SO_TYPE", 4: "SO_ERROR", 7: "SO_SNDBUF", 8: "SO_RCVBUF", 9: "SO_KEEPALIVE",
                   13: "SO_LINGER", 15: "SO_REUSEPORT", 18: "SO_RCVLOWAT", 20: "SO_RCVTIMEO", 21: "SO_SNDTIMEO",
                   30: "SO_ACCEPTCONN"}
_TCP_OPTIONS = {1: "TCP_NODELAY", 3: "TCP_CORK", 9: "TCP_DEFER_ACCEPT", 11: "TCP_INFO", 18: "TCP_USER_TIMEOUT"}


def phrase(call: Call) -> tuple[str, ...]:
    """The call with its result, and the same in fewer and fewer characters: without flags, without lengths."""
    if call.name == "thread_start":
        return ("the thread starts",)
    result, name = _result(call), AS_WRITTEN.get(call.name, call.name)
    return tuple(dict.fromkeys(f"{name}({arguments}){result}" for arguments in _arguments(call)))


def is_told(call: Call) -> bool:
    """Whether a reader wants to see it; other calls are bookkeeping."""
    return call.name in TOLD or call.name == "fcntl" and call.args[1:2] == (_F_SETFL,) or call.name == "ioctl"


def _result(call: Call) -> str:
    if call.ended is None or call.result is None:
        return ""
    if call.name.startswith("pthread_") and call.result != 0:
        return f" = {errno_name(call.result)}"
    if call.name in MEMORY:
        return " = NULL" if call.result == -1 else ""
    if call.result == -1:
        return f" = -1 {errno_name(call.errno)}" if call.errno else " = -1"
    if call.result == 0 and call.name in _QUIET_0:
        return ""
    if call.name == "getsockopt":
        return ""
    return f" = {call.result}"


def errno_name(number: int) -> str:
    return errnos.errorcode.get(number, f"errno {number}")


def _arguments(call: Call) -> tuple[str, ...]:
    args = call.args
    fd = str(call.fd)
    match call.name:
        case "socket" if len(args) == 3:
            words = f"{_family(args[0])}, {_type(args[1])}, {args[2]}"
            return words, f"{_family(args[0])}, {_type(args[1])}"
        case "bind" | "connect":
            to = call.address or (_family(call.family) if call.family is not None else "…")
            return f"{fd}, {to}", f"{fd}, …:{to.rpartition(':')[2]}" if call.address else f"{fd}, {to}"
        case "malloc" | "calloc":
            return (", ".join(map(str, args)),) * 2
        case "listen" if len(args) == 2:
            return f"{fd}, {args[1]}", f"{fd}, {args[1]}"
        case "shutdown" if len(args) == 2:
            how = _HOW.get(args[1], str(args[1]))
            return f"{fd}, {how}", f"{fd}, {how}"
        case "setsockopt" | "getsockopt" if len(args) >= 3:
            return _option(call)
        case "close" | "dup" | "fork":
            return ("", "") if call.fd is None else (fd, fd)
        case "dup2" | "dup3" if len(args) >= 2:
            return f"{fd}, {args[1]}", f"{fd}, {args[1]}"
        case "fcntl" if len(args) >= 2:
            return _fcntl(call)
        case "ioctl" if len(args) >= 2:
            return (f"{fd}, {_IOCTLS.get(args[1] & 0xFFFFFFFF, hex(args[1]))}",) * 2
        case "signal" | "sigaction" if len(args) >= 2:
            return (f"{_signal(args[0])}, {'SIG_IGN' if args[1] else '…'}",) * 2
    if call.name in ACCEPTS:
        return f"{fd}, …", f"{fd}, …"
    if call.name in (*SENDS, *RECVS):
        return _transfer(call)
    if call.name == "poll" and len(args) == 3:
        return f"…, {args[1]}, {args[2]}", "…"
    if call.name in POLLS:
        return "…", "…"
    if call.name in ("inet_pton", "inet_addr", "inet_aton", "getaddrinfo") and call.data:
        return (f"{quote(call.data, 24)}{'' if call.name == 'inet_addr' else ', …'}",)
    return ("…", "…") if args else ("", "")


def _fcntl(call: Call) -> tuple[str, str]:
    name = {0: "F_DUPFD", 1: "F_GETFD", 2: "F_SETFD", _F_GETFL: "F_GETFL"}.get(call.args[1], str(call.args[1]))
    if call.args[1] != _F_SETFL or len(call.args) < 3:
        return (f"{call.fd}, {name}",) * 2
    return (f"{call.fd}, F_SETFL, {'O_NONBLOCK' if call.args[2] & _O_NONBLOCK else 'blocking'}",) * 2


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _transfer(call: Call) -> tuple[str, ...]:
    short = f"{call.fd}, …"
    lists = ("sendmsg", "sendmmsg", "recvmsg", "recvmmsg", "writev", "readv")
    plain = short if call.size is None or call.name in lists else f"{short}, {call.size}"
    flags = message_flags(call)
    return plain + (f", {flags}" if flags else ""), plain, short


def message_flags(call: Call) -> str:
    """ "MSG_DONTWAIT", "" where there is none."""
    at = {"send": 3, "sendto": 3, "recv": 3, "recvfrom": 3, "sendmsg": 2, "recvmsg": 2, "sendmmsg": 3, "recvmmsg": 3}.get(call.name)
    return _flags(call.args[at], _MESSAGE_FLAGS) if at is not None and at < len(call.args) else ""


def peeks(call: Call) -> bool:
    """Whether the bytes that it got stay where they are."""
    return "MSG_PEEK" in message_flags(call)


def _flags(value: int, names: dict[int, str]) -> str:
    found = [name for bit, name in names.items() if value & bit]
    left = value & ~sum(names)
    return "|".join(found + ([hex(left)] if left else []))


def _family(number: int | None) -> str:
    try:
        return socket.AddressFamily(number).name if number is not None else "…"
    except ValueError:
        return str(number)


def _type(number: int) -> str:
    base = number & 0xF
    flags = _flags(number & ~0xF, _TYPE_FLAGS)
    return _TYPES.get(base, str(base)) + (f"|{flags}" if flags else "")


def _option(call: Call) -> tuple[str, str]:
    """The level is left out where the option's name says it."""
    level, number = call.args[1], call.args[2]
    names = _SOCKET_OPTIONS if level == socket.SOL_SOCKET else _TCP_OPTIONS if level == socket.IPPROTO_TCP else {}
    levels = {0: "IPPROTO_IP", socket.SOL_SOCKET: "SOL_SOCKET", socket.IPPROTO_TCP: "IPPROTO_TCP", 41: "IPPROTO_IPV6"}
    name = names.get(number, f"{levels.get(level, level)}, {number}")
    numbers = [str(int.from_bytes(call.data[at:at + 4], "little", signed=True)) for at in range(0, len(call.data), 4)]
    value = f", {numbers[0]}" if len(numbers) == 1 else f", {{{', '.join(numbers)}}}" if len(numbers) == 2 else ""
    return f"{call.fd}, {name}{value}", f"{call.fd}, {name}{value}"


def fault(call: Call) -> str:
    """What the test put in, said of this one call: "at most 7 bytes", "fails with EINTR"."""
    found: list[str] = []
    for one in (call.faulted or "").split("; ") if call.faulted else ():
        what = re.search(r"takes (at most \d+ bytes?|\d+ to \d+ bytes?)|(fails with \w+)|(leaves errno \w+)|(waits)$", one)
        found.append(next((part for part in what.groups() if part), one) if what else one)
    if call.result == 0:                # the end: nothing was shortened
        found = [one for one in found if not one.endswith(("byte", "bytes"))]
    if any(one.startswith("fails with") for one in found):
        found = [one for one in found if one.startswith("fails with")]
    held = "held here" if call.ended is None else "held until now"
    return "; ".join(held if one == "waits" else one for one in found)


_EVENTS = {
    "accepted": "accepted", "connected": "connected", "refused": "was refused", "end": "got the end", "reset": "got a reset",
    "half_close": "half-closed", "closed": "closed", "reset_sent": "sent a reset", "deaf": "hears nothing any more",
}  # fmt: skip


def event(happening: Happening, size: int | None = None, pieces: int = 1) -> str:
    """What the peer did. size: where several events are told as one."""
    total = happening.size if size is None else size
    if happening.kind in ("sent", "received"):
        often = f" in {pieces} pieces" if pieces > 1 else ""
        return f"{happening.kind} {count(total, 'byte')}{often}"
    if happening.kind == "waiting":
        words = happening.data.decode("ascii", "replace")
        return "waits for the test's word" if words == "for go" else f"waits {words}"
    if happening.kind == "trouble":
        return trouble(happening.data.decode(errors="replace"))
    return _EVENTS.get(happening.kind, happening.kind)


def trouble(words: str) -> str:
    """Why a peer's script came to no end, said of the present."""
    plain = re.sub(r" \(connection \d+ of \d+\)$", "", words)
    if plain == "still waited for go":
        return "still waits for the test's word"
    plain = re.sub(r"^could not connect to \S+: ", "could not connect: ", plain)
    return _QUOTED.sub(_shortened, re.sub(r"^still waited for", "still waits for", plain))


_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)"…?')
_TOKEN = re.compile(r"\\x..|\\.|.")
SHORT = 13                              # columns of bytes that a peer's words quote


def _shortened(quoted: re.Match[str]) -> str:
    kept = ""
    for token in _TOKEN.findall(quoted[1]):
        if width(kept + token) > SHORT:
            return f'"{kept}"…'
        kept += token
    return quoted[0]


def names(calls: Sequence[Call]) -> str:
    """ "inet_pton, sigaction": bookkeeping in a row."""
    return ", ".join(dict.fromkeys(call.name for call in calls))
