"""make debug: gdb on the student's program in the middle of a failing test, with its peers and its faults.

    python3 -m grader debug LAB [--only STAGE/TEST]     0 gdb was left, 2 there is nothing to debug, or no gdb

The test is run twice: once as in a grade, to see which run of the program fails and where; then again with gdb on
that run. Nothing of the test knows a clock as long as gdb is there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from dataclasses import replace
from types import FrameType

from . import build, grade, hint, kernel, last, sandbox
from .build import GIVEN
from .catalog import KIT, CatalogError, Lab, find_labs
from .command import Parser, complain
from .debugger import Debugger
from .evidence import Evidence, Location
from .report.screen import Screen
from .verdict import LabResult, TestResult

DONE, CANNOT, FAILED = 0, 2, 3
NO_GDB = "gdb isn't installed: sudo apt install gdb, and then make debug once more"


def main(words: list[str]) -> int:
    """Debugs one test; returns the exit status."""
    parser = Parser(prog="grader debug", allow_abbrev=False)
    parser.add_argument("lab", metavar="LAB", help="lab1, lab3, ...")
    parser.add_argument("--only", metavar="STAGE/TEST", help="the test; else the first that failed in the last grade")
    options = parser.parse_args(words)
    kernel.allow_descriptors()
    signal.signal(signal.SIGTERM, _end)
    try:
        labs = {lab.id: lab for lab in find_labs()}
        if options.lab not in labs:
            return complain(f"no {options.lab}: there are {', '.join(labs)}", CANNOT)
        if shutil.which("gdb") is None:
            return complain(NO_GDB, CANNOT)
        build.check_tools()
        return _choose(labs[options.lab], options.only)
    except (build.MissingTool, build.SubmissionError, grade.NoSuchTest) as error:
        return complain(str(error), CANNOT)
    except (CatalogError, build.BuildError) as error:
        return complain(str(error), FAILED)


def _end(number: int, frame: FrameType | None) -> None:
    """Nothing is left of it: neither gdb nor the program, which gdb may hold."""
    for pid in reversed(kernel.family(os.getpid())[1:]):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    os._exit(128 + number)


def _choose(lab: Lab, only: str | None) -> int:
    """Finds the test to debug."""
    screen = Screen(sys.stdout)
    if only is None:
        report, status = hint.report_of(lab, screen)
        if report is None:
            return status
        failed = last.first_failure(report)
        if report["compile"]:
            return complain(f"it doesn't compile: {report['compile']['message']}", CANNOT)
        if failed is None:
            return complain(f"no test of {lab.id} failed; ONLY=stage/test names one to debug all the same", CANNOT)
        only = f"{failed[0]['stage']}/{failed[1]['test']}"
    box = sandbox.prepare("auto", build.launcher)           # for its network: the ports of a test are its own
    order = grade.Order(KIT / "labs", os.urandom(4).hex(), box, (only,))
    seen = grade.grade_lab(lab, order, lambda *done: None)
    refused = _refusal(seen, only)
    if refused:
        return complain(refused, CANNOT)
    return _debug(screen, lab, order, _test(seen, only))


def _test(seen: LabResult, only: str) -> TestResult:
    return next(test for stage in seen.stages for test in stage.tests if f"{stage.stage.name}/{test.name}" == only)


def _refusal(seen: LabResult, only: str) -> str:
    """Why the test can't be debugged, "" if it can."""
    if seen.trouble:
        return f"the grader failed: {seen.trouble}"
    if seen.compile_error:
        return f"it doesn't compile: {seen.compile_error.message}"
    if _test(seen, only).status != "not_tried":
        return ""
    first = next((f"{stage.stage.name}/{test.name}" for stage in seen.stages for test in stage.tests
                  if test.status in last.FAILED), None)
    return f"{only} isn't tried before {first} passes: debug that one first" if first else f"{only} can't be tried here"


def _debug(screen: Screen, lab: Lab, order: grade.Order, test: TestResult) -> int:
    """Runs the test once more, with gdb."""
    own = test.location is not None and test.location.file == lab.file_name
    stops = [f"{test.location.file}:{test.location.line}"] if own and test.location else []
    _tell(screen, lab, order.only[0], test, stops)
    debugger = Debugger(order.only[0], _number(test.evidence), (lab.folder, GIVEN), stops, lambda text: _say(screen, text))
    # Without bubblewrap: gdb and the program see the same files and the same process numbers.
    plain = replace(order, sandbox=sandbox.Sandbox("none", "a debugger is there"), debugger=debugger)
    result = grade.grade_lab(lab, plain, lambda *done: None)
    return complain(f"the grader failed: {result.trouble}", FAILED) if result.trouble else DONE


def _say(screen: Screen, text: str) -> None:
    screen.line()
    screen.block(text, 0)
    screen.flush()


def _number(evidence: Evidence | None) -> int:
    """Which of the test's runs to debug, from 1: the one that the failure is about."""
    if evidence is None or not evidence.runs:
        return 1
    return len(evidence.runs) if evidence.failure.run is None else evidence.failure.run + 1


def _tell(screen: Screen, lab: Lab, name: str, test: TestResult, stops: list[str]) -> None:
    screen.line(f"{lab.id}  {name}", "bold")
    screen.block(f"✗ {test.promise}" if test.evidence else f"✓ {test.promise}", 2)
    if test.evidence is None:
        screen.line("    it passes")
    if test.evidence is not None:
        screen.block(test.message, 4)
        for peer in test.evidence.peers[:4]:
            screen.block(f"a peer {peer.role}: {peer.script}", 4, "dim")
        run = test.evidence.run
        if run is not None and run.faults:
            screen.block(f"the test puts in: {run.faults}", 4, "dim")
        if run is not None and run.tool:
            screen.block("in the grade valgrind watches; here it doesn't", 4, "dim")
    places = " and ".join(["the first of your functions that the test calls", *stops])
    screen.block(f"gdb stops at {places}. next, step, print X, backtrace, continue; Ctrl-C stops a program "
                 "that waits; quit ends. What the program reads and prints belongs to the test.", 4)
    screen.flush()
