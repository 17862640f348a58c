"""make pictures: README's two pictures, drawn by the kit itself from a recorded grade: docs/pictures/*.svg.

    tests/pictures.py            draws them
    tests/pictures.py record     first grades lab 1 with the mistake that the report shows, and keeps what was seen

test_pictures.py says when they aren't what the kit draws today.
"""

from __future__ import annotations

import gzip
import html
import io
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from kit import KIT, LABS, grade_tree, mutants

from grader import keep
from grader.causes import diagnose
from grader.ladder import draw_svg, ladder_of
from grader.report.screen import Screen, width
from grader.report.terminal import show_lab
from grader.verdict import Listed, Outcome, judge

SHOWN = KIT / "docs" / "pictures"
RECORDED = KIT / "tests" / "pictures" / "report.json.gz"
LADDERS = KIT / "tests" / "ladders" / "recorded.jsonl.gz"
MUTANT = next(mutant for mutant in mutants("mutants") if mutant.name == "lab1/short-send")
LADDER = "lab5.global-buf.own_argument.its_own_words"
CHAR, ROW, MARGIN = 7.8, 18, 16         # pixels: a column of 13 pixel monospace
COLOURS = {"31": "#ff7b72", "32": "#3fb950", "33": "#d29922", "1": "#ffffff", "2": "#9198a1"}
PAINTED = re.compile(r"\x1b\[(\d+)m(.*?)\x1b\[0m|([^\x1b]+)")


class Terminal(io.StringIO):
    """A stream that says that it is a terminal in UTF-8."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def record() -> None:
    """Grades the mutant in full."""
    lab = MUTANT.lab
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as seen:
        place = Path(folder) / lab.folder.name
        place.mkdir()
        (place / lab.file_name).write_text(MUTANT.source())
        graded = grade_tree(Path(folder), lab.id, "--seed", "golden", "--evidence", seen)
        tests = [{"name": name, "title": test["title"], "status": test["status"],
                  "evidence": json.loads(kept.read_text()) if (kept := _kept(seen, lab.id, name)).exists() else None}
                 for name, test in graded.tests(lab.id).items()]
    RECORDED.write_bytes(gzip.compress(json.dumps(tests).encode(), mtime=0))


def _kept(folder: str, lab: str, test: str) -> Path:
    return Path(folder) / lab / f"{test.replace('/', '.')}.json"


def report() -> str:
    """The terminal report of the recorded grade, with its colours."""
    tests: list[dict[str, Any]] = json.loads(gzip.decompress(RECORDED.read_bytes()))
    names = [Listed(*test["name"].split("/"), test["title"]) for test in tests]
    outcomes = {}
    for listed, test in zip(names, tests):
        evidence = keep.unpack(test["evidence"]) if test["evidence"] else None
        outcomes[listed.stage, listed.name] = Outcome(test["status"], 0.0, evidence, diagnose(evidence) if evidence else None)
    stream = Terminal()
    outside = {name: os.environ.pop(name, None) for name in ("NO_COLOR", "TERM", "COLUMNS")}
    os.environ["COLUMNS"] = "80"
    try:
        show_lab(Screen(stream), judge(LABS[MUTANT.lab.id], names, outcomes, seconds=0.0), MUTANT.source())
    finally:
        del os.environ["COLUMNS"]
        os.environ.update({name: value for name, value in outside.items() if value is not None})
    return stream.getvalue()


def framed(text: str, command: str) -> str:
    """Text with colours as a picture of a terminal: the same on a light page and on a dark one."""
    lines = text.rstrip().splitlines()
    wide, high = 80 * CHAR + 2 * MARGIN, (len(lines) + 2) * ROW + 2 * MARGIN
    body = [_run(0, 0, f"$ {command}", "#9198a1")]
    for row, line in enumerate(lines, 2):
        column = 0
        for code, painted, plain in PAINTED.findall(line):
            part = painted or plain
            body.append(_run(column, row, part, COLOURS.get(code, "#e6edf3"), code == "1"))
            column += width(part)
    told = html.escape(" ".join(PAINTED.sub(r"\2\3", line).strip() for line in lines))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" width="{wide:g}" height="{high:g}" role="img">'
            f"<title>{html.escape(command)}</title><desc>{told}</desc>"
            f'<rect width="{wide:g}" height="{high:g}" rx="8" fill="#0d1117" stroke="#484f58"/>'
            f'<g font-family="ui-monospace,Menlo,Consolas,\'DejaVu Sans Mono\',monospace" font-size="13">'
            f'{"".join(body)}</g></svg>\n')


def _run(column: int, row: int, text: str, colour: str, bold: bool = False) -> str:
    """A run of text at its column, as wide as its columns in any font."""
    shown = text.strip(" ")
    if not shown:
        return ""
    column += len(text) - len(text.lstrip(" "))
    weight = ' font-weight="bold"' if bold else ""
    return (f'<text x="{MARGIN + column * CHAR:g}" y="{MARGIN + row * ROW + 13}" fill="{colour}"{weight} xml:space="preserve" '
            f'textLength="{width(shown) * CHAR:g}">{html.escape(shown)}</text>')


def ladder() -> str:
    """The ladder of a recorded failure."""
    entries = map(json.loads, gzip.decompress(LADDERS.read_bytes()).splitlines())
    evidence = next(keep.unpack(entry["evidence"]) for entry in entries if entry["name"] == LADDER)
    found = diagnose(evidence)
    return draw_svg(ladder_of(evidence, found.where if found else None), "lab 5: one buffer for all threads")


def pictures() -> dict[str, str]:
    """Each picture by its file's name."""
    return {"report.svg": framed(report(), "make lab1 && make grade"), "ladder.svg": ladder()}


if __name__ == "__main__":
    if sys.argv[1:] == ["record"]:
        record()
    SHOWN.mkdir(exist_ok=True)
    for name, picture in pictures().items():
        (SHOWN / name).write_text(picture, encoding="utf-8")
        print(SHOWN.relative_to(KIT) / name)
