"""Submissions whose every word is nasty, through every report: whatever a student's work says is text to each reader.

What they say is in their output, on the wire, in #line's file names, in #error and in the source. Each place has a mark
of its own, so that it is seen to have come through.
"""

from __future__ import annotations

import html.parser
import json
import os
import pty
import re
import socket
import subprocess
import sys
import xml.etree.ElementTree as xml
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit import KIT, LABS, solution

sys.path[:0] = [str(KIT / "tests" / "cli"), str(KIT / "tests" / "unit")]
from terminal import SECONDS, copy_kit  # noqa: E402
from test_safe import CORPUS, obeyed  # noqa: E402

LAB = LABS["lab1"]
FILE = f"labs/{LAB.folder.name}/{LAB.file_name}"
GRADER = [sys.executable, "-m", "grader"]
NASTY = b"\n".join(CORPUS[name] for name in CORPUS if not name.startswith("a long line"))
# The worst in few bytes, since messages quote few; no newline and no slash, so that it may be a file's name.
SHORT = b"\x1b]0;t\x07\x9b\xe2\x80\xae::error::x ##[error]y<script>alert(1)`@someone]]>|\r"
UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\u3164\u2800\ufe00-\ufe0f]|[\u0300-\u036f\u0483-\u0489]{5}")


def literal(data: bytes) -> str:
    """A string in C."""
    return '"' + "".join(f"\\{byte:03o}" for byte in data) + '"'


def comment(mark: str, data: bytes) -> bytes:
    """A line of C that nobody compiles, with the bytes as they are; it doesn't end the line."""
    return b"// " + mark.encode() + b" " + re.sub(rb"[\r\n]", b" ", data) + b" .\n"


def _running() -> bytes:
    """Says all that it can, sends it in place of the message, and crashes under another file's name."""
    head, body = solution(LAB).encode().split(b"    const char *next = data;\n")
    said = f"""    if (getenv("QUIET") == NULL) {{
        static const char nasty[] = {literal(NASTY)};
        fputs("MARK-out ", stdout), fwrite(nasty, 1, sizeof nasty, stdout), fflush(stdout);
        fputs("MARK-err ", stderr), fwrite(nasty, 1, sizeof nasty, stderr);
    }}
    static const char sent[] = {literal(b"MARK-wire" + SHORT)};
    send(fd, sent, sizeof sent, MSG_NOSIGNAL);
    if (len > 100)
        *(volatile int *)0 = 1;
""".encode()
    own = comment("MARK-source", NASTY) + b"    return 0;" + comment("MARK-beside", SHORT) + comment("MARK-source", SHORT)
    return b"#include <stdlib.h>\n" + head + said + own + b"    const char *next = data;\n" + body


def _crashing() -> bytes:
    """Crashes among nasty lines, and in other tests under a nasty file's name."""
    head, body = solution(LAB).encode().split(b"    const char *next = data;\n")
    own = (b"    if (len == 0)\n" + comment("MARK-source", NASTY) + b"        *(volatile int *)1 = 1; "
           + comment("MARK-beside", SHORT))
    other = f"""    if (len > 100)
#line 7 {literal(SHORT.replace(bytes([13]), b"") + b"MARK-file.c")}
        *(volatile int *)0 = 1;
#line 90 "client_send.c"
""".encode()
    return head + own + other + b"    const char *next = data;\n" + body


def _not_compiling() -> bytes:
    return solution(LAB).encode() + b"#error MARK-error " + re.sub(rb"[\r\n]", b" ", NASTY) + b"\n" + comment("MARK-source", NASTY)


def _of_no_file() -> bytes:
    name = literal(b"MARK-file \n::error::forged\n" + SHORT + b"client_send.c")
    return solution(LAB).encode() + f"#line 3 {name}\n".encode() + b"#error MARK-error " + SHORT.replace(b"\r", b"") + b"\n"


# What each is seen to say, and where.
ALL = ("screen", "brief", "json", "junit", "markdown", "html", "annotate", "hint")
SUBMISSIONS: dict[str, tuple[Callable[[], bytes], dict[str, tuple[str, ...]]]] = {
    "running": (_running, {"MARK-wire": ("screen", "brief", "json", "junit", "markdown", "html", "annotate"),
                           "MARK-out": ("junit", "html"), "MARK-err": ("junit", "html")}),
    "crashing": (_crashing, {"MARK-source": ("screen", "html"), "MARK-beside": ("screen", "html")}),
    "not_compiling": (_not_compiling, {"MARK-error": ALL, "MARK-source": ("screen", "html")}),
    "of_no_file": (_of_no_file, {"MARK-file": ALL}),
}


@dataclass(frozen=True)
class Reports:
    """All that was said of one submission."""

    said: dict[str, bytes]
    marks: dict[str, tuple[str, ...]]


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kit: Path = copy_kit(tmp_path_factory.mktemp("nasty") / "kit")
    return kit


@pytest.fixture(scope="module", params=SUBMISSIONS)
def reports(request: pytest.FixtureRequest, kit: Path) -> Reports:
    make, marks = SUBMISSIONS[request.param]
    (kit / FILE).write_bytes(make())
    grade = [*GRADER, "grade", "lab1", "--seed", "5eed"]
    names = ("json", "junit", "markdown", "html")
    said = {"screen": run(kit, *grade, *(word for name in names for word in (f"--{name}", f"r.{name}")))}
    said |= {name: (kit / f"r.{name}").read_bytes() for name in names}
    said["brief"] = run(kit, *grade, "--brief")
    said["annotate"] = run(kit, *GRADER, "annotate", "r.json")
    said["hint"] = run(kit, *GRADER, "hint", "lab1")
    said["tty"] = at_terminal(kit, *grade)
    return Reports(said, marks)


def run(kit: Path, *words: str) -> bytes:
    """What it writes to both streams."""
    done = subprocess.run(words, cwd=kit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
    assert done.returncode in (0, 1), done.stdout
    return done.stdout


def at_terminal(kit: Path, *words: str) -> bytes:
    """What it writes to a terminal, without the colours, erased lines and line ends that are its own."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(words, cwd=kit, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
    except OSError:                 # its other side is closed
        pass
    os.close(ours)
    process.wait(timeout=SECONDS)
    assert b"\x1b[" in seen
    return re.sub(rb"\x1b\[(?:31|32|33|1|2|0)m|\r\x1b\[K|\r(?=\n)", b"", seen)


def check_harmless(data: bytes) -> str:
    """Nothing in it acts on a terminal, in an editor or in a runner's log; returns it as text."""
    text = data.decode("utf-8")     # strictly: no stray byte
    for line in text.split("\n"):
        assert line.isprintable(), [char for char in line if not char.isprintable()]
        assert not UNSEEN.search(line), line
    return text


def check_no_commands(text: str) -> None:
    assert not [line for line in text.split("\n") if obeyed(line)]


# ---- the reports ------------------------------------------------------------------------------------

def test_what_the_submission_says_comes_through(reports: Reports) -> None:
    missing = [(mark, name) for mark, names in reports.marks.items() for name in names if mark.encode() not in reports.said[name]]
    assert not missing


@pytest.mark.parametrize("name", ["screen", "tty", "brief", "hint"])
def test_lines_on_a_screen_or_in_a_log(reports: Reports, name: str) -> None:
    check_no_commands(check_harmless(reports.said[name]))


def test_annotations(reports: Reports) -> None:
    """Just the commands that are the kit's, and nothing in them is another one or another property."""
    lines = check_harmless(reports.said["annotate"]).splitlines()
    assert lines
    for line in lines:
        told = re.fullmatch(rf"::error file={re.escape(FILE)},line=\d+,title=([^:,]*)::(.*)", line)
        assert told and "##[" not in line, line
        assert not re.search("%0[AaDd]", line), line


def test_json(reports: Reports) -> None:
    said = reports.said["json"]
    assert said.isascii() and said.count(b"\n") == 1
    check_no_commands(check_harmless(said))
    assert json.loads(said)["score"] in range(100)


def test_junit(reports: Reports) -> None:
    text = check_harmless(reports.said["junit"])
    check_no_commands(text)
    assert "[[ATTACHMENT|" not in text and "<!" not in text and text.count("<?") == 1
    tags = {element.tag for element in xml.fromstring(text).iter()}
    assert tags <= {"testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped",
                    "system-out", "system-err"}
    check_harmless("\n".join(xml.fromstring(text).itertext()).encode())


def test_markdown(reports: Reports) -> None:
    """What is the student's is in code; outside it there is nothing that Markdown or GitHub makes something of."""
    text = check_harmless(reports.said["markdown"])
    check_no_commands(text)
    outside = re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "", text)
    assert not re.search(r"MARK|<|(?<!\\)@|!\[|\]\(|https?:|#\d|&lt;|alert", outside), outside


class Page(html.parser.HTMLParser):
    """Gathers what a page would do."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if (tag, attrs) == ("link", [("rel", "icon"), ("href", "data:,")]):     # the page's own
            return
        if tag in ("img", "iframe", "object", "embed", "base", "form", "input", "link"):
            self.bad.append(tag)
        self.bad += [f"{tag} {name}={value}" for name, value in attrs if name.startswith("on")
                     or name in ("href", "src", "xlink:href") and re.match(r"\s*(javascript|data|http)", value or "", re.I)]

    def handle_comment(self, data: str) -> None:
        self.bad.append(f"<!-- {data} -->")

    def handle_pi(self, data: str) -> None:
        self.bad.append(f"<? {data}")


def test_html(reports: Reports) -> None:
    text = check_harmless(reports.said["html"])
    page = Page()
    page.feed(text)
    assert not page.bad
    assert not re.search("<script>alert|<details><summary>x</summary>", text)


# ---- by hand ----------------------------------------------------------------------------------------

def test_trace(kit: Path) -> None:
    """Its ladder, live and saved. What the program itself prints by hand is between it and the terminal."""
    (kit / FILE).write_bytes(_running())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = subprocess.run([*GRADER, "trace", "lab1", "--", "127.0.0.1", str(listener.getsockname()[1]), SHORT], cwd=kit,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, env={**os.environ, "QUIET": "1"})
    assert done.returncode == 0, done.stderr
    folder = kit / "build" / "lab1"
    for data in (done.stderr, (folder / "trace.txt").read_bytes(), (folder / "trace.svg").read_bytes()):
        text = check_harmless(data)
        if not text.startswith("<svg"):     # a picture is no log
            check_no_commands(text)
        assert "\\e]0;t" in text    # the title has the words that the program was given
    page = Page()
    page.feed((folder / "trace.svg").read_text(encoding="utf-8"))
    assert not page.bad
    xml.parse(folder / "trace.svg")
