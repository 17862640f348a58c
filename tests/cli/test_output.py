"""Where the output goes nobody may read it, and a report can't always be written: the marks stay what they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any

import pytest
from terminal import SECONDS, copy_kit

KIT = Path(__file__).resolve().parents[2]
GRADER = [sys.executable, "-m", "grader"]
ONE = [*GRADER, "grade", "lab1", "--only", "connecting/reaches_the_server"]
RIGHT = [*ONE, "--from", "solutions"]


def run(*words: str, cwd: Path = KIT, stdout: Any = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=cwd, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=SECONDS)


def shell(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return run("bash", "-c", script, "bash", *words)


def told(errors: str, said: str) -> None:
    """One line, and nothing else."""
    assert errors.count("\n") == 1 and errors.endswith("\n") and said in errors, errors


# ---- nobody reads -----------------------------------------------------------------------------------

@pytest.mark.parametrize("words, status", [
    (RIGHT, 0), (ONE, 1), ([*ONE, "--brief"], 1), ([*RIGHT, "--json", "-"], 0), ([*GRADER, "--help"], 0),
    ([*GRADER, "editors"], 0),
], ids=["graded", "graded_with_less", "brief", "json", "help", "editors"])
def test_a_reader_who_has_gone_is_no_failure(words: list[str], status: int, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        report = tmp_path / "report.xml"
        done = run(*words, *(["--junit", str(report)] if "grade" in words else []), stdout=nobody)
    assert done.returncode == status
    assert done.stderr == "" or "--json" in words and "can't" not in done.stderr, done.stderr
    if "grade" in words:
        xml.parse(report)           # what else was asked for is there


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit of its own."""
    kit = copy_kit(tmp_path_factory.mktemp("unread") / "kit")
    for name in ("Makefile", "tools"):
        (kit / name).symlink_to(KIT / name)
    return kit


def test_make_grade_to_head(kit: Path) -> None:
    done = run("bash", "-c", 'make -s grade LAB=1 ONLY=connecting/reaches_the_server | head -1; echo "${PIPESTATUS[@]}"', cwd=kit)
    assert done.stdout.splitlines()[0].startswith("lab1  ") and done.stdout.splitlines()[1:] == ["0 0"]
    assert done.stderr == ""


def test_a_watch_that_nobody_reads_ends(kit: Path) -> None:
    with subprocess.Popen([*GRADER, "watch", "lab1", "--brief"], cwd=kit, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline().startswith(b"---- watching")
        process.stdout.close()
        assert process.wait(timeout=SECONDS) == 0 and process.stderr.read() == b""


def test_a_pipe_that_does_not_wait_gets_all(tmp_path: Path) -> None:
    """As some runners give it: O_NONBLOCK, and slow to read."""
    script = "from grader import output; output.take(patient=False); print('x' * 300_000, flush=True)"
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with subprocess.Popen([sys.executable, "-c", script], cwd=KIT, stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        with os.fdopen(reading, "rb") as reader:
            assert len(reader.read()) == 300_001
        assert process.wait(timeout=SECONDS) == 0


# ---- nothing can be written -------------------------------------------------------------------------

@pytest.mark.parametrize("where, said", [(">&-", "standard output: it is closed"), (">/dev/full", "standard output: No space left")])
@pytest.mark.parametrize("words", [RIGHT, ONE, [*GRADER, "editors"], [*GRADER, "grade", "--help"], [*GRADER, "peer", "--help"]],
                         ids=["graded", "graded_with_less", "editors", "help", "peer"])
def test_output_that_cannot_be_written_is_told_in_one_line(words: list[str], where: str, said: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    more = ["--json", str(report)] if "--only" in words else []
    done = shell(f'"$@" {where}', *words, *more)
    assert done.returncode == 2
    told(done.stderr, f"can't write to {said}")
    if more:
        assert json.loads(report.read_text())["labs"][0]["lab"] == "lab1"
    assert os.listdir(tmp_path) == [report.name] * bool(more)


@pytest.mark.parametrize("where, status", [("2>&-", 0), ("2>/dev/full", 2)])
def test_the_json_is_whole_whatever_becomes_of_standard_error(where: str, status: int) -> None:
    done = shell(f'"$@" {where}', *RIGHT, "--json", "-")
    assert json.loads(done.stdout)["labs"][0]["lab"] == "lab1" and done.returncode == status


def test_all_closed() -> None:
    """No file of the grader's gets the number of a standard stream."""
    done = shell('"$@" <&- >&- 2>&-', *RIGHT)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "-"])
def test_standard_output_by_any_name(name: str) -> None:
    done = shell('"$@"', *RIGHT, "--json", name)
    assert json.loads(done.stdout)["labs"] and "client send" in done.stderr


# ---- one report of several --------------------------------------------------------------------------

def test_a_report_that_cannot_be_written_keeps_no_other(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    done = run(*RIGHT, "--json", f"{tmp_path}/folder", "--junit", f"{tmp_path}/a.xml", "--markdown", f"{tmp_path}/file/a.md",
               "--html", f"{tmp_path}/a.html")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"socklab: can't write {tmp_path}/folder: Is a directory",
                                        f"socklab: can't write {tmp_path}/file/a.md: Not a directory"]
    assert "client send" in done.stdout and f"page: {tmp_path}/a.html" in done.stdout
    assert sorted(os.listdir(tmp_path)) == ["a.html", "a.xml", "file", "folder"] and not os.listdir(tmp_path / "folder")


def test_a_full_disk_has_the_reports_that_fit(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    user = [] if os.getuid() == 0 else ["--map-root-user"]
    script = f'mount -t tmpfs -o size=12k none "{place}" || exit 77; "$@"; echo $?; ls -A "{place}"; cat "{place}/a.json"'
    done = run("unshare", "--mount", *user, "sh", "-c", script, "sh", *RIGHT, "--brief", "--html", f"{place}/a.html", "--json",
               f"{place}/a.json")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted here")
    told(done.stderr, f"can't write {place}/a.html: No space left on device")
    *_, status, listed, report = done.stdout.splitlines()
    assert (status, listed) == ("2", "a.json") and json.loads(report)["labs"]


def test_what_cannot_be_kept_for_later_changes_no_status(kit: Path) -> None:
    """The grade was given and shown: hint and progress alone will not know of it."""
    for name in ("build/lab1/last.json", "build/progress.json"):
        (kit / name).unlink(missing_ok=True)
        (kit / name).mkdir(parents=True)
    done = run(*GRADER, "grade", "lab1", cwd=kit)
    assert done.returncode == 1 and "client send" in done.stdout
    assert done.stderr.splitlines() == ["socklab: can't keep the grade of lab1 for later: Is a directory",
                                        "socklab: can't keep the scores for later: Is a directory"]
    for name in ("build/lab1/last.json", "build/progress.json"):
        (kit / name).rmdir()


def test_a_hint_is_shown_even_if_that_cannot_be_noted(kit: Path) -> None:
    memory = kit / "build" / "lab1" / "hints.json"
    memory.mkdir(parents=True)
    done = run(*GRADER, "hint", "lab1", cwd=kit)
    memory.rmdir()
    assert done.returncode == 2 and "hint 1 of 3" in done.stdout
    assert "it can't be noted that this was shown" in done.stderr
