"""Late days and a cut-off: one small TOML file, and what it makes of a mark. It decides after grading, and by itself:
another policy changes no record.

    due = 2026-03-01T23:59:00+01:00     # with the zone
    grace_minutes = 15                  # still in time
    free_days = 2                       # late days that cost nothing
    percent_a_day = 10                  # of the mark, taken off for each further day that has begun
    cut_off_days = 5                    # later than that: nothing
    [extensions]                        # more days for some
    "anna" = 3
    [submitted]                         # where a file's time is not the time it was handed in
    "ben" = 2026-03-01T20:00:00+01:00
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .. import files

DAY = 86400


class PolicyError(Exception):
    """The file can't be read as a policy: one line that names the file, the key and what to do."""


@dataclass(frozen=True)
class Policy:
    """What a file says; names are students' as grades.csv has them."""

    due: datetime
    grace: timedelta
    free_days: int
    percent_a_day: float
    cut_off_days: int | None
    extensions: Mapping[str, int]
    submitted: Mapping[str, datetime]


@dataclass(frozen=True)
class Verdict:
    """What a policy makes of one mark."""

    days_late: int
    taken_off: int | None           # points; None where there is no mark
    final: int | None
    words: str                      # for the student


NUMBERS = {"grace_minutes": 0, "free_days": 0, "percent_a_day": 0, "cut_off_days": None}


def read(path: Path) -> Policy:
    """The policy in a file. Raises PolicyError."""
    try:
        table = files.read_toml(path)
    except (OSError, ValueError) as error:
        raise PolicyError(f"{path}: {error.strerror if isinstance(error, OSError) else error}") from None
    for key in table:
        if key not in (*NUMBERS, "due", "extensions", "submitted"):
            raise PolicyError(f"{path}: '{key}' is unknown; there are due, {', '.join(NUMBERS)}, extensions, submitted")
    numbers = {key: _number(path, key, table.get(key, usual)) for key, usual in NUMBERS.items()}
    if (numbers["percent_a_day"] or 0) > 100:
        raise PolicyError(f"{path}: 'percent_a_day' is at most 100")
    extensions = {name: _number(path, f"extensions: {name}", days) or 0 for name, days in _table(path, table, "extensions").items()}
    cut_off = numbers["cut_off_days"]
    return Policy(_moment(path, "due", table.get("due")), timedelta(minutes=numbers["grace_minutes"] or 0),
                  int(numbers["free_days"] or 0), numbers["percent_a_day"] or 0, None if cut_off is None else int(cut_off),
                  {name: int(days) for name, days in extensions.items()},
                  {name: _moment(path, f"submitted: {name}", when) for name, when in _table(path, table, "submitted").items()})


def _table(path: Path, table: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise PolicyError(f"{path}: '{key}' is a table: write [{key}] above its lines")
    return found


def _number(path: Path, key: str, value: Any) -> float | None:
    whole = key not in ("percent_a_day", "grace_minutes")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not 0 <= value < 1_000_000:
        raise PolicyError(f"{path}: '{key}' must be a {'whole ' if whole else ''}number from 0, not {value!r}")
    return float(value)


def _moment(path: Path, key: str, value: Any) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise PolicyError(f"{path}: '{key}' must be a time with its zone, such as 2026-03-01T23:59:00+01:00")
    return value


def last_moment(policy: Policy) -> datetime:
    """When nobody's work counts any more; without a cut-off, when the last extension has run out."""
    more = max([0, *policy.extensions.values()])
    return policy.due + timedelta(days=more) + max(policy.grace, timedelta(days=policy.cut_off_days or 0))


def apply(policy: Policy, student: str, score: int | None, submitted: str) -> Verdict:
    """What becomes of a student's mark. submitted: ISO 8601, with the zone."""
    came = policy.submitted.get(student, datetime.fromisoformat(submitted))
    more = policy.extensions.get(student, 0)
    due = policy.due + timedelta(days=more)
    late = came - due
    days = 0 if late <= policy.grace else -int(-late.total_seconds() // DAY)
    counted = max(0, days - policy.free_days)
    cut = policy.cut_off_days is not None and days > policy.cut_off_days
    part = 100.0 if cut else min(100.0, counted * policy.percent_a_day)
    taken = None if score is None else int(score * part / 100 + 0.5)
    final = None if score is None or taken is None else score - taken
    return Verdict(days, taken, final, _words(policy, came, due, more, days, counted, cut, score, taken))


def _words(policy: Policy, came: datetime, due: datetime, more: int, days: int, counted: int, cut: bool,
           score: int | None, taken: int | None) -> str:
    extended = f" ({_days(more)} more than others)" if more else ""
    came = came.astimezone(due.tzinfo)
    said = f"handed in {came:%F %H:%M}, due {due:%F %H:%M}{extended}: "
    if days == 0:
        said += "in time"
    elif cut:
        said += f"{_days(days)} late, and after {policy.cut_off_days} it no longer counts"
    else:
        free = f", {min(days, policy.free_days)} of them free" if policy.free_days else ""
        said += f"{_days(days)} late{free}, {counted} × {policy.percent_a_day:g} % off"
    if score is None or taken is None:
        return said + "; no mark"
    return said + (f"; {score} − {taken} = {score - taken}" if days else f"; {score}")


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
