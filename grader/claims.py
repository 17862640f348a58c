"""What a grade leaves lying about while it runs, so that it can be removed whatever becomes of the grade.

Each grade has one folder for all that is temporary, and holds a lock on it as long as it lives. What lies elsewhere
for a moment (a report that is being written, a program that is being built) is named there by a link. So after a
kill -9 the next grade finds a folder that nobody holds, and removes it and all that it names.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX, UNCLAIMED, LINK = "socklab-grade-", ".socklab-new-", "aside-"
MODE = 0o711                        # another user's program may pass through, and see nothing
LONGEST_FOLDER = 40                 # a socket lies in a folder below it, and its name holds 107 bytes

_numbers = itertools.count()
_folder: Path | None = None         # of this process's grade


def make() -> tuple[Path, int]:
    """A new folder, and the descriptor that holds the lock on it. Raises OSError.

    It gets the name that sweep() looks for once it is locked.
    """
    usual = tempfile.gettempdir()
    parent = usual if len(os.fsencode(usual)) <= LONGEST_FOLDER else "/tmp"
    fresh = Path(tempfile.mkdtemp(prefix=UNCLAIMED, dir=parent))
    lock = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.chmod(fresh, MODE)
    folder = fresh.with_name(PREFIX + fresh.name.removeprefix(UNCLAIMED))
    fresh.rename(folder)
    return folder, lock


def use(folder: Path) -> None:
    """From here on this process, and all that it starts, puts there what is temporary."""
    global _folder
    _folder = folder
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)


@contextlib.contextmanager
def aside(path: Path) -> Iterator[None]:
    """While `path` is there for a moment. It is the caller who removes it in the end, or gives it its real name."""
    if _folder is None:
        yield
        return
    link = _folder / f"{LINK}{next(_numbers)}"
    link.symlink_to(path.absolute())
    try:
        yield
    finally:
        link.unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Removes a grade's folder and what it names. The grade must be over. Never raises."""
    for link in folder.rglob(f"{LINK}*"):
        with contextlib.suppress(OSError):
            named = Path(os.readlink(link))
            if named.name.startswith("."):          # as all that lies aside is called
                named.unlink() if not named.is_dir() or named.is_symlink() else shutil.rmtree(named, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Removes what killed grades of this user have left in a folder like /tmp. Never raises."""
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                facts = os.fstat(lock)
                if facts.st_uid == os.getuid() and stat.S_IMODE(facts.st_mode) == MODE:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(folder)
            finally:
                os.close(lock)
