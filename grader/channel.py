"""The channel between suite and grader: frames over a Unix socket, on which only the suite is heard.

A frame is a 4-byte big-endian length and then fields, each with a 4-byte big-endian length of its own.
grader/c/suite.c is the other side.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable

from . import trouble

MAX_FRAME = 256 << 20
LONGEST_FOLDER = 60                 # a socket's name holds 107 bytes


class ChannelError(Exception):
    """What came isn't a frame."""


def pack(fields: list[bytes]) -> bytes:
    """One frame."""
    body = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return struct.pack(">I", len(body)) + body


def unpack(body: bytes) -> list[bytes]:
    """The fields of a frame's body. Raises ChannelError."""
    fields, at = [], 0
    while at < len(body):
        if at + 4 > len(body):
            raise ChannelError("a field's length is cut short")
        length = int.from_bytes(body[at:at + 4], "big")
        at += 4
        if at + length > len(body):
            raise ChannelError("a field is cut short")
        fields.append(body[at:at + length])
        at += length
    return fields


def receive(sock: socket.socket) -> list[bytes] | None:
    """The next frame's fields; None at the end of the stream. Raises ChannelError and OSError."""
    head = _receive_exactly(sock, 4)
    if not head:
        return None
    length = int.from_bytes(head, "big")
    if len(head) < 4 or length > MAX_FRAME:
        raise ChannelError("a frame's length makes no sense")
    body = _receive_exactly(sock, length)
    if len(body) < length:
        raise ChannelError("a frame is cut short")
    return unpack(body)


def _receive_exactly(sock: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = sock.recv(min(length - len(data), 1 << 20))
        if not piece:
            break
        data += piece
    return bytes(data)


def _pid_of(connection: socket.socket) -> int:
    """Of the process that connected; 0 where it isn't in this pid namespace."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", credentials)[0])


class Server:
    """Accepts the suite's connections, one a test, and serves each in a thread of its own.

    The socket lies in a folder of mode 0700 with a short path: one under a checkout can be too long for a
    socket's name. In the weaker sandboxes a student's program of the same user can find it all the same: who isn't
    `known` by pid is hung up on. close() ends it and waits for the threads.
    """

    def __init__(self, serve: Callable[[socket.socket], None], fail: Callable[[str], None],
                 known: Callable[[int], bool]) -> None:
        self._serve, self._fail, self._known, self._closing = serve, fail, known, False
        usual = tempfile.gettempdir()
        self._folder = tempfile.mkdtemp(prefix="socklab-", dir=usual if len(os.fsencode(usual)) <= LONGEST_FOLDER else "/tmp")
        self.path = os.path.join(self._folder, "channel")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        os.chmod(self.path, 0o600)
        self._listener.listen(512)
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
                if not self._known(_pid_of(connection)):
                    connection.close()
                    continue
                thread = threading.Thread(target=self._serve_one, args=(connection,), daemon=True)
                thread.start()
            except (OSError, RuntimeError) as error:
                if not self._closing:
                    self._fail(trouble.describe(error))
                    self._listener.close()          # so that no test waits for an answer
                return
            self._threads.append(thread)

    def _serve_one(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._serve(connection)
            except Exception as error:      # an answer to a suite that has gone, or none can be given for want of something
                self._fail(trouble.describe(error))

    def close(self) -> None:
        """Stops accepting, waits for the connections that are left, removes the socket."""
        self.shut()
        for thread in self._threads:
            thread.join()

    def shut(self) -> None:
        """Stops accepting and removes the socket; waits for nobody who is served."""
        self._closing = True
        with contextlib.suppress(OSError):          # it is closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)
