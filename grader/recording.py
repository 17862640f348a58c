"""The recorder's memory, seen from the grader: made before a run, read at any moment, also after SIGKILL.

The layout is that of c/recorder.h. The student's program can write into this memory: whatever it holds is
read as numbers and short texts, and none of it is believed to be in range.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import re
import socket
import struct
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

from . import spawn
from .calls import ARGUMENTS, BY_NUMBER, CALLS, MARKS, SYMBOLS
from .evidence import Call, Frame, Location, Queues
from .faults import MOST_FAULTS, Action, Fault, parse_faults
from .standing import Standing, Text, as_words, sites

VARIABLE = "SOCKLAB_RECORD"             # the environment variable that names the descriptor
RECORDERS_FILES = ("recorder.c", "races.c")
WRAPPED: tuple[str, ...] = tuple(name for name in CALLS if name not in MARKS)

_MAGIC, _VERSION = 0x6B636F73, 6
_HEADER = struct.Struct("=IIIIIIQQQ")
_FAULT = struct.Struct("=QIIIIIIII")
_SLOT = struct.Struct("=IBBBBiiIiqq5qqQQ3QI28s32s20s4x")
_HELD = struct.Struct("=5i")
_STRUCK = struct.Struct("=QQQ512s8192s")    # the signal, where the program lies, where it was struck, frames, the stack
_RELEASED, _QUEUES_AT, _TOTAL, _MOVED = 16, 20, 32, 40      # offsets in the header
_SEEN = 36                              # offset in a fault: what stands before it never changes
_STRUCK_AT = _HEADER.size + MOST_FAULTS * _FAULT.size
_SLOTS = _STRUCK_AT + _STRUCK.size

_NOBODY_YET, _ARMED = 2, 12          # what is armed until a recorder comes, and its offset in the header
_ENTERED, _RETURNED = 1, 2
_SOCKET, _GIVEN, _SIZE, _QUEUES = 1, 2, 4, 8
_NO_FD = -2**31

_FUTEX_WAKE = 1
_SYS_FUTEX = {"x86_64": 202, "aarch64": 98}.get(os.uname().machine, 202)
_LIBC = ctypes.CDLL(None, use_errno=True)


def link_flags() -> list[str]:
    """What the program must be linked with, besides recorder.o and -pthread."""
    return ["-static-libgcc", *(f"-Wl,--wrap={symbol}" for symbol in (*SYMBOLS, BY_NUMBER))]      # what follows a stack's frames is in it


class Recording:
    """One run's recording. The program gets `fd`, and its number there in SOCKLAB_RECORD."""

    def __init__(self, fd: int, memory: mmap.mmap, capacity: int, faults: tuple[Fault, ...]) -> None:
        self.fd = fd
        self._memory = memory
        self.capacity = capacity        # the calls beyond it are counted, and not kept
        self._faults = faults
        self._finished: dict[int, Call] = {}
        self._written = self._settings()

    def _settings(self) -> bytes:
        """What the grader alone writes: of the header and of each fault."""
        faults = b"".join(self._memory[start:start + _SEEN] for start in
                          range(_HEADER.size, _STRUCK_AT, _FAULT.size))
        return self._memory[:_ARMED] + self._memory[_QUEUES_AT:_TOTAL] + faults

    @property
    def is_intact(self) -> bool:
        """Whether the program's recorder came, and the faults that it was given are still there."""
        return self._settings() == self._written and self._memory[_ARMED] != _NOBODY_YET

    @classmethod
    def create(cls, faults: str, seed: int, capacity: int = 4096, *, queues: bool = False) -> Recording:
        """Memory for a run with these faults; they are armed from the start. queues: what connections hold is noted
        at their calls. Raises FaultError."""
        table = parse_faults(faults)
        size = _SLOTS + capacity * _SLOT.size
        fd = os.memfd_create("recording", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, size)
        # Without the seals a program could shrink the file, and reading it would kill the grader.
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        memory = mmap.mmap(fd, size)
        _HEADER.pack_into(memory, 0, _MAGIC, _VERSION, capacity, _NOBODY_YET, 0, queues, seed % 2**64, 0, 0)
        for index, fault in enumerate(table):
            _FAULT.pack_into(memory, _HEADER.size + index * _FAULT.size, fault.mask, fault.action,
                             fault.sockets_only, fault.first, fault.last, fault.every, fault.low, fault.high, 0)
        return cls(fd, memory, capacity, table)

    @property
    def total(self) -> int:
        """The calls made so far, kept or not."""
        return int.from_bytes(self._memory[_TOTAL:_TOTAL + 8], "little")

    @property
    def moved(self) -> int:
        """The bytes that the program has sent and received so far."""
        return int.from_bytes(self._memory[_MOVED:_MOVED + 8], "little")

    def calls(self) -> tuple[Call, ...]:
        """The calls kept so far, in the order in which they began."""
        found = (self.call(index) for index in range(min(self.total, self.capacity)))
        return tuple(call for call in found if call is not None)

    @property
    def base(self) -> int:
        """Where the program lies in its memory, 0 as long as it hasn't begun."""
        return int(_STRUCK.unpack_from(self._memory, _STRUCK_AT)[1])

    def struck(self) -> Standing | None:
        """Where the signal struck that ended the program; None where the recorder hasn't seen one."""
        number, _, site, frames, stack = _STRUCK.unpack_from(self._memory, _STRUCK_AT)
        callers = tuple(frame for frame in as_words(frames)[1:] if frame)
        return Standing(site, as_words(stack), callers) if number else None

    @property
    def holds(self) -> bool:
        """Whether a fault may hold a call until release() is called."""
        holding = any(fault.action in (Action.WAITS, Action.LINGERS) for fault in self._faults)
        return holding and not int.from_bytes(self._memory[_RELEASED:_RELEASED + 4], "little")

    def release(self) -> None:
        """Lets the calls go on that a fault holds, now and later."""
        word = ctypes.c_uint32.from_buffer(self._memory, _RELEASED)
        word.value = 1
        _LIBC.syscall(_SYS_FUTEX, ctypes.byref(word), _FUTEX_WAKE, 2**31 - 1, None, None, 0)

    def close(self) -> None:
        """Gives the memory back; nothing can be read any more."""
        if self.fd != -1:
            self._memory.close()
            self._finished.clear()
            os.close(self.fd)
            self.fd = -1

    def call(self, index: int) -> Call | None:
        """The call in a slot; None where it isn't filled yet. One that has returned never changes."""
        if index not in self._finished:
            start = _SLOTS + index * _SLOT.size
            call = _decode(index, self._memory[start:start + _SLOT.size], self._faults)
            if call is None or call.ended is None:
                return call
            self._finished[index] = call
        return self._finished[index]


def _decode(index: int, slot: bytes, faults: tuple[Fault, ...]) -> Call | None:
    (state, name, flags, arg_count, data_length, thread, fd, struck, error, began, ended,
     *args, result, site, size, caller, second, third, address_length, address, data, held) = _SLOT.unpack(slot)
    if state not in (_ENTERED, _RETURNED) or name >= len(CALLS) or ARGUMENTS.get(CALLS[name], arg_count) != arg_count:
        return None
    family, shown = _address(address[:address_length])
    returned = state == _RETURNED
    return Call(
        index=index, thread=thread, name=CALLS[name], began=began, ended=ended if returned else None,
        fd=None if fd == _NO_FD else fd, args=tuple(~arg for arg in args[:arg_count]), result=result if returned else None,
        errno=error if returned else 0, address=shown, family=family, data=data[:data_length],
        size=size if flags & _SIZE else None,
        faulted="; ".join(fault.text for bit, fault in enumerate(faults) if struck >> bit & 1) or None,
        given=bool(flags & _GIVEN), socket=bool(flags & _SOCKET), site=site, where=None,
        callers=tuple(place for place in (caller, second, third) if place),
        queues=Queues(*_HELD.unpack(held)) if flags & _QUEUES else None)


def _address(raw: bytes) -> tuple[int | None, str | None]:
    """The family, and "127.0.0.1:7788" or "[::1]:80" where it is an internet address."""
    if len(raw) < 2:
        return None, None
    family = int.from_bytes(raw[:2], "little")
    port = int.from_bytes(raw[2:4], "big")
    if family == socket.AF_INET and len(raw) >= 8:
        return family, f"{socket.inet_ntop(family, raw[4:8])}:{port}"
    if family == socket.AF_INET6 and len(raw) >= 24:
        return family, f"[{socket.inet_ntop(family, raw[8:24])}]:{port}"
    return family, None


def resolve(calls: Iterable[Call], program: Path) -> tuple[Call, ...]:
    """The calls with their source lines, as far as the program's debugging information knows them."""
    calls = tuple(calls)
    places = _locate(sorted({site for call in calls for site in (call.site, *call.callers)}), program)
    kept: dict[object, object] = {}
    stands = {stand: _stand(stand, places) for stand in {(call.site, call.callers) for call in calls}}
    return tuple(_placed(call, stands[call.site, call.callers], kept) for call in calls)


Stand = tuple[Location | None, str | None, tuple[Frame, ...]]       # a call's line, function, and what that was called from


def _stand(stand: tuple[int, tuple[int, ...]], places: Mapping[int, Sequence[Place]]) -> Stand:
    site, callers = stand
    if not places.get(site):
        return None, None, ()
    nearest, *others = [place for address in (site, *callers) for place in places.get(address, ())]
    return *nearest, tuple(Frame(*place) for place in others)


T = TypeVar("T")


def _placed(call: Call, stand: Stand, kept: dict[object, object]) -> Call:
    """The call with its line. Values that it shares with earlier ones are kept once: a program that loops fills
    the evidence of each test."""
    def once(value: T) -> T:
        return cast(T, kept.setdefault(value, value))

    where, inside, via = stand
    return replace(call, where=where, inside=inside, via=via, args=once(call.args), data=once(call.data),
                   callers=once(call.callers), address=once(call.address), queues=once(call.queues))


def locate(wanted: Sequence[int], program: Path) -> dict[int, tuple[Location, str | None]]:
    """Each address's line and function, where the program's debugging information knows them."""
    return {site: places[0] for site, places in _locate(wanted, program).items() if places}


def lines_of(standings: Iterable[Standing], base: int, program: Path) -> list[Location]:
    """The program's lines that these threads stand at, or will come back to, the nearest first; not the recorder's."""
    text = Text.of(program)
    lines = []
    for standing in standings:
        found = sites(standing, base, text)
        places = _locate(sorted(set(found)), program)
        lines += [where for site in found for where, _ in places.get(site, ()) if where.file not in RECORDERS_FILES]
    return lines


def line_of(standings: Iterable[Standing], base: int, program: Path, file_name: str) -> Location | None:
    """The first line of the student's file that one of these threads stands at, or will come back to."""
    return next((where for where in lines_of(standings, base, program) if where.file == file_name), None)


Place = tuple[Location, str | None]      # a line, and the function that it stands in


def _locate(wanted: Sequence[int], program: Path) -> dict[int, list[Place]]:
    """One run of addr2line. It answers each address with itself and pairs of lines, a function and "file:line", or "??"
    and "??:0": the first pair is the place, the others where that was inlined."""
    if not wanted:
        return {}
    try:
        answer = spawn.run(["addr2line", "-a", "-i", "-f", "-e", program], timeout=30,
                           given="".join(f"{site:#x}\n" for site in wanted).encode(),
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"})
    except (OSError, subprocess.SubprocessError):
        return {}                       # lines explain a verdict; none rests on them
    said = answer.stdout.decode(errors="replace")
    places: dict[int, list[Place]] = {}
    for site, block in zip(wanted, re.split(r"^0x[0-9a-f]+\n", said, flags=re.MULTILINE)[1:]):
        lines = block.split("\n")
        places[site] = [place for function, line in zip(lines[::2], lines[1::2]) if (place := _place(function, line))]
    return places


def _place(function: str, line: str) -> Place | None:
    """What two lines of addr2line's say; None where it doesn't know."""
    found = re.match(r"(.*):(\d{1,9})(?: \(discriminator \d+\))?$", line)
    name, number = (Path(found[1]).name, int(found[2])) if found else ("??", 0)
    if not number or name == "??":
        return None
    return Location(name, number), function if function != "??" else None
