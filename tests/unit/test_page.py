"""The report as a page: its parts, hostile text, colours; pure, without a browser (tests/cli/test_browser.py has one)."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from grader import keep
from grader.build import CompileError
from grader.catalog import find_labs
from grader.causes import diagnose
from grader.evidence import Evidence, Location
from grader.report.page import Setting, Standing, draw, escape, figures, hexview
from grader.verdict import LabResult, Listed, Outcome, judge

TESTS = Path(__file__).resolve().parents[1]
LABS = {lab.id: lab for lab in find_labs()}
STYLE = (TESTS.parent / "grader" / "report" / "page" / "style.css").read_text()
HOSTILE = "</script><script>alert(1)</script>\"'><img src=http://x.example/ onerror=alert(1)>&lt;\x1b[2J\x07\u202egnp.c\u2066 $title ${style} <!-- ]]> \x00\ud800"
SOURCE = "".join(f"line {number};\n" for number in range(1, 200))


def recorded(lab: str) -> list[Evidence]:
    lines = gzip.decompress((TESTS / "ladders" / "recorded.jsonl.gz").read_bytes()).splitlines()
    return [keep.unpack(entry["evidence"]) for entry in map(json.loads, lines) if entry["name"].startswith(lab)]


def failing(evidences: list[Evidence], lab: str = "lab1", promise: str = "promise", begin: int = 0) -> LabResult:
    """A lab whose plain tests pass, and in whose stages one test each, from stage `begin` on, failed with this evidence."""
    stages = LABS[lab].stages
    listed = [Listed(stage.name, stage.plain, "the plain one") for stage in stages]
    outcomes = {(stage.name, stage.plain): Outcome("passed", 0.1) for stage in stages}
    for number, evidence in enumerate(evidences):
        stage = stages[(begin + number) % len(stages)].name
        listed.append(Listed(stage, f"t{number}", f"{promise} {number}"))
        outcomes[stage, f"t{number}"] = Outcome("failed", 0.1, evidence, diagnose(evidence))
    return judge(LABS[lab], listed, outcomes, seconds=1.0)


def page(*results: LabResult, source: str = SOURCE, **changes: object) -> str:
    standings = tuple(Standing(lab.id, lab.title, None) for lab in LABS.values())
    setting = Setting("bubblewrap", "5eed", 1.0, datetime(2025, 1, 2, 3, 4), "", (), standings)
    return draw(results, {lab: source for lab in LABS}, replace(setting, **changes))


class Outline(HTMLParser):
    """Elements in order, and what is wrong with their nesting."""

    VOID = {"meta", "link", "br", "rect", "line", "polygon", "path", "circle"}

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.data = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.data += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module", params=list(LABS))
def outline(request: pytest.FixtureRequest) -> Outline:
    return Outline(page(failing(recorded(request.param)[:8], request.param)))


def test_elements_are_nested(outline: Outline) -> None:
    assert outline.wrong == [] and outline.open == []


def test_landmarks(outline: Outline) -> None:
    for landmark in ("header", "nav", "main", "footer", "h1"):
        assert len(outline.named(landmark)) == 1, landmark
    assert outline.named("html")[0]["lang"] == "en"
    assert all(picture.get("role") == "img" or picture.get("aria-hidden") == "true" for picture in outline.named("svg"))
    pictures = sum(picture.get("role") == "img" for picture in outline.named("svg"))
    assert len(outline.named("desc")) == pictures > 0 and len(outline.named("title")) == pictures + 1


def test_headings_leave_no_step_out(outline: Outline) -> None:
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and all(after <= before + 1 for before, after in zip(levels, levels[1:]))


def test_links_lead_somewhere(outline: Outline) -> None:
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [link["href"] or "" for link in outline.named("a")]
    assert links and {link for link in links if link.removeprefix("#") not in ids} == set()


def test_it_needs_nothing_from_elsewhere(outline: Outline) -> None:
    assert not outline.named("script") and not outline.named("img")
    for tag, attributes in outline.tags:
        for name in ("src", "href", "srcset", "action", "data", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in STYLE and "@import" not in STYLE


def test_the_policy_knows_the_style() -> None:
    drawn = page(failing(recorded("lab1")[:2]))
    assert drawn.count("<style>") == 1 and "style-src 'sha256-" in drawn and "default-src 'none'" in drawn


# ---- what a student writes -------------------------------------------------------------------------------------

def hostile() -> str:
    """A page with hostile text wherever a student's text can stand."""
    evidence = next(one for one in recorded("lab1") if one.run and one.run.calls and one.peers)
    run = replace(evidence.run, output=HOSTILE.encode(errors="surrogatepass"), errors=HOSTILE.encode(errors="replace"),    # type: ignore[type-var]
                  faults=HOSTILE, args=(HOSTILE,), function="",
                  calls=tuple(replace(call, data=HOSTILE.encode(errors="replace"), address=HOSTILE) for call in evidence.run.calls))  # type: ignore[union-attr]
    peers = tuple(replace(peer, story=(HOSTILE,), trouble=HOSTILE, address=HOSTILE) for peer in evidence.peers)
    failure = replace(evidence.failure, message=HOSTILE, expected=HOSTILE.encode(errors="replace"), actual=b"<b>", run=None, peer=None)
    evil = replace(evidence, runs=(run,), peers=peers, failure=failure, file=HOSTILE)
    result = failing([evil, evil], promise=HOSTILE)
    located = tuple(replace(stage, tests=tuple(replace(test, location=Location(HOSTILE, 3)) if test.evidence else test
                                               for test in stage.tests)) for stage in result.stages)
    broken = replace(result, lab=LABS["lab2"], trouble=HOSTILE)
    uncompiled = replace(result, lab=LABS["lab3"], compile_error=CompileError(HOSTILE, Location(HOSTILE, 2)))
    missing = replace(result, lab=LABS["lab4"], unreadable=HOSTILE)
    return page(replace(result, stages=located), broken, uncompiled, missing, source=f"{HOSTILE}\n" * 20,
                seed=HOSTILE, tree=HOSTILE, tier=HOSTILE, notices=(HOSTILE,), standings=(Standing(HOSTILE, HOSTILE, 3),))


def test_hostile_text_is_text() -> None:
    drawn = hostile()
    outline = Outline(drawn)
    assert outline.wrong == [] and outline.open == []
    assert outline.data.count("<script>alert(1)") > 15, "it is shown, not dropped"
    assert not outline.named("script") and not outline.named("img")
    assert all(not name.startswith("on") for _, attributes in outline.tags for name in attributes)
    assert [char for char in drawn if not char.isprintable() and char not in "\n"] == []
    assert "\\u202e" in drawn and "\\e[2J" in drawn and "$title" in drawn
    drawn.encode("utf-8")


def test_what_nobody_sees_is_named() -> None:
    assert escape.text("a\u202eb\u200bc\x7f\n\U000e0001é中") == "a\\u202eb\\u200bc\\x7f\\n\\U000e0001é中"
    assert escape.text("<&\"'>") == "&lt;&amp;&quot;&#x27;&gt;"
    assert escape.lines("a\tb\r\nc") == "a       b\\r\nc"
    assert escape.prose("see `man 2 <send>` & go") == "see <code>man 2 &lt;send&gt;</code> &amp; go"


def test_long_lines_and_long_output_are_cut_and_it_says_so() -> None:
    assert "99,600 more characters" in figures.excerpt(Location("a.c", 2), f"a\n{'x' * 100_000}\nb")
    printed = figures.printed("standard output", b"y" * 60_000)
    assert "56,000 more bytes aren't shown" in printed and len(printed) < 6000
    assert figures.excerpt(Location("a.c", 4), "a\nb") == figures.excerpt(None, "a") == figures.printed("x", b"") == ""


def test_many_failures_stay_a_page() -> None:
    drawn = page(failing(recorded("lab3")[:1] * 60, "lab3"))
    assert len(drawn.encode()) < 1_000_000
    assert len(Outline(drawn).named("article")) == 60


# ---- what it says ---------------------------------------------------------------------------------------------

def test_the_first_failing_test_comes_first_and_is_open() -> None:
    drawn = page(failing(recorded("lab1")[:3], begin=1))
    articles = [attributes["class"] for attributes in Outline(drawn).named("article") if "class" in attributes]
    assert articles == ["test first"]
    assert drawn.index('class="test first"') < drawn.index('<details class="test">') < drawn.index("stage passed")
    assert "ONLY=sending_text/t0" in drawn and "make grade LAB=1 SEED=5eed" in drawn


def test_a_failure_of_the_grader_looks_like_none_of_the_student() -> None:
    drawn = page(judge(LABS["lab1"], (), {}, seconds=1.0, trouble="no room on the device"))
    main = drawn[drawn.index("<main"):]
    assert "no room on the device" in main and "The grader failed, not your program" in main
    assert 'class="test' not in main and "✗" not in main and "0/100" not in main
    assert "✓" not in drawn and "✗" not in drawn, "no stage has passed or failed"


def test_what_does_not_compile() -> None:
    error = CompileError("client_send.c:3: error: expected ';'", Location("client_send.c", 3))
    drawn = page(judge(LABS["lab1"], (), {}, seconds=1.0, compile_error=error))
    assert "It doesn't compile" in drawn and "expected &#x27;;&#x27;" in drawn and "✓" not in drawn and "0<small>/100" in drawn
    assert '<mark><i>3</i><span><b class="vh">this line: </b>line 3;</span></mark>' in drawn


def test_full_marks() -> None:
    stages = LABS["lab1"].stages
    result = judge(LABS["lab1"], [Listed(stage.name, stage.plain, "it works") for stage in stages],
                   {(stage.name, stage.plain): Outcome("passed", 0.1) for stage in stages}, seconds=1.0)
    drawn = page(result)
    assert f"All {len(stages)} tests passed." in drawn and "✗" not in drawn and "Skip to the report" in drawn
    assert "100<small>/100" in drawn


def test_bytes_side_by_side() -> None:
    due, came = bytes(range(40)), bytes(range(20)) + b"\xff" + bytes(range(21, 40))
    drawn = hexview.compare(due, came)
    assert hexview.first_difference(due, came) == 20 and "Byte 21 is the first that is wrong" in drawn
    assert re.findall("<mark>(.*?)</mark>", drawn) == ["14", "·", "ff", "·"]
    assert "Then 2 are missing" in hexview.compare(b"hello", b"hel") and "-- --" in hexview.compare(b"hello", b"hel")
    cut = hexview.compare(bytes(64), bytes(8))
    assert cut.count("-- -- -- -- -- -- -- --") == 1 and "\\x" not in cut, "one row of what is missing, as blanks in the text"
    assert re.findall('"row">(.*?)<', hexview.compare(bytes(2000), bytes(1000) + b"x"))[:3] == ["985", "993", "1,001"]
    assert "Then 1 more came" in hexview.compare(b"a" * 3000, b"a" * 3001)
    assert "tables begin at byte 2,985" in hexview.compare(b"a" * 3000, b"a" * 3001)
    assert "<script" not in hexview.compare(b"<script>", b"</style>")


def test_bytes_are_compared_only_where_all_of_them_were_promised() -> None:
    evidence = recorded("lab1")[0]
    failure = replace(evidence.failure, expected=b"ready", actual=b"not so")
    assert figures.difference(failure) != "" == figures.difference(replace(failure, whole=False))


# ---- colours ------------------------------------------------------------------------------------------------

def palette(block: str) -> dict[str, str]:
    short = {name: value for name, value in re.findall(r"--(\w+):(#[0-9a-f]{3,6})\b", block)}
    return {name: "#" + "".join(digit * 2 for digit in value[1:]) if len(value) == 4 else value for name, value in short.items()}


def luminance(colour: str) -> float:
    parts = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2's ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


ROOTS = re.findall(r":root\{(.*?)\}", STYLE, re.DOTALL)
GROUNDS = {"ink": ("paper", "card", "sunk", "mark", "warn"), "dim": ("paper", "card", "sunk", "mark"), "accent": ("paper", "card"),
           "bad": ("paper", "card", "sunk", "mark"), "good": ("paper", "card"), "wait": ("paper", "sunk", "warn", "mark")}


@pytest.mark.parametrize("root", ROOTS, ids=["light", "dark", "print"])
def test_contrast(root: str) -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    colours = palette(ROOTS[0]) | palette(root)
    low = {(name, ground): round(ratio, 2) for name, grounds in GROUNDS.items() for ground in grounds
           if (ratio := contrast(colours[name], colours[ground])) < 4.5}
    assert low == {}


def test_no_colour_but_those() -> None:
    rules = re.sub(r":root\{.*?\}", "", STYLE, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-f]{3,6}\b", rules) == []
    assert set(re.findall(r"[{;]color:var\(--(\w+)\)", rules)) <= set(GROUNDS)
    assert len(ROOTS) == 3


def test_the_pictures_have_classes_of_their_own() -> None:
    """What the page's style says of a class would hold in a picture too."""
    drawn = "".join(page(failing(recorded(lab)[:6], lab)) for lab in LABS)
    pictured = {name for picture in re.findall(r'<svg[^>]*role="img".*?</svg>', drawn, re.DOTALL)
                for names in re.findall(r'class="([^"]*)"', picture) for name in names.split()}
    styled = set(re.findall(r"\.([a-z][a-z-]*)", re.sub(r"main \.(plot|ladder)|\{.*?\}", "", STYLE)))
    assert len(pictured) > 10 and len(styled) > 10
    assert pictured & styled == set()
