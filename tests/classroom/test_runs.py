"""A class run from start to end, whatever happens to it, with a stand-in for the grader: see fake_grader.py."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kit import LABS  # noqa: E402

from grader import kernel  # noqa: E402
from grader.classroom import records  # noqa: E402

FAKE = Path(__file__).with_name("fake_grader.py")
BASE = ("--labs", "lab1", "--seed", "cafe", "--sandbox", "off")


def hand_in(folder: Path, **works: str) -> Path:
    for student, said in works.items():
        place = folder / student
        place.mkdir(parents=True)
        (place / LABS["lab1"].file_name).write_text(said + "\n")
        os.utime(place / LABS["lab1"].file_name, (1_800_000_000, 1_800_000_000))
    return folder


def start(*words: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, str(FAKE), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "TZ": "UTC", "PYTHONIOENCODING": "utf-8", **environment})


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    with start(*words, **environment) as process:
        out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess([], process.returncode, out, err)


def table(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "grades.csv", newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def steady(out: Path) -> dict[str, Any]:
    """All that a run has written, byte for byte, without what the documentation says may vary: "seconds" of a record,
    and the list of the slowest."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        if path.is_dir() or path.name == "class.html":
            continue
        content = path.read_bytes()
        if path.parent.name == "results":
            record = json.loads(content)
            assert record.pop("seconds")
            content = json.dumps(record).encode()
        found[str(path.relative_to(out))] = content
    return found


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    return hand_in(tmp_path / "in", **{f"s{number}": str(10 * number) for number in range(10)}, full="100")


def test_everybody_gets_the_mark_and_the_books_say_so(ten: Path, tmp_path: Path) -> None:
    done = run("class", ten, "--out", tmp_path / "out", *BASE)
    assert done.returncode == 0, done.stderr
    assert {name: row["score"] for name, row in table(tmp_path / "out").items()} == \
        {**{f"s{number}": str(10 * number) for number in range(10)}, "full": "100"}
    suites = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()
    assert len(suites) == 11 and sum(int(suite.get("failures", "")) for suite in suites) == 10
    assert "[11/11]" in done.stdout and "median 50" in done.stdout
    assert (tmp_path / "out" / "reports" / "full.txt").read_text().startswith("socklab · full\n\nlab1  a lab\n\n  100")
    page = (tmp_path / "out" / "reports" / "full.html").read_text()
    assert "socklab · full" in page and "<code>make grade</code>" in page


def test_only_what_changed_is_graded_again(ten: Path, tmp_path: Path) -> None:
    run("class", ten, "--out", tmp_path / "out", *BASE)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "results").iterdir()}
    (ten / "s3" / LABS["lab1"].file_name).write_text("33\n")
    hand_in(ten, new="55")
    for path in (ten / "s4").iterdir():
        path.unlink()
    (ten / "s4").rmdir()
    done = run("class", ten, "--out", tmp_path / "out", *BASE)
    assert "9 are graded, 2 to go" in done.stdout
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "results").iterdir()}
    assert set(after) == {*before, "new.json"} - {"s4.json"}
    assert {name for name, when in after.items() if before.get(name) != when} == {"s3.json", "new.json"}
    marks = table(tmp_path / "out")
    assert marks["s3"]["score"] == "33" and marks["new"]["score"] == "55" and "s4" not in marks
    assert not (tmp_path / "out" / "reports" / "s4.html").exists()
    other = run("class", ten, "--out", tmp_path / "out", *BASE[:2], "--sandbox", "off", "--seed", "beef")
    assert "are graded" not in other.stdout         # another seed, another grade


def test_the_seed_of_a_run_is_kept(tmp_path: Path) -> None:
    two = hand_in(tmp_path / "in", anna="10", ben="20")
    run("class", two, "--out", tmp_path / "out", "--labs", "lab1", "--sandbox", "off")
    done = run("class", two, "--out", tmp_path / "out", "--labs", "lab1", "--sandbox", "off")
    assert "2 are graded, 0 to go" in done.stdout


@pytest.mark.parametrize(("number", "after"), [(signal.SIGINT, 3)] + [
    pytest.param(number, after, marks=pytest.mark.slow) for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
    for after in (0, 1, 3, 5, 7) if (number, after) != (signal.SIGINT, 3)])
def test_killed_half_way_it_finishes_with_the_same_files(ten: Path, tmp_path: Path, number: int, after: int) -> None:
    run("class", ten, "--out", tmp_path / "whole", *BASE)
    process = start("class", ten, "--out", tmp_path / "out", *BASE, "--jobs", 2, FAKE_SECONDS="0.2")
    results = tmp_path / "out" / "results"
    while process.poll() is None and (not results.is_dir() or len(list(results.glob("[!.]*.json"))) < after):
        time.sleep(0.01)
    assert process.poll() is None
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number and "the same command goes on" in said
        assert len(list((tmp_path / "out").rglob(".*"))) == 0
    done = run("class", ten, "--out", tmp_path / "out", *BASE)
    assert done.returncode == 0 and (after == 0 or "are graded" in done.stdout)
    assert steady(tmp_path / "out") == steady(tmp_path / "whole")


def test_shards_merged_equal_one_run(ten: Path, tmp_path: Path) -> None:
    run("class", ten, "--out", tmp_path / "whole", *BASE)
    parts = [tmp_path / f"part{number}" for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        run("class", ten, "--out", part, *BASE, "--shard", f"{number}/2")
    assert all(0 < len(table(part)) < 11 for part in parts)
    done = run("merge", *parts, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert steady(tmp_path / "out") == steady(tmp_path / "whole")


def test_slurms_script_in_the_docs_grades_all_parts(ten: Path, tmp_path: Path) -> None:
    run("class", ten, "--out", tmp_path / "whole", *BASE[2:4])
    page = (FAKE.parents[2] / "docs" / "instructors.md").read_text(encoding="utf-8")
    script = page.partition("```sh\n")[2].partition("```")[0]
    assert script.startswith("#!/bin/sh\n#SBATCH")
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nshift 2\nexec "{sys.executable}" "{FAKE}" "$@"\n')
    python.chmod(0o755)
    ten.rename(tmp_path / "submissions")
    slurm = {**os.environ, "TZ": "UTC", "PATH": f"{python.parent}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_COUNT": "5"}
    for number in map(str, range(1, 6)):        # one of them has nobody
        done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True,
                              env={**slurm, "SEED": "cafe", "SLURM_ARRAY_TASK_ID": number})
        assert done.returncode == 0, done.stderr
    run("merge", *(tmp_path / "parts").iterdir(), "--out", tmp_path / "out")
    assert steady(tmp_path / "out") == steady(tmp_path / "whole")
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True,
                          env={**slurm, "SLURM_ARRAY_TASK_ID": "1"})
    assert done.returncode != 0 and "the same for all parts" in done.stderr


def test_parts_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    two = hand_in(tmp_path / "in", anna="10", ben="20")
    run("class", two, "--out", tmp_path / "a", *BASE)
    run("class", two, "--out", tmp_path / "b", *BASE[:2], "--seed", "beef", "--sandbox", "off")
    done = run("merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out")
    assert done.returncode == 2 and "were graded by another kit, seed" in done.stderr and not (tmp_path / "out").exists()


def test_what_breaks_the_grader_is_a_line_and_stops_nobody(tmp_path: Path) -> None:
    folder = hand_in(tmp_path / "in", anna="100", ben="break", carl="die", dora="break once", eve="50")
    done = run("class", folder, "--out", tmp_path / "out", *BASE, FAKE_STATE=str(tmp_path / "state"))
    assert done.returncode == 3
    marks = {name: row["score"] for name, row in table(tmp_path / "out").items()}
    assert marks == {"anna": "100", "ben": "", "carl": "", "dora": "0", "eve": "50"}
    assert "the grader failed on 2" in done.stdout and "ben: it broke" in done.stdout
    suites = {suite.get("name"): suite for suite in ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()}
    assert suites["ben"].get("errors") == suites["carl"].get("errors") == "1" and suites["eve"].get("errors") == "0"
    again = run("class", folder, "--out", tmp_path / "out", *BASE, FAKE_STATE=str(tmp_path / "state"))
    assert "3 are graded, 2 to go" in again.stdout


def test_a_grader_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from grader.classroom import pool
    ended: list[pool.Done] = []
    words = [sys.executable, "-c", "import time; time.sleep(100)"]
    jobs = [pool.Job("slow", words, tmp_path / "o", tmp_path / "e", 0.3), pool.Job("quick", ["true"], tmp_path / "o2", tmp_path / "e2", 9)]
    pool.run(iter(jobs), 2, ended.append, lambda: None)
    assert {done.job.name: (done.status, done.late) for done in ended} == {"slow": (-signal.SIGTERM, True), "quick": (0, False)}


def test_the_graders_end_with_the_class(tmp_path: Path) -> None:
    """Even where it is killed outright."""
    kernel.adopt_orphans()
    try:
        process = start("class", hand_in(tmp_path / "in", anna="hang", ben="hang"), "--out", tmp_path / "out", *BASE, "--jobs", 2)
        deadline = time.monotonic() + 60
        while len(kernel.family(process.pid)) < 4 and time.monotonic() < deadline:
            time.sleep(0.02)
        family = kernel.family(process.pid)
        assert len(family) >= 4
        process.kill()
        process.communicate(timeout=60)
        while any(alive(pid) for pid in family) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not [pid for pid in family if alive(pid)]
    finally:
        kernel._libc().prctl(36, 0, 0, 0, 0)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("words", "said"), [
    (("class", "{in}", "--out", "{out}", "--labs", "lab9"), "no lab9: there are lab1"),
    (("class", "{in}/no", "--out", "{out}"), "there is no folder"),
    (("class", "{empty}", "--out", "{out}"), "has no submissions"),
    (("class", "{in}", "--out", "{out}", "--shard", "1/2"), "--shard needs --seed"),
    (("class", "{in}", "--out", "{out}", "--shard", "3/2", "--seed", "1"), "say which part of how many"),
    (("class", "{in}", "--out", "{out}", "--policy", "{in}/no"), "No such file"),
    (("class", "{in}", "--out", "{out}", "--canvas", "{in}/no"), "No such file"),
    (("class", "{in}", "--out", "/proc/no/such"), "the grader failed: "),
    (("merge", "{empty}", "--out", "{out}"), "has no results"),
])
def test_bad_input_is_one_line(ten: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "empty").mkdir()
    places = {"in": str(ten), "out": str(tmp_path / "out"), "empty": str(tmp_path / "empty")}
    done = run(*(word.format(**places) for word in words), *(() if words[0] == "merge" else ("--sandbox", "off")))
    assert done.returncode in (2, 3) and said in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_record_that_is_none_is_named(ten: Path, tmp_path: Path) -> None:
    run("class", ten, "--out", tmp_path / "out", *BASE)
    (tmp_path / "out" / "results" / "s1.json").write_text("{")
    done = run("class", ten, "--out", tmp_path / "out", *BASE)
    assert done.returncode == 0 and "10 are graded, 1 to go" in done.stdout     # graded anew
    (tmp_path / "out" / "results" / "extra.json").write_text('{"version": 1}')
    done = run("merge", tmp_path / "out", "--out", tmp_path / "other")
    assert done.returncode == 2 and "extra.json isn't a record" in done.stderr


def test_late_days_are_explained_and_change_no_record(ten: Path, tmp_path: Path) -> None:
    run("class", ten, "--out", tmp_path / "out", *BASE)
    before = steady(tmp_path / "out")
    (tmp_path / "policy.toml").write_text('due = 2027-01-13T08:00:00Z\npercent_a_day = 20\ncut_off_days = 5\n'
                                          '[extensions]\nfull = 1\nnobody = 2\n[submitted]\ns9 = 2027-02-01T00:00:00Z\n')
    done = run("merge", tmp_path / "out", "--out", tmp_path / "out", "--policy", tmp_path / "policy.toml")
    marks = table(tmp_path / "out")         # handed in 2027-01-15T08:00:00Z
    assert marks["s5"]["score"] == "50" and marks["s5"]["final"] == "30" and marks["s5"]["days_late"] == "2"
    assert marks["full"]["final"] == "80" and marks["s9"]["final"] == "0"
    assert "2 days late, 2 × 20 % off; 50 − 20 = 30" in (tmp_path / "out" / "reports" / "s5.txt").read_text()
    assert "2 days late, 2 × 20 % off; 50 − 20 = 30" in (tmp_path / "out" / "reports" / "s5.html").read_text()
    assert "The policy names 'nobody'" in done.stdout
    after = steady(tmp_path / "out")
    assert {name for name in after if name.startswith("results")} and all(
        after[name] == before[name] for name in before if name.startswith("results"))
    run("merge", tmp_path / "out", "--out", tmp_path / "out")       # and without a policy they are as they were
    assert steady(tmp_path / "out") == before


def test_names_are_data(tmp_path: Path) -> None:
    nasty = ["=1+1", "<script>alert(1)<", "a\x1b[31mb\nc", "::error file=x::y", "]]>", "x" * 250, os.fsdecode(b"\xff\xfe")]
    folder = tmp_path / "in"
    for name in nasty:
        (folder / name).mkdir(parents=True)
        (folder / name / LABS["lab1"].file_name).write_text("50\n")
    done = run("class", folder, "--out", tmp_path / "out", *BASE)
    assert done.returncode == 0 and "\x1b" not in done.stdout and "\n::error" not in done.stdout
    texts = {path: path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert len(table(tmp_path / "out")) == 7 and len(list((tmp_path / "out" / "reports").iterdir())) == 14
    assert all("\x1b" not in text for text in texts.values())
    assert all("<script" not in text for path, text in texts.items() if path.suffix in (".html", ".xml"))
    assert "\"'=1+1\"" in texts[tmp_path / "out" / "grades.csv"]
    ElementTree.parse(tmp_path / "out" / "junit.xml")
    page = texts[tmp_path / "out" / "class.html"]
    assert all((tmp_path / "out" / "reports" / f"{records.file_name(name)}.html").is_file() for name in nasty)
    from urllib.parse import quote
    assert all(quote(f"reports/{records.file_name(name)}.html") in page for name in nasty)
