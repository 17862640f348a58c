"""The sandbox: what holds inside it, and what the grader says and does where there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter

import pytest

from kit import KIT, LABS, grade_source, grade_tree, run_grader, solution

LAB = LABS["lab1"]
REFUSED = ["unshare", "--user", "--map-root-user", "sh", "-c",
           'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$@"', "sh"]


def without_namespaces(*words: str) -> subprocess.CompletedProcess[str]:
    """The grader where new namespaces are refused."""
    return subprocess.run([*REFUSED, sys.executable, "-m", "grader", *words], cwd=KIT, capture_output=True, text=True)


def test_it_is_used_where_it_works() -> None:
    assert grade_tree(KIT / "solutions", "lab1", "--sandbox", "require").report["sandbox"] == "bubblewrap"


def test_namespaces_refused_all_still_runs_and_it_is_said() -> None:
    done = without_namespaces("grade", "--from", "solutions", "--json", "-")
    report = json.loads(done.stdout)
    statuses = Counter(test["status"] for lab in report["labs"] for stage in lab["stages"] for test in stage["tests"])
    assert set(statuses) <= {"passed", "not_tried"}, done.stderr
    assert statuses["not_tried"] <= 1           # a peer goes deaf by a filter, which some systems allow to root alone
    assert report["sandbox"] == "none"
    assert "No sandbox: this system refuses a network namespace" in " ".join(done.stderr.split())


def test_namespaces_refused_require_refuses() -> None:
    done = without_namespaces("grade", "--from", "solutions", "--sandbox", "require")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "--sandbox require forbids" in done.stderr


def test_switched_off() -> None:
    graded = grade_tree(KIT / "solutions", "--sandbox", "off")
    assert graded.status == 0 and graded.report["sandbox"] == "none"
    assert "switched off" in graded.errors


@pytest.mark.parametrize("tool, said", [("bwrap", "bubblewrap isn't installed"), ("valgrind", "valgrind isn't installed")])
def test_a_tool_is_missing(tmp_path: os.PathLike[str], tool: str, said: str) -> None:
    """Hidden by a mount over it, in a mount namespace of the test's own."""
    path = shutil.which(tool)
    hide = f'mount --bind /dev/null {path} && exec "$@"'
    words = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"]), "sh", "-c", hide, "sh",
             sys.executable, "-m", "grader", "grade", "lab1", "--from", "solutions", "--json", "-"]
    done = subprocess.run(words, cwd=KIT, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert said in " ".join(done.stderr.split())
    statuses = {test["status"] for stage in report["labs"][0]["stages"] for test in stage["tests"]}
    assert statuses == ({"passed"} if tool == "bwrap" else {"passed", "not_tried"})


CURIOUS = """
    char byte;
    int leaks = 0;
    const char *secrets[] = {"/etc/shadow", "/etc/passwd", "%s/solutions/lab1_client_send/client_send.c",
                             "%s/labs/lab1_client_send/suite.c", "/proc/1/environ", "/proc/1/mem"};
    for (int i = 0; i < 6; i++) {
        int file = open(secrets[i], O_RDONLY);
        leaks += file != -1 && read(file, &byte, 1) == 1;
    }
    leaks += getuid() == 0;
    leaks += kill(1, 0) == 0;
    leaks += getenv("SOCKLAB_CHANNEL") != NULL;
    if (leaks > 0) {
        errno = EPERM;
        return -1;
    }
"""


def test_the_program_sees_and_reaches_little() -> None:
    text = solution(LAB).replace("    const char *next = data;\n",
                                 "    const char *next = data;\n" + CURIOUS.replace("%s", str(KIT)))
    graded = grade_source(LAB, "#include <fcntl.h>\n#include <signal.h>\n#include <stdlib.h>\n" + text)
    assert graded.tests("lab1")["sending_text/a_short_text_arrives"]["status"] == "passed", graded.errors


def test_a_killed_grader_leaves_no_process() -> None:
    """kill -9: the launcher sees the control socket close, the suite its channel."""
    name = f"orphan{os.getpid()}"
    rename = f'int f = open("/proc/self/comm", O_WRONLY); write(f, "{name}", {len(name)}); pause();'
    text = "#include <fcntl.h>\n" + solution(LAB).replace("    const char *next = data;\n",
                                                          f"    const char *next = data;\n    {rename}\n")
    assert run_grader("grade", "lab1").returncode == 1          # all is built
    import tempfile
    import time
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/{LAB.folder.name}")
        with open(f"{folder}/{LAB.folder.name}/{LAB.file_name}", "w") as file:
            file.write(text)
        grader = subprocess.Popen([sys.executable, "-m", "grader", "grade", "lab1", "--from", folder], cwd=KIT,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not subprocess.run(["pgrep", "-x", name], capture_output=True).stdout and time.monotonic() < deadline:
            assert grader.poll() is None
        grader.kill()
        grader.wait()
        while subprocess.run(["pgrep", "-x", name], capture_output=True).stdout:
            assert time.monotonic() < deadline, "a program of the run is still there"
