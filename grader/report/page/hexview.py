"""Bytes that differ: what was due and what came, in hexadecimal and as text, around the first difference."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from .escape import text

ROW = 8                             # bytes: a row fits a phone; positions count from 1, as in the messages
BEFORE, ROWS = 2, 6                 # rows before the first difference, and in all


def first_difference(due: bytes, came: bytes) -> int:
    """The position of the first byte that differs, or where the shorter ends."""
    return next((at for at, (one, other) in enumerate(zip(due, came)) if one != other), min(len(due), len(came)))


def compare(due: bytes, came: bytes) -> str:
    """Two tables side by side. The bytes must differ."""
    same = first_difference(due, came)
    start = max(0, same // ROW - BEFORE) * ROW
    said = (f"The first {same:,} bytes are the same." if same else "They differ from the first byte on.") + \
        ("" if start == 0 else f" The tables begin at byte {start + 1:,}.")
    if same == len(came) < len(due):
        said += f" Then {len(due) - same:,} are missing."
    elif same == len(due) < len(came):
        said += f" Then {len(came) - same:,} more came."
    else:
        said += f" Byte {same + 1:,} is the first that is wrong."
    return (f'<p>{said}</p><div class="bytes">{_table("due", due, came, start)}{_table("came", came, due, start)}</div>')


def _table(name: str, own: bytes, other: bytes, start: int) -> str:
    size = "1 byte" if len(own) == 1 else f"{len(own):,} bytes"
    last = min(max(len(own), len(other)), len(own) + 1)         # the first that is missing too
    places = range(start, min(start + ROWS * ROW, last), ROW)
    rows = "".join(f'<tr><th scope="row">{at + 1:,}</th><td>{_cells(own, other, at, _hex, " ")}</td>'
                   f'<td>{_cells(own, other, at, _char, "")}</td></tr>' for at in places)
    left = len(own) - start - ROWS * ROW
    more = f'<tr><td></td><td colspan="2">… {left:,} more</td></tr>' if left > 0 else ""
    return (f'<table><caption><b>{name}</b> {size}</caption><thead class="vh"><tr><th scope="col">position</th>'
            f'<th scope="col">hexadecimal</th><th scope="col">text</th></tr></thead><tbody>{rows}{more}</tbody></table>')


def _cells(own: bytes, other: bytes, at: int, show: Callable[[bytes, int], str], joint: str) -> str:
    """The bytes of a row; runs that differ are marked."""
    places = range(at, min(at + ROW, max(len(own), len(other))))
    cells = [(own[place:place + 1] != other[place:place + 1], text(show(own, place))) for place in places]
    runs = [(differs, joint.join(cell for _, cell in run)) for differs, run in groupby(cells, key=lambda cell: cell[0])]
    return joint.join(f"<mark>{run}</mark>" if differs else run for differs, run in runs)


def _hex(data: bytes, at: int) -> str:
    return f"{data[at]:02x}" if at < len(data) else "--"


def _char(data: bytes, at: int) -> str:
    if at >= len(data):
        return " "
    return chr(data[at]) if 32 <= data[at] < 127 else "·"
