"""What an instructor reads of a class: a table in CSV, JUnit XML, a summary. All of it is pure; the rows decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..safe import csv, visible, xml
from .policy import Verdict
from .records import LabRow, Row, Setting


def mark(score: int | None) -> str:
    """A score for a table: nothing where there is no mark."""
    return "" if score is None else str(score)


def grades_csv(rows: Sequence[Row], setting: Setting, verdicts: Mapping[str, Verdict]) -> str:
    """A line a student, for any spreadsheet. Where the grader failed there is no number.

    verdicts: a policy's, by the name of a student's files; empty without one. Then the last columns say them.
    """
    late = ["days_late", "taken_off", "final", "policy"] if verdicts else []
    titles = ["student", "score", "max_score", *setting.labs, "submitted", "submission", "report", "notes", *late]
    lines = [",".join(titles)]
    for row in rows:
        labs = {lab.lab: lab for lab in row.labs}
        fields = [csv(row.student), mark(row.score), str(row.max_score),
                  *(mark(labs[lab].score) if lab in labs else "" for lab in setting.labs),
                  csv(row.submitted), csv(row.entry), csv(f"reports/{row.file}.html"), csv("; ".join(said(row)))]
        if verdicts:
            verdict = verdicts[row.file]
            fields += [str(verdict.days_late), mark(verdict.taken_off), mark(verdict.final), csv(verdict.words)]
        lines.append(",".join(fields))
    return "\r\n".join(lines) + "\r\n"


def said(row: Row) -> list[str]:
    """What an instructor has to know of a submission besides its marks."""
    failed = [f"the grader failed, no mark: {row.trouble}"] if row.trouble else []
    states = [f"{lab.lab}: {lab.state}" for lab in row.labs if lab.state and lab.state != "the grader failed"]
    if len(states) == len(row.labs) > 1 and all(lab.state == "missing" for lab in row.labs):
        states = []                     # a note says that nothing could be taken
    return [*failed, *row.notes, *states]


def junit_xml(rows: Sequence[Row]) -> str:
    """A suite a student, a case a stage. Only the grader's own failure is an error."""
    suites = [_suite(row) for row in rows]
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="socklab class">\n' + "".join(suites)
            + "</testsuites>\n")


def _suite(row: Row) -> str:
    cases = [_case(row, lab, number) for lab in row.labs for number in range(len(lab.stages))]
    if row.trouble and not cases:
        cases = [('error', f'<testcase classname="{xml(row.student)}" name="graded"><error type="grader_error" '
                           f'message="{xml(row.trouble)}"/></testcase>\n')]
    kinds = [kind for kind, _ in cases]
    return (f'<testsuite name="{xml(row.student)}" tests="{len(cases)}" failures="{kinds.count("failure")}" '
            f'errors="{kinds.count("error")}" skipped="{kinds.count("skipped")}">\n'
            + "".join(text for _, text in cases) + "</testsuite>\n")


def _case(row: Row, lab: LabRow, number: int) -> tuple[str, str]:
    stage = lab.stages[number]
    head = f'<testcase classname="{xml(f"{row.student}.{lab.lab}")}" name="{xml(stage.stage)}"'
    if lab.state == "the grader failed":
        return "error", f'{head}><error type="grader_error" message="{xml(lab.failure)}"/></testcase>\n'
    if lab.state and number == 0:
        return "failure", f'{head}><failure type="{xml(lab.state)}" message="{xml(lab.failure)}"/></testcase>\n'
    if lab.state or stage.status == "not_tried":
        return "skipped", f'{head}><skipped message="not tried"/></testcase>\n'
    if stage.status == "failed":
        first = lab.failure if all(one.status == "passed" for one in lab.stages[:number]) else "see the report"
        told = f"{stage.title}: {stage.score}/{stage.max_score}: {first}"
        return "failure", f'{head}><failure message="{xml(told)}"/></testcase>\n'
    return "", f"{head}/>\n"


def summary(rows: Sequence[Row], setting: Setting, others: Sequence[str]) -> list[str]:
    """The class in some lines: how the marks lie, and whatever needs a look."""
    marks = sorted(row.score for row in rows if row.score is not None)
    most = max((row.max_score for row in rows), default=0)
    lines = [f"{len(rows)} submissions · {', '.join(setting.labs)} · seed {setting.seed}"]
    if marks:
        lines.append(f"marks of {most}: median {marks[len(marks) // 2]}, lowest {marks[0]}, highest {marks[-1]}, "
                     f"full {marks.count(most)}")
    tiers = sorted({row.tier for row in rows if row.tier})
    lines.append(f"sandbox: {', '.join(tiers)}" if tiers else "sandbox: -")
    failed = [row for row in rows if row.trouble]
    if failed:
        lines += ["", f"No mark: the grader failed on {len(failed)}. Grade again; if it stays, the fault is the kit's."]
        lines += [f"  {visible(row.student, 60)}: {visible(row.trouble, 200)}" for row in failed]
    noted = [row for row in rows if row.notes]
    if noted:
        lines += ["", "To look at:"]
        lines += [f"  {visible(row.student, 60)}: {visible(note, 300)}" for row in noted for note in row.notes]
    if others:
        lines += ["", "Nobody's submission, left alone:"]
        lines += [f"  {one}" for one in others]
    return lines
