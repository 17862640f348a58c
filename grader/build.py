"""Compiles and links: the kit's own parts, a lab's suite, and the student's program.

Everything built is kept under build/cache by the hash of all that went into it, and put there whole
(built aside, then renamed). So nothing is rebuilt that didn't change, and two grades at once share
what they can and disturb nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import resource
import secrets
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import claims, spawn, trouble
from .catalog import KIT, Lab
from .evidence import Location
from .pace import scaled
from .recording import link_flags
from .sandbox import Room, Sandbox

CACHE = KIT / "build" / "cache"
KEPT = 300                          # entries in the cache; beyond them those go that were not used for longest
IN_USE_SECONDS = 1800
COMPILER_SECONDS = 10               # of processor time, for the student's file
BACKSTOP_SECONDS = 60               # on the clock, for any
MAX_SOURCE = 1 << 20
MAX_LOG = 64 << 10
ROOM = 8 << 20                       # bytes: more than the two programs of any lab take
DEBUG_FILES = Path("/usr/lib/debug/.build-id")
LIBRARIES = re.compile(r"/(libc|ld-linux[\w-]*)\.so\.\d+$")
BUILD_ID = re.compile(rb"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0(.{20})", re.DOTALL)
BUILD_ID_WITHIN = 4096              # bytes: linkers put it first
RECORDERS = re.compile(rb"(?:__real_|__wrap_)[a-z_]\w*|recorder_arm\b|recorder_step_aside\b")     # who uses these goes around it

STUDENT_FLAGS = ("-std=gnu11", "-g", "-O1", "-fno-optimize-sibling-calls", "-fno-omit-frame-pointer",
                 "-U_FORTIFY_SOURCE", "-pthread", "-Wall", "-Wextra")
SUITE_FLAGS = ("-std=gnu11", "-g", "-O0", "-Wall", "-Wextra")


class BuildError(Exception):
    """The kit's own code can't be built: a missing package, or a mistake in a suite."""


class MissingTool(BuildError):
    """A package that grading needs isn't there."""


class SubmissionError(Exception):
    """The student's file can't be read as one: missing, empty, a directory, a link, too large."""


class CompileError(Exception):
    """The student's file doesn't compile or link: the first error, and its line where there is one."""

    def __init__(self, message: str, location: Location | None) -> None:
        super().__init__(message)
        self.message = message
        self.location = location


@dataclass(frozen=True)
class Programs:
    """The student's two programs and the folder that holds them."""

    folder: Path
    source: Path                    # the student's file
    main: Path
    probe: Path


# ---- the cache ------------------------------------------------------------------------------------

def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:24]


def _cached(name: str, inputs: Sequence[Path], words: Sequence[str], make: Callable[[Path], None],
            extra: bytes = b"") -> Path:
    """The folder of that name whose content make(folder) builds from the inputs, built only once."""
    parts = [compiler_version().encode(), " ".join(words).encode(), extra]
    for path in sorted(inputs):
        parts += [path.name.encode(), path.read_bytes()]
    place = CACHE / f"{name}-{_digest(parts)}"
    if place.is_dir():
        os.utime(place)                 # prune() drops what was not used for long
        return place
    try:
        _make_whole(place, make)
    except OSError as error:
        raise BuildError(f"can't build {name} in build/cache: {trouble.describe(error)}") from error
    return place


def _make_whole(place: Path, make: Callable[[Path], None]) -> None:
    """Makes it aside, then gives it its name. Raises OSError and what make() raises."""
    CACHE.mkdir(parents=True, exist_ok=True)
    aside = CACHE / f".{place.name}-{secrets.token_hex(4)}"
    with claims.aside(aside):
        try:
            aside.mkdir(0o700)
            make(aside)
            aside.chmod(0o755)
            try:
                aside.rename(place)
            except OSError:         # another grade was quicker: its content is the same
                if not place.is_dir():
                    raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def prune() -> None:
    """Drops what was not used for longest, when there is too much; never what a grade may be using now."""
    used = sorted(((_last_use(path), path) for path in CACHE.glob("*-*")), reverse=True)
    for when, path in used[KEPT:]:
        if when < time.time() - IN_USE_SECONDS:
            gone = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
            with claims.aside(gone), contextlib.suppress(OSError):      # another grade may drop it, too
                path.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)


def _last_use(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:                     # another grade has just dropped it
        return 0.0


@cache
def compiler() -> str:
    """The C compiler's path. Raises BuildError."""
    found = shutil.which(os.environ.get("CC") or "gcc")
    if found is None:
        raise MissingTool("gcc is missing: install it (Debian: apt install gcc)")
    return found


def check_tools() -> None:
    """Raises MissingTool when grading can't even begin."""
    compiler()
    if not Path("/usr/include/criterion/criterion.h").exists():
        raise MissingTool("Criterion isn't installed: make setup installs it (Debian: apt install libcriterion-dev)")


@cache
def compiler_version() -> str:
    """Its path, size and time: enough to notice another compiler without starting it."""
    facts = os.stat(os.path.realpath(compiler()))
    return f"{os.path.realpath(compiler())} {facts.st_size} {facts.st_mtime_ns}"


def _run(words: Sequence[str], cwd: Path) -> tuple[int, str]:
    """A compiler's exit status and what it said, within limits."""
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TMPDIR": str(cwd)}
    with tempfile.TemporaryFile(dir=cwd) as log:
        with spawn.start(words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
                         stdout=log, stderr=log, start_new_session=True) as process:
            _limit(process.pid)
            try:
                status = process.wait(timeout=scaled(BACKSTOP_SECONDS))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                status = -9
        log.seek(0)
        return status, log.read(MAX_LOG).decode(errors="replace")


def _limit(pid: int) -> None:
    seconds = round(scaled(BACKSTOP_SECONDS))
    try:
        resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (256 << 20, 256 << 20))
        resource.prlimit(pid, resource.RLIMIT_AS, (2 << 30, 2 << 30))
    except ProcessLookupError:
        pass                        # it has ended already


def _build_kit(words: Sequence[str], cwd: Path, tool: str = "") -> None:
    """Runs the compiler, or another tool of those that come with it. Raises BuildError."""
    status, said = _run([tool or compiler(), *words], cwd)
    if status != 0:
        _check_room(cwd)
        first = next((line for line in said.splitlines() if "error" in line or "cannot find" in line), said.strip())
        raise BuildError(f"the kit's own code doesn't compile: {first}")


# ---- the kit's parts ------------------------------------------------------------------------------

C = KIT / "grader" / "c"
GIVEN = KIT / "labs" / "given"


def launcher() -> Path:
    """The static program that is process 1 of each sandbox."""
    sources = [C / "launcher.c", C / "landlock.c"]
    words = ["-std=gnu11", "-O1", "-static", "-Wall", *map(str, sources), "-o", "launcher"]
    return _cached("launcher", [*sources, C / "landlock.h"], words[:4], lambda folder: _build_kit(words, folder)) / "launcher"


@cache
def symbols() -> tuple[tuple[Path, Path], ...]:
    """What valgrind is to read of the C library: its names without its lines, and the files that have both.

    Reading the lines takes a third of memcheck's time for a small program, and no finding's line is there. The libraries
    are this Python's own: where a program's are others, what stands here goes unused. Raises OSError.
    """
    found = []
    for name in {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if LIBRARIES.search(line)}:
        with open(name, "rb") as library:
            if not (known := BUILD_ID.search(library.read(BUILD_ID_WITHIN))):
                continue
        digest = known[1].hex()
        whole = DEBUG_FILES / digest[:2] / f"{digest[2:]}.debug"
        if whole.is_file():
            with contextlib.suppress(BuildError):       # then valgrind reads all of it
                found.append((_names_of(whole), whole))
    return tuple(found)


def _names_of(whole: Path) -> Path:
    facts = whole.stat()
    words = ["--strip-debug", str(whole), "names.debug"]
    made = _cached("symbols", [], words, lambda folder: _build_kit(words, folder, "objcopy"),
                   extra=f"{facts.st_size} {facts.st_mtime_ns}".encode())
    return made / "names.debug"


def _recorder() -> Path:
    sources = [C / "recorder.c", *C.glob("*.h"), *C.glob("*.def")]
    words = ["-std=gnu11", "-g", "-O2", "-pthread", "-Wall", "-c", str(C / "recorder.c"), "-o", "recorder.o"]
    return _cached("recorder", sources, words[:5], lambda folder: _build_kit(words, folder)) / "recorder.o"


def _races() -> Path:
    source = C / "races.c"
    words = ["-std=gnu11", "-g", "-O1", "-pthread", "-w", "-c", str(source), "-o", "races.o"]
    return _cached("races", [source], words[:5], lambda folder: _build_kit(words, folder)) / "races.o"


def _given(lab: Lab) -> list[Path]:
    """main.o and probe.o of the lab, then the archive of what all labs share.

    Each of the two holds what it uses of the archive, and no name of it but main can be seen from outside: whatever a
    student's own function is called, it stands in nobody's way. What the student uses comes from the archive. A probe
    may stand in for the C library's fopen(), which the archive's table.c calls.
    """
    shared = sorted(GIVEN.glob("*.c"))
    sources = [lab.folder / "main.c", lab.folder / "probe.c", *shared]
    headers = [*GIVEN.glob("*.h"), *lab.folder.glob("*.h"), C / "recorder.h"]
    words = ["-std=gnu11", "-g", "-O1", "-pthread", "-Wall", "-I", str(lab.folder), "-I", str(GIVEN), "-I", str(C)]

    def make(folder: Path) -> None:
        _build_kit([*words, "-c", *map(str, sources)], folder)
        _build_kit(["rcs", "given.a", *(f"{source.stem}.o" for source in shared)], folder, "ar")
        for name in ("main.o", "probe.o"):
            _build_kit(["-r", "-nostdlib", name, "given.a", "-o", f"whole-{name}"], folder)
            _build_kit(["--keep-global-symbol=main", "--keep-global-symbol=fopen", f"whole-{name}", name], folder, "objcopy")

    built = _cached(f"{lab.id}-given", [*sources, *headers], [*words[:5], "main, fopen"], make)
    return [built / "main.o", built / "probe.o", built / "given.a"]


def suite(lab: Lab) -> Path:
    """The lab's Criterion suite. Beside it lies tests.tsv, its list of tests. Raises BuildError."""
    sources = [lab.folder / "suite.c", C / "suite.c", *([lab.hidden / "hidden.c"] if lab.hidden else [])]
    words = [*SUITE_FLAGS, "-I", str(C), "-I", str(lab.folder)]

    def make(folder: Path) -> None:
        with ThreadPoolExecutor() as pool:
            objects = [f"{index}.o" for index in range(len(sources))]
            list(pool.map(lambda pair: _build_kit([*words, "-c", str(pair[0]), "-o", pair[1]], folder),
                          zip(sources, objects)))
        _build_kit([*objects, "-lcriterion", "-Wl,--export-dynamic-symbol=kill", "-Wl,--disable-new-dtags,-rpath,$ORIGIN", "-o", "suite"], folder)
        _stand_in_for_libgit2(folder)
        with tempfile.TemporaryDirectory(prefix="socklab-") as own:         # for Criterion's socket
            listing = spawn.run([folder / "suite"], env={"SOCKLAB_LIST": "1"}, stdout=subprocess.PIPE, cwd=own, timeout=30)
        if listing.returncode != 0 or not listing.stdout:
            raise BuildError(f"the suite of {lab.id} doesn't list its tests (status {listing.returncode})")
        (folder / "tests.tsv").write_bytes(listing.stdout)

    inputs = [*sources, C / "libgit2_stub.c", *C.glob("suite*.h"), *lab.folder.glob("suite*.h")]
    return _cached(f"{lab.id}-suite", inputs, words[:5], make) / "suite"


def _stand_in_for_libgit2(folder: Path) -> None:
    """Puts a library of three empty functions beside the suite; libgit2_stub.c says why."""
    found = os.fsdecode(spawn.run([compiler(), "-print-file-name=libcriterion.so"], stdout=subprocess.PIPE).stdout).strip()
    name = re.search(rb"libgit2\.so\.[0-9.]+", Path(found).read_bytes()) if Path(found).is_file() else None
    if name is not None:
        library = name[0].decode()
        _build_kit(["-shared", "-fPIC", f"-Wl,-soname,{library}", str(C / "libgit2_stub.c"), "-o", library], folder)


# ---- the student's program ------------------------------------------------------------------------

def read_submission(lab: Lab, tree: Path) -> bytes:
    """The student's file in a tree laid out like labs/. Raises SubmissionError."""
    path = tree / lab.folder.name / lab.file_name
    shown = f"{lab.folder.name}/{lab.file_name}"
    if path.parent.is_symlink():        # to the solutions, or to somebody else's work
        raise SubmissionError(f"{lab.folder.name} is a symbolic link, not a folder")
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            descriptor = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        finally:
            os.close(folder)
    except FileNotFoundError:
        raise SubmissionError(f"{shown} is missing") from None
    except OSError as error:
        reason = "is a symbolic link, not a file" if path.is_symlink() else f"can't be read ({error.strerror})"
        raise SubmissionError(f"{shown} {reason}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SubmissionError(f"{shown} isn't a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_SOURCE + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_SOURCE:
        raise SubmissionError(f"{shown} is larger than {MAX_SOURCE >> 10} KiB")
    if not content.strip():
        raise SubmissionError(f"{shown} is empty")
    return content


def student_programs(lab: Lab, source: bytes, sandbox: Sandbox, for_helgrind: bool = False,
                     debugged: bool = False) -> Programs:
    """Compiles the student's file and links both programs. Raises CompileError and BuildError.

    For helgrind, the compiler says which accesses are atomic: c/races.c. For a debugger it doesn't optimize, so that
    each line and variable is there.
    """
    main, probe, archive = _given(lab)
    parts = [*([_races()] if for_helgrind else []), archive, _recorder()]
    headers = [path for path in (*GIVEN.glob("*.h"), *lab.folder.glob("*.h")) if not path.name.startswith("suite")]
    own = [*(["-fsanitize=thread"] if for_helgrind else []), *(["-O0"] if debugged else [])]

    def make(folder: Path) -> None:
        try:
            with contextlib.closing(Room(sandbox, launcher(), [main, probe, *parts, *headers], kept=True)) as room:
                (room.folder / lab.file_name).write_bytes(source)
                (room.folder / lab.file_name).chmod(0o644)
                _build_student(lab, room, _steps(lab, room, [main, probe], parts, own), [main, probe, *parts], folder)
                _take(room.folder, (lab.name, "probe", "student.o"), folder)
        except OSError as error:
            raise BuildError(f"the compiler can't be run: {error}") from error
        (folder / lab.file_name).write_bytes(source)
        if taken := RECORDERS.search((folder / "student.o").read_bytes()):
            raise CompileError(f"{lab.file_name}: {taken[0].decode()} is a name that the grader keeps for itself", None)

    place = _cached(f"{lab.id}-student", [main, probe, *parts, *headers],
                    [*STUDENT_FLAGS, *link_flags(), *own, sandbox.tier], make, extra=source)      # what could it read?
    return Programs(place, place / lab.file_name, place / lab.name, place / "probe")


def _steps(lab: Lab, room: Room, mains: Sequence[Path], parts: Sequence[Path], own: Sequence[str]) -> str:
    """For the shell: compiles, then links both programs side by side. Each tells of its errors in one piece."""
    compile_it = [compiler(), *STUDENT_FLAGS, "-I", room.place("."), *own, "-c", lab.file_name, "-o", "student.o"]
    common = ["-pthread", "-g", "student.o", *(room.place(part.name) for part in parts), *link_flags()]
    links = [shlex.join([compiler(), room.place(path.name), *common, "-o", name])
             for path, name in zip(mains, (lab.name, "probe"), strict=True)]
    return (f"{shlex.join(compile_it)} || exit 1; {links[1]} >probe.log 2>&1 & {links[0]} || exit 1; "
            "wait $! || { cat probe.log; exit 1; }")


def _build_student(lab: Lab, room: Room, steps: str, inputs: Sequence[Path], folder: Path) -> None:
    limits = {"cpu": round(scaled(COMPILER_SECONDS)), "memory": 2 << 30, "fsize": 256 << 20, "nproc": room.processes(64)}
    log = os.memfd_create("log", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(log, MAX_LOG)          # it grows no more, whatever is printed
        fcntl.fcntl(log, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
        status = room.run(["/bin/sh", "-c", steps], limits, log, scaled(BACKSTOP_SECONDS))
        said = os.pread(log, MAX_LOG, 0).rstrip(b"\0").decode(errors="replace")
    except OSError as error:
        said = os.pread(log, MAX_LOG, 0).rstrip(b"\0").decode(errors="replace").strip()
        raise BuildError(f"the compiler can't be run: {said.splitlines()[0] if said else error}") from error
    finally:
        os.close(log)
    if status != 0:
        _check_compiler(folder, inputs)
    if status is None or re.search(r"(Killed|CPU time limit exceeded) signal terminated program", said):
        raise CompileError(f"{lab.file_name}: the compiler took more than {scaled(COMPILER_SECONDS):g} s and was stopped", None)
    if os.waitstatus_to_exitcode(status) == 125:            # the launcher's own
        raise BuildError(f"the compiler can't be run: {said.strip()}")
    if status != 0:
        raise _first_error(lab, said)


def _check_compiler(cwd: Path, inputs: Iterable[Path]) -> None:
    """After a student's file didn't build: raises BuildError where nothing would, because of the kit or this machine."""
    for path in inputs:
        if not path.exists():
            raise BuildError(f"{path.name} has gone from build/cache while it was needed (make clean?): grade again")
    _check_room(cwd)
    try:
        (cwd / "check.c").write_text("int main(void)\n{\n    return 0;\n}\n")
    except OSError as error:
        raise BuildError(f"there is no room to compile: {trouble.describe(error)}") from error
    _build_kit(["check.c", "-pthread", "-o", "check"], cwd)


def _check_room(cwd: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=cwd) as file:
            os.posix_fallocate(file.fileno(), 0, ROOM)
    except OSError as error:
        raise BuildError(f"there is no room to compile: {trouble.describe(error)}") from error


def _take(made: Path, names: Sequence[str], folder: Path) -> None:
    """Copies programs out of the compiler's folder, by another process: see Room. Raises OSError and BuildError."""
    for name in names:
        if not stat.S_ISREG((made / name).lstat().st_mode):
            raise OSError(f"the linker left no program {name}")
    copied = spawn.run(["cp", "--", *(str(made / name) for name in names), str(folder)], env={**os.environ, "LC_ALL": "C"},
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if copied.returncode != 0:
        _check_room(folder)
        said = copied.stderr.decode(errors="replace").strip().splitlines()
        raise BuildError(f"the program can't be put into build/cache: {said[0] if said else 'cp failed without a word'}")
    for name in names:
        (folder / name).chmod(0o755)


def _first_error(lab: Lab, said: str) -> CompileError:
    name = re.escape(lab.file_name)
    match = re.search(rf"^(?:.*/)?(?:{name}:(\d{{1,9}}):(?:\d+:)?|\S+\.s:\d+:) (?:fatal )?[Ee]rror: (.*)$", said, re.MULTILINE)
    if match and match[1]:
        return CompileError(f"{lab.file_name}:{match[1]}: {match[2]}", Location(lab.file_name, int(match[1])))
    if match:                           # the assembler's, by a line of its own file
        return CompileError(f"{lab.file_name}: {match[2]}", None)
    missing = re.search(r"undefined reference to [`']([^']+)'", said)
    if missing:
        return CompileError(f"{lab.file_name}: {missing[1]}() isn't there: it is called, and no file defines it", None)
    twice = re.search(r"multiple definition of [`']([^']+)'", said)
    if twice:
        return CompileError(f"{lab.file_name}: the kit's own code has a function {twice[1]}() already: leave yours out, "
                            "or rename it", None)
    lines = said.strip().splitlines()
    return CompileError(f"{lab.file_name}: {lines[0] if lines else 'the compiler failed without a word'}", None)
