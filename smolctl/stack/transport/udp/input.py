"""UDP input: a datagram, from IP to the queue of its socket."""

from collections.abc import Iterable
from itertools import islice

from smolctl.stack import reason
from smolctl.stack.ip.host_model import kept_from
from smolctl.stack.ip.protocol import ErrorKind
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Fate
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.udp.socket import Datagram, RawDatagram, UdpSocket
from smolctl.stack.transport.udp.table import UdpTable
from smolctl.wire import udp
from smolctl.wire.address import format_address, is_multicast
from smolctl.wire.fault import WireFault

_DELIVERED = Fate.DELIVERED
_SHOWN_MAX = 4
"""Sockets that an explanation names."""


def udp_input(table: UdpTable, packet: Packet) -> None:
    """Deliver a datagram to the most specific socket; a broadcast to all that match."""
    header, name = packet.header, packet.entrance.name
    segment = packet.data[packet.upper :]
    src, dst = header.src, header.dst
    parsed = udp.parse(segment, src, dst)
    if isinstance(parsed, WireFault):
        packet.malformed(parsed)
        return
    packet.message = parsed
    packet.step("udp", "ok", parsed)
    sport, dport = parsed.sport, parsed.dport
    payload = segment[udp.HEADER_LEN : parsed.length]
    tos, options = header.dscp_ecn, header.options
    datagram: RawDatagram = (payload, src, sport, dst, dport, name, packet.now)
    if tos or options:
        fields = (payload, src, sport, dst, dport, name, packet.now, tos, options)
        datagram = Datagram(*fields)
    if packet.to_all:
        _deliver_to_all(table, packet, datagram)
        return
    socket = table.lookup(src, sport, dst, dport, name)
    if socket is None:
        why, values = _no_socket(table, datagram)
        packet.record(why, **values)
        table.networks.for_address(dst).answer_error(packet, ErrorKind.PORT)
        return
    socket_deliver(packet, socket, datagram)
    if not packet.looped and not socket.detailed:
        table.learn_input(socket, packet)


def socket_deliver(packet: Packet, socket: UdpSocket, datagram: RawDatagram) -> None:
    """Queue a datagram for its socket, within the socket's bound."""
    packet.step("socket", "pick", socket.bound)
    if not socket.take(_detailed(packet, datagram) if socket.detailed else datagram):
        packet.record(reason.UDP_RCVBUF_FULL, **_count_drop(socket))
        return
    packet.trace.dev = packet.interface.name
    packet.trace.settle(_DELIVERED, packet.now)


def _detailed(packet: Packet, datagram: RawDatagram) -> Datagram:
    """Return a datagram with what its IP header says."""
    header = packet.header
    return Datagram(*datagram[:7], header.dscp_ecn, header.options, header.ttl)


def _deliver_to_all(table: UdpTable, packet: Packet, datagram: RawDatagram) -> None:
    """Queue a broadcast or multicast for every socket that wants it (RFC 1122 4.1.3.5).

    The datagram has one fate: it is delivered when at least one of them has room for it. Further
    copies are counted, and so is each that a socket has no room for.
    """
    payload, src, sport, dst, dport, dev, *_ = datagram
    group = is_multicast(dst)
    sockets = [
        socket
        for socket in table.at_port(dport)
        if socket.accepts(src, sport, dst, dev) and (not group or socket.hears(src, dst, dev))
    ]
    if not sockets:
        net = table.networks.for_address(dst)
        onward = None if packet.looped else kept_from(net, packet.interface, dst)
        if onward is not None:
            packet.record(reason.FWD_DIRECTED_BROADCAST, ip=dst, port=dport, out=onward)
            return
        bound = table.at_port(dport)
        cause = "bound" if bound else "closed"
        if group and any(socket.accepts(src, sport, dst, dev) for socket in bound):
            cause = "group"
        packet.record(
            reason.UDP_NO_LISTENER, ip=dst, port=dport, group=dst if group else None,
            broadcast=None if group else dst, bound=_bound_text(bound), cause=cause,
        )  # fmt: skip
        return
    full = [socket for socket in sockets if not socket.has_room(payload)]
    takers = [socket for socket in sockets if socket not in full]
    for socket in takers:
        packet.step("socket", "pick", socket.bound)
        socket.take(_detailed(packet, datagram) if socket.detailed else datagram)
    packet.trace.dev = dev
    for socket in full if takers else full[1:]:
        packet.record(reason.UDP_COPY_LOST, **_count_drop(socket))
    if takers:
        if len(takers) > 1:
            table.recorder.count("udp.copies_delivered", len(takers) - 1)
        packet.trace.settle(Fate.DELIVERED, packet.now)
    else:
        packet.record(reason.UDP_RCVBUF_FULL, **_count_drop(full[0]))


def _count_drop(socket: UdpSocket) -> dict[str, object]:
    """Note that a socket had no room; return the values for the reason."""
    socket.drops += 1
    return {"queued": socket.queue_bytes, "limit": socket.rcvbuf, "port": socket.port}


def _no_socket(table: UdpTable, datagram: RawDatagram) -> tuple[Reason, dict[str, object]]:
    """Tell why nobody took a datagram: the port is free, or its socket wants something else."""
    _, src, sport, dst, port, *_ = datagram
    bound = table.at_port(port)
    for socket in bound:
        peer = socket.peer, socket.peer_port
        local = socket.local == dst or (socket.local is ANY and socket.speaks(dst))
        if local and socket.peer is not None and peer != (src, sport):
            cause = "port" if socket.peer == src else "address"
            source = src, sport
            return reason.UDP_PEER_MISMATCH, {"peer": peer, "source": source, "cause": cause}
    if bound:
        here = any(
            socket.local == dst or (socket.local is ANY and socket.speaks(dst)) for socket in bound
        )
        values = {"ip": dst, "port": port, "cause": "device" if here else "address"}
        return reason.UDP_BOUND_ELSEWHERE, {**values, "bound": _bound_text(bound)}
    return reason.UDP_PORT_CLOSED, {"ip": dst, "port": port}


def _bound_text(sockets: Iterable[UdpSocket]) -> str:
    """Return what some sockets are bound to, in one line."""
    return ", ".join(
        format_address(socket.shown_local)
        + (f" dev {socket.dev}" if socket.dev else "")
        + (f" ({socket.owner})" if socket.owner else "")
        for socket in islice(sockets, _SHOWN_MAX)
    )
