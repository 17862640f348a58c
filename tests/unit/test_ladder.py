"""The ladder: rungs of recorded evidence and of evidence made by hand, and how they are drawn.

tests/ladders/recorded.jsonl.gz holds what failed tests of all labs saw, with the peers' events: what
`python3 -m grader grade LAB --only TEST --evidence DIR` keeps, payloads cut. tests/evidence is older: without events.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader import keep
from grader.calls import CALLS
from grader.catalog import find_labs
from grader.causes import diagnose
from grader.evidence import Call, Evidence, Failure, Happening, Location, PeerSeen, RunSeen, Trouble
from grader.ladder import NARROW, WIDE, Ladder, Tone, Way, choose, draw_lines, draw_svg, ladder_of
from grader.ladder.labels import label
from grader.ladder.model import Arrow
from grader.ladder.streams import Block, Piece, first_takers, match, rest
from grader.report.screen import Screen, width
from grader.report.terminal import show_lab
from grader.verdict import Listed, Outcome, judge

TESTS = Path(__file__).resolve().parents[1]


def _read(path: Path, name: str) -> list[tuple[str, Evidence]]:
    entries = map(json.loads, gzip.decompress(path.read_bytes()).splitlines())
    return [(f"{path.name.partition('.')[0]}-{entry[name]}", keep.unpack(entry["evidence"])) for entry in entries]


RECORDED = _read(TESTS / "ladders" / "recorded.jsonl.gz", "name")
OLD = [one for path in sorted((TESTS / "evidence").glob("*.jsonl.gz")) for one in _read(path, "cause")]
BY_NAME = {name.removeprefix("recorded-"): evidence for name, evidence in RECORDED}
each = pytest.mark.parametrize("evidence", [pytest.param(evidence, id=name) for name, evidence in [*RECORDED, *OLD[::4]]])
SHORT_SEND = BY_NAME["lab1.short-send.sending_everything.short_counts"]


def screen(encoding: str) -> Screen:
    return Screen(io.TextIOWrapper(io.BytesIO(), encoding=encoding))


def text_of(ladder: Ladder, encoding: str = "utf-8", columns: int = 76, most: int = 24) -> list[str]:
    return ["".join(text for text, _ in line) for line in draw_lines(ladder, columns, screen(encoding).safe, most)]


def drawn(name: str) -> list[str]:
    """The ladder of a recorded failure as the report draws it."""
    evidence = BY_NAME[name]
    found = diagnose(evidence)
    return text_of(ladder_of(evidence, found.where if found else None))


def the(lines: list[str], *parts: str) -> str:
    """The first line that holds all these."""
    return next((line for line in lines if all(part in line for part in parts)), "no such line in:\n" + "\n".join(lines))


# ---- evidence made by hand --------------------------------------------------------------------------

def call(index: int, name: str, **changes: Any) -> Call:
    made = Call(index=index, thread=2, name=name, began=index * 1000, ended=index * 1000 + 100, fd=3, args=(), result=0,
                errno=0, address=None, family=None, data=b"", size=None, faulted=None, given=False, socket=True, site=0,
                where=Location("client.c", 10 + index))
    return replace(made, **changes)


def send(index: int, data: bytes, **changes: Any) -> Call:
    return call(index, "send", args=(3, 0, len(data), 0), data=data[:32], size=len(data), result=len(data), **changes)


def recv(index: int, data: bytes, **changes: Any) -> Call:
    made = call(index, "recv", args=(3, 0, 4096, 0), data=data[:32], size=4096, result=len(data))
    return replace(made, **changes)


def dialled(index: int = 0) -> Call:
    return call(index, "connect", address="127.0.0.1:7788")


def happening(time: int, kind: str, data: bytes = b"", connection: int = 0) -> Happening:
    return Happening(time, connection, kind, data[:64], len(data), "127.0.0.1:7788", "127.0.0.1:50000")


def run_of(*calls: Call, **changes: Any) -> RunSeen:
    made = RunSeen(function="", args=(), times=1, faults="", input_kind="", input=b"", tool="", nofile=0, status=0,
                   signal=None, running=False, trouble=None, reported=(), texts=(), numbers=(), descriptors=(), listening=(),
                   output=b"", errors=b"", calls=calls, total_calls=len(calls), findings=())
    return replace(made, **changes)


def peer_of(*events: Happening, **changes: Any) -> PeerSeen:
    made = PeerSeen(script="", role="listens", address="127.0.0.1:7788", port=7788, data=(), connections=1, received=b"",
                    sent=b"", ending="open", happy=True, trouble=None, story=(), events=events)
    return replace(made, **changes)


def evidence_of(run: RunSeen, *peers: PeerSeen) -> Evidence:
    return Evidence("lab1", "stage", "test", "client.c", Failure("exit", "it failed"), (run,), peers)


def accepted() -> Happening:
    return happening(50, "accepted")


# ---- one clock, two lanes ---------------------------------------------------------------------------

def test_a_send_and_its_receive_share_a_rung() -> None:
    ladder = ladder_of(evidence_of(run_of(dialled(), send(1, b"hello")),
                                   peer_of(accepted(), happening(1050, "received", b"hello"))))
    line = the(text_of(ladder), "send(3, …, 5) = 5")
    assert '"hello"' in line and "►" in line and line.endswith("received 5 bytes")


def test_a_receive_that_contradicts_stands_alone() -> None:
    ladder = ladder_of(evidence_of(run_of(dialled(), send(1, b"hello")),
                                   peer_of(accepted(), happening(1050, "received", b"jello"))))
    assert "received" not in the(text_of(ladder), "send(3, …, 5)")
    assert "send" not in the(text_of(ladder), "received 5 bytes")


def test_several_sends_that_arrive_as_one() -> None:
    ladder = ladder_of(evidence_of(run_of(dialled(), send(1, b"hel"), send(2, b"lo")),
                                   peer_of(accepted(), happening(2050, "received", b"hello"))))
    lines = text_of(ladder)
    assert "received" not in the(lines, '"hel"') and "received 5 bytes" in the(lines, '"lo"')


def test_pieces_that_are_read_at_once() -> None:
    ladder = ladder_of(evidence_of(run_of(dialled(), recv(3, b"hello")), peer_of(
        accepted(), happening(500, "sent", b"hel"), happening(600, "sent", b"lo"))))
    assert the(text_of(ladder), "recv(3, …, 4096) = 5", "◄", "sent 5 bytes in 2 pieces").startswith(" ")


def test_the_peers_own_order_stays() -> None:
    """Both send first: two pairs that would cross are drawn apart."""
    ladder = ladder_of(evidence_of(
        run_of(dialled(), send(1, b"mine"), recv(5, b"yours")),
        peer_of(accepted(), happening(900, "sent", b"yours"), happening(3000, "received", b"mine"))))
    rights = [rung.right for rung in ladder.rungs if rung.right]
    assert rights == ["accepted", "sent 5 bytes", "received 4 bytes"]
    lefts = [rung.left.partition("(")[0] for rung in ladder.rungs if rung.left]
    assert lefts == ["connect", "send", "recv", "the program exits with status 0"]


def test_what_was_received_had_been_sent_before() -> None:
    """A peer notes a send when it is over: by then the program may have received some of it."""
    late = [happening(8000, "sent", b"hello wo"), happening(9000, "half_close")]
    lines = text_of(ladder_of(evidence_of(run_of(dialled(), recv(1, b"hello")), peer_of(accepted(), *late))))
    sent = next(at for at, line in enumerate(lines) if "sent 8 bytes" in line)
    assert sent < next(at for at, line in enumerate(lines) if "recv(" in line), lines


def test_what_was_never_read_is_said() -> None:
    ladder = ladder_of(evidence_of(
        run_of(dialled(), recv(1, b"hel"), call(2, "close")),
        peer_of(accepted(), happening(900, "sent", b"hel"), happening(1500, "sent", b"lo world"), happening(2500, "reset"))))
    assert the(text_of(ladder), "never read") .strip() == 'never read: 8 bytes, "lo world"'
    assert "got a reset" in the(text_of(ladder), "close(3)")


def test_without_events_nothing_is_made_up() -> None:
    ladder = ladder_of(evidence_of(run_of(dialled(), send(1, b"hello")), peer_of()))
    assert not any(rung.right for rung in ladder.rungs)
    assert '"hello"' in the(text_of(ladder), "send(")


def test_errno_is_named_and_a_signal_too() -> None:
    lines = drawn("lab1.sigpipe.peer_leaves.survives_a_peer_that_left")
    assert the(lines, "= -1 ECONNRESET") and "killed here by SIGPIPE" in the(lines, "send(3", "killed")
    assert the(lines, "sent a reset")


def test_what_waits_at_the_end() -> None:
    lines = drawn("lab3.no-close.one_after_another.serves_three_clients")
    assert "still waiting" in the(lines, "accept(3, …)   ")
    assert lines[-1].strip() == "still waits for the end of the stream"


def test_a_deadlock_shows_both_sides() -> None:
    lines = drawn("lab6.send-then-recv.deadlock.sixty_four_kib_to_an_echo")
    assert "still waiting" in lines[-2] and "still waits for room to send" in lines[-1]


def test_a_wait_outside_the_recorded_calls() -> None:
    run = run_of(dialled(), status=None, running=True, trouble=Trouble("stuck", "futex", None))
    assert "still waits for a lock, or for a thread" in text_of(ladder_of(evidence_of(run, peer_of(accepted()))))[-1]


def test_peers_of_earlier_runs_are_left_out() -> None:
    now = run_of(*(replace(one, began=one.began + 10**9, ended=10**9 + 10**6) for one in (dialled(), send(1, b"now"))))
    before = peer_of(accepted(), happening(1050, "received", b"before"), address="127.0.0.1:7700")
    ours = peer_of(happening(10**9 + 50, "accepted"), happening(10**9 + 1050, "received", b"now"))
    ladder = ladder_of(replace(evidence_of(now, before, ours), failure=Failure("exit", "it failed", run=0)))
    assert [rung.right for rung in ladder.rungs if rung.right] == ["accepted", "received 3 bytes"]


# ---- faults -----------------------------------------------------------------------------------------

def test_a_fault_is_marked_and_said_once() -> None:
    lines = drawn("lab1.no-advance.sending_everything.short_counts")
    assert [line.strip() for line in lines if "the test:" in line] == ["the test: at most 7 bytes"]
    marked = [line for line in lines if "!" in line[:4]]
    assert len(marked) == 3 and all("send" in line for line in marked)
    assert "!" not in the(lines, "send(3, …, 1) = 1")[:4]


@pytest.mark.parametrize("words, said", [
    ("send takes at most 7 bytes", "at most 7 bytes"), ("recv takes 1 to 9 bytes", "1 to 9 bytes"),
    ("every 3rd recv fails with EINTR", "fails with EINTR"), ("close leaves errno EIO", "leaves errno EIO"),
    ("accept 2 waits", "held until now"), ("send 2 fails with ENOBUFS; send takes at most 1 byte", "fails with ENOBUFS")])
def test_faults_in_a_readers_words(words: str, said: str) -> None:
    ladder = ladder_of(evidence_of(run_of(dialled(), send(1, b"x", faulted=words)), peer_of(accepted())))
    assert the(text_of(ladder), "the test:").strip() == f"the test: {said}"


def test_the_causes_line_is_marked() -> None:
    lines = drawn("lab1.short-send.sending_everything.short_counts")
    assert [line for line in lines if "►" in line[:3]] == [the(lines, "send(3")]


# ---- folding ----------------------------------------------------------------------------------------

def test_a_long_run_is_counted() -> None:
    lines = drawn("lab1.no-advance.sending_everything.short_counts")
    counted = the(lines, "send × ")
    times = int(re.findall(r"× (\d+) more", counted)[0])
    calls = [one for one in BY_NAME["lab1.no-advance.sending_everything.short_counts"].runs[0].calls
             if one.name == "send" and one.faulted]
    assert times == len(calls) - 2
    assert f"{7 * times:,} bytes" in counted and len(lines) < 12


def test_rounds_are_counted() -> None:
    calls = [one for at in range(10) for one in (recv(2 * at + 1, b"ab", where=Location("client.c", 5)),
                                                 send(2 * at + 2, b"abc", where=Location("client.c", 6)))]
    lines = text_of(ladder_of(evidence_of(run_of(dialled(), *calls), peer_of(accepted()))))
    assert the(lines, "the same × 9 more").strip().startswith("the same × 9 more (27 bytes out, 18 bytes in)")
    assert len(lines) == 6


def test_few_that_are_alike_are_all_shown() -> None:
    calls = [send(at + 1, b"ab", where=Location("client.c", 5)) for at in range(4)]
    lines = text_of(ladder_of(evidence_of(run_of(dialled(), *calls), peer_of(accepted()))))
    assert sum("send(3" in line for line in lines) == 4


def test_a_hundred_clients_stay_legible() -> None:
    lines = drawn("lab5.drops.hundreds.a_hundred_at_once")
    assert len(lines) <= 24
    assert the(lines, "more like client 4") and the(lines, "4: expected")
    assert {found for line in lines for found in re.findall(r"│ (\d+):", line)} <= {"4", "6"}


def test_many_threads_are_named() -> None:
    lines = drawn("lab5.no-stop.clean_stop.silent_ones_are_ended")
    assert the(lines, "main: pthread_join") and the(lines, "t2: accept") and the(lines, "t3: recv", "still waiting")


def test_one_thread_needs_no_name() -> None:
    assert not any("main:" in line for line in drawn("lab3.no-close.one_after_another.serves_three_clients"))


def test_clients_one_after_another_are_numbered() -> None:
    lines = drawn("lab3.closed-before-served.one_after_another.serves_three_clients")
    assert [the(lines, f"{number}: connected", "accept") for number in (1, 2, 3)] == [
        line for line in lines if "accept(" in line]


@each
def test_no_more_lines_than_asked_for(evidence: Evidence) -> None:
    ladder = ladder_of(evidence)
    for most in (24, 12, 6):
        assert len(text_of(ladder, most=most)) <= most


def test_the_end_and_the_failures_stay() -> None:
    ladder = ladder_of(BY_NAME["lab5.no-stop.clean_stop.silent_ones_are_ended"])
    few = choose(ladder.rungs, 8)
    assert any(rung.gap for rung in few) and few[-1].right == ladder.rungs[-1].right
    assert any(rung.tone is Tone.WAITS for rung in few)


# ---- given code, bookkeeping, what tells ------------------------------------------------------------

def test_given_code_is_told_from_ones_own() -> None:
    lines = drawn("lab1.short-send.sending_everything.short_counts")
    assert the(lines, "connect(").strip().startswith("given")
    assert not any(name in line for line in lines for name in ("fcntl", "signal", "write(900", "read(0"))


def test_bookkeeping_is_kept_short() -> None:
    lines = text_of(ladder_of(evidence_of(
        run_of(call(0, "inet_pton", fd=None, result=1), call(1, "sigaction", fd=None, args=(13, 1)),
               call(2, "getsockname"), dialled(3)), peer_of(accepted()))))
    assert not any("inet_pton" in line for line in lines)
    assert "sigaction(SIGPIPE, SIG_IGN), getsockname()" in the(lines, "sigaction")


def test_a_call_that_failed_is_never_bookkeeping() -> None:
    failing = call(1, "getsockname", result=-1, errno=9)
    assert "getsockname" in the(text_of(ladder_of(evidence_of(run_of(dialled(), failing), peer_of(accepted())))), "EBADF")


def test_no_conversation_no_ladder() -> None:
    tells = {name: ladder_of(evidence).tells for name, evidence in OLD}
    assert not tells["lab1-fgets-nl"] and not tells["lab1-no-prompt"] and not tells["lab3-backlog0"]
    assert tells["lab1-short-send"] and tells["lab1-no-htons"] and tells["lab3-no-close"]
    quiet = {name for name, evidence in BY_NAME.items() if not ladder_of(evidence).tells}
    assert quiet == {"lab3.no-listen.listening.listens_where_it_was_told"}


def test_where_nobody_came_the_peer_says_where_it_is() -> None:
    evidence = BY_NAME["lab1.no-htons.connecting.reaches_the_server"]
    assert drawn("lab1.no-htons.connecting.reaches_the_server")[0].endswith(f"peer at {evidence.peers[0].address}")


# ---- the report -------------------------------------------------------------------------------------

def report(*failed: tuple[str, Evidence], encoding: str = "utf-8") -> str:
    """What the terminal says of lab 1 when these tests of its third stage failed."""
    lab = next(lab for lab in find_labs() if lab.id == "lab1")
    stage = lab.stages[2]
    tests = [Listed(stage.name, stage.plain, "the plain one"), *(Listed(stage.name, name, name) for name, _ in failed)]
    outcomes = {(stage.name, stage.plain): Outcome("passed", 0.1)} | {
        (stage.name, name): Outcome("failed", 0.1, evidence, diagnose(evidence)) for name, evidence in failed}
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    show_lab(Screen(stream), judge(lab, tests, outcomes, seconds=1.0), "int main;\n" * 60)
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "gbk"])
def test_the_report_draws_one_ladder_a_stage(encoding: str) -> None:
    other = BY_NAME["lab1.no-advance.sending_everything.short_counts"]
    shown = report(("one", SHORT_SEND), ("two", SHORT_SEND), ("three", other), encoding=encoding)
    assert shown.count("your program (client_send.c)") == 1
    lines = shown.splitlines()
    excerpt = next(at for at, line in enumerate(lines) if "int main" in line)
    ladder = next(at for at, line in enumerate(lines) if "your program (" in line)
    cause = next(at for at, line in enumerate(lines) if "cause" in line)
    assert excerpt < ladder < cause
    assert all(width(line) <= 80 for line in lines)


def test_the_report_draws_none_where_nobody_talks() -> None:
    prompts = dict(OLD)["lab1-fgets-nl"]
    assert "your program (" not in report(("one", prompts))
    leaks = replace(SHORT_SEND, failure=replace(SHORT_SEND.failure, kind="memory"))
    assert "your program (" not in report(("one", leaks))
    assert report(("one", prompts), ("two", SHORT_SEND)).count("your program (") == 1


# ---- drawing ----------------------------------------------------------------------------------------

@each
def test_it_fits(evidence: Evidence) -> None:
    for encoding, columns in (("utf-8", 76), ("utf-8", 60), ("ascii", 76), ("gbk", 76)):
        for line in text_of(ladder_of(evidence), encoding, columns):
            assert width(line) <= columns, line
            line.encode(encoding)
            assert all(char.isprintable() for char in line)
            assert encoding == "utf-8" or not set(line) & set("►◄─│×…")


@each
def test_it_is_always_the_same(evidence: Evidence) -> None:
    where = diagnose(evidence)
    again = keep.unpack(json.loads(json.dumps(keep.pack(evidence))))
    one, two = (ladder_of(one, where.where if where else None) for one in (evidence, again))
    assert one == two
    assert draw_svg(one) == draw_svg(two) and text_of(one) == text_of(two)


@each
def test_the_picture_is_sound(evidence: Evidence) -> None:
    for layout in (WIDE, NARROW):
        svg = draw_svg(ladder_of(evidence), f"{evidence.stage}: {evidence.test}", layout)
        root = ElementTree.fromstring(svg)
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert tags <= {"svg", "title", "desc", "style", "rect", "line", "text", "polygon"}
        assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "") and " id=" not in svg
        assert all(char.isprintable() or char == "\n" for char in svg)
        for text in root.iter("{http://www.w3.org/2000/svg}text"):
            columns, x, anchor = width(text.text or "") * 7.3, float(text.attrib["x"]), text.get("text-anchor")
            begin = x if anchor is None else x - columns if anchor == "end" else x - columns / 2
            assert 0 <= begin and begin + columns <= layout.width + 1, text.text


def forged(rng: random.Random) -> Evidence:
    """What a program might write into the recording: every number is any number."""
    number = lambda: rng.choice((-2**63, -2, -1, 0, 1, 3, 4, 900, 2**31, 2**63 - 1, rng.randrange(5000)))  # noqa: E731
    fds = (None, -1, 0, 3, 4, 900, 2**31)
    calls = tuple(Call(
        index=at, thread=number(), name=rng.choice(CALLS), began=number(), ended=rng.choice((None, number())),
        fd=rng.choice(fds), args=tuple(number() for _ in range(rng.randrange(6))), result=rng.choice((None, number())),
        errno=number(), address=rng.choice((None, "127.0.0.1:7788", "[::1]:80")), family=rng.choice((None, number())),
        data=rng.choice((b"", b"call 0 0", EVIL, rng.randbytes(32))), size=rng.choice((None, number())),
        faulted=rng.choice((None, None, "send takes at most 7 bytes", "recv 1 waits")), given=rng.random() < 0.2,
        socket=rng.random() < 0.8, site=0, where=rng.choice((None, Location("client.c", number())))) for at in range(60))
    kinds = ("accepted", "connected", "refused", "sent", "received", "end", "reset", "half_close", "closed", "trouble",
             "waiting", "deaf", "reset_sent")
    events = tuple(Happening(rng.randrange(5000), rng.randrange(6), rng.choice(kinds), rng.randbytes(8), rng.randrange(9),
                             "127.0.0.1:7788", "127.0.0.1:50000") for _ in range(40))
    run = run_of(*calls, function=rng.choice(("", "send_all")), status=rng.choice((None, 0)), signal=rng.choice((None, 13, 99)),
                 reported=((-1, 9), (0, 0)))
    return evidence_of(run, peer_of(*events, role=rng.choice(("listens", "connects")), trouble="still waited for go"))


@pytest.mark.parametrize("seed", range(60))
def test_a_forged_recording_breaks_no_drawing(seed: int) -> None:
    ladder = ladder_of(forged(random.Random(seed)))
    for line in text_of(ladder):
        assert width(line) <= 76 and all(char.isprintable() for char in line)
    ElementTree.fromstring(draw_svg(ladder))


EVIL = b"</text><script>alert(1)</script>\x1b[31m&\"'\x00\x9b"


def test_bytes_and_words_are_only_shown() -> None:
    evil = evidence_of(
        run_of(dialled(), send(1, EVIL), call(2, "getsockname", result=-1, errno=9, where=Location("\x1b[2J<b>.c", 7))),
        peer_of(accepted(), happening(1050, "received", EVIL), happening(1060, "trouble", b"expected \x1b<i>\x07"),
                trouble="still waited for \x1b<i>"))
    ladder = ladder_of(replace(evil, file="<x>\x1b]0;\x07.c"))
    for encoding in ("utf-8", "ascii", "gbk"):
        assert all(char.isprintable() for line in text_of(ladder, encoding, 100) for char in line)
    svg = draw_svg(ladder, "<title>\x00")
    ElementTree.fromstring(svg)
    assert "<script" not in svg and "<i>" not in svg and "<x>" not in svg
    assert all(char.isprintable() or char == "\n" for char in svg)


def test_wide_characters_count_twice() -> None:
    arrow = Arrow(Way.OUT, "你好世界".encode(), 12)
    assert label(arrow, 10, str) == '"你好世界"'
    for columns in range(4, 12):
        assert width(label(arrow, columns, str)) <= columns
    assert label(arrow, 9, str).endswith("…")


def test_text_and_other_bytes() -> None:
    assert label(Arrow(Way.OUT, b"hel\n", 4), 20, str) == '"hel\\n"'
    assert label(Arrow(Way.OUT, b"\x00\x01\xfe", 3), 20, str) == "00 01 fe"
    assert label(Arrow(Way.OUT, b"\x00\x01\xfe", 9), 20, str) == "00 01 fe …"
    assert label(Arrow(Way.OUT, b"abc", 1000), 20, str) == '"abc"…'
    assert label(Arrow(Way.OUT, b"abc", 1000), 3, str) == ""


# ---- streams ----------------------------------------------------------------------------------------

def pieces(*data: bytes) -> list[Piece]:
    return [Piece(at, one, len(one)) for at, one in enumerate(data)]


def test_blocks_end_where_both_sides_have_a_border() -> None:
    assert match(pieces(b"abc", b"de"), pieces(b"abc", b"d", b"e")) == [Block((0,), (0,)), Block((1,), (1, 2))]
    assert match(pieces(b"ab", b"cd"), pieces(b"abc")) == []
    assert match(pieces(b"ab", b"cd"), pieces(b"ab", b"xx")) == [Block((0,), (0,))]
    assert match([], pieces(b"a")) == []


def test_who_takes_of_a_piece_first() -> None:
    assert first_takers(pieces(b"hello"), pieces(b"he", b"llo")) == {0: 0}
    assert first_takers(pieces(b"he", b"llo", b"x"), pieces(b"hel", b"lo")) == {0: 0, 1: 0}
    assert first_takers(pieces(b"he", b"llo"), pieces(b"h", b"e", b"l", b"lo")) == {0: 0, 1: 2}
    assert first_takers(pieces(b"hello"), pieces(b"other")) == {}


def test_what_is_left_over() -> None:
    assert rest(pieces(b"hello", b" world"), pieces(b"hel")) == (b"lo world", 8)
    assert rest(pieces(b"hello"), pieces(b"hello")) == (b"", 0)
    assert rest([Piece(0, b"ab", 100)], [Piece(0, b"", 50)]) == (b"", 50)


# ---- evidence ---------------------------------------------------------------------------------------

def test_events_are_packed_and_unpacked() -> None:
    assert keep.unpack(json.loads(json.dumps(keep.pack(SHORT_SEND)))) == SHORT_SEND
    assert SHORT_SEND.peers[0].events and SHORT_SEND.peers[0].events[0].local == SHORT_SEND.peers[0].address


def test_evidence_from_before_the_events_is_read() -> None:
    packed = json.loads(json.dumps(keep.pack(SHORT_SEND)))
    del packed["peers"][0]["events"]
    assert keep.unpack(packed).peers[0].events == ()
    del packed["peers"][0]["story"]
    with pytest.raises((KeyError, TypeError)):
        keep.unpack(packed)


@each
def test_less_evidence_breaks_nothing(evidence: Evidence) -> None:
    for keeps in range(0, max((len(run.calls) for run in evidence.runs), default=0), 11):
        runs = tuple(replace(run, calls=run.calls[:keeps]) for run in evidence.runs)
        peers = tuple(replace(peer, events=peer.events[:keeps // 2]) for peer in evidence.peers)
        text_of(ladder_of(replace(evidence, runs=runs, peers=peers)))
    text_of(ladder_of(replace(evidence, runs=(), peers=(), failure=replace(evidence.failure, run=None, peer=None))))
