"""One run of the student's program: started in the sandbox, watched from outside, ended for certain."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from . import kernel, spawn
from .build import Programs, symbols
from .catalog import KIT, Limits
from .evidence import Sleeper
from .pace import scaled
from .recording import Recording
from .sandbox import Room, Sandbox, end_launcher
from .text import quote
from .valgrind import Findings, read_findings, tool_words

REPORT_FD, RECORD_FD, LOG_FD = 900, 901, 902        # launcher.c puts them there
KIT_DESCRIPTORS = frozenset({REPORT_FD, RECORD_FD, LOG_FD})
POLLS = frozenset({"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2"})
SLEEPS = {                                          # what the kernel calls what a program calls
    "accept": frozenset({"accept", "accept4"}),
    "recv": frozenset({"recvfrom", "recvmsg", "recvmmsg", "read", "readv", "splice"}),
    "read": frozenset({"read", "readv"}),
    "send": frozenset({"sendto", "sendmsg", "sendmmsg", "write", "writev", "sendfile", "splice"}),
}
PIPE_BYTES, MOST_PIPE_BYTES = 1 << 16, 1 << 20     # what a pipe holds before anybody reads, and can be made to hold
MAX_READ = 1 << 20                                  # of standard output, as evidence
SIGN_SECONDS = 8                                    # for the sandbox to begin, which takes 5 ms
TROUBLE = KIT / "build" / "trouble.log"
PATIENCE = 4                                        # times the limit of processor time, while bytes move
SLOWLY_MOVED = 1 << 18                              # bytes: who moves more isn't slow for moving one a call
BACKSTOP_CPU = 60                                   # the watch in scene.py is stricter by far


class StartError(Exception):
    """The run couldn't be started: the grader's failure, never the student's."""


@dataclass(frozen=True)
class Request:
    """What a suite asks for: see struct run_options in suite.h."""

    function: str = ""
    times: str = ""
    stay: bool = False
    input_kind: str = "bytes"
    input: bytes = b""
    faults: str = ""
    tool: str = ""
    nofile: int = 0
    args: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For a reader: `client_connect()` or the command's arguments."""
        return f"{self.function}()" if self.function else "your program"


@dataclass(frozen=True)
class Ended:
    """How the program ended by itself, from its raw wait status."""

    status: int | None              # of exit(), None if a signal killed it
    signal: int | None
    left_over: int                  # processes it left behind

    def words(self, errors: bytes = b"") -> str:
        """For a reader. errors: what it wrote to standard error."""
        if self.signal is not None:
            return f"was killed by {signal_words(self.signal, errors)}"
        return f"exited with status {self.status}"

    @property
    def crashed(self) -> bool:
        """Whether a signal ended it that it brought on itself."""
        return self.signal in CRASHES


@dataclass(frozen=True)
class Reported:
    """One call of a contract function, as the probe reports it."""

    result: int
    errno: int


def signal_name(number: int) -> str:
    """SIGPIPE for 13."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


SIGNAL_MEANINGS = {
    signal.SIGSEGV: "it used memory that isn't its own", signal.SIGBUS: "it used memory that isn't its own",
    signal.SIGABRT: "it called abort(), or the C library found its memory spoilt",
    signal.SIGFPE: "it divided by zero", signal.SIGPIPE: "it sent to a peer that had left",
    signal.SIGXFSZ: "it printed more than it may", signal.SIGXCPU: "it ran too long",
}


CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGPIPE,
                     signal.SIGXFSZ, signal.SIGTRAP, signal.SIGSYS})    # that a program brings on itself
LAST_WORDS = re.compile(r"(free|malloc|realloc|calloc|munmap_chunk|malloc_consolidate)\(\): |double free or corruption"
                        r"|corrupted |(\*\*\* (stack smashing|buffer overflow) detected)|.*: Assertion `.*' failed\.$")


def signal_words(number: int, errors: bytes = b"") -> str:
    """SIGPIPE (it sent to a peer that had left). errors: standard error, where the C library says why it calls abort()."""
    meaning = SIGNAL_MEANINGS.get(signal.Signals(number)) if number in signal.valid_signals() else None
    said = errors.decode("utf-8", "replace").rstrip().rpartition("\n")[2] if number == signal.SIGABRT else ""
    if LAST_WORDS.match(said):
        meaning = f"the C library called abort(), and said {quote(said.encode(), 120)}"
    return f"{signal_name(number)} ({meaning})" if meaning else signal_name(number)


class StudentRun:
    """The student's program from start to end. Its methods never raise on what the student does.

    close() ends it and frees everything; it may be called from any thread and more than once.
    """

    def __init__(self, number: int, request: Request, programs: Programs, launcher: Path, sandbox: Sandbox,
                 limits: Limits, seed: int, debugged: bool = False, queues: bool = False) -> None:
        self.debugged = debugged            # it waits for a debugger before it begins, and runs without valgrind
        self.number = number
        self.request = request
        self.limits = limits
        self.programs = programs
        self.pid = 0
        self.ended: Ended | None = None
        self._moved, self._moved_at = 0, 0.0    # bytes, and the processor time used when they were last seen to grow
        self._broken = ""                   # why it never began, the grader's failure
        self._lock = threading.Lock()
        self._closed = False
        self._room: Room | None = None
        self.recording = Recording.create(request.faults, seed, queues=queues)
        self._files = {name: os.memfd_create(name) for name in ("stdout", "stderr", "report", "log", "launcher")}
        self._input = -1                    # our end of held input or of the terminal
        self._terminal = bytearray()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        try:
            self._start(theirs, programs, launcher, sandbox)
        except OSError as error:
            self.close()
            raise StartError(f"can't start the student's program: {error}") from error
        finally:
            theirs.close()

    # ---- starting ---------------------------------------------------------------------------------

    def _start(self, control: socket.socket, programs: Programs, launcher: Path, sandbox: Sandbox) -> None:
        places = {"control": control.fileno(), "stdout": self._files["stdout"], "stderr": self._files["stderr"],
                  "record": self.recording.fd, "report": self._files["report"]}
        if self.request.tool:
            places["log"] = self._files["log"]
        stdin = self._make_input(places)
        program = programs.probe if self.request.function else programs.main
        self._room = room = Room(sandbox, launcher, [program], instead=symbols() if self.request.tool else ())
        words = [*room.command(), *(f"{name}={fd}" for name, fd in places.items()),
                 *(f"{name}={value}" for name, value in self._limits(room).items()), "--",
                 *self._program(room.place(program.name))]
        try:
            self.process = spawn.start(words, pass_fds=tuple(places.values()), env=self._environment(room),
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=self._files["launcher"], cwd=room.folder)
        finally:
            if stdin >= 0:
                os.close(stdin)
            control.close()                         # so that a sandbox that fails is seen as an end
        self._learn_pid()

    def _make_input(self, places: dict[str, int]) -> int:
        """The program's standard input; returns the end to close once it has started."""
        kind = self.request.input_kind
        if kind == "closed":
            return -1
        if kind == "terminal":
            self._input, theirs = pty.openpty()
            settings = termios.tcgetattr(theirs)
            settings[1] &= ~termios.ONLCR           # output arrives as it was written
            termios.tcsetattr(theirs, termios.TCSANOW, settings)
            places["stdin"] = places["stdout"] = theirs
        elif kind == "held":
            theirs, self._input = os.pipe()
            if len(self.request.input) > PIPE_BYTES:
                fcntl.fcntl(self._input, fcntl.F_SETPIPE_SZ, MOST_PIPE_BYTES)
            places["stdin"] = theirs
        else:
            theirs = os.memfd_create("stdin")
            _write_all(theirs, self.request.input)
            os.lseek(theirs, 0, os.SEEK_SET)
            places["stdin"] = theirs
        if kind in ("held", "terminal") and self.request.input:
            _write_all(self._input, self.request.input)
        return theirs

    def _limits(self, room: Room) -> dict[str, int]:
        limits = self.limits
        found = {"cpu": round(scaled(BACKSTOP_CPU)), "fsize": limits.output_mb << 20, "nproc": room.processes(limits.processes),
                 "nofile": self.request.nofile or 1024}
        if not self.request.tool:
            found["memory"] = limits.memory_mb << 20
        if self.request.input_kind == "terminal":
            found["terminal"] = 1
        return found

    def _program(self, path: str) -> list[str]:
        request = self.request
        words = tool_words(request.tool) if request.tool and not self.debugged else []
        if not request.function:
            return [*words, path, *request.args]
        options = [*(["--times", request.times] if request.times else []), *(["--stay"] if request.stay else [])]
        return [*words, path, *options, request.function, *request.args]

    def _environment(self, room: Room) -> dict[str, str]:
        debugger = {"SOCKLAB_DEBUGGER": "1"} if self.debugged else {}
        return {"PATH": "/usr/bin:/bin", "HOME": room.home, "TMPDIR": room.home, "LC_ALL": "C.UTF-8",
                "SOCKLAB_RECORD": str(RECORD_FD), **debugger}

    def _learn_pid(self) -> None:
        """The kernel adds the sender's real pid to the program's first byte, in our own pid namespace."""
        if not kernel.readable([self._control.fileno()], scaled(SIGN_SECONDS)):
            raise TimeoutError(f"the launcher gave no sign within {SIGN_SECONDS} s: {self._state_of_start()}")
        byte, ancillary, _, _ = self._control.recvmsg(1, socket.CMSG_SPACE(12))
        for level, kind, data in ancillary:
            if byte and level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                self.pid = struct.unpack("3i", data)[0]
        if not self.pid:
            raise OSError(self._last_words("launcher", "stderr"))       # the second once it has moved its descriptors

    def _state_of_start(self) -> str:
        """Where each process on the way to the program is, for who has to find out why it hangs."""
        found = []
        for pid in kernel.family(self.process.pid):
            parts = [_read_proc(pid, name) for name in ("comm", "wchan", "syscall")]
            found.append(f"{pid} {' '.join(part.split()[0] for part in parts if part)}")
        said = _read_file(self._files["launcher"]).decode(errors="replace").strip()
        return "; ".join([*found, said])

    # ---- watching ---------------------------------------------------------------------------------

    def poll(self) -> Ended | None:
        """How it ended, None while it runs. Never waits. Raises StartError where it was never started."""
        with self._lock:
            if self.ended is None and not self._closed and kernel.readable([self._control.fileno()], 0):
                self._take_message()
            if self.ended is not None and self._broken:
                raise StartError(self._broken)
            return self.ended

    def _take_message(self) -> None:
        """How the program ended, or the launcher's word that the limit is raised, or that nothing was started."""
        data = self._control.recv(8)
        if data == b"l":
            return
        if data == b"x":
            self._broken = f"can't start the student's program: {self._last_words('stderr')}"
            return
        if len(data) < 8:           # the launcher was killed: a hostile program of the same user can do that
            self.ended = Ended(None, signal.SIGKILL, 0)
            return
        raw, left_over = struct.unpack("2i", data)
        with contextlib.suppress(StartError):
            self.check_tool()
        if os.WIFSIGNALED(raw):
            self.ended = Ended(None, os.WTERMSIG(raw), left_over)
        else:
            self.ended = Ended(os.WEXITSTATUS(raw), None, left_over)

    @property
    def program(self) -> Path:
        """The program that runs: the probe or the whole one."""
        return self.programs.probe if self.request.function else self.programs.main

    def check_tool(self) -> None:
        """Raises StartError where there is no sign that valgrind ever ran, nor the program under it."""
        began = self.recording.total > 0 or any(_read_file(self._files[name]) for name in ("log", "report"))
        if self.request.tool and not self.debugged and not began:
            self._broken = f"{self.request.tool} didn't begin: {self._last_words('stderr')}"
            raise StartError(self._broken)

    def _last_words(self, *names: str) -> str:
        said = "\n".join(_read_file(self._files[name]).decode(errors="replace") for name in names).strip()
        return said.splitlines()[-1] if said else "it ended without a word"

    @property
    def control(self) -> socket.socket:
        """Readable once the program has ended."""
        return self._control

    def cpu_seconds(self) -> float:
        """Processor time used so far by the program and the processes that it started, 0 once it has ended."""
        return 0.0 if self.ended else sum(kernel.cpu_seconds(pid) for pid in kernel.family(self.process.pid))

    def runs_on(self) -> bool:
        """Whether it has used more processor time than a right program needs. While the first bytes move it is given more,
        but not without end: a byte a call is slow, and right."""
        used, moved = self.cpu_seconds(), min(self.recording.moved, SLOWLY_MOVED)
        limit = scaled(self.limits.valgrind_seconds if self.request.tool else self.limits.cpu_seconds)
        if moved != self._moved:
            self._moved, self._moved_at = moved, used
        return used > min(self._moved_at + limit, PATIENCE * limit)

    def sleeps_in(self, call: str) -> bool:
        """Whether a thread sleeps in this call, or in poll() and its like, which may stand before it."""
        names = SLEEPS.get(call, frozenset({call})) | POLLS
        return any(thread.state == "S" and thread.syscall in names for thread in kernel.threads(self.pid))

    def sleepers(self) -> tuple[Sleeper, ...]:
        """Its threads that sleep in a system call right now."""
        found = kernel.threads(self.pid) if self.poll() is None else []
        return tuple(Sleeper(one.own_tid, one.syscall) for one in found if one.state == "S" and one.syscall)

    # ---- acting -----------------------------------------------------------------------------------

    def type_text(self, text: bytes) -> None:
        """Writes to held input or the terminal; a program that has gone doesn't matter."""
        try:
            _write_all(self._input, text)
        except OSError:
            pass

    @property
    def held(self) -> bool:
        """Whether its standard input is held open: a probe that is to stay doesn't end."""
        return self.request.input_kind == "held" and self._input >= 0

    def end_input(self) -> None:
        """Closes held input, or types Ctrl-D at the terminal."""
        with self._lock:
            if self._input >= 0 and self.request.input_kind == "terminal":
                self._drain_terminal()
                os.write(self._input, b"\x04")
            elif self._input >= 0:
                os.close(self._input)
                self._input = -1

    def raise_nofile(self, limit: int) -> None:
        """prlimit(2) on the running program, done by the launcher: it can become the program's user."""
        with self._lock:
            if self.ended is None:
                self._control.send(struct.pack("i", limit))
                kernel.readable([self._control.fileno()], 5)
                self._take_message()

    def send_signal(self, number: int) -> None:
        """kill(2); a program that has gone doesn't matter."""
        with self._lock:
            if self.ended is None and self.pid:
                try:
                    os.kill(self.pid, number)
                except ProcessLookupError:
                    pass

    def stop(self) -> None:
        """Ends the program and all it started; returns when none is left."""
        with contextlib.suppress(StartError):
            self.poll()
        try:
            self._control.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        if hasattr(self, "process"):
            if not self.pid:            # it never began: nothing listens to the control socket
                self.process.kill()
            end_launcher(self.process, None if self.debugged else 20)       # gdb has to notice, too

    def close(self) -> None:
        """stop(), then frees everything; evidence must have been taken before."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self.stop()
        if self._room is not None:
            self._room.close()
        self._control.close()
        self.recording.close()
        if self._input >= 0:
            os.close(self._input)
        for descriptor in self._files.values():
            os.close(descriptor)

    # ---- evidence ---------------------------------------------------------------------------------

    def output(self) -> bytes:
        """Standard output so far."""
        if self.request.input_kind == "terminal":
            with self._lock:
                self._drain_terminal()
                return bytes(self._terminal)
        return _read_file(self._files["stdout"])

    def errors(self) -> bytes:
        """Standard error so far."""
        return _read_file(self._files["stderr"])

    def _drain_terminal(self) -> None:
        while self._input >= 0 and kernel.readable([self._input], 0):
            try:
                piece = os.read(self._input, 65536)
            except OSError:         # EIO: the program's side is closed
                return
            if not piece:
                return
            self._terminal += piece[:max(0, MAX_READ - len(self._terminal))]

    def _report_lines(self, word: str) -> list[list[str]]:
        text = _read_file(self._files["report"]).decode("ascii", errors="replace")
        whole = text[:text.rfind("\n") + 1]
        return [line.split(" ") for line in whole.splitlines() if line.startswith(word + " ")]

    def reported(self) -> tuple[Reported, ...]:
        """The probe's calls so far."""
        return tuple(Reported(_number(line[1]), _number(line[2])) for line in self._report_lines("call")
                     if len(line) == 3)

    def reported_texts(self) -> tuple[tuple[str, bytes], ...]:
        """Every report_text() and report_bytes() so far, with its name."""
        return tuple((line[1], _bytes(line[2])) for line in self._report_lines("text") if len(line) == 3)

    def reported_numbers(self) -> tuple[tuple[str, int], ...]:
        """Every report_number() so far, with its name."""
        return tuple((line[1], _number(line[2])) for line in self._report_lines("number") if len(line) == 3)

    def reported_bytes(self, name: str) -> bytes | None:
        """The last report_text() or report_bytes() of that name."""
        return dict(self.reported_texts()).get(name)

    def reported_number(self, name: str) -> int | None:
        """The last report_number() of that name."""
        return dict(self.reported_numbers()).get(name)

    def descriptors(self) -> dict[int, str]:
        """Open descriptors without the kit's own; empty once it has ended."""
        return {fd: name for fd, name in kernel.descriptors(self.pid).items() if fd not in KIT_DESCRIPTORS}

    def listeners(self) -> list[kernel.Socket]:
        """The listening sockets it holds, from the kernel's table."""
        inodes = set(kernel.socket_inodes(self.pid).values())
        return [found for found in kernel.sockets(states=(kernel.State.LISTEN,)) if found.inode in inodes]

    def findings(self) -> Findings | None:
        """What valgrind said, None without valgrind."""
        if not self.request.tool:
            return None
        log = _read_file(self._files["log"], 4 << 20).decode(errors="replace")
        return read_findings(log, self.programs.source.name)


def start(number: int, request: Request, programs: Programs, launcher: Path, sandbox: Sandbox, limits: Limits,
          seed: int, debugged: bool = False, queues: bool = False) -> StudentRun:
    """Starts a run. Where the sandbox gives no sign the program hasn't begun: so it is tried again, twice.

    Each such try is told in build/trouble.log. Raises StartError.
    """
    for last in (False, False, True):
        try:
            return StudentRun(number, request, programs, launcher, sandbox, limits, seed, debugged, queues)
        except StartError as error:
            if last or not isinstance(error.__cause__, TimeoutError):
                raise
            with open(TROUBLE, "a", encoding="utf-8") as log:
                log.write(f"{time.strftime('%F %T')} {error}\n")
    raise AssertionError("the last try returns or raises")


def _read_proc(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex("" if text == "-" else text)
    except ValueError:
        return b""


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view):]


def _read_file(descriptor: int, most: int = MAX_READ) -> bytes:
    return os.pread(descriptor, most, 0)
