"""Mistakes with standard input and output: prompts and lines."""

from __future__ import annotations

from ..evidence import Evidence
from .base import Cause, Sure, cause

CAUSES: list[Cause] = []


@cause(CAUSES, "no-flush", "lab1", text="The prompt was printed and stayed in the program: standard output keeps what it has until "
       "it is full or flushed, unless it is a terminal. fflush(stdout) before you wait.")
def no_flush(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.input_kind not in ("held", "terminal") or run.function not in ("prompt_line", ""):
        return None
    waiting = run.running and evidence.failure.kind in ("output", "wait", "said")
    return Sure() if waiting and run.output == b"" and "read" in (evidence.failure.message + evidence.test + "read") else None


@cause(CAUSES, "fgets-nl", "lab1", text="fgets() leaves the newline in the buffer. It ends the line and is no part of it: take it "
       "off.")
def fgets_nl(evidence: Evidence) -> Sure | None:
    failure = evidence.failure
    if failure.expected is None or failure.actual is None:
        return None
    return Sure() if failure.actual == failure.expected + b"\n" else None


@cause(CAUSES, "scanf-word", "lab1", text="%s stops at the first blank. A line goes to its newline, blanks and all.")
def scanf_word(evidence: Evidence) -> Sure | None:
    failure = evidence.failure
    if not failure.expected or not failure.actual or b" " not in failure.expected:
        return None
    return Sure() if failure.actual == failure.expected.split(b" ")[0] else None


@cause(CAUSES, "scanf-nl", "lab1", text="scanf() took what it wanted and left the newline behind, and the next read found just "
       "that: an empty line. Read whole lines.")
def scanf_nl(evidence: Evidence) -> Sure | None:
    failure = evidence.failure
    if not failure.expected or failure.actual is None:
        return None
    return Sure() if failure.actual in (b"", b"\n") and evidence.stage == "prompts" and _several_lines(evidence) else None


def _several_lines(evidence: Evidence) -> bool:
    run = evidence.run
    return run is not None and run.input.count(b"\n") >= 2
