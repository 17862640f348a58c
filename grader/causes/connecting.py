"""Mistakes on the way to a connection: the address, the socket, connect() itself."""

from __future__ import annotations

from ..evidence import Evidence
from .base import Cause, Sure, after, at, cause, host_of, last_report, own_calls, own_sends, port_of, swapped

CAUSES: list[Cause] = []
SOCK_DGRAM, SOCK_KINDS = 2, 0xF


def _asked_port(evidence: Evidence) -> int | None:
    """The port that the client was told to connect to."""
    run = evidence.run
    if run is None or len(run.args) < 2 or not run.args[1].isdigit():
        return None
    return int(run.args[1])


@cause(CAUSES, "dgram", text="SOCK_DGRAM makes a datagram socket. connect() on it succeeds and sets up nothing; "
       "TCP is SOCK_STREAM.")
def dgram(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "socket")
                 if len(call.args) > 1 and call.args[1] & SOCK_KINDS == SOCK_DGRAM), None)


@cause(CAUSES, "no-family", "lab1", "lab2", text="The address has no family: sin_family is 0. connect() then returns 0 "
       "without connecting. Set it to AF_INET.")
def no_family(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "connect") if call.family == 0), None)


@cause(CAUSES, "no-htons", "lab1", "lab2", text="The port's two bytes are the wrong way round: sin_port is in network byte "
       "order, so it wants htons(port).")
def no_htons(evidence: Evidence) -> Sure | None:
    port = _asked_port(evidence)
    if port is None or swapped(port) == port:
        return None
    return next((at(call) for call in own_calls(evidence, "connect") if port_of(call.address) == swapped(port)), None)


@cause(CAUSES, "fixed-port", "lab1", "lab2", text="The client dials a port of its own choice, not the one it was given.")
def fixed_port(evidence: Evidence) -> Sure | None:
    port = _asked_port(evidence)
    return next((at(call) for call in own_calls(evidence, "connect")
                 if port and call.address and port_of(call.address) not in (port, swapped(port))), None)


@cause(CAUSES, "inet-addr-host", "lab1", "lab2", text="inet_addr() answers text that is no address with 255.255.255.255, which "
       "is then dialled like any other. inet_pton() tells the two apart.")
def inet_addr_host(evidence: Evidence) -> Sure | None:
    if _asked_address_is_good(evidence):
        return None
    return next((at(call) for call in own_calls(evidence, "inet_addr")), None)


def _asked_address_is_good(evidence: Evidence) -> bool:
    run = evidence.run
    if run is None or not run.args:
        return True
    parts = run.args[0].split(".")
    return len(parts) == 4 and all(part.isdigit() and len(part) <= 3 and int(part) < 256 for part in parts)


@cause(CAUSES, "pton-neg", text="inet_pton() answers text that is no address with 0, not with -1. Only 1 means that the "
       "address was filled in.")
def pton_neg(evidence: Evidence) -> Sure | None:
    for call in own_calls(evidence, "inet_pton"):
        went_on = own_calls(evidence, "connect", "bind")
        if call.result == 0 and call.ended is not None and went_on:
            return at(call)
    return None


@cause(CAUSES, "pton-errno", text="inet_pton() leaves errno alone when the text is no address (it returns 0). The EINVAL that "
       "is promised has to be set by hand.")
def pton_errno(evidence: Evidence) -> Sure | None:
    report = last_report(evidence)
    if evidence.failure.kind != "error" or report is None or report[0] != -1 or report[1] == 22:
        return None
    calls = own_calls(evidence, "inet_pton", "getaddrinfo", "inet_aton")
    failed = [call for call in calls if (call.result == 0) == (call.name != "getaddrinfo")]
    return at(failed[-1]) if failed and not own_calls(evidence, "connect", "bind") else None


@cause(CAUSES, "fixed-address", "lab1", "lab2", text="The client dials an address of its own choice, not the one it was given.")
def fixed_address(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or not run.args or not _asked_address_is_good(evidence):
        return None
    for call in own_calls(evidence, "connect"):
        if call.family == 2 and call.address and host_of(call.address) != run.args[0]:
            return Sure(call.where) if _reversed(host_of(call.address)) != run.args[0] else None
    return None


def _reversed(host: str | None) -> str:
    return ".".join(reversed((host or "").split(".")))


@cause(CAUSES, "no-htonl", text="The four bytes of the IP address are the wrong way round: an address as a number is in host "
       "order, so it wants htonl().")
def no_htonl(evidence: Evidence) -> Sure | None:
    run = evidence.run
    asked = [arg for arg in run.args if arg.count(".") == 3] if run else []
    return next((at(call) for call in own_calls(evidence, "connect", "bind")
                 if host_of(call.address) in [_reversed(arg) for arg in asked]
                 and host_of(call.address) not in asked), None)


@cause(CAUSES, "prec", text="`fd = socket(…) < 0` compares first and then assigns, so fd is 0 or 1. Put the assignment in "
       "brackets, or in a line of its own.")
def prec(evidence: Evidence) -> Sure | None:
    made = own_calls(evidence, "socket")
    good = {call.result for call in made}
    if not made or made[0].result is None or made[0].result <= 1:
        return None
    return next((at(made[0]) for call in own_calls(evidence, "connect", "bind", "listen")
                 if call.fd in (0, 1) and call.fd not in good), None)


@cause(CAUSES, "zero-check", text="socket() fails with -1 and nothing else: 0 is a good descriptor, and -1 is \"true\". Compare "
       "with -1.")
def zero_check(evidence: Evidence) -> Sure | None:
    made = own_calls(evidence, "socket")
    if not made:
        return None
    report = last_report(evidence)
    used = own_calls(evidence, "connect", "bind", "listen")
    if made[-1].result == -1 and any(call.fd == -1 for call in used):
        return at(made[-1])
    refused_zero = made[-1].result == 0 and not used and report is not None and report[0] == -1
    return at(made[-1]) if refused_zero else None


@cause(CAUSES, "zero-refused", "lab1", "lab2", text="0 is a good descriptor: it is the first one when standard input is closed. "
       "Only -1 means failure.")
def zero_refused(evidence: Evidence) -> Sure | None:
    report = last_report(evidence)
    calls = [call for call in own_calls(evidence, "connect") if call.fd == 0 and call.result == 0]
    return at(calls[-1]) if calls and report is not None and report[0] == -1 else None


@cause(CAUSES, "conn-unchecked", "lab1", "lab2", text="connect() failed, and the program went on as if it had not. Look at what "
       "connect() returns.")
def conn_unchecked(evidence: Evidence) -> Sure | None:
    failed = [call for call in own_calls(evidence, "connect") if call.result == -1]
    if not failed:
        return None
    report = last_report(evidence)
    claimed = report is not None and report[0] != -1
    used = [call for call in after(failed[-1], own_sends(evidence)) if call.fd == failed[-1].fd]
    return at(failed[-1]) if claimed or used else None
