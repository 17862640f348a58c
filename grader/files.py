"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from . import claims


def write(place: Path, text: str) -> None:
    """Writes aside and renames. Raises OSError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
    with claims.aside(aside):
        try:
            with open(aside, "x", encoding="utf-8") as file:
                file.write(text)
            os.chmod(aside, 0o644)
            os.replace(aside, place)
        finally:
            aside.unlink(missing_ok=True)
