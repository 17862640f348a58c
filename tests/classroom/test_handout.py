"""make handout: what students get, that nothing of the solutions is in it, and that README's commands work in it."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

KIT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(KIT))

from grader.classroom import canary, course, handout  # noqa: E402
from grader.classroom.trouble import Cannot  # noqa: E402

PLANTED = b'puts("canary 9f31c7d2 of the solutions");'
NOBODY = 65534


def copy_of_the_kit(place: Path) -> Path:
    """What git knows of the kit, as a folder."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=KIT,
                            capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (KIT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(KIT / name, place / name)
    return place


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the kit with a canary wherever a solution may lie."""
    root = copy_of_the_kit(tmp_path_factory.mktemp("an instructor") / "socklab")
    mutant = next((root / "tests" / "mutants").glob("*/*.mutant"))
    for path in (*(root / "solutions").glob("*/*"), mutant):
        path.write_bytes(path.read_bytes() + PLANTED + b"\n")
    for name in ("build/cache/lab1-student-1/client_send.c", "build/lab1/client_send", ".git/config",
                 "labs/lab1_client_send/.client_send.c.swp", "labs/lab1_client_send/client_send.c~",
                 "labs/lab1_client_send/a.out", "grader/__pycache__/cli.pyc", "hidden/lab1_client_send/hidden.c"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PLANTED)
    return root


@pytest.fixture(scope="module")
def made(root: Path) -> Path:
    """The students' kit, made there by the instructor's command."""
    done = subprocess.run([sys.executable, "-m", "grader", "handout"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "its skeletons score 0" in done.stdout.replace("\n", " ")
    return root / "build" / "handout" / "socklab"


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unpacked(archive: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            held = tar.extractfile(member)
            assert held is not None
            found[member.name] = held.read()
    return found


# ---- nothing of the solutions -------------------------------------------------------------------------

def test_no_line_of_a_solution_is_in_it(root: Path, made: Path) -> None:
    marks = canary.marks(root)
    assert len(marks) > 500 and PLANTED in marks
    assert canary.leaks([*files_of(made).items(), ("archive", made.with_name("socklab.tar.gz").read_bytes())], marks) == []


def test_no_canary_is_in_it(made: Path) -> None:
    everything = {**files_of(made), **unpacked(made.with_name("socklab.tar.gz"))}
    assert [name for name, content in everything.items() if b"9f31c7d2" in content] == []


def test_what_is_in_it_and_what_not(made: Path) -> None:
    names = files_of(made).keys()
    for name in ("Makefile", "README.md", "LICENSE", "grader/cli.py", "grader/c/recorder.c", "tools/setup.sh",
                 "labs/lab1_client_send/client_send.c", "labs/lab1_client_send/suite.c", "docs/mistakes.md",
                 ".github/workflows/grade.yml", ".vscode/tasks.json", ".devcontainer/devcontainer.json", ".gitignore"):
        assert name in names
    folders = {name.partition("/")[0] for name in names}
    assert not folders & {"solutions", "classroom", "hidden", ".git", "build", ".ci"}
    assert [name for name in names if name.startswith("grader/classroom/")] == []
    assert [name for name in names if name.startswith("tests/") and not name.startswith(("tests/hello/", "tests/check.py"))] == []
    assert [name for name in names if name.startswith(".github/")] == [".github/workflows/grade.yml"]
    assert [name for name in names if name.endswith((".o", ".a", ".so", ".pyc", "~", ".swp", ".out"))] == []
    assert [name for name, content in files_of(made).items() if content.startswith(b"\x7fELF")] == []


def test_the_skeletons_are_as_they_are_here(made: Path) -> None:
    for path in (KIT / "labs").glob("lab*_*/*.c"):
        assert (made / path.relative_to(KIT)).read_bytes() == path.read_bytes()


def _tar(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("x")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _zip(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", content)
    return packed.getvalue()


@pytest.mark.parametrize("hide", [
    lambda line: line, lambda line: b"\t" + line.replace(b" ", b"   \t"), gzip.compress, bz2.compress, lzma.compress,
    _tar, _zip, lambda line: gzip.compress(_tar(_zip(line))), lambda line: zlib.compress(b"blob 40\0" + line),
    lambda line: line.decode().encode("utf-16-le"), lambda line: line.replace(b'"', b"&quot;").replace(b"<", b"&lt;"),
    lambda line: json.dumps({"x": line.decode()}).encode(), lambda line: b"\x7fELF\0\0" + line + b"\0\0",
], ids=["plain", "blanks", "gzip", "bzip2", "xz", "tar", "zip", "zip in tar.gz", "git", "UTF-16", "HTML", "JSON", "ELF"])
def test_a_line_is_found_wherever_it_hides(hide: Callable[[bytes], bytes]) -> None:
    line = b'if (recv(fd, "hello", 5) < 0)'
    found = canary.leaks([("docs/x", hide(line))], {line: "solutions/lab1_x/x.c:7"})
    assert {leak.source for leak in found} == {"solutions/lab1_x/x.c:7"}
    assert canary.leaks([("docs/x", hide(line))], {b"another line, as long as this": "y"}) == []


def test_every_line_of_a_solution_is_looked_for() -> None:
    """Those excepted that are short, or in the skeleton, or listed; and the list has none that stands for nothing."""
    marks, listed = canary.marks(KIT), canary.shared(canary.SHARED.read_text())
    seen = set()
    for path in (KIT / "solutions").glob("*/*"):
        skeleton = KIT / "labs" / path.parent.name / path.name
        given = {canary.squeeze(line) for line in skeleton.read_bytes().splitlines()} if path.suffix == ".c" else set()
        for line in map(canary.squeeze, path.read_bytes().splitlines()):
            seen.add(line)
            if len(line) >= canary.SHORTEST and not line.startswith(b"#include"):
                assert line in marks or line in given or line in listed, line
    assert listed <= seen


def test_a_leak_is_refused_and_nothing_written(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    page = root / "docs" / "mistakes.md"
    before = page.read_bytes()
    page.write_bytes(before + b"    " + PLANTED)
    monkeypatch.setattr(course, "KIT", root)
    try:
        assert course.hand_out(["--to", str(tmp_path / "new")]) == 2
    finally:
        page.write_bytes(before)
    said = capsys.readouterr().err
    assert "docs/mistakes.md has a line of solutions/lab1_client_send/" in said and len(said.splitlines()) == 1
    assert not (tmp_path / "new").exists()


# ---- what is written, and where -------------------------------------------------------------------------

def test_the_archive_is_the_folder_and_the_same_each_time(root: Path, made: Path) -> None:
    kit = handout.gather(root)
    assert handout.pack(kit) == made.with_name("socklab.tar.gz").read_bytes()
    packed = unpacked(made.with_name("socklab.tar.gz"))
    assert packed == {f"socklab/{name}": content for name, content in files_of(made).items()}
    shutil.copytree(root, root.with_name("elsewhere"), ignore=shutil.ignore_patterns("build"))
    assert handout.pack(handout.gather(root.with_name("elsewhere"))) == handout.pack(kit)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the trial, which takes long and is tried above."""
    monkeypatch.setattr(handout, "try_out", lambda kit: 6)


def test_it_can_be_made_again_in_a_clone(quick: None, tmp_path: Path) -> None:
    place = tmp_path / "a template 仓库"
    (place / ".git").mkdir(parents=True)
    (place / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    handout.make(KIT, place)
    published = place / "solutions" / "lab1_client_send" / "README.md"
    published.parent.mkdir(parents=True)
    published.write_text("published\n")
    table = json.loads((place / "handout.json").read_text())
    table["files"]["docs/old/page.md"] = ""
    (place / "handout.json").write_text(json.dumps(table))
    (place / "docs" / "old").mkdir()
    (place / "docs" / "old" / "page.md").write_text("no longer handed out\n")
    handout.make(KIT, place)
    assert not (place / "docs" / "old").exists()
    assert published.exists() and (place / ".git" / "HEAD").exists() and (place / "docs" / "mistakes.md").exists()


def test_a_folder_of_somebody_else_is_left_alone(quick: None, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine\n")
    with pytest.raises(Cannot, match="no students' kit"):
        handout.make(KIT, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("evil", ["/etc/x", "../x", "a/../../x"])
def test_a_list_that_points_outside_is_none(tmp_path: Path, evil: str) -> None:
    (tmp_path / "handout.json").write_text(json.dumps({"version": 1, "labs": [], "files": {evil: ""}}))
    with pytest.raises(Cannot):
        handout.read_manifest(tmp_path)


def test_work_in_the_place_of_a_skeleton_is_refused() -> None:
    """Somebody's own solution has no line of ours, but it scores."""
    kit = handout.gather(KIT)
    kit = {name: entry for name, entry in kit.items() if not re.match(r"labs/lab[2-9]", name)}
    right = min((KIT / "tests" / "variants" / "lab1").glob("*.c"))
    kit["labs/lab1_client_send/client_send.c"] = handout.Entry(right.read_bytes())
    with pytest.raises(Cannot, match="client_send.c is no skeleton: it scores 100"):
        handout.try_out(kit)


# ---- it works ------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def at_home(made: Path) -> Iterator[Path]:
    """The archive, unpacked by a student: a user without root, with an empty home."""
    with tempfile.TemporaryDirectory(prefix="a student ") as home:
        os.chmod(home, 0o755)
        (Path(home) / "home").mkdir()
        subprocess.run(["tar", "-xzf", made.with_name("socklab.tar.gz"), "-C", home], check=True)
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", home], check=True)
        yield Path(home) / "socklab"


def bare(kit: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as that student, with nothing in the environment."""
    words = ["env", "-i", "PATH=/usr/bin:/bin", f"HOME={kit.parent / 'home'}", "sh", "-c", command]
    if os.getuid() == 0:
        words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *words]
    return subprocess.run(words, cwd=kit, text=True, errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)


def test_readmes_commands_work(at_home: Path) -> None:
    block = re.search(r"^```\n(.*?)^```", (at_home / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block
    first, second = [line.partition("#")[0].strip() for line in block[1].splitlines()]
    done = bare(at_home, first)
    assert done.returncode == 0 and "0/100" in done.stdout, done.stdout
    done = bare(at_home, second)
    assert done.returncode == 0 and "All is well" in done.stdout and "FAIL" not in done.stdout, done.stdout
    assert list((at_home.parent / "home").iterdir()) == []


def test_help_lists_only_what_is_there(at_home: Path) -> None:
    listed = re.findall(r"^  make ([a-zA-Z-]+) ", bare(at_home, "make help").stdout, re.MULTILINE)
    assert {"labN", "grade", "test", "setup", "clean"} <= set(listed)
    assert not set(listed) & {"test-all", "lint", "soak", "golden", "bench", "evidence", "handout", "publish"}
    for target in listed:
        if target != "clean":
            done = bare(at_home, f"make -n {target.replace('N', '1')} SCRIPT=x LAB=1")
            assert done.returncode == 0, f"make {target}: {done.stdout}"
    for target in ("test-all", "lint", "handout"):
        assert "No rule to make target" in bare(at_home, f"make {target}").stdout
    readme = (at_home / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)(?![a-zN0-9-])", readme))
    assert named and named <= set(listed), named - set(listed)


def test_class_grading_isnt_there_and_says_so(at_home: Path) -> None:
    done = bare(at_home, "PYTHONDONTWRITEBYTECODE=1 python3 -m grader class . --out x")
    assert done.returncode == 2 and done.stdout == "socklab: class is for instructors: it isn't in a students' kit\n"


def test_its_links_lead_somewhere(made: Path) -> None:
    for page in [*made.glob("*.md"), *made.glob("docs/*.md"), *made.glob("labs/*/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.relative_to(made)}: {link}"
    readme = (made / "README.md").read_text(encoding="utf-8")
    assert all(folder.name in readme for folder in (KIT / "labs").glob("lab*_*"))


@pytest.mark.parametrize("name, old, new, says", [
    ("labs/lab1_client_send/suite.c", b"}", b"} ", "not labs/lab1_client_send/suite.c"),
    pytest.param("grader/verdict.py", b'points if outcome.status == "passed" else 0', b"points", "40 is right", marks=pytest.mark.slow),
    pytest.param("grader/report/jsonreport.py", b'"cause": test.cause', b'"cause": None', "None", marks=pytest.mark.slow),
])
def test_its_make_test_can_fail(made: Path, tmp_path: Path, name: str, old: bytes, new: bytes, says: str) -> None:
    copy = tmp_path / "socklab"
    shutil.copytree(made, copy)
    content = (copy / name).read_bytes()
    assert old in content
    (copy / name).write_bytes(content.replace(old, new))
    done = subprocess.run([sys.executable, "tests/check.py"], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 1
    assert any(line.startswith("  FAIL") and says in line for line in done.stdout.splitlines()), done.stdout


def test_a_students_own_file_is_no_change(made: Path, tmp_path: Path) -> None:
    listed = json.loads((made / "handout.json").read_text())
    assert "labs/lab1_client_send/client_send.c" in listed["edited"]
    assert "labs/lab1_client_send/client_send.c" not in listed["files"]
    assert "labs/lab1_client_send/main.c" in listed["files"]
