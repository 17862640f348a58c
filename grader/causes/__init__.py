"""Causes: one pure function a mistake, over the evidence of a failed test.

A finder says where the mistake is, or None when the evidence doesn't single it out. Better no cause
than a wrong one. The order of CAUSES matters: the first that is sure names the cause, so what is
special stands before what is general. Each cause has an entry of the same name in docs/mistakes.md and
at least one mutant under tests/mutants that it must be found in.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from ..evidence import Evidence, Location
from . import (
    accepting, asking, buffers, connecting, echoing, files, listening, prompting, receiving, reusing, serving, sharing,
    streams, threading, waiting,
)  # fmt: skip
from .base import Cause, last_report

CAUSES: tuple[Cause, ...] = (
    *sharing.CAUSES, *threading.CAUSES, *reusing.CAUSES, *buffers.CAUSES, *waiting.CAUSES,
    *connecting.CAUSES, *listening.CAUSES, *accepting.CAUSES, *echoing.CAUSES, *serving.CAUSES, *prompting.CAUSES,
    *asking.CAUSES, *receiving.CAUSES, *streams.CAUSES, *files.CAUSES)


@dataclass(frozen=True)
class Diagnosis:
    """A mistake and the student's line where it turned wrong."""

    slug: str
    text: str                       # one or two sentences in a learner's words
    where: Location | None


def diagnose(evidence: Evidence) -> Diagnosis | None:
    """The first cause that the evidence singles out, None if there is none, or if the part isn't written yet."""
    if last_report(evidence) == (-1, errno.ENOSYS):
        return None
    for known in CAUSES:
        if known.labs and evidence.lab not in known.labs:
            continue
        sure = known.find(evidence)
        if sure is not None:
            return Diagnosis(known.slug, known.text, sure.where)
    return None
