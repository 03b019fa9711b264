"""The last step in: a datagram is put into a socket's queue, or there is no room in it."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from smolctl.stack import suggest
from smolctl.stack.facts import Bound
from smolctl.stack.udp_socket import DATAGRAM_OVERHEAD, Datagram, UdpSocket
from smolctl.wire import addr

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

_SHOWN_MAX = 4
"""Sockets that an explanation names."""


def enqueue(stack: "Stack", socket: UdpSocket, datagram: Datagram) -> None:
    """Put a datagram into a queue that has room for it, and wake who reads it."""
    socket.queue.append(datagram.raw())
    socket.queue_bytes += len(datagram.payload) + DATAGRAM_OVERHEAD
    socket.rx_datagrams += 1
    if not socket.ready:
        stack.wake(socket)


def lost(socket: UdpSocket) -> dict[str, object]:
    """Note that a socket had no room; return the details for the reason."""
    socket.drops += 1
    room = suggest.room(socket.rcvbuf, "udp.rmem_default")
    return {"queued": socket.queue_bytes, "limit": socket.rcvbuf, "port": socket.port, **room}


def bound(socket: UdpSocket) -> Bound:
    """Return what a step says about the socket that was picked."""
    return Bound(socket.local, socket.port, socket.dev, socket.owner)


def shown(sockets: Iterable[UdpSocket]) -> str:
    """Return what some sockets are bound to, in one line."""
    return ", ".join(
        addr.IPV4.format(socket.local)
        + (f" dev {socket.dev}" if socket.dev else "")
        + (f" ({socket.owner})" if socket.owner else "")
        for socket in islice(sockets, _SHOWN_MAX)
    )
