"""The class at a glance: one page that needs no network, no script and no other file but the reports it links to.

Scores by lab and stage, the commonest mistakes and whom they hit, the slowest and the unfinished, everybody. Pure.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from urllib.parse import quote

from .. import guide
from ..report import page
from ..report.page.escape import lines, prose, text
from ..report.page.overview import gauge
from .books import said
from .policy import Verdict
from .records import LabRow, Row, Setting

STYLES = (Path(page.__file__).parent / "style.css", Path(__file__).parent / "glance.css")
SKELETON = Path(page.__file__).parent / "skeleton.html"
BINS = 11                           # 0-9, 10-19, ... 100
MOST_CAUSES, MOST_SLOW = 15, 10
WIDE, HIGH, FOOT = 330, 96, 16      # of a picture


def draw(rows: Sequence[Row], setting: Setting, verdicts: Mapping[str, Verdict]) -> str:
    """The page as one HTML document. verdicts: a policy's, by the name of a student's files; empty without one."""
    style = "".join(place.read_text(encoding="utf-8") for place in STYLES)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    main = _labs(rows, setting) + _causes(rows) + _unfinished(rows) + _slowest(rows) + _everybody(rows, setting, verdicts)
    tiers = ", ".join(sorted({row.tier for row in rows if row.tier})) or "-"
    return Template(SKELETON.read_text(encoding="utf-8")).substitute(
        digest=digest, style=style, title="socklab: the class", first="everybody", first_name="the list of everybody",
        header=_header(rows), nav=_contents(rows), main=f'<div class="class">{main}</div>',
        footer=f"<p><b>Sandbox</b> {text(tiers)} · <b>Seed</b> {text(setting.seed)} · <b>Kit</b> {text(setting.kit)}</p>")


def _header(rows: Sequence[Row]) -> str:
    marks = sorted(row.score for row in rows if row.score is not None)
    most = max((row.max_score for row in rows), default=0)
    median = f'{_median(marks)}<small>/{most} median</small>' if marks else "<small>no marks</small>"
    failed = sum(bool(row.trouble) for row in rows)
    notice = f'<p class="notice">The grader failed on {_count(failed, "submission")}: no mark there.</p>' if failed else ""
    return (f'<p class="brand">socklab</p><div class="title"><h1><b>The class</b> {_count(len(rows), "submission")}</h1>'
            f'<p class="total">{median}</p></div>{notice}')


def _contents(rows: Sequence[Row]) -> str:
    parts = [("labs", "Scores by lab and stage"), ("causes", "The commonest mistakes"), ("unfinished", "Unfinished"),
             ("slowest", "Slowest"), ("everybody", "Everybody")]
    return '<ol class="stages">' + "".join(f'<li><a class="stage" href="#{place}">{name}</a></li>' for place, name in parts) + "</ol>"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _median(marks: Sequence[int]) -> int:
    return marks[len(marks) // 2]


def _link(row: Row, place: str = "") -> str:
    href = quote(f"reports/{row.file}.html") + (f"#{place}" if place else "")
    return f'<a href="{text(href)}">{text(row.student)}</a>'


def _section(place: str, title: str, body: str) -> str:
    return f'<section aria-labelledby="{place}"><h2 id="{place}">{title}</h2>{body}</section>'


# ---- labs -----------------------------------------------------------------------------------------

def _labs(rows: Sequence[Row], setting: Setting) -> str:
    by_lab: dict[str, list[LabRow]] = defaultdict(list)
    for row in rows:
        for lab in row.labs:
            by_lab[lab.lab].append(lab)
    cards = "".join(_card(by_lab[name]) for name in setting.labs if name in by_lab)
    return _section("labs", "Scores by lab and stage", f'<div class="grid">{cards}</div>')


def _card(labs: Sequence[LabRow]) -> str:
    marks = sorted(lab.score for lab in labs if lab.score is not None)
    states = Counter(lab.state for lab in labs if lab.state)
    told = [f"median {_median(marks)}" if marks else "no marks", *(f"{number} {state}" for state, number in states.most_common())]
    return (f'<div class="card"><h3><span><b>{text(labs[0].lab)}</b> {text(labs[0].title)}</span></h3>'
            f'<p>{text(", ".join(told))}</p>{_bars(marks, labs[0].max_score)}{_stages(labs)}</div>')


def _bars(marks: Sequence[int], most: int) -> str:
    """How many have which score: a bar for ten points each, and one for the full score."""
    bins = Counter(min(BINS - 1, mark * (BINS - 1) // most) for mark in marks)
    top = max(bins.values(), default=1)
    each = WIDE / BINS
    bars = ""
    for number in range(BINS):
        count, high = bins[number], bins[number] * (HIGH - 2 * FOOT) / top
        middle = each * (number + 0.5)
        label = str(most) if number == BINS - 1 else str(most * number // (BINS - 1))
        bars += (f'<rect x="{each * number + 2:.1f}" y="{HIGH - FOOT - high:.1f}" width="{each - 4:.1f}" height="{high:.1f}"/>'
                 + (f'<text x="{middle:.1f}" y="{HIGH - FOOT - high - 4:.1f}" text-anchor="middle">{count}</text>' if count else "")
                 + f'<text x="{middle:.1f}" y="{HIGH - 3}" text-anchor="middle">{label}</text>')
    spoken = ", ".join(f"{count} with {'full marks' if number == BINS - 1 else f'{most * number // (BINS - 1)} or more'}"
                       for number, count in sorted(bins.items()))
    return (f'<svg class="bars" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{text("scores: " + (spoken or "none"))}">'
            f'{bars}<line x1="0" x2="{WIDE}" y1="{HIGH - FOOT}" y2="{HIGH - FOOT}"/></svg>')


def _stages(labs: Sequence[LabRow]) -> str:
    """Of each stage, how many have passed it whole."""
    passed: Counter[str] = Counter()
    titles: dict[str, str] = {}
    for lab in labs:
        for stage in lab.stages:
            titles[stage.stage] = stage.title
            passed[stage.stage] += stage.status == "passed"
    items = "".join(f'<li><span class="row"><span>{text(title)}</span><span class="score">{passed[name]} of {len(labs)}</span></span>'
                    f'{gauge(passed[name], len(labs))}</li>' for name, title in titles.items())
    return f'<ul class="stages-of">{items}</ul>'


# ---- mistakes -------------------------------------------------------------------------------------

def _causes(rows: Sequence[Row]) -> str:
    hit: dict[str, list[Row]] = defaultdict(list)
    where: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for lab in row.labs:
            for slug in lab.causes:
                where[slug].add(lab.lab)
                if not hit[slug] or hit[slug][-1] is not row:
                    hit[slug].append(row)
    common = sorted(hit.items(), key=lambda item: (-len(item[1]), item[0]))
    body = "".join(_cause(slug, found, sorted(where[slug])) for slug, found in common[:MOST_CAUSES])
    if len(common) > MOST_CAUSES:
        rest = ", ".join(f"{slug} ({len(found)})" for slug, found in common[MOST_CAUSES:])
        body += f'<p class="left">And {text(rest)}</p>'
    return _section("causes", "The commonest mistakes", body or "<p>None was found.</p>")


def _cause(slug: str, found: Sequence[Row], labs: Sequence[str]) -> str:
    entry = guide.find(slug)
    told = ""
    if entry is not None:
        code = f"<pre>{lines(entry.wrong.rstrip())}</pre>" if entry.wrong else ""
        told = f"{code}<dl><dt>Why</dt><dd>{prose(entry.why)}</dd><dt>Idea</dt><dd>{prose(entry.idea)}</dd></dl>"
    who = "".join(f"<li>{_link(row)}</li>" for row in found)
    return (f'<details class="cause-of" id="{text(slug)}"><summary><b>{len(found)}</b><span>{text(slug)} '
            f'<span class="told">{text(", ".join(labs))}</span></span></summary>{told}<ul class="who">{who}</ul></details>')


# ---- who needs a look -----------------------------------------------------------------------------

def _table(heads: Sequence[str], body: Sequence[Sequence[str]], numbers: int) -> str:
    """A table of cells that are HTML; the last `numbers` columns hold figures."""
    def row(tag: str, cells: Sequence[str]) -> str:
        first = len(cells) - numbers
        return "<tr>" + "".join(f'<{tag}{" class=n" if index >= first else ""}>{cell}</{tag}>'
                                for index, cell in enumerate(cells)) + "</tr>"
    return (f'<div class="wide-table" tabindex="0" role="region" aria-label="table"><table><thead>{row("th", heads)}</thead><tbody>'
            + "".join(row("td", cells) for cells in body) + "</tbody></table></div>")


def _unfinished(rows: Sequence[Row]) -> str:
    body = []
    for row in rows:
        wrong = said(row)
        if wrong:
            body.append([_link(row), text("; ".join(wrong))])
    table = _table(["Student", "What there is to say"], body, 0) if body else "<p>Nobody: every file is there and compiles.</p>"
    return _section("unfinished", "Unfinished, and what to look at", table)


def _slowest(rows: Sequence[Row]) -> str:
    slow = sorted(rows, key=lambda row: -row.seconds)[:MOST_SLOW]
    body = []
    for row in slow:
        lab = max(row.labs, key=lambda lab: lab.seconds, default=None)
        body.append([_link(row), f"{text(lab.lab)} {lab.seconds:.1f} s" if lab else "", f"{row.seconds:.1f}"])
    return _section("slowest", "Slowest to grade", _table(["Student", "Mostly", "Seconds"], body, 1))


def _everybody(rows: Sequence[Row], setting: Setting, verdicts: Mapping[str, Verdict]) -> str:
    late = bool(verdicts)
    body = []
    for row in rows:
        labs = {lab.lab: lab for lab in row.labs}
        cells = [_link(row), *(_mark(labs[lab].score) if lab in labs else "-" for lab in setting.labs), _mark(row.score)]
        if late:
            verdict = verdicts[row.file]
            cells += [str(verdict.days_late or ""), _mark(verdict.final)]
        body.append(cells)
    heads = ["Student", *(text(lab) for lab in setting.labs), "Sum", *(["Days late", "Final"] if late else [])]
    return _section("everybody", "Everybody", _table(heads, body, len(heads) - 1))


def _mark(score: int | None) -> str:
    return "no mark" if score is None else str(score)
