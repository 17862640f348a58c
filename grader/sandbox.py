"""Where the student's program and the compiler of it run: what holds them, and what they have of the file system.

Tier "bubblewrap": the grader moves into a fresh network namespace with only loopback, and each run gets its own
pid, ipc and mount namespaces in which there is little but /usr. Tier "landlock", where that is refused: the kernel
opens no other files to it, and no signal leaves (c/landlock.h says since when). Tier "none": limits alone.
What the better tier lacks is kept, and every report says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import itertools
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from . import kernel, spawn

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
TABLE_ENTRIES = 1024
FIRST_UID = 61000                   # as root: each run gets a user of its own from here on
UIDS = 2000
TMP_BYTES = 64 << 20                # of /tmp in bubblewrap, which is memory
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache",
          "/etc/hosts", "/etc/nsswitch.conf")      # so that a program that looks names up finds localhost
ALTERNATIVES = "/etc/alternatives"                  # cc is a link into it
DEVICES = ("/dev/null", "/dev/urandom")
PROC = ("/proc/self", "/proc/sys")                  # with Landlock: the program's own, and what sysctl(8) reads
TRIAL_SECONDS = 10
MADE = "made"

_slots = itertools.count()


@dataclass(frozen=True)
class Sandbox:
    """What was found to work. `why` says what is missing where tier isn't "bubblewrap"."""

    tier: str                       # "bubblewrap", "landlock" or "none"
    why: str = ""
    users: bool = False             # each run can become a user of its own: only root can

    @property
    def notice(self) -> str:
        """For every report, "" where nothing is missing."""
        if self.tier == "bubblewrap":
            return ""
        if self.tier == "landlock":
            return f"A weaker sandbox, Landlock: {self.why}."
        return f"No sandbox: {self.why}. Graded under limits alone."


class Room:
    """What one run sees of the file system besides the system's own: files to read, and a folder to write in.

    close() removes both; it may be called more than once. Raises OSError where the folder can't be made.
    """

    def __init__(self, sandbox: Sandbox, launcher: Path, files: Sequence[Path], kept: bool = False,
                 instead: Sequence[tuple[Path, Path]] = ()) -> None:
        """files: all of one folder, or `kept`. kept: what is written is there, in `folder`, until close().

        instead: files of the system's, each as another that is shown in its place, by bubblewrap alone.
        """
        self._instead = instead
        self.user = FIRST_UID + (os.getpid() * 31 + next(_slots)) % UIDS if sandbox.users else -1
        self._tier, self._launcher = sandbox.tier, launcher
        self._files = files[0].parent
        self._base: Path | None = None
        self.folder = Path("/tmp")              # bubblewrap's own, which ends with it
        if kept or self._tier != "bubblewrap":
            self._make(files, copied=kept or (sandbox.users and self._tier != "bubblewrap"))

    def _make(self, files: Sequence[Path], copied: bool) -> None:
        """Copies for whom the kit may be out of reach: it can lie in a home of mode 0700."""
        self._base = Path(tempfile.mkdtemp(prefix="socklab-"))
        self.folder = self._base / "tmp"
        try:
            self.folder.mkdir()
            if copied:
                self._files = self._base / "files"
                self._files.mkdir()
                # By another process: what a thread here has open to write, a child of another thread has open too,
                # and then it can't be executed.
                spawn.run(["cp", "--", *map(str, files), str(self._files)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).check_returncode()
                for place in (self._files, *self._files.iterdir()):
                    place.chmod(0o755)          # whatever umask(2) is
            if self.user != -1:
                self._base.chmod(0o711)
                os.chown(self.folder, self.user, self.user)
        except (OSError, subprocess.CalledProcessError) as error:
            self.close()
            raise OSError(f"can't prepare {self._base}: {error}") from error

    def command(self) -> list[str]:
        """The words before the launcher's own options. They are for the folder `folder`."""
        if self._tier == "bubblewrap":
            return [*_bubblewrap(self.folder if self._base else None), "--perms", "0755", "--dir", "/lab",
                    "--ro-bind", str(self._launcher), "/lab/launcher", "--ro-bind", str(self._files), "/lab/bin",
                    *(word for shown, place in self._instead for word in ("--ro-bind", str(shown), str(place))),
                    "--remount-ro", "/", "--", "/lab/launcher", *self._taken_user()]
        if self._tier == "landlock":
            readable = [path for path in (*SYSTEM, *DEVICES, *PROC, str(self._files)) if os.path.exists(path)]
            return [str(self._launcher), *self._taken_user(), *(f"read={path}" for path in readable),
                    "write=/dev/null", f"write={self.folder}"]
        return [str(self._launcher), *self._taken_user()]

    def _taken_user(self) -> list[str]:
        return [] if self.user == -1 else [f"uid={self.user}"]

    def place(self, name: str) -> str:
        """The path of one of the files, or of their folder for "", as the run sees it."""
        return os.path.join("/lab/bin" if self._tier == "bubblewrap" else str(self._files), name)

    @property
    def home(self) -> str:
        """The folder to write in, as the run sees it."""
        return "/tmp" if self._tier == "bubblewrap" else str(self.folder)

    def processes(self, most: int) -> int:
        """RLIMIT_NPROC for a run of so many processes. Where its user has others, they count too: all of the system's
        are an upper limit of these."""
        if self._tier == "bubblewrap" or self.user != -1:
            return most                 # counted in a user or a user namespace of its own
        return most + kernel.all_threads()

    def run(self, words: Sequence[str], limits: dict[str, int], log: int, seconds: float) -> int | None:
        """A command's raw wait status (wait(2)); None if it was stopped, when the time was up. What it and whatever
        it started print goes to the descriptor `log`. Raises OSError where it couldn't be started."""
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with control:
            with theirs:
                places = {"control": theirs.fileno(), "stdout": log, "stderr": log}
                options = [f"{name}={value}" for name, value in {**places, **limits}.items()]
                environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": self.home, "TMPDIR": self.home}
                process = spawn.start([*self.command(), *options, "--", *words], cwd=self.folder, stdout=log,
                                      stderr=log, stdin=subprocess.DEVNULL, env=environment,
                                      pass_fds=(theirs.fileno(), log))
            try:
                return _end_of(control, seconds)
            finally:
                control.shutdown(socket.SHUT_RDWR)
                end_launcher(process)

    def close(self) -> None:
        """Whatever the run has left there goes."""
        if self._base is None or not self._base.exists():
            return
        try:
            self.folder.rmdir()
        except OSError:                 # not empty, or closed to us; deeper, perhaps, than Python can follow
            for words in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
                spawn.run([*words, "--", str(self._base)], stderr=subprocess.DEVNULL)
        shutil.rmtree(self._base, ignore_errors=True)


def end_launcher(process: subprocess.Popen[bytes], seconds: float | None = 20) -> None:
    """Waits until it has ended, as it does soon after the control socket was shut; else it is killed."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_of(control: socket.socket, seconds: float) -> int | None:
    """Waits for the launcher's words: its sign, then how the command ended. Raises OSError where it says neither."""
    began = False
    while kernel.readable([control.fileno()], seconds):
        data = control.recv(8)
        if len(data) == 8:
            return int(struct.unpack("2i", data)[0])
        if not data:
            raise OSError("it ended without a word" if began else "it didn't begin")
        began = True
    return None


def _bubblewrap(tmp: Path | None) -> list[str]:
    """tmp: what is to be /tmp, for a compiler; None: memory."""
    words = ["bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1", "--cap-drop", "ALL"]
    if os.getuid() == 0:
        words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_KILL"]
    words += ["--perms", "0755", "--dir", "/etc"]          # made for a bind alone it would be root's and closed
    for path in (*SYSTEM, *([ALTERNATIVES] if tmp else [])):
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        elif os.path.exists(path):
            words += ["--ro-bind", path, path]
    words += ["--perms", "0755", "--dir", "/dev"]
    for device in DEVICES:          # bubblewrap's own --dev costs 3 ms a run
        words += ["--dev-bind", device, device]
    own = ["--bind", str(tmp)] if tmp else ["--perms", "1777", "--size", str(TMP_BYTES), "--tmpfs"]
    return [*words, "--proc", "/proc", *own, "/tmp", "--chdir", "/tmp"]


def prepare(wish: str, launcher: Callable[[], Path]) -> Sandbox:
    """Moves this process into its own network and tries the tiers; call it before any thread starts.

    wish: "auto", "require" (the caller refuses a lower tier) or "off". launcher: builds c/launcher.c. A Sandbox that
    isn't of the first tier says why. Raises what launcher() raises.
    """
    why = "switched off by --sandbox off"
    if wish != "off":
        trouble = _enter_network() or ("" if shutil.which("bwrap") else "bubblewrap isn't installed (make setup)")
        found, why = _try("bubblewrap", "", launcher()) if not trouble else (None, trouble)
        if found is None:
            found, weaker = _try("landlock", why, launcher())
            why = f"{why}; and {weaker}"
        if found is not None:
            return found
    return _try("none", why, launcher())[0] or Sandbox("none", why)


def _try(tier: str, why: str, launcher: Path) -> tuple[Sandbox | None, str]:
    """The tier's Sandbox, with a user for each run where this one is root and may choose; or None, and what was said
    where `true` was run as the student's program will be."""
    said = ""
    for users in (True, False) if os.getuid() == 0 else (False,):
        sandbox = Sandbox(tier, why, users)
        with tempfile.TemporaryFile() as log:
            try:
                with contextlib.closing(Room(sandbox, launcher, [Path("/usr/bin/true")])) as room:
                    if room.run(["/usr/bin/true"], {}, log.fileno(), TRIAL_SECONDS) == 0:
                        return sandbox, ""
                said = "it fails"
            except OSError as error:
                said = str(error)
            log.seek(0)
            lines = log.read(4096).decode(errors="replace").strip().splitlines()
            said = f"{tier} doesn't run here ({lines[0] if lines else said})"
    return None, said


def _enter_network() -> str:
    """Moves into a network of its own, and as a plain user into a user namespace. '' or what went wrong.

    A child makes them first. Some systems allow the namespace and then refuse what makes it of use (Ubuntu's AppArmor:
    the map of users), and there is no way back: this process would be nobody, without a network. So it only follows
    where all has worked.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    ours, theirs = socket.socketpair()
    with ours:
        child = os.fork()
        if child == 0:
            ours.close()
            _make_network(libc, theirs)
        theirs.close()
        try:
            why = ours.recv(200).decode(errors="replace")
            if why == MADE:
                return _follow(libc, child)
            return f"this system refuses a network namespace ({why or 'what tried it was ended'})"
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _make_network(libc: ctypes.CDLL, parent: socket.socket) -> NoReturn:
    """The child's whole life: makes the network, tells how that went, and waits for its end."""
    try:
        uid, gid = os.getuid(), os.getgid()
        if libc.unshare(CLONE_NEWNET if uid == 0 else CLONE_NEWUSER | CLONE_NEWNET) == -1:
            raise _last_error()
        if uid != 0:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        _shrink_tables(libc)
        _raise_loopback()
        _keep_time_wait()
        parent.send(MADE.encode())
        parent.recv(1)                  # until it is killed, or its parent has gone
    except OSError as error:
        parent.send((error.strerror or str(error)).encode())
    finally:
        os._exit(0)


def _follow(libc: ctypes.CDLL, child: int) -> str:
    """Enters the child's network. '' or what went wrong."""
    kinds = ("net",) if os.getuid() == 0 else ("user", "net")
    try:
        with contextlib.ExitStack() as files:
            for file in [files.enter_context(open(f"/proc/{child}/ns/{kind}", "rb")) for kind in kinds]:
                if libc.setns(file.fileno(), 0) == -1:
                    raise _last_error()
    except OSError as error:
        return f"this system refuses to enter a network namespace ({error.strerror})"
    return ""


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _shrink_tables(libc: ctypes.CDLL) -> None:
    """Moves once more, into a network whose table of connections is its own and small.

    All networks share the machine's table otherwise, and whoever lists connections walks through all of it,
    several ms a time (Documentation/networking/ip-sysctl: tcp_child_ehash_entries). Older kernels don't have it.
    """
    settings = Path("/proc/sys/net/ipv4")
    try:
        (settings / "tcp_child_ehash_entries").write_text(str(TABLE_ENTRIES))
    except OSError:
        return
    if libc.unshare(CLONE_NEWNET) == 0:
        (settings / "tcp_max_tw_buckets").write_text("65536")       # half the table's entries unless told


def _keep_time_wait() -> None:
    """On two processors a last ACK can be overtaken; what answers it is a reset, and that ends a TIME_WAIT, once in a
    thousand conversations (RFC 1337). Lab 4 looks for TIME_WAIT, so in this network resets don't end it."""
    with contextlib.suppress(OSError):              # where /proc/sys is read-only: verbs/sockets.py knows another way
        Path("/proc/sys/net/ipv4/tcp_rfc1337").write_text("1")


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
