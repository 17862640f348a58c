"""One direction of one connection: what was put in on one side beside what was taken out on the other.

TCP is a stream of bytes, so the two sides' events are matched by their places in it: where both have a
border at the same byte, what lies between two borders belongs together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """Some bytes that one side put in or took out in one go."""

    at: int                         # its place in the list that it comes from
    data: bytes                     # the first bytes
    size: int


@dataclass(frozen=True)
class Block:
    """Pieces of both sides that are the same bytes."""

    put: tuple[int, ...]            # the places of those that were put in
    taken: tuple[int, ...]


def match(put: Sequence[Piece], taken: Sequence[Piece]) -> list[Block]:
    """The blocks in order, up to the first byte that contradicts, or to the end of what was taken."""
    blocks: list[Block] = []
    i = j = 0
    while i < len(put) and j < len(taken):
        first, last = (i, j), (i + 1, j + 1)
        sizes = [put[i].size, taken[j].size]
        if not _agree(put[i].data, taken[j].data):
            break
        while sizes[0] != sizes[1]:
            side = 0 if sizes[0] < sizes[1] else 1
            pieces, next_one = (put, taken)[side], last[side]
            if next_one >= len(pieces):
                return blocks
            sizes[side] += pieces[next_one].size
            last = (last[0] + 1, last[1]) if side == 0 else (last[0], last[1] + 1)
        i, j = last
        blocks.append(Block(tuple(piece.at for piece in put[first[0]:i]), tuple(piece.at for piece in taken[first[1]:j])))
    return blocks


def first_takers(put: Sequence[Piece], taken: Sequence[Piece]) -> dict[int, int]:
    """For each piece that was put in the first that took some of it, by their places; up to the first contradiction."""
    found: dict[int, int] = {}
    start = begin = j = 0
    for piece in put:
        while j < len(taken) and begin + taken[j].size <= start:
            begin += taken[j].size
            j += 1
        if j == len(taken):
            break
        here, there = piece.data[max(0, begin - start):], taken[j].data[max(0, start - begin):]
        if not _agree(here, there):
            break
        found[piece.at] = taken[j].at
        start += piece.size
    return found


def _agree(one: bytes, other: bytes) -> bool:
    """Whether the first bytes are the same, as far as both are known."""
    known = min(len(one), len(other))
    return one[:known] == other[:known]


def rest(put: Sequence[Piece], taken: Sequence[Piece]) -> tuple[bytes, int]:
    """The first bytes of what was put in and never taken out, and how many bytes that were."""
    left = sum(piece.size for piece in taken)
    data, size = b"", 0
    for piece in put:
        skipped = min(left, piece.size)
        left -= skipped
        if len(data) == size and skipped <= len(piece.data):
            data += piece.data[skipped:]
        size += piece.size - skipped
    return data, size
