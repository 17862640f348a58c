"""make golden: writes anew what the terminal report says of some mutants, tests/golden/LAB/NAME.txt.

    tests/golden.py [LAB/NAME...]

No name: all that there are. A new name adds one. Read what comes of it as a learner would, then keep it:
test_golden.py compares. What may differ from run to run is put out: ports, times, and what stands below the report.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kit import KIT, Mutant, mutants, run_grader

FOLDER = KIT / "tests" / "golden"
SEED = "golden"
MUTANTS = {mutant.name: mutant for folder in ("mutants", "stuck") for mutant in mutants(folder)}
KEPT = sorted(f"{path.parent.name}/{path.stem}" for path in FOLDER.glob("*/*.txt"))


def transcript(mutant: Mutant) -> str:
    """The report of the first test that the mutant names."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / mutant.lab.folder.name
        place.mkdir()
        (place / mutant.lab.file_name).write_text(mutant.source())
        done = run_grader("grade", mutant.lab.id, "--from", folder, "--seed", SEED, "--only", mutant.fails[0],
                          env={**os.environ, "PYTHONIOENCODING": "utf-8"}, encoding="utf-8")
    return normal(done.stdout or done.stderr)


def normal(report: str) -> str:
    """Without the last lines, which tell of this run alone, and with ##### for a port of five digits and #.# for seconds."""
    whole = report.rpartition("\n\n")[0].rstrip() + "\n"
    whole = re.sub(r"((?:\d+\.){3}\d+|…|\]):\d{5}\b", r"\1:#####", whole)
    whole = re.sub(r"\(\d\.\d(\s+)s(\s+)so(\s+)far\)", r"(#.#\1s\2so\3far)", whole)
    return re.sub(r"\bport \d{5}\b", "port #####", whole)


def main() -> None:
    names = sys.argv[1:] or KEPT
    unknown = [name for name in names if name not in MUTANTS]
    if unknown:
        sys.exit(f"no mutant {unknown[0]}: a name is LAB/NAME of tests/mutants or tests/stuck")
    with ThreadPoolExecutor(2) as pool:
        for name, text in zip(names, pool.map(lambda name: transcript(MUTANTS[name]), names)):
            path = FOLDER / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            changed = not path.exists() or path.read_text(encoding="utf-8") != text
            path.write_text(text, encoding="utf-8")
            print(f"{'new  ' if changed else 'same '} {name}", flush=True)


if __name__ == "__main__":
    main()
