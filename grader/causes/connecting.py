"""Mistakes on the way to a connection: the address, the socket, connect() itself."""

from __future__ import annotations

import errno

from ..evidence import Call, Evidence
from .base import (
    DIALERS, SENDS, Cause, Sure, after, all_own, at, cause, failed, function_of, host_of, last_report, own_calls,
    own_sends, port_of, returned, swapped,
)  # fmt: skip

CAUSES: list[Cause] = []
SOCK_DGRAM, SOCK_KINDS = 2, 0xF
AF_UNSPEC, AF_INET, AF_INET6 = 0, 2, 10
ADDRESS_SIZE = 16                   # of struct sockaddr_in
NO_ADDRESS = 0xFFFFFFFF             # inet_addr()'s answer to text that is none
DIALS = ("client_connect", "connect_with_buffers")   # the functions that return a connection
UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY, errno.EISCONN, errno.EINTR)


def _asked(evidence: Evidence) -> list[tuple[str, int]]:
    """Where the client was told to connect to: its arguments (an address and a port, and perhaps two more after
    the text), or else the test's only server."""
    run = evidence.run
    args = run.args if run is not None and (evidence.lab != "lab6" or run.function in DIALS) else ()
    asked = [(args[i], int(args[i + 1])) for i in (0, 3) if len(args) > i + 1 and args[i + 1].isdigit()]
    servers = [(host_of(peer.address) or "", peer.port) for peer in evidence.peers if peer.role == "listens"]
    return asked or (servers if len(servers) == 1 else [])


def _texts(evidence: Evidence) -> list[str]:
    """The addresses that it was given, as text."""
    return [host for host, _ in _asked(evidence)]


def _ports(evidence: Evidence) -> list[int]:
    return [port for _, port in _asked(evidence)]


def _is_address(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(part.isdigit() and len(part) <= 3 and int(part) < 256 for part in parts)


def _uses(evidence: Evidence) -> list[Call]:
    """The calls that an address or a new socket is made for."""
    return own_calls(evidence, "connect", "bind")


def _used_sockets(evidence: Evidence) -> list[Call]:
    """The socket() calls whose socket was then to be connected or bound."""
    used = {call.fd for call in _uses(evidence)}
    return [call for call in own_calls(evidence, "socket") if not failed(call) and call.result in used]


def _connects(evidence: Evidence) -> list[Call]:
    """Each connect() to an IPv4 address."""
    return [call for call in own_calls(evidence, "connect") if call.family == AF_INET and call.address]


# ---- the socket -------------------------------------------------------------------------------------

@cause(CAUSES, "dgram", text="SOCK_DGRAM makes a datagram socket. connect() on it succeeds and sets up nothing; "
       "TCP is SOCK_STREAM.")
def dgram(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _used_sockets(evidence)
                 if call.args[1] & SOCK_KINDS == SOCK_DGRAM and call.args[0] in (AF_INET, AF_INET6)), None)


@cause(CAUSES, "socket-family", text="The socket is of another family than the address. socket() takes the family first, AF_INET for "
       "IPv4, and then the type.")
def socket_family(evidence: Evidence) -> Sure | None:
    families = {call.fd: call.family for call in _uses(evidence)}
    return next((at(call) for call in _used_sockets(evidence)
                 if families[call.result] == AF_INET and call.args[0] != AF_INET), None)


@cause(CAUSES, "zero-check", text="socket() failed with -1, and the program went on with -1 as its descriptor. Failure is -1 "
       "and nothing else: not 0, which is a good descriptor.")
def zero_check(evidence: Evidence) -> Sure | None:
    made = own_calls(evidence, "socket")
    return at(made[-1]) if made and failed(made[-1]) and any(call.fd == -1 for call in _uses(evidence)) else None


@cause(CAUSES, "zero-refused", *DIALERS, text="The descriptor was 0, and 0 was taken for a failure. It is a good one, the first when "
       "standard input is closed. Only -1 is failure.")
def zero_refused(evidence: Evidence) -> Sure | None:
    own, run = all_own(evidence), evidence.run
    made = [call for call in run.calls if call.name == "socket"] if run is not None else []     # dial.h's too
    refused = run is not None and run.reported[:1] == ((-1, 0),) and not any(failed(call) for call in own)
    if not refused or not made or made[0].result != 0:
        return None
    connected = any(call.name == "connect" for call in own)
    return Sure() if connected and function_of(evidence) not in DIALS else at(made[0])


@cause(CAUSES, "prec", text="The descriptor in use is 0 or 1, not the one that socket() returned. In `fd = socket(…) < 0` the "
       "comparison comes first, and fd gets its answer: put the assignment in brackets, or in a line of its own.")
def prec(evidence: Evidence) -> Sure | None:
    made = [call for call in own_calls(evidence, "socket") if (call.result or 0) > 1]
    good = {call.result for call in own_calls(evidence, "socket")}
    wrong = [call for call in own_calls(evidence, "connect", "bind", "listen") if call.fd in (0, 1) and call.fd not in good]
    return at(made[0]) if made and wrong else None


# ---- the address ------------------------------------------------------------------------------------

@cause(CAUSES, "no-family", *DIALERS, text="The address has no family: sin_family is 0. connect() then returns 0 "
       "without connecting. Set it to AF_INET.")
def no_family(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "connect") if call.family == AF_UNSPEC), None)


@cause(CAUSES, "wrong-family", *DIALERS, text="sin_family isn't AF_INET: something else stands in the first two bytes of the "
       "address. They are in your machine's order, without htons(), and inet_pton() fills only sin_addr.")
def wrong_family(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "connect")
                 if call.family is not None and call.family not in (AF_UNSPEC, AF_INET, AF_INET6)), None)


@cause(CAUSES, "addr-size", text="connect() and bind() want the size of the whole address, sizeof the struct itself. The size of "
       "a pointer to it is 8.")
def addr_size(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _uses(evidence)
                 if call.args[2] < ADDRESS_SIZE and failed(call) and call.errno == errno.EINVAL), None)


@cause(CAUSES, "no-htons", *DIALERS, text="The port's two bytes are the wrong way round: sin_port is in network byte "
       "order, so it wants htons(port).")
def no_htons(evidence: Evidence) -> Sure | None:
    ports = _ports(evidence)
    return next((at(call) for call in _connects(evidence)
                 if port_of(call.address) in [swapped(port) for port in ports] and port_of(call.address) not in ports), None)


@cause(CAUSES, "wrong-port", *DIALERS, text="The port that was dialled isn't the one that was given: it is the program's own, or "
       "was never filled in, or lost its bytes in htonl() (a port has two: htons).")
def wrong_port(evidence: Evidence) -> Sure | None:
    ports = _ports(evidence)
    return next((at(call) for call in _connects(evidence)
                 if ports and port_of(call.address) not in (*ports, *map(swapped, ports))), None)


@cause(CAUSES, "inet-addr-host", *DIALERS, text="inet_addr() answers text that is no address with 255.255.255.255, which "
       "is then dialled like any other. inet_pton() tells the two apart.")
def inet_addr_host(evidence: Evidence) -> Sure | None:
    dialled = any(host_of(call.address) == "255.255.255.255" for call in _connects(evidence))
    return next((at(call) for call in own_calls(evidence, "inet_addr")
                 if dialled and (call.result or 0) & NO_ADDRESS == NO_ADDRESS), None)


@cause(CAUSES, "names-too", *DIALERS, text="A name was looked up and dialled. The contract takes an address in figures and dots; "
       "anything else is EINVAL here, and nobody is dialled.")
def names_too(evidence: Evidence) -> Sure | None:
    texts = _texts(evidence)
    if not texts or _is_address(texts[0]):
        return None
    reached = [call for call in _connects(evidence) if host_of(call.address) not in ("0.0.0.0", "255.255.255.255")]
    lookups = [call for call in own_calls(evidence, "getaddrinfo") if call.result == 0]
    if not reached or not (lookups or texts[0] == "localhost"):
        return None
    return at(lookups[0]) if lookups else at(reached[0])


@cause(CAUSES, "aton-lenient", text="inet_aton() takes more than an address: \"127.1\", octal and hex, and any text after "
       "a blank. inet_pton() takes four numbers and three dots, and nothing else.")
def aton_lenient(evidence: Evidence) -> Sure | None:
    texts = _texts(evidence)
    return next((at(call) for call in own_calls(evidence, "inet_aton", "inet_addr") if call.result not in (0, -1, NO_ADDRESS)
                 and texts and not _is_address(texts[0]) and after(call, _uses(evidence))), None)


@cause(CAUSES, "pton-neg", text="inet_pton() answers text that is no address with 0, not with -1. Only 1 means that the "
       "address was filled in.")
def pton_neg(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "inet_pton", "inet_aton")
                 if call.result == 0 and call.ended is not None and after(call, _uses(evidence))), None)


@cause(CAUSES, "bad-text-dialled", *DIALERS, text="The text is no address, and somebody was dialled all the same. Whatever makes an "
       "address of it has a way to say no, or must be given one.")
def bad_text_dialled(evidence: Evidence) -> Sure | None:
    texts, dials = _texts(evidence), _connects(evidence)
    return at(dials[0]) if texts and not _is_address(texts[0]) and dials else None


@cause(CAUSES, "no-htonl", text="The four bytes of the IP address are the wrong way round. An address that you have as a number "
       "is in your machine's order: htonl() makes the network's of it. inet_pton() has done it already.")
def no_htonl(evidence: Evidence) -> Sure | None:
    texts = _texts(evidence)
    turned = [".".join(reversed(text.split("."))) for text in texts if _is_address(text)]
    return next((at(call) for call in _uses(evidence)
                 if host_of(call.address) in turned and host_of(call.address) not in texts), None)


@cause(CAUSES, "wrong-address", *DIALERS, text="The address that was dialled isn't the one that was given: it is the program's own, "
       "or was never filled in (0.0.0.0).")
def wrong_address(evidence: Evidence) -> Sure | None:
    texts, hosts = _texts(evidence), {port: [host] for host, port in _asked(evidence)}
    if not texts or not all(map(_is_address, texts)):
        return None
    return next((at(call) for call in _connects(evidence)
                 if host_of(call.address) not in hosts.get(port_of(call.address) or 0, texts)), None)


@cause(CAUSES, "client-binds", *DIALERS, text="The client tried to take the server's port for itself, with bind(). That one is taken: "
       "a client needs no port of its own choice, the kernel gives it one.")
def client_binds(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "bind") if failed(call) and port_of(call.address)), None)


# ---- what connect() said, and what is returned ------------------------------------------------------

@cause(CAUSES, "conn-unchecked", *DIALERS, text="connect() failed, and the program went on as if it had not. Look at what "
       "comes back, from connect() and from your own client_connect().")
def conn_unchecked(evidence: Evidence) -> Sure | None:
    dials = own_calls(evidence, "connect")
    last = dials[-1] if dials else None
    if last is None or not failed(last) or last.errno in UNDER_WAY:
        return None
    sent = [send for send in after(last, own_calls(evidence, *SENDS)) if send.fd in (last.fd, -1)]
    kept = function_of(evidence) in DIALS and returned(evidence) == last.fd
    return at(last) if sent or kept else None


@cause(CAUSES, "not-the-descriptor", *DIALERS, text="The connection was made, and another number was returned. The caller needs "
       "the descriptor itself: what socket() gave and connect() connected.")
def not_the_descriptor(evidence: Evidence) -> Sure | None:
    made = [call for call in own_calls(evidence, "connect") if call.result == 0]
    result = returned(evidence)
    if function_of(evidence) not in DIALS or not made or result is None or result < 0:
        return None
    copies = {call.result for call in own_calls(evidence, "dup", "dup2", "dup3", "fcntl")}
    return at(made[-1]) if result not in copies | {call.fd for call in made} else None


@cause(CAUSES, "closed-too-soon", *DIALERS, text="The connection was closed before it was returned. The caller gets a number that "
       "is nobody's: who closes is in the contract.")
def closed_too_soon(evidence: Evidence) -> Sure | None:
    report = last_report(evidence)
    if function_of(evidence) not in DIALS or report is None or report[0] < 0:
        return None
    made = own_calls(evidence, "connect")
    closes = [call for call in own_calls(evidence, "close") if call.fd == report[0]]
    return at(closes[-1]) if made and closes and closes[-1].index > made[-1].index else None


@cause(CAUSES, "old-connection", "lab1", text="A later call used what an earlier one had left behind, its connection or its "
       "address. Each call is a conversation of its own, with the server that it is given.")
def old_connection(evidence: Evidence) -> Sure | None:
    run, asked = evidence.run, _asked(evidence)
    if run is None or run.function != "client_send" or len(run.reported) < 2 or run.total_calls > len(run.calls):
        return None
    made = own_calls(evidence, "connect")
    if len(asked) == 2 and len(made) == 2 and made[1].address == f"{asked[0][0]}:{asked[0][1]}":
        return at(made[1])
    sent = [call for call in after(made[-1], own_sends(evidence)) if call.fd == made[-1].fd] if made else []
    stale = len(made) < len(run.reported) and not any(failed(call) for call in own_calls(evidence, "socket"))
    return at(sent[-1]) if stale and len(sent) >= 2 else None


@cause(CAUSES, "nobody-dialled", "lab1", text="0 was returned, and nobody had been dialled. A message of no bytes is a conversation "
       "too: the peer sees a connection, and its end.")
def nobody_dialled(evidence: Evidence) -> Sure | None:
    good = returned(evidence) == 0 and function_of(evidence) == "client_send"
    return Sure() if good and not own_calls(evidence, "socket", "connect") else None
