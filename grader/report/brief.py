"""A line a failure, as compilers write them: editors put it on the student's line.

    labs/lab1_client_send/client_send.c:42: error: send_all() sends a short text — the peer received nothing
"""

from __future__ import annotations

from ..verdict import LabResult
from .screen import Screen


def show(screen: Screen, results: tuple[LabResult, ...], folder: str) -> None:
    """All failures, then each lab's score. folder: where the labs lie, as the reader's editor names it."""
    for result in results:
        for line in lines(result, folder):
            screen.line(line)
        score = "no mark" if result.score is None else f"{result.score}/{result.max_score}"
        screen.line(f"{result.lab.id}  {result.lab.title}: {score}")
    screen.flush()


def lines(result: LabResult, folder: str) -> list[str]:
    """The failures of one lab. Where no line of the student's file is known it is the first."""
    lab = result.lab
    path = f"{folder}/{lab.folder.name}/{lab.file_name}"
    if result.trouble:
        return [f"socklab: the grader failed: {result.trouble}"]
    if result.unreadable:
        return [f"{path}:1: error: {result.unreadable}"]
    if result.compile_error is not None:
        where = result.compile_error.location
        said = result.compile_error.message.removeprefix(f"{lab.file_name}:{where.line if where else ''}").lstrip(": ")
        return [f"{path}:{where.line if where else 1}: error: it doesn't compile — {said}"]
    found = []
    for stage in result.stages:
        for test in stage.tests:
            if test.status in ("passed", "not_tried"):
                continue
            where = test.location if test.location is not None and test.location.file == lab.file_name else None
            cause = f" ({test.cause}: docs/mistakes.md#{test.cause})" if test.cause else ""
            found.append(f"{path}:{where.line if where else 1}: error: {test.promise} — {test.message}{cause}")
    return found
