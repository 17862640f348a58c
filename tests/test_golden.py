"""What the terminal report says of some mutants, word for word. `make golden` writes it anew, for you to read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from golden import FOLDER, KEPT, MUTANTS, transcript

LEAST = 30


@pytest.fixture(scope="module")
def transcripts(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[str]]]:
    """All that are asked for, two at a time."""
    asked = [item.callspec.params["name"] for item in request.session.items
             if "name" in getattr(getattr(item, "callspec", None), "params", {}) and item.module is request.module]
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(transcript, MUTANTS[name]) for name in asked}


@pytest.mark.parametrize("name", KEPT)
def test_the_report_is_the_one_that_was_read(transcripts: dict[str, Future[str]], name: str) -> None:
    assert transcripts[name].result() == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", KEPT)
def test_it_says_what_where_and_fits(name: str) -> None:
    """A promise, a line of the student's file where there is one, and no line beyond 80 columns."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert re.search(r"^      ✗ ", text, re.MULTILINE)
    assert all(len(line) <= 80 for line in text.splitlines())


def test_there_are_enough_of_every_lab() -> None:
    assert len(KEPT) >= LEAST
    assert {name.partition("/")[0] for name in KEPT} == {mutant.lab.id for mutant in MUTANTS.values()}
