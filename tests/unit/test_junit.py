"""The JUnit report: what its readers take, what counts as what, and hostile text."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import datetime

import pytest

from grader.build import CompileError
from grader.catalog import find_labs
from grader.evidence import Evidence, Failure, Location, RunSeen
from grader.report import junit
from grader.verdict import LabResult, Listed, Outcome, judge

LAB = find_labs()[0]
# Of each element: attributes that must be there, and those that may, in Jenkins' strict reader (its xunit plugin).
ELEMENTS: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": ({"name", "tests", "failures", "errors"}, {"time", "skipped", "timestamp"}),
    "properties": (set(), set()),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name"}, {"classname", "time"}),
    "failure": (set(), {"type", "message"}),
    "error": (set(), {"type", "message"}),
    "skipped": (set(), {"type", "message"}),
    "system-out": (set(), set()),
    "system-err": (set(), set()),
}
HOSTILE = "]]><x/> & \"'\x00\x1b[2J\x85\u202e\ufffe\ud800\nerror\r\n::error::x\n[[ATTACHMENT|/etc/passwd]] ##[group]"
RUN = RunSeen("", (), 1, "", "none", b"", "", 0, 1, None, False, None, (), (), (), (), (),
              HOSTILE.encode(errors="replace") + b"\xff\xfe" * 20_000, b"\x00error]]>\xff\n" * 500, (), 0, ())


def evidence(message: str = "a message") -> Evidence:
    return Evidence("lab1", "connecting", "other", LAB.file_name, Failure("output", message), (RUN,))


def graded(status: str = "failed", seen: Evidence | None = None) -> LabResult:
    """A lab whose first stage has a passed test and one of this status; the rest wasn't tried."""
    first = LAB.stages[0]
    tests = [Listed(first.name, first.plain, "plain"), Listed(first.name, "other", f"promise {HOSTILE}"),
             *(Listed(stage.name, stage.plain, "later") for stage in LAB.stages[1:])]
    outcomes = {(first.name, first.plain): Outcome("passed", 0.25),
                (first.name, "other"): Outcome(status, 1.5, seen or evidence())}
    result = judge(LAB, tests, outcomes, seconds=2.0)
    stage = result.stages[0]
    placed = replace(stage.tests[1], location=Location(f"{LAB.file_name}{HOSTILE}", 7))
    return replace(result, stages=(replace(stage, tests=(stage.tests[0], placed)), *result.stages[1:]))


def read(*results: LabResult, seed: str = "5eed") -> ElementTree.Element:
    text = junit.build(results, kit="socklab 1", tier="none", seed=seed, when=datetime(2025, 1, 2, 3, 4, 5))
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n') and text.endswith("\n")
    assert text.replace("\n", "").isprintable()
    return ElementTree.fromstring(text.encode("utf-8"))


@pytest.mark.parametrize("result", [
    graded(), graded("crashed"), graded("timed_out"), graded("passed"),
    judge(LAB, (), {}, seconds=1.0, trouble=HOSTILE),
    judge(LAB, (), {}, seconds=1.0, unreadable=HOSTILE),
    judge(LAB, [Listed(LAB.stages[0].name, LAB.stages[0].plain, "plain")], {}, seconds=1.0,
          compile_error=CompileError(HOSTILE, None)),
], ids=["failed", "crashed", "timed_out", "passed", "trouble", "unreadable", "compile"])
def test_it_is_what_readers_take_whatever_came(result: LabResult) -> None:
    root = read(result, result, seed=HOSTILE)
    assert root.tag == "testsuites"
    for element in root.iter():
        must, may = ELEMENTS[element.tag]
        assert must <= set(element.keys()) <= must | may, (element.tag, element.keys())
    suites = list(root)
    for suite in suites:
        cases = suite.findall("testcase")
        assert suite.tag == "testsuite" and cases
        for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[key]) == len(suite.findall(f"testcase/{tag}"))
        assert int(suite.attrib["tests"]) == len(cases)
        assert all(len(case.findall("failure") + case.findall("error") + case.findall("skipped")) <= 1 for case in cases)
    assert int(root.attrib["tests"]) == sum(int(suite.attrib["tests"]) for suite in suites)
    assert float(root.attrib["time"]) == pytest.approx(sum(float(suite.attrib["time"]) for suite in suites))


def test_a_suite_is_a_stage_and_a_case_a_test() -> None:
    suites = {suite.attrib["name"]: suite for suite in read(graded())}
    assert list(suites) == ["lab1", *(f"lab1.{stage.name}" for stage in LAB.stages)]
    passed, failed = suites[f"lab1.{LAB.stages[0].name}"].findall("testcase")
    assert (passed.attrib["name"], passed.attrib["time"], list(passed)) == (LAB.stages[0].plain, "0.250", [])
    assert (failed.attrib["name"], failed.attrib["time"]) == ("other", "1.500")
    failure = failed.find("failure")
    assert failure is not None and failure.attrib["type"] == "failed"
    assert failure.attrib["message"].startswith("promise ") and failure.attrib["message"].endswith(": a message")
    assert (failure.text or "").startswith(f"{LAB.file_name}]]><x/>")
    skipped = suites[f"lab1.{LAB.stages[1].name}"].findall("testcase/skipped")
    assert [element.attrib["message"].startswith("not tried: ") for element in skipped] == [True]


@pytest.mark.parametrize("result, tag, said", [
    (judge(LAB, (), {}, seconds=1.0, trouble="no room"), "error", "the grader failed: no room"),
    (judge(LAB, (), {}, seconds=1.0, unreadable="x.c is missing"), "failure", "x.c is missing"),
    (judge(LAB, (), {}, seconds=1.0, compile_error=CompileError("x.c:3: no", None)), "failure", "it doesn't compile: x.c:3: no"),
])
def test_only_the_graders_own_failure_is_an_error(result: LabResult, tag: str, said: str) -> None:
    root = read(result)
    case, = (case for case in root.iter("testcase") if case.attrib["name"] == "graded")
    assert [(element.tag, element.attrib["message"]) for element in case] == [(tag, said)]
    assert len([*root.iter("error")]) == (tag == "error") and len([*root.iter("failure")]) == (tag == "failure")


def test_what_a_program_printed_is_shown_and_never_obeyed() -> None:
    out, = read(graded()).iter("system-out")
    lines = (out.text or "").split("\n")
    assert lines[0].startswith("]]><x/> & \"'\\0\\e[2J") and "\\u202e" in lines[0] and "\\x85" in lines[0]
    assert lines[1:3] == ["error", "\\x3a:error::x"]
    assert lines[3].startswith("[\\x5bATTACHMENT|/etc/passwd]] #\\x23[group]\\xff\\xfe")
    assert "more)" in lines[3] and lines[-1].startswith("… (") and lines[-1].endswith("more bytes)")
    err, = read(graded()).iter("system-err")
    assert "(301 more lines)" in (err.text or "") and "\\0error]]>\\xff" in (err.text or "")
