"""A summary table in Markdown, and GitHub's annotations, both from a JSON report."""

from __future__ import annotations

from typing import Any

from ..safe import github_message, github_property, html, markdown, terminal
from ..verdict import hidden_words

MAX_ANNOTATIONS = 10                # GitHub shows about so many a step


def summary(report: dict[str, Any]) -> str:
    """A table of labs and stages, then what failed. What was seen of the student's work is code: nothing else."""
    score = "no mark" if report["score"] is None else f"{report['score']}/{report['max_score']}"
    lines = [f"## socklab: {score}", "", "| lab | stage | points | |", "| --- | --- | --- | --- |"]
    for lab in report["labs"]:
        lines += [f"| {_cell(lab['lab'] + ' ' + lab['title'])} | {_cell(stage['title'])} | "
                  f"{'-' if stage['score'] is None else stage['score']}/{stage['max_score']} | {_mark(stage['status'])} |"
                  for stage in lab["stages"]]
    lines.append("")
    for title, text in failures(report):
        lines.append(f"- **{_cell(title)}**: {markdown(text)}")
    for lab in report["labs"]:
        lines += [f"- {_cell(lab['lab'])}, {_cell(stage['title'])}: {_cell(hidden_words(stage['hidden']['count']))}"
                  for stage in lab["stages"] if stage.get("hidden")]
    if report["sandbox"] != "bubblewrap":
        weaker = "in a weaker sandbox, Landlock" if report["sandbox"] == "landlock" else "without a sandbox"
        why = f": {_cell(report['sandbox_why'])}" if report["sandbox_why"] else ""
        lines += ["", f"Graded {weaker}{why}."]
    return "\n".join(lines) + "\n"


def failures(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What was promised and what contradicted it, for each failed test."""
    found: list[tuple[str, str]] = []
    for lab in report["labs"]:
        if lab["trouble"]:
            found.append((lab["lab"], f"the grader failed: {lab['trouble']}"))
        if lab["unreadable"]:
            found.append((lab["lab"], lab["unreadable"]))
        if lab["compile"]:
            found.append((f"{lab['lab']} doesn't compile", lab["compile"]["message"]))
        found += [(f"{lab['lab']}: {test['title']}", test["message"])
                  for stage in lab["stages"] for test in stage["tests"] if test["status"] in ("failed", "crashed", "timed_out")]
    return found


def _mark(status: str) -> str:
    return {"passed": "passed", "failed": "**failed**", "not_tried": "not tried"}.get(status, status)


def _cell(text: str) -> str:
    """The kit's own words, which Markdown, HTML and a table take as text."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()#+-!|~:@$." else char for char in html(terminal(text)))


def annotate(report: dict[str, Any], folder: str) -> list[str]:
    """GitHub workflow commands that put each failure on the student's line. folder: where labs lie in the repo."""
    found: list[str] = []
    for lab in report["labs"]:
        path = f"{folder}/{lab['file']}"
        if lab["compile"]:
            where = lab["compile"]["location"]
            found.append(_annotation(path, where["line"] if where else 1, "it doesn't compile", lab["compile"]["message"]))
        for stage in lab["stages"]:
            for test in stage["tests"]:
                if test["status"] not in ("failed", "crashed", "timed_out"):
                    continue
                own = test["location"] is not None and path.endswith("/" + test["location"]["file"])
                cause = f" ({test['cause']}: docs/mistakes.md#{test['cause']})" if test["cause"] else ""
                found.append(_annotation(path, test["location"]["line"] if own else 1, test["title"], test["message"] + cause))
    return found[:MAX_ANNOTATIONS]


def _annotation(path: str, line: int, title: str, message: str) -> str:
    return f"::error file={github_property(path)},line={line},title={github_property(title)}::{github_message(message)}"
