"""A failing test: the promise, both sides, the cause, the line, the conversation, the bytes, what to read."""

from __future__ import annotations

from dataclasses import dataclass, field

from ... import guide
from ...causes import Diagnosis
from ...evidence import Evidence, Location
from ...verdict import StageResult, TestResult
from ..terminal import both_sides, conversation
from . import figures
from .escape import prose, text

HOW = {"failed": "failed", "crashed": "crashed", "timed_out": "didn't come to an end"}
MOST_FINDINGS = 8
MOST_CALLS = 10_000                 # that a page draws: some programs make thousands in a test, and so do all the tests


@dataclass
class Told:
    """What the page has explained already, by cause and line: the anchor of the test where it stands; and how many
    recorded calls it has drawn."""

    causes: dict[tuple[str, Location | None], str] = field(default_factory=dict)
    guided: dict[str, str] = field(default_factory=dict)
    calls: int = 0


def anchor(lab: str, stage: StageResult, test: TestResult) -> str:
    """The id of a test on the page."""
    return text(f"{lab}.{stage.stage.name}.{test.name}")


def draw(lab: str, stage: StageResult, test: TestResult, source: str, told: Told, again: str, first: bool) -> str:
    """One failing test; the first of a page is open, the others unfold. again: the command that runs it alone."""
    place = anchor(lab, stage, test)
    body = "".join(_parts(stage, test, source, told, place, again, first))
    points = "1 point" if test.max_points == 1 else f"{test.max_points} points"
    over = f'<span class="over">{text(HOW.get(test.status, test.status))} · {test.points} of {points}</span>'
    head = f'{over}<h4>{text(test.promise)}</h4>'
    happened = f'<p class="happened">{text(test.message)}</p>'
    if first:
        return f'<article class="test first" id="{place}">{head}{happened}{body}</article>'
    return (f'<article id="{place}"><details class="test"><summary>{head}{happened}</summary>'
            f'<div class="inside">{body}</div></details></article>')


def _parts(stage: StageResult, test: TestResult, source: str, told: Told, place: str, again: str,
           first: bool) -> list[str]:
    evidence, diagnosis = test.evidence, test.diagnosis
    out = []
    if evidence is not None:
        sides = "".join(f"<li>{text(line)}</li>" for line in both_sides(evidence))
        out.append(f"<h5>Both sides</h5><ul>{sides}</ul>" if sides else "")
    if diagnosis is not None:
        out.append(_cause(diagnosis, test.location, told, place))
    out.append(figures.excerpt(test.location, source))
    if evidence is not None:
        out += _pictures(evidence, test, told)
    if diagnosis is not None:
        out.append(_guide(diagnosis.slug, told, place, first))
    read = f"<p><b>Read</b> {text(stage.stage.read)}</p>" if stage.stage.read else ""
    out.append(f'<div class="further">{read}<p><b>This test alone</b> <code>{text(again)}</code></p></div>')
    return out


def _cause(diagnosis: Diagnosis, where: Location | None, told: Told, place: str) -> str:
    above = told.causes.setdefault((diagnosis.slug, where), place)
    if above != place:
        return (f'<div class="cause"><h5>Cause: {text(diagnosis.slug)}</h5>'
                f'<p><a href="#{above}">The same as above</a>.</p></div>')
    return f'<div class="cause"><h5>Cause: {text(diagnosis.slug)}</h5><p>{text(diagnosis.text)}</p></div>'


def _pictures(evidence: Evidence, test: TestResult, told: Told) -> list[str]:
    out = [_conversation(evidence, test, told)]
    differs = figures.difference(evidence.failure)
    out.append(f"<h5>The bytes</h5>{differs}" if differs else "")
    run = evidence.run
    if run is None:
        return out
    if evidence.failure.kind == "memory" and run.findings:
        found = [f"{one.text}{f', {one.where.file}:{one.where.line}' if one.where else ''}" for one in run.findings]
        more = f"<li>{len(found) - MOST_FINDINGS:,} more</li>" if len(found) > MOST_FINDINGS else ""
        out.append("<h5>What valgrind found</h5><ul>" + "".join(f"<li>{text(one)}</li>" for one in found[:MOST_FINDINGS]) + more + "</ul>")
    return [*out, figures.printed("standard output", run.output), figures.printed("standard error", run.errors)]


def _conversation(evidence: Evidence, test: TestResult, told: Told) -> str:
    calls = len(evidence.run.calls) if evidence.run is not None else 0
    if told.calls + calls > MOST_CALLS:
        return (f"<h5>The conversation</h5><p>It isn't drawn here: your program made {calls:,} calls, and as many in tests "
                "above. A report of this test alone draws it.</p>")
    told.calls += calls
    drawn = conversation(evidence, test.location)
    ladder = "" if drawn is None else "<h5>The conversation</h5>" + figures.ladder(drawn, f"The conversation: {test.promise}")
    plots = figures.plots(evidence)
    return ladder + (f"<h5>Over time</h5>{plots}" if plots else "")


def _guide(slug: str, told: Told, place: str, is_open: bool) -> str:
    """The field guide's entry, once on a page."""
    entry = guide.find(slug)
    if entry is None:
        return ""
    above = told.guided.setdefault(slug, place)
    if above != place:
        return f'<p class="see"><a href="#{above}">What the field guide says of {text(slug)}</a></p>'
    said = "".join(f"<dt>{name}</dt><dd>{prose(words)}</dd>" for name, words in
                   (("You see", entry.see), ("Why", entry.why), ("Idea", entry.idea), ("By hand", entry.by_hand)) if words)
    return (f'<details class="guide"{" open" if is_open else ""}><summary>The field guide: {text(slug)}</summary>'
            f'<p class="wrong">Wrong, as it is often written:</p>{figures.code(entry.wrong)}<dl>{said}</dl></details>')
