"""The corpus of hostile submissions: what each says of itself, how it is run, and what must come of it.

A program's head is a comment of "name: value" lines:

    about:   what it tries
    time:    compile, load, run, after, report, files or others: when it strikes, or whom
    threat:  a word by which docs/security.md groups them
    lab:     lab1 unless told
    score:   what it gets: nothing, or what one of the honest programs gets (HONEST). "up to" before that name: at most.
             Unless told it is "up to" the one that it was made from
    status:  the grader's exit status; 0 or 1 unless told
    says:    words that the report must have
    seconds: 30 unless told: on a machine that has nothing else to do
    held:    the tiers at which all this must hold: "A B none" unless told. "-" is none of them
    never:   tiers at which it isn't run: it would harm the machine, or whoever looks on

Words in @…@ are replaced: bases (below), places, a mark for whatever it makes, bytes that no text file has.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from kit import KIT, LABS, solution

from grader.catalog import Lab

HERE = Path(__file__).parent
PLAIN_UID = 60999                       # who has nothing else on this machine
CANARY = "canary-4d1f0c77b2"            # in another submission
SECRETS = (CANARY, "a signal that interrupts connect() makes it fail", "so that a mistake in one isn't counted in another",
           "CC_SECRET_IN_ENVIRONMENT")
MEMORY_MB = 512 + 3 * LABS["lab1"].limits.memory_mb     # of one grade: its first three runs begin at once
OURS = ("TMPDIR", "PYTHONPYCACHEPREFIX")                # of the environment: places that another user can't have
STRETCH = 6                             # on a busy machine a grade may take so many times as long
PROCESSES = 1500                        # where nothing else limits them, the machine is not the thing to test


@dataclass(frozen=True)
class Program:
    """One hostile submission, as its head describes it."""

    name: str
    head: dict[str, str]
    text: str
    make: Callable[[Path, Place], None] | None = None     # for what is no C file

    @property
    def lab(self) -> Lab:
        return LABS[self.head.get("lab", "lab1")]

    def holds_at(self, tier: str) -> bool:
        """Whether all that it tries must fail at this tier."""
        return tier in self.head.get("held", "A B none").split()

    def may_run_at(self, tier: str) -> bool:
        """Whether it can be run there without harm."""
        return tier not in self.head.get("never", "").split()

    @property
    def score(self) -> str:
        """The words after "score", or what its base implies."""
        made_from = next((name for name in BASES if f"@{name}@" in self.text), "")
        return self.head.get("score") or (f"up to {HONEST_OF[made_from]}" if made_from in HONEST_OF else "nothing")


@dataclass(frozen=True)
class Place:
    """Where one grade takes place: the kit that grades, a folder of its own, who, and at which tier."""

    kit: Path
    work: Path
    tier: str
    uid: int                            # -1: whoever runs the tests


@dataclass(frozen=True)
class Breach:
    """What must not be and is."""

    kind: str                           # one of KINDS
    words: str


@dataclass(frozen=True)
class Result:
    """What came of one program at one place."""

    status: int | None
    score: int | None
    seconds: float
    memory: int                         # MiB
    broken: tuple[Breach, ...] = field(default=())


# ---- reading ----------------------------------------------------------------------------------------

@cache
def programs() -> dict[str, Program]:
    """All of them by name."""
    found = {}
    for path in sorted((HERE / "programs").glob("*.c")):
        text = path.read_text()
        head = dict(re.findall(r"^(?:/\*| \*) ([a-z]+): +(.*)$", text.split("*/")[0], re.MULTILINE))
        assert {"about", "time", "threat"} <= set(head), path
        found[path.stem] = Program(path.stem, head, text)
    from hostile import files
    return {**found, **files.FILES}


# ---- honest programs, and what they get --------------------------------------------------------------

SEND_ALL = "int send_all(int fd, const void *data, size_t len)\n{\n"
NAIVE = "    HOOK;\n    return SEND(fd, data, len, MSG_NOSIGNAL) == -1 ? -1 : 0;\n}\n"
DEFAULTS = """
#ifndef HOOK
#define HOOK ((void)0)
#endif
#ifndef SEND
#define SEND send
#endif
#ifndef LEAKS
#define LEAKS 1
#endif
"""


def starter(lab: Lab) -> str:
    """The file that a student begins with."""
    return (KIT / "labs" / lab.folder.name / lab.file_name).read_text() if lab.id != "lab1" else (
        subprocess.run(["git", "show", f"HEAD:labs/{lab.folder.name}/{lab.file_name}"], cwd=KIT, capture_output=True,
                       text=True, check=True).stdout)


def _edited(*edits: tuple[str, str]) -> str:
    text = solution(LABS["lab1"])
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    includes, rest = text.split('#include "client_send.h"', 1)
    return f'{includes}#include "client_send.h"\n#include <sys/socket.h>\n#include <stdlib.h>\n{DEFAULTS}{rest}'


def _with_send_all(body: str) -> str:
    old = solution(LABS["lab1"]).partition(SEND_ALL)[2]
    return _edited((SEND_ALL + old[:old.index("\n}\n") + 3], SEND_ALL + body))


# Texts that programs are made from, by their names in @…@.
BASES: dict[str, Callable[[Lab], str]] = {
    "STARTER": starter,
    "RIGHT": solution,
    "HOOKED": lambda lab: _edited(("    const char *next = data;\n", "    const char *next = data;\n    HOOK;\n")),
    "NAIVE": lambda lab: _with_send_all(NAIVE),
    "CARELESS": lambda lab: _edited(("errno = EINVAL;\n        return -1;\n    }\n\n    int fd", "server.sin_addr.s_addr = 0;\n"
                                     "    }\n\n    int fd"), ("        errno = EMSGSIZE;\n        return -1;", "        return 1;")),
    "SILENT": lambda lab: _with_send_all("    return 0;\n}\n"),
    "LEAKY": lambda lab: _edited(("    size_t len = 0;\n", "    size_t len = 0;\n    if (LEAKS) {\n"
                                  "        char *volatile lost = malloc(10);\n        lost = NULL;\n    }\n")),
}
# What an honest program gets, by name: "silent" sends nothing, as one that ends or hangs where it should send.
HONEST = {"nothing": "STARTER", "silent": "SILENT", "naive": "NAIVE", "careless": "CARELESS", "leaky": "LEAKY", "right": "RIGHT"}
HONEST_OF = {"HOOKED": "silent", "NAIVE": "naive", "CARELESS": "careless", "LEAKY": "leaky"}


def source(program: Program, place: Place) -> bytes:
    """The file to be handed in."""
    text = program.text
    for name, base in BASES.items():
        if f"@{name}@" in text:
            text = text.replace(f"@{name}@", base(program.lab))
    for name, value in {"KIT": str(place.kit), "WORK": str(place.work), "OTHER": str(other(place)), "MARK": mark(place),
                        "ESC": "\x1b", "BEL": "\a", "LONG": "1 + " * 200000 + "1"}.items():
        text = text.replace(f"@{name}@", value)
    if program.head.get("bytes") == "crlf":
        text = "\ufeff" + text.replace("\n", "\r\n")
    return text.encode().replace(b"@RAW@", b"\xc4\xe3\xba\xc3\x00\xff\xfe\xc0\x80\xed\xa0\x80")


def mark(place: Place) -> str:
    """In the name of whatever a program makes."""
    return f"hostile-{place.work.name}"


def other(place: Place) -> Path:
    """Another student's file, with a canary."""
    return place.work / "other" / "lab1_client_send" / "client_send.c"


# ---- running ----------------------------------------------------------------------------------------

# A /tmp of the grade's own, with the kit and its folder still there where they lie in /tmp.
PRIVATE_TMP = """
own=$1
for path in "$2" "$3"; do
    case $path in /tmp/*) mkdir -p "$own/${path#/tmp/}"; mount --rbind "$path" "$own/${path#/tmp/}";; esac
done
shift 3
mount --rbind "$own" /tmp
exec "$@"
"""


def tmp_of(place: Place) -> Path:
    """What that grade has as /tmp."""
    return place.work.with_name(place.work.name + ".tmp")


def _words(place: Place) -> list[str]:
    """In a pid and ipc namespace, below A in a network of its own as well: then as the user, then process 1."""
    root = os.getuid() == 0
    new = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--ipc", *([] if root else ["--map-root-user"])]
    prelude = PRIVATE_TMP
    if place.tier != "A":               # its network is this machine's then
        new.append("--net")
        prelude = f"ip link set lo up; {prelude}"
    if place.tier == "B":               # bubblewrap isn't there; Landlock is
        prelude = f"mount --bind /dev/null {shutil.which('bwrap')}; {prelude}"
    become = ["setpriv", f"--reuid={place.uid}", f"--regid={place.uid}", "--clear-groups"] if root and place.uid >= 0 else []
    limits = ["prlimit", f"--nproc={PROCESSES}"] if place.tier == "none" else []
    return [*new, "sh", "-c", prelude, "sh", str(tmp_of(place)), str(place.kit), str(place.work), *become, *limits]


def grade(program: Program, place: Place) -> Result:
    """Grades the program there, and looks at all that must not come of it."""
    tree = place.work / "handed-in"
    folder = tree / program.lab.folder.name
    folder.mkdir(parents=True)
    other(place).parent.mkdir(parents=True)
    other(place).write_text(f'"{CANARY}" /* {CANARY} */\n#error {CANARY}\n')
    tmp_of(place).mkdir()
    tmp_of(place).chmod(0o1777)
    if program.make:
        program.make(folder, place)
    else:
        (folder / program.lab.file_name).write_bytes(source(program, place))
    for path in (place.work, *place.work.rglob("*")):
        if place.uid >= 0:
            os.chown(path, place.uid, place.uid, follow_symlinks=False)
    for folder in _compiled(program, place):            # at another tier, perhaps
        shutil.rmtree(folder)
    before = _files(place)
    seconds = float(program.head.get("seconds", 30))
    wish = {"A": "require", "B": "auto", "none": "off"}[place.tier]
    report = place.work / "report.json"
    done = subprocess.run([*_words(place), sys.executable, str(place.kit / "tests/hostile/inside.py"), str(seconds * STRETCH),
                           str(place.kit), "grade", program.lab.id, "--from", str(tree), "--sandbox", wish,
                           "--json", str(report)],
                          capture_output=True, text=True, timeout=seconds * STRETCH + 30,
                          env={**{name: value for name, value in os.environ.items() if name not in OURS},
                               "CC_SECRET": "CC_SECRET_IN_ENVIRONMENT"})
    assert done.stdout, f"{program.name}: {done.stderr}"
    seen = json.loads(done.stdout)
    written = report.read_text() if report.is_file() else "{}"
    score = json.loads(written).get("score")
    kept = _kept(program, place)
    broken = [*_left(place, before, seen), *_secrets(written + seen["said"], kept), *_escapes(seen["said"]),
              *_outcome(program, place, seen, score, seconds, written)]
    return Result(seen["status"], score, seen["seconds"], seen["memory"], tuple(broken))


def _files(place: Place) -> set[Path]:
    """What lies where a program might leave something: names with the mark, and the kit's own folders."""
    found = {path for top in ("/dev/shm", "/var/tmp", "/run", "/etc", "/home") for path in Path(top).glob("hostile-*")}
    found |= {path for path in place.kit.glob("*") if path.name != "build"} | set((place.kit / "build").glob("*"))
    found |= set((place.kit / "grader").rglob("*.py")) | set((place.kit / "labs").rglob("*"))
    return {path for path in found if path not in (place.work, place.kit.parent)}


def _left(place: Place, before: set[Path], seen: dict[str, Any]) -> list[Breach]:
    broken = [Breach("process left", ", ".join(seen["left"][:5]))] if seen["left"] else []
    if seen["shared"]:
        broken.append(Breach("shared memory left", ", ".join(seen["shared"])))
    ours = {path.parts[2] for path in (place.kit, place.work) if path.is_relative_to("/tmp")}
    temporary = [path.name for path in tmp_of(place).iterdir() if path.name not in ours]
    new = [path for path in _files(place) - before if path.name.startswith(mark(place)) or path.is_relative_to(place.kit)
           and path.parent.name != "build"]
    if temporary or new:
        broken.append(Breach("file left", ", ".join([*temporary, *map(str, new)][:5])))
    for path in new:
        if path.name.startswith(mark(place)):           # else it may be somebody's who works beside us
            subprocess.run(["rm", "-rf", "--", str(path)], check=True)
    if seen["memory"] > MEMORY_MB:
        broken.append(Breach("memory", f"{seen['memory']} MiB were taken"))
    return broken


def _kept(program: Program, place: Place) -> bytes:
    """What the compiler made of it."""
    return b"".join(path.read_bytes() for folder in _compiled(program, place) for path in folder.iterdir() if path.suffix != ".c")


def _compiled(program: Program, place: Place) -> list[Path]:
    """The folders of the cache that were made of it."""
    found = []
    own = b"" if program.make else source(program, place)
    for folder in (place.kit / "build" / "cache").glob(f"{program.lab.id}-student-*"):
        try:
            if (folder / program.lab.file_name).read_bytes() == own:
                found.append(folder)
        except OSError:             # it isn't whole yet, or has gone
            continue
    return found


def _secrets(text: str, kept: bytes) -> list[Breach]:
    shadow: tuple[str, ...] = ()
    if os.access("/etc/shadow", os.R_OK):
        shadow = tuple(Path("/etc/shadow").read_text().splitlines()[:1])
    return [Breach("secret", secret[:30]) for secret in (*SECRETS, *shadow) if secret in text or secret.encode() in kept]


def _escapes(said: str) -> list[Breach]:
    """Student's words that the terminal or a GitHub log would obey."""
    control = {char for char in said if not char.isprintable() and char != "\n"}
    commands = [line for line in said.splitlines() if line.lstrip().startswith(("::", "##["))]
    return [*([Breach("escapes", f"raw characters in the report: {sorted(control)[:5]!r}")] if control else []),
            *([Breach("escapes", f"a line that a GitHub log obeys: {commands[0]!r}")] if commands else [])]


def _outcome(program: Program, place: Place, seen: dict[str, Any], score: int | None, seconds: float,
             written: str) -> list[Breach]:
    broken = []
    if seen["status"] is None or seen["seconds"] > seconds:
        broken.append(Breach("late", f"it took {seen['seconds']} s"))
    wanted = (int(program.head["status"]),) if "status" in program.head else (0, 1)
    if seen["status"] is not None and seen["status"] not in wanted:
        broken.append(Breach("status" if seen["status"] in (0, 1, 2) else "no mark",
                             f"the grader's status is {seen['status']}: {' '.join(seen['said'].split())[-200:]}"))
    tier = {"A": "bubblewrap", "B": "landlock", "none": "none"}[place.tier]
    assert seen["status"] not in (0, 1) or f'"sandbox": "{tier}"' in written, f"{program.name}: {seen['said']}"
    least, most = bounds(program)
    if score is not None and not least <= score <= most:
        broken.append(Breach("points" if score > most else "loses points",
                             f"it gets {score} points, not {least if least == most else f'{least} to {most}'}"))
    if program.head.get("says", "") not in written + seen["said"]:
        broken.append(Breach("not told", f"nothing says \"{program.head['says']}\""))
    return broken


def bounds(program: Program) -> tuple[int, int]:
    """The least and the most points that it may get."""
    most = honest(program.score.removeprefix("up to "))
    return (0 if program.score.startswith("up to ") else most), most


_lock = threading.Lock()
_honest: dict[str, int] = {}


def honest(name: str) -> int:
    """The points of the honest program of that name, in lab 1."""
    from kit import grade_source
    with _lock:
        if name not in _honest:
            source = "#include <errno.h>\n" + BASES[HONEST[name]](LABS["lab1"])
            _honest[name] = int(grade_source(LABS["lab1"], source).report["score"])
    return _honest[name]


# ---- places -----------------------------------------------------------------------------------------

def modes() -> tuple[str, ...]:
    """Where this machine lets us grade: "root" and "plain" are tier A as one and the other; "B" and "none" are a plain user's."""
    return ("root", "plain", "B", "none") if os.getuid() == 0 else ("plain", "none")


def tier_of(mode: str) -> str:
    return mode if mode in ("B", "none") else "A"


class Places:
    """The kit, and where we are root a copy of it that belongs to a plain user."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="hostile-", dir="/tmp"))
        self._folder.chmod(0o755)
        self._copy = KIT
        self._count = 0
        if os.getuid() == 0:
            self._copy = self._folder / "kit"
            names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=KIT,
                                   capture_output=True, check=True).stdout.decode()
            for name in filter(None, names.split("\0")):
                (self._copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(KIT / name, self._copy / name)
            (self._copy / "build").mkdir()
            for path in (self._copy, *self._copy.rglob("*")):
                os.chown(path, PLAIN_UID, PLAIN_UID)
                path.chmod(path.stat().st_mode | (stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH) |
                           (0o111 if path.is_dir() else 0))

    def place(self, name: str, mode: str) -> Place:
        """A new one for this program."""
        with _lock:
            self._count += 1
            work = self._folder / f"{name}-{mode}-{self._count}"
        work.mkdir()
        plain = os.getuid() == 0 and mode != "root"
        return Place(KIT if mode == "root" else self._copy, work, tier_of(mode), PLAIN_UID if plain else -1)

    def close(self) -> None:
        """Removes them by tools that follow any depth: Python's own go down by recursion."""
        for words in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*words, "--", str(self._folder)], stderr=subprocess.DEVNULL, check=False)
