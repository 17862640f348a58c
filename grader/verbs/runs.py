"""Runs of the student's program: start, wait, feed, end; and what the probe reported."""

from __future__ import annotations

from .. import build, valgrind, words
from ..run import Request, StudentRun, start
from ..text import quote
from .base import NotTried, Verbs


class RunVerbs(Verbs):
    """The student's program."""

    def do_run(self, fields: list[bytes]) -> int:
        head = [field.decode() for field in fields[:4]]
        request = Request(function=head[0], times=head[1], stay=bool(head[2]), input_kind=head[3], input=fields[4],
                          faults=fields[5].decode(), tool=fields[6].decode(), nofile=int(fields[7]),
                          args=tuple(field.decode() for field in fields[8:]))
        if request.tool and not valgrind.is_installed():
            raise NotTried("valgrind isn't here (make setup)")
        number = len(self.scene.runs) + 1
        debugger = self.debugger if self.debugger is not None and self.debugger.run == number else None
        programs = self.programs
        if request.tool == "helgrind" and debugger is None:
            programs = build.student_programs(self.lab, programs.source.read_bytes(), self.sandbox, for_helgrind=True)
        run = start(number, request, programs, self.launcher, self.sandbox, self.lab.limits,
                    self.chance.getrandbits(32), debugger is not None, self.lab.queues)
        self.scene.runs.append(run)
        if debugger is not None:
            program = programs.probe if request.function else programs.main
            debugger.take(run.pid, program, request.function or "main")
            self.scene.patient = debugger.works
        return run.number

    def do_wait_exit(self, fields: list[bytes]) -> None:
        run = self.run(fields[0])
        self.wait(lambda: run.poll() is not None, words.end_of(run), run)

    def do_wait_calls(self, fields: list[bytes]) -> None:
        run, n = self.run(fields[0]), int(fields[1])
        self.wait(lambda: len(run.reported()) >= n, words.return_of(run), run)

    def do_wait_blocked(self, fields: list[bytes]) -> None:
        run, call = self.run(fields[0]), fields[1].decode()
        self.wait(lambda: run.sleeps_in(call), f"a wait in {call}()", run)

    def do_wait_listening(self, fields: list[bytes]) -> None:
        self.listener_of(self.run(fields[0]))

    def do_wait_output(self, fields: list[bytes]) -> None:
        run, text = self.run(fields[0]), fields[1]
        self.wait(lambda: text in run.output(), f"the output {quote(text)}", run)

    def do_wait_recorded(self, fields: list[bytes]) -> None:
        run, group, n = self.run(fields[0]), fields[1].decode(), int(fields[2])
        self.wait(lambda: self.count(run, group) >= n, f"call {n} of {group}()", run)

    def do_type_text(self, fields: list[bytes]) -> None:
        self.run(fields[0]).type_text(fields[1])

    def do_finish(self, fields: list[bytes]) -> None:
        self.run(fields[0]).end_input()
        self.do_wait_exit(fields)

    def do_release(self, fields: list[bytes]) -> None:
        self.run(fields[0]).recording.release()

    def do_raise_nofile(self, fields: list[bytes]) -> None:
        self.run(fields[0]).raise_nofile(int(fields[1]))

    def do_stop(self, fields: list[bytes]) -> None:
        self.run(fields[0]).stop()

    # ---- the program's report and output ----------------------------------------------------------

    def reported(self, run: StudentRun, n: int) -> tuple[int, int]:
        """The nth reported call, 0 for the last; raises Unmet when it never returned."""
        found = run.reported()
        if len(found) >= max(n, 1):
            call = found[n - 1]
            return call.result, call.errno
        ended = run.poll()
        how = self.fate(run)
        if ended is not None and ended.status == 2 and run.errors().startswith(b"probe: "):
            how += f", and said {quote(run.errors().rstrip(), 200)}"    # or is it the student's program that says so?
        self.plight = f"the program {how}"
        raise self.unmet("result", f"{run.request.name} never returned: {self.plight}", run)

    def do_result_of(self, fields: list[bytes]) -> int:
        return self.reported(self.run(fields[0]), int(fields[1]))[0]

    def do_errno_of(self, fields: list[bytes]) -> int:
        return self.reported(self.run(fields[0]), int(fields[1]))[1]

    def do_call_name(self, fields: list[bytes]) -> str:
        """The nth call of the function that is judged, for a message."""
        run, n = self.run(fields[0]), int(fields[1])
        return run.request.name if int(run.request.times or 1) == 1 else f"call {n} of {run.request.name}"

    def do_bytes_reported(self, fields: list[bytes]) -> bytes | None:
        return self.run(fields[0]).reported_bytes(fields[1].decode())

    def do_number_of(self, fields: list[bytes]) -> int:
        number = self.run(fields[0]).reported_number(fields[1].decode())
        return -1 if number is None else number

    def do_output_of(self, fields: list[bytes]) -> bytes:
        return self.run(fields[0]).output()

    def do_errors_of(self, fields: list[bytes]) -> bytes:
        return self.run(fields[0]).errors()
