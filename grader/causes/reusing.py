"""Mistakes of lab 4: who ends first, the option that a listener needs and when, and what holds a port."""

from __future__ import annotations

import errno
import signal

from ..evidence import Call, Evidence, RunSeen
from ..faults import GROUPS
from .base import (
    RECVS, Cause, Sure, after, all_own, at, cause, failed, function_of, is_own, own_calls, own_recvs, returned,
)  # fmt: skip
from .talks import number

CAUSES: list[Cause] = []
LAB = "lab4"
SOL_SOCKET, SO_REUSEADDR, SO_ERROR, SO_REUSEPORT = 1, 2, 4, 15
SHUT_RD, SHUT_WR = 0, 1
INT_SIZE = 4
FREE, TIME_WAIT, CONNECTED, LISTENING = range(4)        # enum port_state
MEANING = {"LISTEN": LISTENING, "ESTABLISHED": CONNECTED, "CLOSE_WAIT": CONNECTED, "FIN_WAIT2": CONNECTED,
           "FIN_WAIT1": CONNECTED, "CLOSING": CONNECTED, "LAST_ACK": CONNECTED, "SYN_SENT": CONNECTED,
           "TIME_WAIT": TIME_WAIT}
HALF = {"CLOSE_WAIT", "FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK"}


# ---- close_first() and close_last() -----------------------------------------------------------------

def _closes(evidence: Evidence) -> str:
    """ "close_first", "close_last", or "" where neither was judged."""
    function = function_of(evidence) or ""
    return function if function in ("close_first", "close_last") else ""


def _last_words(evidence: Evidence) -> list[Call]:
    """The calls that tell the peer that no more will come."""
    return [call for call in own_calls(evidence, "shutdown", "close")
            if call.name == "close" or call.args[1] != SHUT_RD]


def _end(evidence: Evidence) -> int:
    """Where the peer's end was seen: the index of the first recv() that gave 0."""
    return next((call.index for call in own_recvs(evidence) if call.result == 0 and call.size), 2**62)


@cause(CAUSES, "left-open", LAB, text="The function returned, and the connection is still open. It closes it in every case, also where "
       "a call has failed: the caller doesn't.")
def left_open(evidence: Evidence) -> Sure | None:
    if not _closes(evidence) or returned(evidence) is None or number(evidence, "connection_open") != 1:
        return None
    fails = [call for call in all_own(evidence) if failed(call) and call.errno != errno.EINTR]
    return at(fails[-1]) if fails else Sure()


@cause(CAUSES, "shuts-its-ears", LAB, text="shutdown() ended the other direction too, or that one alone. Whoever shuts his own ears can't "
       "wait for the peer's last word: recv() gives 0 at once, and what still comes is answered with a reset.")
def shuts_its_ears(evidence: Evidence) -> Sure | None:
    if not _closes(evidence):
        return None
    end = min((call.index for call in own_recvs(evidence)), default=2**62)
    return next((at(call) for call in own_calls(evidence, "shutdown")
                 if call.args[1] != SHUT_WR and not failed(call) and call.index < end), None)


@cause(CAUSES, "never-says-it", LAB, text="The function waits for the peer's end and never says that its own side has finished. The peer "
       "waits as well: somebody must be first, and here it is you.")
def never_says_it(evidence: Evidence) -> Sure | None:
    run = evidence.run
    stuck = run is not None and run.trouble is not None and run.trouble.kind == "stuck"
    if function_of(evidence) != "close_first" or not stuck or run is None or run.reported or _last_words(evidence):
        return None
    waits = own_calls(evidence, *RECVS, *GROUPS["poll"])
    return at(waits[-1]) if waits and waits[-1].ended is None else None


@cause(CAUSES, "hangs-up", LAB, text="The connection was closed without listening for the peer's last words. What it still says meets a "
       "closed connection, and is answered with a reset.")
def hangs_up(evidence: Evidence) -> Sure | None:
    closes = own_calls(evidence, "close")
    hung_up = function_of(evidence) == "close_first" and closes and not own_calls(evidence, *RECVS)
    others = own_calls(evidence, "setsockopt", "poll", "select", "epoll_wait")
    fails = [call for call in own_calls(evidence, "shutdown") if failed(call)]
    return at(closes[0]) if hung_up and not others and not fails and not closes[0].faulted else None


@cause(CAUSES, "time-limit", LAB, "lab5", text="The peer said nothing for a while, a time limit ran out (recv() gives EAGAIN then, poll() 0), and that "
       "was taken for the end. A peer may be silent for as long as it likes: the end is 0.")
def time_limit(evidence: Evidence) -> Sure | None:
    for call in own_recvs(evidence):
        if failed(call) and call.errno == errno.EAGAIN and call.faulted is not None and "time limit" in call.faulted:
            rest = after(call, own_calls(evidence, "close", *RECVS))
            following = next((other for other in rest if other.fd == call.fd), None)
            if following is not None and following.name == "close":
                return at(call)
    for call in own_calls(evidence, *GROUPS["poll"]):
        if call.result == 0 and call.faulted is not None and "time limit" in call.faulted:
            rest = [other for other in after(call, own_calls(evidence, "close", *GROUPS["poll"], *RECVS)) if other.thread == call.thread]
            if rest and rest[0].name == "close":
                return at(call)
    return None


@cause(CAUSES, "takes-what-is-there", LAB, text="recv() was told not to wait, and \"nothing yet\" (EAGAIN) was taken for the end. The end "
       "is a 0, and it comes when the peer says so.")
def takes_what_is_there(evidence: Evidence) -> Sure | None:
    recvs = own_recvs(evidence)
    last = recvs[-1] if recvs and _closes(evidence) else None
    gave_up = last is not None and failed(last) and last.errno == errno.EAGAIN and bool(after(last, _last_words(evidence)))
    return at(recvs[-1]) if gave_up and returned(evidence) != -1 else None


@cause(CAUSES, "drains-too-little", LAB, text="recv() gave some bytes, and that was taken for all. The peer may go on: it has finished when "
       "recv() gives 0, however many came before.")
def drains_too_little(evidence: Evidence) -> Sure | None:
    recvs = own_recvs(evidence)
    closes = after(recvs[-1], own_calls(evidence, "close")) if recvs and _closes(evidence) else []
    return at(recvs[-1]) if closes and (recvs[-1].result or 0) > 0 else None


def _peer_ended(evidence: Evidence, call: Call) -> bool:
    """Whether the peer had ended its side before that call began."""
    return any(event.kind in ("half_close", "closed") and event.time < call.began
               for peer in evidence.peers for event in peer.events)


@cause(CAUSES, "unread-left", LAB, text="The peer had ended its side, and the bytes before its end were never taken. A close() with bytes "
       "unread is a reset, and what the peer has yet to read of yours is lost with it: recv() until it gives 0.")
def unread_left(evidence: Evidence) -> Sure | None:
    closes = [call for call in own_calls(evidence, "close") if not failed(call)]
    peer = evidence.peer
    lost = bool(closes) and peer is not None and bool(peer.sent) and peer.ending == "reset" and _peer_ended(evidence, closes[0])
    polled = own_calls(evidence, *GROUPS["poll"])
    return at(closes[0]) if _closes(evidence) and lost and polled and not own_recvs(evidence) else None


@cause(CAUSES, "ends-first", LAB, text="close_last() ended its side before the peer had ended its own. Who says first that no more will "
       "come has the TIME_WAIT: wait for the peer's 0.")
def ends_first(evidence: Evidence) -> Sure | None:
    words = _last_words(evidence)
    early = (function_of(evidence) == "close_last" and words and words[0].index < _end(evidence)
             and not _peer_ended(evidence, words[0]))
    return at(words[0]) if early and not any(failed(call) for call in (*own_recvs(evidence), words[0])) else None


@cause(CAUSES, "shutdown-unchecked", LAB, text="shutdown() failed, because the peer had reset the connection, and the function said that "
       "all was well. It returns -1, with that errno.")
def shutdown_unchecked(evidence: Evidence) -> Sure | None:
    fails = [call for call in own_calls(evidence, "shutdown") if failed(call)]
    return at(fails[-1]) if fails and _closes(evidence) and returned(evidence) == 0 else None


# ---- the option -------------------------------------------------------------------------------------

def _wanted(evidence: Evidence) -> bool | None:
    """The reuse that reuse_listen() was called with; None where it wasn't, or with either in turn."""
    run = evidence.run
    asked = run is not None and run.function == "reuse_listen" and len(run.args) > 3 and run.args[3] in ("on", "off")
    return run.args[3] == "on" if asked and run is not None else None


def _sets(evidence: Evidence, option: int, run: RunSeen | None = None) -> list[Call]:
    """Each setsockopt() of that option, of the run that the failure is about unless told."""
    calls = own_calls(evidence, "setsockopt") if run is None else [
        call for call in run.named("setsockopt") if is_own(evidence, call)]
    return [call for call in calls if call.args[1:3] == (SOL_SOCKET, option)]


def _is_on(call: Call) -> bool:
    """It went well and turned the option on."""
    return call.result == 0 and any(call.data[:INT_SIZE])


def _refused(evidence: Evidence) -> Call | None:
    """The bind() that said that the port is busy, though it should have had it; None where it wasn't so."""
    binds = [call for call in own_calls(evidence, "bind") if call.errno == errno.EADDRINUSE and not call.faulted]
    return binds[-1] if binds and _wanted(evidence) and evidence.failure.kind in ("said", "wait") else None


@cause(CAUSES, "option-level", LAB, text="The option was looked for at the wrong level, where the same number is another option. SO_REUSEADDR "
       "belongs to SOL_SOCKET, as every SO_… does.")
def option_level(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in own_calls(evidence, "setsockopt", "getsockopt")
                 if call.args[1] != SOL_SOCKET and call.args[2] == SO_REUSEADDR), None)


@cause(CAUSES, "option-size", LAB, text="setsockopt() was given a size that is no int's (EINVAL): SO_REUSEADDR takes an int, and its size "
       "is sizeof that int. A bool or a char is too small.")
def option_size(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _sets(evidence, SO_REUSEADDR)
                 if failed(call) and call.errno == errno.EINVAL and not call.faulted), None)


@cause(CAUSES, "option-pointer", LAB, text="setsockopt() wants to be told where the value is, not the value itself (EFAULT): a pointer to an "
       "int that holds 1.")
def option_pointer(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _sets(evidence, SO_REUSEADDR)
                 if failed(call) and call.errno == errno.EFAULT and not call.faulted), None)


@cause(CAUSES, "setsockopt-unchecked", LAB, text="setsockopt() failed, and the function went on as if it had not. Look at what it "
       "returns: the caller asked for the option, and hasn't got it.")
def setsockopt_unchecked(evidence: Evidence) -> Sure | None:
    if _wanted(evidence) is None:
        return None
    uses = own_calls(evidence, "bind", "listen", "close")
    return next((at(call) for call in _sets(evidence, SO_REUSEADDR) if failed(call)
                 and next((use.name for use in after(call, uses) if use.fd == call.fd), "close") != "close"), None)


@cause(CAUSES, "reuseport-instead", LAB, text="SO_REUSEPORT was set where SO_REUSEADDR was meant. It is another option: it shares a port "
       "among listeners, and doesn't get past the TIME_WAIT of a server that had SO_REUSEADDR.")
def reuseport_instead(evidence: Evidence) -> Sure | None:
    sets = _sets(evidence, SO_REUSEPORT)
    return at(sets[0]) if sets and _wanted(evidence) and not _sets(evidence, SO_REUSEADDR) else None


@cause(CAUSES, "reuseport-too", LAB, text="SO_REUSEPORT was set as well. With it a second server gets in at a port where one listens, and "
       "takes half its clients: nobody asked for that.")
def reuseport_too(evidence: Evidence) -> Sure | None:
    sets = [call for call in _sets(evidence, SO_REUSEPORT) if _is_on(call)]
    let_in = evidence.failure.kind == "said" and evidence.stage == "purpose" and (returned(evidence) or 0) >= 0
    return at(sets[-1]) if sets and let_in and _wanted(evidence) is not None else None


@cause(CAUSES, "reuseaddr-off", LAB, text="The option was set to 0, which is off. The int that the pointer leads to must hold 1.")
def reuseaddr_off(evidence: Evidence) -> Sure | None:
    busy = _refused(evidence)
    return next((at(call) for call in _sets(evidence, SO_REUSEADDR)
                 if busy and call.result == 0 and call.fd == busy.fd and not any(call.data[:INT_SIZE])), None)


@cause(CAUSES, "reuseaddr-late", LAB, text="The option was set after bind(). bind() looks at it and never again: getsockopt() says 1 "
       "afterwards, and the port was refused all the same.")
def reuseaddr_late(evidence: Evidence) -> Sure | None:
    busy = _refused(evidence)
    if busy is None or any(call.fd == busy.fd and call.index < busy.index for call in _sets(evidence, SO_REUSEADDR)):
        return None
    for run in evidence.runs:
        binds = [call for call in run.named("bind") if is_own(evidence, call)]
        for call in _sets(evidence, SO_REUSEADDR, run):
            if any(bind.fd == call.fd for bind in binds) and not after(call, binds):
                return at(call)
    return None


@cause(CAUSES, "reuseaddr-elsewhere", LAB, text="The option was set on another socket than the one that is bound. It belongs to a single "
       "socket: set it on the listener.")
def reuseaddr_elsewhere(evidence: Evidence) -> Sure | None:
    busy, sets = _refused(evidence), _sets(evidence, SO_REUSEADDR)
    return at(sets[-1]) if busy and sets and all(call.fd != busy.fd for call in sets) else None


@cause(CAUSES, "waits-it-out", LAB, text="bind() said that the port is busy, and was called again until it isn't. That takes a minute, or "
       "for ever: the caller is told at once, -1 with EADDRINUSE.")
def waits_it_out(evidence: Evidence) -> Sure | None:
    run = evidence.run
    binds = [call for call in own_calls(evidence, "bind") if failed(call) and call.errno == errno.EADDRINUSE]
    again = [call for call, following in zip(binds, binds[1:])
             if (call.fd, call.address) == (following.fd, following.address)]
    waits = run is not None and run.trouble is not None and run.trouble.kind in ("idle", "busy")
    return at(again[0]) if again and waits else None


@cause(CAUSES, "no-reuseaddr", LAB, text="bind() was called on a socket without SO_REUSEADDR, and so TIME_WAIT is in its way. bind() looks at "
       "the option then and there: set it on the listener, before bind().")
def no_reuseaddr(evidence: Evidence) -> Sure | None:
    busy = _refused(evidence)
    past = [held for held in evidence.held if held.state in ("LISTEN",)]
    sets = [*_sets(evidence, SO_REUSEADDR), *_sets(evidence, SO_REUSEPORT)]
    ours = evidence.held and not past and evidence.stage == "restarting"
    return at(busy) if busy and ours and not sets else None


@cause(CAUSES, "reuse-ignored", LAB, text="The option was set although reuse is false. The caller says whether it wants it: a port that is "
       "refused is a protection too.")
def reuse_ignored(evidence: Evidence) -> Sure | None:
    sets = [call for call in _sets(evidence, SO_REUSEADDR) if _is_on(call)]
    return at(sets[0]) if sets and _wanted(evidence) is False and evidence.failure.kind == "said" else None


# ---- reuse_enabled() --------------------------------------------------------------------------------

def _asks(evidence: Evidence) -> list[Call]:
    """Each getsockopt() of reuse_enabled()."""
    return own_calls(evidence, "getsockopt") if function_of(evidence) == "reuse_enabled" else []


def _kind(evidence: Evidence) -> str:
    """What kind of socket reuse_enabled() was asked about."""
    return evidence.run.args[0] if evidence.run is not None and evidence.run.args else ""


@cause(CAUSES, "sets-to-see", LAB, text="To find out whether the option is on, it was turned on. A question leaves the socket as it is: that "
       "is getsockopt().")
def sets_to_see(evidence: Evidence) -> Sure | None:
    sets = own_calls(evidence, "setsockopt")
    return at(sets[0]) if sets and function_of(evidence) == "reuse_enabled" else None


@cause(CAUSES, "clears-error", LAB, text="The kernel was asked for SO_ERROR, and forgets an error once it has told it: who asks next hears "
       "that all is well. The question here is SO_REUSEADDR alone.")
def clears_error(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _asks(evidence) if call.args[1:3] == (SOL_SOCKET, SO_ERROR) and call.result == 0), None)


@cause(CAUSES, "never-asks", LAB, text="The answer was given without asking the kernel. What a socket's options are only getsockopt() knows.")
def never_asks(evidence: Evidence) -> Sure | None:
    silent = function_of(evidence) == "reuse_enabled" and not all_own(evidence)
    return Sure() if silent and returned(evidence) in (0, 1) else None


@cause(CAUSES, "getsockopt-size", LAB, text="getsockopt() wasn't told how much room there is. Its last argument points to a length that goes "
       "in as well as out: with 0 in it nothing is stored.")
def getsockopt_size(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _asks(evidence) if call.size == 0
                 or (failed(call) and call.errno == errno.EINVAL and not call.faulted)), None)


@cause(CAUSES, "asks-reuseport", LAB, text="The kernel was asked for SO_REUSEPORT. The two options know nothing of each other: the question is "
       "SO_REUSEADDR.")
def asks_reuseport(evidence: Evidence) -> Sure | None:
    return next((at(call) for call in _asks(evidence) if call.args[1:3] == (SOL_SOCKET, SO_REUSEPORT)), None)


@cause(CAUSES, "result-for-value", LAB, text="What getsockopt() returned was taken for the option's value. It returns 0 when it could answer; "
       "the answer is in the int that you pointed to.")
def result_for_value(evidence: Evidence) -> Sure | None:
    asks = _asks(evidence)
    good = asks and asks[-1].result == 0 and asks[-1].args[2] == SO_REUSEADDR
    return at(asks[-1]) if good and returned(evidence) == 0 and _kind(evidence) == "reuse" else None


@cause(CAUSES, "getsockopt-unchecked", LAB, text="getsockopt() failed, and an answer was given all the same. No socket, no answer: -1, with errno "
       "as getsockopt() set it.")
def getsockopt_unchecked(evidence: Evidence) -> Sure | None:
    asks = _asks(evidence)
    return at(asks[-1]) if asks and failed(asks[-1]) and returned(evidence) in (0, 1) else None


# ---- port_state() -----------------------------------------------------------------------------------

def _states_of(evidence: Evidence, port: int) -> list[str]:
    return [held.state for held in evidence.held if held.port == port]


def _asked(evidence: Evidence) -> tuple[int, int | None] | None:
    """The port that port_state() was called with last, and its result; of several ports the first with a wrong one."""
    run = evidence.run
    if run is None or run.function != "port_state":
        return None
    ports = [int(word) for word in run.args if word.isdigit()]
    if len(ports) > 1:
        return next(((port, result) for port, (result, _) in zip(ports, run.reported)
                     if result != max((MEANING.get(state, FREE) for state in _states_of(evidence, port)), default=FREE)), None)
    return (ports[0], returned(evidence)) if ports else None


def _asked_port(evidence: Evidence) -> int | None:
    """The port that port_state() was called with."""
    asked = _asked(evidence)
    return asked[0] if asked is not None else None


def _states(evidence: Evidence) -> list[str]:
    """How the grader held that port."""
    asked = _asked(evidence)
    return _states_of(evidence, asked[0]) if asked is not None else []


def _answer(evidence: Evidence) -> int:
    """What port_state() returned, of the four that mean something; else -1."""
    asked = _asked(evidence)
    result = asked[1] if asked is not None and evidence.failure.kind == "said" else None
    return result if result is not None and result in range(4) else -1


def _knows_connections(evidence: Evidence) -> bool:
    """Whether it had called another port, with ESTABLISHED, rightly held by a connection."""
    run = evidence.run
    return len(evidence.runs) > 1 or (run is not None and len(run.args) > 1 and run.reported[:1] == ((CONNECTED, 0),))


@cause(CAUSES, "binds-to-see", LAB, text="The port was tried with bind() in place of a look at the table. bind() says whether it is busy and not "
       "why; and while you try, nobody else can have it.")
def binds_to_see(evidence: Evidence) -> Sure | None:
    binds = own_calls(evidence, "bind")
    return at(binds[0]) if binds and _answer(evidence) != -1 else None


@cause(CAUSES, "remote-port", LAB, text="An entry was counted because its other end has that port. Each connection has two: a socket holds the "
       "port of its own end, local_port.")
def remote_port(evidence: Evidence) -> Sure | None:
    others = _states(evidence)
    return Sure() if others and not any(others) and _answer(evidence) in (TIME_WAIT, CONNECTED) else None


@cause(CAUSES, "every-entry", LAB, text="Sockets of other ports were counted. The table has all that there are: look at local_port first.")
def every_entry(evidence: Evidence) -> Sure | None:
    others = {MEANING.get(held.state) for held in evidence.held}
    foreign = evidence.held and not _states(evidence) and _answer(evidence) != FREE
    return Sure() if foreign and _answer(evidence) in others else None


@cause(CAUSES, "half-forgotten", LAB, text="A connection that one side has ended is still a connection: CLOSE_WAIT, FIN_WAIT2 and the rest hold "
       "the port as ESTABLISHED does. Only TIME_WAIT and LISTEN are something else.")
def half_forgotten(evidence: Evidence) -> Sure | None:
    states = _states(evidence)
    half = bool(states) and set(states) <= HALF and _knows_connections(evidence)
    return Sure() if half and _answer(evidence) in (FREE, TIME_WAIT) else None


@cause(CAUSES, "not-the-hardest", LAB, text="Several sockets hold the port, and the answer is that of one which is easier to get past. A listener "
       "counts before a connection, and that before TIME_WAIT, wherever in the table they stand.")
def not_the_hardest(evidence: Evidence) -> Sure | None:
    means = {MEANING[state] for state in _states(evidence) if state}
    return Sure() if len(means) > 1 and _answer(evidence) in means else None


@cause(CAUSES, "state-misread", LAB, text="One socket holds the port, and its state was taken for another. LISTEN is a listener, TIME_WAIT is no "
       "program's any more, and all the rest are connections.")
def state_misread(evidence: Evidence) -> Sure | None:
    states = _states(evidence)
    return Sure() if len(states) == 1 and _answer(evidence) in (TIME_WAIT, CONNECTED, LISTENING) else None


@cause(CAUSES, "null-table", LAB, text="read_table() couldn't read the table and returned NULL, and NULL was used as if it were the table. Ask for "
       "it first: PORT_UNKNOWN, with errno as it is.")
def null_table(evidence: Evidence) -> Sure | None:
    run = evidence.run
    crashed = run is not None and run.signal == signal.SIGSEGV and _asked_port(evidence) is not None
    return Sure() if crashed and run is not None and "--full" in run.args else None


@cause(CAUSES, "no-table-is-free", LAB, text="The table couldn't be read, and the port was called free. Nobody knows: that is PORT_UNKNOWN, with errno "
       "as read_table() left it.")
def no_table_is_free(evidence: Evidence) -> Sure | None:
    run = evidence.run
    return Sure() if run is not None and "--full" in run.args and returned(evidence) == FREE else None
