"""valgrind around the student's program: the words to start it with, and what its log says."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from .evidence import Finding, Location

LOG_FD = 902
TOOLS = {
    "memcheck": ("--leak-check=full", "--show-leak-kinds=definite", "--track-fds=yes"),
    "helgrind": ("--history-level=full",),      # so that both lines of a race are known
}
COMMON = ("--read-inline-info=no", "--child-silent-after-fork=yes", f"--log-fd={LOG_FD}")
FRAME = re.compile(r"(?:at|by) 0x[0-9A-F]+: (\S+) \(([^():]+\.c):(\d{1,9})\)")
RACE = "Possible data race"
LINE = re.compile(r"^==\d+== ?(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Findings:
    """All that valgrind found. `complete` is False where the program was killed before its summary."""

    found: tuple[Finding, ...]
    complete: bool


def is_installed() -> bool:
    """Whether a test can ask for valgrind."""
    return shutil.which("valgrind", path="/usr/bin:/bin:/usr/local/bin") is not None


def tool_words(tool: str) -> list[str]:
    """The command's first words, for "memcheck" or "helgrind"."""
    return ["/usr/bin/valgrind", f"--tool={tool}", *COMMON, *TOOLS[tool]]


def read_findings(log: str, file_name: str) -> Findings:
    """Valgrind's text log, block by block: a block is what stands between blank lines.

    file_name: the student's file; a finding is at its first line there.
    """
    lines = [match[1] for match in LINE.finditer(log)]
    found: list[Finding] = []
    blocks = [block.split("\n") for block in re.split(r"\n\s*\n", "\n".join(lines)) if block.strip()]
    nothing: list[str] = []
    for block, following in zip(blocks, [*blocks[1:], nothing]):
        finding = _read_race(block, following, file_name) if RACE in block[0] else _read_block(block, file_name)
        if finding is not None and finding not in found:
            found.append(finding)
    return Findings(tuple(found), any(line.startswith("ERROR SUMMARY") for line in lines))


def _read_race(block: list[str], following: list[str], file_name: str) -> Finding | None:
    """Only where both accesses stand in the student's file: elsewhere helgrind misses what orders them."""
    here, there = _innermost(block, file_name), _innermost(following, file_name)
    if here is None or (following and following[0].startswith("This conflicts") and there is None):
        return None
    return Finding("race", block[0].strip(), here)


def _innermost(block: list[str], file_name: str) -> Location | None:
    """The place of the access itself, where that is the student's."""
    frame = next((FRAME.search(line) for line in block if line.lstrip().startswith("at 0x")), None)
    return Location(frame[2], int(frame[3])) if frame is not None and frame[2] == file_name else None


def _read_block(block: list[str], file_name: str) -> Finding | None:
    if len(block) < 2 or not block[1].lstrip().startswith(("at 0x", "by 0x")):
        return None
    first = block[0].strip()
    return Finding(_kind(first), first, _student_line(block, file_name))


def _kind(first: str) -> str:
    if " lost in loss record" in first:
        return "leak"
    if first.startswith("Open "):
        return "descriptor"
    return "error"


def _student_line(block: list[str], file_name: str) -> Location | None:
    frames = [match for match in (FRAME.search(line) for line in block) if match]
    for match in frames:
        if match[2] == file_name:
            return Location(match[2], int(match[3]))
    return None
