"""Threads, memory and signals of a running program."""

from __future__ import annotations

from .. import kernel, words
from ..run import StudentRun
from .base import BadRequest, Verbs

SPINNING_SECONDS = 0.1      # of processor time without a call: who waits for a held call may do so awake, at a spin lock


class ResourceVerbs(Verbs):
    """What a program takes of the machine, and when it is at rest."""

    def do_threads_of(self, fields: list[bytes]) -> int:
        run = self.run(fields[0])
        found = kernel.thread_count(run.pid)
        self.check_alive(run)
        return found

    def do_memory_of(self, fields: list[bytes]) -> int:
        """VmData: private memory that it can write into. VmSize is no measure: malloc() reserves address space by
        64 MiB, and more of it with more threads, at moments of its own."""
        run = self.run(fields[0])
        found = kernel.size_kb(run.pid, "VmData")
        self.check_alive(run)
        return found

    def do_send_signal(self, fields: list[bytes]) -> None:
        self.run(fields[0]).send_signal(int(fields[1]))

    def do_expect_clean_heap(self, fields: list[bytes]) -> None:
        self._expect_none(self.run(fields[0]), ("error", "leak"))

    def do_expect_no_race(self, fields: list[bytes]) -> None:
        self._expect_none(self.run(fields[0]), ("race",))

    def _expect_none(self, run: StudentRun, kinds: tuple[str, ...]) -> None:
        """Valgrind found nothing of these kinds."""
        self.wait(lambda: run.poll() is not None, words.end_of(run), run)
        findings = run.findings()
        if findings is None:
            raise BadRequest("this needs a run under valgrind")
        found = [finding for finding in findings.found if finding.kind in kinds]
        if found:
            raise self.unmet("memory", words.finding(found[0], len(found)), run)
        if not findings.complete:
            raise self.unmet("exit", f"your program {self.fate(run)}", run)

    def do_wait_threads(self, fields: list[bytes]) -> None:
        run, most = self.run(fields[0]), int(fields[1])
        self.wait(lambda: 0 < kernel.thread_count(run.pid) <= most, f"the end of all threads but {most}", run)

    def do_wait_settled(self, fields: list[bytes]) -> None:
        run = self.run(fields[0])
        calls, used = run.recording.total, run.cpu_seconds()

        def settled() -> bool:
            nonlocal calls, used
            if self._settled(run):
                return True
            if not run.recording.holds:
                return False
            if run.recording.total != calls:
                calls, used = run.recording.total, run.cpu_seconds()
            return run.cpu_seconds() - used > SPINNING_SECONDS and all(peer.at_rest() for peer in self.scene.peers)

        self.wait(settled, "a moment of rest", run)

    def _settled(self, run: StudentRun) -> bool:
        """Nothing is under way: all threads sleep, no peer has anything to do, and no thread ran in between."""
        if not kernel.all_asleep(run.pid):
            return False
        before = kernel.threads(run.pid)
        if not all(peer.at_rest() for peer in self.scene.peers):
            return False
        return all(thread.state in kernel.ASLEEP for thread in before) and before == kernel.threads(run.pid)
