"""What surrounds the failing tests: where all labs stand, the stages, what passed, what wasn't tried, and how to
repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...verdict import LabResult, StageResult, TestResult, hidden_words
from ..terminal import reason
from .escape import text

MARKS = {"passed": ("✓", "passed"), "failed": ("✗", "failed"), "not_tried": ("·", "not tried"),
         "grader_error": ("?", "the grader failed")}


@dataclass(frozen=True)
class Standing:
    """The last known score of one lab; None: it has none yet."""

    lab: str
    title: str
    score: int | None
    max_score: int = 100


def failed(stage: StageResult) -> list[TestResult]:
    """The tests of a stage that the student's program failed."""
    return [test for test in stage.tests if test.status in ("failed", "crashed", "timed_out")]


def mark(status: str) -> str:
    """A sign for who sees, a word for who listens."""
    sign, word = MARKS.get(status, MARKS["failed"])
    return f'<span class="mark {word.replace(" ", "-")}" aria-hidden="true">{sign}</span><span class="vh">{word}: </span>'


def gauge(part: int, whole: int) -> str:
    """How much of it is reached; said in figures beside it."""
    share = 100 * part / whole if whole else 0
    return (f'<svg class="gauge" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="all" width="100" height="6"/><rect class="got" width="{share:g}" height="6"/></svg>')


def progress(standings: Sequence[Standing], here: Sequence[str]) -> str:
    """All labs in a row. here: those that this page is about."""
    items = []
    for one in standings:
        score = ("no mark" if one.lab in here else "not graded yet") if one.score is None else f"{one.score}/{one.max_score}"
        current = ' aria-current="true"' if one.lab in here else ""
        name = f"<b>{text(one.lab)}</b> {text(one.title)}"
        name = f'<a href="#{text(one.lab)}">{name}</a>' if one.lab in here else f"<span>{name}</span>"
        items.append(f'<li{current}>{name}<span class="score">{score}</span>{gauge(one.score or 0, one.max_score)}</li>')
    return f'<section aria-labelledby="labs"><h2 id="labs" class="vh">All labs</h2><ol class="labs">{"".join(items)}</ol></section>'


def score_of(result: LabResult) -> str:
    """The lab's mark in words."""
    if result.trouble:
        return "no mark"
    if result.partial:
        return "some tests, no mark"
    return f"{result.score}/{result.max_score}"


def contents(result: LabResult, anchors: dict[str, list[tuple[str, str]]]) -> str:
    """The lab's stages and failing tests as links. anchors: of each stage's failing tests, with their promises."""
    rows = []
    for stage in result.stages:
        name = stage.stage.name
        points = "" if result.score is None else f'<span class="score">{stage.score}/{stage.stage.points}</span>'
        tests = "".join(f'<li><a href="#{place}">{text(promise)}</a></li>' for place, promise in anchors.get(name, []))
        rows.append(f'<li><a class="stage" href="#{text(f"{result.lab.id}.{name}")}">{mark(stage.status)}'
                    f'<span>{text(stage.stage.title)}</span>{points}</a>{f"<ul>{tests}</ul>" if tests else ""}</li>')
    return f'<ol class="stages">{"".join(rows)}</ol>'


def rest(stage: StageResult) -> str:
    """The tests of a stage that passed, folded, and why others weren't tried."""
    passed = [test for test in stage.tests if test.status == "passed"]
    left = sum(test.status == "not_tried" for test in stage.tests)
    out = ""
    if passed:
        count = "1 test" if len(passed) == 1 else f"{len(passed)} tests"
        items = "".join(f"<li>{text(test.promise)}</li>" for test in passed)
        out += f'<details class="small"><summary>{mark("passed")} {count} passed</summary><ul>{items}</ul></details>'
    if left:
        count = "1 test" if left == 1 else f"{left} tests"
        out += f'<p class="left">{mark("not_tried")} {count} not tried: {text(reason(stage))}</p>'
    if stage.unseen:
        out += f'<p class="left">{mark("not_tried")} {text(hidden_words(stage.unseen))}</p>'
    return out


def sentence(result: LabResult) -> str:
    """The lab in one sentence."""
    tests = [test for stage in result.stages for test in stage.tests]
    bad, left = sum(len(failed(stage)) for stage in result.stages), sum(test.status == "not_tried" for test in tests)
    if not tests:
        return ""
    if not bad and not left:
        here = " that are here" if result.unseen else ""
        passed = "The only test passed." if len(tests) == 1 else f"All {len(tests)} tests{here} passed."
        return f"{passed} Hidden ones are run when the class is graded: {result.unseen}." if result.unseen else passed
    waits = f", {left} {'was' if left == 1 else 'were'} not tried" if left else ""
    return f"{len(tests) - bad - left} of {len(tests)} tests passed, {bad} failed{waits}."
