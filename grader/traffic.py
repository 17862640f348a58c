"""Whether anything is still under way between sockets: what the kernel will do by itself, without any program."""

from __future__ import annotations

from . import kernel
from .kernel import Address, Socket, State

_HANDSHAKE = (State.SYN_SENT, State.SYN_RECV)


def settled(port: int) -> bool:
    """True only if nothing more can arrive anywhere, on any connection of this port, until a program acts.

    Bytes, ends and resets that left but have not arrived, an acknowledgement that is still due, and a
    handshake that is not over all make it False. It may be False for a moment too long, never True too early.
    """
    found = kernel.sockets(local_port=port) + kernel.sockets(remote_port=port)
    full = {one.local for one in found if one.state is State.LISTEN and one.receive_queue > one.send_queue}
    ends = {(one.local, one.remote): one for one in found if one.state is not State.LISTEN}
    return all(_quiet(one, ends.get((remote, local)), full) for (local, remote), one in ends.items())


def _quiet(sender: Socket, receiver: Socket | None, full: set[Address]) -> bool:
    """Whether all that this end gave to the kernel has arrived, or can't leave before the receiver reads."""
    if sender.state in _HANDSHAKE:
        host, port = sender.remote if sender.state is State.SYN_SENT else sender.local
        # A full backlog drops each attempt, until somebody accepts.
        return not full.isdisjoint({(host, port), ("0.0.0.0", port), ("::", port)})
    if receiver is None:
        return sender.state is State.TIME_WAIT  # elsewise the other end has gone and the news is on its way
    return sender.send_queue == 0 or _window_closed(sender, receiver)


def _window_closed(sender: Socket, receiver: Socket) -> bool:
    """Whether the receiver's buffer is full, the sender knows, and nothing it sent is on its way."""
    if sender.flow is None or receiver.flow is None or receiver.receive_queue == 0:
        return False
    windows = {sender.flow.allowed, receiver.flow.offered} - {None}
    return sender.flow.in_flight == 0 and sender.flow.unsent > 0 and windows == {0}
