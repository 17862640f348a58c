"""Runs each `run:` step of the workflows, in order, in a clean clone, as a GitHub runner would."""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

KIT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(KIT / "tests"))

from kit import LABS, mutants, solution  # noqa: E402
from grader.classroom import records  # noqa: E402

WORKFLOWS = sorted((KIT / ".github" / "workflows").glob("*.yml"))
STEPS_SECONDS = 600


@dataclass
class Runner:
    """One job on a simulated runner: its clone, its files, and what its steps have set."""

    clone: Path
    files: Path
    variables: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def run(self, step: dict[str, object], **more: str) -> subprocess.CompletedProcess[str]:
        """Runs one step's script, with more variables in its environment; keeps its outputs."""
        script = self.files / "step.sh"
        script.write_text(self._filled_in(str(step["run"])))
        output = self.files / "output"
        output.write_text("")
        own = step.get("env", {})
        assert isinstance(own, dict)
        environment = {
            **os.environ, "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(self.clone),
            "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(self.files / "summary"),
            "PATH": f"{self.files / 'bin'}:{os.environ['PATH']}",
            "PYTEST_ADDOPTS": "tests/cli/test_make.py tests/classroom/test_publish.py",  # the steps are tried, not all tests again
            **more, **{name: self._filled_in(str(value)) for name, value in own.items()},
        }
        done = subprocess.run(["bash", "-e", str(script)], cwd=self.clone / str(step.get("working-directory", "")), env=environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=STEPS_SECONDS)
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            self.outputs[f"steps.{step['id']}.outputs.{name}"] = value
        return done

    def _filled_in(self, text: str) -> str:
        known = {**self.outputs, "vars.LABS": "", **self.variables}
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: known[found[1]], text)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A clean clone in a folder with a blank, and stand-ins for what a test must not or can't do."""
    clone = tmp_path / "a runner" / "socklab"
    subprocess.run(["git", "clone", "--quiet", KIT, clone], check=True)
    files = tmp_path / "files"
    (files / "bin").mkdir(parents=True)
    _stand_in(files / "bin" / "apt-get", "exit 0")  # no test asks the archive
    _stand_in(files / "bin" / "sudo", 'exec "$@"' if os.getuid() == 0 else "cat >/dev/null")
    return Runner(clone, files)


def _stand_in(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _jobs(workflow: str) -> dict[str, dict[str, object]]:
    loaded = yaml.safe_load((KIT / ".github" / "workflows" / workflow).read_text())
    jobs = loaded["jobs"]
    assert isinstance(jobs, dict)
    return jobs


def _run_job(runner: Runner, job: dict[str, object]) -> dict[str, subprocess.CompletedProcess[str]]:
    """Runs a job's steps until one fails; by name."""
    done = {}
    steps = job["steps"]
    assert isinstance(steps, list)
    for step in steps:
        if "run" not in step:
            continue
        done[step["name"]] = runner.run(step)
        if done[step["name"]].returncode != 0:
            break
    return done


def _commands(log: str) -> list[str]:
    """The lines of a log that the runner would obey: `::name …::`, and `##[name]` anywhere in a line."""
    obeyed, stopped = [], ""
    for line in log.splitlines():
        line = line.strip()
        if stopped:
            stopped = "" if line == f"::{stopped}::" else stopped
        elif line.startswith("::stop-commands::"):
            stopped = line.removeprefix("::stop-commands::")
        elif re.match(r"::[\w-]+( .*?)?::", line) or re.search(r"##\[.*\]", line):
            obeyed.append(line)
    return obeyed


@pytest.mark.slow
@pytest.mark.parametrize("job", _jobs("kit.yml"))
def test_the_kits_jobs_pass(runner: Runner, job: str) -> None:
    for name, done in _run_job(runner, _jobs("kit.yml")[job]).items():
        assert done.returncode == 0, f"{name}:\n{done.stdout}"


def test_right_work_passes_with_a_summary(runner: Runner) -> None:
    runner.variables["vars.LABS"] = "lab1 lab2"
    shutil.copytree(runner.clone / "solutions", runner.clone / "labs", dirs_exist_ok=True)
    for name, done in _run_job(runner, _jobs("grade.yml")["grade"]).items():
        assert done.returncode == 0, f"{name}:\n{done.stdout}"
        assert _commands(done.stdout) == []
    summary = (runner.files / "summary").read_text()
    assert "| passed |" in summary and "failed" not in summary and "not tried" not in summary


def test_unfinished_work_fails_at_the_last_step_and_points_at_lines(runner: Runner) -> None:
    done = _run_job(runner, _jobs("grade.yml")["grade"])
    *others, last = done
    assert last == "Full marks?" and done[last].returncode == 1
    assert "Not full marks" in done[last].stdout
    assert all(done[name].returncode == 0 for name in others)
    annotations = _commands(done["Summarise and annotate"].stdout)
    assert annotations
    for line in annotations:
        path = re.match(r"::error file=([^,]+),line=[1-9][0-9]*,title=", line)
        assert path and (runner.clone / path[1]).is_file(), line


def test_one_lab_can_be_chosen(runner: Runner) -> None:
    runner.variables["vars.LABS"] = "lab1"
    done = _run_job(runner, _jobs("grade.yml")["grade"])
    assert "lab1" in done["Show the report"].stdout
    assert "lab3" not in (runner.files / "summary").read_text()


@pytest.mark.parametrize("attack", [
    '#error ::add-mask::lab1\n',
    '#error ##[add-mask]lab1\n',
    '#include <stdio.h>\n__attribute__((constructor)) static void shout(void)\n'
    '{\n    printf("::add-mask::lab1\\n##[group]\\n"); fprintf(stderr, "::warning::lab1\\n");\n}\n',
])
def test_a_students_words_command_nothing(runner: Runner, attack: str) -> None:
    runner.variables["vars.LABS"] = "lab1"
    for path in (runner.clone / "labs").glob("lab*_*/"):
        source = path / f"{path.name.partition('_')[2]}.c"
        source.write_text(source.read_text() + attack)
    for done in _run_job(runner, _jobs("grade.yml")["grade"]).values():
        for line in _commands(done.stdout):
            assert line.startswith("::error"), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_can_only_read(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] and "permissions" not in job
        for step in job["steps"]:
            if str(step.get("uses", "")).startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
            assert "${{" not in str(step.get("run", "")), "an expression belongs into env:"


# ---- a class ------------------------------------------------------------------------------------------

class Class:
    """class.yml's jobs, one after another: each on a machine of its own, with what the earlier ones have stored."""

    def __init__(self, folder: Path, url: str, **variables: str) -> None:
        self.folder, self.url = folder, url
        self.variables = {f"vars.CLASS_{name}": variables.get(name, "") for name in
                          ("LIST", "KIT", "LABS", "SHARDS", "POLICY", "HIDDEN")} | {"secrets.CLASS_TOKEN": "s3cret"}
        self.stored = folder / "stored"
        self.course = folder / "course.git"
        (folder / "bin").mkdir()
        _stand_in(folder / "bin" / "apt-get", "exit 0")
        _stand_in(folder / "bin" / "sudo", 'exec "$@"' if os.getuid() == 0 else "cat >/dev/null")

    def run(self, name: str, job: str, **matrix: str) -> tuple[Runner, dict[str, subprocess.CompletedProcess[str]]]:
        """One job of the workflow; stops at the first step that fails, but for uploads."""
        place = self.folder / name
        files = place / "files"
        files.mkdir(parents=True)
        (files / "bin").symlink_to(self.folder / "bin")
        runner = Runner(place / "work", files, {**self.variables, **{f"matrix.{key}": value for key, value in matrix.items()}})
        runner.clone.mkdir()
        done: dict[str, subprocess.CompletedProcess[str]] = {}
        steps = _jobs("class.yml")[job]["steps"]
        assert isinstance(steps, list)
        for step in steps:
            if "run" in step:
                done[step["name"]] = runner.run(step, GITHUB_SERVER_URL=self.url, GITHUB_RUN_ID="4711")
                if done[step["name"]].returncode:
                    break
            else:
                self._use(runner, step["uses"].partition("@")[0], step["with"])
        return runner, done

    def _use(self, runner: Runner, action: str, words: dict[str, str]) -> None:
        words = {key: runner._filled_in(str(value)) for key, value in words.items()}
        place = runner.clone / words["path"]
        if action == "actions/checkout" and words["path"] == "kit":
            subprocess.run(["git", "clone", "--quiet", KIT, place], check=True)
            subprocess.run(["git", "checkout", "--quiet", words["ref"]], cwd=place, check=True)
        elif action == "actions/checkout":
            subprocess.run(["git", "clone", "--quiet", self.course, place], check=True)
        elif action == "actions/upload-artifact":
            shutil.copytree(place, self.stored / words["name"])
        else:
            assert action == "actions/download-artifact"
            for part in self.stored.glob(words["pattern"]):
                shutil.copytree(part, place / part.name)


def _repository(place: Path, files: dict[str, str]) -> None:
    """A bare repository of one commit."""
    work = place.with_suffix(".work")
    for name, text in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    for words in (["init", "--quiet", "-b", "main", "."], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "work"]):
        subprocess.run(["git", *words], cwd=work, check=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", work, place], check=True)


PINNED = subprocess.run(["git", "rev-parse", "HEAD"], cwd=KIT, capture_output=True, text=True, check=True).stdout.strip()


def _class(folder: Path, url: str, listed: str, **variables: str) -> Class:
    whole = Class(folder, url, LIST="class/repositories.txt", LABS="lab1", SHARDS="2", **variables)
    whole.variables["vars.CLASS_KIT || github.sha"] = PINNED
    _repository(whole.course, {"class/repositories.txt": listed,
                               "class/late.toml": "due = 2000-01-01T00:00:00Z\npercent_a_day = 100\n[extensions]\nanna = 90000\n"})
    return whole


@pytest.mark.slow
def test_a_class_is_graded_in_parts_and_merged(tmp_path: Path) -> None:
    lab, wrong = LABS["lab1"], next(one for one in mutants("mutants") if one.lab.id == "lab1")
    place = f"labs/{lab.folder.name}/{lab.file_name}"
    hosts = tmp_path / "hub"
    _repository(hosts / "ben" / "socklab.git", {place: wrong.source()})
    _repository(hosts / "course" / "anna.git", {place: solution(lab), "Makefile": "$(shell touch pwned)\n"})
    _repository(hosts / "dora" / "socklab.git", {place: solution(lab) + "\n#error ::add-mask::lab1\n"})
    (tmp_path / "a run").mkdir()
    whole = _class(tmp_path / "a run", hosts.as_uri(), "# the class\ncourse/anna\nben/socklab  Ben $(touch pwned)\n"
                   "dora/socklab ::warning::dora\n\nnobody/socklab  carl\n", POLICY="class/late.toml")
    runner, done = whole.run("plan", "plan")
    assert done["Plan"].returncode == 0, done["Plan"].stdout
    assert json.loads(runner.outputs["steps.plan.outputs.shards"]) == [1, 2]
    whole.variables["needs.plan.outputs.count"] = runner.outputs["steps.plan.outputs.count"]
    carls = records.shard_of("carl", 2) + 1
    for shard in (1, 2):
        _, done = whole.run(f"shard {shard}", "grade", shard=str(shard))
        *others, last = done
        assert all(done[name].returncode == 0 for name in others), done[others[-1]].stdout
        assert last == "Has everybody a mark?" and (done[last].returncode != 0) == (shard == carls)
        assert _commands("".join(done[name].stdout for name in others)) == []
        said = done["Grade"].stdout
        assert ("carl: nobody/socklab could not be fetched" in said) == (shard == carls) and "s3cret" not in said
    runner, done = whole.run("merged", "merge")
    assert all(one.returncode == 0 for one in done.values()), "".join(one.stdout for one in done.values())
    assert _commands(done["Merge"].stdout) == []
    marks = whole.stored / "marks"
    rows = {record["student"]: record["report"]["score"] for record in
            (json.loads(path.read_text()) for path in (marks / "results").glob("*.json"))}
    assert rows["anna"] == 100 and rows["::warning::dora"] == 0 and 0 <= rows["Ben $(touch pwned)"] < 100 and len(rows) == 3
    summary = (runner.files / "summary").read_text()
    assert "3 submissions" in summary and "carl: nobody/socklab could not be fetched" in summary
    assert all(line.startswith("    ") for line in summary.splitlines())
    assert "in time" in (marks / "reports" / "anna.txt").read_text()
    assert not list(tmp_path.rglob("pwned"))
    shutil.rmtree(whole.stored / f"part-{carls}")
    shutil.rmtree(marks)
    _, done = whole.run("without a part", "merge")
    assert done["Is every part here?"].returncode == 1 and "1 of 2 parts" in done["Is every part here?"].stdout


@pytest.mark.parametrize(("listed", "says"), [
    ("anna\n", ":1: a repository is owner/name, not anna"),
    ("a/b\n--upload-pack=x/y\n", ":2: a repository is owner/name"),
    ("$(touch pwned)/x\n", ":1: a repository is owner/name"),
    ("a/..\n", ":1: a repository is owner/name"),
    ("a/b ../../x\n", ":1: ../../x can't be a student's name"),
    ("a/b jane_77_4711_lab\n", "can't be a student's name"),
    ("a/b anna.zip\n", "can't be a student's name"),
    ("anna/socklab\nben/socklab\n", ":2: socklab is anna/socklab already"),
    ("# nobody\n", "has no repositories"),
    ("a/b \x1b[31m::error::x/\n", "can't be a student's name"),
])
def test_a_bad_list_stops_the_class_with_a_line(tmp_path: Path, listed: str, says: str) -> None:
    whole = _class(tmp_path, "file:///nowhere", listed)
    _, done = whole.run("plan", "plan")
    assert done["Plan"].returncode == 2 and says in done["Plan"].stdout, done["Plan"].stdout
    assert len(done["Plan"].stdout.splitlines()) == 1 and "\x1b" not in done["Plan"].stdout
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("count", ["0", "x", "100", "2; touch pwned"])
def test_a_number_of_parts_that_is_none(tmp_path: Path, count: str) -> None:
    whole = _class(tmp_path, "file:///nowhere", "a/b\n")
    whole.variables["vars.CLASS_SHARDS"] = count
    _, done = whole.run("plan", "plan")
    assert done["Plan"].returncode == 1 and "CLASS_SHARDS is a number" in done["Plan"].stdout


@pytest.fixture
def asked() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server that notes what it is asked, and with which token, and has nothing."""
    seen: list[tuple[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("Authorization", "")))
            self.send_response(404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_token_goes_to_the_repositories_and_nowhere_else(tmp_path: Path, asked: tuple[str, list[tuple[str, str]]]) -> None:
    url, seen = asked
    whole = _class(tmp_path, url, "a/b\n")
    whole.variables |= {"needs.plan.outputs.count": "1", "matrix.shard": "1"}
    _, done = whole.run("grade", "grade", shard="1")
    assert done["Fetch"].returncode == 0 and done["Has everybody a mark?"].returncode == 1
    assert "a/b could not be fetched" in done["Grade"].stdout
    assert seen and {token for path, token in seen if path.startswith("/a/b.git/")} == \
        {"Basic " + base64.b64encode(b"x-access-token:s3cret").decode()}
    steps = _jobs("class.yml")["grade"]["steps"]
    assert isinstance(steps, list)
    assert [step["name"] for step in steps if "TOKEN" in str(step.get("env", ""))] == ["Fetch"]
