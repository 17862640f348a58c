"""Where a program stands that waits, runs in circles or was struck by a signal: found on its stack.

Nothing here decides anything: a line that isn't found is None, and the report says less.
"""

from __future__ import annotations

import ctypes
import os
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

WORDS = 1024                            # of the stack that are looked at
MOST_SITES = 12
MOST_THREADS = 32
STOP_SECONDS = 0.25
_WORD = 8
_SEIZE, _INTERRUPT, _DETACH, _GETREGSET, _NT_PRSTATUS = 0x4206, 0x4207, 17, 0x4204, 1
_WALL = 0x40000000
_PC, _SP = (16, 19) if os.uname().machine == "x86_64" else (32, 31)        # among the registers
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Standing:
    """A thread at one moment: its instruction, the words on its stack, innermost first, and to where it and its callers
    return, if that is known for certain."""

    site: int
    stack: tuple[int, ...]
    callers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Text:
    """The machine code of a program, and where it lies before it is loaded."""

    start: int
    code: bytes

    @classmethod
    def of(cls, program: Path) -> Text:
        """The executable segment of an ELF file of 64 bits; empty where it is none."""
        try:
            image = program.read_bytes()
            (table,), (size, number) = struct.unpack_from("<Q", image, 32), struct.unpack_from("<HH", image, 54)
            for at in range(table, table + size * number, size):
                kind, flags, offset, start, _, length = struct.unpack_from("<IIQQQQ", image, at)
                if kind == 1 and flags & 1:
                    return cls(start, image[offset:offset + length])
        except (OSError, struct.error):
            pass
        return cls(0, b"")

    def holds(self, address: int) -> bool:
        return self.start <= address < self.start + len(self.code)

    def returns_to(self, address: int) -> bool:
        """Whether the instruction before this address is a call."""
        at = address - self.start
        if at < 7 or at > len(self.code):
            return False
        if os.uname().machine == "x86_64":
            return self.code[at - 5] == 0xE8 or 0xFF in (self.code[at - 6], self.code[at - 3], self.code[at - 2])
        before = int.from_bytes(self.code[at - 4:at], "little")
        return before >> 26 == 0x25 or before & 0xFFFFFC1F == 0xD63F0000


def sites(standing: Standing, base: int, text: Text) -> list[int]:
    """Addresses in the program that the thread stands at or will come back to, the nearest first, as addr2line counts."""
    here = standing.site - base
    found = [here] if text.holds(here) else []
    certain = [word - base - 1 for word in standing.callers if text.holds(word - base)]
    if certain:
        return [*found, *certain][:MOST_SITES]
    for word in standing.stack:
        if len(found) == MOST_SITES:
            break
        if text.holds(word - base) and text.returns_to(word - base):
            found.append(word - base - 1)
    return found


def as_words(stack: bytes) -> tuple[int, ...]:
    """A copy of a stack as addresses."""
    whole = len(stack) // _WORD
    return struct.unpack(f"<{whole}Q", stack[:whole * _WORD])


# ---- a program that runs ----------------------------------------------------------------------------

def look_at(threads: Iterable[int], pid: int) -> list[Standing]:
    """Where threads of a process stand now; without those that can't be asked. Each is held for a moment."""
    found = [_look(thread, pid) for thread in list(threads)[:MOST_THREADS]]
    return [standing for standing in found if standing is not None]


def _look(thread: int, pid: int) -> Standing | None:
    if _LIBC.ptrace(_SEIZE, thread, None, None) == -1:
        return None
    try:
        if _LIBC.ptrace(_INTERRUPT, thread, None, None) == -1 or not _stands(thread):
            return None
        registers = (ctypes.c_uint64 * 64)()
        place = (ctypes.c_uint64 * 2)(ctypes.addressof(registers), ctypes.sizeof(registers))
        if _LIBC.ptrace(_GETREGSET, thread, ctypes.c_void_p(_NT_PRSTATUS), ctypes.byref(place)) == -1:
            return None
        return Standing(registers[_PC], _read_stack(pid, registers[_SP]))
    except OSError:
        return None
    finally:
        _LIBC.ptrace(_DETACH, thread, None, None)


def _stands(thread: int) -> bool:
    """Whether the thread stops within the time there is; one that can't be interrupted doesn't."""
    until = time.monotonic() + STOP_SECONDS
    while time.monotonic() < until:
        if os.waitpid(thread, _WALL | os.WNOHANG)[0] == thread:
            return True
        time.sleep(0.0005)
    return False


def _read_stack(pid: int, start: int) -> tuple[int, ...]:
    """What stands on a stack from there on; less where it ends sooner."""
    stack = b""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        while len(stack) < WORDS * _WORD:
            try:
                piece = os.pread(memory.fileno(), _WORD * 64, start + len(stack))
            except OSError:
                break
            if not piece:
                break
            stack += piece
    return as_words(stack)
