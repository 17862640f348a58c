"""Where a thread stands: return addresses among the words of a stack, in a program's machine code."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from grader.recording import line_of
from grader.standing import MOST_SITES, Standing, Text, as_words, look_at, sites

SOURCE = """
#include <unistd.h>
__attribute__((noinline)) void inner(void)
{
    pause();
}
int main(void)
{
    inner();
    return 0;
}
"""
BASE = 0x555555554000
x86 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the bytes are those of x86-64")


@x86
def test_only_what_follows_a_call_is_a_return_address() -> None:
    code = bytearray(64)
    code[10] = 0xE8                 # call, five bytes long
    text = Text(0x1000, bytes(code))
    stack = (BASE + 0x1000 + 15, BASE + 0x1000 + 20, 0, 2**64 - 1, BASE)
    assert sites(Standing(BASE + 0x1003, stack), BASE, text) == [0x1003, 0x1000 + 14]
    assert sites(Standing(0, stack), BASE, text) == [0x1000 + 14]
    assert len(sites(Standing(0, stack[:1] * 100), BASE, text)) == MOST_SITES


def test_what_is_no_program_has_no_code(tmp_path: Path) -> None:
    for content in (b"", b"\x7fELF", b"x" * 200):
        (tmp_path / "program").write_bytes(content)
        assert Text.of(tmp_path / "program").code == b""
    assert Text.of(tmp_path / "nothing") == Text(0, b"")


def test_a_stack_that_ends_midway_is_read_as_far_as_it_goes() -> None:
    assert as_words(struct.pack("<2Q", 1, 2) + b"abc") == (1, 2)


def test_a_line_is_found_in_a_process_that_waits(tmp_path: Path) -> None:
    (tmp_path / "waits.c").write_text(SOURCE)
    program = tmp_path / "waits"
    subprocess.run(["gcc", "-g", "-O1", "-fno-optimize-sibling-calls", "waits.c", "-o", program], cwd=tmp_path, check=True)
    with subprocess.Popen([program]) as process:
        try:
            syscall = Path(f"/proc/{process.pid}/syscall")
            while not syscall.read_text().startswith("34 " if os.uname().machine == "x86_64" else "73 "):
                assert process.poll() is None
            found = look_at([process.pid], process.pid)
            maps = Path(f"/proc/{process.pid}/maps").read_text()
            base = int(next(line for line in maps.splitlines() if line.endswith("/waits")).partition("-")[0], 16)
            where = line_of(found, base, program, "waits.c")
            assert where is not None and where.line == 5
            assert line_of(found, base, program, "others.c") is None
            assert look_at([process.pid], process.pid), "it was let go, and can be asked again"
        finally:
            process.kill()


def test_who_has_gone_stands_nowhere() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert look_at([process.pid], process.pid) == []
