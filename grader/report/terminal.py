"""The report on a terminal: what was promised, what happened on both sides, the cause, the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import words
from ..evidence import Evidence, Location, RunSeen
from ..ladder import Ladder, draw_lines, ladder_of
from ..ladder.terminal import clip
from ..text import quote, source_lines
from ..verdict import LabResult, StageResult, TestResult, hidden_words
from .screen import Screen, pad, width

BAR = 10
EXCERPT = 1                         # lines of source before and after the marked one
LADDER = 4                          # columns before a ladder
MAX_FAILURES = 4                    # told in full for a stage; the rest in a line each


def show_lab(screen: Screen, result: LabResult, source: str) -> None:
    """The whole report of one lab. source: the student's file, '' if it can't be read."""
    _heading(screen, result)
    if result.trouble:
        screen.block(f"The grader could not do its work, so there is no mark: {result.trouble}", 2, "yellow")
        return
    if result.unreadable:
        screen.block(f"✗ {result.unreadable}", 2, "red")
        return
    if result.compile_error:
        screen.block(f"✗ it doesn't compile: {result.compile_error.message}", 2, "red")
        _excerpt(screen, result.compile_error.location, source, 6)
        return
    told: set[tuple[str, Location | None]] = set()
    for stage in result.stages:
        _stage(screen, stage, source, told, result.partial)


def _heading(screen: Screen, result: LabResult) -> None:
    if result.partial:
        score, bar = "some tests, no mark", ""
    elif result.score is None:
        score, bar = f"  -/{result.max_score}", ""
    else:
        full = result.score * BAR // result.max_score
        score, bar = f"{result.score:>3}/{result.max_score}", "█" * full + "░" * (BAR - full)
    screen.line(f"{pad(f'{result.lab.id}  {result.lab.title}', 38)} {score}   {bar}".rstrip(), "bold")


def _stage(screen: Screen, stage: StageResult, source: str, told: set[tuple[str, Location | None]],
           partial: bool) -> None:
    """One stage. told: causes explained above, which aren't explained again."""
    marks = {"passed": ("✓", "green"), "failed": ("✗", "red"), "not_tried": ("·", "dim")}
    mark, colour = marks[stage.status]
    title = pad(stage.stage.title, 34)
    if stage.status == "not_tried":
        screen.block(f"{mark} {title} not tried: {reason(stage)}", 2, colour)
        _hidden(screen, stage)
        return
    passed = sum(test.status == "passed" for test in stage.tests)
    score = f"{passed} of {len(stage.tests)} passed" if partial else f"{stage.score:>3}/{stage.stage.points}"
    screen.line(f"  {mark} {title} {score}", colour)
    failed = [test for test in stage.tests if test.status not in ("passed", "not_tried")]
    laddered = False
    for test in failed[:MAX_FAILURES]:
        laddered = _failure(screen, test, stage, source, told, not laddered) or laddered
    for test in failed[MAX_FAILURES:]:
        screen.block(f"✗ {test.promise}: {test.message}", 6, "red")
    left = [test for test in stage.tests if test.status == "not_tried"]
    if left:
        screen.block(f"· {len(left)} more not tried: {reason(stage)}", 6, "dim")
    _hidden(screen, stage)


def _hidden(screen: Screen, stage: StageResult) -> None:
    if stage.unseen:
        screen.block(f"· {hidden_words(stage.unseen)}", 6, "dim")


def reason(stage: StageResult) -> str:
    """Why tests of it weren't tried."""
    if stage.waits_for is not None:
        return f'first needs "{stage.waits_for}"'
    return stage.lacks or "nothing could be run"


def _failure(screen: Screen, test: TestResult, stage: StageResult, source: str,
             told: set[tuple[str, Location | None]], draws: bool) -> bool:
    """One failing test, with a ladder of the conversation if it draws; says whether there was one."""
    screen.block(f"✗ {test.promise}", 6, "red")
    screen.block(test.message, 8)
    if test.diagnosis is not None and (test.diagnosis.slug, test.location) in told:
        where = f", {test.location.file}:{test.location.line}" if test.location else ""
        screen.labelled("cause", f"{test.diagnosis.slug}, as above{where}", 8)
        screen.line()
        return False
    ladder = conversation(test.evidence, test.location) if draws and test.evidence is not None else None
    if test.evidence is not None:
        for line in both_sides(test.evidence, ladder is not None):
            screen.block(line, 8, "dim")
    _excerpt(screen, test.location, source, 10)
    if ladder is not None:
        for pieces in draw_lines(ladder, screen.columns - LADDER, screen.safe):
            screen.pieces([(" " * LADDER, ""), *pieces])
    if test.diagnosis is not None:
        told.add((test.diagnosis.slug, test.location))
        screen.labelled("cause", f"{test.diagnosis.slug}: {test.diagnosis.text}", 8, "bold")
    read = [f"docs/mistakes.md#{test.diagnosis.slug}"] if test.diagnosis else []
    read += [stage.stage.read] if stage.stage.read else []
    if read:
        screen.labelled("read", " · ".join(read), 8)
    screen.line()
    return ladder is not None


def conversation(evidence: Evidence, where: Location | None) -> Ladder | None:
    """The ladder of a test; None where nobody talked, or where the failure isn't about that."""
    if evidence.failure.kind in ("memory", "output"):
        return None
    drawn = ladder_of(evidence, where)
    return drawn if drawn.tells else None


def both_sides(evidence: Evidence, has_ladder: bool = False) -> list[str]:
    """What the peers did and what came of the student's program, a sentence each. has_ladder: a ladder stands below and
    shows the peers and what the test put in, so that only the program's end is left to say. Memory isn't the peers'."""
    told = evidence.failure.message
    untold = has_ladder or evidence.failure.kind == "memory"
    lines = [] if untold else [line for line in _peers(evidence) if line.replace(" still waited ", " waits ") not in told][:6]
    run = evidence.run
    if run is not None:
        lines += [line for line in (_call(run), _program(run)) if line and not _said(line, evidence)]
        if run.faults and not has_ladder:
            lines.append(f"the test had put in: {run.faults}")
    return lines


def _said(line: str, evidence: Evidence) -> bool:
    """Whether the message says it, of the program or of the function. One that says why a wait is over says where the
    program waits, too."""
    message, run = evidence.failure.message, evidence.run
    if evidence.failure.kind == "wait" and run is not None and run.trouble is not None and ": your program " in message:
        return " was still " in line
    return line in message or (" was " in line and line.partition(" was ")[2] in message)


def _peers(evidence: Evidence) -> list[str]:
    """What the peers tell. Of several, each has its address; of many, only the one that it is about counts."""
    peers = evidence.peers
    if len(peers) > 2:
        peers = peers[-1:] if evidence.failure.peer is None else (peers[evidence.failure.peer],)
    if len(peers) == 1:
        return list(peers[0].story)
    return [line.replace("the peer", f"the peer at {peer.address}", 1) for peer in peers for line in peer.story]


def _call(run: RunSeen) -> str:
    """What a function that talks to nobody was called with."""
    if run.function != "prompt_line" or len(run.args) != 2:
        return ""
    often = f", {run.times} times" if run.times > 1 else ""
    given = f", and the input was {quote(run.input)}" if run.input_kind == "bytes" else ""
    return f'the call was prompt_line({quote(run.args[0].encode())}, line, {run.args[1]}){often}{given}'


def _program(run: RunSeen) -> str:
    what = f"{run.function}()" if run.function else "your program"
    where = words.at(run.trouble.where if run.trouble else run.struck)
    if run.function and len(run.reported) >= run.times and run.signal is None:
        return ""               # it returned: that the probe then ended, or waits for the suite, is no news
    if run.trouble is not None and run.trouble.kind == "stuck":
        return f"{what} was still waiting{f' {words.waiting(run.trouble.call)}' if run.trouble.call else ''}{where}"
    if run.trouble is not None:
        return f"{what} was still running{where}"
    if run.signal is not None:
        return f"{what} {run.fate}"
    if run.running:
        return f"{what} was still running"
    said = run.errors.decode(errors="replace").strip().splitlines()
    return f"your program exited with status {run.status}" + (f', saying "{said[0][:200]}"' if said else "")


def _excerpt(screen: Screen, where: Location | None, source: str, indent: int) -> None:
    """The student's line with its neighbours."""
    lines = source_lines(source)
    if where is None or not 1 <= where.line <= len(lines):
        return
    screen.line(" " * (indent - 2) + f"{where.file}:{where.line}", "bold")
    for number in range(max(1, where.line - EXCERPT), min(len(lines), where.line + EXCERPT) + 1):
        mark = "►" if number == where.line else " "
        text = lines[number - 1].expandtabs(4)
        shown, room = screen.safe(f"{mark}{number:>4} │ {text}"), screen.columns - indent
        screen.line(" " * indent + (shown if width(shown) <= room else clip(shown, room - 2, screen.safe)))


def show_total(screen: Screen, results: tuple[LabResult, ...], scores: Mapping[str, str], notices: list[str],
               seed: str, seconds: float) -> None:
    """The last lines: progress over all labs, what was weaker than usual, how to repeat it."""
    if len(scores) > 1:
        for line in _rows("all labs", [f"{lab} {score}" for lab, score in scores.items()], screen.columns):
            screen.line(line)
    for notice in notices:
        screen.block(notice, 0, "yellow")
    screen.line(f"{seconds:.1f} s · the same once more: SEED={seed}", "dim")
    screen.flush()


def _rows(title: str, items: Sequence[str], columns: int) -> list[str]:
    """The title and the items one below another in columns, as many a line as fit."""
    wide = max(len(item) for item in items) + 3
    each = max(1, (columns - len(title) - 2 + 3) // wide)
    rows = ["".join(item.ljust(wide) for item in items[start:start + each]).rstrip() for start in range(0, len(items), each)]
    return [f"{title if number == 0 else ' ' * len(title)}  {row}" for number, row in enumerate(rows)]
