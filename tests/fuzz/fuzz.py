"""make fuzz: mutated samples for everything that reads what comes from outside. FUZZ_SECONDS (600), SEED.

    tests/fuzz/fuzz.py [TARGET...]

Real samples are changed at random: bytes, numbers, lengths, lines, values of JSON. Each reader may raise what its
documentation names, and nothing else; and it must come to an end. What is found is printed with all that repeats it.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import io
import json
import mmap
import os
import random
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

KIT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(KIT))

from grader import catalog, channel, faults, grade, keep, kernel, recording, script, valgrind  # noqa: E402
from grader.causes import diagnose  # noqa: E402
from grader.evidence import Evidence  # noqa: E402
from grader.report import page, terminal  # noqa: E402
from grader.report.screen import Screen  # noqa: E402
from grader.run import StudentRun  # noqa: E402
from grader.verdict import Listed, Outcome, judge  # noqa: E402

LARGEST = 1 << 16               # bytes of a sample
LONGEST = 10                    # seconds for one sample, on a busy machine
NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, -2**31, 2**63 - 1, 2**64 - 1)
WORDS = ("", " ", "\0", "\n", "\x1b[2J", "]]>", "<", "&", "ü", "\u202e", "\ud800", "%s", "{}", "9" * 30, "-1", "nan", "x" * 3000)
LABS = {lab.id: lab for lab in catalog.find_labs()}


class Hung(BaseException):
    """It took longer than LONGEST."""


@dataclass(frozen=True)
class Target:
    """A reader, real samples, and the exceptions that its documentation names."""

    name: str
    samples: tuple[bytes, ...]
    read: Callable[[bytes], object]
    documented: tuple[type[BaseException], ...] = ()
    mutate: Callable[[random.Random, bytes], bytes] | None = None


# ---- mutations --------------------------------------------------------------------------------------

def mutate_bytes(chance: random.Random, data: bytes) -> bytes:
    """Bytes changed, cut, doubled; numbers of 1 to 8 bytes replaced by ones at an edge."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(found) + 1)
        kind = chance.randrange(6)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            size = chance.choice((1, 2, 4, 8))
            number = chance.choice(NUMBERS) % 256**size
            found[at:at + size] = number.to_bytes(size, chance.choice(("big", "little")))
        elif kind == 2:
            del found[at:at + chance.choice((1, 2, 4, 64, 4096))]
        elif kind == 3:
            found[at:at] = found[at:at + chance.choice((1, 4, 64, 1000))]
        elif kind == 4:
            found[at:at] = chance.randbytes(chance.choice((1, 4, 40)))
        else:
            del found[at:]
    return bytes(found)


def mutate_lines(chance: random.Random, data: bytes) -> bytes:
    """Words and lines replaced, moved, doubled; sometimes bytes, too."""
    lines = data.split(b"\n")
    for _ in range(chance.choice((1, 1, 3, 10))):
        at = chance.randrange(len(lines))
        kind = chance.randrange(5)
        if kind == 0:
            words = lines[at].split(b" ")
            words[chance.randrange(len(words))] = odd_word(chance).encode(errors="replace")
            lines[at] = b" ".join(words)
        elif kind == 1:
            lines.insert(at, chance.choice(lines))
        elif kind == 2 and len(lines) > 1:
            del lines[at]
        elif kind == 3:
            lines[at] = (lines[at] * chance.choice((2, 50)))[:LARGEST]
        else:
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
    text = b"\n".join(lines)[:LARGEST]
    return mutate_bytes(chance, text) if chance.random() < 0.3 else text


def odd_word(chance: random.Random) -> str:
    return chance.choice(WORDS) if chance.random() < 0.6 else str(chance.choice(NUMBERS))


def mutate_json(chance: random.Random, data: bytes) -> bytes:
    """Some values replaced by others of any kind."""
    value = json.loads(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        value = _mutate_value(chance, value)
    return json.dumps(value).encode()


def _mutate_value(chance: random.Random, value: Any) -> Any:
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if keys and chance.random() < 0.93:
        key = chance.choice(keys)
        if isinstance(value, list) and chance.random() < 0.1:
            return value[:key] + value[key:] * chance.choice((0, 2))
        copy: Any = dict(value) if isinstance(value, dict) else list(value)
        copy[key] = _mutate_value(chance, value[key])
        return copy
    return chance.choice((None, True, [], {}, chance.choice(NUMBERS), odd_word(chance), [value], value))


def mutate_evidence(chance: random.Random, data: bytes) -> bytes:
    """As the student's process could have it: numbers of calls at an edge, other names and bytes, calls moved. Each
    value keeps its kind."""
    value = json.loads(data)
    runs = value["runs"]
    for _ in range(chance.choice((1, 3, 10, 40))):
        run = chance.choice(runs) if runs else None
        if run is None:
            break
        calls = run["calls"]
        if calls and chance.random() < 0.85:
            call = calls[chance.randrange(len(calls))]
            key = chance.choice(list(call))
            call[key] = chance.choice(_same_kind(call, calls)) if key == "name" else _like(chance, key, call[key], calls)
        elif calls and chance.random() < 0.5:
            chance.shuffle(calls)
        else:
            key = chance.choice(("output", "errors", "total_calls", "status", "signal", "reported", "texts", "numbers"))
            run[key] = _like(chance, key, run[key], calls)
    return json.dumps(value).encode()


def _same_kind(call: dict[str, Any], calls: list[dict[str, Any]]) -> list[str]:
    """Names of calls with as many arguments: another count is no call to the reader of the recording."""
    return [other["name"] for other in calls if len(other["args"]) == len(call["args"])]


def _like(chance: random.Random, key: str, old: Any, calls: list[dict[str, Any]]) -> Any:
    if key in ("index", "name", "where", "inside", "queues") or isinstance(old, bool):
        return chance.choice([call.get(key, old) for call in calls] or [old]) if key != "index" else old
    if key in ("data", "output", "errors"):
        return chance.choice(("", "00", "ff" * 28, "1b5b324a", chance.randbytes(20).hex()))
    if key == "args":
        return [chance.choice(NUMBERS[:-1]) for _ in range(len(old))]       # as many as the call has
    if key == "address":
        return chance.choice((None, "0.0.0.0:0", "[::1]:65535", *(call["address"] for call in calls)))
    if key == "ended":
        return chance.choice((None, 0, 1, 2**63))
    if isinstance(old, int):
        return chance.choice((0, 1, 2**31 - 1, 2**40, old, old + 1, max(0, old - 1))) if key in ("began", "thread") \
            else chance.choice(NUMBERS[:-2])
    return old


# ---- readers ----------------------------------------------------------------------------------------

def read_channel(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data[:60000])
        theirs.shutdown(socket.SHUT_WR)
        while channel.receive(ours) is not None:
            pass


def read_recording(data: bytes) -> None:
    memory = mmap.mmap(-1, SIZE)
    memory[:min(len(data), SIZE)] = data[:SIZE]
    found = recording.Recording(-1, memory, 64, faults.parse_faults("send takes at most 7 bytes"))
    calls = found.calls()
    assert found.total >= 0 and len(calls) <= 64
    memory.close()


def read_report(data: bytes) -> None:
    run = object.__new__(StudentRun)
    descriptor = os.memfd_create("report")
    try:
        os.write(descriptor, data)
        run._files = {"report": descriptor}
        run.reported(), run.reported_texts(), run.reported_numbers(), run.reported_bytes("x"), run.reported_number("x")
    finally:
        os.close(descriptor)


def read_in(name: str, read: Callable[[Path], object], data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)
        read(place)


def read_sockets(data: bytes) -> None:
    for _, body in kernel._messages(data):
        kernel._decode(body)


def judge_evidence(data: bytes) -> None:
    """All that is drawn and told of what a student's process can have written."""
    evidence = keep.unpack(json.loads(data))
    lab = LABS[evidence.lab]
    listed = [Listed(stage.name, stage.plain, "promise") for stage in lab.stages]
    first = lab.stages[0]
    outcome = Outcome("failed", 0.1, dataclasses.replace(evidence, stage=first.name, test=first.plain), diagnose(evidence))
    result = judge(lab, listed, {(first.name, first.plain): outcome}, seconds=0.1)
    terminal.show_lab(Screen(io.StringIO()), result, "int x;\n" * 50)
    page.draw((result,), {lab.id: "int x;\n" * 50}, page.Setting("none", "1", 1.0, datetime.now().astimezone(), "", (), ()))


# ---- samples ----------------------------------------------------------------------------------------

SIZE = recording._SLOTS + 64 * recording._SLOT.size


def a_recording() -> bytes:
    header = recording._HEADER.pack(recording._MAGIC, recording._VERSION, 64, 1, 0, 0, 7, 9, 0)
    slot = recording._SLOT.pack(2, 1, 1, 3, 5, 1, 4, 0, 0, 100, 200, 1, 2, 3, 4, 5, 7, 0x1234, 5, 0x1200, 0x1100, 0, 16,
                                b"\2\0\x1f\x90\x7f\0\0\1", b"hello", bytes(20))
    return (header.ljust(recording._SLOTS, b"\0") + slot * 9).ljust(SIZE, b"\0")


def evidence_samples() -> tuple[bytes, ...]:
    found = []
    for path in sorted((KIT / "tests" / "evidence").glob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            text = json.dumps(json.loads(line)["evidence"]).encode()
            if len(text) < 60000:
                found.append(text)
    return tuple(found)


LOG = b"""==12== Memcheck, a memory error detector
==12==
==12== Invalid read of size 1
==12==    at 0x1091A9: send_all (client_send.c:42)
==12==    by 0x1091D0: main (probe.c:10)
==12==
==12== Possible data race during read of size 4 at 0x10C0 by thread #2
==12==    at 0x1091A9: serve (client_send.c:50)
==12==
==12== This conflicts with a previous write of size 4 by thread #1
==12==    at 0x1091A9: serve (client_send.c:51)
==12==
==12== 8 bytes in 1 blocks are definitely lost in loss record 1 of 1
==12==    at 0x48: malloc (vg_replace_malloc.c:1)
==12==    by 0x1091A9: serve (client_send.c:51)
==12==
==12== ERROR SUMMARY: 2 errors from 2 contexts (suppressed: 0 from 0)
"""
XML = b"""<?xml version="1.0"?><testsuites><testsuite name="a"><testcase name="b" assertions="1" status="PASSED"/>
<testcase name="c" status="FAILED"><failure message="x"/></testcase></testsuite></testsuites>"""
SCRIPTS = (b"send 'hel' 'lo ' 'world' in pieces; close", b"accept; never read", b"reset after 1000 bytes",
           b"200 clients, each: send 'x'; receive 1 byte; half-close", b"wait for go; send 30 random bytes; receive to end")
FAULTS = (b"send takes at most 7 bytes", b"every 3rd recv fails with EINTR", b"accept 2 waits")


@functools.cache
def targets() -> tuple[Target, ...]:
    frames = channel.pack([b"hello", b"stage", b"test"]) + channel.pack([b"run_student", b"", b"x" * 300]) + channel.pack([])
    body = bytes([socket.AF_INET, 10, 0, 0]) + bytes(200)
    answer = kernel._HEADER.pack(16 + len(body), 20, 2, 0, 0) + body
    tomls = tuple((lab.folder / "lab.toml").read_bytes() for lab in LABS.values())
    log = lambda data: valgrind.read_findings(data.decode(errors="replace"), "client_send.c")  # noqa: E731
    words = lambda read: lambda data: read(data.decode(errors="replace"))  # noqa: E731
    return (
        Target("channel", (frames,), read_channel, (channel.ChannelError,)),
        Target("recording", (a_recording(),), read_recording),
        Target("report", (b"call 3 0\ntext name 68656c\nnumber x -7\ntext empty -\n",), read_report, (), mutate_lines),
        Target("valgrind", (LOG,), log, (), mutate_lines),
        Target("criterion", (XML,), lambda data: read_in("x.xml", grade.read_xml, data), (grade.GraderFailure,), mutate_lines),
        Target("lab.toml", tomls, lambda data: read_in("lab7_x/lab.toml", lambda path: catalog.read_lab(path.parent), data),
               (catalog.CatalogError,), mutate_lines),
        Target("evidence file", evidence_samples(), lambda data: keep.unpack(json.loads(data)),
               (ValueError, KeyError, TypeError), mutate_json),
        Target("evidence", evidence_samples(), judge_evidence, (), mutate_evidence),
        Target("script", SCRIPTS, words(script.parse), (script.ScriptError,), mutate_lines),
        Target("faults", FAULTS, words(faults.parse_faults), (faults.FaultError,), mutate_lines),
        Target("sock_diag", (answer, answer * 3), read_sockets, (OSError,)),
    )


# ---- running ----------------------------------------------------------------------------------------

def attempt(target: Target, number: int, seed: str) -> str:
    """One mutated sample; "" or what came out that isn't documented."""
    chance = random.Random(f"{seed}/{target.name}/{number}")
    data = (target.mutate or mutate_bytes)(chance, chance.choice(target.samples))
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        target.read(data)
    except target.documented:
        pass
    except (Exception, Hung):
        return f"{target.name}, number {number}, SEED={seed}:\n{traceback.format_exc(limit=-6)}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return ""


def fuzz(chosen: tuple[Target, ...], seconds: float, seed: str) -> tuple[dict[str, int], list[str]]:
    """Takes the targets in turn; how many samples each had, and what was found: once for each place."""
    def late(number: int, frame: FrameType | None) -> None:
        raise Hung
    before = signal.signal(signal.SIGALRM, late)
    counts, found = dict.fromkeys((target.name for target in chosen), 0), {}
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            for target in chosen:
                share = time.monotonic() + min(0.5, seconds / len(chosen))
                while time.monotonic() < share:
                    if said := attempt(target, counts[target.name], seed):
                        place = target.name + "".join(line for line in said.splitlines() if line.startswith("  File"))
                        found.setdefault(place, said)
                    counts[target.name] += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    return counts, list(found.values())


def main() -> int:
    wanted = sys.argv[1:]
    chosen = tuple(target for target in targets() if not wanted or target.name in wanted)
    seed = os.environ.get("SEED") or os.urandom(4).hex()
    counts, found = fuzz(chosen, float(os.environ.get("FUZZ_SECONDS", "600")), seed)
    for said in found:
        print(said, flush=True)
    print(f"seed {seed}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    print(f"{len(found)} places with an exception that isn't documented, or too slow" if found else "nothing found")
    return len(found) > 0


if __name__ == "__main__":
    sys.exit(main())
