"""What each destination makes of nasty text: tests/golden/text has a file for each, written by
`python3 tests/unit/test_safe.py`, and read by whoever changes it."""

from __future__ import annotations

import csv
import html
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

KIT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(KIT))

from grader import safe  # noqa: E402
from grader.report.screen import width, wrap  # noqa: E402

GOLDEN = KIT / "tests" / "golden" / "text"
DESTINATIONS: dict[str, Callable[[str], str]] = {
    "terminal": safe.terminal, "github_message": safe.github_message, "github_property": safe.github_property,
    "markdown": safe.markdown, "html": safe.html, "xml": safe.xml, "xml_lines": safe.xml_lines, "csv": safe.csv,
    "json": safe.json_line}

CORPUS: dict[str, bytes] = {
    "plain": b"client_send.c:7: expected ';' before 'return'",
    "other scripts": "Grüße, 你好, мир, שלום, नमस्ते, e\u0301, 🙂".encode(),
    "colours": b"\x1b[31mred\x1b[0m \x1b[2J\x1b[1;1H",
    "a title": b"\x1b]0;you are root\x07 \x1b]2;x\x1b\\",
    "the clipboard": b"\x1b]52;c;cm0gLXJmIH4=\x07",
    "a hyperlink": b"\x1b]8;;http://x.example/\x1b\\click\x1b]8;;\x1b\\",
    "device reports": b"\x1b[6n \x1b[c \x1bP$qm\x1b\\ \x05",
    "C1 controls": b"\xc2\x9b31m \xc2\x9d0;x\xc2\x9c \xc2\x85next",
    "raw C1": b"\x9b31m \x90 \x9d",
    "overwritten": b"0/100\r100/100",
    "backspaces": b"0\x08\x08100",
    "other white space": b"a\tb\vc\fd \xe2\x80\xa8 \xe2\x80\xa9 \xc2\xa0 \xe3\x80\x80",
    "NUL and DEL": b"a\0b\x7fc",
    "invalid UTF-8": b"\xff\xfe \xc0\xaf \xe2\x82 \xf8 \xed\xa0\x80",
    "bidi": "a\u202egnp.c\u202c \u2066x\u2069 \u061c\u200f".encode(),
    "unseen": "a\u200bb\u200dc\ufeffd\u00ade\u3164f\u2800g\ufe0f\U000e0041\u034f".encode(),
    "marks": ("Z" + "\u0301\u0336\u0489" * 12 + "algo").encode(),
    "noncharacters": "\ufffe\uffff\U0001ffff\ue000".encode(),
    "a long line": b"x" * 5000,
    "a long line of controls": b"\x1b" * 5000,
    "a command": b"::error file=a.c,line=1::forged",
    "commands after blanks": b"  ::add-mask::a ::stop-commands::token ::set-output name=x::y",
    "a command after a newline": b"so\n::warning::x\r\n::endgroup::",
    "old commands": b"##[error]x a##[group]b ##[add-mask]c",
    "percents": b"%0A::error::x %25 100%",
    "properties": b"a,title=b::c:d%3A",
    "IPv6": b"[::1]:80 ::1 fe80::1",
    "the end of CDATA": b"]]> <![CDATA[ <!-- --> &amp; &#0; <?xml?> <!DOCTYPE x>",
    "a script": b"</title></style></script><script>alert(1)</script><img src=x onerror='a()'>\"'` onclick=\"b()",
    "an attachment": b"[[ATTACHMENT|/etc/passwd]] [[ PROPERTY|name=x]]",
    "Markdown": b"[a](http://x.example) ![b](http://x.example/b.png) **c** _d_ ~~e~~ | f | # g - h + i $x^2$ http://x.example www.x.example",
    "mentions": b"@someone @org/team #123 GH-1 org/repo#2 a@x.example 1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d",
    "backticks": b"` `` ```\n</code>",
    "only backticks": b"`",
    "HTML in Markdown": b"<details><summary>x</summary><a href='javascript:a()'>b</a>",
    "nothing": b"",
    "blanks": b"   ",
    "a formula": b"=cmd|' /C calc'!A0",
    "a sum": b"@SUM(1+1)*cmd|' /C calc'!A0",
    "numbers": b"+1",
    "less": b"-1",
    "a formula after a tab": b"\t=1+1",
    "a formula after a newline": b"\n=1+1",
    "a formula after blanks": b"  =1+1",
    "a wide formula": "＝1+1".encode(),
    "quotes": b"\"=1+1\",\"b\"\"",
    "fields": b"a,b;c\"d",
}


def written(name: str) -> str:
    """The golden file of a destination: an entry's name, and what the destination gets of it."""
    return "".join(f"{entry}\n    " + DESTINATIONS[name](safe.decode(said)).replace("\n", "\n    ") + "\n"
                   for entry, said in CORPUS.items())


@pytest.mark.parametrize("name", DESTINATIONS)
def test_the_golden_file(name: str) -> None:
    assert written(name).encode() == (GOLDEN / f"{name}.shown").read_bytes()


@pytest.mark.parametrize("name", DESTINATIONS)
@pytest.mark.parametrize("entry", CORPUS)
def test_no_destination_gets_a_character_that_acts(name: str, entry: str) -> None:
    shown = DESTINATIONS[name](safe.decode(CORPUS[entry]))
    shown.encode("utf-8")
    if name == "xml_lines":
        shown = shown.replace("\n", "")
    assert shown.isprintable()
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\u2800\ufe00-\ufe0f]", shown)
    assert not re.search(r"(?!\w)[\u0300-\u036f\u0483-\u0489]{5}", shown)
    if name not in ("json", "html"):
        assert len(shown) < 15_000


@pytest.mark.parametrize("name", ["visible", "terminal"])
@pytest.mark.parametrize("entry", CORPUS)
def test_what_is_safe_stays_as_it_is(name: str, entry: str) -> None:
    make = getattr(safe, name)
    assert make(make(safe.decode(CORPUS[entry]))) == make(safe.decode(CORPUS[entry]))


def obeyed(line: str) -> bool:
    """As a runner reads its log: `::name …::` where the line begins, blanks aside; `##[name]` anywhere."""
    return bool(re.match(r"\s*::[A-Za-z-]+(\s.*?)?::", line)) or "##[" in line


@pytest.mark.parametrize("entry", CORPUS)
@pytest.mark.parametrize("columns", [1, 7, 20, 60, 80])
def test_no_line_is_a_command_however_it_breaks(entry: str, columns: int) -> None:
    said = safe.decode(CORPUS[entry]).replace("\n", " ")
    for before in ("", "x" * (columns - 1), "x" * columns, "aa " * columns):
        for line in wrap(safe.terminal(before + said), columns):
            assert not obeyed(line) and (width(line) <= columns or columns == 1)
    for name in ("markdown", "xml", "json"):
        assert not obeyed(DESTINATIONS[name](said))


@pytest.mark.parametrize("entry", CORPUS)
def test_xml_and_html_give_back_what_is_visible(entry: str) -> None:
    said = safe.decode(CORPUS[entry])
    read = ElementTree.fromstring(f'<a b="{safe.xml(said)}">{safe.xml(said)}</a>')
    assert read.attrib["b"] == (read.text or "")
    assert html.unescape(safe.html(said)) == safe.visible(said, safe.MOST_PAGE)
    ElementTree.fromstring(f"<a>{safe.xml_lines(said)}</a>")
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.append(tag)       # type: ignore[method-assign]
    parser.feed(f'<p title="{safe.html(said)}">{safe.html(said)}</p>')
    assert tags == ["p"]


@pytest.mark.parametrize("entry", CORPUS)
def test_a_spreadsheet_gets_one_field_that_is_no_formula(entry: str) -> None:
    rows = [*csv.reader([f'1,{safe.csv(safe.decode(CORPUS[entry]))},2'], strict=True)]
    assert len(rows) == 1 and len(rows[0]) == 3
    assert not re.match(r"[\s\"']*[=+@-]", rows[0][1]) or rows[0][1].startswith("'")


@pytest.mark.parametrize("entry", CORPUS)
def test_markdown_is_one_span_of_code(entry: str) -> None:
    shown = safe.markdown(safe.decode(CORPUS[entry]))
    if not shown:
        assert not safe.decode(CORPUS[entry]).strip()
        return
    match = re.fullmatch(r"(`+)(.*[^`])\1", shown)
    assert match and match[2][0] != "`" and match[1] not in re.findall("`+", match[2])


@pytest.mark.parametrize("entry", CORPUS)
def test_json_says_what_was_said(entry: str) -> None:
    said = safe.decode(CORPUS[entry])
    line = safe.json_line({"message": said})
    assert line.isascii() and json.loads(line) == {"message": said}


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for destination in DESTINATIONS:
        (GOLDEN / f"{destination}.shown").write_text(written(destination), encoding="utf-8", newline="")
