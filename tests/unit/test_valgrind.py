"""What valgrind is given to read: the C library's names, without its lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from grader import build  # noqa: E402


@pytest.mark.skipif(not build.DEBUG_FILES.is_dir(), reason="libc6-dbg isn't installed")
def test_the_names_are_all_there_and_nothing_else_is() -> None:
    pairs = build.symbols()
    assert len(pairs) == 2          # libc and its loader
    for shown, whole in pairs:
        assert _names(shown) == _names(whole) and len(_names(shown)) > 100
        sections = subprocess.run(["readelf", "-SW", shown], capture_output=True, text=True, check=True).stdout
        assert ".symtab" in sections and ".debug_" not in sections
        assert shown.stat().st_size < whole.stat().st_size / 5


def _names(place: Path) -> list[str]:
    return subprocess.run(["nm", place], capture_output=True, text=True, check=True).stdout.splitlines()
