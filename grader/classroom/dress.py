"""A student's report says whose it is, and what an instructor's list says of it. Done after grading, and again whenever
that changes: the report below stays as it was."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..safe import html, terminal

BRAND = '<p class="brand">socklab</p>'
# All that came from a student is escaped, so neither can be a student's.
_HEAD = re.compile(r'<p class="brand">[^<]*</p>(?:<!--class-->.*?<!--/class-->)?', re.DOTALL)


def page(report: str, name: str, said: Sequence[str]) -> str:
    """The page with a name and some lines at its head."""
    lines = "".join(f'<p class="notice">{html(line)}</p>' for line in said)
    head = f'<p class="brand">socklab · {html(name)}</p><!--class-->{lines}<!--/class-->'
    return _HEAD.sub(lambda _: head, report, count=1)


def text(report: str, name: str, said: Sequence[str]) -> str:
    """The same for the report as it stands on a terminal. report: as this function or the grader wrote it."""
    body = report.partition("\n\n")[2] if report.startswith("socklab · ") else report
    return "\n".join([f"socklab · {terminal(name)}", *(terminal(line) for line in said), "", body])


def forget_place(report: str, folder: str) -> str:
    """The page's commands, without the place where the student's files lay while they were graded."""
    return report.replace(f" FROM={folder}", "")
