"""Scripted peers: the servers and clients that the student's program talks to.

A peer is one thread however many connections it has. It goes on with the conversations whose wait has come
true, and sleeps on all the others at once. While it works it holds the lock; so whoever holds the lock
sees every conversation asleep, and can ask the kernel whether its wait has come true: at_rest().
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from . import spawn, story, traffic
from .conversation import (
    SMALL_BUFFER, ConnectionOutcome, Conversation, PeerEvent, Stage, Steps, Unhappy, Wait,
)  # fmt: skip
from .kernel import Address
from .script import Crowd, Door, ReceiveToEnd, Script, check_role

FIRST_PAUSE, LONGEST_PAUSE = 0.00002, 0.005
EPOLL_STEP = 0.001  # epoll's clock has milliseconds
_BIND_ADDRESS_NO_PORT = 24
_TCP_INFO_UNACKED = 24  # of a listener: the connections that wait

Watcher = Callable[[PeerEvent], None]


class PeerBroken(Exception):
    """The peer itself failed: the kit's mistake, never the student's."""


@dataclass(frozen=True)
class PeerOutcome:
    """What became of a peer."""

    happy: bool  # its script ran to the end, in every connection
    trouble: str | None  # why not; goes on from "the peer"
    received: bytes  # by the first connection
    connections: tuple[ConnectionOutcome, ...]  # accepted, or begun
    extra_connections: int  # that wait in the backlog and were never accepted


class _Task:
    """A conversation, or several in turn."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.wait: Wait | None = None
        self.done = False
        self.pause = FIRST_PAUSE
        self.due = 0.0

    def ready(self) -> bool:
        """Whether there is something to do; not for a task that works right now."""
        return not self.done and (self.wait is None or self.wait.holds())


class Peer:
    """One scripted peer. All methods may be called from any thread."""

    def __init__(self, script: Script, target: Address | None, source: str, watch: Watcher | None) -> None:
        self._script, self._target, self._source = script, target, source
        self._stage = Stage(script, target is not None, watch)
        self._listener: socket.socket | None = None
        self._address: Address | None = None
        self._conversations: list[Conversation] = []
        self._tasks: list[_Task] = []
        self._sleepers: dict[int, _Task] = {}  # by the descriptor that each waits for
        self._askers: list[_Task] = []
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._closing = self._closed = False
        self._extra = 0
        self._crash: BaseException | None = None
        self._alarm, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._alarm, select.EPOLLIN)

    @classmethod
    def listening(cls, script: Script, host: str = "127.0.0.1", port: int = 0, *, watch: Watcher | None = None) -> Peer:
        """A server. It has its port at once, and answers from start() on. OSError when the port can't be had."""
        check_role(script, listens=True)
        peer = cls(script, None, host, watch)
        try:
            peer._listener = _listen(script, host, port)
        except OSError:
            peer.close()
            raise
        peer._address = peer._listener.getsockname()[:2]
        return peer

    @classmethod
    def connecting(
        cls, script: Script, address: Address, source: str | None = None, *, watch: Watcher | None = None
    ) -> Peer:
        """A client, or a crowd of them. After start() each has its port and has begun to connect."""
        check_role(script, listens=False)
        return cls(script, address, source or "", watch)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- for the grader ----

    @property
    def address(self) -> Address:
        """Its own address: a server's port, or the first client's."""
        with self._changed:
            return self._address or (self._source, 0)

    def start(self, *, queues: bool = False) -> None:
        """Begins; does nothing the second time. queues: each event tells what the connection holds."""
        with self._changed:
            if self._thread is not None or self._closing:
                return
            self._stage.queues = queues
            self._tasks = [_Task(steps) for steps in self._all_steps()]
            self._work(self._tasks)
            thread = threading.Thread(target=self._live, name="peer", daemon=True)
            thread.start()              # raises RuntimeError where the system has no more
            self._thread = thread

    def go(self) -> None:
        """The word that `wait for go` waits for. It counts also when it comes early."""
        with self._changed:
            self._stage.gos += 1
            self._wake()

    def close(self) -> None:
        """Ends everything at once; returns when no thread and no descriptor is left."""
        with self._changed:
            self._closing = True
            self._wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        with self._changed:
            self._release()
            self._changed.notify_all()

    def wait(self, deadline: float) -> bool:
        """Waits for `finished` until that time of time.monotonic(), or for close(); says whether it has finished."""
        with self._changed:
            left = max(0.0, deadline - time.monotonic())
            self._changed.wait_for(lambda: self._finished or self._closed, left)
            return self._finished

    @property
    def finished(self) -> bool:
        """Whether the script is over in every connection. A connection that stays silent has finished too."""
        with self._changed:
            return self._finished

    @property
    def _finished(self) -> bool:
        started = self._thread is not None
        return self._crash is not None or (started and all(task.done for task in self._tasks))

    def at_rest(self) -> bool:
        """True only if nothing can happen on this peer's side until the student's program acts, or go() is said.

        The lock keeps the peer's thread still, so each conversation is asleep or over. What one sleeps for is
        asked of the kernel and not of the thread: a wait that has come true means work, even if the thread
        has not woken yet. Last, nothing may be on its way between the two sides.
        """
        return self._asleep(self._settled)

    def _settled(self) -> bool:
        return self._address is not None and traffic.settled(self._target[1] if self._target else self._address[1])

    def _asleep(self, settled: Callable[[], bool]) -> bool:
        if not self._changed.acquire(blocking=False):
            return False
        try:
            if self._thread is None or self._address is None:
                return False
            if not self._closed and any(task.ready() for task in self._tasks):
                return False
            return settled()
        finally:
            self._changed.release()

    def check(self) -> None:
        """Raises PeerBroken when the peer itself failed."""
        if self._crash is not None:
            raise PeerBroken(f"the peer failed: {self._crash!r}") from self._crash

    def waits(self) -> bool:
        """at_rest(), but for bytes that may be on their way."""
        return self._asleep(lambda: True)

    @property
    def outcome(self) -> PeerOutcome:
        """What has become of it so far. PeerBroken when the peer itself failed."""
        with self._changed:
            self.check()
            found = tuple(one for conversation in self._conversations if (one := conversation.outcome))
            trouble = self._trouble()
            happy = trouble is None and self._finished
            words = self._in_words(trouble) if trouble else None
            return PeerOutcome(happy, words, found[0].received if found else b"", found, self._count_extra())

    def _trouble(self) -> tuple[int, str] | None:
        """The connection that didn't run to the end of its script, and why."""
        for conversation in self._conversations:
            if conversation.trouble is not None:
                return conversation.number, conversation.trouble
        for number, task in enumerate(self._tasks):
            if not task.done and task.wait is not None:
                in_turn = self._script.crowd is not Crowd.TOGETHER
                return len(self._conversations) - 1 if in_turn else number, f"still waited for {task.wait.what}"
        return None

    def _in_words(self, trouble: tuple[int, str]) -> str:
        most = self._script.connections
        return trouble[1] + (f" (connection {trouble[0] + 1} of {most})" if most > 1 else "")

    @property
    def events(self) -> tuple[PeerEvent, ...]:
        """What happened so far, in order."""
        with self._changed:
            return tuple(self._stage.events)

    @property
    def ends(self) -> dict[int, tuple[Address, Address]]:
        """The two addresses of each connection that has them, the peer's own first, by its number."""
        with self._changed:
            return {one.number: (one.local, one.remote) for one in self._conversations if one.local and one.remote}

    def story(self) -> list[str]:
        """What happened, in a few lines for a learner."""
        outcome = self.outcome
        if self._script.door is Door.REFUSES:
            return [f"nobody listens at {self.address[0]}:{self.address[1]}"]
        with self._changed:
            trouble = self._trouble()
        shown = trouble[0] if trouble else 0
        return story.tell(self.events, shown, outcome.trouble, len(outcome.connections), outcome.extra_connections)

    # ---- the peer's own thread ----

    def _live(self) -> None:
        try:
            while not self._over():
                ready = self._sleep()
                with self._changed:
                    if not self._closing:
                        self._work(self._woken(ready))
        except BaseException as error:
            with self._changed:
                self._crash = error
                self._changed.notify_all()

    def _over(self) -> bool:
        with self._changed:
            return self._closing or self._finished

    def _sleep(self) -> list[tuple[int, int]]:
        """Until a descriptor is ready, the alarm rings, or something must be asked for again."""
        due = min((task.due for task in self._askers if task.wait and task.wait.polled), default=None)
        if due is None:
            return self._epoll.poll()
        pause = max(0.0, due - time.monotonic())
        if pause >= EPOLL_STEP:
            return self._epoll.poll(pause)
        time.sleep(pause)
        return self._epoll.poll(0)

    def _woken(self, ready: Iterable[tuple[int, int]]) -> list[_Task]:
        woken = [self._sleepers[fd] for fd, _ in ready if fd in self._sleepers]
        if any(fd == self._alarm for fd, _ in ready):
            os.read(self._alarm, 4096)
        now = time.monotonic()
        due = [task for task in self._askers if task.due <= now]
        self._askers = [task for task in self._askers if task.due > now]
        return woken + due

    def _work(self, tasks: Iterable[_Task]) -> None:
        """Goes on with those of the tasks that can go on."""
        for task in tasks:
            if task.ready():
                task.pause = FIRST_PAUSE
                task.wait = next(task.steps, None)
                task.done = task.wait is None
            self._sleep_on(task)
        self._changed.notify_all()

    def _sleep_on(self, task: _Task) -> None:
        wait = task.wait
        if wait is None:
            return
        if wait.sock is None:
            task.pause = min(task.pause * 1.5, LONGEST_PAUSE)
            task.due = time.monotonic() + task.pause if wait.polled else 0.0
            self._askers.append(task)
            return
        fd, once = wait.sock.fileno(), wait.events | select.EPOLLONESHOT
        self._sleepers[fd] = task
        try:
            self._epoll.modify(fd, once)
        except FileNotFoundError:
            self._epoll.register(fd, once)

    def _wake(self) -> None:
        if not self._closed:
            with contextlib.suppress(BlockingIOError):  # it rings already
                os.write(self._bell, b"!")

    def _release(self) -> None:
        if self._closed:
            return
        self._extra, self._closed = self._count_extra(), True
        for conversation in self._conversations:
            if conversation.sock is not None:
                conversation.sock.close()
        for task in self._tasks:
            task.steps.close()          # it holds the peer, which holds it
        if self._listener is not None:
            with spawn.alone():
                self._listener.close()
        self._epoll.close()
        os.close(self._alarm)
        os.close(self._bell)

    # ---- connections ----

    def _all_steps(self) -> list[Steps]:
        if self._script.door is not Door.OPEN:
            return []
        together = self._script.crowd is Crowd.TOGETHER
        crowd, turns = (self._script.connections, 1) if together else (1, self._script.connections)
        return [self._series(turns) for _ in range(crowd)]

    def _series(self, turns: int) -> Steps:
        """So many conversations, one after another."""
        gos = 0
        opener = self._accept if self._target is None else self._connect
        for _ in range(turns):
            conversation = Conversation(self._stage, len(self._conversations), gos)
            self._conversations.append(conversation)
            yield from conversation.run(opener)
            gos = conversation.gos_used

    def _accept(self, conversation: Conversation) -> Steps:
        assert self._listener is not None
        yield Wait("a connection", self._listener, select.POLLIN)
        sock, address = self._listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation.local, conversation.remote = sock.getsockname()[:2], address[:2]
        conversation.opened(sock, "accepted")

    def _connect(self, conversation: Conversation) -> Steps:
        assert self._target is not None
        sock = _new_socket(self._script, self._target[0])
        conversation.sock = sock
        if self._source:
            self._bind_source(sock)
        error_number = sock.connect_ex(self._target)
        conversation.local, conversation.remote = sock.getsockname()[:2], self._target
        self._address = self._address or conversation.local
        if error_number == errno.EINPROGRESS:
            yield Wait("the connection to be taken", sock, select.POLLOUT)
            error_number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error_number:
            conversation.note("refused")
            host, port = self._target
            raise Unhappy(f"could not connect to {host}:{port}: {os.strerror(error_number)}")
        conversation.opened(sock, "connected")

    def _bind_source(self, sock: socket.socket) -> None:
        """The port is left to connect(): bind() searches long where many connections have ended lately."""
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        try:
            sock.bind((self._source, 0))
        except OSError as error:
            raise Unhappy(f"could not use the address {self._source}: {error.strerror}") from None

    def _count_extra(self) -> int:
        """Connections that wait in the backlog."""
        if self._closed or self._listener is None or self._script.door is Door.REFUSES:
            return self._extra
        info = self._listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_UNACKED + 4)
        return int.from_bytes(info[_TCP_INFO_UNACKED:], "little")


def _new_socket(script: Script, host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if script.small_buffers:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
    if script.small_buffers or ReceiveToEnd(slowly=True) in script.body:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    return sock


def _listen(script: Script, host: str, port: int) -> socket.socket:
    sock = _new_socket(script, host)
    try:
        if port:  # by hand the same port is wanted again and again; port 0 needs no such thing
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        if script.door is not Door.REFUSES:
            sock.listen(script.backlog)
    except OSError:
        sock.close()
        raise
    return sock
