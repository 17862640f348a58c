"""Peers that a suite asks for, and waiting for them."""

from __future__ import annotations

import socket

from .. import kernel, spawn
from ..peers import Peer
from ..script import Crowd, GoDeaf, Script, parse
from ..text import count
from .base import BadRequest, NotTried, Said, Verbs

LOWEST_FREE, HIGHEST_FREE = 10000, 30000    # below Linux's range of automatic ports
CLAIM = "\0socklab port {}"                 # unix(7), an abstract name: who holds it has that port, and may not have bound it yet


class PeerVerbs(Verbs):
    """Scripted clients and servers."""

    def do_peer_listens(self, fields: list[bytes]) -> int:
        script, at, port, data = fields[1].decode(), fields[2].decode(), fields[3].decode(), tuple(fields[5:9])
        parsed = parse(script, data, self.chance)
        if GoDeaf() in parsed.body and not kernel.can_go_deaf():
            raise NotTried("this system lets only root filter packets")
        return self._add_peer(Peer.listening(parsed, at or "127.0.0.1", int(port or 0)), "listens", parsed, data)

    def do_peer_connects(self, fields: list[bytes]) -> int:
        run, script, at, to = self.run(fields[0]), fields[1].decode(), fields[2].decode(), fields[4].decode()
        data = tuple(fields[5:9])
        host, port = self.listener_of(run)
        target = (to or ("127.0.0.1" if host == "0.0.0.0" else host), port)
        parsed = parse(script, data, self.chance)
        return self._add_peer(Peer.connecting(parsed, target, at or None), "connects", parsed, data)

    def _add_peer(self, peer: Peer, role: str, script: Script, data: tuple[bytes, ...]) -> int:
        self.scene.peers.append(peer)
        at_once = script.connections if script.crowd is Crowd.TOGETHER else 1
        self.scripts.append(Said(role, script.text, data, at_once))
        peer.start(queues=self.lab.queues)
        return len(self.scene.peers)

    def do_port_of(self, fields: list[bytes]) -> int:
        return self.peer(fields[0]).address[1]

    def do_address_of(self, fields: list[bytes]) -> str:
        peer = self.peer(fields[0])
        self.wait(lambda: bool(peer.outcome.connections), "a connection", peer)
        host, port = peer.outcome.connections[0].local
        return f"{host}:{port}"

    def do_free_port(self, fields: list[bytes]) -> int:
        for _ in range(1000):
            port = self.chance.randint(LOWEST_FREE, HIGHEST_FREE)
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                claim.bind(CLAIM.format(port))      # else another test drew it too, of this grade or of one beside it
                with spawn.alone(), socket.socket() as trial:
                    trial.bind(("0.0.0.0", port))
            except OSError:
                claim.close()
                continue
            self.scene.held.append(claim)           # until the test has ended
            return port
        raise BadRequest("no free port was found")

    def do_go(self, fields: list[bytes]) -> None:
        self.peer(fields[0]).go()

    def do_wait_done(self, fields: list[bytes]) -> None:
        peer = self.peer(fields[0])
        self.wait(lambda: peer.finished, "the end of the conversation", peer)

    def do_wait_connected(self, fields: list[bytes]) -> None:
        peer = self.peer(fields[0])
        wanted = self.scripts[self.scene.peers.index(peer)].at_once
        def stand() -> bool:
            return sum(event.kind in ("accepted", "connected") for event in peer.events) >= wanted

        self.wait(lambda: stand() or peer.finished, "a connection" if wanted == 1 else f"connection {wanted}", peer)
        if not stand():
            self.check_happy(peer)

    def do_wait_received(self, fields: list[bytes]) -> None:
        peer, n = self.peer(fields[0]), int(fields[1])

        def came() -> bool:
            return bool(peer.outcome.connections) and peer.outcome.connections[0].received_size >= n

        self.wait(came, f"what the peer waits for, {count(n, 'byte')} in all,", peer)

    def do_peer_waits(self, fields: list[bytes]) -> int:
        return int(self.peer(fields[0]).at_rest())

    def do_received_by(self, fields: list[bytes]) -> bytes:
        return self.peer(fields[0]).outcome.received
