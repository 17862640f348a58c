"""Mistakes of server_accept(): the connection that it returns, and who called."""

from __future__ import annotations

import errno
import re

from ..evidence import Call, Evidence
from .base import (
    Cause, Sure, after, at, cause, failed, function_of, host_of, own_calls, own_recvs, own_sends, port_of, returned,
    swapped,
)  # fmt: skip
from .talks import accepted, accepts, ended_well, listener, number, talks, wanted_clients

CAUSES: list[Cause] = []
LAB = "lab3"
ADDRESS, LENGTH = 1, 2              # accept()'s arguments
NEEDED = 8                          # family, port and address: what must fit
LARGEST = 2**31 - 1                 # of a length that the kernel takes
ENOUGH = 5                          # the same hopeless answer so many times in a row
ONE_CLIENTS_TROUBLE = (errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.ENETUNREACH, errno.ENONET,
                       errno.ENOPROTOOPT, errno.EHOSTDOWN, errno.EHOSTUNREACH)
SHORTAGE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
FOR_GOOD = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP)


# ---- the call and its answer ------------------------------------------------------------------------

@cause(CAUSES, "io-listener", LAB, "lab5", text="recv() or send() was called on the listener. It takes new clients and can't carry a word; "
       "each client has the descriptor that accept() returned.")
def io_listener(evidence: Evidence) -> Sure | None:
    listeners = {call.fd for call in (*own_calls(evidence, "listen"), *accepts(evidence))}
    fresh = {call.result for call in accepts(evidence)}
    return next((at(call) for call in (*own_recvs(evidence), *own_sends(evidence))
                 if call.fd in listeners - fresh and failed(call) and call.errno in (errno.ENOTCONN, errno.EPIPE)), None)


@cause(CAUSES, "addrlen", LAB, "lab5", text="accept() writes the caller's address only where you give it room: a struct, and in addrlen "
       "how large it is, set before each call.")
def addrlen(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in accepts(evidence) if call.args[ADDRESS] and _no_room(call)), None)


def _no_room(call: Call) -> bool:
    if call.ended is None or call.faulted:
        return False
    return call.args[LENGTH] == 0 or call.size is None or not NEEDED <= call.size <= LARGEST


@cause(CAUSES, "nobody-asked", LAB, text="Nobody was asked who called: accept() got NULL for the address, so what was written is "
       "what happened to stand in the variable.")
def nobody_asked(evidence: Evidence) -> Sure | None:
    calls, texts = accepts(evidence), _texts(evidence)
    if not calls or texts is None or not texts[1] or own_calls(evidence, "getpeername", "getsockname"):
        return None
    return at(calls[-1]) if not any(call.args[ADDRESS] for call in calls) else None


@cause(CAUSES, "while-accept", LAB, "lab5", text="accept() fails with -1, and -1 is \"true\": it was used as a descriptor before anybody "
       "looked. Compare with -1 first.")
def while_accept(evidence: Evidence) -> Sure | None:
    used = own_calls(evidence, "recv", "recvfrom", "read", "send", "sendto", "write", "close", "shutdown", "fcntl",
                     "setsockopt", "getpeername", "getsockname")
    return next((at(call) for call in accepts(evidence) if failed(call)
                 and any(other.fd == -1 for other in after(call, used))), None)


@cause(CAUSES, "closed-too-soon", LAB, text="The connection was closed before it was returned. The caller gets a number that is "
       "nobody's: who closes is in the contract.")
def closed_too_soon(evidence: Evidence) -> Sure | None:
    result = returned(evidence)
    if function_of(evidence) != "server_accept" or result is None or result < 0:
        return None
    made = [call for call in accepted(evidence) if call.result == result]
    closes = [call for call in own_calls(evidence, "close") if call.fd == result]
    return at(closes[-1]) if made and after(made[-1], closes) else None


@cause(CAUSES, "closes-listener", LAB, text="The listener was closed while it was still wanted. server_accept() leaves it alone, "
       "server_run() closes it when its last client is accepted. A connection is another descriptor.")
def closes_listener(evidence: Evidence) -> Sure | None:
    fd, function, wanted = listener(evidence), function_of(evidence), wanted_clients(evidence)
    if wanted == 0 and ended_well(evidence):
        return None
    for close in own_calls(evidence, "close"):
        before = [call for call in accepted(evidence) if call.index < close.index]
        early = function == "server_accept" or (wanted is not None and (wanted == 0 or len(before) < wanted))
        if close.fd == fd and close.result == 0 and early and fd not in {call.result for call in before}:
            return at(close)
    return None


@cause(CAUSES, "wrong-descriptor", LAB, "lab4", text="The function made the right socket and returned another number. The caller needs the "
       "descriptor itself: the listener that socket() made, the connection that accept() gave.")
def wrong_descriptor(evidence: Evidence) -> Sure | None:
    run, result = evidence.run, returned(evidence)
    makers = {"server_listen": ("socket",), "reuse_listen": ("socket",),
              "server_accept": ("accept", "accept4")}.get(function_of(evidence) or "", ())
    if run is None or result is None or result < 0:
        return None
    made = [call for call in own_calls(evidence, *makers) if not failed(call) and call.ended is not None]
    copies = {call.result for call in own_calls(evidence, "dup", "dup2", "dup3", "fcntl")}
    return at(made[-1]) if made and result not in copies | {call.result for call in made} else None


@cause(CAUSES, "same-descriptor", LAB, text="Two calls returned the same descriptor, so one of the two sockets is out of reach or "
       "closed. Each call gives a descriptor of its own.")
def same_descriptor(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function not in ("server_listen", "server_accept") or run.times < 2:
        return None
    good = [result for result, _ in run.reported if result >= 0]
    moved = own_calls(evidence, "dup2", "dup3")
    return (at(moved[-1]) if moved else Sure()) if len(set(good)) < len(good) else None


# ---- errors of accept() -----------------------------------------------------------------------------

@cause(CAUSES, "nonblocking-listener", LAB, text="accept() had nobody yet, on a listener that doesn't wait (EAGAIN), and that was "
       "taken for an error. Let it wait, or ask poll() first.")
def nonblocking_listener(evidence: Evidence) -> Sure | None:
    calls = accepts(evidence)
    return at(calls[-1]) if calls and failed(calls[-1]) and calls[-1].errno == errno.EAGAIN else None


@cause(CAUSES, "accept-eintr", LAB, text="A signal interrupted accept() (EINTR). Nothing is wrong, and no client is lost: the same "
       "accept, once more.")
def accept_eintr(evidence: Evidence) -> Sure | None:
    return _gave_up(evidence, (errno.EINTR,))


@cause(CAUSES, "accept-exit", LAB, text="One client broke off while it waited in the queue, and accept() told so. That is this "
       "client's trouble and not the server's: accept the next one.")
def accept_exit(evidence: Evidence) -> Sure | None:
    return _gave_up(evidence, ONE_CLIENTS_TROUBLE)


def _gave_up(evidence: Evidence, errnos: tuple[int, ...]) -> Sure | None:
    """The last accept() failed so, and that was the end."""
    calls, run = accepts(evidence), evidence.run
    if not calls or run is None or not failed(calls[-1]) or calls[-1].errno not in errnos:
        return None
    return at(calls[-1]) if run.reported or not run.running else None


@cause(CAUSES, "emfile-in-accept", LAB, text="server_accept() tried again when no descriptor was left. It returns -1 with that "
       "errno at once: to wait a little is up to server_run().")
def emfile_in_accept(evidence: Evidence) -> Sure | None:
    struck = [call for call in accepts(evidence) if failed(call) and call.errno in SHORTAGE]
    return at(struck[0]) if function_of(evidence) == "server_accept" and len(struck) > 1 else None


@cause(CAUSES, "accept-spins", LAB, text="accept() fails for good here, and is called again and again. Only errors that pass are "
       "worth another try: one client's trouble, or a shortage.")
def accept_spins(evidence: Evidence) -> Sure | None:
    tail = accepts(evidence)[-ENOUGH:]
    hopeless = all(failed(call) and call.errno in FOR_GOOD and call.errno == tail[0].errno for call in tail)
    return at(tail[0]) if len(tail) == ENOUGH and hopeless else None


# ---- who called -------------------------------------------------------------------------------------

def _texts(evidence: Evidence) -> tuple[str, str] | None:
    """What should stand in peer, and what does; None where the failure isn't about that."""
    failure = evidence.failure
    if failure.kind != "same" or failure.expected is None or failure.actual is None:
        return None
    if function_of(evidence) != "server_accept" or not evidence.peers or not _is_callers(evidence, failure.expected):
        return None
    return failure.expected.decode(), failure.actual.decode(errors="replace")


def _is_callers(evidence: Evidence, text: bytes) -> bool:
    return any(peer.address.encode().startswith(text) for peer in evidence.peers)


def _whole(evidence: Evidence) -> tuple[str, str] | None:
    """The same, where there was room for the whole text."""
    texts, run = _texts(evidence), evidence.run
    return texts if texts is not None and run is not None and not _cap(evidence) else None


def _cap(evidence: Evidence) -> int:
    """The buffer's size, where the test gave a small one."""
    args = evidence.run.args if evidence.run is not None else ()
    return int(args[0]) if args and args[0].isdigit() else 0


def _where(evidence: Evidence) -> Sure:
    calls = accepted(evidence)
    return at(calls[-1]) if calls else Sure()


@cause(CAUSES, "null-peer", LAB, text="With peer NULL the text was written all the same. NULL is the caller's way to say that it "
       "doesn't want it.")
def null_peer(evidence: Evidence) -> Sure | None:
    run = evidence.run
    crashed = run is not None and run.function == "server_accept" and run.signal is not None
    return Sure() if crashed and run is not None and run.args == ("NULL",) and accepted(evidence) else None


@cause(CAUSES, "beyond-cap", LAB, text="More was written into peer than it has room for. cap is how many bytes there are, the NUL "
       "among them; the bytes behind are somebody else's.")
def beyond_cap(evidence: Evidence) -> Sure | None:
    return Sure() if (number(evidence, "spilled") or 0) > 0 and evidence.failure.kind in ("said", "same") else None


@cause(CAUSES, "no-nul", LAB, text="The text in peer doesn't end: there is no NUL within cap bytes. Some functions leave it out "
       "where the text doesn't fit (strncpy), and others write nothing at all.")
def no_nul(evidence: Evidence) -> Sure | None:
    unended = number(evidence, "terminated") == 0 and _cap(evidence) > 0
    return Sure() if unended and evidence.failure.kind in ("said", "same") else None


@cause(CAUSES, "peer-cut", LAB, text="The text in peer is shorter than it could be. cap bytes hold cap - 1 characters and the NUL, "
       "and as many of the text as fit are wanted.")
def peer_cut(evidence: Evidence) -> Sure | None:
    texts = _texts(evidence)
    return Sure() if texts is not None and _cap(evidence) and texts[0].startswith(texts[1]) else None


@cause(CAUSES, "no-peer", LAB, text="Nothing was written into peer: it is empty. The caller's address is in the struct that "
       "accept() filled.")
def no_peer(evidence: Evidence) -> Sure | None:
    texts = _whole(evidence)
    return Sure() if texts is not None and not texts[1] and accepted(evidence) else None


@cause(CAUSES, "no-ntohs", LAB, text="The port was written as it stands in the address, in network byte order. ntohs() makes a "
       "number of it that you can read.")
def no_ntohs(evidence: Evidence) -> Sure | None:
    texts = _whole(evidence)
    said = re.fullmatch(r".*\D(\d{1,5})", texts[1]) if texts is not None else None
    if texts is None or said is None:
        return None
    due, got = port_of(texts[0]) or 0, int(said[1])
    return _where(evidence) if due != got and swapped(due) == got else None


@cause(CAUSES, "peer-backwards", LAB, text="The four bytes of the address are the wrong way round. inet_ntop() takes them as they "
       "stand in the struct, in network byte order.")
def peer_backwards(evidence: Evidence) -> Sure | None:
    texts = _whole(evidence)
    if texts is None:
        return None
    turned = ".".join(reversed((host_of(texts[0]) or "").split(".")))
    return _where(evidence) if texts[1].startswith(turned) and turned != host_of(texts[0]) else None


@cause(CAUSES, "own-address", LAB, text="The text is the server's own end of the connection. getsockname() tells that one; the "
       "caller's is what accept() fills in.")
def own_address(evidence: Evidence) -> Sure | None:
    texts = _whole(evidence)
    return next((at(call) for call in own_calls(evidence, "getsockname")
                 if texts is not None and call.address == texts[1]), None)


@cause(CAUSES, "fixed-peer", LAB, text="The port is the caller's and the address isn't: another one was written in its place. "
       "Clients come from any address; take it from the struct as well.")
def fixed_peer(evidence: Evidence) -> Sure | None:
    texts = _whole(evidence)
    if texts is None or host_of(texts[0]) == host_of(texts[1]) or ":" not in texts[1]:
        return None
    return _where(evidence) if texts[1].endswith(f":{port_of(texts[0])}") else None


@cause(CAUSES, "peer-format", LAB, text="The text in peer isn't written as IP:PORT, \"127.0.0.1:54600\": something is missing or "
       "there is something more.")
def peer_format(evidence: Evidence) -> Sure | None:
    texts = _whole(evidence)
    host = (host_of(texts[0]) or "") if texts is not None else ""
    if texts is None or host not in texts[1]:
        return None
    others = re.findall(r"\d+", texts[1].replace(host, ""))
    return Sure() if others in ([], [str(port_of(texts[0]))]) else None


@cause(CAUSES, "peer-gone", LAB, text="getpeername() fails once the caller has gone, and that was taken for accept()'s failure. "
       "accept() itself fills in the caller's address.")
def peer_gone(evidence: Evidence) -> Sure | None:
    asked = [call for call in own_calls(evidence, "getpeername") if failed(call) and call.errno == errno.ENOTCONN]
    silent = {talk.fd for talk in talks(evidence) if not talk.recvs}
    return at(asked[-1]) if asked and asked[-1].fd in silent else None
