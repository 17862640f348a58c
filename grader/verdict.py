"""From outcomes to points: pure functions, no I/O, no opinion about sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .build import CompileError
from .catalog import Lab, Stage
from .causes import Diagnosis
from .evidence import Evidence, Location

NOT_TRIED = "not_tried"


@dataclass(frozen=True)
class Listed:
    """A test as the suite lists it."""

    stage: str
    name: str
    promise: str                    # its description: what the student reads
    hidden: bool = False            # students don't have it
    weight: int = 1                 # of the stage's points, beside those of the stage's other tests


@dataclass(frozen=True)
class Outcome:
    """What came of one test that ran."""

    status: str                     # "passed", "failed", "crashed" or "timed_out"
    seconds: float
    evidence: Evidence | None = None
    diagnosis: Diagnosis | None = None


@dataclass(frozen=True)
class TestResult:
    """One line of a report."""

    name: str
    promise: str
    status: str                     # an outcome's, or "not_tried" or "grader_error"
    points: int                     # earned
    max_points: int
    seconds: float
    evidence: Evidence | None
    diagnosis: Diagnosis | None
    location: Location | None
    hidden: bool = False            # students don't have it

    @property
    def message(self) -> str:
        """What contradicted the promise, '' if nothing did."""
        return self.evidence.failure.message if self.evidence else ""

    @property
    def cause(self) -> str | None:
        """The mistake's slug, where the evidence singles one out."""
        return self.diagnosis.slug if self.diagnosis else None


@dataclass(frozen=True)
class StageResult:
    """One stage of a lab."""

    stage: Stage
    tests: tuple[TestResult, ...]
    waits_for: str | None           # not tried: what has to pass first, for a reader
    lacks: str | None = None        # not tried: what this machine doesn't have
    unseen: int = 0                 # tests that this kit doesn't have: run when the class is graded

    @property
    def score(self) -> int:
        return sum(test.points for test in self.tests)

    @property
    def status(self) -> str:
        """ "passed", "failed" or "not_tried"."""
        if self.tests and all(test.status == "passed" for test in self.tests):
            return "passed"
        return NOT_TRIED if all(test.status == NOT_TRIED for test in self.tests) else "failed"


@dataclass(frozen=True)
class LabResult:
    """One lab. With `trouble` the grader failed on it, and there is no score."""

    lab: Lab
    stages: tuple[StageResult, ...]
    seconds: float
    compile_error: CompileError | None = None
    trouble: str | None = None
    partial: bool = False           # only some tests were asked for: no mark
    unreadable: str | None = None   # the student's file is missing or isn't one: nothing to grade, 0 points

    @property
    def score(self) -> int | None:
        return None if self.trouble or self.partial else sum(stage.score for stage in self.stages)

    @property
    def passed(self) -> bool:
        """All that was asked for."""
        return all(test.status == "passed" for stage in self.stages for test in stage.tests) and not self.trouble

    @property
    def unseen(self) -> int:
        """How many tests this kit doesn't have."""
        return sum(stage.unseen for stage in self.stages)

    @property
    def max_score(self) -> int:
        return sum(stage.points for stage in self.lab.stages)


def share(points: int, weights: Sequence[int]) -> list[int]:
    """Whole points for tests of these weights: each has its part rounded down, and at least 1 while there are as many
    points as tests; what is left goes to the largest remainders, and of equal ones to the first."""
    least = 1 if points >= len(weights) else 0
    whole, total = points - least * len(weights), sum(weights)
    shares = [least + whole * weight // total for weight in weights]
    order = sorted(range(len(weights)), key=lambda index: (-(whole * weights[index] % total), index))
    for index in order[:points - sum(shares)]:
        shares[index] += 1
    return shares


def hidden_words(count: int) -> str:
    """What a student is told of tests that this kit doesn't have."""
    return f"{'1 hidden test' if count == 1 else f'{count} hidden tests'} in this stage: run when the class is graded"


def judge(lab: Lab, tests: Sequence[Listed], outcomes: Mapping[tuple[str, str], Outcome], *, seconds: float,
          compile_error: CompileError | None = None, trouble: str | None = None,
          unreadable: str | None = None, partial: bool = False,
          lacks: Mapping[str, str] | None = None) -> LabResult:
    """The lab's result. A test without an outcome wasn't tried."""
    stages: list[StageResult] = []
    for stage in lab.stages:
        own = [test for test in tests if test.stage == stage.name]
        if partial and not own:
            continue
        results = tuple(_test_result(test, outcomes.get((test.stage, test.name)), points, trouble)
                        for test, points in zip(own, share(stage.points, [test.weight for test in own])))
        stages.append(StageResult(stage, results, _waits_for(stage, results, stages, compile_error is not None),
                                  (lacks or {}).get(stage.name), 0 if partial else dict(lab.unseen).get(stage.name, 0)))
    return LabResult(lab, tuple(stages), seconds, compile_error, trouble, partial, unreadable)


def _test_result(test: Listed, outcome: Outcome | None, points: int, trouble: str | None) -> TestResult:
    if outcome is None:
        status = "grader_error" if trouble else NOT_TRIED
        return TestResult(test.name, test.promise, status, 0, points, 0.0, None, None, None, test.hidden)
    diagnosis = outcome.diagnosis
    return TestResult(test.name, test.promise, outcome.status, points if outcome.status == "passed" else 0, points,
                      outcome.seconds, outcome.evidence, diagnosis, _location(outcome), test.hidden)


def _location(outcome: Outcome) -> Location | None:
    """The student's line: the cause's, or where the program was stuck or struck, or what valgrind says."""
    if outcome.diagnosis is not None and outcome.diagnosis.where is not None:
        return outcome.diagnosis.where
    run = outcome.evidence.run if outcome.evidence else None
    if run is None:
        return None
    if run.trouble is not None and run.trouble.where is not None:
        return run.trouble.where
    if run.struck is not None:
        return run.struck
    if outcome.evidence is not None and outcome.evidence.failure.kind == "memory" and run.findings:
        return run.findings[0].where
    return None


def _waits_for(stage: Stage, results: Sequence[TestResult], earlier: Sequence[StageResult],
               nothing_built: bool) -> str | None:
    """Why tests of the stage weren't tried, None if all were."""
    if not any(result.status == NOT_TRIED for result in results) or nothing_built:
        return None
    plain = next((result for result in results if result.name == stage.plain), None)
    if plain is not None and plain.status not in (NOT_TRIED, "passed"):
        return plain.promise
    for need in stage.needs:
        before = next((other for other in earlier if other.stage.name == need), None)
        if before is not None and any(test.name == before.stage.plain and test.status != "passed" for test in before.tests):
            return before.stage.title
    return None
