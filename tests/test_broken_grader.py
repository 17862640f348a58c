"""What breaks the grader, and not the student's work: no mark then, status 3, one line that says what happened.

Each is done to a copy of the kit, over right solutions: any score but null would be a lie.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kit import KIT, LABS, run_grader

sys.path.insert(0, str(KIT / "tests" / "cli"))
from terminal import copy_kit  # noqa: E402

LONELY = 61300                  # users that nothing else runs as
PATIENCE = 150                  # where only the suite's backstop of 120 s may end it: Criterion waits for a thread
SECONDS = 60                    # within which it is told, on a busy machine


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit that has graded lab 1 once: all its parts are there."""
    place = copy_kit(tmp_path_factory.mktemp("broken") / "kit")
    for name in ("solutions", "tools"):
        shutil.copytree(KIT / name, place / name)
    shutil.copy(KIT / "Makefile", place)
    for lab in ("lab1", "lab2"):
        status, _, errors = grade(place, lab)
        assert status == 0, errors
    return place


@pytest.fixture
def kit(built: Path, tmp_path: Path) -> Path:
    """A copy of it, to be broken."""
    return Path(shutil.copytree(built, tmp_path / "kit", symlinks=True))


def grade(kit: Path, *labs: str, before: tuple[str, ...] = (), seconds: float = SECONDS,
          **environment: str) -> tuple[int, dict[str, Any], str]:
    """Status, report and standard error; `before` are words before the grader's."""
    done = subprocess.run([*before, sys.executable, "-m", "grader", "grade", *labs, "--from", "solutions", "--json", "-"],
                          cwd=kit, capture_output=True, text=True, timeout=seconds, env={**os.environ, **environment})
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def check_no_mark(found: tuple[int, dict[str, Any], str], said: str) -> None:
    """Lab 1 has no score, and why is told unlike any failure of a student's."""
    status, report, errors = found
    assert status == 3, errors
    told = " ".join(errors.split())
    assert re.search(said, told), told
    if report:
        lab = next(lab for lab in report["labs"] if lab["lab"] == "lab1")
        assert lab["score"] is None and report["score"] is None and re.search(said, lab["trouble"]), lab["trouble"]
        assert lab["compile"] is None and "The grader could not do its work, so there is no mark" in told


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has {text.count(old)} times: {old}"
    path.write_text(text.replace(old, new))


def mounting(script: str) -> tuple[str, ...]:
    """In a mount namespace of its own, where the script has been run."""
    user = () if os.getuid() == 0 else ("--map-root-user",)
    return ("unshare", "--mount", *user, "sh", "-ec", f'{script}\nexec "$@"', "sh")


# ---- the disk ---------------------------------------------------------------------------------------

@pytest.mark.slow
def test_a_disk_full_from_the_start(kit: Path) -> None:
    check_no_mark(grade(kit, "lab1", before=mounting("mount -t tmpfs -o size=200k none build")), "the disk is full|No space left")


@pytest.mark.parametrize("left_kb", [0, *(pytest.param(left, marks=pytest.mark.slow) for left in (16, 64))])
def test_a_disk_full_when_the_program_is_compiled(kit: Path, left_kb: int) -> None:
    """All that the kit needs is there, but not the student's program."""
    script = f"""cp -a build ../built; mount -t tmpfs -o size=40m none build; cp -a ../built/. build
rm -rf build/cache/lab1-student-*; head -c {left_kb}K /dev/zero >build/spare; cat /dev/zero >build/full 2>/dev/null || true
rm build/spare"""
    check_no_mark(grade(kit, "lab1", before=mounting(script)), "the disk is full")


def test_no_room_for_temporary_files(kit: Path) -> None:
    check_no_mark(grade(kit, "lab1", before=("prlimit", "--fsize=0")), "no room for temporary files")


def test_a_build_folder_that_is_read_only(kit: Path) -> None:
    script = "rm -rf build/cache/lab1-student-*; mount --bind build build; mount -o remount,ro,bind build"
    check_no_mark(grade(kit, "lab1", before=mounting(script)), "read-only")


# ---- the suite --------------------------------------------------------------------------------------

FORGED = '<testsuites><testsuite name="connecting"><testcase name="reaches_the_server" status="PASSED"/></testsuite></testsuites>'
SUITES = {
    "hangs": ("exec sleep 1000", "didn't end within 2 s"),
    "hangs_with_children": ("sleep 1000 & sleep 1000", "didn't end within 2 s"),
    "dies": ("kill -9 $$", "Criterion wrote no report"),
    "is_silent": ("exit 0", "Criterion wrote no report"),
    "writes_half": ("echo '<testsuites><testsu' >\"$xml\"", "Criterion wrote no report that can be read"),
    "claims_success": (f"echo '{FORGED}' >\"$xml\"", "Criterion says passed, the grader saw nothing"),
    "runs_nothing": ('exec "$0.real" --filter=none/none "--xml=$xml"', "Criterion never ran it"),
    "cannot_start": ("exec /nowhere/suite", "Criterion wrote no report"),
}


def replace_suite(kit: Path, script: str) -> None:
    for folder in (kit / "build" / "cache").glob("lab1-suite-*"):        # an older one may lie beside it
        suite = folder / "suite"
        suite.rename(suite.with_name("suite.real"))
        suite.write_text(f'#!/bin/sh\nfor word; do case $word in --xml=*) xml=${{word#--xml=}};; esac; done\n{script}\n')
        suite.chmod(0o755)


QUICK = ("hangs_with_children", "claims_success", "runs_nothing")


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SUITES])
def test_a_suite_that(kit: Path, name: str) -> None:
    script, said = SUITES[name]
    replace_suite(kit, script)
    edit(kit / "grader" / "grade.py", "SUITE_SECONDS = 120", "SUITE_SECONDS = 2")
    check_no_mark(grade(kit, "lab1"), said)


def test_the_other_labs_keep_their_marks(kit: Path) -> None:
    replace_suite(kit, "exit 0")
    found = grade(kit, "lab1", "lab2")
    check_no_mark(found, "Criterion wrote no report")
    assert next(lab for lab in found[1]["labs"] if lab["lab"] == "lab2")["score"] == 100


def test_a_list_of_tests_that_cannot_be_made_is_not_kept(kit: Path) -> None:
    for suite in (kit / "build" / "cache").glob("lab1-suite-*"):
        shutil.rmtree(suite)
    edit(kit / "grader" / "c" / "suite.c", "    _exit(0);\n", "    _exit(9);\n")
    check_no_mark(grade(kit, "lab1"), r"doesn't list its tests \(status 9\)")
    assert not list((kit / "build" / "cache").glob("lab1-suite-*"))


# ---- peers, runs, valgrind --------------------------------------------------------------------------

@pytest.mark.parametrize("old, new", [
    ("                ready = self._sleep()\n", "                raise RuntimeError('injected')\n"),
    ("        now = time.monotonic()\n        due =", "        os.read(-1, 1)\n        now = time.monotonic()\n        due ="),
], ids=["at_once", "when_it_wakes"])
def test_a_peer_that_is_lost(kit: Path, old: str, new: str) -> None:
    edit(kit / "grader" / "peers.py", old, new)
    check_no_mark(grade(kit, "lab1"), "PeerBroken: the peer failed")


IS_STUDENTS = '(strstr(program[0], "probe") != NULL || strstr(program[0], "client_send") != NULL)'     # and no compiler


def test_a_launcher_that_cannot_fork(kit: Path) -> None:
    edit(kit / "grader" / "c" / "launcher.c", "    pid_t child = fork();\n",
         f"    pid_t child = {IS_STUDENTS} ? -1 : fork(); errno = EAGAIN;\n")
    check_no_mark(grade(kit, "lab1"), "can't start the student's program: launcher: fork: Resource temporarily unavailable")


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_a_program_that_cannot_be_started(kit: Path, sandbox: str) -> None:
    """After the launcher has said that it starts: its end isn't the program's exit."""
    edit(kit / "grader" / "c" / "launcher.c", "    execv(program[0], program);\n", f'    execv({IS_STUDENTS} ? "/nowhere" : program[0], program);\n')
    done = subprocess.run([sys.executable, "-m", "grader", "grade", "lab1", "--from", "solutions", "--json", "-", "--sandbox",
                           sandbox], cwd=kit, capture_output=True, text=True, timeout=SECONDS)
    check_no_mark((done.returncode, json.loads(done.stdout), done.stderr), "can't start the student's program: .*No such file")


@pytest.mark.parametrize("script", ["echo 'valgrind: no luck' >&2; exit 1", "kill -9 $$", "exec sleep 1000"],
                         ids=["fails", "dies", "hangs"])
def test_a_valgrind_that(kit: Path, tmp_path: Path, script: str) -> None:
    fake = tmp_path / "valgrind"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    check_no_mark(grade(kit, "lab1", before=mounting(f"mount --bind {fake} /usr/bin/valgrind")), "memcheck didn't begin")


def test_the_launcher_says_that_nothing_was_started(built: Path) -> None:
    launcher = next((built / "build" / "cache").glob("launcher-*")) / "launcher"
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        subprocess.run([launcher, f"control={theirs.fileno()}", "--", "/nowhere"], pass_fds=[theirs.fileno()], timeout=20)
        assert [ours.recv(8) for _ in range(2)] == [b"p", b"x"]
        assert os.WEXITSTATUS(struct.unpack("2i", ours.recv(8))[0]) == 125


# ---- what the machine refuses -----------------------------------------------------------------------

@pytest.mark.parametrize("most", [20, *(pytest.param(most, marks=pytest.mark.slow) for most in (12, 30, 45))])
def test_out_of_descriptors(kit: Path, most: int) -> None:
    edit(kit / "grader" / "cli.py", "    kernel.allow_descriptors()\n", "")
    status, report, errors = grade(kit, "lab1", before=("prlimit", f"--nofile={most}:{most}"))
    assert status == 3, errors
    assert "there is no mark" in " ".join(errors.split()) or "the grader failed" in errors
    assert not report or report["score"] is None


@pytest.mark.skipif(os.geteuid() != 0, reason="root gives the grade a user of its own, whose processes alone count")
@pytest.mark.parametrize("most", [12, *(pytest.param(most, marks=pytest.mark.slow) for most in (2, 5, 20, 30))])
def test_out_of_processes(built: Path, most: int) -> None:
    """Criterion's kill(-1) would end this user's processes, and the grader among them."""
    user = str(LONELY + most)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        kit = shutil.copytree(built, Path(folder) / "kit", symlinks=True)
        edit(kit / "grader" / "grade.py", "SUITE_SECONDS = 120\n", "SUITE_SECONDS = 10\n")      # Criterion may try for ever
        subprocess.run(["chown", "-R", f"{user}:{user}", kit], check=True)
        status, report, errors = grade(kit, "lab1", before=("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                                                            "prlimit", f"--nproc={most}:{most}"),
                                       seconds=PATIENCE)
    assert status == 3, errors
    assert "there is no mark" in " ".join(errors.split()) or "the grader failed" in errors
    assert not report or report["score"] is None


def test_the_suite_has_gone(kit: Path) -> None:
    """Nothing can be run, and who is told that isn't there any more: as when descriptors run out."""
    edit(kit / "grader" / "grade.py", "            programs = self._programs.result()\n",
         "            raise OSError(24, 'Too many open files')\n")
    edit(kit / "grader" / "grade.py", 'sock.sendall(channel.pack([b"skip", b"nothing to run"]))',
         "raise BrokenPipeError(32, 'Broken pipe')")
    check_no_mark(grade(kit, "lab1"), "Broken pipe")


@pytest.mark.parametrize("megabytes", [150, *(pytest.param(most, marks=pytest.mark.slow) for most in (60, 400))])
def test_memory_refused(kit: Path, megabytes: int) -> None:
    status, report, errors = grade(kit, "lab1", before=("prlimit", f"--as={megabytes << 20}"))
    assert status in (2, 3) and errors.strip(), errors
    assert not report or report["score"] is None


def test_a_thread_refused(kit: Path) -> None:
    edit(kit / "grader" / "channel.py", "                thread.start()\n",
         "                raise RuntimeError(\"can't start new thread\")\n")
    check_no_mark(grade(kit, "lab1"), "no more processes or threads can be started")


JUMPING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
/* The clock of the day jumps by a week, forth and back. The other clocks go on. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    static long calls;
    if (real == NULL)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += 604800 * (__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) % 3 - 1);
    return result;
}
"""


def test_a_clock_that_jumps(kit: Path, tmp_path: Path) -> None:
    (tmp_path / "jumping.c").write_text(JUMPING)
    library = tmp_path / "jumping.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "jumping.c"], check=True)
    probe = "import time; print(len({int(time.time()) // 86400 for _ in range(9)}))"
    assert subprocess.run([sys.executable, "-c", probe], env={**os.environ, "LD_PRELOAD": str(library)}, capture_output=True,
                          text=True).stdout == "3\n"
    status, report, errors = grade(kit, "lab1", LD_PRELOAD=str(library))
    assert status == 0 and report["score"] == 100, errors


@pytest.mark.slow
def test_a_grade_that_was_stopped_for_a_while(kit: Path) -> None:
    """Ctrl-Z and fg, or a machine that was suspended, long after every limit: time that nobody looked doesn't count."""
    edit(kit / "grader" / "scene.py", "BACKSTOP_SECONDS = 45.0", "BACKSTOP_SECONDS = 5.0")
    process = subprocess.Popen([sys.executable, "-m", "grader", "grade", "lab1", "--from", "solutions"], cwd=kit,
                               stdout=subprocess.PIPE, text=True, start_new_session=True)
    time.sleep(1)
    os.killpg(process.pid, 19)
    time.sleep(7)
    os.killpg(process.pid, 18)
    assert process.wait(timeout=SECONDS) == 0, process.communicate()[0]


@pytest.mark.parametrize("word", ["x", "0.1", "-3", "nan", "1e9"])
def test_a_slowness_that_makes_no_sense(word: str) -> None:
    done = run_grader("grade", "lab1", env={**os.environ, "SLOWNESS": word})
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "SLOWNESS" in done.stderr


# ---- two at once ------------------------------------------------------------------------------------

def side_by_side(*works: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(work) for work in works]]


@pytest.mark.slow
def test_two_grades_of_one_lab_at_once_from_nothing(kit: Path) -> None:
    shutil.rmtree(kit / "build")
    for status, report, errors in side_by_side(*[lambda: grade(kit, "lab1")] * 2):
        assert status == 0 and report["score"] == 100, errors


def test_a_grade_while_make_builds(kit: Path) -> None:
    found = side_by_side(lambda: grade(kit, "lab1"), lambda: grade(kit, "lab2"),
                         lambda: [subprocess.run(["make", "-B", "lab1"], cwd=kit, capture_output=True, text=True).returncode
                                  for _ in range(2)])
    assert found[2] == [0, 0]
    for status, report, errors in found[:2]:
        assert status == 0 and report["score"] == 100, errors


@pytest.mark.parametrize("moment", [0.3, *(pytest.param(moment, marks=pytest.mark.slow) for moment in (0.0, 0.2, 0.5, 0.7, 0.9, 1.2))])
def test_a_grade_while_make_clean_runs(kit: Path, moment: float) -> None:
    """It is graded, or there is no mark: never a lower one."""
    (kit / "solutions" / LABS["lab1"].folder.name / "client_send.c").open("a").write(f"/* {moment} */\n")

    def clean() -> None:
        time.sleep(moment)
        subprocess.run(["make", "clean"], cwd=kit, capture_output=True)
    (status, report, errors), _ = side_by_side(lambda: grade(kit, "lab1"), clean)
    assert status in (0, 3), errors
    assert report.get("score") == (100 if status == 0 else None), errors


TAKES_CRITERIONS_NAMES = """
import os, socket, subprocess, sys
held = []
for pid in range(1, 400):
    held.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    held[-1].bind(f"/tmp/criterion_{pid}.sock")
    held[-1].listen()
    for name in ("bxf_arena", "bxfi"):
        os.close(os.open(f"/dev/shm/{name}_{pid}", os.O_CREAT | os.O_EXCL, 0o600))
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


def test_a_criterion_elsewhere_that_shares_tmp_costs_nothing(built: Path, tmp_path: Path) -> None:
    """In two pid namespaces pids are the same: whatever Criterion names after its own, another may have there."""
    own_tmp = 'mkdir -p "$1/${2#/tmp/}"; mount --rbind "$2" "$1/${2#/tmp/}"; mount --rbind "$1" /tmp; mount -t tmpfs none /dev/shm; shift 2'
    user = () if os.getuid() == 0 else ("--map-root-user",)
    own = tmp_path / "tmp"
    own.mkdir()
    words = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *user, "sh", "-ec",
             f'{own_tmp}; exec "$@"', "sh", str(own), str(built), sys.executable, "-c", TAKES_CRITERIONS_NAMES)
    status, report, errors = grade(built, "lab1", before=words)
    assert (status, report["score"]) == (0, 100), errors
    assert sorted(path.name for path in own.glob("criterion_*")) == sorted(f"criterion_{pid}.sock" for pid in range(1, 400))
