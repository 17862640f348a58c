"""Stands in for `grader grade` where a test is about the class and not about marks: it reads the student's first line.

"break": it fails always, "break once": the first time (a file in FAKE_STATE remembers), "die": it is killed, "hang": it
doesn't end, "N": N points in each lab. Run as a program it is `python3 -m grader` with that stand-in.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from grader import cli  # noqa: E402
from grader.classroom import command  # noqa: E402


def grade(words: list[str]) -> int:
    """One submission, in no time."""
    options = dict(zip(words, words[1:]))
    tree, labs = Path(options["--from"]), [word for word in words if word.startswith("lab")]
    found = sorted(tree.glob("*/*.c"))
    said = found[0].read_text().splitlines()[0] if found else ""
    trouble = obey(said)
    score = int(said) if said.isdecimal() else 0
    report: dict[str, Any] = {"version": 1, "kit": "fake", "sandbox": "bubblewrap", "seed": options["--seed"],
                              "score": None if trouble else score * len(labs), "max_score": 100 * len(labs),
                              "labs": [lab_of(lab, score, trouble, bool(found)) for lab in labs]}
    Path(options["--json"]).write_text(json.dumps(report))
    if "--html" in options:
        Path(options["--html"]).write_text(f'<p class="brand">socklab</p>{score} <code>make grade FROM={tree}</code>\n')
    print(f"{labs[0]}  a lab\n\n  {score} points")
    return 3 if trouble else 0 if score == 100 else 1


def obey(said: str) -> str | None:
    """What the fake is told to do; returns why it fails."""
    if said == "hang":
        time.sleep(1000)
    if said == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if said == "break once":
        state = Path(os.environ["FAKE_STATE"])
        first = not state.exists()
        state.touch()
        return "it broke once" if first else None
    time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
    return "it broke" if said == "break" else None


def lab_of(lab: str, score: int, trouble: str | None, found: bool) -> dict[str, Any]:
    tests = [{"test": "t", "title": "it works", "status": "passed" if score == 100 else "failed", "seconds": time.time(),
              "message": "" if score == 100 else "it doesn't", "score": score, "max_score": 100, "location": None,
              "cause": None if score == 100 else "no-htons"}]
    return {"lab": lab, "title": "a lab", "file": "x.c", "score": None if trouble else score, "max_score": 100,
            "seconds": time.time(), "compile": None, "partial": False, "trouble": trouble,
            "unreadable": None if found else "x.c is missing",
            "stages": [{"stage": "s", "title": "a stage", "score": score, "max_score": 100,
                        "status": "passed" if score == 100 else "failed", "tests": tests if found else []}]}


def use() -> None:
    """From here on this process grades with the fake."""
    real = command._words
    command._words = lambda setting: [sys.executable, __file__, *real(setting)[3:]]     # type: ignore[assignment]


if __name__ == "__main__":
    if sys.argv[1] == "grade":
        sys.exit(grade(sys.argv[2:]))
    use()
    sys.exit(cli.main(sys.argv[1:]))
