"""Predictions of a connection attempt: SYN leaves a clone of the stack, or comes in.

On a loopback, the clone's own sockets answer, so the whole handshake is seen. Across a wire the
answer is the peer's, and a prediction says that it is not known.
"""

from contextlib import suppress
from typing import NamedTuple

from smolctl.errors import AddressInUse
from smolctl.stack.explain.candidates import note_hash
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.way import Refusal
from smolctl.stack.link.loopback import Loopback
from smolctl.stack.trace.facts import Handshake
from smolctl.stack.trace.trace import Direction, Fate, Flow, Trace
from smolctl.stack.transport.local_address import is_local_at
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.tcp.opening import meant_ends, way_to
from smolctl.stack.transport.tcp.output import retransmit
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.tcp import Tcp
from smolctl.wire.address import family_of
from smolctl.wire.ipv4 import Protocol
from smolctl.wire.tcp import SYN, TcpHeader

SOME_PORT = 40_000
"""A port of somebody else, where none is said."""
_TURNS = 8
"""More than a handshake takes on a loopback."""


class Attempt(NamedTuple):
    """A connection attempt: its ends, what its socket insists on, and its IP header."""

    src: int | None
    sport: int
    dst: int
    dport: int
    dev: str | None
    tos: int
    ttl: int | None
    mark: int
    uid: int


def tcp_out(tcp: Tcp, net: Network, attempt: Attempt, now: int, trace: Trace) -> TcpSocket | None:
    """Send SYN from a new socket, followed by ``trace``; None where there is no way.

    Raises:
        SendRejected, NoBuffers: as ``Tcp.connect``; recorded.
        StackError: it is no attempt at all: port 0, or a group.
    """
    src, sport, dst, dport, dev, tos, ttl, mark, uid = attempt
    recorder = net.recorder
    socket = tcp.open("the sender", family_of(dst))
    socket.tos, socket.ttl, socket.reuse = tos, ttl, True
    socket.mark, socket.uid, socket.port = mark, uid, sport
    way = way_to(net, socket, *meant_ends(net, src, dst, dev), dport, dev)
    if isinstance(way, Refusal):
        recorder.follow(trace, now)
        trace.flow = Flow("tcp", src, sport, dst, dport, 0, flags=SYN)
        recorder.record(way.reason, way.dev, now, trace, **way.values)
        return None
    own = src is not None and (net.binds_others or is_local_at(net, src, dev))
    local = src if own else ANY
    if local is not ANY or sport or dev is not None:
        with suppress(AddressInUse):
            tcp.bind(socket, local, sport, dev)
    begin, route = recorder.begin, way.route
    key = RouteKey(way.dst, src, dev, OUTPUT, mark, Protocol.TCP, sport, dport, tos, uid)

    def followed(
        direction: Direction, at_ns: int, cause: Trace | None = None, dev: str | None = None
    ) -> Trace:
        recorder.begin = begin
        recorder.follow(trace, at_ns)
        if src is None:  # the segment has the source that goes with the next hop
            note_hash(net, key, route, trace, at_ns)
        return trace

    recorder.begin = followed  # type: ignore[assignment]  # its third argument has another name
    try:
        tcp.connect(socket, dst, dport, now)
        first = socket.snd.records[0]
        if not first.times:  # it waits until the interface has sent what it has
            retransmit(tcp, socket, first, now)
    finally:
        recorder.begin = begin
    return socket


def conclude(tcp: Tcp, loopback: Loopback, socket: TcpSocket, now: int, trace: Trace) -> None:
    """Let the handshake go on as far as the clone alone can, and note how far it came."""
    for _ in range(_TURNS):
        tcp.flush(now)
        if not loopback.input(now):
            break
    if trace.fate in (Fate.DROPPED, Fate.REJECTED):
        return
    child = tcp.connections.get(socket.ends.mirrored)
    owner = child.owner if isinstance(child, TcpSocket) else ""
    trace.step("tcp", "ok" if socket.connected else "wait", now, Handshake(
        socket.ends.peer, socket.ends.peer_port, socket.connected, owner
    ))  # fmt: skip


def syn(sport: int, dport: int, src: int, dst: int) -> bytes:
    """Return the segment with which somebody else would begin."""
    header = TcpHeader(sport or SOME_PORT, dport, 0, 0, 0, SYN, 64_240, 0)
    return header.to_bytes(b"", src, dst)
