"""python3 tests/plots/record.py: records the evidence that tests/unit/test_plots.py draws.

A line of JSON each, in tests/plots/recorded.jsonl.gz. To be run when evidence.py or what fills it has changed.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from kit import grade_source, mutants  # noqa: E402

WANTED = {
    "lab5/iterative": "threads/talks_with_two_at_once", "lab5/lock-twice": "threads/answers_a_client",
    "lab5/lock-over-send": "threads/a_deaf_one_blocks_nobody", "lab5/start-joins": "threads/returns_at_once",
    "lab5/waits-when-200": "hundreds/two_hundred_and_fifty_six", "lab5/no-detach": "hundreds/a_thousand_in_turn",
    "lab5/no-advance": "threads/short_counts", "lab5/listener-left": "clean_stop/stops_and_returns",
    "lab6/send-then-recv": "deadlock/both_send_first", "lab6/blocking-fill": "full/fills_until_nothing_fits",
    "lab6/eintr-anew": "backpressure/interrupted_late", "lab6/eintr-send": "full/interrupted",
    "lab6/never-set": "sizes/connects_with_them",
}


def main() -> None:
    """Grades each of them; what isn't found is told."""
    lines = []
    for mutant in mutants("mutants"):
        if (test := WANTED.get(mutant.name)) is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            grade_source(mutant.lab, mutant.source(), "--only", test, "--evidence", folder)
            kept = Path(folder) / mutant.lab.id / f"{test.replace('/', '.')}.json"
            if kept.exists():
                lines.append(json.dumps({"name": mutant.name, "evidence": json.loads(kept.read_text())}))
            else:
                print(f"{mutant.name} doesn't fail {test}")
    (TESTS / "plots" / "recorded.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))


if __name__ == "__main__":
    main()
