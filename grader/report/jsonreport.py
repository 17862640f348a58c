"""The JSON report, version 1: for scripts, workflows and gradebooks. Keys may be added, never changed."""

from __future__ import annotations

from typing import Any

from ..evidence import Location
from ..safe import json_line
from ..sandbox import Sandbox
from ..verdict import LabResult, StageResult, TestResult

VERSION = 1


def build(results: tuple[LabResult, ...], *, kit: str, sandbox: Sandbox, seed: str) -> str:
    """The whole report as text."""
    scores = [result.score for result in results]
    total = None if None in scores else sum(score for score in scores if score is not None)
    report = {"version": VERSION, "kit": kit, "sandbox": sandbox.tier, "sandbox_why": sandbox.why, "score": total,
              "max_score": sum(result.max_score for result in results), "seed": seed,
              "labs": [_lab(result) for result in results]}
    return json_line(report) + "\n"       # indent would take Python's slow encoder: 20 ms


def _lab(result: LabResult) -> dict[str, Any]:
    error = result.compile_error
    return {"lab": result.lab.id, "title": result.lab.title, "file": f"{result.lab.folder.name}/{result.lab.file_name}",
            "score": result.score, "max_score": result.max_score, "seconds": round(result.seconds, 3),
            "compile": {"message": error.message, "location": _location(error.location)} if error else None,
            "partial": result.partial, "trouble": result.trouble, "unreadable": result.unreadable, "stages": [_stage(stage, result) for stage in result.stages]}


def _stage(stage: StageResult, result: LabResult) -> dict[str, Any]:
    return {"stage": stage.stage.name, "title": stage.stage.title,
            "score": None if result.score is None else stage.score, "max_score": stage.stage.points,
            "status": stage.status, "hidden": {"count": stage.unseen, "status": "not_run"} if stage.unseen else None,
            "tests": [_test(test) for test in stage.tests]}


def _test(test: TestResult) -> dict[str, Any]:
    return {"test": test.name, "title": test.promise, "status": test.status, "score": test.points,
            "max_score": test.max_points, "seconds": round(test.seconds, 3), "message": test.message,
            "cause": test.cause, "location": _location(test.location), "hidden": test.hidden}


def _location(where: Location | None) -> dict[str, Any] | None:
    return {"file": where.file, "line": where.line} if where else None
