"""Where the student's program runs: a network of its own, and bubblewrap around it.

Tier "bubblewrap": the grader moves into a fresh network namespace with only loopback, and each run of
the student's program gets its own pid, ipc and mount namespaces in which there is little but /usr.
Tier "none": limits alone; the reason is kept, and every report says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
TABLE_ENTRIES = 1024
FIRST_UID = 61000                   # as root: each run's program gets a user of its own from here on
UIDS = 2000
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache",
          "/etc/hosts", "/etc/nsswitch.conf")      # so that a program that looks names up finds localhost

DEVICES = ("/dev/null", "/dev/urandom")


@dataclass(frozen=True)
class Sandbox:
    """What was found to work. `why` says what is missing where tier is "none"."""

    tier: str                       # "bubblewrap" or "none"
    why: str = ""

    def command(self, launcher: Path, folder: Path) -> list[str]:
        """The words before the launcher's own options: its files in /lab, or where they are.

        `folder` holds the student's programs; see place() for what they are called inside.
        """
        if self.tier == "none":
            return [str(launcher)]
        return [*_bubblewrap(), "--perms", "0755", "--dir", "/lab", "--ro-bind", str(launcher), "/lab/launcher",
                "--ro-bind", str(folder), "/lab/bin", "--", "/lab/launcher"]

    def place(self, program: Path) -> str:
        """The path of one of the folder's programs as the launcher sees it."""
        return str(program) if self.tier == "none" else f"/lab/bin/{program.name}"

    def user(self, slot: int) -> int:
        """The user that a run's program becomes, -1 to stay: only root in the sandbox can choose."""
        return FIRST_UID + slot % UIDS if self.tier != "none" and os.getuid() == 0 else -1


def _bubblewrap() -> list[str]:
    words = ["bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1", "--cap-drop", "ALL"]
    if os.getuid() == 0:
        words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_KILL"]
    words += ["--perms", "0755", "--dir", "/etc"]          # made for a bind alone it would be root's and closed
    for path in SYSTEM:
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        elif os.path.exists(path):
            words += ["--ro-bind", path, path]
    words += ["--perms", "0755", "--dir", "/dev"]
    for device in DEVICES:          # bubblewrap's own --dev costs 3 ms a run
        words += ["--dev-bind", device, device]
    return words + ["--proc", "/proc", "--perms", "1777", "--tmpfs", "/tmp", "--chdir", "/tmp"]


def prepare(wish: str) -> Sandbox:
    """Moves this process into its own network and tries bubblewrap; call it before any thread starts.

    wish: "auto", "require" (the caller refuses a lower tier) or "off". Never raises: a Sandbox of tier
    "none" says why.
    """
    if wish == "off":
        return Sandbox("none", "switched off by --sandbox off")
    if shutil.which("bwrap") is None:
        return Sandbox("none", "bubblewrap isn't installed (make setup)")
    trouble = _enter_network() or _try_bubblewrap()
    return Sandbox("none", trouble) if trouble else Sandbox("bubblewrap")


def _enter_network() -> str:
    """Unshares the network, and as a plain user a user namespace with it. '' or what went wrong."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNET if uid == 0 else CLONE_NEWUSER | CLONE_NEWNET
    if libc.unshare(flags) == -1:
        return f"this system refuses a network namespace ({os.strerror(ctypes.get_errno())})"
    try:
        if uid != 0:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        _shrink_tables(libc)
        _raise_loopback()
    except OSError as error:
        return f"this system refuses a network namespace ({error.strerror})"
    _keep_time_wait()
    return ""


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


def _try_bubblewrap() -> str:
    """Runs the real command once on /bin/true. '' or what went wrong."""
    try:
        done = subprocess.run([*_bubblewrap(), "--", "/usr/bin/true"], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap doesn't run here ({error})"
    if done.returncode == 0:
        return ""
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return f"bubblewrap doesn't run here ({said[0] if said else done.returncode})"
