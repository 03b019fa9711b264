"""The table of ports: which socket a packet is for.

One table serves the whole stack. The most specific socket gets a unicast datagram: bound to the
address before bound to any, then connected, then bound to the device (Linux ``__udp4_lib_lookup``).
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from smolctl.errors import AddressInUse, NoBuffers
from smolctl.stack.events import ChangeType
from smolctl.stack.transport.socket_base import ANY, SocketBase
from smolctl.wire.address import IPV6, IPV6_MARK

S = TypeVar("S", bound=SocketBase)


class PortTable(Generic[S]):
    """The bound sockets of one transport by port.

    Attributes:
        on_change: told of each socket that is bound, connected or closed.
        version: it counts up whenever ``lookup`` may find another socket than before.
    """

    def __init__(self) -> None:
        self._bound: dict[tuple[int | None, int], list[S]] = {}
        self._ports: dict[int, list[S]] = {}
        self._count = 0
        self.version = 0
        self.on_change: Callable[[ChangeType, S], None] | None = None

    def __iter__(self) -> Iterator[S]:
        for sockets in self._ports.values():
            yield from sockets

    def __len__(self) -> int:
        return self._count

    def copy_from(self, other: "PortTable[S]", copy_of: Callable[[S], S]) -> None:
        """Take copies of another table's sockets."""
        copies = {id(socket): copy_of(socket) for socket in other}
        for key, sockets in other._bound.items():
            self._bound[key] = [copies[id(socket)] for socket in sockets]
        for port, sockets in other._ports.items():
            self._ports[port] = [copies[id(socket)] for socket in sockets]
        self._count = len(other)

    def lookup(self, src: int, sport: int, dst: int, dport: int, dev: str) -> S | None:
        """Return the most specific socket for a unicast packet, or None."""
        for local in (dst, ANY):
            best: S | None = None
            best_score = -1
            for socket in self._bound.get((local, dport), ()):
                # One of the packet's own family comes before one of IPv6 that speaks both.
                score = 2 * ((socket.peer is not None) + (socket.dev is not None))
                score += (socket.family is IPV6) == (dst >= IPV6_MARK)
                # Of several that share all of it, the last one bound, as in Linux.
                if score >= best_score and socket.accepts(src, sport, dst, dev):
                    best, best_score = socket, score
            if best is not None:
                return best
        return None

    def at_port(self, port: int) -> list[S]:
        """Return the sockets bound to a port, whatever their address."""
        return self._ports.get(port, [])

    def add(self, socket: S) -> None:
        """Put in a socket whose ``local``, ``port`` and ``dev`` are set.

        Raises:
            AddressInUse: another socket would get the same packets.
        """
        for other in self.at_port(socket.port):
            if not (socket.reuse and other.reuse) and socket.meets(other):
                raise AddressInUse(
                    f"port {socket.port} is in use by another socket ({other.owner or 'unnamed'})",
                    hint="smolctl socket show",
                )
        self.put(socket)
        self.tell(ChangeType.NEW, socket)

    def put(self, socket: S) -> None:
        """Put in a socket that nobody has to agree with, and tell nobody."""
        self.version += 1
        self._bound.setdefault((socket.local, socket.port), []).append(socket)
        self._ports.setdefault(socket.port, []).append(socket)
        self._count += 1

    def remove(self, socket: S) -> None:
        """Take out a socket that was added."""
        self.version += 1
        key = (socket.local, socket.port)
        self._bound[key].remove(socket)
        if not self._bound[key]:
            del self._bound[key]
        self._ports[socket.port].remove(socket)
        if not self._ports[socket.port]:
            del self._ports[socket.port]
        self._count -= 1
        self.tell(ChangeType.DELETED, socket)

    def move(self, socket: S, local: int) -> None:
        """Take note that a socket that was added has this local address from now on."""
        key = (socket.local, socket.port)
        self._bound[key].remove(socket)
        if not self._bound[key]:
            del self._bound[key]
        socket.local = local
        self._bound.setdefault((local, socket.port), []).append(socket)

    def tell(self, action: ChangeType, socket: S) -> None:
        """Tell a change to whoever listens."""
        if self.on_change is not None:
            self.on_change(action, socket)

    def free_port(self, socket: S, ports: range, start: int) -> int:
        """Return an ephemeral port that nobody uses whom the socket meets, from ``start`` on.

        Raises:
            NoBuffers: all are in use (Linux: EADDRINUSE; here the range is what ran out).
        """
        for step in range(len(ports)):
            port = ports[(start + step) % len(ports)]
            if not any(socket.overlaps(other) for other in self.at_port(port)):
                return port
        raise NoBuffers(f"all ephemeral ports {ports[0]}-{ports[-1]} are in use")


def more_ports(first: int, last: int) -> dict[str, object]:
    """Return ``first`` and ``last`` ephemeral port, ``sysctl`` and ``value`` that give more."""
    shown: dict[str, object] = {"first": first, "last": last}
    if last < 65535:
        return {**shown, "knob": "ip.local_port_last", "value": 65535}
    # RFC 6335 6: below 1024 are the system ports.
    return {**shown, "knob": "ip.local_port_first", "value": 1024} if first > 1024 else shown
