"""The sandbox: what holds inside it, and what the grader says and does where there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kit import KIT, LABS, grade_source, grade_tree, mostly_slow, run_grader, solution

LAB = LABS["lab1"]
REFUSED = ["unshare", "--user", "--map-root-user", "sh", "-c",
           'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$@"', "sh"]


REFUSED_TO_ROOT = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all"]       # as in many containers
AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can choose another user")
LIMITED = [pytest.param(REFUSED, id="plain"), pytest.param(REFUSED_TO_ROOT, id="root", marks=AS_ROOT)]


def without_namespaces(*words: str, refused: Sequence[str] = REFUSED) -> subprocess.CompletedProcess[str]:
    """The grader where new namespaces are refused."""
    return subprocess.run([*refused, sys.executable, "-m", "grader", *words], cwd=KIT, capture_output=True, text=True)


def test_it_is_used_where_it_works() -> None:
    assert grade_tree(KIT / "solutions", "lab1", "--sandbox", "require").report["sandbox"] == "bubblewrap"


@pytest.mark.parametrize("refused", LIMITED)
def test_namespaces_refused_landlock_holds_all_and_it_is_said(refused: Sequence[str], tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    done = without_namespaces("grade", "--from", "solutions", "--json", "-", "--markdown", str(summary), refused=refused)
    report = json.loads(done.stdout)
    statuses = Counter(test["status"] for lab in report["labs"] for stage in lab["stages"] for test in stage["tests"])
    assert set(statuses) <= {"passed", "not_tried"}, done.stderr
    assert statuses["not_tried"] <= 1           # a peer goes deaf by a filter, which some systems allow to root alone
    assert report["sandbox"] == "landlock" and report["sandbox_why"].startswith("this system refuses a network namespace")
    assert "A weaker sandbox, Landlock: this system refuses a network namespace" in " ".join(done.stderr.split())
    assert "Graded in a weaker sandbox, Landlock: this system refuses a network namespace" in summary.read_text()


def test_neither_namespaces_nor_landlock() -> None:
    """A kernel without Landlock: a filter of system calls says so (Bad system call numbers end in ENOSYS)."""
    words = [*REFUSED, sys.executable, "-c", with_filter(NO_LANDLOCK), "grade", "lab1", "--from", "solutions", "--json", "-"]
    done = subprocess.run(words, cwd=KIT, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert report["sandbox"] == "none" and report["score"] == 100
    assert "Landlock: Function not implemented" in report["sandbox_why"]
    assert "No sandbox: this system refuses a network namespace" in " ".join(done.stderr.split())


PLAIN = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]      # no root, and the files are its own
NO_MAP = """
import pathlib
write = pathlib.Path.write_text
def refuse(path, *words):
    if path.name == "uid_map":
        raise PermissionError(1, "Operation not permitted")
    return write(path, *words)
pathlib.Path.write_text = refuse
"""


@pytest.mark.parametrize("refusal", ["map", "loopback"])
@pytest.mark.parametrize("user", ["plain", pytest.param("root", marks=AS_ROOT)])
def test_a_namespace_that_can_be_made_and_is_of_no_use(refusal: str, user: str) -> None:
    """As with Ubuntu's AppArmor: whoever had moved into it would be nobody there, or without a network."""
    if refusal == "map" and user == "root":
        pytest.skip("root maps nobody")
    words = PLAIN if user == "plain" else []
    refuse = NO_MAP + RUN_GRADER if refusal == "map" else with_filter(SET_FLAGS_REFUSED)
    done = subprocess.run([*words, sys.executable, "-c", refuse, "grade", "lab1", "--from", "solutions", "--json", "-"],
                          cwd=KIT, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert report["sandbox"] == "landlock" and report["labs"][0]["score"] == 100, done.stderr
    assert report["sandbox_why"] == "this system refuses a network namespace (Operation not permitted)"


def test_a_plain_user_has_the_best_sandbox_where_it_works() -> None:
    done = subprocess.run([*PLAIN, sys.executable, "-m", "grader", "grade", "lab1", "--from", "solutions",
                           "--sandbox", "require", "--json", "-"], cwd=KIT, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert report["sandbox"] == "bubblewrap" and report["score"] == 100, done.stderr


INTRUDER = r"""
    const char *frames[] = {"", "\0\0\0\x04", "\xff\xff\xff\xff", "\0\0\0\x08\0\0\0\x04" "oops",
                            "\0\0\0\x2d\0\0\0\x05hello\0\0\0\x0csending_text\0\0\0\x10" "an_empty_message"};
    const size_t sizes[] = {0, 4, 4, 12, 49};
    glob_t found;
    int reached = 0;
    glob("/tmp/socklab-*/channel", 0, NULL, &found);
    glob("/tmp/socklab-*/socklab-*/channel", GLOB_APPEND, NULL, &found);
    for (size_t i = 0; i < 5 * found.gl_pathc; i++) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        snprintf(to.sun_path, sizeof to.sun_path, "%s", found.gl_pathv[i / 5]);
        reached += connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
        (void)!send(fd, frames[i % 5], sizes[i % 5], MSG_NOSIGNAL);
        close(fd);
    }
    fprintf(stderr, "reached %d\n", reached);
    if (reached == 0) {
        errno = EPERM;
        return -1;
    }
"""


def test_the_channel_hears_the_suite_alone() -> None:
    """A program of the grader's own user, with limits alone, finds the socket; whatever it says there is nothing."""
    text = solution(LAB).replace("    const char *next = data;\n", "    const char *next = data;\n" + INTRUDER)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        place = Path(folder) / LAB.folder.name / LAB.file_name
        place.parent.mkdir()
        place.write_text("#include <glob.h>\n#include <stdio.h>\n#include <sys/un.h>\n" + text)
        done = without_namespaces("grade", "lab1", "--from", folder, "--sandbox", "off", "--json", "-",
                                  "--only", "sending_text/a_short_text_arrives")
    assert done.returncode == 0, done.stderr
    lab = json.loads(done.stdout)["labs"][0]
    assert {test["status"] for stage in lab["stages"] for test in stage["tests"]} <= {"passed", "not_tried"}, done.stderr


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
    assert report["sandbox"] == ("landlock" if tool == "bwrap" else "bubblewrap")


NO_LANDLOCK = "(0x20, 0, 0, 0), (0x35, 0, 2, 444), (0x25, 1, 0, 446), (6, 0, 0, 0x50000 | 38)"
SET_FLAGS_REFUSED = "(0x20, 0, 0, 24), (0x15, 0, 1, 0x8914), (6, 0, 0, 0x50000 | 1)"   # any call with SIOCSIFFLAGS second


def with_filter(rules: str) -> str:
    """Python that runs the grader under a filter of system calls."""
    return FILTER.replace("RULES", rules) + RUN_GRADER


FILTER = """
import ctypes, struct
rules = [RULES, (6, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(code)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0                   # PR_SET_NO_NEW_PRIVS
assert prctl(22, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0) == 0      # PR_SET_SECCOMP, a filter
"""
RUN_GRADER = """
import runpy, sys
sys.argv[0] = "grader"
runpy.run_module("grader", run_name="__main__", alter_sys=True)
"""

CURIOUS = """
    char byte;
    int leaks = 0;
    const char *secrets[] = {"/etc/shadow", "/etc/passwd", "%s/solutions/lab1_client_send/client_send.c",
                             "%s/labs/lab1_client_send/suite.c", "/proc/1/environ", "/proc/1/mem",
                             "/etc/hostname"};
    for (int i = 0; i < 7; i++) {
        int file = open(secrets[i], O_RDONLY);
        leaks += file != -1 && read(file, &byte, 1) == 1;
    }
    leaks += kill(1, 0) == 0 || kill(getppid(), 0) == 0;
    leaks += open("%s/build/planted", O_WRONLY | O_CREAT, 0600) != -1;
    leaks += getenv("SOCKLAB_CHANNEL") != NULL;
    if (leaks > 0) {
        errno = EPERM;
        return -1;
    }
"""


@pytest.mark.parametrize("refused", [pytest.param([], id="bubblewrap"), *LIMITED])
def test_the_program_sees_and_reaches_little(refused: Sequence[str], tmp_path: Path) -> None:
    assert grade_curious(refused, tmp_path, "--sandbox", "auto") == "passed"


def test_without_a_sandbox_it_sees_more(tmp_path: Path) -> None:
    """What the test above looks for is there."""
    assert grade_curious([], tmp_path, "--sandbox", "off") == "failed"


def grade_limited(refused: Sequence[str], folder: Path, source: str, *words: str) -> dict[str, Any]:
    """The lab's part of the report on one test of a source."""
    place = folder / LAB.folder.name / LAB.file_name
    place.parent.mkdir(exist_ok=True)
    place.write_text(source)
    done = without_namespaces("grade", "lab1", "--from", str(folder), "--only", "sending_text/a_short_text_arrives",
                              "--json", "-", *words, refused=refused)
    report: dict[str, Any] = json.loads(done.stdout)["labs"][0]
    return report


def grade_curious(refused: Sequence[str], folder: Path, *words: str) -> str:
    """The status of a test in which the program looks around and fails where it finds something."""
    text = solution(LAB).replace("    const char *next = data;\n",
                                 "    const char *next = data;\n" + CURIOUS.replace("%s", str(KIT)))
    lab = grade_limited(refused, folder, "#include <fcntl.h>\n#include <signal.h>\n#include <stdlib.h>\n" + text, *words)
    (KIT / "build" / "planted").unlink(missing_ok=True)
    return next(test["status"] for stage in lab["stages"] for test in stage["tests"] if test["test"] == "a_short_text_arrives")


READERS = {                         # of a file that the compiler of a submission must not find
    "include": '#include "%s"\n',
    "incbin": 'asm(".incbin \\"%s\\"");\n',
    "oracle": '#if __has_include("%s")\n#error found\n#endif\n#error not found\n',
}


@pytest.mark.parametrize("refused", [pytest.param([], id="bubblewrap"), *LIMITED])
@pytest.mark.parametrize("reader", mostly_slow(READERS, "include"))
def test_the_compiler_reads_nothing_else(reader: str, refused: Sequence[str], tmp_path: Path) -> None:
    """Each secret is one line that no compiler takes, and that would stand in its message."""
    secret = tmp_path / "another.c"
    secret.write_text("#error canary\n")
    for path in (secret, KIT / "solutions" / LAB.folder.name / LAB.file_name, LAB.folder / "suite.c", Path("/etc/shadow")):
        lab = grade_limited(refused, tmp_path, READERS[reader] % path)
        assert lab["compile"] is not None and not lab["trouble"], lab
        said = lab["compile"]["message"]
        closed = ("#error not found", "No such file", "Permission denied", "file not found: ")
        assert any(words in said for words in closed) and "canary" not in json.dumps(lab), said


@pytest.mark.parametrize("refused", [pytest.param([], id="bubblewrap"), *LIMITED])
def test_what_floods_the_compiler_is_a_compile_error(refused: Sequence[str], tmp_path: Path) -> None:
    big = "char big[600 << 20] = {1};\n"           # the object would be larger than it may
    loop = '#include __FILE__\n'
    for source in (big, loop):
        lab = grade_limited(refused, tmp_path, source)
        assert lab["compile"] is not None and lab["score"] in (0, None) and not lab["trouble"], lab


USER = """
    if (getuid() == 0) {
        errno = EPERM;
        return -1;
    }
"""


@AS_ROOT
@pytest.mark.parametrize("words", [[], ["--sandbox", "off"]])
def test_as_root_the_program_is_another_user(words: list[str]) -> None:
    text = solution(LAB).replace("    const char *next = data;\n", "    const char *next = data;\n" + USER)
    graded = grade_source(LAB, text, "--only", "sending_text/a_short_text_arrives", *words)
    assert graded.tests("lab1")["sending_text/a_short_text_arrives"]["status"] == "passed", graded.errors


def test_a_killed_grader_leaves_no_process() -> None:
    """kill -9: the launcher sees the control socket close, the suite its channel."""
    name = f"orphan{os.getpid()}"
    rename = f'int f = open("/proc/self/comm", O_WRONLY); write(f, "{name}", {len(name)}); pause();'
    text = "#include <fcntl.h>\n" + solution(LAB).replace("    const char *next = data;\n",
                                                          f"    const char *next = data;\n    {rename}\n")
    assert run_grader("grade", "lab1").returncode == 1          # all is built
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
