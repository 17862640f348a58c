"""Grades one lab: builds, runs the suite with its gates, and makes the verdict of what came."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import build, causes, channel, kernel, pace, spawn, valgrind
from .catalog import CatalogError, Lab
from .debugger import Debugger
from .evidence import Evidence
from .gate import Gate
from .pace import scaled
from .sandbox import Sandbox
from .session import Session, status_of
from .trouble import describe
from .verdict import LabResult, Listed, Outcome, judge

SUITE_SECONDS = 120
HIDDEN = "hidden.c"
WORKERS = 8                         # of Criterion; the gate lets fewer in at once


@dataclass(frozen=True)
class Order:
    """What all labs of one grade share."""

    tree: Path                      # laid out like labs/
    seed: str
    sandbox: Sandbox
    only: tuple[str, ...] = ()      # "stage/test": just these and the plain tests that they need; no mark then
    debugger: Debugger | None = None


class NoSuchTest(Exception):
    """A test was asked for by a name that no test has."""


class GraderFailure(Exception):
    """The grader, the kit or this machine failed: no marks can be given."""


Note = Callable[[int, int, str], None]


def grade_lab(lab: Lab, order: Order, note: Note) -> LabResult:
    """The lab's result. The student's failures are in it; the grader's own too, as its `trouble`.

    note(done, total, failed) is called after each test: `failed` is the promise that was the first not to be kept,
    "" as long as there is none. Raises SubmissionError where there is nothing to grade.
    """
    began = time.monotonic()
    try:
        return _grade(lab, order, began, note)
    except build.SubmissionError:
        raise
    except (build.MissingTool, NoSuchTest):
        raise
    except (GraderFailure, build.BuildError, CatalogError) as error:
        return judge(lab, (), {}, seconds=time.monotonic() - began, trouble=str(error))
    except Exception as error:      # a mistake of ours must never look like the student's
        return judge(lab, (), {}, seconds=time.monotonic() - began, trouble=describe(error))


def _grade(lab: Lab, order: Order, began: float, note: Note) -> LabResult:
    source = build.read_submission(lab, order.tree)
    with ThreadPoolExecutor(2) as pool:
        programs = pool.submit(build.student_programs, lab, source, order.sandbox, debugged=order.debugger is not None)
        suite = build.suite(lab)
        tests = choose(lab, read_tests(lab, suite), order.only)
        try:
            run = SuiteRun(lab, order, suite, tests, programs, note)
            outcomes = run.outcomes()
        except build.CompileError as error:
            return judge(lab, tests, {}, seconds=time.monotonic() - began, compile_error=error)
    return judge(lab, tests, outcomes, seconds=time.monotonic() - began, partial=bool(order.only),
                 lacks=run.lacks)


def choose(lab: Lab, tests: tuple[Listed, ...], only: tuple[str, ...]) -> tuple[Listed, ...]:
    """The tests asked for and the plain tests that must pass first; all without `only`. Raises NoSuchTest."""
    names = {f"{test.stage}/{test.name}": test for test in tests}
    for name in only:
        if name not in names:
            near = [known for known in names if known.endswith(name.rpartition("/")[2])] or sorted(names)[:3]
            raise NoSuchTest(f"{lab.id} has no test '{name}': there are {', '.join(near)}, …")
    needed = {names[name].stage for name in only}
    for stage in reversed(lab.stages):          # a stage needs earlier ones alone
        if stage.name in needed:
            needed.update(stage.needs)
    plain = {f"{stage.name}/{stage.plain}" for stage in lab.stages if stage.name in needed}
    return tuple(test for name, test in names.items() if not only or name in only or name in plain)


def read_tests(lab: Lab, suite: Path) -> tuple[Listed, ...]:
    """The suite's tests in the order of its source. Raises CatalogError where lab.toml disagrees."""
    rows = [line.split("\t", 4) for line in (suite.parent / "tests.tsv").read_text(encoding="utf-8").splitlines()]
    rows.sort(key=lambda row: (row[0] == HIDDEN, int(row[1])))
    tests = tuple(Listed(stage, name, promise, file == HIDDEN, lab.weight(f"{stage}/{name}"))
                  for file, _, stage, name, promise in rows)
    where = f"{lab.folder.name}/lab.toml"
    listed = {f"{test.stage}/{test.name}": test for test in tests}
    if len(listed) < len(tests):
        raise CatalogError(f"{where}: two tests have one name; hidden.c must give its tests names of their own")
    for name, _ in lab.weights:
        if name not in listed:
            raise CatalogError(f"{lab.folder.name}/hidden.toml: weights: there is no test '{name}'")
    for test in tests:
        if lab.stage(test.stage) is None:
            raise CatalogError(f"{where}: suite.c has a stage '{test.stage}' that lab.toml doesn't know")
    for stage in lab.stages:
        names = {test.name for test in tests if test.stage == stage.name}
        if not names:
            raise CatalogError(f"{where}: stage '{stage.name}' has no test in suite.c")
        if len(names) > stage.points:
            raise CatalogError(f"{where}: stage '{stage.name}' has {len(names)} tests and {stage.points} points: "
                               "each test needs at least 1")
        for early in stage.early:
            if early not in names:
                raise CatalogError(f"{where}: stage '{stage.name}': its early test '{early}' isn't in suite.c")
        if stage.plain not in names:
            raise CatalogError(f"{where}: stage '{stage.name}': its plain test '{stage.plain}' isn't in suite.c")
    return tests


class SuiteRun:
    """One run of a lab's suite against one submission."""

    def __init__(self, lab: Lab, order: Order, suite: Path, tests: tuple[Listed, ...],
                 programs: Future[build.Programs], progress: Note) -> None:
        self._lab, self._order, self._suite, self._tests, self._programs = lab, order, suite, tests, programs
        self._gate = Gate(lab)
        self._progress = progress
        self._lock = threading.Lock()
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        self._refused: set[tuple[str, str]] = set()     # tests that asked, and weren't to be tried
        self._failures: list[str] = []
        self.lacks: dict[str, str] = {}             # by stage: why a test of it couldn't be tried here
        self._promises = {(test.stage, test.name): test.promise for test in tests}
        self._first_failed = ""
        self._criterions: set[int] = set()
        self._starting = threading.Lock()       # one that has begun and isn't in the set yet would be a stranger

    def outcomes(self) -> dict[tuple[str, str], Outcome]:
        """Each test's outcome. Raises CompileError, BuildError and GraderFailure."""
        self._launcher = build.launcher()
        server = channel.Server(self._serve, self._fail, self._is_ours)
        try:
            with tempfile.TemporaryDirectory(prefix="socklab-") as folder:
                try:
                    theirs = self._run_suite(server.path, Path(folder))
                except GraderFailure:
                    self._check_failures()      # what went wrong first says more
                    raise
                self._programs.result()
                server.close()
                self._compare(theirs)
        finally:
            self._gate.close()
            server.shut()
        return self._outcomes

    def _run_suite(self, path: str, folder: Path) -> dict[tuple[str, str], str]:
        """Runs all tests; returns Criterion's status of each.

        The plain tests, which others wait for, and the long ones have a Criterion of their own, with a worker
        for each at once. So the other's few workers never wait for a test that has no worker yet.
        """
        wanted = {(test.stage, test.name) for test in self._tests}
        early = wanted & {(stage.name, test) for stage in self._lab.stages for test in (stage.plain, *stage.early)}
        if self._order.only:
            early = wanted
        rest = wanted - early
        names = "|".join(f"{stage}/{test}" for stage, test in sorted(early))
        with ThreadPoolExecutor(2) as pool:
            runs = [(pool.submit(self._run_criterion, path, folder / "early.xml", f"@({names})", len(early)), early)]
            if rest:                # said by what it isn't: Criterion takes 0.15 s over a pattern of fifty names
                runs.append((pool.submit(self._run_criterion, path, folder / "rest.xml", f"!({names})", WORKERS), rest))
            return {test: status for run, group in runs for test, status in run.result().items() if test in group}

    def _run_criterion(self, path: str, report: Path, pattern: str, jobs: int) -> dict[tuple[str, str], str]:
        words = [str(self._suite), f"--jobs={jobs}", "--quiet", f"--xml={report}", f"--filter={pattern}"]
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/tmp", "SOCKLAB_CHANNEL": path}
        said = report.with_suffix(".log")
        with self._starting, open(said, "wb") as log:
            criterion = spawn.start(words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    cwd=report.parent)
            self._criterions.add(criterion.pid)
        with criterion as process:
            try:
                process.wait(timeout=None if self._order.debugger else scaled(SUITE_SECONDS))
            except subprocess.TimeoutExpired:
                raise GraderFailure(f"the suite of {self._lab.id} didn't end within {scaled(SUITE_SECONDS):g} s: is the machine "
                                    f"very slow? {pace.VARIABLE}=3 gives it three times as long") from None
            finally:
                if process.poll() is None:
                    for pid in kernel.family(process.pid):      # its workers too
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
        try:
            return read_xml(report)
        except GraderFailure as error:
            last = said.read_text(errors="replace").strip().rpartition("\n")[2][:200]
            raise GraderFailure(f"{error}; it ended with status {process.returncode}{': ' if last else ''}{last}") from None

    def _is_ours(self, pid: int) -> bool:
        """Whether a process is a worker of this suite."""
        with self._starting:
            return not self._criterions.isdisjoint(kernel.ancestors(pid))

    # ---- one test ---------------------------------------------------------------------------------

    def _serve(self, sock: socket.socket) -> None:
        """A test's whole conversation. Its outcome is noted before the gate hears of it."""
        try:
            hello = channel.receive(sock)
            if hello is None or len(hello) != 3 or hello[0] != b"hello":
                raise channel.ChannelError("a suite's first word is hello")
            stage, test = hello[1].decode(), hello[2].decode()
        except (OSError, channel.ChannelError) as error:
            self._fail(f"the suite's channel: {error}")
            return
        try:
            programs = self._programs.result()
        except Exception:           # it is raised again in outcomes(), once
            sock.sendall(channel.pack([b"skip", b"nothing to run"]))
            return
        if not self._gate.admit(stage, test):
            self._note_refused(stage, test)
            sock.sendall(channel.pack([b"skip", b"an earlier test must pass first"]))
            return
        self._serve_admitted(sock, stage, test, programs)

    def _serve_admitted(self, sock: socket.socket, stage: str, test: str, programs: build.Programs) -> None:
        began = time.monotonic()
        seed = zlib.crc32(f"{self._order.seed}/{self._lab.id}/{stage}/{test}".encode())
        session = Session(self._lab, stage, test, programs, self._launcher, self._order.sandbox, seed)
        passed = False
        debugger = self._order.debugger
        if debugger is not None and debugger.test == f"{stage}/{test}":
            session.debugger = debugger
        try:
            sock.sendall(channel.pack([b"ok", str(seed).encode()]))
            session.serve(sock)
            passed = session.failure is None
        except Exception as error:
            self._fail(f"{stage}/{test}: {describe(error)}")
        else:
            if session.skipped:
                self._note_refused(stage, test)
                self.lacks[stage] = session.skipped
            else:
                self._note(stage, test, outcome_of(session, time.monotonic() - began))
        finally:
            if session.debugger is not None:
                session.debugger.test_is_over(session.failure.message if session.failure else "")
            session.scene.close()
            self._gate.done(stage, test, passed)

    def _note_refused(self, stage: str, test: str) -> None:
        with self._lock:
            self._refused.add((stage, test))

    def _note(self, stage: str, test: str, outcome: Outcome) -> None:
        with self._lock:
            self._outcomes[stage, test] = outcome
            done = len(self._outcomes)
            if outcome.status != "passed":
                self._first_failed = self._first_failed or self._promises[stage, test]
            failed = self._first_failed
        self._progress(done, len(self._tests), failed)

    def _fail(self, what: str) -> None:
        with self._lock:
            self._failures.append(what)

    # ---- Criterion's own view ---------------------------------------------------------------------

    def _check_failures(self) -> None:
        if self._failures:
            raise GraderFailure(f"the suite of {self._lab.id} broke: {self._failures[0]}")

    def _compare(self, theirs: dict[tuple[str, str], str]) -> None:
        """A test passes only if Criterion says so too; where the two disagree, the grader has failed."""
        self._check_failures()
        for test in self._tests:
            ours = self._outcomes.get((test.stage, test.name))
            seen = theirs.get((test.stage, test.name), "missing")
            agreed = {"passed": "PASSED", "failed": "FAILED", "crashed": "FAILED", "timed_out": "FAILED"}
            if seen != (agreed[ours.status] if ours else "SKIPPED"):
                raise GraderFailure(f"{self._lab.id}: {test.stage}/{test.name}: Criterion says {seen.lower()}, "
                                    f"the grader saw {ours.status if ours else 'nothing'}")
            if ours is None and (test.stage, test.name) not in self._refused:
                raise GraderFailure(f"{self._lab.id}: {test.stage}/{test.name}: Criterion never ran it")


def outcome_of(session: Session, seconds: float) -> Outcome:
    """The outcome of a test that has ended, with its cause where the evidence singles one out."""
    if session.failure is None:
        return Outcome("passed", seconds)
    evidence: Evidence = session.evidence
    status = status_of(session.failure, session.trouble, evidence.runs)
    return Outcome(status, seconds, evidence, causes.diagnose(evidence))


def read_xml(report: Path) -> dict[tuple[str, str], str]:
    """Criterion's status of each test. Raises GraderFailure."""
    try:
        root = ElementTree.parse(report).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise GraderFailure(f"Criterion wrote no report that can be read: {error}") from None
    return {(suite.get("name", ""), case.get("name", "")): case.get("status", "")
            for suite in root.iter("testsuite") for case in suite.iter("testcase")}


def check_tools() -> str:
    """A line on what is missing but not needed by all tests, '' if nothing is."""
    return "" if valgrind.is_installed() else "valgrind isn't installed: tests of memory are not tried (make setup)"


def jobs() -> int:
    """How many labs to grade side by side: the tests of one lab keep two processors busy."""
    return max(1, len(os.sched_getaffinity(0)) // 2)
