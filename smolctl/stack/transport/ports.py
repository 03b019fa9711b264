"""The table of ports: which socket a datagram is for.

One table serves the whole stack. The most specific socket gets a unicast datagram: bound to the
address before bound to any, then connected, then bound to the device (Linux ``__udp4_lib_lookup``).
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from smolctl.errors import AddressInUse, NoBuffers
from smolctl.stack import reason
from smolctl.stack.events import Action
from smolctl.stack.explain import suggest
from smolctl.stack.transport.udp.socket import ANY, UdpSocket

if TYPE_CHECKING:
    pass


class UdpTable:
    """All sockets of one address family by port."""

    def __init__(self) -> None:
        self._bound: dict[tuple[int, int], list[UdpSocket]] = {}
        self._ports: dict[int, list[UdpSocket]] = {}
        self.on_change: Callable[[Action, UdpSocket], None] | None = None

    def __iter__(self) -> Iterator[UdpSocket]:
        for sockets in self._ports.values():
            yield from sockets

    def twin(self, copy_of: Callable[[UdpSocket], UdpSocket]) -> "UdpTable":
        """Return a table of copies of the same sockets."""
        result = UdpTable()
        copies = {id(socket): copy_of(socket) for socket in self}
        for key, sockets in self._bound.items():
            result._bound[key] = [copies[id(socket)] for socket in sockets]
        for port, sockets in self._ports.items():
            result._ports[port] = [copies[id(socket)] for socket in sockets]
        return result

    def __len__(self) -> int:
        return sum(len(sockets) for sockets in self._ports.values())

    def lookup(self, src: int, sport: int, dst: int, dport: int, dev: str) -> UdpSocket | None:
        """Return the most specific socket for a unicast datagram, or None."""
        for local in (dst, ANY):
            best: UdpSocket | None = None
            best_score = -1
            for socket in self._bound.get((local, dport), ()):
                score = (socket.peer is not None) + (socket.dev is not None)
                # Of several that share all of it, the last one bound, as in Linux.
                if score >= best_score and socket.accepts(src, sport, dst, dev):
                    best, best_score = socket, score
            if best is not None:
                return best
        return None

    def matching(
        self, src: int, sport: int, dst: int, dport: int, dev: str, *, multicast: bool
    ) -> list[UdpSocket]:
        """Return every socket for a broadcast or multicast datagram (RFC 1122 4.1.3.5)."""
        return [
            socket
            for socket in self._ports.get(dport, ())
            if socket.accepts(src, sport, dst, dev)
            and (not multicast or socket.hears(src, dst, dev))
        ]

    def at_port(self, port: int) -> list[UdpSocket]:
        """Return the sockets bound to a port, whatever their address."""
        return self._ports.get(port, [])

    def add(self, socket: UdpSocket) -> None:
        """Put in a socket whose ``local``, ``port`` and ``dev`` are set.

        Raises:
            AddressInUse: another socket would get the same datagrams.
        """
        for other in self.at_port(socket.port):
            if socket.reuse and other.reuse:
                continue
            if (ANY in (socket.local, other.local) or socket.local == other.local) and (
                socket.dev is None or other.dev is None or socket.dev == other.dev
            ):
                raise AddressInUse(
                    f"port {socket.port} is in use by another socket ({other.owner or 'unnamed'})",
                    hint="smolctl socket show",
                )
        self._bound.setdefault((socket.local, socket.port), []).append(socket)
        self._ports.setdefault(socket.port, []).append(socket)
        self.tell(Action.NEW, socket)

    def remove(self, socket: UdpSocket) -> None:
        """Take out a socket that was added."""
        key = (socket.local, socket.port)
        self._bound[key].remove(socket)
        if not self._bound[key]:
            del self._bound[key]
        self._ports[socket.port].remove(socket)
        if not self._ports[socket.port]:
            del self._ports[socket.port]
        self.tell(Action.DELETED, socket)

    def tell(self, action: Action, socket: UdpSocket) -> None:
        """Tell a change to whoever listens."""
        if self.on_change is not None:
            self.on_change(action, socket)

    def free_port(self, local: int, dev: str | None, first: int, last: int, start: int) -> int:
        """Return a port of ``first``..``last`` that nobody uses, searching on from ``start``.

        Raises:
            NoBuffers: all are in use (Linux: EADDRINUSE; here the range is what ran out).
        """
        span = last - first + 1
        for step in range(span):
            port = first + (start + step) % span
            if not any(other.local in (ANY, local) or local == ANY for other in self.at_port(port)):
                return port
        raise NoBuffers(
            f"all ephemeral ports {first}-{last} are in use",
            hint=reason.TX_NO_PORT.hint(suggest.ports(first, last)),
        )
