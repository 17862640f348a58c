"""What a student may hand in and an instructor may type: one clear outcome each, in bounded time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit import KIT, LABS, Graded, grade_source, grade_tree, mostly_slow, run_grader, solution

from grader.catalog import Lab

LAB = LABS["lab1"]
AT_MOST = 30                    # seconds; an outcome in bounded time, on a machine that is busy with other tests


def in_send_all(statement: str) -> str:
    """The solution of lab 1 with a statement at the start of send_all()."""
    text = solution(LAB).replace("#include <unistd.h>", "#include <unistd.h>\n#include <signal.h>\n#include <stdlib.h>\n"
                                 "#include <string.h>")
    return text.replace("    const char *next = data;\n", f"    const char *next = data;\n    {statement}\n")


def submission(tmp_path: Path, make: Callable[[Path], object]) -> Path:
    """A tree in which make() was called with the place of lab 1's file."""
    place = tmp_path / LAB.folder.name / LAB.file_name
    place.parent.mkdir()
    make(place)
    return tmp_path


def only_words(graded: Graded) -> None:
    assert "Traceback" not in graded.errors


# ---- programs that misbehave ------------------------------------------------------------------------

MISBEHAVIOUR = {
    "never_ends": ("for (;;) ;", "timed_out", "endless loop"),
    "sleeps": ("sleep(1000);", "timed_out", "only sleeps"),
    "waits_for_ever": ("pause();", "timed_out", "waits in pause()"),
    "stops_itself": ("raise(SIGSTOP);", "timed_out", "stands still"),
    "crashes": ("*(volatile int *)0 = 1;", "crashed", "SIGSEGV"),
    "aborts": ("abort();", "crashed", "SIGABRT"),
    "floods": ("for (;;) puts(\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\");", "crashed", "SIGXFSZ"),
    "exits": ("exit(0);", "failed", "exited with status 0"),
    "exits_at_once": ("_exit(7);", "failed", "exited with status 7"),
    "closes_everything": ("for (int fd = 0; fd < 1024; fd++) close(fd);", "failed", "send_all()"),
    "forks_for_ever": ("for (;;) fork();", "timed_out", "send_all()"),
    "eats_memory": ("for (;;) if (memset(malloc(1 << 20), 1, 1 << 20) == NULL) break;", None, "send_all()"),
    "kills_its_group": ("kill(0, SIGKILL);", "failed", "SIGKILL"),
}


@pytest.mark.parametrize("name", mostly_slow(MISBEHAVIOUR, "never_ends", "crashes", "floods", "exits", "closes_everything"))
def test_misbehaviour_has_one_clear_outcome(name: str) -> None:
    statement, status, said = MISBEHAVIOUR[name]
    began = time.monotonic()
    graded = grade_source(LAB, in_send_all(statement))
    assert time.monotonic() - began < AT_MOST
    assert graded.status == 1, graded.errors
    plain = graded.tests("lab1")["sending_text/a_short_text_arrives"]
    assert plain["status"] == status or status is None and plain["status"] in ("crashed", "timed_out")
    assert said in plain["message"], plain["message"]
    assert graded.lab("lab1")["stages"][0]["status"] == "passed"
    only_words(graded)


def test_no_process_is_left_behind() -> None:
    name = f"left{os.getpid()}"
    rename = f'int f = open("/proc/self/comm", O_WRONLY); write(f, "{name}", {len(name)}); setsid(); for (;;) pause();'
    graded = grade_source(LAB, "#include <fcntl.h>\n" + in_send_all(f"for (int i = 0; i < 5; i++) if (fork() == 0) {{ {rename} }}"))
    assert graded.status in (0, 1)
    assert subprocess.run(["pgrep", "-x", name], capture_output=True, text=True).stdout == ""


# ---- files that are none ----------------------------------------------------------------------------

NO_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda place: None, "is missing"),
    "empty": (lambda place: place.write_text("  \n\n"), "is empty"),
    "a_directory": (lambda place: place.mkdir(), "isn't a regular file"),
    "a_link": (lambda place: place.symlink_to("/etc/passwd"), "is a symbolic link"),
    "a_pipe": (lambda place: os.mkfifo(place), "isn't a regular file"),
    "too_large": (lambda place: place.write_bytes(b"/" * (2 << 20)), "is larger than"),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_a_file_that_is_none(tmp_path: Path, name: str) -> None:
    make, said = NO_FILES[name]
    graded = grade_tree(submission(tmp_path, make), "lab1")
    assert graded.status == 2
    assert said in graded.lab("lab1")["unreadable"] and graded.lab("lab1")["score"] == 0
    assert said in graded.errors
    only_words(graded)


def test_what_does_not_compile_is_a_graded_0_and_others_go_on(tmp_path: Path) -> None:
    for lab in (LAB, LABS["lab3"]):
        folder = tmp_path / lab.folder.name
        folder.mkdir()
        (folder / lab.file_name).write_text(solution(lab))
    broken = tmp_path / LAB.folder.name / LAB.file_name
    broken.write_text(broken.read_text().replace("return fd;", "return fd", 1))
    line = next(n for n, text in enumerate(broken.read_text().splitlines(), 1) if text.endswith("return fd"))
    graded = grade_tree(tmp_path, "lab1", "lab3")
    assert graded.status == 1
    assert graded.lab("lab1")["score"] == 0 and graded.lab("lab3")["score"] == 100
    assert graded.lab("lab1")["compile"]["location"] == {"file": "client_send.c", "line": line}
    assert f"client_send.c:{line}" in graded.errors
    assert {test["status"] for test in graded.tests("lab1").values()} == {"not_tried"}


@pytest.mark.parametrize("edit, said", [
    (lambda text: text.replace("int send_all(", "int send_al("), "send_all() isn't there"),
    (lambda text: text + "\nint main(void) { return 0; }\n", "the kit's own code has a function main() already"),
    (lambda text: '#include "nothing.h"\n' + text, "nothing.h"),
    (lambda text: text + "\n\0\n", ""),
    (lambda text: "#include __FILE__\n" + text, ""),
], ids=["a_function_missing", "a_main", "a_header_missing", "a_NUL", "includes_itself"])
def test_what_does_not_build(edit: Callable[[str], str], said: str) -> None:
    graded = grade_source(LAB, edit(solution(LAB)))
    assert graded.status in (0, 1)
    if said:
        assert said in graded.lab("lab1")["compile"]["message"]
        assert graded.report["score"] == 0
    only_words(graded)


def with_names_of_the_kit(lab: Lab) -> str:
    """A solution with a helper of its own, not static, for every name of given code that it doesn't use itself."""
    given = [*(KIT / "labs" / "given").glob("*.c"), lab.folder / "main.c", lab.folder / "probe.c"]
    text = "".join(path.read_text() for path in given)
    names = set(re.findall(r"^(?:[a-z_]+ )*(?:struct \w+ )?\*?(\w+)\(", text, re.MULTILINE)) - {"main", "__attribute__"}
    assert {"say", "read_table", "far_end_unread", "parse_port", "report_call"} <= names
    own = sorted(names - set(re.findall(r"\w+", solution(lab))))
    return solution(lab) + "".join(f"void {name}(void);\nvoid {name}(void) {{ __builtin_abort(); }}\n" for name in own)


@pytest.mark.parametrize("lab", mostly_slow(LABS, "lab1"))
def test_a_helper_may_have_any_name_that_given_code_has(lab: str) -> None:
    """It collides with nothing, and nobody of the kit calls it: each would end the program."""
    graded = grade_source(LABS[lab], with_names_of_the_kit(LABS[lab]))
    assert graded.report["score"] == 100, graded.errors


def test_make_links_it_as_well(tmp_path: Path) -> None:
    """What is built by hand has the same names to itself."""
    kit = tmp_path / "kit"
    for name in ("labs", "tools", "grader/c"):
        shutil.copytree(KIT / name, kit / name)
    shutil.copy(KIT / "Makefile", kit)
    (kit / "labs" / LAB.folder.name / LAB.file_name).write_text(with_names_of_the_kit(LAB))
    made = subprocess.run(["make", "-C", kit, "build/lab1/client_send"], capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    asked = subprocess.run([kit / "build" / "lab1" / "client_send", "127.0.0.1", "77x8"], capture_output=True, text=True, timeout=10)
    assert asked.returncode == 2 and '"77x8" is not a whole number' in asked.stderr


# ---- words that make no sense -----------------------------------------------------------------------

@pytest.mark.parametrize("words, status, said", [
    (["grade", "lab9"], 2, "no lab9: there are lab1, lab"),
    (["grade", "lab1", "--from", "/nowhere"], 2, "there is no folder /nowhere"),
    (["grade", "lab1", "--json", "/nowhere/at/all\0"], 2, ""),
    (["grade", "--sandbox", "steel"], 2, "invalid choice"),
    (["annotate", "/nowhere.json"], 2, "is no report"),
    (["peer", "sing a song"], 2, "sing"),
    (["dance"], 2, "dance"),
])
def test_words_that_make_no_sense(words: list[str], status: int, said: str) -> None:
    if "\0" in words[-1]:
        words[-1] = "/proc/nowhere/report.json"
    done = run_grader(*words)
    assert done.returncode == status and said in done.stderr and "Traceback" not in done.stderr


# ---- surroundings -----------------------------------------------------------------------------------

def test_a_checkout_with_blanks_and_chinese_names(tmp_path: Path) -> None:
    place = tmp_path / "我的 作业 (1)"
    subprocess.run(["git", "clone", "-q", str(KIT), str(place)], check=True)
    done = subprocess.run([os.sys.executable, "-m", "grader", "grade", "lab1", "--from", "solutions", "--json", "out put.json"],
                          cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads((place / "out put.json").read_text())["score"] == 100


@pytest.mark.parametrize("locale, encoding", [("C.UTF-8", "utf-8"), ("POSIX", "ascii"), ("POSIX", "gbk")])
def test_locales(locale: str, encoding: str) -> None:
    environment = {**os.environ, "LC_ALL": locale, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([os.sys.executable, "-m", "grader", "grade", "lab1"], cwd=KIT, capture_output=True, env=environment)
    assert done.returncode in (0, 1), done.stderr
    text = done.stdout.decode(encoding)
    assert ("✗" in text or "✓" in text) == (encoding == "utf-8")
    from grader.report.screen import width
    assert all(width(line) <= 80 for line in text.splitlines()), [line for line in text.splitlines() if width(line) > 80]


def test_the_seed_repeats_a_grade() -> None:
    one, two = (grade_tree(KIT / "labs", "lab1", "--seed", "cafe") for _ in range(2))
    assert one.report["seed"] == two.report["seed"] == "cafe"
    messages = [[test["message"] for test in graded.tests("lab1").values()] for graded in (one, two)]
    assert messages[0] == messages[1] and any(messages[0])
