"""What editors get: a line a failure that lands on the student's line, tasks, and each file's flags."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from terminal import copy_kit

KIT = Path(__file__).resolve().parents[2]
FOLDER, FILE = "lab1_client_send", "client_send.c"
SOLUTION = (KIT / "solutions" / FOLDER / FILE).read_text()
TASKS: list[dict[str, Any]] = json.loads((KIT / ".vscode" / "tasks.json").read_text())["tasks"]


def brief(tree: Path, *words: str, locale: str = "C.UTF-8") -> list[str]:
    done = subprocess.run([sys.executable, "-m", "grader", "grade", "lab1", "--brief", "--from", str(tree), *words],
                          cwd=KIT, capture_output=True, timeout=60, env={"PATH": "/usr/bin:/bin", "LC_ALL": locale,
                                                                        "PYTHONIOENCODING": ""})
    assert done.returncode in (0, 1, 2), done.stderr
    return done.stdout.decode("utf-8" if "UTF" in locale else "ascii").splitlines()


def tree(at: Path, source: str) -> Path:
    (at / FOLDER).mkdir(parents=True)
    (at / FOLDER / FILE).write_text(source)
    return at


def test_a_failure_is_a_line_at_the_student_s_line(tmp_path: Path) -> None:
    source = re.sub(r"htons\((.*?)\)", r"\1", SOLUTION, count=1)
    first, *_, last = brief(tree(tmp_path, source))
    found = re.fullmatch(rf"{re.escape(str(tmp_path))}/{FOLDER}/{FILE}:(\d+): error: (.+) — (.+)", first)
    assert found and int(found[1]) > 1, first
    assert "no-htons: docs/mistakes.md#no-htons" in found[3]
    assert re.fullmatch(r"lab1  client send: \d+/100", last)


def test_an_error_of_the_compiler_too(tmp_path: Path) -> None:
    lines = brief(tree(tmp_path, "\n\nint x = ;\n"))
    assert lines[0].startswith(f"{tmp_path}/{FOLDER}/{FILE}:3: error: it doesn't compile — expected expression")


def test_no_file_and_no_failure(tmp_path: Path) -> None:
    (tmp_path / "none" / FOLDER).mkdir(parents=True)
    assert brief(tmp_path / "none")[0].endswith(f"{FOLDER}/{FILE}:1: error: {FOLDER}/{FILE} is missing")
    assert brief(tree(tmp_path / "right", SOLUTION)) == ["lab1  client send: 100/100"]


def test_in_ascii_too(tmp_path: Path) -> None:
    tree(tmp_path, "int x = ;\n")
    plain = subprocess.run([sys.executable, "-m", "grader", "grade", "lab1", "--brief", "--from", str(tmp_path)], cwd=KIT,
                           capture_output=True, env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "ascii"}, timeout=60)
    assert b"it doesn't compile - expected" in plain.stdout


@pytest.mark.parametrize("task", [task for task in TASKS if isinstance(task["problemMatcher"], dict)],
                         ids=lambda task: task["label"])
def test_the_tasks_matcher_reads_them(task: dict[str, Any]) -> None:
    """VS Code's expression over what the kit prints of the skeleton, from the kit's own labs/."""
    pattern = task["problemMatcher"]["pattern"]
    lines = brief(KIT / "labs", "--only", "connecting/reaches_the_server")
    found = re.match(pattern["regexp"], lines[0])
    assert found, lines
    assert (KIT / found[pattern["file"]]).is_file() and int(found[pattern["line"]]) >= 1
    assert found[pattern["severity"]] == "error" and "client_connect()" in found[pattern["message"]]
    assert not re.match(pattern["regexp"], lines[-1])


def test_the_watching_task_sees_begin_and_end() -> None:
    background = next(task for task in TASKS if task.get("isBackground"))["problemMatcher"]["background"]
    assert re.match(background["beginsPattern"], "---- watching lab1_client_send ----")
    assert re.match(background["beginsPattern"], "---- 12:00:01  client_send.c is saved ----")
    assert re.match(background["endsPattern"], "---- graded; the next save grades again (Ctrl-C ends this) ----")
    source = (KIT / "grader" / "watch.py").read_text()
    assert '"watching ' in source and "is saved" in source and "---- graded" in source


def test_every_task_is_a_target_of_make() -> None:
    makefile = (KIT / "Makefile").read_text()
    for task in TASKS:
        assert task["command"] == "make"
        for word in task["args"]:
            target = re.sub(r"\$\{.*\}", "%", word)
            assert "=" in word or re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), word


def test_compile_commands_compile(tmp_path: Path) -> None:
    kit = copy_kit(tmp_path / "a kit 套接字")
    done = subprocess.run([sys.executable, "-m", "grader", "editors"], cwd=kit, capture_output=True, text=True)
    assert done.returncode == 0 and "compile_commands.json is written" in done.stdout
    entries = json.loads((kit / "compile_commands.json").read_text(encoding="utf-8"))
    assert {f"labs/{FOLDER}/{name}" for name in (FILE, "main.c", "probe.c", "suite.c")} <= {one["file"] for one in entries}
    for one in entries:
        if one["file"].endswith((FILE, "lab3_server_accept/main.c", "given/say.c")):
            subprocess.run([*one["arguments"], "-fsyntax-only", "-Werror"], cwd=one["directory"], check=True)
    if shutil.which("clangd"):
        checked = subprocess.run(["clangd", f"--check=labs/{FOLDER}/{FILE}"], cwd=kit, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr


def test_git_ignores_it() -> None:
    assert "compile_commands.json" in (KIT / ".gitignore").read_text().split()
