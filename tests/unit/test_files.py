"""Files are written whole or not at all; what is no file is never replaced by one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

KIT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(KIT))

from grader import files  # noqa: E402


def test_a_new_file_and_its_folders(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b" / "report.json"
    files.write(place, "Grüße")
    assert place.read_text(encoding="utf-8") == "Grüße" and stat.S_IMODE(place.stat().st_mode) == 0o644
    assert os.listdir(place.parent) == ["report.json"]


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    place = tmp_path / "marks.json"
    place.write_text("a longer text than the next one")
    place.chmod(0o600)
    files.write(place, "new")
    assert place.read_text() == "new" and stat.S_IMODE(place.stat().st_mode) == 0o600


def test_a_name_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    place = tmp_path / ("é" * 127)
    files.write(place, "x")
    assert place.read_text() == "x"


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_one_and_its_target_is_written(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "kept" / "report.json", tmp_path / "link"
    target.parent.mkdir()
    if there:
        target.write_text("old")
    link.symlink_to(Path("kept") / "report.json")
    files.write(link, "new")
    assert link.is_symlink() and target.read_text() == "new" and not target.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["kept", "link"] and os.listdir(target.parent) == ["report.json"]


def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("link")
    with pytest.raises(OSError, match="symbolic links"):
        files.write(link, "x")
    assert link.is_symlink()


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text, got = "x" * 200_000, []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    files.write(pipe, text)
    reader.join(timeout=10)
    assert got == [text] and stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    """Root may replace /dev/null by a file; so it is a device of one's own where one may be made."""
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        open(device, "wb").close()
    except OSError:
        pytest.skip("devices can't be made or used here")
    files.write(device, "x")
    assert stat.S_ISCHR(device.stat().st_mode) and os.listdir(tmp_path) == ["null"]


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write(tmp_path / "folder", "x")
    assert os.listdir(tmp_path) == ["folder"]


def test_no_half_file_on_a_full_disk(tmp_path: Path) -> None:
    """Nor a temporary one; what was there stays."""
    script = f"""
import os, sys; sys.path.insert(0, {str(KIT)!r})
from pathlib import Path
from grader import files
place = Path({str(tmp_path)!r}) / "report.json"
files.write(place, "old")
try:
    files.write(place, "x" * 300_000)
except OSError as error:
    print(error.strerror, os.listdir(place.parent), place.read_text())
"""
    user = () if os.getuid() == 0 else ("--map-root-user",)
    done = subprocess.run(["unshare", "--mount", *user, "sh", "-ec", f'mount -t tmpfs -o size=64k none "{tmp_path}"; exec "$@"',
                           "sh", sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert done.stdout == "No space left on device ['report.json'] old\n", done.stderr
