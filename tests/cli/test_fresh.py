"""A newcomer's first minutes: README's first command in a fresh clone. (.ci/run does the second.)"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

KIT = Path(__file__).resolve().parents[2]


def readme_commands() -> list[str]:
    """The lines of README's first block."""
    block = re.search(r"^```\w*\n(.*?)^```", (KIT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block
    return [line.partition("#")[0].strip() for line in block[1].splitlines()]


def test_readme_opens_with_two_commands() -> None:
    assert readme_commands() == ["make lab1 && make grade", "make test"]


def test_the_first_works_in_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "my labs 网络实验"
    subprocess.run(["git", "clone", "--quiet", KIT, clone], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(readme_commands()[0], shell=True, cwd=clone, env=environment, text=True, encoding="utf-8",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    assert (clone / "build" / "lab1" / "client_send").is_file()
    assert "0/100" in done.stdout
    status = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True)
    assert status.stdout == "", "a build leaves the tree as it was"
