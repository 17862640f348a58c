"""Mistakes on the way to a listener: the address it is bound to, bind and listen themselves."""

from __future__ import annotations

import errno

from ..evidence import Call, Evidence
from .base import (
    Cause, Sure, after, all_own, at, cause, failed, function_of, host_of, own_calls, port_of, returned, swapped,
)  # fmt: skip

CAUSES: list[Cause] = []
LABS = ("lab3", "lab4")              # the labs with a server_listen() or a reuse_listen()
FUNCTIONS = ("server_listen", "reuse_listen")
AF_INET, AF_INET6 = 2, 10
ANY, LOOPBACK, NO_ADDRESS = "0.0.0.0", "127.0.0.1", "255.255.255.255"


def _asked(evidence: Evidence) -> tuple[str, int, int] | None:
    """What the function was called with: address ("" for every one), port, backlog."""
    run = evidence.run
    if run is None or run.function not in FUNCTIONS or len(run.args) < 3:
        return None
    ip = "" if run.args[0] in ("NULL", "") else run.args[0]
    return ip, int(run.args[1]), int(run.args[2])


def _is_address(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(part.isdigit() and len(part) <= 3 and int(part) < 256 for part in parts)


def _turned(host: str) -> str:
    return ".".join(reversed(host.split(".")))


def _binds(evidence: Evidence) -> list[Call]:
    """Each bind() to an IPv4 address."""
    return [call for call in own_calls(evidence, "bind") if call.family == AF_INET and call.address]


def _gave_one(evidence: Evidence) -> bool:
    """Whether the last call returned a descriptor."""
    result = returned(evidence)
    return function_of(evidence) in FUNCTIONS and result is not None and result >= 0


# ---- the calls and their order ----------------------------------------------------------------------

@cause(CAUSES, "listen-first", *LABS, text="listen() came before bind(). A socket that listens has its port already, one of the "
       "kernel's choice, and can't be bound any more (EINVAL).")
def listen_first(evidence: Evidence) -> Sure | None:
    listens = [call for call in own_calls(evidence, "listen") if call.result == 0]
    return next((at(call) for call in own_calls(evidence, "bind") if failed(call) and call.errno == errno.EINVAL
                 and any(call in after(listen, [call]) and listen.fd == call.fd for listen in listens)), None)


@cause(CAUSES, "no-bind", *LABS, text="The socket was never bound, so listen() gave it a port of the kernel's choice, which no "
       "client knows. bind() says which address and port it is.")
def no_bind(evidence: Evidence) -> Sure | None:
    listens = own_calls(evidence, "listen")
    return at(listens[0]) if listens and not own_calls(evidence, "bind") else None


@cause(CAUSES, "no-listen", *LABS, text="The socket was bound and never told to listen. Without listen() it isn't a listener: "
       "callers are refused, and accept() fails with EINVAL.")
def no_listen(evidence: Evidence) -> Sure | None:
    binds = [call for call in own_calls(evidence, "bind") if call.result == 0]
    return at(binds[-1]) if binds and _gave_one(evidence) and not own_calls(evidence, "listen") else None


# ---- the address ------------------------------------------------------------------------------------

@cause(CAUSES, "bind-family", *LABS, text="The address isn't marked as an IPv4 address: its sin_family must be AF_INET, as it is, "
       "without htons(). Nobody else fills it in.")
def bind_family(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "bind")
                 if call.family is not None and call.family not in (AF_INET, AF_INET6)), None)


@cause(CAUSES, "inet-addr-host", *LABS, text="inet_addr() answers text that is no address with 255.255.255.255, and bind() takes "
       "even that. inet_pton() tells the two apart.")
def inet_addr_host(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _binds(evidence) if host_of(call.address) == NO_ADDRESS), None)


@cause(CAUSES, "names-too", *LABS, text="A name was looked up. The contract takes an address in figures and dots; anything else is "
       "EINVAL here (getaddrinfo() has a flag for that).")
def names_too(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    if asked is None or not asked[0] or _is_address(asked[0]):
        return None
    found = [call for call in own_calls(evidence, "getaddrinfo") if call.result == 0]
    return at(found[-1]) if found and _binds(evidence) else None


@cause(CAUSES, "second-choice", *LABS, text="bind() said no, and another address or port was taken instead. The caller asked for "
       "this one and doesn't learn of the other: tell the failure, -1 with errno.")
def second_choice(evidence: Evidence) -> Sure | None:
    binds = _binds(evidence)
    return next((at(second) for first, second in zip(binds, binds[1:])
                 if failed(first) and second.result == 0 and first.fd == second.fd and first.address != second.address),
                None)


@cause(CAUSES, "no-htons", *LABS, text="The port's two bytes are the wrong way round: sin_port is in network byte order, so it "
       "wants htons(port).")
def no_htons(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    if asked is None or swapped(asked[1]) == asked[1]:
        return None
    return next((at(call) for call in _binds(evidence) if port_of(call.address) == swapped(asked[1])), None)


@cause(CAUSES, "wrong-listen-port", *LABS, text="The listener's port isn't the one that was given: it stands in the code, is left "
       "from an earlier call, or was never filled in. (Port 0 lets the kernel choose.)")
def wrong_listen_port(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    return next((at(call) for call in _binds(evidence)
                 if asked and port_of(call.address) not in (asked[1], swapped(asked[1]))), None)


@cause(CAUSES, "no-htonl", *LABS, text="The four bytes of the IP address are the wrong way round. INADDR_LOOPBACK and its like are "
       "numbers in your machine's order: htonl() makes the network's of them. inet_pton() has done it already.")
def no_htonl(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    meant = {asked[0] or LOOPBACK, LOOPBACK} if asked is not None else set()
    wrong = {_turned(host) for host in meant} - meant
    return next((at(call) for call in _binds(evidence) if host_of(call.address) in wrong), None)


@cause(CAUSES, "lo-only", *LABS, text="The listener is bound to 127.0.0.1 and reached at that address alone. Every address of the "
       "machine is INADDR_ANY, 0.0.0.0; and 127.0.0.2 is another address than 127.0.0.1.")
def lo_only(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    if asked is None or asked[0] == LOOPBACK or (asked[0] and not _is_address(asked[0])):
        return None
    return next((at(call) for call in _binds(evidence) if host_of(call.address) == LOOPBACK), None)


@cause(CAUSES, "any-only", *LABS, text="The listener is bound to every address of the machine, though it was given one: whoever "
       "reaches the machine gets in.")
def any_only(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    if asked is None or not _is_address(asked[0]) or asked[0] == ANY:
        return None
    return next((at(call) for call in _binds(evidence) if host_of(call.address) == ANY), None)


@cause(CAUSES, "foreign-ip", *LABS, text="The address that was bound isn't the one that was given, and this machine doesn't have it: "
       "it stands in the code, or was never filled in.")
def foreign_ip(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    return next((at(call) for call in _binds(evidence) if asked and call.errno == errno.EADDRNOTAVAIL
                 and not call.faulted and host_of(call.address) != asked[0]), None)


@cause(CAUSES, "null-address", *LABS, text="NULL and an empty text both mean every address, and neither is an address to be read: "
       "ask for both of them first.")
def null_address(evidence: Evidence) -> Sure | None:
    asked, run = _asked(evidence), evidence.run
    if asked is None or asked[0] or run is None or own_calls(evidence, "bind"):
        return None
    refused = returned(evidence) == -1 and not any(failed(call) for call in own_calls(evidence, "socket"))
    return Sure() if refused or run.signal is not None else None


# ---- the backlog ------------------------------------------------------------------------------------

def _other_backlog(evidence: Evidence) -> Call | None:
    """A listen() with another number than was given, where one call of the function went well."""
    asked, run = _asked(evidence), evidence.run
    if asked is None or run is None or run.times != 1 or not _gave_one(evidence):
        return None
    return next((call for call in own_calls(evidence, "listen") if call.result == 0 and call.args[1] != asked[2]), None)


@cause(CAUSES, "backlog0", *LABS, text="listen() got 0, which isn't \"no limit\": one client may wait in the queue, and the others "
       "don't get in. The number to give it is backlog.")
def backlog0(evidence: Evidence) -> Sure | None:
    call = _other_backlog(evidence)
    return at(call) if call is not None and call.args[1] == 0 else None


@cause(CAUSES, "fixed-backlog", *LABS, text="listen() got another number than the function was given. It is the caller who knows "
       "how many clients may wait in the queue.")
def fixed_backlog(evidence: Evidence) -> Sure | None:
    call = _other_backlog(evidence)
    return at(call) if call is not None else None


# ---- what the calls said, and what is returned ------------------------------------------------------

@cause(CAUSES, "bind-unchecked", *LABS, text="bind() failed, and the program went on as if it had not: listen() then took a port of "
       "the kernel's choice. Look at what bind() returns.")
def bind_unchecked(evidence: Evidence) -> Sure | None:
    listens = own_calls(evidence, "listen")
    return next((at(call) for call in own_calls(evidence, "bind")
                 if failed(call) and any(listen.fd == call.fd for listen in after(call, listens))), None)


@cause(CAUSES, "listen-unchecked", *LABS, text="listen() failed, and the program went on as if it had not. Look at what listen() "
       "returns.")
def listen_unchecked(evidence: Evidence) -> Sure | None:
    listens = own_calls(evidence, "listen")
    return at(listens[-1]) if listens and failed(listens[-1]) and _gave_one(evidence) else None


@cause(CAUSES, "zero-refused", *LABS, text="The descriptor was 0, and 0 was taken for a failure. It is a good descriptor, the first "
       "one when standard input is closed. Only -1 is failure.")
def zero_refused(evidence: Evidence) -> Sure | None:
    made, result = own_calls(evidence, "socket"), returned(evidence)
    gave_up = result == -1 and not any(failed(call) for call in all_own(evidence))
    return at(made[-1]) if made and made[-1].result == 0 and gave_up else None
