"""The grade as JUnit XML, for what reads that: Jenkins, GitLab, GitHub's actions.

A suite is a stage, named "lab1.connecting"; before its stages a lab has one, "lab1", with the one case "graded": it
fails where there is nothing to grade or where the file doesn't compile. Only the grader's own failure is an <error>.
No attribute is used that Jenkins' strict reader doesn't know: the student's line stands at the front of a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..evidence import RunSeen
from ..safe import decode, xml, xml_lines
from ..verdict import LabResult, StageResult, TestResult, hidden_words
from .terminal import both_sides, reason

OUTPUT = 16 << 10                   # bytes of what a program printed, at most


@dataclass(frozen=True)
class _Case:
    """One <testcase>: its text, and how it counts."""

    text: str
    kind: str                       # "", "failure", "error" or "skipped"
    seconds: float


def build(results: Iterable[LabResult], *, kit: str, tier: str, seed: str, when: datetime) -> str:
    """The whole report as text. when: of the grade, said in its own time zone's clock."""
    setting = {"kit": kit, "sandbox": tier, "seed": seed}
    suites: list[str] = []
    cases: list[_Case] = []
    for result in results:
        score = {"score": "no mark" if result.score is None else f"{result.score}/{result.max_score}"}
        graded = [_graded(result)]
        suites.append(_suite(result.lab.id, graded, when, setting | score))
        cases += graded
        for stage in result.stages:
            own = [_test(result, stage, test) for test in stage.tests]
            if stage.unseen:
                own.append(_case(f"{result.lab.id}.{stage.stage.name}", "hidden tests", "skipped", "", hidden_words(stage.unseen)))
            if own:
                suites.append(_suite(f"{result.lab.id}.{stage.stage.name}", own, when, {}))
                cases += own
    # Without "skipped": the strict reader knows it in a suite alone.
    counts = {name: value for name, value in _counts(cases).items() if name != "skipped"}
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _element("testsuites", {"name": "socklab", **counts}, suites) + "\n"


def _suite(name: str, cases: list[_Case], when: datetime, properties: Mapping[str, str]) -> str:
    """A <testsuite>, with properties where there are some."""
    told = [_element("property", {"name": key, "value": value}) for key, value in properties.items()]
    body = [_element("properties", {}, told)] if told else []
    return _element("testsuite", {"name": name, **_counts(cases), "timestamp": f"{when:%Y-%m-%dT%H:%M:%S}"},
                    [*body, *(case.text for case in cases)])


def _counts(cases: list[_Case]) -> dict[str, str]:
    kinds = [case.kind for case in cases]
    return {"tests": str(len(cases)), "failures": str(kinds.count("failure")), "errors": str(kinds.count("error")),
            "skipped": str(kinds.count("skipped")), "time": f"{sum(case.seconds for case in cases):.3f}"}


def _graded(result: LabResult) -> _Case:
    """Whether there could be a grade at all."""
    if result.trouble:
        return _case(result.lab.id, "graded", "error", "grader_error", f"the grader failed: {result.trouble}")
    if result.unreadable:
        return _case(result.lab.id, "graded", "failure", "unreadable", result.unreadable)
    if result.compile_error:
        return _case(result.lab.id, "graded", "failure", "compile", f"it doesn't compile: {result.compile_error.message}")
    return _case(result.lab.id, "graded", "", "", "")


def _test(result: LabResult, stage: StageResult, test: TestResult) -> _Case:
    place = f"{result.lab.id}.{stage.stage.name}"
    if test.status == "passed":
        return _case(place, test.name, "", "", "", seconds=test.seconds)
    if test.status == "not_tried":
        return _case(place, test.name, "skipped", "", f"not tried: {reason(stage)}")
    if test.status == "grader_error":
        return _case(place, test.name, "error", "grader_error", "the grader failed")
    run = test.evidence.run if test.evidence is not None else None
    return _case(place, test.name, "failure", test.status, f"{test.promise}: {test.message}", _told(test), run, test.seconds)


def _told(test: TestResult) -> list[str]:
    """What a failing test says, a line each."""
    where = f"{test.location.file}:{test.location.line}: " if test.location else ""
    told = [f"{where}{test.message}", *(both_sides(test.evidence) if test.evidence is not None else [])]
    if test.diagnosis is not None:
        told.append(f"cause: {test.diagnosis.slug}: {test.diagnosis.text}")
        told.append(f"read: docs/mistakes.md#{test.diagnosis.slug}")
    return told


def _case(place: str, name: str, kind: str, sort: str, message: str, told: list[str] | None = None,
          run: RunSeen | None = None, seconds: float = 0.0) -> _Case:
    body = []
    if kind:
        attributes = ({"type": sort} if sort else {}) | {"message": message}
        body.append(_element(kind, attributes, said="\n".join(told or [])))
    for tag, output in (("system-out", run.output), ("system-err", run.errors)) if run is not None else ():
        if output:
            body.append(_element(tag, {}, said=_printed(output)))
    return _Case(_element("testcase", {"classname": place, "name": name, "time": f"{seconds:.3f}"}, body), kind, seconds)


def _printed(output: bytes) -> str:
    more = f"\n… ({len(output) - OUTPUT:,} more bytes)" if len(output) > OUTPUT else ""
    return decode(output[:OUTPUT]) + more


def _element(name: str, attributes: Mapping[str, str], children: Iterable[str] = (), said: str = "") -> str:
    """An element with its values and text made safe here, and with children that are elements."""
    head = name + "".join(f' {key}="{xml(value)}"' for key, value in attributes.items())
    body = xml_lines(said) + "".join(f"\n{child}" for child in children)
    return f"<{head}>{body}</{name}>" if body else f"<{head}/>"
