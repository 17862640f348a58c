"""The grader's command line.

    python3 -m grader grade [LAB...]    0 full marks, 1 graded with less, 2 can't grade, 3 the grader failed
    python3 -m grader peer SCRIPT       a scripted peer to try by hand
    python3 -m grader hint LAB          the next hint for the first thing that is wrong
    python3 -m grader watch [LAB]       grades again at each save
    python3 -m grader trace LAB         the student's program by hand, drawn as it goes
    python3 -m grader debug LAB         gdb on the student's program in a failing test
    python3 -m grader editors           compile_commands.json for clangd
    python3 -m grader annotate REPORT   GitHub annotations from a JSON report
    python3 -m grader fetch LIST --to DIR           clones the repositories of a class
    python3 -m grader class SUBMISSIONS --out OUT   grades a class
    python3 -m grader similar SUBMISSIONS           pairs of submissions that share much
    python3 -m grader merge OUT... --out OUT        puts shards of a class together
    python3 -m grader handout, publish, unpublish   the students' kit, and solutions in it
    python3 -m grader gradescope                    an autograder for Gradescope
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from . import build, files, grade, keep, keeper, kernel, last, output, pace, sandbox, trouble
from .catalog import KIT, CatalogError, Lab, find_labs, with_hidden
from .command import Parser, complain
from .report import brief, jsonreport, terminal
from .report.screen import Screen
from .verdict import LabResult, judge

FULL, LESS, CANNOT, FAILED = 0, 1, 2, 3
LEAST_MEMORY = 2 << 30              # bytes: the limit is everybody's, and valgrind reserves much
KIT_NAME = "socklab 1"
PROGRESS = KIT / "build" / "progress.json"
OWN_TREE = KIT / "labs"
OTHERS = {"peer": "peer_cli", "hint": "hint", "watch": "watch", "debug": "debug", "editors": "editors",
          "trace": "trace", "class": "classroom.command", "merge": "classroom.command:merge",
          "fetch": "classroom.fetch", "similar": "classroom.similar", "handout": "classroom.course:hand_out",
          "publish": "classroom.course:put_in", "unpublish": "classroom.course:take_out",
          "gradescope": "classroom.course:autograder"}
GRADING = (["grade"], ["class"], ["merge"])     # worth doing to its end, whoever may still read what they print


def main(words: list[str], own_process: bool = False) -> int:
    """Runs one command; returns the exit status. own_process: its standard output may be taken over."""
    if own_process:
        output.take(patient=words[:1] in GRADING)
    return _guarded(lambda: _command(words))


def _guarded(work: Callable[[], int]) -> int:
    """The status of work(), or that of its exception; all that it printed is out."""
    status = FULL
    try:
        status = _ended(work)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except Exception as error:      # one line, so that it can't look like the student's mistake
        if output.lost() is None:   # a reader who has gone is no failure
            return complain(f"the grader failed: {trouble.describe(error)}", FAILED)
    return max(status, complain(why, CANNOT)) if (why := output.lost()) else status


def _ended(work: Callable[[], int]) -> int:
    """The status of work(), however it ends."""
    try:
        return work()
    except SystemExit as end:       # --help, or words that make no sense
        return end.code if isinstance(end.code, int) else FULL


def _command(words: list[str]) -> int:
    if words and words[0] in OTHERS:
        module, _, function = OTHERS[words[0]].partition(":")
        try:
            command = importlib.import_module(f".{module}", __package__)
        except ModuleNotFoundError as error:
            if error.name != f"{__package__}.classroom":
                raise
            return complain(f"{words[0]} is for instructors: it isn't in a students' kit", CANNOT)
        return int(getattr(command, function or "main")(words[1:]))
    if words[:1] == ["annotate"]:
        return _annotate(words[1:])
    options = _parser().parse_args(words)
    return keeper.run(lambda: _guarded(lambda: _grade(options)))


def _parser() -> Parser:
    parser = Parser(prog="grader", allow_abbrev=False)
    command = parser.add_subparsers(dest="command", required=True).add_parser("grade", allow_abbrev=False)
    command.add_argument("labs", nargs="*", metavar="LAB", help="lab1, lab3, ...; none: all")
    command.add_argument("--from", dest="tree", default=str(OWN_TREE), metavar="DIR",
                         help="a tree laid out like labs/; it need hold only the students' files")
    command.add_argument("--only", action="append", default=[], metavar="STAGE/TEST",
                         help="just this test and the plain ones that it needs, without a mark; may be repeated")
    command.add_argument("--seed", default="", help="repeats a grade's random payloads")
    command.add_argument("--brief", action="store_true", help="a line a failure, file:line: error: ..., for editors")
    command.add_argument("--json", metavar="F", type=_place, help="the report as JSON; - is standard output")
    command.add_argument("--junit", metavar="F", type=_place, help="the report as JUnit XML: a suite a stage, a case a test")
    command.add_argument("--markdown", metavar="F", type=_place, help="a summary in Markdown")
    command.add_argument("--html", metavar="F", type=_place, help="the report as a page: one file that needs no other")
    command.add_argument("--evidence", metavar="DIR", help="what the failed tests saw, as JSON: DIR/labN/STAGE.TEST.json")
    command.add_argument("--sandbox", choices=("auto", "require", "off"), default="auto")
    command.add_argument("--hidden", metavar="DIR", help="further tests that students don't have: DIR/labN_name/hidden.c")
    command.add_argument("--jobs", type=int, default=0, metavar="N", help="labs graded side by side")
    return parser


def _place(text: str) -> str:
    """Where a report goes. Standard output has names of its own, and what else is said then goes to standard error."""
    return "-" if text in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1") else text


class Cannot(Exception):
    """There is nothing to grade, or nothing to grade with: one line that says what to do."""


def _grade(options: argparse.Namespace) -> int:
    kernel.allow_descriptors()
    memory = kernel.allowed_memory()
    if memory is not None and memory < LEAST_MEMORY:
        return complain(f"a program may have only {memory >> 20} MB of memory here (ulimit -v): grading needs "
                         f"{LEAST_MEMORY >> 20}, as an unlimited shell gives it", CANNOT)
    taken = "-" in (options.json, options.junit, options.markdown, options.html)
    screen = Screen(sys.stderr if taken else sys.stdout)
    try:
        return _grade_labs(options, screen)
    except Cannot as error:
        return complain(str(error), CANNOT)
    except pace.PaceError as error:
        return complain(str(error), CANNOT)
    except (CatalogError, build.BuildError) as error:
        missing = isinstance(error, build.MissingTool)
        return complain(str(error), CANNOT if missing else FAILED)


def _grade_labs(options: argparse.Namespace, screen: Screen) -> int:
    began = time.monotonic()
    labs = _choose(find_labs(), options.labs)
    if options.hidden:
        try:
            labs = with_hidden(labs, Path(options.hidden).absolute())
        except CatalogError as error:
            raise Cannot(str(error)) from None
    tree = Path(options.tree)
    if not tree.is_dir():
        raise Cannot(f"there is no folder {tree}: --from takes one laid out like labs/")
    build.check_tools()
    pace.slowness()
    box = sandbox.prepare(options.sandbox, build.launcher)
    if box.tier != "bubblewrap" and options.sandbox == "require":
        raise Cannot(f"no full sandbox, and --sandbox require forbids to go on: {box.why}")
    if options.only and len(labs) != 1:
        raise Cannot("--only names tests of one lab: say which lab")
    order = grade.Order(tree, options.seed or os.urandom(4).hex(), box, tuple(options.only))
    own = tree.resolve() == OWN_TREE.resolve()
    sources = {lab.id: last.digest(lab) for lab in labs} if own else {}
    try:
        results = _run_all(labs, order, options.jobs or grade.jobs(), screen)
    except grade.NoSuchTest as error:
        raise Cannot(str(error)) from None
    writing = Writing()
    if sources:
        _keep_last(results, order, sources, writing)
    scores = _progress_of(results, writing) if own else {}
    seconds = time.monotonic() - began
    named = str(tree.resolve().relative_to(KIT)) if tree.resolve().is_relative_to(KIT) else str(tree)
    if options.brief:
        brief.show(screen, results, named)
    else:
        _show(screen, results, order, scores, seconds)
    _write_reports(options, results, order, writing)
    if options.html:
        page = _page(results, order, "" if own else named, scores, seconds)
        if writing.markup(options.html, page) and options.html != "-":
            screen.line(f"page: {options.html}")
    screen.flush()
    build.prune()
    return writing.told(_status(results))


def _choose(labs: tuple[Lab, ...], wanted: list[str]) -> tuple[Lab, ...]:
    known = {lab.id: lab for lab in labs}
    if not labs:
        raise Cannot("there are no labs here: labs/labN_name with a lab.toml is one")
    for name in wanted:
        if name not in known:
            raise Cannot(f"no {name}: there are {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(wanted)) if wanted else labs


class Progress:
    """One line on a terminal that tells how far all labs are."""

    def __init__(self, screen: Screen) -> None:
        self._screen, self._lock = screen, threading.Lock()
        self._counts: dict[str, tuple[int, int]] = {}

    def note(self, lab: str, done: int, total: int, failed: str) -> None:
        """So many of a lab's tests are done; failed: the first promise that wasn't kept, "" if there is none."""
        with self._lock:
            self._counts[lab] = (done, total)
            parts = (f"{name} {n}/{of}" for name, (n, of) in self._counts.items())
            first = f"  ✗ {failed}" if failed and len(self._counts) == 1 else ""
            self._screen.progress("grading: " + "  ".join(parts) + first)

    def clear(self) -> None:
        """Makes room for the report."""
        with self._lock:
            self._screen.progress("")


def _run_all(labs: tuple[Lab, ...], order: grade.Order, jobs: int, screen: Screen) -> tuple[LabResult, ...]:
    progress = Progress(screen)
    if screen.is_terminal:
        progress.note(labs[0].id, 0, 0, "")
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        results = tuple(pool.map(lambda lab: _one(lab, order, progress.note), labs))
    progress.clear()
    return results


def _one(lab: Lab, order: grade.Order, note: Callable[[str, int, int, str], None]) -> LabResult:
    try:
        return grade.grade_lab(lab, order, lambda *done: note(lab.id, *done))
    except build.SubmissionError as error:
        return judge(lab, (), {}, seconds=0.0, unreadable=str(error))


def _source(lab: Lab, order: grade.Order) -> str:
    """The student's file, "" where it can't be read."""
    try:
        return build.read_submission(lab, order.tree).decode(errors="replace")
    except build.SubmissionError:
        return ""


def _notices(order: grade.Order) -> list[str]:
    """What was weaker than usual."""
    return [line for line in (order.sandbox.notice, grade.check_tools()) if line]


def _show(screen: Screen, results: tuple[LabResult, ...], order: grade.Order, scores: dict[str, int | None],
          seconds: float) -> None:
    for result in results:
        terminal.show_lab(screen, result, _source(result.lab, order))
        screen.line()
    said = {lab: "-" if score is None else f"{score}/100" for lab, score in scores.items()}
    terminal.show_total(screen, results, said, _notices(order), order.seed, seconds)


class Writing:
    """Writes the reports, each whole or not at all. One that can't be written keeps no other from being written."""

    def __init__(self) -> None:
        self._unwritten: list[str] = []
        self._unkept: list[str] = []

    def text(self, path: str, text: str) -> bool:
        """Writes a report; "-" is standard output, which tells by itself (output.py). False where it can't be."""
        if path == "-":
            sys.stdout.write(text)
            sys.stdout.flush()
            return True
        try:
            files.write(Path(path), text)
        except OSError as error:
            self._unwritten.append(f"can't write {path}: {error.strerror or error}")
            return False
        return True

    def markup(self, path: str, text: str) -> bool:
        """The same for HTML or XML: on standard output in characters that any locale has."""
        return self.text(path, text if path != "-" else text.encode("ascii", "xmlcharrefreplace").decode())

    @contextlib.contextmanager
    def keeping(self, what: str) -> Iterator[None]:
        """While something is written that only later commands go by: its failure is told, and no more."""
        try:
            yield
        except OSError as error:
            self._unkept.append(f"can't keep {what} for later: {error.strerror or error}")

    def told(self, status: int) -> int:
        """Says what couldn't be written; returns the status, which tells of the reports that were asked for."""
        for line in (*self._unkept, *self._unwritten):
            complain(line, CANNOT)
        return max(status, CANNOT) if self._unwritten else status


def _keep_last(results: tuple[LabResult, ...], order: grade.Order, sources: dict[str, str], writing: Writing) -> None:
    """What `hint` and `debug` go by. A grade of some tests alone is none."""
    for result in results:
        if not (result.partial or result.trouble or result.unreadable):
            text = jsonreport.build((result,), kit=KIT_NAME, sandbox=order.sandbox, seed=order.seed)
            with writing.keeping(f"the grade of {result.lab.id}"):
                last.keep(result.lab, text, sources[result.lab.id])


def _progress_of(results: tuple[LabResult, ...], writing: Writing) -> dict[str, int | None]:
    """The last score of every lab, kept in build/ from grade to grade, also where two end at once."""
    scores = {result.lab.id: result.score for result in results if result.score is not None}
    with writing.keeping("the scores"), files.alone(PROGRESS.parent):
        known = {**_scores_kept(), **scores}
        files.write(PROGRESS, json.dumps(known))
        return known
    return {**_scores_kept(), **scores}


def _scores_kept() -> dict[str, int | None]:
    """Of every lab, None where it has none."""
    try:
        kept = json.loads(PROGRESS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    scores = kept if isinstance(kept, dict) else {}
    return {lab.id: score if isinstance(score := scores.get(lab.id), int) else None for lab in find_labs()}


def _write_reports(options: argparse.Namespace, results: tuple[LabResult, ...], order: grade.Order,
                   writing: Writing) -> None:
    text = jsonreport.build(results, kit=KIT_NAME, sandbox=order.sandbox, seed=order.seed)
    if options.json:
        writing.text(options.json, text)
    if options.evidence:
        _keep_evidence(Path(options.evidence), results, writing)
    if options.junit:
        from .report import junit
        writing.markup(options.junit, junit.build(results, kit=KIT_NAME, tier=order.sandbox.tier, seed=order.seed,
                                                  when=datetime.now()))
    if options.markdown:
        from .report import markdown
        writing.text(options.markdown, markdown.summary(json.loads(text)))


def _page(results: tuple[LabResult, ...], order: grade.Order, tree: str, scores: dict[str, int | None],
          seconds: float) -> str:
    """tree: where the files lie, "" for one's own. scores: of all labs, where they are one's own."""
    from .report import page
    standings = tuple(page.Standing(lab.id, lab.title, scores[lab.id]) for lab in find_labs() if lab.id in scores)
    setting = page.Setting(order.sandbox.tier, order.seed, seconds, datetime.now().astimezone(), tree,
                           tuple(_notices(order)), standings)
    return page.draw(results, {result.lab.id: _source(result.lab, order) for result in results}, setting)


def _keep_evidence(folder: Path, results: tuple[LabResult, ...], writing: Writing) -> None:
    """What the tests that failed have left, a file each: for who looks closer."""
    for result in results:
        for stage in result.stages:
            for test in stage.tests:
                if test.evidence is not None:
                    place = folder / result.lab.id / f"{stage.stage.name}.{test.name}.json"
                    if not writing.text(str(place), json.dumps(keep.pack(test.evidence)) + "\n"):
                        return


def _status(results: tuple[LabResult, ...]) -> int:
    if any(result.trouble for result in results):
        return FAILED
    if any(result.unreadable for result in results):
        return CANNOT
    return FULL if all(result.passed for result in results) else LESS


def _annotate(words: list[str]) -> int:
    from .report import markdown
    parser = Parser(prog="grader annotate")
    parser.add_argument("report", help="the file that grade --json wrote")
    parser.add_argument("--folder", default="labs", help="where the labs lie in the repository")
    options = parser.parse_args(words)
    try:
        report = json.loads(Path(options.report).read_text(encoding="utf-8"))
        lines = markdown.annotate(report, options.folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return complain(f"{options.report} is no report of grade --json: {error}", CANNOT)
    for line in lines:
        print(line)
    return 0
