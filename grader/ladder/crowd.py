"""Of many connections one of each kind, with a word on how many are like it. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .links import Link
from .peerside import Namer
from .steps import Step

FEW = 3                                 # so many connections are all shown
MOST_KINDS = 2                          # of more, one of each kind is shown, and of so many kinds


def few_connections(left: list[Step], right: list[Step], namer: Namer) -> tuple[list[Step], list[Step]]:
    """Of many connections one of each kind, with a word on how many are like it."""
    if len(namer.links) <= FEW:
        return left, right
    lanes: dict[Link, tuple[list[Step], list[Step]]] = {link: ([], []) for link in namer.links}
    for side, steps in enumerate((left, right)):
        for step in steps:
            if step.link in lanes:
                lanes[step.link][side].append(step)
    kinds: dict[object, list[Link]] = {}
    for link, lane in lanes.items():
        kinds.setdefault(_signature(*lane), []).append(link)
    troubled = {step.link for step in right if step.kind in ("still", "trouble")}
    order = sorted(kinds.values(), key=lambda group: (not troubled & set(group), -len(group), group))
    shown: dict[Link, str] = {}
    for group in order[:MOST_KINDS]:
        chosen = next((link for link in group if link in troubled), group[0])
        others = len(group) - 1
        shown[chosen] = f"and {others:,} more like {namer(chosen)}" if others else ""
    missing = sum(map(len, order[MOST_KINDS:]))
    if missing:
        last = list(shown)[-1]
        shown[last] = "; ".join(filter(None, [shown[last], f"and {missing:,} others"]))
    return _only(left, shown, False), _only(right, shown, True)


def _signature(left: Sequence[Step], right: Sequence[Step]) -> object:
    """What two connections have in common that went alike: how often is no matter."""
    ours = [(step.rung.key[0], step.rung.where, step.rung.tone) for step in left if step.rung.key]
    theirs = [step.kind for step in right]
    return frozenset(ours), tuple(ours[-1:]), frozenset(theirs), tuple(theirs[-1:])


def _only(steps: Iterable[Step], shown: dict[Link, str], notes: bool) -> list[Step]:
    found: list[Step] = []
    told: set[Link] = set()
    for step in steps:
        link = step.link
        if link is not None and link not in shown:
            continue
        if notes and link is not None and link not in told and shown[link]:
            step = replace(step, rung=replace(step.rung, notes=(*step.rung.notes, shown[link]), weight=5))
            told.add(link)
        found.append(step)
    return found
