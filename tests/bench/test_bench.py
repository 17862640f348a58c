"""make bench prints a line for each lab."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

KIT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_bench_measures_the_floor_and_every_lab() -> None:
    environment = {**os.environ, "ROUNDS": "1"}
    done = subprocess.run(["make", "bench"], cwd=KIT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the floor" in done.stdout and "a run, sandbox none" in done.stdout
    for lab in (KIT / "labs").glob("lab*_*/"):
        name = lab.name.partition("_")[0]
        for row in (f"{name}, cold", f"to {name}'s result"):
            assert row in done.stdout, done.stdout
    assert done.stdout.count("worst mutant: drawing") == done.stdout.count("a save to the first verdict") == 6
