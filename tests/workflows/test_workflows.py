"""Runs each `run:` step of the workflows, in order, in a clean clone, as a GitHub runner would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

KIT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((KIT / ".github" / "workflows").glob("*.yml"))
STEPS_SECONDS = 600


@dataclass
class Runner:
    """One job on a simulated runner: its clone, its files, and what its steps have set."""

    clone: Path
    files: Path
    variables: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def run(self, step: dict[str, object]) -> subprocess.CompletedProcess[str]:
        """Runs one step's script; keeps its outputs."""
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
            "PYTEST_ADDOPTS": "tests/cli/test_make.py tests/bench",  # the steps are tried, not all tests again
            **{name: self._filled_in(str(value)) for name, value in own.items()},
        }
        done = subprocess.run(["bash", "-e", str(script)], cwd=self.clone, env=environment, text=True,
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
