"""Mistakes on the way to a listener: the address it is bound to, bind and listen themselves."""

from __future__ import annotations

import errno

from ..evidence import Evidence
from .base import Cause, Sure, at, cause, host_of, last_report, own_calls, port_of, swapped

CAUSES: list[Cause] = []
ANY = "0.0.0.0"


def _asked(evidence: Evidence) -> tuple[str, int, int] | None:
    """What server_listen() was called with: address ("" for every one), port, backlog."""
    run = evidence.run
    if run is None or run.function != "server_listen" or len(run.args) < 3:
        return None
    ip = "" if run.args[0] in ("NULL", "") else run.args[0]
    return ip, int(run.args[1]), int(run.args[2])


@cause(CAUSES, "no-bind", text="The socket was never bound, so listen() gave it a port of the kernel's choice, which no client "
       "knows. bind() says which address and port it is.")
def no_bind(evidence: Evidence) -> Sure | None:
    listens = own_calls(evidence, "listen")
    return at(listens[0]) if listens and not own_calls(evidence, "bind") else None


@cause(CAUSES, "no-listen", text="The socket was bound and never told to listen. Without listen() it isn't a listener: no client "
       "gets through, and accept() fails with EINVAL.")
def no_listen(evidence: Evidence) -> Sure | None:
    binds = [call for call in own_calls(evidence, "bind") if call.result == 0]
    return at(binds[-1]) if binds and not own_calls(evidence, "listen") else None


@cause(CAUSES, "bind-family", text="The address has no family: sin_family is 0. Set it to AF_INET.")
def bind_family(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "bind") if call.family == 0), None)


@cause(CAUSES, "no-htons-bind", text="The port's two bytes are the wrong way round: sin_port is in network byte order, so it "
       "wants htons(port).")
def no_htons_bind(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    if asked is None or swapped(asked[1]) == asked[1]:
        return None
    return next((at(call) for call in own_calls(evidence, "bind") if port_of(call.address) == swapped(asked[1])), None)


@cause(CAUSES, "fixed-listen-port", text="The server listens at a port of its own choice, not at the one it was given. Port 0 "
       "means that the kernel chooses.")
def fixed_listen_port(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    return next((at(call) for call in own_calls(evidence, "bind")
                 if asked and call.family == 2 and port_of(call.address) not in (asked[1], swapped(asked[1]))), None)


@cause(CAUSES, "lo-only", text="The listener is bound to 127.0.0.1, so only that address reaches it. Every address of the machine "
       "is INADDR_ANY, 0.0.0.0.")
def lo_only(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    if asked is None or asked[0]:
        return None
    return next((at(call) for call in own_calls(evidence, "bind") if host_of(call.address) == "127.0.0.1"), None)


@cause(CAUSES, "any-only", text="The listener is bound to every address of the machine, though it was given one: whoever reaches "
       "the machine gets in.")
def any_only(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    if asked is None or not asked[0]:
        return None
    return next((at(call) for call in own_calls(evidence, "bind")
                 if host_of(call.address) == ANY and not _text_failed(evidence)), None)


def _text_failed(evidence: Evidence) -> bool:
    """Whether inet_pton() said that the text is no address."""
    return any(call.result == 0 for call in own_calls(evidence, "inet_pton"))


@cause(CAUSES, "foreign-ip", text="The program binds to an address of its own choice. Only addresses that this machine has can be "
       "bound (EADDRNOTAVAIL); use the one that is given.")
def foreign_ip(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    if asked is None:
        return None
    backwards = ".".join(reversed(asked[0].split(".")))
    return next((at(call) for call in own_calls(evidence, "bind")
                 if call.family == 2 and host_of(call.address) not in (asked[0], backwards, ANY, "127.0.0.1", "255.255.255.255")
                 and call.errno == errno.EADDRNOTAVAIL and host_of(call.address) != "1.0.0.127"), None)


@cause(CAUSES, "inaddr-order", text="INADDR_LOOPBACK and its like are numbers in host order: the address wants htonl(). As it is, "
       "127.0.0.1 reads 1.0.0.127.")
def inaddr_order(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "bind") if host_of(call.address) == "1.0.0.127"), None)


@cause(CAUSES, "inet-addr-bind", text="inet_addr() answers text that is no address with 255.255.255.255, and bind() takes even "
       "that. inet_pton() tells the two apart.")
def inet_addr_bind(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "bind") if host_of(call.address) == "255.255.255.255"), None)


@cause(CAUSES, "backlog", text="listen() got another backlog than server_listen() was given. It is the caller who knows how many "
       "clients may wait in the queue.")
def backlog(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    return next((at(call) for call in own_calls(evidence, "listen") if asked and call.args[1] != asked[2]), None)


@cause(CAUSES, "bind-unchecked", text="bind() failed, and the program went on as if it had not: listen() then chose a port of its "
       "own. Look at what bind() returns.")
def bind_unchecked(evidence: Evidence) -> Sure | None:
    failed = [call for call in own_calls(evidence, "bind") if call.result == -1]
    went_on = own_calls(evidence, "listen")
    return at(failed[-1]) if failed and went_on and went_on[-1].index > failed[-1].index else None


@cause(CAUSES, "listen-unchecked", text="listen() failed, and the program went on as if it had not. Look at what listen() "
       "returns.")
def listen_unchecked(evidence: Evidence) -> Sure | None:
    failed = [call for call in own_calls(evidence, "listen") if call.result == -1]
    report = last_report(evidence)
    return at(failed[-1]) if failed and report is not None and report[0] >= 0 else None
