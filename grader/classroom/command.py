"""python3 -m grader class SUBMISSIONS --out OUT: grades a class, and goes on where an earlier run has stopped.
python3 -m grader merge OUT... --out OUT: puts shards together.

    OUT/results/NAME.json    a record a submission          OUT/grades.csv, junit.xml, summary.txt
    OUT/reports/NAME.html    the student's report; .txt     OUT/class.html    the class at a glance

Exit status: 0 every submission has its mark, 2 can't grade, 3 the grader failed (on a submission: it is named).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .. import build, files, kernel, keeper
from ..catalog import KIT, CatalogError, Lab, find_labs, with_hidden
from ..command import complain
from ..report.screen import Screen
from ..safe import visible
from . import books, collect, dress, glance, platforms, policy, pool, records
from .collect import Student, Work
from .records import NoRecord, Row, Setting
from .trouble import Cannot

OK, CANNOT, FAILED = 0, 2, 3
TRIES = 2                           # of a submission that the grader fails on
SECONDS_A_LAB = 180.0               # after which a grader is taken to hang: a suite has 120 by itself
BAR = 20


def main(words: list[str]) -> int:
    """The class verb; returns the exit status."""
    options = _parser().parse_args(words)
    return keeper.run(lambda: _guarded(lambda: _class(options)), "what is graded is kept; the same command goes on")


def merge(words: list[str]) -> int:
    """The merge verb; returns the exit status."""
    options = _merge_parser().parse_args(words)
    return _guarded(lambda: _merge(options))


def _guarded(work: Callable[[], int]) -> int:
    try:
        return work()
    except (Cannot, NoRecord, policy.PolicyError, platforms.TableError, build.MissingTool) as error:
        return complain(str(error), CANNOT)
    except (CatalogError, build.BuildError) as error:
        return complain(str(error), FAILED)
    except OSError as error:
        named = f" ({visible(str(error.filename), 200)})" if error.filename else ""
        return complain(f"the grader failed: {error.strerror or error}{named}; what is graded is kept", FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="grader class", allow_abbrev=False)
    parser.add_argument("submissions", metavar="SUBMISSIONS", help="a folder with a folder, an archive or a clone a student")
    parser.add_argument("--out", required=True, metavar="OUT", help="where marks and reports go; a run goes on there")
    parser.add_argument("--labs", default="", metavar="lab1,lab3", help="only these labs")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="submissions graded side by side")
    parser.add_argument("--shard", default="", metavar="I/N", help="only the I-th of N parts of the class; needs --seed")
    parser.add_argument("--sandbox", choices=("require", "auto", "off"), default="require")
    parser.add_argument("--seed", default="", help="of the random payloads, the same for all")
    parser.add_argument("--hidden", default="", metavar="DIR", help="further tests that students don't have: DIR/labN_name/hidden.c")
    _add_book_options(parser)
    return parser


def _add_book_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", default="", metavar="FILE", help="late days and a cut-off, in TOML")
    parser.add_argument("--canvas", default="", metavar="FILE", help="Canvas' export: OUT/canvas.csv is it with the marks")
    parser.add_argument("--moodle", default="", metavar="FILE", help="Moodle's worksheet: OUT/moodle.csv is it with the marks")
    parser.add_argument("--column", default="", metavar="NAME", help="the table's column for the marks; Moodle's is Grade")
    parser.add_argument("--gradescope", action="store_true", help="a results.json a submission: OUT/gradescope/NAME.json")


def _merge_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="grader merge", allow_abbrev=False)
    parser.add_argument("parts", nargs="+", metavar="OUT", help="what class --shard has written")
    parser.add_argument("--out", required=True, metavar="OUT")
    _add_book_options(parser)
    return parser


# ---- class ----------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Place:
    """Where things of one class lie."""

    out: Path

    def record(self, file: str) -> Path:
        return self.out / "results" / f"{file}.json"

    def report(self, file: str, suffix: str) -> Path:
        return self.out / "reports" / f"{file}.{suffix}"


@dataclass
class Progress:
    """How far the class is: a bar on a terminal, a line a submission elsewhere."""

    screen: Screen
    total: int
    kept: int                       # graded in an earlier run
    at_once: int
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def tick(self) -> None:
        left = self.total - self.kept - self.done
        text = f"grading: {self.kept + self.done}/{self.total}"
        full = (self.kept + self.done) * BAR // max(1, self.total)
        text += "  " + "█" * full + "░" * (BAR - full)
        if self.done >= self.at_once:
            text += f"  {_minutes((time.monotonic() - self.began) / self.done * left)} left"
        self.screen.progress(text)

    def note(self, text: str, important: bool) -> None:
        """A submission is done. On a terminal the bar says so, and only what is important has a line."""
        self.done += 1
        if important or not self.screen.is_terminal:
            self.screen.progress("")
            self.screen.block(f"[{self.kept + self.done}/{self.total}] {text}", 0, "yellow" if important else "")
            self.screen.flush()
        self.tick()


def _minutes(seconds: float) -> str:
    return f"about {round(seconds / 60)} min" if seconds >= 90 else f"about {max(1, round(seconds))} s"


def _class(options: argparse.Namespace) -> int:
    kernel.allow_descriptors()
    screen = Screen(sys.stdout)
    began = time.monotonic()
    labs = _labs(options.labs)
    orders = _orders(options)
    build.check_tools()
    folder, place = Path(options.submissions), Place(Path(options.out).absolute())
    if not folder.is_dir():
        raise Cannot(f"there is no folder {folder}: SUBMISSIONS holds a folder, an archive or a clone a student")
    students, others = collect.find(folder, {lab.file_name for lab in labs})
    if not students:
        raise Cannot(f"{folder} has no submissions: a folder, an archive or a clone a student, named after them")
    part, parts = records.read_shard(options.shard)
    if parts > 1 and not options.seed:
        raise Cannot("--shard needs --seed: all parts of a class are graded with the same one")
    students = [one for one in students if records.shard_of(one.name, parts) == part]
    seed = options.seed or _last_seed(place) or os.urandom(4).hex()
    hidden = [Path(options.hidden).absolute()] if options.hidden else []
    try:
        labs = with_hidden(labs, hidden[0]) if hidden else labs
    except CatalogError as error:
        raise Cannot(str(error)) from None
    setting = Setting(records.kit_digest(labs, hidden), seed, options.sandbox, tuple(lab.id for lab in labs),
                      str(hidden[0]) if hidden else "")
    _try_once(setting)
    _write_setting(place, setting)
    with ThreadPoolExecutor(2) as workers:
        list(workers.map(build.suite, labs))
    build.launcher()
    _forget(place, students, parts == 1)
    run = ClassRun(labs, setting, place, screen, options.jobs or len(os.sched_getaffinity(0)))
    run.grade(students)
    return _write_books(place, setting, orders, screen, others, time.monotonic() - began)


def _labs(wanted: str) -> tuple[Lab, ...]:
    known = {lab.id: lab for lab in find_labs()}
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise Cannot(f"no {name}: there are {', '.join(known)}")
    return tuple(lab for lab in known.values() if not names or lab.id in names)


def _setting_file(place: Place) -> Path:
    return place.out / "class.json"


def _last_seed(place: Place) -> str:
    """That of an earlier run there."""
    try:
        found = json.loads(_setting_file(place).read_text(encoding="utf-8"))["seed"]
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    return found if isinstance(found, str) else ""


def _write_setting(place: Place, setting: Setting) -> None:
    text = json.dumps({"kit": setting.kit, "seed": setting.seed, "sandbox": setting.sandbox, "labs": list(setting.labs)})
    files.write(_setting_file(place), text + "\n")


def _words(setting: Setting) -> list[str]:
    return [sys.executable, "-m", "grader", "grade", *setting.labs, "--seed", setting.seed,
            "--sandbox", setting.sandbox, "--jobs", "1", *(["--hidden", setting.hidden] if setting.hidden else [])]


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": str(KIT), "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}


def _try_once(setting: Setting) -> None:
    """Grades nothing at all: a grader that can't even do that says why, before it would for each submission."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        done = subprocess.run([*_words(setting), "--from", folder, "--json", str(report)], stdin=subprocess.DEVNULL,
                              capture_output=True, env={**os.environ, **_environment()})
        if not report.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines() or [f"the grader ended with {done.returncode}"]
            raise Cannot(said[-1].removeprefix("socklab: "))


def _forget(place: Place, students: Sequence[Student], whole: bool) -> None:
    """Removes the records of those who aren't in the class any more. Of a part of a class nobody is missing."""
    known = {records.file_name(one.name) for one in students}
    for record in (place.out / "results").glob("*.json") if whole else ():
        if record.stem not in known:
            record.unlink()
            for suffix in ("html", "txt"):
                place.report(record.stem, suffix).unlink(missing_ok=True)


@dataclass(frozen=True)
class Due:
    """A submission that is being graded."""

    student: Student
    work: Work
    key: str
    folder: Path                    # its files, and what the grader writes
    tries: int


class ClassRun:
    """Grades what isn't graded yet."""

    def __init__(self, labs: tuple[Lab, ...], setting: Setting, place: Place, screen: Screen, at_once: int) -> None:
        self._labs, self._setting, self._place, self._screen = labs, setting, place, screen
        self._at_once = max(1, at_once)
        self._due: dict[str, Due] = {}
        self._again: list[Due] = []
        self._numbers = itertools.count()

    def grade(self, students: Sequence[Student]) -> None:
        """Writes the records and reports of all of them. Raises OSError."""
        left = [one for one in students if not self._is_kept(one)]
        kept = len(students) - len(left)
        said = f"{len(students)} submissions, {len(self._labs)} labs, seed {self._setting.seed}"
        self._screen.line(said + (f": {kept} are graded, {len(left)} to go" if kept else ""))
        self._screen.flush()
        self._progress = Progress(self._screen, len(students), kept, self._at_once)
        with tempfile.TemporaryDirectory() as folder:
            self._folder = Path(folder)
            pool.run(self._jobs(left), self._at_once, self._done, self._progress.tick)
            while self._again:          # those that the grader failed on
                again, self._again = self._again, []
                pool.run((self._job(due) for due in again), self._at_once, self._done, self._progress.tick)
        self._screen.progress("")

    def _is_kept(self, student: Student) -> bool:
        """Whether it needs no grader: then its record is brought up to date."""
        file = records.file_name(student.name)
        record = self._place.record(file)
        try:
            row = records.read(record)
        except NoRecord:
            return False
        work = collect.take(student.entry, self._labs)
        whole = all(self._place.report(file, suffix).is_file() for suffix in ("html", "txt"))
        if row.trouble or row.key != self._setting.key(work.files) or not whole:
            return False
        notes, submitted = (*student.notes, *work.notes), collect.moment(student.entry.when)
        if (row.notes, row.entry, row.submitted) != (notes, student.entry.name, submitted):
            records.update(record, entry=student.entry.name, submitted=submitted, notes=notes)
        return True

    def _jobs(self, students: Sequence[Student]) -> Iterator[pool.Job]:
        for student in students:
            work = collect.take(student.entry, self._labs)
            folder = self._folder / str(next(self._numbers))
            for lab in self._labs:
                if lab.id in work.files:
                    (folder / "tree" / lab.folder.name).mkdir(parents=True)
                    (folder / "tree" / lab.folder.name / lab.file_name).write_bytes(work.files[lab.id])
            (folder / "tree").mkdir(parents=True, exist_ok=True)
            notes = Work({}, work.notes)        # of the files themselves no copy is kept in memory
            yield self._job(Due(student, notes, self._setting.key(work.files), folder, 0))

    def _job(self, due: Due) -> pool.Job:
        self._due[due.folder.name] = due
        words = [*_words(self._setting), "--from", str(due.folder / "tree"), "--json", str(due.folder / "report.json"),
                 "--html", str(due.folder / "report.html")]
        return pool.Job(due.folder.name, words, due.folder / "out", due.folder / "err", SECONDS_A_LAB * len(self._labs),
                        _environment())

    def _done(self, done: pool.Done) -> None:
        due = self._due.pop(done.job.name)
        report, trouble = _outcome(due.folder, done)
        if trouble and due.tries + 1 < TRIES:
            (due.folder / "report.json").unlink(missing_ok=True)
            self._again.append(Due(due.student, due.work, due.key, due.folder, due.tries + 1))
            return
        name = records.file_name(due.student.name)
        if report is not None:
            page = dress.forget_place(_read(due.folder / "report.html"), str(due.folder / "tree"))
            files.write(self._place.report(name, "html"), dress.page(page, visible(due.student.name), ()))
            files.write(self._place.report(name, "txt"), dress.text(_read(due.folder / "out"), visible(due.student.name), ()))
        records.write(self._place.record(name), self._setting, student=visible(due.student.name),
                      entry=due.student.entry.name, submitted=collect.moment(due.student.entry.when),
                      notes=(*due.student.notes, *due.work.notes), key=due.key, report=report, trouble=trouble,
                      seconds=done.seconds)
        score = "no mark: the grader failed" if trouble else f"{report['score']}/{report['max_score']}" if report else ""
        notes = "".join(f" · {note}" for note in (*due.student.notes, *due.work.notes))
        self._progress.note(f"{visible(due.student.name, 60)}: {score}{notes}", bool(trouble))
        shutil.rmtree(due.folder)


def _outcome(folder: Path, done: pool.Done) -> tuple[dict[str, object] | None, str]:
    """What a grader has written, and why it failed if it did."""
    report: dict[str, object] | None = None
    try:
        found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        report = found if isinstance(found, dict) and (folder / "report.html").is_file() else None
    except (OSError, ValueError):
        pass
    if done.late:
        return report, "it did not end in time"
    if report is None or done.status not in (0, 1, 2):
        troubles = [lab["trouble"] for lab in (found["labs"] if report is not None else ()) if lab["trouble"]]
        said = (folder / "err").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return report, str((troubles or said[-1:] or [f"it ended with status {done.status}"])[0]).removeprefix("socklab: ")
    return report, ""


# ---- the books ------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Orders:
    """What the books are to be like, read before anything is graded."""

    policy: policy.Policy | None
    tables: tuple[tuple[str, str], ...]     # "canvas" or "moodle", and what was exported
    column: str
    gradescope: bool


def _orders(options: argparse.Namespace) -> Orders:
    tables = []
    for name in ("canvas", "moodle"):
        if path := getattr(options, name):
            try:
                text = Path(path).read_bytes().decode("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise Cannot(f"{path}: {error.strerror if isinstance(error, OSError) else 'is no text in UTF-8'}") from None
            platforms.fill(text, options.column, {})        # so that a wrong column is told at once
            tables.append((name, text))
    return Orders(policy.read(Path(options.policy)) if options.policy else None, tuple(tables), options.column, options.gradescope)


def _write_books(place: Place, setting: Setting, orders: Orders, screen: Screen, others: Sequence[str],
                 seconds: float | None) -> int:
    rows = sorted(records.read_all(place.out / "results"), key=lambda row: (row.student, row.file))
    rule = orders.policy
    verdicts = {row.file: policy.apply(rule, row.student, row.score, row.submitted) for row in rows} if rule else {}
    _dress_reports(place, rows, verdicts)
    files.write(place.out / "grades.csv", books.grades_csv(rows, setting, verdicts))
    files.write(place.out / "junit.xml", books.junit_xml(rows))
    files.write(place.out / "class.html", glance.draw(rows, setting, verdicts))
    lines = [*books.summary(rows, setting, others), *_strangers(rule, rows), *_write_tables(place, orders, rows, verdicts)]
    files.write(place.out / "summary.txt", "\n".join(lines) + "\n")
    for line in lines:
        screen.block(line.strip(), len(line) - len(line.lstrip())) if line else screen.line()
    took = f" · {_minutes(seconds).removeprefix('about ')}" if seconds is not None else ""
    screen.line(f"{place.out}: class.html, grades.csv, junit.xml, summary.txt, reports/{took}")
    screen.flush()
    return FAILED if any(row.trouble for row in rows) else OK


def _dress_reports(place: Place, rows: Sequence[Row], verdicts: Mapping[str, policy.Verdict]) -> None:
    for row in rows:
        said = [*([verdicts[row.file].words] if row.file in verdicts else []), *row.notes]
        for suffix, head in (("html", dress.page), ("txt", dress.text)):
            report = place.report(row.file, suffix)
            if report.is_file():
                before = _read(report)
                if (after := head(before, row.student, said)) != before:
                    files.write(report, after)


def _read(place: Path) -> str:
    """As it is: no end of a line is changed."""
    return place.read_bytes().decode("utf-8", "replace")


def _strangers(rule: policy.Policy | None, rows: Sequence[Row]) -> list[str]:
    """Students that a policy names and nobody knows: a slip of the pen would cost somebody points."""
    known = {row.student for row in rows}
    named = {*rule.extensions, *rule.submitted} if rule else set()
    return [f"The policy names '{visible(name, 60)}', and no submission has that name." for name in sorted(named - known)]


def _write_tables(place: Place, orders: Orders, rows: Sequence[Row], verdicts: Mapping[str, policy.Verdict]) -> list[str]:
    """What learning platforms read; returns what is to be said of it."""
    finals = {row.file: verdicts[row.file].final if row.file in verdicts else row.score for row in rows}
    lines: list[str] = []
    for name, text in orders.tables:
        filled = platforms.fill(text, orders.column, {row.student: finals[row.file] for row in rows})
        files.write(place.out / f"{name}.csv", filled.text)
        lines.append(f"{name}.csv: column '{visible(filled.column, 60)}' filled in; {filled.without} of its rows have no submission")
        lines += [f"  {visible(student, 60)} isn't in it" for student in filled.unmatched]
        lines += [f"  {visible(student, 60)} could be more than one in it: left out" for student in filled.ambiguous]
    for row in rows if orders.gradescope else ():
        words = verdicts[row.file].words if row.file in verdicts else ""
        files.write(place.out / "gradescope" / f"{row.file}.json", platforms.gradescope(row, finals[row.file], words))
    return lines


# ---- merge ----------------------------------------------------------------------------------------

def _merge(options: argparse.Namespace) -> int:
    place, screen, orders = Place(Path(options.out).absolute()), Screen(sys.stdout), _orders(options)
    found: dict[str, tuple[Row, Place]] = {}
    for part in (Place(Path(name).absolute()) for name in options.parts):
        if not (part.out / "results").is_dir() and not _setting_file(part).is_file():     # a part may have nobody in it
            raise Cannot(f"{part.out} has no results: it isn't what class --out has written")
        for row in records.read_all(part.out / "results"):
            other = next(iter(found.values()), None)
            if other is not None and row.setting != other[0].setting:
                raise Cannot(f"{part.out} and {other[1].out} were graded by another kit, seed, sandbox or choice of labs: "
                             "grade one of them again")
            twin = found.get(row.file)
            if twin is not None and twin[0].key != row.key:
                raise Cannot(f"{visible(row.student, 60)} is in {twin[1].out} and in {part.out}, with other files: "
                             "remove one of the two from results/")
            found.setdefault(row.file, (row, part))
    if not found:
        raise Cannot("there are no results to merge")
    for row, part in found.values():
        if part.out != place.out:
            files.write(place.record(row.file), part.record(row.file).read_text(encoding="utf-8"))
            for suffix in ("html", "txt"):
                if part.report(row.file, suffix).is_file():
                    files.write(place.report(row.file, suffix), part.report(row.file, suffix).read_text(encoding="utf-8"))
    setting = next(iter(found.values()))[0].setting
    _write_setting(place, setting)
    return _write_books(place, setting, orders, screen, (), None)
