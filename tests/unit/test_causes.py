"""Causes over recorded evidence: pure functions, which need no grade (make evidence records it anew)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from grader import keep
from grader.causes import CAUSES, diagnose
from grader.evidence import Evidence, RunSeen

FOLDER = Path(__file__).resolve().parents[1] / "evidence"
LABS = sorted(path.name.removesuffix(".jsonl.gz") for path in FOLDER.glob("*.jsonl.gz"))


def recorded(lab: str) -> Iterator[tuple[str, Evidence]]:
    for line in gzip.decompress((FOLDER / f"{lab}.jsonl.gz").read_bytes()).splitlines():
        entry = json.loads(line)
        yield entry["cause"], keep.unpack(entry["evidence"])


EVIDENCE = [(lab, cause, evidence) for lab in LABS for cause, evidence in recorded(lab)]
each = pytest.mark.parametrize("cause, evidence", [pytest.param(cause, evidence, id=f"{lab}-{cause}")
                                                   for lab, cause, evidence in EVIDENCE])


def edit_runs(evidence: Evidence, **changes: object) -> Evidence:
    """The same evidence with each run changed."""
    return replace(evidence, runs=tuple(replace(run, **changes) for run in evidence.runs))  # type: ignore[arg-type]


@each
def test_the_evidence_is_enough(cause: str, evidence: Evidence) -> None:
    found = diagnose(evidence)
    assert found is not None and found.slug == cause


@each
def test_asking_twice_gives_the_same(cause: str, evidence: Evidence) -> None:
    assert diagnose(evidence) == diagnose(keep.unpack(json.loads(json.dumps(keep.pack(evidence)))))


@each
def test_less_evidence_breaks_no_finder(cause: str, evidence: Evidence) -> None:
    """Whatever is missing, a finder answers or says nothing."""
    for keeps in range(0, max((len(run.calls) for run in evidence.runs), default=0), 7):
        diagnose(replace(evidence, runs=tuple(replace(run, calls=run.calls[:keeps]) for run in evidence.runs)))
    diagnose(edit_runs(evidence, reported=()))
    diagnose(edit_runs(evidence, findings=(), texts=(), numbers=()))
    diagnose(replace(evidence, peers=(), failure=replace(evidence.failure, peer=None)))
    diagnose(replace(evidence, runs=(), failure=replace(evidence.failure, run=None)))


@each
def test_a_cause_points_at_a_line_that_was_seen(cause: str, evidence: Evidence) -> None:
    """It is in the student's file, and of a call, a finding or a wait that was recorded."""
    found = diagnose(evidence)
    if found is None or found.where is None:
        return
    lines = {call.where for run in evidence.runs for call in run.calls}
    lines |= {finding.where for run in evidence.runs for finding in run.findings}
    lines |= {run.trouble.where for run in evidence.runs if run.trouble is not None}
    assert found.where in lines and found.where.file == evidence.file


def test_most_causes_are_recorded() -> None:
    known = {cause.slug for cause in CAUSES}
    seen = {cause for _, cause, _ in EVIDENCE}
    assert seen <= known
    assert len(seen) >= 0.9 * len(known), sorted(known - seen)


def test_what_is_no_evidence_is_refused() -> None:
    for packed in (None, 3, {}, {"lab": "lab1"}, []):
        with pytest.raises((KeyError, TypeError, ValueError)):
            keep.unpack(packed)


def test_a_run_is_packed_and_unpacked() -> None:
    run = next(run for _, _, evidence in EVIDENCE for run in evidence.runs if run.calls)
    assert isinstance(run, RunSeen)
    assert all(keep.unpack(json.loads(json.dumps(keep.pack(evidence)))) == evidence for _, _, evidence in EVIDENCE[:20])
