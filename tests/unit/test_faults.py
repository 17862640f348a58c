"""Faults in words become entries of the recorder's table, or one line that says what is wrong."""

from __future__ import annotations

import errno

import pytest

from grader.calls import ALIASES, CALLS, MARKS, SYMBOLS
from grader.faults import MOST, NAPPING, RECEIVING, SENDING, Action, Fault, FaultError, calls_named, parse_faults

POLLING = ("poll", "ppoll", "select", "pselect", "epoll_wait")


@pytest.mark.parametrize("text, fault", [
    ("send takes at most 7 bytes", Fault("", SENDING, True, Action.SHORTENS, low=7, high=7)),
    ("recv takes at most 1 byte", Fault("", RECEIVING, True, Action.SHORTENS, low=1, high=1)),
    ("send takes 1 to 9 bytes", Fault("", SENDING, True, Action.SHORTENS, low=1, high=9)),
    ("write takes at most 3 bytes", Fault("", ("write",), False, Action.SHORTENS, low=3, high=3)),
    ("send 2 fails with EINTR", Fault("", SENDING, True, Action.FAILS, 2, 2, low=errno.EINTR)),
    ("send 1-3 fails with EINTR", Fault("", SENDING, True, Action.FAILS, 1, 3, low=errno.EINTR)),
    ("every 3rd send fails with EINTR", Fault("", SENDING, True, Action.FAILS, every=3, low=errno.EINTR)),
    ("recv 1 fails with EINTR", Fault("", RECEIVING, True, Action.FAILS, 1, 1, low=errno.EINTR)),
    ("accept 1 fails with ECONNABORTED",
     Fault("", ("accept", "accept4"), False, Action.FAILS, 1, 1, low=errno.ECONNABORTED)),
    ("accept fails with EMFILE", Fault("", ("accept", "accept4"), False, Action.FAILS, low=errno.EMFILE)),
    ("socket fails with EMFILE", Fault("", ("socket",), False, Action.FAILS, low=errno.EMFILE)),
    ("setsockopt fails with ENOPROTOOPT", Fault("", ("setsockopt",), False, Action.FAILS, low=errno.ENOPROTOOPT)),
    ("listen fails with EADDRINUSE", Fault("", ("listen",), False, Action.FAILS, low=errno.EADDRINUSE)),
    ("getsockname 1 fails with ENOBUFS", Fault("", ("getsockname",), False, Action.FAILS, 1, 1, low=errno.ENOBUFS)),
    ("pthread_create fails with EAGAIN", Fault("", ("pthread_create",), False, Action.FAILS, low=errno.EAGAIN)),
    ("recv fails with EWOULDBLOCK", Fault("", RECEIVING, True, Action.FAILS, low=errno.EAGAIN)),
    ("accept fails with EOPNOTSUPP", Fault("", ("accept", "accept4"), False, Action.FAILS, low=errno.EOPNOTSUPP)),
    ("poll 1 fails with EINTR", Fault("", POLLING, False, Action.FAILS, 1, 1, low=errno.EINTR)),
    ("close leaves errno EIO", Fault("", ("close",), False, Action.LEAVES, low=errno.EIO)),
    ("recv 1-3 reaches its time limit", Fault("", RECEIVING, True, Action.EXPIRES, 1, 3)),
    ("send 1-2 reaches its time limit", Fault("", SENDING, True, Action.EXPIRES, 1, 2)),
    ("nap 1-9 reaches its time limit", Fault("", NAPPING, False, Action.EXPIRES, 1, 9)),
    ("poll 1-3 reaches its time limit", Fault("", POLLING, False, Action.EXPIRES, 1, 3)),
    ("accept 2 waits", Fault("", ("accept", "accept4"), False, Action.WAITS, 2, 2)),
    ("malloc 2 fails with ENOMEM",
     Fault("", ("malloc", "calloc", "realloc"), False, Action.FAILS, 2, 2, low=errno.ENOMEM)),
    ("say 3 waits", Fault("", ("fflush",), False, Action.WAITS, 3, 3)),
    ("close 1 returns late", Fault("", ("close",), False, Action.LINGERS, 1, 1)),
])
def test_words_become_a_fault(text: str, fault: Fault) -> None:
    (parsed,) = parse_faults(text)
    assert parsed == Fault(text, fault.calls, fault.sockets_only, fault.action, fault.first, fault.last, fault.every,
                           fault.low, fault.high)


def test_several_faults_keep_their_order() -> None:
    faults = parse_faults(" send  takes at most 7 bytes;\n accept 2 waits ; ")
    assert [fault.text for fault in faults] == ["send takes at most 7 bytes", "accept 2 waits"]
    assert (faults[0].first, faults[0].last, faults[0].every) == (1, MOST, 1)


@pytest.mark.parametrize("text", ["", "  ", ";"])
def test_no_words_are_no_faults(text: str) -> None:
    assert parse_faults(text) == ()


@pytest.mark.parametrize("text, said", [
    ("strdup fails with ENOMEM", 'no recorded call is named "strdup"; these are: accept accept4 bind'),
    ("every 2nd strdup fails with ENOMEM", '"strdup"'),
    ("send fails with EFOO", 'no errno named "EFOO"'),
    ("send breaks", '"send breaks" is no fault; write for example "send takes'),
    ("every 3rd", '"every"'),
    ("send", '"send" is no fault'),
    ("every 3rd send 2 fails with EINTR", "choose one"),
    ("send 0 fails with EINTR", "counted from 1"),
    ("send 3-2 fails with EINTR", "the smaller number first"),
    ("every 0th send fails with EINTR", "counted from 1"),
    ("send 1-9999999999 fails with EINTR", "strikes no call"),
    ("send takes at most 0 bytes", "at least 1 byte"),
    ("send takes 9 to 1 bytes", "the smaller number first"),
    ("send takes at most 9999999999 bytes", "at least 1 byte"),
    ("accept reaches its time limit", "only calls that send, receive, poll or sleep"),
    ("close takes at most 7 bytes", "only calls that send or receive"),
    ("; ".join(["accept waits"] * 17), "17 faults are too many"),
])
def test_other_words_are_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(FaultError) as raised:
        parse_faults(text)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_fault_is_drawn_on_the_calls_it_names() -> None:
    (fault,) = parse_faults("accept waits")
    assert [name for bit, name in enumerate(CALLS) if fault.mask >> bit & 1] == ["accept", "accept4"]


def test_a_word_stands_for_its_calls() -> None:
    assert calls_named("send") == SENDING
    assert calls_named("write") == ("write",)
    with pytest.raises(FaultError):
        calls_named("strdup")


def test_each_symbol_is_listed_once() -> None:
    assert len(set(SYMBOLS)) == len(SYMBOLS) == len(CALLS) - len(MARKS) + len(ALIASES)
    assert set(ALIASES.values()) <= set(CALLS)
    assert len(CALLS) <= 64
