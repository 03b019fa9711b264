"""The fast path of handshakes: hosts that opened a connection to a port of ours open another one.

The layered path has answered a SYN of the host for the listening socket in this configuration; what
it found out about both ways is true for the next one. Options of IP, congestion notification, SYN
with data, ends that something is known of, and queues that are full are left to it.
"""

from dataclasses import dataclass

from smolctl.stack.fastpath.tcp_path import TcpPath, find_path, flow_of, known_path
from smolctl.stack.interface import Interface
from smolctl.stack.ip.output import default_ttl
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.ip.way import Way
from smolctl.stack.neighbor.states import SENDABLE
from smolctl.stack.packet import Packet
from smolctl.stack.transport.tcp.fast_open import answer_syn, calm_syn
from smolctl.stack.transport.tcp.request import Answering, Request
from smolctl.stack.transport.tcp.segment import find_way, route_key, wishes
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.table import TcpTable, wire_key

OPENERS_LIMIT = 4096
"""Hosts remembered, each once for each of our addresses and ports; all are forgotten when there are
more."""


@dataclass(slots=True, eq=False)
class Opener:
    """A host that opens connections to a listening socket.

    Attributes:
        interface: by which its segments come. tos: of its packets.
        path: the way of the answers; how: what the socket wants of them.
        listener: the socket, as long as the table of ports has this version.
        wants: what of the socket ``path`` and ``answering`` depend on.
        front: how its frames begin; b"" until one was found to be right.
    """

    interface: Interface
    tos: int
    path: TcpPath
    how: SendOptions
    answering: Answering
    listener: TcpSocket
    version: int
    wants: tuple[object, ...]
    front: bytes = b""


def learn_opening(table: TcpTable, request: Request, packet: Packet) -> None:
    """Remember who opens a connection, whose SYN the layered path has just answered."""
    interface, listener, ends = packet.interface, request.listener, request.ends
    net = table.networks.for_address(ends.peer)
    fib = net.fib
    if interface.loopback or interface.vlan is not None or not fib.usual_rules or fib.multipaths:
        return
    how = wishes(listener, ends, request.dev, listener.ttl)
    way = find_way(net, route_key(net, ends, how))
    if not isinstance(way, Way):
        return
    if how.ttl is None:
        how = how._replace(ttl=default_ttl(net, way))
    path = find_path(table, way, ends.local, ends.peer, how)
    if path is None:
        return
    request.flow = flow_of(table, path, (ends.port, ends.peer_port), how)
    offset = table.secrets.timestamp_offset(ends)
    default_mss = 536 if net.header_len == 20 else 1220
    answering = Answering(request.dev, request.advmss, default_mss, offset)
    openers = table.openers
    if table.inbound_generation != table.generation.number:
        table.forget_inbound()
    elif len(openers) >= OPENERS_LIMIT:
        openers.clear()
    key = request.key = wire_key(ends)
    openers[_opener_key(key)] = Opener(
        interface, packet.header.dscp_ecn, path, how, answering, listener, table.version,
        _wants(listener),
    )  # fmt: skip
    table.inbound[key] = request, interface, b""


def recall_way(table: TcpTable, socket: TcpSocket, way: Way, how: SendOptions) -> None:
    """Let a SYN leave by the way of earlier connections, and its answer come as their segments."""
    ends = socket.ends
    path = known_path(table, way, ends.local, ends.peer, how)
    if path is None:
        return
    socket.flow = flow_of(table, path, (ends.port, ends.peer_port), how)
    socket.generation = path.generation
    key = wire_key(ends)
    interface = table.heard.get(key[:-4])
    if interface is not None and table.inbound_generation == table.generation.number:
        socket.key = key
        table.inbound[key] = socket, interface, b""


def _opener_key(key: bytes) -> bytes:
    """Return what of a connection's key is the same for all of a host to a port of ours."""
    return key[:-4] + key[-2:]


def _wants(listener: TcpSocket) -> tuple[object, ...]:
    return (
        listener.dev, listener.tos, listener.ttl, listener.pmtudisc, listener.mss_max,
    )  # fmt: skip


def opener_of(table: TcpTable, interface: Interface, key: bytes) -> Opener | None:
    """Return who opened a connection to the same port before, by the same interface.

    Args:
        key: addresses and ports as they stand in the frame.
    """
    opener: Opener | None = table.openers.get(_opener_key(key))
    return opener if opener is not None and opener.interface is interface else None


def syn_input(
    table: TcpTable, opener: Opener, key: bytes, fields: tuple[int, ...], options: bytes, now: int
) -> bool:
    """Answer a SYN of a host that opened a connection before; False leaves everything as it was.

    Args:
        fields: of its header; nothing is behind that, and its checksum is right.
    """
    path, listener, (sport, dport, seq, _, _, window, _, _) = opener.path, opener.listener, fields
    if opener.version != table.version or listener.reuseport:
        found = table.lookup(path.peer, sport, path.local, dport, opener.interface.name)
        if found is not listener and not (found is not None and found.reuseport):
            return False
        # Of a group of SO_REUSEPORT, each flow has its own listener; the way is all the same.
        listener, opener.listener, opener.version = found, found, table.version
    if _wants(listener) != opener.wants or path.entry.state not in SENDABLE:
        return False
    ends = tuple.__new__(Ends, (path.local, dport, path.peer, sport))
    if not calm_syn(table, listener, ends):
        return False
    request = Request(ends, listener, table.secrets.initial(ends, now), seq)
    request.flow = flow_of(table, path, (dport, sport), opener.how)
    request.window, request.key = window, key
    table.inbound[key] = request, opener.interface, opener.front
    answer_syn(table, request, opener.answering, options, now)
    return True
