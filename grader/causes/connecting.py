"""Mistakes on the way to a connection: the address, the socket, connect() itself."""

from __future__ import annotations

import errno

from ..evidence import Call, Evidence
from .base import (
    CLIENTS, Cause, Sure, after, all_own, at, cause, failed, function_of, host_of, last_report, own_calls, own_sends,
    port_of, returned, swapped,
)  # fmt: skip

CAUSES: list[Cause] = []
SOCK_DGRAM, SOCK_KINDS = 2, 0xF
AF_UNSPEC, AF_INET, AF_INET6 = 0, 2, 10
ADDRESS_SIZE = 16                   # of struct sockaddr_in
NO_ADDRESS = 0xFFFFFFFF             # inet_addr()'s answer to text that is none
UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY, errno.EISCONN, errno.EINTR)


def _asked(evidence: Evidence) -> tuple[str, int] | None:
    """Where the client was told to connect to: its arguments, or else the test's only server."""
    run = evidence.run
    if run is not None and len(run.args) >= 2 and run.args[1].isdigit():
        return run.args[0], int(run.args[1])
    servers = [peer for peer in evidence.peers if peer.role == "listens"]
    return (host_of(servers[0].address) or "", servers[0].port) if len(servers) == 1 else None


def _is_address(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(part.isdigit() and len(part) <= 3 and int(part) < 256 for part in parts)


def _uses(evidence: Evidence) -> list[Call]:
    """The calls that an address or a new socket is made for."""
    return own_calls(evidence, "connect", "bind")


def _connects(evidence: Evidence) -> list[Call]:
    """Each connect() to an IPv4 address."""
    return [call for call in own_calls(evidence, "connect") if call.family == AF_INET and call.address]


# ---- the socket -------------------------------------------------------------------------------------

@cause(CAUSES, "dgram", text="SOCK_DGRAM makes a datagram socket. connect() on it succeeds and sets up nothing; "
       "TCP is SOCK_STREAM.")
def dgram(evidence: Evidence) -> Sure | None:
    used = {call.fd for call in _uses(evidence)}
    return next((at(call) for call in own_calls(evidence, "socket")
                 if call.args[1] & SOCK_KINDS == SOCK_DGRAM and call.result in used), None)


@cause(CAUSES, "zero-check", text="socket() failed with -1, and the program went on with -1 as its descriptor. Failure is -1 "
       "and nothing else: not 0, which is a good descriptor.")
def zero_check(evidence: Evidence) -> Sure | None:
    made = own_calls(evidence, "socket")
    return at(made[-1]) if made and failed(made[-1]) and any(call.fd == -1 for call in _uses(evidence)) else None


@cause(CAUSES, "zero-refused", *CLIENTS, text="The descriptor was 0, and 0 was taken for a failure. It is a good descriptor, "
       "the first one when standard input is closed. Only -1 is failure.")
def zero_refused(evidence: Evidence) -> Sure | None:
    made, own = own_calls(evidence, "socket"), all_own(evidence)
    if not made or made[-1].result != 0 or returned(evidence) != -1 or any(failed(call) for call in own):
        return None
    connected = any(call.name == "connect" for call in own)
    return Sure() if connected and function_of(evidence) != "client_connect" else at(made[-1])


@cause(CAUSES, "prec", text="The descriptor in use is 0 or 1, not the one that socket() returned. In `fd = socket(…) < 0` the "
       "comparison comes first, and fd gets its answer: put the assignment in brackets, or in a line of its own.")
def prec(evidence: Evidence) -> Sure | None:
    made = [call for call in own_calls(evidence, "socket") if (call.result or 0) > 1]
    good = {call.result for call in own_calls(evidence, "socket")}
    wrong = [call for call in own_calls(evidence, "connect", "bind", "listen") if call.fd in (0, 1) and call.fd not in good]
    return at(made[0]) if made and wrong else None


# ---- the address ------------------------------------------------------------------------------------

@cause(CAUSES, "no-family", *CLIENTS, text="The address has no family: sin_family is 0. connect() then returns 0 "
       "without connecting. Set it to AF_INET.")
def no_family(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "connect") if call.family == AF_UNSPEC), None)


@cause(CAUSES, "wrong-family", *CLIENTS, text="sin_family isn't AF_INET: something else stands in the first two bytes of the "
       "address. They are in your machine's order, without htons(), and inet_pton() fills only sin_addr.")
def wrong_family(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "connect")
                 if call.family is not None and call.family not in (AF_UNSPEC, AF_INET, AF_INET6)), None)


@cause(CAUSES, "addr-size", text="connect() and bind() want the size of the whole address, sizeof the struct itself. The size of "
       "a pointer to it is 8.")
def addr_size(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _uses(evidence)
                 if call.args[2] < ADDRESS_SIZE and failed(call) and call.errno == errno.EINVAL), None)


@cause(CAUSES, "no-htons", *CLIENTS, text="The port's two bytes are the wrong way round: sin_port is in network byte "
       "order, so it wants htons(port).")
def no_htons(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    if asked is None or swapped(asked[1]) == asked[1]:
        return None
    return next((at(call) for call in _connects(evidence) if port_of(call.address) == swapped(asked[1])), None)


@cause(CAUSES, "wrong-port", *CLIENTS, text="The port that was dialled isn't the one that was given: it is the program's own, or "
       "was never filled in, or lost its bytes in htonl() (a port has two: htons).")
def wrong_port(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    return next((at(call) for call in _connects(evidence)
                 if asked and port_of(call.address) not in (asked[1], swapped(asked[1]))), None)


@cause(CAUSES, "inet-addr-host", *CLIENTS, text="inet_addr() answers text that is no address with 255.255.255.255, which "
       "is then dialled like any other. inet_pton() tells the two apart.")
def inet_addr_host(evidence: Evidence) -> Sure | None:
    dialled = any(host_of(call.address) == "255.255.255.255" for call in _connects(evidence))
    return next((at(call) for call in own_calls(evidence, "inet_addr")
                 if dialled and (call.result or 0) & NO_ADDRESS == NO_ADDRESS), None)


@cause(CAUSES, "names-too", *CLIENTS, text="A name was looked up and dialled. The contract takes an address in figures and dots; "
       "anything else is EINVAL here, and nobody is dialled.")
def names_too(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    if asked is None or _is_address(asked[0]):
        return None
    reached = [call for call in _connects(evidence) if host_of(call.address) not in ("0.0.0.0", "255.255.255.255")]
    lookups = [call for call in own_calls(evidence, "getaddrinfo") if call.result == 0]
    if not reached or not (lookups or asked[0] == "localhost"):
        return None
    return at(lookups[0]) if lookups else at(reached[0])


@cause(CAUSES, "pton-neg", text="inet_pton() answers text that is no address with 0, not with -1. Only 1 means that the "
       "address was filled in.")
def pton_neg(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "inet_pton", "inet_aton")
                 if call.result == 0 and call.ended is not None and after(call, _uses(evidence))), None)


@cause(CAUSES, "no-htonl", text="The four bytes of the IP address are the wrong way round. An address that you have as a number "
       "is in your machine's order: htonl() makes the network's of it. inet_pton() has done it already.")
def no_htonl(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    host = asked[0] if asked else ""
    turned = ".".join(reversed(host.split(".")))
    return next((at(call) for call in _uses(evidence)
                 if _is_address(host) and turned != host and host_of(call.address) == turned), None)


@cause(CAUSES, "wrong-address", *CLIENTS, text="The address that was dialled isn't the one that was given: it is the program's own, "
       "or was never filled in (0.0.0.0).")
def wrong_address(evidence: Evidence) -> Sure | None:
    asked = _asked(evidence)
    if asked is None or not _is_address(asked[0]):
        return None
    return next((at(call) for call in _connects(evidence) if host_of(call.address) != asked[0]), None)


# ---- what connect() said, and what is returned ------------------------------------------------------

@cause(CAUSES, "conn-unchecked", *CLIENTS, text="connect() failed, and the program went on as if it had not. Look at what "
       "connect() returns.")
def conn_unchecked(evidence: Evidence) -> Sure | None:
    for call in own_calls(evidence, "connect"):
        if not failed(call) or call.errno in UNDER_WAY:
            continue
        later = after(call, own_calls(evidence, "connect"))
        sent = [send for send in after(call, own_sends(evidence)) if send.fd == call.fd]
        kept = function_of(evidence) == "client_connect" and returned(evidence) == call.fd
        if not later and (sent or kept):
            return at(call)
    return None


@cause(CAUSES, "not-the-descriptor", *CLIENTS, text="The connection was made, and another number was returned. The caller needs "
       "the descriptor itself: what socket() gave and connect() connected.")
def not_the_descriptor(evidence: Evidence) -> Sure | None:
    made = [call for call in own_calls(evidence, "connect") if call.result == 0]
    result = returned(evidence)
    if function_of(evidence) != "client_connect" or not made or result is None or result < 0:
        return None
    copies = {call.result for call in own_calls(evidence, "dup", "dup2", "dup3", "fcntl")}
    return at(made[-1]) if result not in copies | {call.fd for call in made} else None


@cause(CAUSES, "closed-too-soon", *CLIENTS, text="The connection was closed before it was returned. The caller gets a number that "
       "is nobody's: who closes is in the contract.")
def closed_too_soon(evidence: Evidence) -> Sure | None:
    report = last_report(evidence)
    if function_of(evidence) != "client_connect" or report is None or report[0] < 0:
        return None
    made = own_calls(evidence, "connect")
    closes = [call for call in own_calls(evidence, "close") if call.fd == report[0]]
    return at(closes[-1]) if made and closes and closes[-1].index > made[-1].index else None


@cause(CAUSES, "old-connection", "lab1", text="A later call dialled nobody: it took the connection of an earlier one, which is "
       "over. Each call is a conversation of its own.")
def old_connection(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.function != "client_send" or len(run.reported) < 2:
        return None
    made = own_calls(evidence, "connect")
    sent = [call for call in after(made[-1], own_sends(evidence)) if call.fd == made[-1].fd] if made else []
    stale = len(made) < len(run.reported) and not any(failed(call) for call in own_calls(evidence, "socket"))
    return at(sent[-1]) if stale and len(sent) >= 2 else None
