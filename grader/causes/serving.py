"""Mistakes of a server: accepting, talking, one client after another."""

from __future__ import annotations

import errno

from ..evidence import Call, Evidence
from .base import ACCEPTS, Cause, Sure, after, at, cause, last_report, own_calls, own_recvs, own_sends, swapped

CAUSES: list[Cause] = []
ONE_CLIENTS_TROUBLE = (errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.ENETUNREACH, errno.ENONET,
                       errno.ENOPROTOOPT, errno.EHOSTDOWN, errno.EHOSTUNREACH)
SHORTAGE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def _accepts(evidence: Evidence) -> list[Call]:
    return own_calls(evidence, *ACCEPTS)


@cause(CAUSES, "io-listener", text="recv() or send() was called on the listener. It only takes new clients; each client has the "
       "descriptor that accept() returned.")
def io_listener(evidence: Evidence) -> Sure | None:
    listeners = {call.fd for call in own_calls(evidence, "listen", *ACCEPTS)}
    fresh = {call.result for call in _accepts(evidence)}
    return next((at(call) for call in (*own_recvs(evidence), *own_sends(evidence))
                 if call.fd in listeners and call.fd not in fresh), None)


@cause(CAUSES, "while-accept", text="accept() fails with -1, and -1 is \"true\": it was used as a descriptor. Compare with -1.")
def while_accept(evidence: Evidence) -> Sure | None:
    failed = [call for call in _accepts(evidence) if call.result == -1]
    used = own_calls(evidence, "recv", "send", "read", "write", "close", "recvfrom", "sendto", "fcntl", "getpeername")
    return at(failed[0]) if failed and any(call.fd == -1 for call in used) else None


@cause(CAUSES, "addrlen", text="accept() wants to know how much room the address has: the length must be set to sizeof address "
       "before each call, and accept() changes it.")
def addrlen(evidence: Evidence) -> Sure | None:
    calls = _accepts(evidence)
    bad = [call for call in calls if call.result == -1 and not call.faulted and call.errno in (errno.EFAULT, errno.EINVAL)]
    listening = bool(evidence.peers) and "unlistened" not in " ".join(evidence.run.args if evidence.run else ())
    if bad and listening:
        return at(bad[0])
    said = evidence.failure.actual or b""
    nobody = said.startswith(b"0.0.0.0") or (said.endswith(b":0") and bool(said))
    return at(calls[-1]) if calls and nobody else None


@cause(CAUSES, "no-ntohs", text="The port was written as it stands in the address, in network byte order. ntohs() makes a number "
       "of it that you can read.")
def no_ntohs(evidence: Evidence) -> Sure | None:
    wanted, said = evidence.failure.expected or b"", evidence.failure.actual or b""
    if b":" not in wanted or b":" not in said:
        return None
    try:
        due, got = int(wanted.rpartition(b":")[2]), int(said.rpartition(b":")[2])
    except ValueError:
        return None
    calls = _accepts(evidence)
    if due == got or swapped(due) != got % 65536:
        return None
    return at(calls[-1]) if calls else Sure()


@cause(CAUSES, "accept-eintr", text="A signal interrupted accept() (EINTR). Nothing is wrong: the same accept, once more.")
def accept_eintr(evidence: Evidence) -> Sure | None:
    return _gave_up(evidence, (errno.EINTR,))


@cause(CAUSES, "accept-exit", text="One client broke off while it waited in the queue, and accept() told so. That is this client's "
       "trouble and not the server's: accept the next one.")
def accept_exit(evidence: Evidence) -> Sure | None:
    return _gave_up(evidence, ONE_CLIENTS_TROUBLE)


def _gave_up(evidence: Evidence, errnos: tuple[int, ...]) -> Sure | None:
    calls = _accepts(evidence)
    struck = [call for call in calls if call.result == -1 and call.errno in errnos and call.faulted]
    return at(struck[-1]) if struck and not after(struck[-1], calls) else None


@cause(CAUSES, "emfile-exit", text="No descriptor was left for the next client (EMFILE), and the server gave up. Descriptors come "
       "back when a client leaves: wait a little and try again.")
def emfile_exit(evidence: Evidence) -> Sure | None:
    run, calls = evidence.run, _accepts(evidence)
    struck = [call for call in calls if call.result == -1 and call.errno in SHORTAGE]
    if run is None or not struck or after(struck[-1], calls) or run.function == "server_accept":
        return None
    return at(struck[-1])


@cause(CAUSES, "emfile-spin", text="No descriptor was left for the next client (EMFILE), and the server asked again at once, "
       "thousands of times a second. Wait a little between two tries.")
def emfile_spin(evidence: Evidence) -> Sure | None:
    struck = [call for call in _accepts(evidence)[-200:] if call.result == -1 and call.errno in SHORTAGE]
    return at(struck[0]) if len(struck) >= 100 else None


@cause(CAUSES, "accept-spins", text="accept() fails for good here, and the loop asks for ever. Only errors that pass are worth "
       "another try.")
def accept_spins(evidence: Evidence) -> Sure | None:
    calls = _accepts(evidence)[-100:]
    bad = (errno.EINVAL, errno.EBADF, errno.ENOTSOCK, errno.EOPNOTSUPP)
    return at(calls[0]) if len(calls) == 100 and all(call.errno in bad and call.result == -1 for call in calls) else None


@cause(CAUSES, "serve-once", text="After one recv() and its answer the conversation was over for the server, but not for the "
       "client. Go on until recv() gives 0.")
def serve_once(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function not in ("serve_client", "server_run", ""):
        return None
    recvs = [call for call in own_recvs(evidence) if not (call.result == -1 and call.errno == errno.EINTR)]
    by_fd: dict[int | None, list[Call]] = {}
    for call in recvs:
        by_fd.setdefault(call.fd, []).append(call)
    done = run.reported or own_calls(evidence, "close", "shutdown")
    return next((at(calls[0]) for calls in by_fd.values()
                 if len(calls) == 1 and (calls[0].result or 0) > 0 and done), None)


@cause(CAUSES, "exit-after-1", text="The server took one client and was done. A server goes back to accept() when a client has "
       "left.")
def exit_after_1(evidence: Evidence) -> Sure | None:
    run = evidence.run
    good = [call for call in _accepts(evidence) if (call.result or -1) >= 0]
    if run is None or run.function not in ("server_run", "") or len(good) != 1 or run.running:
        return None
    wanted = run.args[-1] if run.function else ""
    return at(good[0]) if wanted != "1" and run.signal is None and "1" not in run.args[:-1] else None


@cause(CAUSES, "no-close", text="The connection was never closed. The client waits for the end of the stream, and each client costs "
       "a descriptor.")
def no_close(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function not in ("server_run", ""):
        return None
    recvs, closed = own_recvs(evidence), own_calls(evidence, "close")
    for call in _accepts(evidence):
        ended = [recv for recv in recvs if recv.fd == call.result and recv.index > call.index and recv.result == 0]
        if ended and not [other for other in closed if other.fd == call.result and other.index > call.index]:
            return at(call)
    return None


@cause(CAUSES, "one-client-ends-all", text="One client's conversation failed, and the server stopped. It is that client's trouble "
       "alone: close its connection and take the next one.")
def one_client_ends_all(evidence: Evidence) -> Sure | None:
    run, report = evidence.run, last_report(evidence)
    if run is None or run.function != "server_run" or report is None or report[0] != -1:
        return None
    failed = [call for call in (*own_recvs(evidence), *own_sends(evidence))
              if call.result == -1 and call.errno in (errno.ECONNRESET, errno.EPIPE)]
    return at(failed[-1]) if failed and not after(failed[-1], _accepts(evidence)) else None


@cause(CAUSES, "reset-as-end", text="recv() failed, and the function took it for the end of the stream. Only 0 is the end: -1 is "
       "an error, and errno says which.")
def reset_as_end(evidence: Evidence) -> Sure | None:
    report, run = last_report(evidence), evidence.run
    failed = [call for call in own_recvs(evidence) if call.result == -1 and call.errno != errno.EINTR]
    wrong = report is not None and run is not None and run.function == "serve_client" and report[0] == 0
    return at(failed[-1]) if failed and wrong else None


@cause(CAUSES, "listener-stays", text="The last client has been accepted, and the listener is still open: newcomers are let into a "
       "queue where nobody will ever take them. Close it before you serve the last one.")
def listener_stays(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function not in ("server_run", "") or evidence.stage != "passive_and_active":
        return None
    calls = _accepts(evidence)
    if not calls or not calls[-1].fd:
        return None
    listener, last = calls[-1].fd, calls[-1]
    closes = [call for call in own_calls(evidence, "close") if call.fd == listener]
    served = [call for call in own_recvs(evidence) if call.fd == last.result and call.index > last.index]
    late = not closes or (bool(served) and served[0].index < closes[0].index)
    return at(last) if late and last.result != -1 else None


@cause(CAUSES, "listener-twice", text="The listener was closed a second time. By then its number may belong to another descriptor, "
       "which is closed in its place.")
def listener_twice(evidence: Evidence) -> Sure | None:
    listeners = {call.fd for call in _accepts(evidence)}
    closes = [call for call in own_calls(evidence, "close") if call.fd in listeners]
    return at(closes[-1]) if len(closes) > 1 and closes[-1].result == -1 else None
