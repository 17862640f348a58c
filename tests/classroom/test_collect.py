"""What is taken of a submission, and what isn't: folders, archives and clones as students hand them in."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kit import LABS  # noqa: E402

from grader.classroom import archives, collect, records  # noqa: E402

ALL = tuple(LABS.values())
NAMES = {lab.file_name for lab in ALL}
ONE = b"int one;\n"
LAB1 = LABS["lab1"]
OWN = f"{LAB1.folder.name}/{LAB1.file_name}"


def take(path: Path) -> collect.Work:
    return collect.take(collect.Entry("anna", (path,), 0), ALL)


def put(top: Path, name: str, content: bytes = ONE) -> Path:
    place = top / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def zipped(place: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return place


def tarred(place: Path, mode: str, members: dict[str, bytes]) -> Path:
    with tarfile.open(place, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return place


def packed(tmp_path: Path, kind: str, members: dict[str, bytes]) -> Path:
    place = tmp_path / f"anna.{kind}"
    return zipped(place, members) if kind == "zip" else tarred(place, f"w:{kind.partition('.')[2]}", members)


KINDS = ("zip", "tar", "tar.gz", "tar.xz", "tar.bz2")


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_is_read_whatever_it_is_nested_in(tmp_path: Path, kind: str) -> None:
    work = take(packed(tmp_path, kind, {f"my work/李 明 😀/{OWN}": ONE, "notes.txt": b"-", "x/server_accept.c": b"\r\nint b;\r\n"}))
    assert work.files == {"lab1": ONE, "lab3": b"\r\nint b;\r\n"} and work.notes == ()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_leads_out_of_an_archive_is_taken(tmp_path: Path, kind: str) -> None:
    work = take(packed(tmp_path, kind, {f"../{OWN}": ONE, f"/tmp/{OWN}": ONE, "a/../../client_recv.c": ONE}))
    assert work.files == {} and work.notes == ("none of the labs' files is in it",)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_too_large_is_told(tmp_path: Path, kind: str) -> None:
    work = take(packed(tmp_path, kind, {OWN: bytes(50 << 20)}))
    assert work.files == {} and work.notes == (f"lab1: {OWN} is larger than 1024 KiB",)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [0, 10, 15_000])
def test_an_archive_that_is_cut_off_is_told(tmp_path: Path, kind: str, keep: int) -> None:
    place = packed(tmp_path, kind, {OWN: os.urandom(30_000)})
    place.write_bytes(place.read_bytes()[:keep])
    work = take(place)
    assert work.files == {} and len(work.notes) == 1 and "archive" in work.notes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_any_damage_is_told(tmp_path: Path, kind: str) -> None:
    whole = packed(tmp_path, kind, {OWN: os.urandom(3000), "b": ONE}).read_bytes()
    for at in range(0, len(whole), 97):
        (tmp_path / f"bent.{kind}").write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1:])
        work = take(tmp_path / f"bent.{kind}")
        assert "lab1" in work.files or work.notes, at


def test_a_tar_that_unpacks_to_too_much_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 20)
    work = take(packed(tmp_path, "tar.xz", {"zeros": bytes(4 << 20), OWN: ONE}))
    assert work.files == {} and work.notes == ("the archive unpacks to more than 1 MiB",)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(archives, "MOST_FILES", 10)
    work = take(packed(tmp_path, kind, {f"{number}": b"" for number in range(20)}))
    assert work.notes == ("the archive has more than 10 files",)


def test_links_and_fifos_in_an_archive_are_told(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "anna.tar", "w") as archive:
        for name, kind in (("client_send.c", tarfile.SYMTYPE), ("client_recv.c", tarfile.LNKTYPE), ("reuseaddr.c", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert take(tmp_path / "anna.tar").notes == ("lab1: client_send.c is a link, not a file",
        "lab2: client_recv.c is a link, not a file", "lab4: reuseaddr.c isn't a regular file")
    link = zipfile.ZipInfo("client_send.c")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "anna.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert take(tmp_path / "anna.zip").notes == ("lab1: client_send.c is a symbolic link, not a file",)


def test_an_encrypted_zip_says_so(tmp_path: Path) -> None:
    place = zipped(tmp_path / "anna.zip", {OWN: ONE})
    data = bytearray(place.read_bytes())
    data[6] |= 1                                        # of the file's own header, and of the list's
    data[data.index(b"PK\1\2") + 8] |= 1
    place.write_bytes(data)
    assert take(place).notes == (f"lab1: {OWN} is encrypted",)


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = put(tmp_path, f"secret/{OWN}")
    folder = tmp_path / "anna"
    folder.mkdir()
    (folder / "client_send.c").symlink_to(secret)
    (folder / LABS["lab2"].folder.name).symlink_to(secret.parent)
    (folder / "server_accept.c").symlink_to(secret.parent)
    os.mkfifo(folder / "reuseaddr.c")
    work = take(folder)
    assert work.files == {}
    assert work.notes == ("lab1: client_send.c is a symbolic link, not a file",
        "lab3: server_accept.c is a symbolic link, not a file", "lab4: reuseaddr.c isn't a regular file")


def test_of_two_the_one_in_the_labs_folder_is_taken(tmp_path: Path) -> None:
    put(tmp_path, f"deep/er/{OWN}")
    put(tmp_path, "client_send.c", b"int old;\n")
    work = take(tmp_path)
    assert work.files == {"lab1": ONE} and work.notes == (f"lab1: deep/er/{OWN} is taken, not client_send.c",)


def test_of_two_outside_it_the_one_less_deep_is_taken(tmp_path: Path) -> None:
    put(tmp_path, "a/client_send.c")
    put(tmp_path, "a/b/client_send.c", b"int old;\n")
    assert take(tmp_path).files == {"lab1": ONE}


def test_two_that_lie_alike_and_differ_are_both_left(tmp_path: Path) -> None:
    put(tmp_path, "a/client_send.c")
    put(tmp_path, "b/client_send.c", b"int other;\n")
    work = take(tmp_path)
    assert work.files == {} and "differ" in work.notes[0]
    put(tmp_path, "b/client_send.c")
    assert take(tmp_path).files == {"lab1": ONE}


def test_a_published_solution_is_never_taken(tmp_path: Path) -> None:
    put(tmp_path, f"kit/solutions/{OWN}")
    assert take(tmp_path).files == {}
    put(tmp_path, f"kit/labs/{OWN}", b"int mine;\n")
    assert take(tmp_path).files == {"lab1": b"int mine;\n"}


def test_students_have_their_entries_names(tmp_path: Path) -> None:
    for name in ("anna.zip", "ben.tar.gz", "O'Neil, Zoë.ZIP", "李 明.tgz"):
        put(tmp_path, name)
    for name in ("dora", "Jane Doe_1234_assignsubmission_file_"):
        (tmp_path / name).mkdir()
    put(tmp_path, "doejane_LATE_77_4711_lab1.zip")
    (tmp_path / os.fsdecode(b"bad\xff")).mkdir()
    put(tmp_path, "readme.md")
    (tmp_path / "linked").symlink_to(tmp_path / "dora")
    students, others = collect.find(tmp_path, NAMES)
    assert {student.name for student in students} == {"anna", "ben", "O'Neil, Zoë", "李 明", "dora", "Jane Doe_1234",
                                                      "doejane_77", "bad\udcff"}
    assert others == ["linked: a symbolic link isn't followed", "readme.md: neither a folder nor an archive"]
    files = {records.file_name(student.name) for student in students}
    assert len(files) == 8 and all(name.encode() and "/" not in name for name in files)


def test_loose_files_of_a_canvas_download_are_one_submission(tmp_path: Path) -> None:
    put(tmp_path, "doejane_77_1_client_send-2.c")
    put(tmp_path, "doejane_77_2_client_recv.c", b"int two;\n")
    students, _ = collect.find(tmp_path, NAMES)
    assert [student.name for student in students] == ["doejane_77"]
    assert collect.take(students[0].entry, ALL).files == {"lab1": ONE, "lab2": b"int two;\n"}


def test_the_latest_of_two_submissions_counts(tmp_path: Path) -> None:
    old, new = put(tmp_path, "anna.zip"), put(tmp_path, "anna.tar")
    os.utime(old, (1_000_000, 1_000_000))
    os.utime(new, (2_000_000, 2_000_000))
    students, _ = collect.find(tmp_path, NAMES)
    assert [student.entry.paths for student in students] == [(new,)]
    assert students[0].notes == ("2 submissions: anna.tar is the latest and counts, not anna.zip",)


def test_archives_that_are_not_read_are_named(tmp_path: Path) -> None:
    assert take(put(tmp_path, "anna.rar")).notes == ("archives of this kind aren't read: ask for .zip or .tar.gz",)


def git(folder: Path, *words: str) -> None:
    environment = {**os.environ, "GIT_COMMITTER_DATE": "1700000000 +0100", "GIT_AUTHOR_DATE": "1600000000 +0000",
                   "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words], env=environment,
                   check=True, capture_output=True)


@pytest.mark.parametrize("packs", [False, True])
def test_a_clone_has_its_last_commits_time_and_its_configuration_is_not_obeyed(tmp_path: Path, packs: bool) -> None:
    folder = tmp_path / "anna"
    put(folder, OWN)
    git(folder, "init", "-q", "-b", "work/one")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "mine")
    if packs:
        git(folder, "gc", "-q")
    trap = tmp_path / "obeyed"
    with open(folder / ".git" / "config", "a", encoding="utf-8") as config:
        config.write(f'[core]\n\tfsmonitor = "touch {trap}"\n\tpager = "touch {trap}"\n[extensions]\n\tpartialClone = o\n'
                     f'[remote "o"]\n\turl = "ext::touch {trap}"\n[protocol]\n\tallow = always\n')
    assert collect.last_commit(folder) == 1700000000
    assert take(folder).files == {"lab1": ONE}
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/../../../../etc/passwd\n")
    assert collect.last_commit(folder) is None
    (folder / ".git" / "HEAD").write_text("0" * 40 + "\n")     # a commit that would have to be fetched
    assert collect.last_commit(folder) is None and not trap.exists()


def test_names_of_files_are_safe_and_differ() -> None:
    names = ["anna", "Anna", "a/b", "a_b", "..", "", "x" * 300, "x" * 301, "é" * 200, "\x1b[31m", "con.", " a"]
    found = [records.file_name(name) for name in names]
    assert len(set(found)) == len(names) and found[:2] == ["anna", "Anna"]
    assert all(len(name.encode()) < 120 and name.strip(". ") == name and "/" not in name and name.isprintable() for name in found)


def test_shards_are_a_partition() -> None:
    names = [f"student{number}" for number in range(500)]
    parts = [[name for name in names if records.shard_of(name, 3) == part] for part in range(3)]
    assert sorted(sum(parts, [])) == sorted(names) and min(map(len, parts)) > 100
