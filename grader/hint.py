"""make hint: the next of three hints for the first thing that is wrong in the student's own work.

    python3 -m grader hint LAB     0 a hint, or nothing is wrong; 2 there is nothing to grade; 3 the grader failed

Where the last grade names a cause, its entry in docs/mistakes.md gives the hints: why it goes wrong, the idea, and
where to read and to look. Otherwise they are the stage's own, from lab.toml. What was shown is kept in
build/labN/hints.json, by stage and cause: another mistake begins with its first hint.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import guide, last
from .catalog import KIT, CatalogError, Lab, Stage, find_labs
from .command import Parser, complain
from .files import alone, write
from .report.screen import Screen

DONE, CANNOT, FAILED = 0, 2, 3


@dataclass(frozen=True)
class Hint:
    """One of the hints for what is wrong."""

    about: str                      # the promise that isn't kept
    number: int                     # 1 to `of`
    of: int
    text: str
    again: bool                     # all were shown before: this is the last once more


def main(words: list[str]) -> int:
    """Shows a hint; returns the exit status."""
    parser = Parser(prog="grader hint", allow_abbrev=False)
    parser.add_argument("lab", metavar="LAB", help="lab1, lab3, ...")
    try:
        labs = {lab.id: lab for lab in find_labs()}
    except CatalogError as error:
        return complain(str(error), FAILED)
    wanted = parser.parse_args(words).lab
    if wanted not in labs:
        return complain(f"no {wanted}: there are {', '.join(labs)}", CANNOT)
    return _hint(labs[wanted], Screen(sys.stdout))


def _hint(lab: Lab, screen: Screen) -> int:
    report, status = report_of(lab, screen)
    if report is None:
        return status
    screen.line(f"{lab.id}  {lab.title}", "bold")
    if report["compile"]:
        screen.block(f"✗ it doesn't compile: {report['compile']['message']}", 2, "red")
        screen.block("The compiler's first error comes first: the others may follow from it. Hints come once there "
                     "is something to run.", 4)
        return DONE
    wrong = last.first_failure(report)
    if wrong is None:
        screen.block(_nothing_wrong(report), 2, "green")
        return DONE
    hint = _next(lab, *wrong)
    _show(screen, hint)
    try:
        _note(lab, *wrong, hint.number)
    except OSError as error:
        return complain(f"it can't be noted that this was shown, so it comes again: {_memory(lab)}: {error.strerror}", CANNOT)
    return DONE


def report_of(lab: Lab, screen: Screen) -> tuple[dict[str, Any] | None, int]:
    """The report of the work as it is now: the last grade's, or of a new one where there is none that fits. Where
    there can't be one the reason was told, and the second value is the exit status."""
    found = last.read(lab)
    if found is not None:
        return found, DONE
    screen.line(f"{lab.id} has no grade yet of what it is now: grading it", "dim")
    screen.flush()
    done = subprocess.run([sys.executable, "-m", "grader", "grade", lab.id], cwd=KIT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE)
    found = last.read(lab)
    if found is None:
        sys.stdout.write(done.stdout.decode(errors="replace"))
        return None, done.returncode if done.returncode in (CANNOT, FAILED) else complain(
            f"{lab.id}'s file changed while it was graded: once more", CANNOT)
    return found, DONE


def _nothing_wrong(report: dict[str, Any]) -> str:
    left = sum(test["status"] != "passed" for stage in report["stages"] for test in stage["tests"])
    hidden = sum(stage["hidden"]["count"] for stage in report["stages"] if stage.get("hidden"))
    if left or hidden:
        more = [f"{left} not tried"] * bool(left) + [f"hidden ones are run when the class is graded: {hidden}"] * bool(hidden)
        return f"✓ nothing that was tried is wrong; {'; '.join(more)}"
    return "✓ nothing is wrong: no hint is needed"


def _next(lab: Lab, failed: dict[str, Any], test: dict[str, Any]) -> Hint:
    """The next hint."""
    stage = lab.stage(failed["stage"])
    hints = hints_for(stage, test["cause"]) if stage is not None else ()
    before = _shown(lab).get(_key(failed, test), 0)
    number = min(before + 1, len(hints))
    text = hints[number - 1] if hints else "There is no hint for this: the failing test's report says what there is."
    return Hint(test["title"], number, len(hints), text, before >= len(hints) > 0)


def _key(failed: dict[str, Any], test: dict[str, Any]) -> str:
    return f"{failed['stage']}/{test['cause'] or '-'}"


def _note(lab: Lab, failed: dict[str, Any], test: dict[str, Any], number: int) -> None:
    """So many hints were shown for this. Raises OSError."""
    with alone(_memory(lab).parent):
        write(_memory(lab), json.dumps({**_shown(lab), _key(failed, test): number}) + "\n")


def hints_for(stage: Stage, cause: str | None) -> tuple[str, ...]:
    """The hints in their order: the cause's from the field guide, or the stage's own."""
    entry = guide.find(cause) if cause else None
    if entry is None:
        return stage.hints
    pages = " · ".join(entry.pages) or stage.read
    read = f"Read {pages}. " if pages else ""
    return (entry.why, entry.idea, f"{read}See it by hand: {entry.by_hand} (docs/mistakes.md#{entry.slug})")


def _memory(lab: Lab) -> Path:
    return KIT / "build" / lab.id / "hints.json"


def _shown(lab: Lab) -> dict[str, int]:
    """How many hints were shown, by stage and cause."""
    try:
        kept = json.loads(_memory(lab).read_text(encoding="utf-8"))
        return {str(key): count for key, count in kept.items() if isinstance(count, int) and count >= 0}
    except (OSError, ValueError, AttributeError):
        return {}


def _show(screen: Screen, hint: Hint) -> None:
    screen.block(f"✗ {hint.about}", 2, "red")
    if hint.of:
        screen.line(f"    hint {hint.number} of {hint.of}" + (", once more: there is no other" if hint.again else ""), "dim")
    screen.block(hint.text, 4)
    if hint.number < hint.of:
        screen.line("    the next one: make hint", "dim")
    screen.flush()
