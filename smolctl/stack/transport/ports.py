"""The table of ports: which socket a packet is for.

One table serves the whole stack. The most specific socket gets a unicast datagram: bound to the
address before bound to any, then connected, then bound to the device (Linux ``__udp4_lib_lookup``).
Sockets that say SO_REUSEPORT are groups, each of those that are bound alike. In a group, the hash
of the flow decides: what one sender sends from one port goes to one of them, until another socket
joins the group or leaves it (Linux ``reuseport_select_sock``).
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from smolctl.errors import AddressInUse, NoBuffers
from smolctl.stack.events import ChangeType
from smolctl.stack.fib.nexthop import HASH_BITS, address_words, flow_hash
from smolctl.stack.transport.socket_base import ANY, SocketBase
from smolctl.wire.address import IPV6

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
        """Return the most specific socket for a unicast packet, or None.

        A group without a connected socket ends the search, even if a socket behind it is more
        specific, unless that is connected (Linux ``udp4_lib_lookup2``, ``inet_lhash2_lookup``).
        """
        for local in (dst, ANY):
            bound = self._bound.get((local, dport))
            if bound is None:
                continue
            if len(bound) == 1:
                if bound[0].accepts(src, sport, dst, dev):
                    return bound[0]
                continue
            sockets = [each for each in bound if each.accepts(src, sport, dst, dev)]
            for socket in reversed(self.at_port(dport)):  # who connected last counts
                if socket.peer is not None and socket in sockets:
                    return socket
            if sockets:
                return self._of_groups(sockets, (src, sport, dst))
        return None

    def _of_groups(self, sockets: list[S], ends: tuple[int, int, int]) -> S:
        """Return which socket gets a packet, of those that would, some in groups."""
        src, sport, dst = ends
        best, best_score = sockets[0], -1
        for socket in sockets:
            score = socket.precedence(dst)
            # Of several that share all of it, the first one counts, which was bound last.
            if score <= best_score:
                continue
            best, best_score = socket, score
            if socket.reuseport:
                ready = [each for each in sockets if each.alike(socket)]
                words = (*address_words(src), *address_words(dst), sport << 16 | socket.port)
                share = flow_hash(self.hash_seed(dst), *words) * len(ready) >> HASH_BITS
                best = ready[share]
                same = self._bound[socket.local, socket.port]
                if all(each.peer is None for each in same if each.alike(socket)):
                    break
        return best

    def hash_seed(self, dst: int) -> int:
        """Return from what the hash of flows to an address begins."""
        return 0

    def at_port(self, port: int) -> list[S]:
        """Return the sockets bound to a port, whatever their address."""
        return self._ports.get(port, [])

    def add(self, socket: S) -> None:
        """Put in a socket whose ``local``, ``port`` and ``dev`` are set.

        Raises:
            AddressInUse: another socket would get the same packets.
        """
        self.check(socket)
        self.put(socket)
        self.tell(ChangeType.NEW, socket)

    def check(self, socket: S) -> None:
        """Check that every other socket at its port shares it, or has another address.

        Raises:
            AddressInUse: another socket would get the same packets.
        """
        for other in self.at_port(socket.port):
            if other is not socket and not socket.shares(other) and socket.meets(other):
                raise AddressInUse(
                    f"port {socket.port} is in use by another socket ({other.owner or 'unnamed'})",
                    hint="smolctl socket show",
                )

    def put(self, socket: S) -> None:
        """Put in a socket that nobody has to agree with, and tell nobody."""
        self.version += 1
        self._enter(socket)
        self._ports.setdefault(socket.port, []).append(socket)
        self._count += 1

    def _enter(self, socket: S) -> None:
        """Put a socket in its place among those of its address (Linux ``udp_lib_get_port``)."""
        same = self._bound.setdefault((socket.local, socket.port), [])
        same.insert(len(same) if socket.reuseport and socket.family is IPV6 else 0, socket)

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
        self._enter(socket)

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
