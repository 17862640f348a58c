"""A peer script becomes dataclasses, or one line that says what is wrong, where, and what to do."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from grader.script import (
    Accept, Close, Closing, Crowd, Door, Echo, Expect, ExpectClosing, GoDeaf, HalfClose, Pacing, Random,
    ReceiveBytes, ReceiveLine, ReceiveToEnd, Reset, Same, ScriptError, Send, Statement, Stay, WaitForGo, WaitUntilRead, check_role,
    parse,
)  # fmt: skip


@pytest.mark.parametrize("text, body", [
    ("", ()),
    ("accept", (Accept(),)),
    ("send 'x'", (Send((b"x",)),)),
    ("send 'hel' 'lo '  'world'", (Send((b"hel", b"lo ", b"world")),)),
    ("send 'a' 'b' at once", (Send((b"a", b"b"), Pacing.AT_ONCE),)),
    ("send 'a' 'b' in pieces", (Send((b"a", b"b"), Pacing.PIECES),)),
    ("send 20 random bytes in pieces of 7", (Send((Random(20),), Pacing.PIECES, 7),)),
    ("send hex c4e3BAc3 $2 1 random byte", (Send((b"\xc4\xe3\xba\xc3", b"two", Random(1))),)),
    ("send 'x'; expect the same", (Send((b"x",)), Expect((Same(),)))),
    ("receive 10 bytes; receive 1 byte", (ReceiveBytes(10), ReceiveBytes(1))),
    ("receive a line\nreceive to end", (ReceiveLine(), ReceiveToEnd())),
    ("receive to end slowly", (ReceiveToEnd(slowly=True),)),
    ("expect 'a' $1", (Expect((b"a", b"one")),)),
    ("expect end", (ExpectClosing(Closing.END),)),
    ("expect reset", (ExpectClosing(Closing.RESET),)),
    ("expect closed", (ExpectClosing(Closing.EITHER),)),
    ("echo; echo to end", (Echo(), Echo())),
    ("half-close; receive to end; close", (HalfClose(), ReceiveToEnd(), Close())),
    ("close without reading", (Close(unread=True),)),
    ("close after 5 bytes", (ReceiveBytes(5), Close())),
    ("reset after 1000 bytes", (ReceiveBytes(1000), Reset())),
    ("reset", (Reset(),)),
    ("never read", (Stay(),)),
    ("wait for go; go deaf; never read", (WaitForGo(), GoDeaf(), Stay())),
    ("accept; stay silent", (Accept(), Stay())),
    ("wait for go; accept; wait until read", (WaitForGo(), Accept(), WaitUntilRead())),
    (" ;; send 'x' ;\n\n; close;", (Send((b"x",)), Close())),
])
def test_statements(text: str, body: tuple[Statement, ...]) -> None:
    assert parse(text, (b"one", b"two")).body == body


@pytest.mark.parametrize("text, data", [
    (r"'a\n\r\t\\'", b"a\n\r\t\\"),
    (r"'it\'s'", b"it's"),
    (r"'\0\x41\101\xff'", b"\0AA\xff"),
    (r"'\xe4\xbd\xa0'", "你".encode()),
    ("'你好; not the end: yet, no'", "你好; not the end: yet, no".encode()),
    ("'two\nlines'", b"two\nlines"),
    ("'\udcc4\udce3'", b"\xc4\xe3"),
    ("''", b""),
])
def test_text(text: str, data: bytes) -> None:
    assert parse(f"send {text}").body == (Send((data,)),)


def test_crowds() -> None:
    together = parse("200 clients, each: send 'x'; expect 'y'")
    assert (together.crowd, together.connections, len(together.body)) == (Crowd.TOGETHER, 200, 2)
    in_turn = parse("1 client in turn: send 'x'")
    assert (in_turn.crowd, in_turn.connections) == (Crowd.IN_TURN, 1)
    times = parse("3 times:\n  receive to end")
    assert (times.crowd, times.connections, times.body) == (Crowd.TIMES, 3, (ReceiveToEnd(),))


def test_settings_come_first() -> None:
    script = parse("small buffers; backlog 0; 2 times: echo")
    assert (script.small_buffers, script.backlog, script.crowd) == (True, 0, Crowd.TIMES)
    assert parse("backlog 1; don't accept").door is Door.IGNORED
    assert parse("don\u2019t accept").door is Door.IGNORED
    assert parse("refuse").door is Door.REFUSES


def test_the_seed_comes_from_chance() -> None:
    assert parse("", chance=random.Random(7)).seed == parse("", chance=random.Random(7)).seed
    assert parse("").seed != parse("").seed


@pytest.mark.parametrize("text, message", [
    ("recieve to end", 'no statement begins with "recieve" (column 1): did you mean "receive"?'),
    ("send 'a'; wave", 'no statement begins with "wave" (column 11): docs/peers.md has all statements'),
    ("accept\nsend 'a'\n frob", 'no statement begins with "frob" (line 3, column 2): docs/peers.md has all statements'),
    ("send 'x", "a text without its end (column 6): close it with '"),
    ("send", "something is missing (column 5): write what: 'text', hex c4e3, $1, 10 random bytes or the same"),
    ("send x", "\"x\" doesn't belong here (column 6): write what: 'text', hex c4e3, $1, 10 random bytes or the same"),
    ("send hex c4e", '"c4e" doesn\'t belong here (column 10): write the bytes in hex, two digits each, as in "hex c4e3"'),
    ("send 5 bytes", '"bytes" doesn\'t belong here (column 8): write "5 random bytes"'),
    ("send 0 random bytes", "0 is out of range (column 6): write 1 to 1073741824"),
    ("send $3", "nothing is given as $3 (column 6): there is $1 to $2"),
    (r"send 'a\q'", r"no such escape: \q (column 8): use those of C: \n \0 \x41"),
    (r"send '\400'", r"no such escape: \400 (column 7): use those of C: \n \0 \x41"),
    ("send the same", '"the same" is what was sent last, and nothing was (column 6): send something first'),
    ("send 'x' receive 1 byte", '"receive" doesn\'t belong here (column 10): write ";" between two statements'),
    ("send 'a' in pieces of 0", "0 is out of range (column 23): write 1 to 1073741824"),
    ("receive 5", 'something is missing (column 10): write "bytes"'),
    ("receive", 'something is missing (column 8): write "receive 10 bytes", "receive to end" or "receive a line"'),
    ("expect 5 random bytes", 'nobody can expect random bytes (column 8): send them first, then "expect the same"'),
    ("wait", 'something is missing (column 5): write "wait until read" or "wait for go"'),
    ("never say", '"say" doesn\'t belong here (column 7): write "never read"'),
    ("close; send 'x'", '"send" comes too late (column 8): the connection has been left by then'),
    ("half-close; send 'x'", '"send" comes too late (column 13): a half-close has ended the peer\'s own stream'),
    ("send 'x'; accept", '"accept" comes too late (column 11): put it first, or leave it out'),
    ("send 'x'; small buffers", '"small …" comes too late (column 11): put it at the start of the script'),
    ("refuse; send 'x'", '"refuse" stands alone (column 1): remove the rest, nobody will be there to do it'),
    ("2 times: backlog 3", '"backlog …" comes too late (column 10): put it at the start of the script'),
    ("backlog many", '"many" doesn\'t belong here (column 9): write a number, as in "backlog 5"'),
    ("3 clients: echo",
     '":" doesn\'t belong here (column 10): write "3 clients, each: …", "3 clients in turn: …" or "3 times: …"'),
    ("0 times: echo", "0 connections (column 1): write 1 to 10000"),
])
def test_errors_are_one_line(text: str, message: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse(text, (b"one", b"two"))
    assert str(caught.value) == message


@pytest.mark.parametrize("text, listens", [
    ("3 clients, each: echo", True),
    ("3 clients in turn: echo", True),
    ("3 times: echo", False),
    ("accept; echo", False),
    ("refuse", False),
    ("backlog 3; echo", False),
])
def test_roles(text: str, listens: bool) -> None:
    script = parse(text)
    check_role(script, listens=not listens)
    with pytest.raises(ScriptError, match="is for a peer that (listens|connects): "):
        check_role(script, listens=listens)


def test_the_scripts_in_the_docs() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "peers.md").read_text(encoding="utf-8")
    scripts = re.findall(r'make peer SCRIPT="(.+?)" PORT=7788( CONNECT=1)?', text)
    assert len(scripts) > 12
    for script, connect in scripts:
        check_role(parse(script), listens=not connect)
