"""The recorder in a real program: recorder_subject.c, compiled once, plays a scene while the grader looks on."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from grader.calls import CALLS
from grader.evidence import Call
from grader.faults import NAPPING
from grader.recording import VARIABLE, WRAPPED, Recording, link_flags, resolve

HERE = Path(__file__).parent
SUBJECT = HERE / "recorder_subject.c"
C = HERE.parents[1] / "grader" / "c"
WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror")
UNTOUCHED = 77                          # errno before each call that a scene shows


@dataclass
class Program:
    """The subject, linked in one way, and what is running of it."""

    path: Path
    recordings: list[Recording] = field(default_factory=list)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, scene: str, faults: str = "", seed: int = 1, capacity: int = 4096,
              under: tuple[str, ...] = (), queues: bool = False) -> tuple[subprocess.Popen[str], Recording]:
        recording = Recording.create(faults, seed, capacity, queues=queues)
        self.recordings.append(recording)
        process = subprocess.Popen([*under, self.path, scene], pass_fds=[recording.fd], text=True,
                                   env={**os.environ, VARIABLE: str(recording.fd)},
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.processes.append(process)
        return process, recording

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        for recording in self.recordings:
            recording.close()

    def play(self, scene: str, faults: str = "", seed: int = 1, capacity: int = 4096,
             under: tuple[str, ...] = (), queues: bool = False) -> Played:
        process, recording = self.start(scene, faults, seed, capacity, under, queues)
        output, errors = process.communicate(timeout=60)
        return Played(process.returncode, output, errors, recording.calls(), recording.total)


@dataclass(frozen=True)
class Played:
    """What came of a scene."""

    status: int
    output: str
    errors: str
    calls: tuple[Call, ...]
    total: int

    def shown(self, name: str) -> list[tuple[int, int]]:
        """Result and errno of each call that the scene showed under this name."""
        lines = (line.split() for line in self.output.splitlines())
        return [(int(result), int(error)) for said, result, error in lines if said == name]

    def named(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles the subject as a submission is compiled, and links it with the recorder."""
    folder = tmp_path_factory.mktemp("recorder")
    base = ["gcc", "-std=gnu11", "-g", "-pthread", *WARNINGS]
    subprocess.run([*base, "-O2", "-c", C / "recorder.c", "-o", folder / "recorder.o"], check=True)

    def link(name: str, *flags: str) -> Path:
        subprocess.run([*base, "-O1", "-fno-optimize-sibling-calls", "-I", C, SUBJECT, *flags, folder / "recorder.o",
                        *link_flags(), "-o", folder / name], check=True)
        return folder / name

    return link


@pytest.fixture(scope="session")
def subject_path(build: Callable[..., Path]) -> Path:
    return build("subject")


@pytest.fixture
def subject(subject_path: Path) -> Iterator[Program]:
    program = Program(subject_path)
    yield program
    program.close()


def line_of(text: str) -> int:
    lines = SUBJECT.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


# ---- what is noted --------------------------------------------------------------------------------

def test_a_conversation_is_recorded(subject: Program) -> None:
    played = subject.play("conversation")
    assert [call.name for call in played.calls] == (
        ["signal", "inet_pton", "socket", "bind", "listen", "getsockname", "socket", "setsockopt", "connect",
         "accept", "send", "recv", "write", "close", "recv"])
    assert played.total == 15
    assert all(call.ended is not None and call.ended >= call.began for call in played.calls)
    assert all(not call.given and call.faulted is None and call.errno == 0 for call in played.calls)
    assert len({call.thread for call in played.calls}) == 1


def test_a_call_has_its_arguments_and_result(subject: Program) -> None:
    played = subject.play("conversation")
    (opened, client), (ignored,), (accepted,) = map(played.named, ("socket", "signal", "accept"))
    (sent,), (received, end), (asked,) = map(played.named, ("send", "recv", "inet_pton"))
    assert opened.fd is None and opened.args == (socket.AF_INET, socket.SOCK_STREAM, 0)
    assert ignored.args == (signal.SIGPIPE, 1)
    assert (sent.fd, sent.args[2:], sent.result, sent.size, sent.data) == (client.result, (5, 0), 5, 5, b"hello")
    assert (received.fd, received.size, received.data) == (accepted.result, 64, b"hello")
    assert (end.result, end.data) == (0, b"")
    assert asked.data == b"127.0.0.1"


def test_addresses_are_noted_both_ways(subject: Program) -> None:
    played = subject.play("conversation")
    (port, _), (peer, _) = played.shown("port")[0], played.shown("peer")[0]
    addresses = {call.name: (call.family, call.address) for call in played.calls if call.family is not None}
    assert addresses == {
        "bind": (socket.AF_INET, "127.0.0.1:0"),
        "getsockname": (socket.AF_INET, f"127.0.0.1:{port}"),
        "connect": (socket.AF_INET, f"127.0.0.1:{port}"),
        "accept": (socket.AF_INET, f"127.0.0.1:{peer}"),
    }
    assert played.named("accept")[0].size == 16


def test_an_option_has_its_value(subject: Program) -> None:
    (call,) = subject.play("conversation").named("setsockopt")
    assert call.args[1:3] == (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert int.from_bytes(call.data, "little") == 1


def test_sockets_are_told_from_files(subject: Program) -> None:
    played = subject.play("conversation")
    assert {call.name for call in played.calls if not call.socket} == {"signal", "inet_pton", "socket", "write"}
    assert played.named("close")[0].socket


@pytest.mark.parametrize("flags", [(), ("-no-pie",), ("-static-pie",), ("-O2",)])
def test_a_call_has_its_line(build: Callable[..., Path], flags: tuple[str, ...]) -> None:
    program = Program(build("lines", *flags))
    calls = resolve(program.play("conversation").calls, program.path)
    program.close()
    (sent,) = (call for call in calls if call.name == "send")
    assert sent.where is not None
    assert (sent.where.file, sent.where.line) == (SUBJECT.name, line_of("the line of this send"))
    assert {call.where.file for call in calls if call.where is not None} == {SUBJECT.name}
    assert all(call.where is not None for call in calls)


def test_a_line_nobody_knows_is_none(subject: Program) -> None:
    played = subject.play("conversation")
    assert all(call.where is None for call in resolve(played.calls, Path("/bin/true")))
    assert all(call.where is None for call in resolve(played.calls, Path("/nowhere")))
    assert resolve((), subject.path) == ()


def test_calls_that_wait_are_recorded(subject: Program) -> None:
    names = [call.name for call in subject.play("waiting").calls]
    assert names == ["epoll_create1", "poll", "ppoll", "select", "pselect", "epoll_ctl", "epoll_wait"]


def test_other_symbols_of_a_call_are_recorded_as_it(subject: Program) -> None:
    fcntl_call, signal_call = subject.play("symbols").calls
    assert (fcntl_call.name, fcntl_call.fd, fcntl_call.args[1]) == ("fcntl", 0, fcntl.F_GETFD)
    assert (signal_call.name, signal_call.args) == ("signal", (signal.SIGUSR1, 1))


def test_a_call_by_its_number_is_recorded_and_struck_as_that_call(subject: Program) -> None:
    played = subject.play("by_number", "sendto takes at most 2 bytes")
    sent, got, closed = played.calls[-3:]
    assert [(call.name, call.result) for call in (sent, got, closed)] == [("sendto", 2), ("read", 2), ("close", -1)]
    assert (sent.faulted, sent.size, got.data, closed.errno) == ("sendto takes at most 2 bytes", 5, b"he", errno.EBADF)
    assert played.shown("getpid") == [(1, UNTOUCHED)]
    (where,) = (call.where for call in resolve(played.calls, subject.path) if call.name == "sendto")
    assert where is not None and where.line == line_of("the line of this call")


# ---- nothing changes for the program --------------------------------------------------------------

@pytest.mark.parametrize("scene", ["garbage", "many_sends", "waiting", "symbols", "by_number", "successes", "arming"])
def test_the_program_sees_what_it_would_see_alone(subject: Program, tmp_path: Path, scene: str) -> None:
    stub = tmp_path / "stub.c"
    stub.write_text("void recorder_arm(int on) { (void)on; }\n")
    subprocess.run(["gcc", "-pthread", "-I", C, SUBJECT, stub, "-o", tmp_path / "alone"], check=True)
    alone = subprocess.run([tmp_path / "alone", scene], capture_output=True, text=True, timeout=60)
    unrecorded = subprocess.run([subject.path, scene], capture_output=True, text=True, timeout=60)
    recorded = subject.play(scene)
    assert recorded.status == unrecorded.returncode == alone.returncode == 0
    assert recorded.output == unrecorded.stdout == alone.stdout != ""


@pytest.mark.parametrize("value", ["", "x", "999", "0"])
def test_a_variable_that_names_no_recording_is_harmless(subject: Program, value: str) -> None:
    played = subprocess.run([subject.path, "conversation"], env={VARIABLE: value}, capture_output=True, timeout=60,
                            stdin=subprocess.DEVNULL)
    assert played.returncode == 0


def test_memory_that_cannot_be_read_is_left_alone(subject: Program) -> None:
    played = subject.play("garbage")
    assert played.status == 0
    by_name = {call.name: call for call in played.calls}
    assert (by_name["setsockopt"].errno, by_name["setsockopt"].data) == (errno.EFAULT, b"")
    assert by_name["inet_pton"].data == b"1.2.3.4"
    assert played.named("recv")[-1].data == b""                # MSG_TRUNC stores nothing
    assert played.calls[-1].fd == -1 and played.calls[-1].errno == errno.EBADF


def test_faults_leave_unreadable_memory_alone_too(subject: Program) -> None:
    played = subject.play("garbage", faults="send takes at most 2 bytes; recv takes at most 4 bytes")
    assert played.status == 0
    assert played.shown("sendmsg") == played.shown("recv") == [(-1, errno.EFAULT)]
    assert played.shown("writev") == [(-1, errno.EFAULT), (-1, errno.EINVAL)]


def test_descriptors_and_environment_are_the_programs_own(subject: Program) -> None:
    played = subject.play("closes_all")
    assert played.shown("dup") == [(4, UNTOUCHED)]
    assert played.shown("variable") == [(0, 0)]
    assert [call.name for call in played.calls[-2:]] == ["dup2", "dup"]


# ---- faults ---------------------------------------------------------------------------------------

def test_fewer_bytes_reach_the_kernel(subject: Program) -> None:
    played = subject.play("short_counts", faults="send takes at most 7 bytes; recv takes at most 3 bytes")
    results = {line.split()[0]: int(line.split()[1]) for line in played.output.splitlines()}
    assert played.shown("send") == [(7, UNTOUCHED), (3, UNTOUCHED)]
    assert {name: results[name] for name in ("write", "sendto", "writev", "sendmsg")} == dict.fromkeys(
        ("write", "sendto", "writev", "sendmsg"), 7)
    assert {name: results[name] for name in ("recv", "readv", "recvmsg", "recvfrom", "read")} == dict.fromkeys(
        ("recv", "readv", "recvmsg", "recvfrom", "read"), 3)
    assert (results["recvmmsg"], results["message"]) == (1, 3)
    assert results["file"] == 100
    assert '"345" 0 0' in played.output
    assert played.shown("flags") == [(0, 0)]
    assert played.shown("list") == [(2, 98)]


def test_what_was_asked_and_what_was_done_are_both_kept(subject: Program) -> None:
    faults = "send takes at most 7 bytes; recv takes at most 3 bytes"
    played = subject.play("short_counts", faults=faults)
    whole, small = played.named("send")
    assert (whole.size, whole.result, whole.data) == (16, 7, b"0123456")
    assert whole.faulted == "send takes at most 7 bytes"
    assert small.faulted is None
    (gathered,), (scattered,) = played.named("writev"), played.named("readv")
    assert (gathered.size, gathered.data) == (16, b"0123456")
    assert (scattered.size, scattered.data, scattered.faulted) == (100, b"345", "recv takes at most 3 bytes")


def test_the_seed_decides_the_counts(subject: Program) -> None:
    counts = [[result for result, _ in subject.play("many_sends", "send takes 1 to 9 bytes", seed).shown("send")]
              for seed in (5, 5, 6)]
    assert counts[0] == counts[1] != counts[2]
    assert all(1 <= count <= 9 for count in counts[0]) and len(set(counts[0])) > 2


@pytest.mark.parametrize("fault, struck", [
    ("send 2 fails with EINTR", {2}),
    ("send 2-4 fails with EINTR", {2, 3, 4}),
    ("every 3rd send fails with EINTR", {3, 6, 9, 12}),
    ("send fails with EINTR", set(range(1, 13))),
])
def test_a_fault_strikes_the_calls_it_names(subject: Program, fault: str, struck: set[int]) -> None:
    played = subject.play("many_sends", fault)
    assert played.shown("send") == [(-1, errno.EINTR) if nth in struck else (16, UNTOUCHED) for nth in range(1, 13)]
    assert {nth for nth, call in enumerate(played.named("send"), 1) if call.faulted == fault} == struck


@pytest.mark.parametrize("name, fault, shown", [
    ("setsockopt", "ENOPROTOOPT", (-1, errno.ENOPROTOOPT)),
    ("poll", "EINTR", (-1, errno.EINTR)),
    ("pthread_create", "EAGAIN", (errno.EAGAIN, UNTOUCHED)),
    ("inet_pton", "EAFNOSUPPORT", (-1, errno.EAFNOSUPPORT)),
    ("inet_addr", "EINVAL", (2**32 - 1, errno.EINVAL)),
    ("inet_aton", "EINVAL", (0, errno.EINVAL)),
    ("getaddrinfo", "ENOMEM", (-11, errno.ENOMEM)),
    ("signal", "EINVAL", (-1, errno.EINVAL)),
    ("close", "EINTR", (-1, errno.EINTR)),
])
def test_a_call_fails_in_its_own_way(subject: Program, name: str, fault: str, shown: tuple[int, int]) -> None:
    words = f"{name} fails with {fault}"
    played = subject.play("failures", f"{words}; fork fails with EAGAIN")
    struck = next(call for call in reversed(played.named(name)) if call.faulted)
    assert played.shown(name) == [shown]
    assert (struck.errno, struck.faulted) == (errno.__dict__[fault], words)
    assert played.shown("fork") == [(-1, errno.EAGAIN)]


def test_a_close_that_fails_has_closed(subject: Program) -> None:
    played = subject.play("failures", "close fails with EIO; fork fails with EAGAIN")
    assert played.shown("close") == [(-1, errno.EIO)]
    assert played.shown("again") == [(-1, errno.EBADF)]


def test_a_success_can_leave_errno(subject: Program) -> None:
    played = subject.play("successes", "close leaves errno EIO")
    assert played.shown("close") == [(0, errno.EIO), (-1, errno.EBADF)]
    assert [call.faulted for call in played.named("close")] == ["close leaves errno EIO", None]
    assert [call.errno for call in played.named("close")] == [0, errno.EBADF]


def test_only_armed_calls_are_counted_and_struck(subject: Program) -> None:
    played = subject.play("arming", "listen 2 fails with EADDRINUSE")
    assert played.shown("disarmed") == played.shown("first") == [(0, UNTOUCHED)]
    assert played.shown("second") == [(-1, errno.EADDRINUSE)]
    assert [call.given for call in played.named("listen")] == [True, False, False]


def test_a_call_is_held_until_it_is_released(subject: Program) -> None:
    process, recording = subject.start("held", "accept 2 waits")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("accept ")
    wait_until(lambda: sleeps_in_futex(process.pid))
    *_, last = recording.calls()
    assert (last.name, last.ended, last.faulted) == ("accept", None, "accept 2 waits")
    recording.release()
    output, _ = process.communicate(timeout=60)
    assert len(output.splitlines()) == 2 and process.returncode == 0


def test_a_call_is_made_and_returns_late(subject: Program) -> None:
    process, recording = subject.start("held", "accept 2 returns late")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("accept ")
    wait_until(lambda: sleeps_in_futex(process.pid))
    *_, last = recording.calls()
    assert (last.name, last.ended, last.faulted) == ("accept", None, "accept 2 returns late")
    assert Path(f"/proc/{process.pid}/fd/{5 + 2}").exists()     # listener 3, client 4, accepted 5, client 6
    recording.release()
    output, _ = process.communicate(timeout=60)
    assert len(output.splitlines()) == 2 and process.returncode == 0


def test_a_nap_is_over_at_once(subject: Program) -> None:
    played = subject.play("naps", "nap reaches its time limit")
    for name in ("sleep", "usleep", "nanosleep"):
        assert played.shown(name) == [(0, UNTOUCHED)]
    assert played.shown("pthread_cond_timedwait") == [(errno.ETIMEDOUT, UNTOUCHED)]
    assert played.shown("sem_timedwait") == [(-1, errno.ETIMEDOUT)]
    assert [call.name for call in played.calls if call.faulted] == [*NAPPING]


def test_a_time_limit_is_over_where_there_is_one(subject: Program) -> None:
    played = subject.play("limits", "poll reaches its time limit")
    assert [played.shown(name) for name in ("poll", "select", "epoll_wait", "for_ever")] == \
        [[(0, UNTOUCHED)], [(0, UNTOUCHED)], [(0, UNTOUCHED)], [(1, UNTOUCHED)]]
    assert played.shown("left") == [(0, UNTOUCHED)]


def test_a_sends_time_limit_is_over_where_there_is_one(subject: Program) -> None:
    played = subject.play("patience", "send reaches its time limit")
    assert played.shown("limited") == [(-1, errno.EAGAIN)]
    assert played.shown("unlimited") == [(1, UNTOUCHED)]


def test_a_nap_is_no_news(subject: Program) -> None:
    played = subject.play("short_naps", "")
    assert played.shown("usleep") == [(0, UNTOUCHED)] and not played.named("usleep")


def test_there_is_no_memory(subject: Program) -> None:
    played = subject.play("memory", "malloc 4-6 fails with ENOMEM")
    assert [result for result, _ in played.shown("piece")] == [1, 1, 1, 0, 0, 0]
    assert [(call.name, call.result, call.errno, call.args[-1]) for call in played.calls] == \
        [("malloc", 0, 0, 5), ("calloc", 0, 0, 3), ("realloc", 0, 0, 7),
         ("malloc", -1, errno.ENOMEM, 5), ("calloc", -1, errno.ENOMEM, 3), ("realloc", -1, errno.ENOMEM, 7)]


def test_memory_and_lines_are_no_news(subject: Program) -> None:
    played = subject.play("memory", "")
    assert [result for result, _ in played.shown("piece")] == [1] * 6 and not played.calls


def test_a_line_that_is_told_can_be_faulted(subject: Program) -> None:
    played = subject.play("memory", "say 1 fails with EIO")
    assert played.shown("fflush") == [(-1, errno.EIO)] and [call.name for call in played.calls] == ["fflush"]


def test_a_release_can_come_first(subject: Program) -> None:
    process, recording = subject.start("held", "accept waits")
    recording.release()
    process.communicate(timeout=60)
    assert process.returncode == 0


def sleeps_in_futex(pid: int) -> bool:
    number = {"x86_64": "202", "aarch64": "98"}[os.uname().machine]
    return Path(f"/proc/{pid}/syscall").read_text().split()[0] == number


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# ---- hard times -----------------------------------------------------------------------------------

def test_a_call_that_never_returned_is_there(subject: Program) -> None:
    process, recording = subject.start("stuck")
    assert process.stderr is not None
    process.stderr.readline()
    wait_until(lambda: recording.calls()[-1].name == "recv")
    process.kill()
    process.communicate(timeout=60)
    *_, last = recording.calls()
    assert (last.name, last.ended, last.result, last.errno, last.size) == ("recv", None, None, 0, 8)


def test_no_thread_loses_a_call(subject: Program) -> None:
    played = subject.play("threads", capacity=100_000)
    counts = Counter(call.name for call in played.calls)
    assert (counts["send"], counts["recv"], counts["pthread_create"], counts["accept"]) == (40000, 40000, 8, 8)
    assert played.total == len(played.calls) == [call.index for call in played.calls][-1] + 1
    assert all(call.result == 3 and call.data == b"abc" for call in played.calls if call.name in ("send", "recv"))
    by_thread = Counter(call.thread for call in played.calls if call.name == "send")
    assert sorted(by_thread.values()) == [5000] * 8


def test_the_first_calls_are_kept_and_all_are_counted(subject: Program) -> None:
    played = subject.play("few_rounds", capacity=5)
    assert [call.index for call in played.calls] == [0, 1, 2, 3, 4]
    assert played.total > 800


def test_faults_still_strike_when_the_slots_are_used_up(subject: Program) -> None:
    played = subject.play("many_sends", faults="send 12 fails with EINTR", capacity=0)
    assert played.shown("send")[-1] == (-1, errno.EINTR)
    assert played.calls == ()


@pytest.mark.parametrize("calls", [100, 1000, 10_000])
def test_sigkill_loses_nothing(subject: Program, calls: int) -> None:
    process, recording = subject.start("forever", capacity=200_000)
    wait_until(lambda: recording.total >= calls)
    process.kill()
    process.communicate(timeout=60)
    total, kept = recording.total, recording.calls()
    unfilled = min(total, 200_000) - len(kept)
    assert calls - 9 <= len(kept) and unfilled <= 9             # at most one for each thread
    assert sum(call.ended is None for call in kept) <= 9
    assert all(call.name in CALLS for call in kept)


def test_signal_handlers_record_too(subject: Program) -> None:
    played = subject.play("signals", capacity=100_000)
    (handled, _), = played.shown("signals")
    assert played.shown("kept") == [(1, 0)]
    assert len([call for call in played.named("write") if call.data == b"" and call.fd == -1]) == handled
    assert all(call.ended is not None for call in played.calls)


def test_a_child_records_in_its_own_name(subject: Program) -> None:
    played = subject.play("fork")
    (child, _), = played.shown("child")
    assert [(call.name, call.result) for call in played.named("fork")] == [("fork", child)]
    assert played.named("dup")[0].thread == child
    assert played.named("dup2")[0].thread == played.named("fork")[0].thread != child


def test_the_programs_writing_in_it_does_no_harm(subject: Program) -> None:
    recording = Recording.create("send takes at most 7 bytes", 1, 16)
    subject.recordings.append(recording)
    junk = bytes(range(256)) * 16
    os.pwrite(recording.fd, junk[:2048], 680)
    os.pwrite(recording.fd, b"\xff" * 8, 32)
    resolve(recording.calls(), subject.path)
    assert recording.total == 2**64 - 1
    with pytest.raises(OSError):
        os.ftruncate(recording.fd, 0)


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is missing")
@pytest.mark.parametrize("tool", ["memcheck", "helgrind"])
def test_valgrind_finds_nothing_in_the_recorder(subject: Program, tool: str) -> None:
    under = ("valgrind", "-q", f"--tool={tool}", "--error-exitcode=9", "--read-inline-info=no")
    played = subject.play("few_rounds", "send takes 1 to 9 bytes; every 3rd recv takes at most 2 bytes", under=under)
    assert (played.status, played.errors) == (0, "")
    assert all(call.ended is not None for call in played.calls)


# ---- its interface --------------------------------------------------------------------------------

def test_the_linker_is_told_of_each_call() -> None:
    assert {f"-Wl,--wrap={name}" for name in WRAPPED} <= set(link_flags())


def test_closing_twice_is_closing_once() -> None:
    recording = Recording.create("", 1)
    recording.close()
    recording.close()
    assert recording.fd == -1


def test_queues_are_noted_where_they_are_wanted(subject: Program) -> None:
    played = subject.play("conversation", faults="recv 1 takes at most 2 bytes", queues=True)
    first, last = played.named("recv")
    assert first.queues is not None and first.queues.unread == 3 and first.queues.recv_buffer > 0
    assert last.queues is not None and last.queues.unread == 0
    (send,) = played.named("send")
    assert send.queues is not None and send.queues.unread == 0 and 0 <= send.queues.unsent <= send.queues.unacked <= 5
    assert played.named("close")[0].queues is not None, "it is looked at before it is closed"
    assert {call.queues for name in ("listen", "accept", "write") for call in played.named(name)} == {None}
    assert played.shown("end")[0][0] == 3, "looking takes nothing out"
    assert not any(call.queues for call in subject.play("conversation").calls)


def test_looking_at_queues_changes_no_errno(subject: Program) -> None:
    names = ("setsockopt", "shutdown", "recv", "close", "again")
    runs = [subject.play("failures", queues=queues) for queues in (False, True)]
    plain, looked = ([set(played.shown(name)) for name in names] for played in runs)     # it forks: some are shown twice
    assert plain == looked and plain[-1] == {(-1, errno.EBADF)}
