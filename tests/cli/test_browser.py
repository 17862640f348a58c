"""The report page in a real browser: make report, and each lab's worst mutant."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import CHROMIUM, Browser

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from kit import KIT, LABS, WORST, grade_source, read_mutant, run_grader, solution  # noqa: E402

QUICK = "lab3"                      # make test looks at this one, make test-all at all of them
MOST_BYTES = 1_000_000
SIZES = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"
# text that is cut, or that stands over the edge of the window
OUTSIDE = """[...document.querySelectorAll('main *, header *, footer *')].filter(one => {
    const box = one.getBoundingClientRect(), scrolls = one.closest('pre.text, .vh');
    return !scrolls && box.width > 0 && (box.right > innerWidth + 1 || box.left < -1); }).map(one => one.outerHTML.slice(0, 80))"""
# the smallest text of the pictures that are shown, in pixels of the screen
SMALLEST = """Math.min(...[...document.querySelectorAll('svg[role=img]')].filter(one => one.getBoundingClientRect().width)
    .map(one => 12 * one.getBoundingClientRect().width / one.viewBox.baseVal.width))"""


def test_there_is_a_browser() -> None:
    assert CHROMIUM, "no chromium here, and without one nobody knows how the page looks: make setup FOR=test installs it"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages that have been drawn, by lab."""
    return {"": tmp_path_factory.mktemp("pages")}


def page_of(lab: str, pages: dict[str, Path]) -> Path:
    """The page of the lab's worst mutant."""
    if lab not in pages:
        pages[lab] = pages[""] / f"{lab}.html"
        graded = grade_source(LABS[lab], read_mutant(KIT / f"tests/mutants/{lab}/{WORST[lab]}.mutant").source(), lab,
                              "--html", str(pages[lab]))
        assert len(graded.failed(lab)) > 1, graded.errors
    return pages[lab]


each = pytest.mark.parametrize("lab", [lab if lab == QUICK else pytest.param(lab, marks=pytest.mark.slow) for lab in LABS])


@each
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits(lab: str, width: int, dark: bool, browser: Browser, pages: dict[str, Path]) -> None:
    """Nothing is wider than the window, folded or not, and the console has nothing to say."""
    place = page_of(lab, pages)
    assert place.stat().st_size < MOST_BYTES
    browser.show(place, width, dark=dark)
    for prepared in ("0", UNFOLD):
        browser.ask(prepared)
        wanted, there = browser.ask(SIZES)
        assert wanted <= there == width
        assert browser.ask(OUTSIDE) == []
        assert browser.ask(SMALLEST) >= 11
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == ("rgb(15, 19, 23)" if dark else "rgb(247, 247, 245)")
    assert browser.ask("getComputedStyle(document.querySelector('svg .paper')).fill") != "rgb(0, 0, 0)", "the style counts"
    assert browser.said == []


@each
def test_one_ladder_is_shown_and_heard(lab: str, browser: Browser, pages: dict[str, Path]) -> None:
    for width in (390, 1280):
        browser.show(page_of(lab, pages), width)
        heard = browser.listens()
        pictures = [name for role, name in heard if role in ("image", "img") and name]
        assert len(pictures) == len(set(pictures)) >= 1, "the wide one or the narrow one"
        roles = [role for role, _ in heard]
        assert {"banner", "navigation", "main", "contentinfo"} <= set(roles)


@each
def test_on_paper_all_is_unfolded(lab: str, browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(page_of(lab, pages), 720, media="print")
    folded = "[...document.querySelectorAll('details:not(.words) > :not(summary)')].filter(one => !one.checkVisibility({" \
        "contentVisibilityAuto: true}) || !one.getBoundingClientRect().height).length"
    assert browser.ask("document.querySelectorAll('details:not([open])').length") > 0
    assert browser.ask(folded) == 0
    wanted, there = browser.ask(SIZES)
    assert wanted <= there
    assert browser.prints() > 10_000
    assert browser.said == []


def test_by_keyboard(browser: Browser, pages: dict[str, Path]) -> None:
    """The first Tab is the way to the first failing test; a folded test opens with Enter; focus is seen."""
    browser.show(page_of(QUICK, pages), 1280)
    browser.press("Tab", 9)
    assert browser.ask("document.activeElement.className") == "skip"
    assert browser.ask("document.activeElement.getBoundingClientRect().top") >= 0
    browser.press("Enter", 13, "\r")
    assert browser.ask("location.hash.slice(1) === document.querySelector('article.first').id")
    browser.ask("document.querySelector('details.test > summary').focus()")
    assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("Enter", 13, "\r")
    assert browser.ask("document.querySelector('details.test').open")


def test_a_link_opens_the_test_it_leads_to(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(page_of(QUICK, pages), 1280)
    browser.ask("document.querySelectorAll('nav ul a')[1].click()")
    assert browser.ask("""new Promise(done => setTimeout(() => done(document.querySelector(
        '#' + CSS.escape(decodeURIComponent(location.hash.slice(1)))).getBoundingClientRect().top), 100))""") is not None


def test_nothing_that_a_student_prints_runs(browser: Browser, tmp_path: Path) -> None:
    """In a program's output, in its text and in the compiler's message."""
    evil = '<script>document.title = "evil"</script><img src=\\"http://127.0.0.1:9/x\\" onerror=\\"document.title=1\\">'
    text = solution(LABS["lab1"])
    printing = text.replace("send_all(int fd", "send_all(int fd", 1)
    head = "#include <stdio.h>\n__attribute__((constructor)) static void evil(void) { puts(\"" + evil + "\"); fflush(stdout); }\n"
    for number, source in enumerate((head + printing.replace("len > 0", "len > 1"), f"#error {evil}\n{text}")):
        place = tmp_path / f"{number}.html"
        grade_source(LABS["lab1"], source, "lab1", "--html", str(place))
        assert "document.title" in place.read_text()
        browser.show(place, 1280)
        assert browser.ask("document.title").startswith("lab1 client send")
        assert browser.ask("document.scripts.length + document.images.length") == 0
        assert browser.said == []


# ---- the command ----------------------------------------------------------------------------------------------

def test_make_report_says_where_it_is() -> None:
    place = KIT / "build" / "report.html"
    place.unlink(missing_ok=True)
    done = subprocess.run(["make", "report", "LAB=1", "FROM=solutions", "SEED=a'b"], cwd=KIT, capture_output=True, text=True,
                          timeout=120, env={**os.environ, "PYTHON": sys.executable})
    assert done.returncode == 0 and "page: build/report.html" in done.stdout.splitlines(), done.stderr
    text = place.read_text()
    assert "All 59 tests passed." in text or "tests passed." in text
    assert "make grade LAB=1 FROM=solutions SEED=&#x27;a" in text


def test_the_page_on_standard_output_in_any_locale(tmp_path: Path) -> None:
    done = run_grader("grade", "lab1", "--from", str(tmp_path), "--html", "-", env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"})
    assert done.stdout.startswith("<!doctype html>") and done.stdout.isascii()
    assert "There is nothing to grade" in done.stdout and "page:" not in done.stdout + done.stderr
    assert done.returncode == 2


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    done = run_grader("grade", "lab1", "--from", str(tmp_path), "--html", str(tmp_path / "a-file" / "x.html"))
    assert done.returncode == 2 and "socklab: can't write" in done.stderr
