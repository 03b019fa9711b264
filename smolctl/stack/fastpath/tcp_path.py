"""The ways of TCP's fast path: what all connections between two addresses share, and each has.

``Generation`` says how long a way is true. The MAC of its next hop, and whether it is known, are
looked at for every segment.
"""

from dataclasses import dataclass, field

from smolctl.stack.interface import OUTBOX_LIMIT, Interface, Medium
from smolctl.stack.ip import gateways
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.ip.way import Way, WayType
from smolctl.stack.ipv6.flow_label import flow_label
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.states import SENDABLE, State
from smolctl.stack.transport.tcp.segment import usable_mtu
from smolctl.stack.transport.tcp.socket import Handover, TcpSocket
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.wire.address import IPV6_MARK
from smolctl.wire.ipv4 import Ipv4Header
from smolctl.wire.ipv6 import Ipv6Header
from smolctl.wire.offload.tcp_run import TIMED_LEN, Buffer, Numbers, TcpHeaders

PATHS_LIMIT = 4096
"""Ways remembered; all are forgotten when there are more."""
_HEADERS_LIMIT = 64
_REACHABLE = State.REACHABLE
_CONFIRM_NS = 1_000_000_000


@dataclass(slots=True, eq=False)
class TcpPath:
    """The way from one address to another by an Ethernet interface.

    Attributes:
        generation: the configuration it is true for.
        way: as it was chosen.
        entry: the next hop's neighbor; its state is looked at for every segment.
        local, peer, ttl: of its packets.
        mtu: of a packet. largest: payload that leaves in one piece, bytes.
        headers: of segments to ``lladdr``, without the ports of anybody: by type of service, flow
            label, and bytes of options and payload in a segment.
    """

    generation: int
    way: Way
    cache: NeighborCache
    entry: Neighbor
    local: int
    peer: int
    ttl: int
    mtu: int
    largest: int
    lladdr: bytes | None = None
    headers: dict[tuple[int, int, int], TcpHeaders] = field(default_factory=dict)
    confirmed_ns: int = 0

    def headers_for(self, tos: int, label: int, mss: int) -> TcpHeaders | None:
        """Return headers to the next hop's MAC, as it is now; None where they are of no use."""
        lladdr, known = self.entry.lladdr, self.headers
        if lladdr is None or mss <= 40:
            return None
        if lladdr != self.lladdr or len(known) >= _HEADERS_LIMIT:
            known.clear()
            self.lladdr = lladdr
        found = known.get((tos, label, mss))
        if found is None:
            found = known[tos, label, mss] = self._prepare(tos, label, mss, lladdr)
        return found

    def _prepare(self, tos: int, label: int, mss: int, lladdr: bytes) -> TcpHeaders:
        header: Ipv4Header | Ipv6Header
        if self.peer >= IPV6_MARK:
            header = Ipv6Header(tos, label, 0, 6, self.ttl, self.local, self.peer)
        else:
            header = Ipv4Header(
                5, tos, 0, 0, True, False, 0, self.ttl, 6, self.local, self.peer, b""
            )
        return TcpHeaders((lladdr, self.way.interface.mac), header, 0, 0, mss)

    def confirm(self, now: int) -> None:
        """Take progress of a connection as a sign of the next hop (RFC 4861 7.3.1)."""
        self.confirmed_ns = now
        self.cache.confirm(self.entry.ip, now)


class TcpFlow:
    """The way of one connection's segments.

    Attributes:
        generation, largest, mtu: those of ``path``. out: the interface of its way.
        label: flow label of IPv6, else 0.
    """

    __slots__ = (
        "_headers", "_outbox", "_tos", "generation", "label", "largest", "mtu", "out", "path",
        "ports",
    )  # fmt: skip

    def __init__(self, path: TcpPath, ports: tuple[int, int], label: int) -> None:
        self.path, self.ports, self.label = path, ports, label
        self.generation, self.largest = path.generation, path.largest
        self.mtu, self.out = path.mtu, path.way.interface
        self._outbox, self._tos = self.out.outbox, -1
        self._headers: TcpHeaders | None = None

    def send(
        self, numbers: tuple[int, int, int, int], options: bytes, tos: int, room: int,
        buffers: tuple[Buffer, ...],
    ) -> int:  # fmt: skip
        """Put a segment into the outbox; return how many it is cut into, 0 for nothing done."""
        headers = self._ready(tos, room)
        if headers is None:
            return 0
        segment = headers.segment(*numbers, options, buffers)
        self._outbox.append(segment)
        return segment.count

    def send_timed(
        self, numbers: Numbers, tos: int, room: int, size: int, buffers: tuple[Buffer, ...]
    ) -> int:  # fmt: skip
        """Do the same with a segment that has a timestamp and no other option.

        Args:
            size: of ``buffers``, bytes.
        """
        entry, headers = self.path.entry, self._headers
        if (
            headers is None or headers.mss != room or self._tos != tos
            or entry.state not in SENDABLE or headers.macs[0] != entry.lladdr
            or len(self._outbox) >= OUTBOX_LIMIT
        ):  # fmt: skip
            headers = self._ready(tos, room)
            if headers is None:
                return 0
        segment = headers.timed(numbers, size, buffers)
        self._outbox.append(segment)
        return 1 if size <= segment.room else segment.count

    def _ready(self, tos: int, room: int) -> TcpHeaders | None:
        """Return the headers as they are now, None when the layered path has to look."""
        entry, headers = self.path.entry, self._headers
        if entry.state not in SENDABLE or len(self._outbox) >= OUTBOX_LIMIT:
            return None
        if (
            headers is not None and headers.mss == room and self._tos == tos
            and headers.macs[0] == entry.lladdr
        ):  # fmt: skip
            return headers
        shared = self.path.headers_for(tos, self.label, room)
        self._tos, self._headers = tos, None if shared is None else shared.between(*self.ports)
        return self._headers

    def confirm(self, now: int) -> None:
        """Take progress of the connection as a sign of the next hop."""
        path = self.path
        if now - path.confirmed_ns >= _CONFIRM_NS or path.entry.state is not _REACHABLE:
            path.confirm(now)


def known_path(
    table: TcpTable, way: Way, local: int, peer: int, how: SendOptions
) -> TcpPath | None:
    """Return the way between two addresses, if it is remembered; see ``find_path``."""
    if table.paths_generation != table.generation.number or table.recorder.journal.everything:
        return None
    key = (way.interface, way.next_hop, id(way.route), local, peer, how.ttl)
    path: TcpPath | None = table.paths.get(key)
    if path is None or path.cache.lookup(path.entry.ip) is not path.entry:
        return None
    return path if how.pmtudisc.df(locked=way.locked) else None


def find_path(table: TcpTable, way: Way, local: int, peer: int, how: SendOptions) -> TcpPath | None:
    """Return the way between two addresses, if it is one that can be remembered.

    Args:
        how: as the layered path sends, with a TTL.
    """
    paths, generation = table.paths, table.generation.number
    if table.paths_generation != generation or len(paths) >= PATHS_LIMIT:
        paths.clear()
        table.paths_generation = generation
    out = way.interface
    if table.recorder.journal.everything or not how.pmtudisc.df(locked=way.locked):
        return None  # who follows packets sees each; shared headers have DF
    known = known_path(table, way, local, peer, how)
    if known is not None:
        return known
    key = (out, way.next_hop, id(way.route), local, peer, how.ttl)
    if (
        how.ttl is None
        or way.type is not WayType.UNICAST
        or out.medium is Medium.IP
        or not (out.carrier and out.up)
        or out.impairment is not None
        or out.vlan is not None
    ):
        return None
    net = table.networks.for_address(peer)
    cache = net.neighbors[out.name]
    entry = cache.lookup(way.next_hop)
    if entry is None:
        return None
    if way.route is not None:
        gateways.watch(net, peer, way.route)
    mtu, largest = usable_mtu(net, way), 0xFFFF - net.header_len - 60
    made = TcpPath(generation, way, cache, entry, local, peer, how.ttl, mtu, largest)
    paths[key] = made
    return made


def learn_output(
    table: TcpTable, socket: TcpSocket, way: Way, how: SendOptions
) -> None:  # fmt: skip
    """Remember the way of a segment that the layered path just sent."""
    out, ends = way.interface, socket.ends
    if out.loopback:
        _learn_handover(table, socket, out)
        return
    path = find_path(table, way, ends.local, ends.peer, how)
    if path is not None:
        socket.flow = flow_of(table, path, (ends.port, ends.peer_port), how)


def flow_of(table: TcpTable, path: TcpPath, ports: tuple[int, int], how: SendOptions) -> TcpFlow:
    """Return the way of a connection, by its ports."""
    label = 0
    if path.peer >= IPV6_MARK:
        net, (port, peer_port) = table.networks.for_address(path.peer), ports
        words = port.to_bytes(2) + peer_port.to_bytes(2)
        label = flow_label(net, how, path.local, path.peer, 6, words)
    return TcpFlow(path, ports, label)


def _learn_handover(table: TcpTable, socket: TcpSocket, out: Interface) -> None:
    """Remember the other end of a connection within this stack."""
    ends = socket.ends
    other = table.connections.get(ends.mirrored)
    if not isinstance(other, TcpSocket) or other is socket or not out.up:
        return
    if table.recorder.journal.everything or out.impairment is not None:
        return
    net = table.networks.for_address(ends.peer)
    queue, headers_len = net.loopback.queue, net.header_len + TIMED_LEN
    socket.handover = Handover(table.generation.number, other, out, queue, headers_len)
