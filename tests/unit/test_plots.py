"""Plots of recorded evidence: sound pictures, right values, and nothing where nothing was seen.

tests/plots/recorded.jsonl.gz holds what failed tests of labs 5 and 6 saw; tests/plots/record.py records it.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from grader import keep  # noqa: E402
from grader.evidence import Call, Evidence, Failure, Location, Look, Queues  # noqa: E402
from grader.plots import NARROW, WIDE, Layout, queues, timeline  # noqa: E402
from grader.plots.frame import BREAK, Clock, duration, length, wrap  # noqa: E402
from kit import grade_source, mutants  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
LINES = gzip.decompress((TESTS / "plots" / "recorded.jsonl.gz").read_bytes()).splitlines()
RECORDED = {entry["name"]: keep.unpack(entry["evidence"]) for entry in map(json.loads, LINES)}
LAB5 = [name for name in RECORDED if name.startswith("lab5")]
LAB6 = [name for name in RECORDED if name.startswith("lab6") and name != "lab6/never-set"]
MS = 1_000_000


def texts(svg: str | None) -> list[str]:
    assert svg is not None
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def all_pictures() -> Iterator[object]:
    for layout in (WIDE, NARROW):
        for draw, names in ((timeline.draw, LAB5), (queues.draw, LAB6)):
            for name in names:
                yield pytest.param(draw, RECORDED[name], layout, id=f"{name}-{layout.width}")


# ---- any picture ------------------------------------------------------------------------------------

@pytest.mark.parametrize("draw, evidence, layout", all_pictures())
def test_the_picture_is_sound(draw: Callable[[Evidence, Layout], str | None], evidence: Evidence, layout: Layout) -> None:
    svg = draw(evidence, layout)
    assert svg is not None and svg == draw(evidence, layout) and len(svg) < 30_000
    root = ElementTree.fromstring(svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "style", "rect", "line", "text", "polygon", "polyline", "circle", "path"}
    assert root.get("role") == "img" and root[0].tag == f"{SVG}title" and root[1].tag == f"{SVG}desc" and root[1].text
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "") and " id=" not in svg
    assert "nan" not in svg and "inf," not in svg
    height = float(root.attrib["height"])
    for text in root.iter(f"{SVG}text"):
        words, x, anchor = text.text or "", float(text.attrib["x"]), text.get("text-anchor")
        columns = length(words) * 0.88              # length() is rather too long
        begin = x if anchor is None else x - columns if anchor == "end" else x - columns / 2
        assert -1 <= begin and begin + columns <= layout.width + 1, words
        assert 0 < float(text.attrib["y"]) < height, words


def test_text_is_large_enough_on_a_phone() -> None:
    svg = timeline.draw(RECORDED["lab5/iterative"], NARROW)
    assert svg is not None
    (size,) = map(int, re.findall(r"font:(\d+)px", svg))
    assert size * min(1, 390 / NARROW.width) >= 11 and NARROW.width <= 390 - 2 * 16


EVIL = "</text><script>alert(1)</script>\x1b[31m&\"'\x00"


@pytest.mark.parametrize("name, draw", [("lab5/lock-twice", timeline.draw), ("lab6/send-then-recv", queues.draw)])
def test_what_a_student_wrote_is_only_shown(name: str, draw: Callable[[Evidence], str | None]) -> None:
    evidence = RECORDED[name]
    run = evidence.runs[-1]
    calls = tuple(replace(call, faulted=EVIL, where=Location(EVIL, 1)) for call in run.calls)
    peers = tuple(replace(peer, trouble=f"still waited for {EVIL}") for peer in evidence.peers)
    svg = draw(replace(evidence, file=EVIL, runs=(*evidence.runs[:-1], replace(run, calls=calls)), peers=peers))
    assert svg is not None and "<script" not in svg and all(char.isprintable() or char == "\n" for char in svg)
    ElementTree.fromstring(svg)
    assert "script" in svg


@pytest.mark.parametrize("seed", range(30))
def test_a_forged_recording_breaks_no_drawing(seed: int) -> None:
    """The student's program can write any number into the recording."""
    rng = random.Random(seed)
    evidence = RECORDED[rng.choice(sorted({*LAB5, *LAB6} - {"lab5/no-detach", "lab5/waits-when-200"}))]

    def number() -> int:
        return rng.choice((-2**63, -1, 0, 1, 2**31, 2**63 - 1, rng.randrange(10**9)))

    def forge(call: Call) -> Call:
        held = Queues(number(), number(), number(), number(), number())
        return replace(call, began=number(), ended=rng.choice((None, number())), thread=rng.randrange(5),
                       queues=rng.choice((None, held)), result=rng.choice((call.result, number())))

    runs = tuple(replace(run, calls=tuple(forge(call) if rng.random() < 0.3 else call for call in run.calls[:300]))
                 for run in evidence.runs)
    for draw in (timeline.draw, queues.draw):
        for layout in (WIDE, NARROW):
            svg = draw(replace(evidence, runs=runs), layout)
            if svg is not None:
                ElementTree.fromstring(svg)


def test_less_evidence_breaks_nothing() -> None:
    for name, draw in (("lab5/iterative", timeline.draw), ("lab6/send-then-recv", queues.draw)):
        evidence = RECORDED[name]
        for kept in range(0, len(evidence.runs[-1].calls)):
            runs = tuple(replace(run, calls=run.calls[:kept]) for run in evidence.runs)
            draw(replace(evidence, runs=runs))
            draw(replace(evidence, runs=runs, time=0, peers=tuple(replace(peer, events=()) for peer in evidence.peers)))
        assert draw(replace(evidence, runs=(), peers=(), failure=Failure("wait", "never"))) is None


# ---- time -------------------------------------------------------------------------------------------

def test_time_is_to_scale_where_something_happens() -> None:
    clock = Clock([0, 1 * MS, 2 * MS, 3 * MS, 4 * MS], Layout(600, 100, 500))
    assert [clock(at * MS) for at in range(5)] == [100, 200, 300, 400, 500] and not clock.cuts
    assert clock(-5) == 100 and clock(99 * MS) == 500


def test_where_nothing_happens_time_is_cut_and_told() -> None:
    clock = Clock([0, 1 * MS, 2 * MS, 3 * MS, 303 * MS], Layout(600, 100, 500))
    ((begin, end),) = clock.cuts
    assert 3 * MS < begin < 4 * MS and 302 * MS < end < 303 * MS
    assert clock(end) - clock(begin) == pytest.approx(BREAK) and clock(303 * MS) == pytest.approx(500)
    at = [clock(time) for time in range(0, 303 * MS, MS)]
    assert at == sorted(at)
    assert any(f"{duration(end - begin)} later" in one for one in clock.tears(0, 50))


def test_durations() -> None:
    assert [duration(ns) for ns in (0, 250, 1500, 20_000_000, 236 * MS, 2_770 * MS)] == [
        "0 µs", "0.25 µs", "1.5 µs", "20 ms", "236 ms", "2.77 s"]
    assert wrap("one two three", 8 * 6.9) == ["one two", "three"] and wrap("a" * 50, 69)[0].endswith("…")


# ---- queues -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", LAB6)
def test_the_peak_and_the_last_look_are_those_of_the_evidence(name: str) -> None:
    evidence = RECORDED[name]
    scene = queues.scene_of(evidence)
    assert scene is not None and evidence.run is not None
    seen = [call.queues for call in evidence.run.calls if call.queues] + [
        look.program for peer in evidence.peers for look in peer.looks if look.program]
    highest = max(max(one.unacked, one.unread) for one in seen)
    assert queues.peak(scene.ours) == highest > 0
    shown = texts(queues.draw(evidence))
    assert f"{highest:,}" in shown
    last = scene.peer.looks[-1].program
    assert last is not None and {f"{last.unacked:,} not acknowledged", f"{last.unsent:,} not sent yet"} <= set(shown)


def test_a_deadlock_shows_full_boxes_and_both_sides_waiting() -> None:
    shown = texts(queues.draw(RECORDED["lab6/send-then-recv"]))
    assert any(re.fullmatch(r"send\(\) never returned, buffers.c:\d+", words) for words in shown)
    assert "the peer still waited for room to send" in shown
    run = RECORDED["lab6/send-then-recv"].run
    assert run is not None
    (size,) = {call.queues.send_buffer for call in run.calls if call.queues}
    assert f"SO_SNDBUF = SO_RCVBUF {size:,}" in shown and "0 not acknowledged" not in shown


def test_a_wait_and_a_fault_are_told() -> None:
    shown = " ".join(texts(queues.draw(RECORDED["lab6/eintr-anew"])))
    assert re.search(r"poll\(\) waited for \d+ ms", shown) and "▼ the test: poll 1 waits" in shown


def seen(held: tuple[tuple[int, Queues], ...]) -> Evidence:
    """A connection whose two ends held this at these times."""
    base = RECORDED["lab6/send-then-recv"]
    assert base.run is not None
    calls = tuple(replace(call, queues=None) for call in base.run.calls)
    start = calls[0].began
    looks = tuple(Look(start + time, 0, one, one) for time, one in held)
    peers = tuple(replace(peer, events=tuple(replace(event, queues=None) for event in peer.events), looks=looks)
                  for peer in base.peers)
    return replace(base, runs=(replace(base.run, calls=calls),), peers=peers)


def test_values_are_drawn_where_they_are() -> None:
    held = tuple((at * MS, Queues(0, size, 0, 0, 0)) for at, size in enumerate((0, 500, 1000, 250)))
    svg = queues.draw(seen(held))
    assert svg is not None
    first = next(element for element in ElementTree.fromstring(svg).iter(f"{SVG}polyline") if element.get("class") == "curve one")
    heights = [float(point.split(",")[1]) for point in first.attrib["points"].split()]
    base = heights[0]
    assert [round((base - y) / (base - heights[2]), 2) for y in heights[:4]] == [0, 0.5, 1, 0.25]
    assert base - heights[2] == pytest.approx(queues.PANEL)
    assert "1,000" in texts(svg) and "250 not acknowledged" in texts(svg)


def test_a_limit_far_above_is_told_and_not_drawn() -> None:
    svg = queues.draw(seen(((0, Queues(0, 0, 0, 9_000, 3_000)), (MS, Queues(0, 1000, 0, 9_000, 3_000)))))
    shown = " ".join(texts(svg))
    assert svg is not None and shown.count("SO_SNDBUF 9,000: higher than this picture") == 2
    assert svg.count('class="limit three"') == 2 and 'class="limit one"' not in svg


def test_very_many_looks_keep_their_peak() -> None:
    rng = random.Random(1)
    held = [(at * 1000, Queues(0, rng.randrange(900), 0, 0, 0)) for at in range(4000)]
    held[2345] = (2345 * 1000, Queues(0, 77_777, 0, 0, 0))
    svg = queues.draw(seen(tuple(held)))
    assert svg is not None and len(svg) < 150_000
    curve = next(element for element in ElementTree.fromstring(svg).iter(f"{SVG}polyline") if element.get("class") == "curve one")
    heights = [float(point.split(",")[1]) for point in curve.attrib["points"].split()]
    assert max(heights) - min(heights) == pytest.approx(queues.PANEL, abs=1.5)


def test_no_queues_no_picture() -> None:
    assert queues.draw(RECORDED["lab6/never-set"]) is None, "nothing was sent"
    assert all(queues.draw(RECORDED[name]) is None for name in LAB5), "lab 5 doesn't ask for queues"


# ---- timeline ---------------------------------------------------------------------------------------

def rows(name: str) -> timeline.Timeline:
    found = timeline.timeline_of(RECORDED[name])
    assert found is not None
    return found


def test_one_at_a_time() -> None:
    found = rows("lab5/iterative")
    assert found.at_once == 1 and [row.note for row in found.clients] == ["still connected", "never accepted"]
    (waits,) = found.clients[1].bars
    assert (waits.style, waits.end) == ("waits", None)
    assert "2 clients, at most 1 served at the same time, by 1 thread" in texts(timeline.draw(RECORDED["lab5/iterative"]))


def test_side_by_side() -> None:
    found = rows("lab5/waits-when-200")
    run = RECORDED["lab5/waits-when-200"].run
    assert run is not None and found.whole
    assert found.at_once == sum(bar.style == "bar" for row in found.threads for bar in row.bars) == 200
    assert len(found.clients) == 255 and sum(row.note == "never accepted" for row in found.clients) == 54


def test_a_deadlock_is_a_bar_that_never_ends() -> None:
    found = rows("lab5/lock-twice")
    stuck = next(row for row in found.threads if row.bad)
    assert stuck.bars[-1] == replace(stuck.bars[-1], style="stuck", end=None) and "lock" in stuck.note
    assert found.clients[0].note == "no answer" and found.clients[0].bars[-1].end is None


def test_without_a_sleeping_thread_nothing_is_said_of_locks() -> None:
    evidence = RECORDED["lab5/lock-twice"]
    found = timeline.timeline_of(replace(evidence, runs=tuple(replace(run, asleep=()) for run in evidence.runs)))
    assert found is not None and not any(bar.style == "stuck" for row in found.threads for bar in row.bars)


def test_nobody_came_and_somebody_hangs() -> None:
    found = rows("lab5/start-joins")
    assert not found.clients and [row.name for row in found.threads if row.bad] == ["main"]
    assert "in pthread_join()" in found.threads[0].note


def test_more_calls_than_were_kept() -> None:
    evidence = RECORDED["lab5/no-detach"]
    assert evidence.run is not None
    cut = replace(evidence, runs=(replace(evidence.run, calls=evidence.run.calls[:600], total_calls=99_999),))
    found = timeline.timeline_of(cut)
    assert found is not None and not found.whole
    assert "only the program's first calls were recorded" in texts(timeline.draw(cut))
    assert not any(bar.style == "waits" for row in found.clients[-100:] for bar in row.bars), "that isn't known then"


def test_a_hundred_rows_are_folded() -> None:
    for layout in (WIDE, NARROW):
        svg = timeline.draw(RECORDED["lab5/waits-when-200"], layout)
        assert svg is not None and float(ElementTree.fromstring(svg).attrib["height"]) < 800
        assert {"255", "54 never accepted", "one row in 3 is drawn"} <= set(texts(svg))


def test_one_thread_and_one_client_are_no_timeline() -> None:
    evidence = RECORDED["lab5/lock-twice"]
    given = [tuple(replace(call, given=call.given or call.name == "pthread_create") for call in run.calls) for run in evidence.runs]
    assert timeline.draw(replace(evidence, runs=tuple(map(lambda run, calls: replace(run, calls=calls), evidence.runs, given)))) is None


def test_no_server_no_timeline() -> None:
    assert all(timeline.draw(RECORDED[name]) is None for name in LAB6)


# ---- from a grade -----------------------------------------------------------------------------------

@pytest.mark.parametrize("name, test, draw", [("lab6/blocking-fill", "full/fills_until_nothing_fits", queues.draw),
                                              ("lab5/lock-twice", "threads/answers_a_client", timeline.draw)])
def test_a_grade_notes_what_is_drawn(name: str, test: str, draw: Callable[[Evidence], str | None], tmp_path: Path) -> None:
    mutant = next(mutant for mutant in mutants("mutants") if mutant.name == name)
    grade_source(mutant.lab, mutant.source(), "--only", test, "--evidence", str(tmp_path))
    packed = json.loads((tmp_path / mutant.lab.id / f"{test.replace('/', '.')}.json").read_text())
    evidence = keep.unpack(packed)
    assert keep.unpack(json.loads(json.dumps(keep.pack(evidence)))) == evidence
    shown = " ".join(texts(draw(evidence)))
    assert ("send() never returned" if draw is queues.draw else "waits for a lock") in shown
