"""Mistakes of a server with threads: how a thread begins and ends, and what belongs to one client alone."""

from __future__ import annotations

import errno
import signal
from collections import Counter

from ..evidence import Call, Evidence
from ..faults import ALLOCATING as MEMORY
from .accepting import ONE_CLIENTS_TROUBLE, SHORTAGE
from .base import (
    ACCEPTS, RECVS, SENDS, Cause, Sure, after, all_own, at, cause, failed, last_report, own_calls, own_recvs, own_sends,
    port_of, swapped,
)  # fmt: skip
from .talks import Talk, accepted, accepts, talks

CAUSES: list[Cause] = []
LAB = "lab5"
ARGUMENT, ATTRIBUTES = 3, 1         # pthread_create()'s
BUFFER = 1                          # recv()'s
MANY = 20                           # threads or descriptors that one client after another leaves
ENOUGH = 3
PAUSE_NS = 9_000_000
WAITS = ("poll", "ppoll", "select", "pselect", "epoll_wait")


# ---- who does what ----------------------------------------------------------------------------------

def _stuck(evidence: Evidence) -> bool:
    run = evidence.run
    return run is not None and run.trouble is not None and run.trouble.kind == "stuck"


def _main_thread(evidence: Evidence) -> int | None:
    """The thread that the probe or main() began with."""
    run = evidence.run
    return run.calls[0].thread if run is not None and run.calls else None


def _acceptors(evidence: Evidence) -> set[int]:
    return {call.thread for call in accepts(evidence)}


def _creates(evidence: Evidence) -> list[Call]:
    """The threads that were made for clients: by whoever accepts."""
    return [call for call in own_calls(evidence, "pthread_create") if call.thread in _acceptors(evidence)]


def _open(calls: list[Call]) -> list[Call]:
    """Those that have not returned."""
    return [call for call in calls if call.ended is None]


def _started(evidence: Evidence) -> bool:
    run = evidence.run
    return run is not None and (not run.function or bool(run.reported))


def _stopping(evidence: Evidence) -> bool:
    """server_stop() was called, or may have been: the main thread works again after server_start()."""
    run = evidence.run
    return run is not None and run.function == "server_stop" and len(run.reported) == 1


def _served(evidence: Evidence) -> list[Talk]:
    return [talk for talk in talks(evidence) if talk.accepted is not None]


def _broke(talk: Talk) -> bool:
    return any(failed(call) and call.errno not in (errno.EINTR, errno.EAGAIN, errno.EBADF)
               for call in (*talk.recvs, *talk.sends))


def _ended(talk: Talk) -> bool:
    return any(call.result == 0 for call in talk.recvs) or _broke(talk)


# ---- a thread for each client -----------------------------------------------------------------------

@cause(CAUSES, "exit-in-thread", LAB, text="The whole program ended in the middle of its work: exit() in any thread ends all of them. A "
       "thread that is done returns from its function, and only that one ends.")
def exit_in_thread(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or run.status is None or not _started(evidence) or evidence.failure.kind not in ("wait", "peer", "received"):
        return None
    finished = run.function == "server_stop" and (len(run.reported) != 1 or _begun_to_stop(evidence))
    last = [call for call in all_own(evidence) if call.ended is not None][-1:]
    return Sure(last[0].where if last else None) if not finished and not (run.function == "" and run.status == 0) else None


@cause(CAUSES, "exits", LAB, text="The function ended the whole program: exit() was called in it. It returns 0, or -1 with errno, and what "
       "becomes of the program is for its caller to say.")
def exits(evidence: Evidence) -> Sure | None:
    run = evidence.run
    early = run is not None and run.function == "server_stop" and run.status is not None and len(run.reported) == 1
    return Sure() if early and _begun_to_stop(evidence) else None


def _begun_to_stop(evidence: Evidence) -> bool:
    """The main thread has made calls of its own since the acceptor was made."""
    mine = [call for call in all_own(evidence) if call.thread == _main_thread(evidence)]
    made = [call for call in mine if call.name == "pthread_create"]
    return bool(made) and bool(after(made[-1], mine))


@cause(CAUSES, "signals-unblocked", LAB, text="SIGINT or SIGTERM killed the program, though main() holds them back: its signal mask was "
       "changed. It is the caller's, and new threads inherit it; leave it as it was.")
def signals_unblocked(evidence: Evidence) -> Sure | None:
    run = evidence.run
    return Sure() if run is not None and not run.function and run.signal in (2, 15) else None


@cause(CAUSES, "start-blocks", LAB, text="server_start() doesn't come back: it accepts, or waits for a thread, by itself. It begins and "
       "returns; whoever called it has other things to do, such as waiting for Ctrl-C.")
def start_blocks(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or not run.function or run.reported or not run.running:
        return None
    mine = [call for call in own_calls(evidence, "accept", "accept4", "pthread_join", *WAITS, *RECVS)
            if call.thread == _main_thread(evidence) and call.ended is None]
    return at(mine[0]) if mine else None


@cause(CAUSES, "join-loop", LAB, text="The thread that accepts waits for a client's thread to end: pthread_join() makes two threads one "
       "after the other. Meanwhile nobody is accepted.")
def join_loop(evidence: Evidence) -> Sure | None:
    waiting = _open(own_calls(evidence, "pthread_join"))
    return next((at(call) for call in waiting if call.thread in _acceptors(evidence) and not _stopping(evidence)), None)


@cause(CAUSES, "iterative", LAB, text="The thread that accepts also talks with a client, and while it waits for that one nobody else is "
       "accepted. Give each client a thread, and let the acceptor only accept.")
def iterative(evidence: Evidence) -> Sure | None:
    if not _stuck(evidence) or own_calls(evidence, *WAITS):
        return None
    return next((at(call) for call in _open([*own_recvs(evidence), *own_sends(evidence)])
                 if call.thread in _acceptors(evidence) and not call.faulted), None)


@cause(CAUSES, "pool-full", LAB, text="So many clients are served and no more: the next one waits until somebody leaves, and silent ones "
       "don't leave. A limit of threads is a limit of clients; let it grow.")
def pool_full(evidence: Evidence) -> Sure | None:
    good, made = accepted(evidence), _creates(evidence)
    waiting = _open(accepts(evidence)) or _open(own_calls(evidence, *WAITS))
    busy = [talk for talk in _served(evidence) if talk.closed is None]
    full = _stuck(evidence) and evidence.stage == "hundreds" and len(busy) >= MANY and len(made) >= MANY
    return at(good[-1]) if full and good and not waiting else None


def _unseen(evidence: Evidence) -> int:
    """How many threads are in no recorded call: they wait for a lock or the like, where nothing runs."""
    run = evidence.run
    return 0 if run is None else run.threads - len({call.thread for call in run.calls if call.ended is None})


@cause(CAUSES, "lock-held", LAB, text="A thread waits for a lock that isn't given back: whoever has it sleeps in recv() or send(), or went "
       "out another way and forgot. A lock is held for some instructions, never around a call that may wait, and each way out "
       "gives it back.")
def lock_held(evidence: Evidence) -> Sure | None:
    if not _stuck(evidence) or _stopping(evidence) or _unseen(evidence) < 1 or _shares_argument(evidence):
        return None
    last: dict[int, Call] = {}
    for call in all_own(evidence):
        last[call.thread] = call
    doors = _acceptors(evidence)
    halted = [call for call in last.values() if call.ended is not None and not failed(call) and (
        call.name in ACCEPTS if call.thread in doors else call.name in RECVS and (call.result or 0) > 0)]
    workers = [call for call in last.values() if call.thread not in doors and call.thread != _main_thread(evidence)]
    silent = sum(call.result == 0 for call in _creates(evidence)) - len(workers)
    holders = [call for call in workers if call.ended is None and call.name in (*RECVS, *SENDS) and not call.faulted]
    if not halted and (silent < 1 or not holders):
        return None
    trouble = evidence.run.trouble if evidence.run is not None else None
    if not holders and trouble is not None and trouble.call == "pthread_mutex_lock":
        return Sure(trouble.where)
    return at((holders or halted)[0])


@cause(CAUSES, "exit-after-1", LAB, text="The server took one client and no more. Whoever accepts goes back to accept() as soon as the "
       "client's thread is made.")
def exit_after_1(evidence: Evidence) -> Sure | None:
    calls = accepts(evidence)
    alone = len(calls) == 1 and calls[0].ended is not None and not failed(calls[0])
    return at(calls[0]) if alone and _stuck(evidence) and not own_calls(evidence, "pthread_join", *WAITS) and \
        not any(call.thread == calls[0].thread for call in _open([*own_recvs(evidence), *own_sends(evidence)])) else None


@cause(CAUSES, "closes-listener", LAB, text="The listener was closed while it was still wanted. It belongs to the server from a good "
       "server_start() on, and server_stop() closes it; when server_start() fails it is the caller's.")
def closes_listener(evidence: Evidence) -> Sure | None:
    run, fds = evidence.run, {call.fd for call in accepts(evidence)}
    if run is None:
        return None
    connections = {call.result for call in accepted(evidence)}
    given_up = run.reported[:1] and run.reported[0][0] == -1
    for close in own_calls(evidence, "close"):
        if given_up and close.result == 0 and close.fd == 3 and evidence.failure.kind == "said" and not connections:
            return at(close)
        if close.fd in fds - connections and close.result == 0 and close.thread != _main_thread(evidence) and \
                run.function != "server_stop":
            return at(close)
    return None


# ---- its own argument -------------------------------------------------------------------------------

def _shares_argument(evidence: Evidence) -> Call | None:
    """The second of two threads that were held at their start, and given the same pointer."""
    run = evidence.run
    if run is None or "thread_start" not in run.faults:
        return None
    seen: set[int] = set()
    servers = {call.args[ARGUMENT] for call in own_calls(evidence, "pthread_create") if call not in _creates(evidence)}
    for call in _creates(evidence):
        if call.args[ARGUMENT] in seen - servers:
            return call
        seen.add(call.args[ARGUMENT])
    return None


@cause(CAUSES, "shared-arg", LAB, text="Two threads were given the same memory as their argument: a variable of the acceptor, or one "
       "struct for all. When the first one reads it, the next client's data stands there. Each needs its own, from malloc().")
def shared_arg(evidence: Evidence) -> Sure | None:
    call = _shares_argument(evidence)
    return at(call) if call is not None else None


@cause(CAUSES, "shared-connection", LAB, text="A thread spoke on another client's connection: there is one variable for the connections "
       "of all. Which one is mine must stand where only my thread looks.")
def shared_connection(evidence: Evidence) -> Sure | None:
    if evidence.failure.kind not in ("wait", "peer"):
        return None
    for talk in _served(evidence):
        moves = [call for call in talk.calls if call.name in (*RECVS, *SENDS)]
        threads = {call.thread for call in moves}
        others = [call for call in moves if any(other.thread == call.thread and other.fd != call.fd
                                                for other in all_own(evidence)
                                                if other.name in (*RECVS, *SENDS) and other.socket and other.index < call.index)]
        if len(threads) > 1 and others and not own_calls(evidence, *WAITS):
            return at(others[0])
    return None


@cause(CAUSES, "shared-buf", LAB, text="Two threads received into the same memory: a static or global buffer, of which there is one. "
       "The second client's bytes came over the first one's before these were sent. A buffer on the thread's own stack is its own.")
def shared_buf(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or "send" not in run.faults or evidence.failure.kind not in ("peer", "received", "wait"):
        return None
    got = [call for call in own_recvs(evidence) if call.name in ("recv", "read", "recvfrom") and (call.result or 0) > 0]
    held = [call for call in own_sends(evidence) if call.faulted and "waits" in call.faulted]
    for send in held:
        first = [call for call in got if call.thread == send.thread and call.index < send.index]
        later = [call for call in got if call.thread != send.thread and call.index > send.index]
        for call in later:
            if first and call.args[BUFFER] == first[-1].args[BUFFER]:
                return at(call)
    return None


# ---- what is told -----------------------------------------------------------------------------------

def _lines(evidence: Evidence, word: str) -> list[str]:
    run = evidence.run
    text = run.output.decode(errors="replace") if run is not None else ""
    return [line[len(word) + 1:] for line in text.split("\n") if line.startswith(word + " ")]


def _about_lines(evidence: Evidence) -> bool:
    """The failure is of what the server tells: a line that is missing, or one that was told of somebody else."""
    failure = evidence.failure
    told = failure.kind in ("output", "same") or \
        (failure.kind == "wait" and failure.message.startswith("the output ")) or \
        (failure.kind == "said" and failure.message.startswith(('"gone ', '"client ')))
    return told and bool(_served(evidence))


@cause(CAUSES, "not-told", LAB, text="Something that happened wasn't told with say(), or without the client's name: EVENT_CLIENT when a "
       "client has come, EVENT_RECEIVED for each recv() that gave bytes, EVENT_GONE when its conversation is over.")
def not_told(evidence: Evidence) -> Sure | None:
    run = evidence.run
    stopped = run is not None and not run.function and run.status is not None      # it may have ended too soon to tell
    if evidence.failure.kind not in ("output", "same") or not _served(evidence) or _stopping(evidence) or stopped:
        return None
    over = [talk for talk in _served(evidence) if talk.closed is not None]
    clients, gone, received = (_lines(evidence, word) for word in ("client", "gone", "received"))
    if "?" in clients or "?" in gone or not clients:
        return Sure()
    if over and not gone:
        return at(over[0].closed) if over[0].closed is not None else Sure()
    came = [call for call in own_recvs(evidence) if (call.result or 0) > 0]
    return at(came[0]) if came and not received else None


@cause(CAUSES, "no-ntohs", LAB, text="The port was written as it stands in the address, in network byte order. ntohs() makes a number "
       "of it that you can read.")
def no_ntohs(evidence: Evidence) -> Sure | None:
    ports = {port_of(peer.address) or 0 for peer in evidence.peers}
    told = {int(line.rpartition(":")[2]) for line in _lines(evidence, "client") if line.rpartition(":")[2].isdigit()}
    wrong = _about_lines(evidence) and told - ports
    return Sure() if wrong and any(swapped(port) in told for port in ports) else None


@cause(CAUSES, "own-address", LAB, text="The name that was told is the server's own end of the connection. getsockname() tells that one; "
       "the client's is what accept() fills in.")
def own_address(evidence: Evidence) -> Sure | None:
    told = set(_lines(evidence, "client"))
    return next((at(call) for call in own_calls(evidence, "getsockname") if _about_lines(evidence) and call.address in told), None)


@cause(CAUSES, "shared-name", LAB, text="A client's end was told with another client's name: the text stands in one place for all, and the "
       "next client's was written over it. It belongs into the struct of that client.")
def shared_name(evidence: Evidence) -> Sure | None:
    known = {peer.address for peer in evidence.peers}
    gone = Counter(_lines(evidence, "gone"))
    talking = {talk.accepted.address for talk in _served(evidence) if talk.closed is None and talk.accepted is not None
               and not _ended(talk)}
    wrong = [name for name in gone if name in known and (name in talking or gone[name] > 1)]
    return Sure() if _about_lines(evidence) and wrong else None


# ---- what is left of them ---------------------------------------------------------------------------

@cause(CAUSES, "no-detach", LAB, text="Threads have ended that nobody joined and nobody detached: of each the stack is kept, 8 MiB of "
       "addresses, until none can be made. pthread_detach() for those who will not be joined.")
def no_detach(evidence: Evidence) -> Sure | None:
    made = _creates(evidence)
    given_back = own_calls(evidence, "pthread_detach", "pthread_join")
    plain = [call for call in made if call.result == 0 and not call.args[ATTRIBUTES]]
    left = len(plain) - len(given_back)
    return at(plain[0]) if evidence.failure.kind == "said" and left >= MANY and evidence.stage in ("hundreds", "bad_clients") \
        and not _threads_stay(evidence) else None


def _threads_stay(evidence: Evidence) -> bool:
    return " threads where there were " in evidence.failure.message


@cause(CAUSES, "thread-stays", LAB, text="The clients have gone and their threads are still there: each waits for something that doesn't "
       "come. A thread ends by returning from its function.")
def thread_stays(evidence: Evidence) -> Sure | None:
    over = [talk for talk in _served(evidence) if talk.closed is not None]
    return Sure() if evidence.failure.kind == "said" and _threads_stay(evidence) and len(over) >= MANY else None


@cause(CAUSES, "fd-leak", LAB, text="For each client a descriptor is opened that is never closed, besides its connection. A server that "
       "runs for a day has none left.")
def fd_leak(evidence: Evidence) -> Sure | None:
    run = evidence.run
    if run is None or evidence.failure.kind != "said" or len(run.descriptors) < MANY:
        return None
    over = [talk for talk in _served(evidence) if talk.closed is not None]
    return Sure() if len(over) >= MANY and not any(talk.closed is None and _ended(talk) for talk in _served(evidence)) else None


@cause(CAUSES, "no-close", LAB, text="The connection was never closed. The client waits for the end of the stream, and each client costs a "
       "descriptor. Whichever way the conversation ends, its thread closes the connection.")
def no_close(evidence: Evidence) -> Sure | None:
    run = evidence.run
    left = [talk for talk in _served(evidence) if talk.closed is None and _ended(talk) and talk.fd in (run.descriptors if run else ())]
    busy = run is not None and run.trouble is not None and run.trouble.kind == "busy"
    if not left or busy or (_stuck(evidence) and _unseen(evidence) > 0) or _shares_argument(evidence) or any(_zeros(talk) > 2 for talk in left):
        return None
    return at(left[0].calls[-1]) if _stuck(evidence) or len(left) >= MANY else None


def _zeros(talk: Talk) -> int:
    return sum(call.result == 0 for call in talk.recvs)


# ---- how a connection ends --------------------------------------------------------------------------

@cause(CAUSES, "closed-before-served", LAB, text="The acceptor closed the connection that it had handed to a thread. All threads have one "
       "table of descriptors: closed by one is closed for all. (After fork() it would be right.)")
def closed_before_served(evidence: Evidence) -> Sure | None:
    broken = {call.fd for call in (*own_recvs(evidence), *own_sends(evidence)) if failed(call) and call.errno == errno.EBADF}
    return next((at(talk.closed) for talk in _served(evidence) if talk.closed is not None and talk.closed.result == 0
                 and _handed_over(talk, evidence) and (talk.fd in broken or not talk.sends)), None)


def _handed_over(talk: Talk, evidence: Evidence) -> bool:
    """Whoever accepted it made a thread and then closed it."""
    begin, close = talk.accepted, talk.closed
    return begin is not None and close is not None and close.thread == begin.thread and any(
        call.thread == begin.thread and begin.index < call.index < close.index and call.result == 0 for call in _creates(evidence))


@cause(CAUSES, "drops-clients", LAB, text="A client was accepted and its connection closed without a word, though there was a descriptor "
       "and a thread to be had. A fixed number of places is a fixed number of silent clients.")
def drops_clients(evidence: Evidence) -> Sure | None:
    struck = any(call.faulted or call.result for call in own_calls(evidence, "pthread_create"))
    return next((at(talk.closed) for talk in _served(evidence) if talk.closed is not None and not talk.recvs and not talk.sends
                 and talk.closed.thread in _acceptors(evidence) and evidence.failure.kind in ("peer", "wait")
                 and not _handed_over(talk, evidence)
                 and not struck), None)


@cause(CAUSES, "serve-once", LAB, text="After one recv() and its answer the conversation was over for the server, but not for the client. "
       "Go on until recv() gives 0.")
def serve_once(evidence: Evidence) -> Sure | None:
    if evidence.failure.kind not in ("peer", "wait", "received") or _stopping(evidence):
        return None
    return next((at(talk.recvs[0]) for talk in _served(evidence) if talk.closed is not None and len(talk.recvs) == 1
                 and (talk.recvs[0].result or 0) > 0 and talk.sends and not any(map(failed, talk.calls))
                 and len({call.thread for call in talk.calls}) == 1), None)


@cause(CAUSES, "double-close", LAB, text="A connection was closed a second time. In between another client may have got the number, and "
       "then it is that one's connection that is closed. One place closes, and nobody touches the number afterwards.")
def double_close(evidence: Evidence) -> Sure | None:
    if evidence.failure.kind not in ("peer", "wait", "said"):
        return None
    return next((at(talk.named("close")[1]) for talk in _served(evidence) if len(talk.named("close")) > 1), None)


# ---- errors of accept() and pthread_create() --------------------------------------------------------

def _gave_up(evidence: Evidence, errors: tuple[int, ...]) -> Call | None:
    """The accept() that failed so, after which nobody accepted any more."""
    calls = accepts(evidence)
    last = calls[-1] if calls else None
    return last if last is not None and failed(last) and last.errno in errors and _stuck(evidence) else None


@cause(CAUSES, "accept-eintr", LAB, text="A signal interrupted accept() (EINTR). Nothing is wrong, and no client is lost: the same accept, "
       "once more.")
def accept_eintr(evidence: Evidence) -> Sure | None:
    last = _gave_up(evidence, (errno.EINTR,))
    return at(last) if last is not None else None


@cause(CAUSES, "accept-exit", LAB, text="accept() failed since one connection had broken in the queue, and the acceptor ended. That was one "
       "client's trouble: take the next one.")
def accept_exit(evidence: Evidence) -> Sure | None:
    last = _gave_up(evidence, ONE_CLIENTS_TROUBLE)
    return at(last) if last is not None else None


@cause(CAUSES, "emfile-exit", LAB, text="Nothing was left for the next client, no descriptor (EMFILE) or no memory, and the acceptor gave up. "
       "They come back when a client leaves: wait a little and try again.")
def emfile_exit(evidence: Evidence) -> Sure | None:
    last = _gave_up(evidence, SHORTAGE)
    return at(last) if last is not None else None


@cause(CAUSES, "emfile-spin", LAB, text="No descriptor was left for the next client (EMFILE), and the server asked again almost at once, "
       "over and over, and uses up the processor. Wait a little between two tries.")
def emfile_spin(evidence: Evidence) -> Sure | None:
    calls = sorted(accepts(evidence), key=lambda call: (call.thread, call.index))
    quick = [call for call, following in zip(calls, calls[1:]) if failed(call) and call.errno in SHORTAGE and not call.faulted
             and following.thread == call.thread and following.began - (call.ended or 0) < PAUSE_NS]
    return at(quick[0]) if len(quick) >= ENOUGH else None


@cause(CAUSES, "emfile-long", LAB, text="No descriptor was left (EMFILE), or no memory, and the server sleeps too long before it tries again. "
       "The client waits all that time: at most a second.")
def emfile_long(evidence: Evidence) -> Sure | None:
    run, calls = evidence.run, accepts(evidence)
    asleep = run is not None and run.trouble is not None and run.trouble.kind == "idle"
    return at(calls[-1]) if asleep and calls and failed(calls[-1]) and calls[-1].errno in SHORTAGE else None


def _refused(evidence: Evidence) -> Call | None:
    """The pthread_create() that failed."""
    return next((call for call in own_calls(evidence, "pthread_create") if call.ended is not None and call.result), None)


@cause(CAUSES, "create-ends-all", LAB, text="One thread couldn't be made, and after that nobody was accepted any more. It is that one "
       "client's bad luck: close its connection and go back to accept().")
def create_ends_all(evidence: Evidence) -> Sure | None:
    call = _refused(evidence)
    if call is None or call.thread not in _acceptors(evidence) or not _stuck(evidence):
        return None
    closed = any(other.name == "close" and other.thread == call.thread for other in after(call, all_own(evidence)))
    return at(call) if closed and not after(call, accepts(evidence)) else None


@cause(CAUSES, "create-unchecked", LAB, text="pthread_create() failed, and nothing was done about it: there is no thread. Its result is 0 or "
       "an error number, which is positive (never -1, and errno says nothing). Then close that connection.")
def create_unchecked(evidence: Evidence) -> Sure | None:
    call, run = _refused(evidence), evidence.run
    if call is None or run is None:
        return None
    if call.thread == _main_thread(evidence):
        return at(call) if run.reported[:1] == ((0, 0),) and not accepts(evidence) else None
    orphans = [talk for talk in _served(evidence) if not talk.calls and talk.accepted is not None
               and talk.accepted.index < call.index and talk.accepted.thread == call.thread]
    return at(call) if orphans and (_stuck(evidence) or evidence.failure.kind in ("wait", "peer", "said")) else None


def _without_memory(evidence: Evidence) -> Call | None:
    """The malloc() that gave NULL."""
    return next((call for call in own_calls(evidence, *MEMORY) if failed(call)), None)


@cause(CAUSES, "memory-unchecked", LAB, text="There was no memory: NULL came back, and it was used like any other pointer. Look before you "
       "use it. Here one client is turned away then, and all the others go on.")
def memory_unchecked(evidence: Evidence) -> Sure | None:
    call, run = _without_memory(evidence), evidence.run
    if call is None or run is None or run.signal != signal.SIGSEGV:
        return None
    later = [other for other in after(call, all_own(evidence)) if other.thread == call.thread]
    return at(call) if not later else None


@cause(CAUSES, "memory-forgotten", LAB, text="There was no memory for a client, and its connection was forgotten: nobody serves it, and nobody "
       "closes it. Its client waits for ever, and the descriptor is lost. Turn it away: close.")
def memory_forgotten(evidence: Evidence) -> Sure | None:
    call = _without_memory(evidence)
    if call is None:
        return None
    orphans = [talk for talk in _served(evidence) if not talk.calls and talk.accepted is not None
               and talk.accepted.index < call.index and talk.accepted.thread == call.thread]
    return at(call) if orphans and _stuck(evidence) else None


@cause(CAUSES, "stop-gives-up", LAB, text="The half-close of one connection failed, since its client had reset, and server_stop() gave up. That "
       "conversation is as good as over: half-close the others, and wait for all.")
def stop_gives_up(evidence: Evidence) -> Sure | None:
    report, gone = last_report(evidence), (errno.ENOTCONN, errno.EPIPE, errno.ECONNRESET)
    if report is None or report[0] != -1 or report[1] not in gone:
        return None
    return next((at(call) for call in own_calls(evidence, "shutdown") if failed(call) and call.errno == report[1]
                 and call.thread == _main_thread(evidence)), None)
