"""A scripted peer to try by hand: prints what happens, as it happens."""

from __future__ import annotations

import argparse
import io
import signal
import sys
import threading
import time

from .command import Parser, complain
from .conversation import PeerEvent
from .peers import Peer, PeerBroken
from .safe import terminal
from .script import Door, ScriptError, Stay, WaitForGo, parse
from .text import count, quote

HAPPY, UNHAPPY, CANNOT, STOPPED = 0, 1, 2, 130
SAID = {
    "refused": "refused",
    "end": "the other side ended the stream",
    "reset": "the other side reset the connection",
    "half_close": "half-closed",
    "closed": "closed",
    "reset_sent": "reset the connection",
    "deaf": "went deaf: nothing reaches it any more",
}


def main(argv: list[str]) -> int:
    """Plays one script. 0: it ran to its end; 1: it did not; 2: it can't be played."""
    args = _parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        peer = _peer(args)
    except ScriptError as error:
        return _cannot(f"in the script: {error}")
    except OSError as error:
        return _cannot(f"no listener on {args.host} port {args.port}: {error.strerror}")
    try:
        return _play(peer, args)
    except PeerBroken as broken:
        if isinstance(broken.__cause__, BrokenPipeError):
            raise broken.__cause__ from None  # nobody reads what is printed
        raise
    finally:
        peer.close()


def _parser() -> Parser:
    parser = Parser(
        prog="python3 -m grader peer", description="A scripted peer. docs/peers.md has the language."
    )
    parser.add_argument("script", metavar="SCRIPT", help="""what it does, as in "send 'hello'; close" """)
    parser.add_argument("--port", type=int, default=0, help="its port (0: any free one), or with --connect yours")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on, or to connect to")
    parser.add_argument("--connect", action="store_true", help="be a client")
    return parser


def _cannot(message: str) -> int:
    return complain(message, CANNOT, "peer")


def _peer(args: argparse.Namespace) -> Peer:
    if not 0 <= args.port <= 65535:
        raise ScriptError(f"{args.port} is no port: write 0 to 65535")
    if args.connect and args.port == 0:
        raise ScriptError("a client must know where to connect to: say --port N")
    script = parse(args.script)
    printer = _Printer(script.connections > 1)
    if args.connect:
        return Peer.connecting(script, (args.host, args.port), watch=printer)
    return Peer.listening(script, args.host, args.port, watch=printer)


class _Printer:
    """Prints each event as a line, with the seconds since the start."""

    def __init__(self, several: bool) -> None:
        self._several = several
        self._began = time.monotonic_ns()

    def __call__(self, event: PeerEvent) -> None:
        seconds = (event.time_ns - self._began) / 1e9
        which = f"[{event.connection + 1}] " if self._several else ""
        print(f"{seconds:9.3f} s  {which}{terminal(_said(event))}", flush=True)


def _said(event: PeerEvent) -> str:
    if event.kind in ("sent", "received"):
        return f"{event.kind} {count(event.size, 'byte')}: {quote(event.data)}"
    words = event.data.decode()
    match event.kind:
        case "accepted":
            return f"accepted a connection from {words}"
        case "connected":
            return f"connected to {words}"
        case "waiting":
            return "waiting for go: press Enter" if words == "for go" else f"waiting {words}"
        case "trouble":
            return f"trouble: {words}"
    return SAID[event.kind]


def _play(peer: Peer, args: argparse.Namespace) -> int:
    script = parse(args.script)
    if not args.connect:
        _announce(peer, script.door)
    if WaitForGo() in script.body:
        threading.Thread(target=_pass_on_enter, args=(peer,), daemon=True).start()
    try:
        peer.start()
        while not peer.wait(time.monotonic() + 3600):
            pass
        if Stay() in script.body or script.door is not Door.OPEN:
            _stay(peer)
    except KeyboardInterrupt:
        print()
    return _result(peer)


def _announce(peer: Peer, door: Door) -> None:
    host, port = peer.address
    what = "refusing connections" if door is Door.REFUSES else "listening"
    print(f"{what} on {host} port {port}", flush=True)


def _pass_on_enter(peer: Peer) -> None:
    for _ in sys.stdin:
        peer.go()


def _stay(peer: Peer) -> None:
    if peer.outcome.happy:
        print("the script is over, the peer stays; Ctrl-C ends it", flush=True)
        signal.pause()


def _result(peer: Peer) -> int:
    outcome = peer.outcome
    if outcome.happy:
        return HAPPY
    print(terminal(f"the script did not run to its end: the peer {outcome.trouble}"))
    return UNHAPPY if peer.finished else STOPPED
