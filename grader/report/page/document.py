"""The whole page."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from string import Template

from ...verdict import LabResult
from . import failure, figures, overview
from .escape import text
from .failure import Told, anchor
from .overview import Standing

HERE = Path(__file__).parent
MOST_FAILURES = 24                  # of a page, told in full; the rest in a line each
TIERS = {"bubblewrap": "in a sandbox (bubblewrap)", "landlock": "in a weaker sandbox (Landlock)",
         "none": "without a sandbox"}


@dataclass(frozen=True)
class Setting:
    """What all labs of one grade share."""

    tier: str                       # the sandbox's
    seed: str
    seconds: float                  # that the grade took
    when: datetime
    tree: str = ""                  # where the students' files lie, "" for labs/
    notices: tuple[str, ...] = ()   # what was weaker than usual
    standings: tuple[Standing, ...] = ()    # all labs; empty where the work isn't one's own

    def again(self, lab: str, test: str = "") -> str:
        """The command that grades it once more. lab: "" for all."""
        words = ["make grade-all"] if not lab else [f"make grade LAB={lab.removeprefix('lab')}"]
        words += [f"FROM={shlex.quote(self.tree)}"] if self.tree else []
        words += [f"SEED={shlex.quote(self.seed)}"] + ([f"ONLY={test}"] if test else [])
        return " ".join(words)


def draw(results: Sequence[LabResult], sources: Mapping[str, str], setting: Setting) -> str:
    """The page as one HTML document. sources: the student's file of each lab, "" where it can't be read."""
    told, firsts = Told(), [place for result in results for place, _ in _anchors(result)][:1]
    alone = len(results) == 1
    labs = [_lab(result, sources.get(result.lab.id, ""), setting, told, firsts, alone) for result in results]
    main, pictured = _lift_styles("".join(labs))
    style = pictured + _read("style.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return Template(_read("skeleton.html")).substitute(
        digest=digest, style=style, title=text(_title(results)), first=firsts[0] if firsts else "main",
        first_name="the first failing test" if firsts else "the report",
        header=_header(results, setting), nav="".join(_contents(result, alone) for result in results), main=main,
        footer=_footer(results, setting))


@cache
def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _lift_styles(body: str) -> tuple[str, str]:
    """The body without the pictures' <style> elements, and these once: the page's policy knows a style by its hash.
    All other text is escaped, so none of them is a student's."""
    found = dict.fromkeys(re.findall(r"<style>(.*?)</style>", body, re.DOTALL))
    return re.sub(r"<style>.*?</style>", "", body, flags=re.DOTALL), "".join(found)


def _title(results: Sequence[LabResult]) -> str:
    if len(results) != 1:
        return "socklab: the labs"
    return f"{results[0].lab.id} {results[0].lab.title}: {overview.score_of(results[0])}"


def _header(results: Sequence[LabResult], setting: Setting) -> str:
    name = f"<b>{text(results[0].lab.id)}</b> {text(results[0].lab.title)}" if len(results) == 1 else "The labs"
    scores = [result.score for result in results if result.score is not None]
    whole = sum(result.max_score for result in results)
    score = overview.score_of(results[0]) if len(results) == 1 else \
        f"{sum(scores)}/{whole}" if len(scores) == len(results) else "no sum"
    value, _, of = score.partition("/")
    said = f"{text(value)}<small>/{of}</small>" if of else f"<small>{text(score)}</small>"
    standings = setting.standings or tuple(Standing(result.lab.id, result.lab.title, result.score, result.max_score)
                                           for result in results)
    row = overview.progress(standings, [result.lab.id for result in results]) if len(standings) > 1 else ""
    return (f'<p class="brand">socklab</p><div class="title"><h1>{name}</h1><p class="total">{said}</p></div>{row}'
            + "".join(f'<p class="notice">{text(notice)}</p>' for notice in setting.notices))


def _ran(result: LabResult) -> bool:
    """Whether there were tests to speak of."""
    return not (result.trouble or result.unreadable or result.compile_error)


def _anchors(result: LabResult) -> list[tuple[str, str]]:
    return [(anchor(result.lab.id, stage, test), test.promise) for stage in result.stages for test in overview.failed(stage)
            if _ran(result)]


def _contents(result: LabResult, alone: bool) -> str:
    lab = result.lab
    name = f'<p class="lab"><a href="#{text(lab.id)}">{text(lab.id)} {text(lab.title)}</a></p>'
    if not _ran(result):
        return name
    return ("" if alone else name) + overview.contents(result, {
        stage.stage.name: [(anchor(lab.id, stage, test), test.promise) for test in overview.failed(stage)]
        for stage in result.stages})


def _lab(result: LabResult, source: str, setting: Setting, told: Told, firsts: list[str],
         alone: bool) -> str:
    """One lab: what failed first, then the rest of its stages. alone: the page's heading names it."""
    lab = result.lab
    hidden = ' class="vh"' if alone else ""
    head = f'<h2{hidden}>{text(lab.id)} {text(lab.title)} <span class="score">{text(overview.score_of(result))}</span></h2>'
    if result.trouble:
        body = (f'<div class="broken"><h3>The grader failed, not your program</h3><p>There is no mark. Nothing here says '
                f'anything about your work.</p><pre class="printed">{text(result.trouble)}</pre>'
                f'<p>Try once more: <code>{text(setting.again(lab.id))}</code></p></div>')
    elif result.unreadable:
        body = f'<article class="test first"><h3>There is nothing to grade</h3><p class="happened">{text(result.unreadable)}</p></article>'
    elif result.compile_error is not None:
        error = result.compile_error
        body = (f'<article class="test first"><h3>It doesn\'t compile</h3><p class="happened">{text(error.message)}</p>'
                f'{figures.excerpt(error.location, source)}</article>')
    else:
        stages = sorted(result.stages, key=lambda stage: not overview.failed(stage))
        body = f'<p class="sum">{overview.sentence(result)}</p>' + "".join(
            _stage(result, index, source, setting, told, firsts)
            for index in (result.stages.index(stage) for stage in stages))
    return f'<section class="lab" id="{text(lab.id)}">{head}{body}</section>'


def _stage(result: LabResult, index: int, source: str, setting: Setting, told: Told, firsts: list[str]) -> str:
    stage, lab = result.stages[index], result.lab.id
    score = "" if result.score is None else f'<span class="score">{stage.score}/{stage.stage.points}</span>'
    before = sum(len(overview.failed(other)) for other in result.stages[:index])
    tests = ""
    for number, test in enumerate(overview.failed(stage), before):
        again = setting.again(lab, f"{stage.stage.name}/{test.name}")
        if number < MOST_FAILURES:
            tests += failure.draw(lab, stage, test, source, told, again, anchor(lab, stage, test) in firsts)
        else:
            tests += (f'<article class="test brief" id="{anchor(lab, stage, test)}"><h4>{text(test.promise)}</h4>'
                      f'<p class="happened">{text(test.message)}</p><p><code>{text(again)}</code></p></article>')
    return (f'<section class="stage {stage.status.replace("_", "-")}" id="{text(f"{lab}.{stage.stage.name}")}"><h3>{overview.mark(stage.status)}'
            f'{text(stage.stage.title)}{score}</h3>{tests}{overview.rest(stage)}</section>')


def _footer(results: Sequence[LabResult], setting: Setting) -> str:
    lab = results[0].lab.id if len(results) == 1 else ""
    when = setting.when
    return (f'<p><b>The same once more</b> <code>{text(setting.again(lab))}</code></p>'
            f'<p>Graded <time datetime="{when.isoformat(timespec="seconds")}">{when:%Y-%m-%d %H:%M}</time> in '
            f'{setting.seconds:.1f} s, {text(TIERS.get(setting.tier, setting.tier))}, seed {text(setting.seed)}.</p>')
