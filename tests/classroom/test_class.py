"""A small class, graded for real: every mark is right, however the work was handed in. `make test-class` has 200."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))

from browser import Browser  # noqa: E402
from generate import Expected, generate  # noqa: E402
from kit import KIT  # noqa: E402
from measure import check  # noqa: E402
from test_browser import OUTSIDE, SIZES, UNFOLD  # noqa: E402

COUNT = 8


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Expected]]:
    folder = tmp_path_factory.mktemp("class")
    expected = generate(folder / "in", COUNT, ["lab1"], seed=2)
    done = subprocess.run([sys.executable, "-m", "grader", "class", str(folder / "in"), "--out", str(folder / "out"),
                           "--labs", "lab1", "--seed", "cafe"], cwd=KIT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out", expected


def test_every_mark_is_right(small: tuple[Path, dict[str, Expected]]) -> None:
    out, expected = small
    assert check(out, expected) == []
    kinds = [bool(one.full) + 2 * bool(one.mutants) + 4 * bool(one.none) + 8 * bool(one.broken) for one in expected.values()]
    assert len(set(kinds)) >= 3 and len({one.way for one in expected.values()}) == 7      # the class has some of each
    with open(out / "grades.csv", newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == COUNT


def test_the_class_at_a_glance_in_a_browser(small: tuple[Path, dict[str, Expected]]) -> None:
    out, expected = small
    page = out / "class.html"
    text = page.read_text(encoding="utf-8")
    assert text.count("no-such") == 0 and "<script" not in text and "<b>bold 0" not in text
    with Browser() as browser:
        for width in (1280, 390):
            for dark in (False, True):
                browser.show(page, width, dark=dark)
                browser.ask(UNFOLD)
                assert browser.said == []
                wide, window = browser.ask(SIZES)
                assert wide <= window, f"{wide} pixels wide in a window of {window}"
                assert [one for one in browser.ask(OUTSIDE) if "<t" not in one[:3]] == []
        links = browser.ask("[...document.querySelectorAll('main a')].map(one => one.getAttribute('href'))")
        assert len(set(links)) == COUNT
        from urllib.parse import unquote
        assert all((out / unquote(link)).is_file() for link in links)
