"""make evidence: records for each cause what a failed test saw, so that causes can be tried without a grade.

For each cause the mutant with the smallest evidence is kept, one line of JSON each, in
tests/evidence/LAB.jsonl.gz. To be run when evidence.py or a suite has changed; test_causes.py reads it.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kit import KIT, LABS, Mutant, grade_source, mutants

FOLDER = KIT / "tests" / "evidence"
MOST = 200_000                      # characters: beyond it an endless loop was recorded


def record(mutant: Mutant) -> tuple[Mutant, str | None]:
    """The evidence of the first test that the mutant names, if its cause was given."""
    test = mutant.fails[0]
    with tempfile.TemporaryDirectory() as folder:
        graded = grade_source(mutant.lab, mutant.source(), "--only", test, "--evidence", folder)
        kept = Path(folder) / mutant.lab.id / f"{test.replace('/', '.')}.json"
        right = graded.causes(mutant.lab.id).get(test) == mutant.cause
        return mutant, kept.read_text().strip() if right and kept.exists() else None


def main() -> None:
    wanted = sys.argv[1:] or list(LABS)
    for lab in wanted:
        smallest: dict[str, str] = {}
        some = [mutant for mutant in mutants("mutants") if mutant.lab.id == lab and mutant.cause != "-"]
        with ThreadPoolExecutor(2) as pool:
            for mutant, evidence in pool.map(record, some):
                known = smallest.get(mutant.cause)
                if evidence is not None and len(evidence) < min(MOST, len(known or evidence) + 1):
                    smallest[mutant.cause] = evidence
        lines = [json.dumps({"cause": cause, "evidence": json.loads(evidence)}) for cause, evidence in sorted(smallest.items())]
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{lab}.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))
        print(f"{lab}: {len(smallest)} of {len({mutant.cause for mutant in some})} causes recorded")


if __name__ == "__main__":
    main()
