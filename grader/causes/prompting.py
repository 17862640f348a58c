"""Mistakes with standard input and output: prompts and lines.

Standard input is read inside the C library, where nothing is recorded. So these finders work out what each
call of prompt_line() should have given, and look at how the first wrong answer differs from that.
"""

from __future__ import annotations

import errno
import signal
from dataclasses import dataclass

from ..evidence import Evidence, RunSeen
from .base import Cause, Sure, at, cause, own_calls

CAUSES: list[Cause] = []
LAB = "lab1"
GUARD = 0xAA                        # what the probe fills the room with, before each call
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)
EMSGSIZE = (-1, errno.EMSGSIZE, b"")
END = (0, 0, b"")
Answer = tuple[int, int, bytes]     # result, errno of -1, line of 1


@dataclass(frozen=True)
class Wrong:
    """The first call that gave another answer than it should have."""

    before: Answer | None           # what the call before it gave, rightly
    due: Answer
    got: Answer
    cap: int
    last: bool                      # the line that is due has no newline


def _lines(run: RunSeen) -> list[bytes]:
    """The input's lines; the last one may have had no newline."""
    lines = run.input.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _due(run: RunSeen) -> list[Answer]:
    """What prompt_line() should have given, call for call."""
    if run.input_kind == "closed":
        return [(-1, errno.EBADF, b"")] * run.times
    cap = int(run.args[1])
    answers = [(1, 0, line) if len(line) < cap else EMSGSIZE for line in _lines(run)]
    return (answers + [END] * run.times)[:run.times]


def _given(run: RunSeen) -> list[Answer]:
    """What it gave."""
    lines = dict(run.texts)
    return [(result, error if result == -1 else 0, lines.get(f"line{n}", b"") if result == 1 else b"")
            for n, (result, error) in enumerate(run.reported, 1)]


def _asked(evidence: Evidence) -> RunSeen | None:
    """The run, if it is prompt_line() by itself with an input that is known."""
    run = evidence.run
    if run is None or run.function != "prompt_line" or run.input_kind not in ("bytes", "closed"):
        return None
    return run if len(run.args) == 2 and run.args[1].isdigit() else None


def _wrong(evidence: Evidence) -> Wrong | None:
    run = _asked(evidence)
    if run is None:
        return None
    before: Answer | None = None
    for number, (due, got) in enumerate(zip(_due(run), _given(run)), 1):
        if due != got:
            last = number == len(_lines(run)) and not run.input.endswith(b"\n")
            return Wrong(before, due, got, int(run.args[1]), last)
        before = got
    return None


def _gave_line(wrong: Wrong | None) -> bool:
    """A line was due, and another one was given."""
    return wrong is not None and wrong.due[0] == 1 and wrong.got[0] == 1


# ---- the prompt -------------------------------------------------------------------------------------

@cause(CAUSES, "no-flush", LAB, text="The prompt was printed and stayed in the program: standard output keeps what it has until "
       "it is full or flushed, unless it is a terminal. fflush(stdout) before you wait.")
def no_flush(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.trouble is None or run.function not in ("prompt_line", "") or run.errors:
        return None
    waits = run.trouble.kind == "stuck" and run.trouble.call == "read"
    return Sure() if waits and run.output == b"" and run.input_kind in ("held", "terminal") else None


def _prompts(evidence: Evidence) -> tuple[bytes, bytes] | None:
    """The prompt, and what was printed in its place, where prompt_line() was called once."""
    run = _asked(evidence)
    return (run.args[0].encode(), run.output) if run is not None and run.times == 1 and run.reported else None


@cause(CAUSES, "no-prompt", LAB, text="Nothing was asked: the prompt was never shown. Whoever sits there doesn't know that the "
       "program waits.")
def no_prompt(evidence: Evidence) -> Sure | None:
    shown, run = _prompts(evidence), evidence.run
    return Sure() if shown is not None and run is not None and not shown[1] and not run.errors else None


@cause(CAUSES, "prompt-newline", LAB, text="A newline was printed after the prompt. puts() adds one; fputs() and printf() print "
       "what they are given.")
def prompt_newline(evidence: Evidence) -> Sure | None:
    shown = _prompts(evidence)
    return Sure() if shown is not None and shown[1] == shown[0] + b"\n" else None


@cause(CAUSES, "prompt-stderr", LAB, text="The prompt went to standard error. It belongs to the dialogue, on standard output.")
def prompt_stderr(evidence: Evidence) -> Sure | None:
    shown, run = _prompts(evidence), evidence.run
    if shown is None or run is None or shown[0] in shown[1]:
        return None
    return Sure() if shown[0].strip() and shown[0].strip() in run.errors else None


@cause(CAUSES, "format-string", LAB, text="The prompt was taken for a format: printf(prompt) looks for % in it, and for arguments "
       "that aren't there. Text of others is an argument, never the format.")
def format_string(evidence: Evidence) -> Sure | None:
    shown, run = _prompts(evidence), evidence.run
    if shown is None:
        crashed = run is not None and run.signal in CRASHES and not run.reported and run.function == "prompt_line"
        return Sure() if crashed and run is not None and "%" in run.args[0] else None
    head = shown[0].split(b"%")[0]
    changed = shown[1] != shown[0] and shown[1] != b"" and shown[1].startswith(head)
    return Sure() if b"%" in shown[0] and changed and not shown[1].startswith(shown[0]) else None


# ---- the line ---------------------------------------------------------------------------------------

@cause(CAUSES, "overflow", LAB, text="More was written than there is room for. cap counts the final NUL too: a line has cap - 1 "
       "bytes at most.")
def overflow(evidence: Evidence) -> Sure | None:
    run = _asked(evidence)
    if run is None:
        return None
    if dict(run.numbers).get("beyond", 0) > 0:
        return Sure()
    due = _due(run)[len(run.reported):]
    return Sure() if run.signal in CRASHES and due and due[0] == EMSGSIZE else None


@cause(CAUSES, "no-nul", LAB, text="The line has no NUL at its end, so whoever reads it goes on into what lies behind. A string in "
       "C ends with one, and you set it.")
def no_nul(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    if wrong is None or not _gave_line(wrong):
        return None
    rest = wrong.got[2][len(wrong.due[2]):]
    return Sure() if wrong.got[2].startswith(wrong.due[2]) and rest and set(rest) == {GUARD} else None


@cause(CAUSES, "fgets-nl", LAB, text="The newline was left in the line; fgets() keeps it. It ends the line and is no part of it: "
       "take it off.")
def fgets_nl(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    kept = wrong is not None and wrong.due[0] == 1 and wrong.got == (1, 0, wrong.due[2] + b"\n")
    wire = evidence.failure.kind == "received" and evidence.failure.actual == (evidence.failure.expected or b"") + b"\n"
    return Sure() if kept or (wire and evidence.run is not None and evidence.run.function == "") else None


@cause(CAUSES, "sizeof-pointer", LAB, text="The line was cut after 7 bytes: sizeof line is the size of a pointer, 8, one of them for "
       "the NUL. How much room there is only cap knows.")
def sizeof_line(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    return Sure() if wrong is not None and len(wrong.due[2]) > 7 and wrong.got == (1, 0, wrong.due[2][:7]) else None


@cause(CAUSES, "returns-count", LAB, text="The length of the line was returned. 1 says that there is a line; its length strlen() "
       "knows.")
def returns_length(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    counts = (len(wrong.due[2]), len(wrong.due[2]) + 1) if wrong is not None and wrong.due[0] == 1 else ()
    return Sure() if wrong is not None and wrong.got[0] > 1 and wrong.got[0] in counts else None


@cause(CAUSES, "last-char-cut", LAB, text="The last byte was taken off, whatever it was. The newline is there only if the line had "
       "one: look before you cut.")
def last_char_cut(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    cut = wrong is not None and wrong.due[0] == 1 and wrong.due[2] and wrong.got == (1, 0, wrong.due[2][:-1])
    ends = wrong is not None and (wrong.last or len(wrong.due[2]) == wrong.cap - 1)
    return Sure() if cut and ends else None


@cause(CAUSES, "char-eof", LAB, text="The byte 0xff ended the line: kept in a char it looks like EOF. getchar() returns an int so "
       "that the two differ.")
def char_eof(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    if wrong is None or wrong.due[0] != 1 or b"\xff" not in wrong.due[2]:
        return None
    return Sure() if wrong.got == (1, 0, wrong.due[2].split(b"\xff")[0]) else None


@cause(CAUSES, "scanf-word", LAB, text="Words were read, not lines: scanf(\"%s\") skips blanks and newlines first, and stops at the "
       "next blank. A line goes to its newline, blanks and all, and may be empty.")
def scanf_word(evidence: Evidence) -> Sure | None:
    wrong, run = _wrong(evidence), evidence.run
    if wrong is None or run is None or not _gave_line(wrong):
        return None
    words = wrong.due[2].split()
    cut = len(words) > 1 and wrong.got[2] == words[0]
    skipped = wrong.due[2] == b"" and wrong.got[2] != b"" and wrong.got[2] in run.input.split()
    return Sure() if cut or skipped else None


@cause(CAUSES, "trims", LAB, text="Blanks or a carriage return were taken off with the newline. They belong to the line: only the "
       "newline goes.")
def trims(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    if wrong is None or not _gave_line(wrong) or wrong.got[2] == wrong.due[2]:
        return None
    line = wrong.due[2]
    return Sure() if wrong.got[2] in (line.strip(), line.lstrip(), line.rstrip(), line.split(b"\r")[0]) else None


@cause(CAUSES, "own-limit", LAB, text="The line fits into the room that was given, and was cut or refused: some buffer on the way is "
       "smaller. How long a line may be only cap says.")
def own_limit(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    if wrong is None or wrong.due[0] != 1 or len(wrong.due[2]) + 1 >= wrong.cap or wrong.before is not None:
        return None
    cut = wrong.got[0] == 1 and len(wrong.got[2]) > 7 and wrong.due[2].startswith(wrong.got[2])
    return Sure() if wrong.got == EMSGSIZE or cut else None


# ---- the line after it ------------------------------------------------------------------------------

@cause(CAUSES, "long-line-rest", LAB, text="The rest of a line that was too long stayed in the input, and the next call got that. "
       "Read on to the newline before you give up.")
def long_line_rest(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    if wrong is None or wrong.before != EMSGSIZE:
        return None
    return Sure() if wrong.got == EMSGSIZE or (wrong.got[0] == 1 and wrong.got[2] != wrong.due[2]) else None


@cause(CAUSES, "just-fits", LAB, text="A line of cap - 1 bytes fits exactly. When the room is full, its newline or the end of the input is "
       "still to come: neither makes this line too long, or the next one empty.")
def just_fits(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    if wrong is None or wrong.due[0] != 1:
        return None
    refused = len(wrong.due[2]) == wrong.cap - 1 and wrong.got[0] == -1
    full = wrong.before is not None and wrong.before[0] == 1 and len(wrong.before[2]) == wrong.cap - 1
    return Sure() if refused or (full and wrong.got == (1, 0, b"")) else None


@cause(CAUSES, "long-line-cut", LAB, text="A line too long was cut and passed off as a whole one. Where there is no newline and no "
       "end of the input, there is more: that is EMSGSIZE here.")
def long_line_cut(evidence: Evidence) -> Sure | None:
    wrong, run = _wrong(evidence), evidence.run
    if wrong is None or run is None or wrong.due != EMSGSIZE or wrong.got[0] != 1:
        return None
    return Sure() if wrong.got[2] and any(line.startswith(wrong.got[2]) for line in _lines(run)) else None


@cause(CAUSES, "read-ahead", LAB, text="read() took more than one line: what came behind the newline is gone when the next call "
       "asks for it. It stays with you; or read a byte at a time.")
def read_ahead(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function not in ("prompt_line", ""):
        return None
    return next((at(call) for call in own_calls(evidence, "read") if call.fd == 0
                 and b"\n" in call.data and (call.result or 0) > call.data.index(b"\n") + 1), None)


@cause(CAUSES, "next-line", LAB, text="The next call didn't get the next line. Either the call before left its newline behind (scanf() "
       "does), or it took more than its own line out of the input (a second FILE does).")
def next_line(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    if wrong is None or wrong.before is None or wrong.before[0] != 1:
        return None
    if wrong.due[0] != 1 or not wrong.due[2] or wrong.last:
        return None
    return Sure() if wrong.got[0] in (0, -1) or wrong.got == (1, 0, b"") else None


# ---- the end ----------------------------------------------------------------------------------------

@cause(CAUSES, "empty-is-end", LAB, text="An empty line was taken for the end of the input. It has a newline, and the end has none.")
def empty_is_end(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    return Sure() if wrong is not None and wrong.due == (1, 0, b"") and wrong.got == END and wrong.cap > 1 else None


@cause(CAUSES, "last-line-lost", LAB, text="The input ended without a newline, and the bytes before the end were dropped. They are "
       "the last line.")
def last_line_lost(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    lost = wrong is not None and wrong.before is None and wrong.last and wrong.due[0] == 1 and wrong.got[0] in (0, -1)
    return Sure() if lost else None


@cause(CAUSES, "end-is-error", LAB, text="The end of the input was told as an error. Nothing went wrong: 0.")
def end_is_error(evidence: Evidence) -> Sure | None:
    wrong = _wrong(evidence)
    return Sure() if wrong is not None and wrong.due == END and wrong.got[0] == -1 else None


@cause(CAUSES, "error-is-end", LAB, text="Reading failed, and that was told as the end of the input. EOF and NULL mean either: "
       "ferror() knows which.")
def error_is_end(evidence: Evidence) -> Sure | None:
    wrong, run = _wrong(evidence), evidence.run
    closed = run is not None and run.input_kind == "closed"
    return Sure() if closed and wrong is not None and wrong.got == END else None


@cause(CAUSES, "end-unseen", LAB, text="At the end of the input a line was given back, though there was none. What does your reading "
       "call return there? Look at it before you look at the line.")
def end_unseen(evidence: Evidence) -> Sure | None:
    wrong, run = _wrong(evidence), evidence.run
    if wrong is None or run is None:
        return None
    nothing = wrong.due == END or run.input_kind == "closed"
    return Sure() if nothing and wrong.got[0] == 1 else None


@cause(CAUSES, "eof-spin", LAB, text="The input has ended, and the loop goes on waiting for a newline. The end must stop it too: EOF, "
       "kept in an int.")
def eof_spin(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function != "prompt_line" or run.input_kind not in ("bytes", "closed"):
        return None
    return Sure() if run.trouble is not None and run.trouble.kind == "busy" else None
