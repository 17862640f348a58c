"""A bounded run of make fuzz, and what it has found."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import fuzz  # noqa: E402


def run(seconds: float) -> None:
    counts, found = fuzz.fuzz(fuzz.targets(), seconds, "a fixed one")
    assert not found, "\n".join(found)
    assert all(counts.values())


def test_a_little() -> None:
    run(3)


@pytest.mark.slow
def test_more() -> None:
    run(20)


@pytest.mark.parametrize("target", fuzz.targets(), ids=lambda target: target.name)
def test_each_sample_is_read_as_it_is(target: fuzz.Target) -> None:
    """Else mutations of it would all be refused at the door."""
    for sample in target.samples:
        target.read(sample)


def test_an_exception_that_is_not_documented_is_found() -> None:
    def read(data: bytes) -> None:
        if data != b"sample":
            raise ZeroDivisionError
    target = fuzz.Target("broken", (b"sample",), read, (ValueError,))
    assert len(fuzz.fuzz((target,), 0.1, "1")[1]) == 1
    assert not fuzz.fuzz((dataclasses.replace(target, documented=(ZeroDivisionError,)),), 0.1, "1")[1]


def test_what_hangs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "LONGEST", 0.05)

    def read(data: bytes) -> None:
        while True:
            pass
    assert "Hung" in fuzz.fuzz((fuzz.Target("endless", (b"x",), read),), 0.1, "1")[1][0]


def test_a_slot_with_too_few_arguments_is_no_call() -> None:
    """Found by fuzzing: the search for causes looked at arguments that a forged slot didn't have."""
    from grader import recording
    slot = fuzz.a_recording()[recording._SLOTS:recording._SLOTS + recording._SLOT.size]
    assert recording._decode(0, slot, ()) is not None
    assert recording._decode(0, slot[:6] + bytes([slot[6] - 1]) + slot[7:], ()) is None
