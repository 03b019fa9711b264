"""UDP output: a datagram, from its socket to IP."""

from smolctl.errors import NoBuffers
from smolctl.stack import reason
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.output import (
    checked_source,
    choose_way,
    default_ttl,
    follow,
    note_way,
    refuse,
)
from smolctl.stack.ip.protocol import NO_OPTIONS, SendOptions
from smolctl.stack.ip.way import Refusal, WayType
from smolctl.stack.packet import Packet
from smolctl.stack.trace.trace import Flow, Trace
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.stack.transport.udp import blocked
from smolctl.stack.transport.udp.outbound import Outbound
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.stack.transport.udp.table import UdpTable
from smolctl.wire import udp
from smolctl.wire.address import IPV4, IPV6_MARK, is_unspecified
from smolctl.wire.ipv4 import Protocol

_UDP = Protocol.UDP


def udp_output(table: UdpTable, socket: UdpSocket, item: OutgoingDatagram, now: int) -> None:
    """Send one datagram from a bound socket, or keep it there where the sysctls say so.

    Args:
        item: 0..65507 bytes of payload, by IPv6 20 more; what is more than the MTU allows is
            fragmented, or refused when the socket insists on DF.

    Raises:
        SendRejected: it did not leave, and never will; the reason is counted.
        NoBuffers: the neighbor cache is full of permanent entries.
    """
    recorder, payload = table.recorder, item.payload
    trace = item.trace = follow(recorder, item.trace, now)
    like = (socket, item.dst, item.dport, item.src, item.dev)
    out = table.outbound.recall(like, table.generation.number)
    if out is None or len(payload) > out.room or socket.send_queue is not None:
        out = _decide(table, socket, item, now, trace)
        if out is None:
            return
        if out.way.interface.settings["neigh.unres_qlen"] and item.dst == like[1]:
            table.outbound.remember(like, out)
    else:
        trace.flow = out.flow_of(len(payload))
        trace.step("socket", "ok", now, socket.bound)
        note_way(out.net, out.key, out.way, now, trace)
    way, sport, dport = out.way, socket.port, item.dport
    segment = udp.to_bytes(sport, dport, payload, out.src, item.dst)
    packet = Packet(segment, way.interface, now, trace, recorder)
    packet.sender = socket
    out.net.output(packet, way, _UDP, out.how)
    socket.tx_datagrams += 1
    if out.plain:
        table.learn_output(socket, way, dport, out.ttl, item.src)


def _decide(
    table: UdpTable, socket: UdpSocket, item: OutgoingDatagram, now: int, trace: Trace
) -> Outbound | None:
    """Decide how a datagram leaves, and note it; None for one that is kept in its socket.

    Raises:
        SendRejected: it does not leave.
    """
    recorder, settings = table.recorder, table.settings
    dst, dport, size = item.dst, item.dport, len(item.payload)
    net = table.networks.for_address(dst)
    asked = dst
    if is_unspecified(dst):
        dst = item.dst = net.meant(dst, item.src or socket.source, item.dev or socket.dev)
    source, sport, tos = item.src if item.src is not None else socket.local, socket.port, socket.tos
    flow = trace.flow = Flow("udp", source, sport, dst, dport, size, socket)
    _check(table, socket, item, now, trace)
    source = blocked.source_of(net, socket, item)
    trace.step("socket", "ok", now, socket.bound)
    patient = socket.send_queue is not None or settings["ip.no_route"]
    if patient and _kept(table, net, socket, item, now):
        return None
    options = socket.options_to(dst) if socket.options else NO_OPTIONS
    hop = options.hop
    if hop is None:  # Linux ip_route_output_key_hash_rcu knows what 0.0.0.0 is
        hop = asked if net.family is IPV4 else dst
    dev, mark, uid = item.dev or socket.dev_to(dst), socket.mark, socket.uid
    key = RouteKey(hop, source, dev, OUTPUT, mark, _UDP, sport, dport, tos, uid)
    way = choose_way(net, key, now, trace)
    may = socket.broadcast
    if way.type is WayType.BROADCAST and not may:
        values: dict[str, object] = {"ip": dst, "port": dport, "size": size}
        refusal = Refusal(reason.TX_BROADCAST_DENIED, way.interface.name, values)
        refuse(recorder, refusal, now, trace)
    ttl = socket.multicast_ttl if way.type is WayType.MULTICAST else socket.ttl
    ttl = default_ttl(net, way) if ttl is None else ttl
    how = SendOptions(
        source, None, ttl, tos, options, socket.pmtudisc, socket.multicast_loop, may,
        socket.flow_label, mark, uid,
    )  # fmt: skip
    source = checked_source(net, way, how, udp.HEADER_LEN + size, now, trace)
    if not way.interface.settings["neigh.unres_qlen"] and blocked.for_neighbor(
        table, net, socket, item, way, now
    ):
        return None
    how = net.labelled(how, way, _UDP, sport.to_bytes(2) + dport.to_bytes(2))
    plain = not (tos or socket.options or item.dev or socket.flow_label is not None)
    room = min(way.mtu, net.max_packet_len) - net.header_len - len(options.raw) - udp.HEADER_LEN
    return Outbound(net, key, way, how, source, ttl, flow, room, plain)


def wrong_family(socket: UdpSocket, dst: int, src: int | None = None) -> Refusal | None:
    """Return why a socket cannot send to an address, or from ``src`` to it, for their family."""
    cause = ""
    if not socket.speaks(dst):
        cause = "family" if dst < IPV6_MARK else "mapped"
    elif src is not None and (src < IPV6_MARK) != (dst < IPV6_MARK):
        cause = "source"
    values: dict[str, object] = {"ip": dst, "source": src, "cause": cause}
    return Refusal(reason.TX_WRONG_FAMILY, "", values) if cause else None


def _check(
    table: UdpTable, socket: UdpSocket, item: OutgoingDatagram, now: int, trace: Trace
) -> None:
    """Refuse what can go to nobody, whatever routes there are.

    Raises:
        SendRejected: tx-payload-too-long, tx-dst-invalid or tx-wrong-family.
    """
    dst, size = item.dst, len(item.payload)
    refusal: Refusal | None
    most = udp.MAX_PAYLOAD if dst < IPV6_MARK else udp.MAX_PAYLOAD6
    if size > most:
        refusal = Refusal(reason.TX_PAYLOAD_TOO_LONG, "", {"size": size, "most": most})
    elif item.dport == 0:
        refusal = Refusal(reason.TX_DST_INVALID, "", {"ip": "port 0", "cause": "port"})
    else:
        refusal = wrong_family(socket, dst, item.src)
    if refusal is not None:
        refuse(table.recorder, refusal, now, trace)


def _kept(
    table: UdpTable, net: Network, socket: UdpSocket, item: OutgoingDatagram, now: int
) -> bool:
    """Keep a datagram in its socket when another one waits there, or there is no route yet."""
    if socket.send_queue is not None:
        if blocked.is_full(socket, item):
            values: dict[str, object] = {
                "port": socket.port, "queued": socket.send_queue.bytes, "limit": socket.sndbuf,
            }  # fmt: skip
            refusal = Refusal(reason.UDP_SNDBUF_FULL, socket.send_queue.dev, values)
            refuse(table.recorder, refusal, now, item.followed)
        blocked.behind(table, socket, item, now)
        return True
    missing = blocked.lacks_route(table, net, socket, item)
    if missing is not None:
        blocked.for_route(table, socket, item, missing, now)
    return missing is not None


def udp_autobind(table: UdpTable, socket: UdpSocket, now: int, trace: Trace | None) -> None:
    """Give a socket that sends for the first time a port (RFC 6335 6).

    Raises:
        SendRejected: tx-no-port.
    """
    try:
        bind_free_port(table, socket)
    except NoBuffers:
        trace = follow(table.recorder, trace, now)
        ports = ephemeral_ports(table)
        values: dict[str, object] = {"first": ports[0], "last": ports[-1]}
        refuse(table.recorder, Refusal(reason.TX_NO_PORT, "", values), now, trace)


def ephemeral_ports(table: UdpTable) -> range:
    """Return the ports of which sockets that ask for none get one."""
    first, last = (table.settings[f"ip.local_port_{end}"] for end in ("first", "last"))
    return range(first, last + 1)


def bind_free_port(table: UdpTable, socket: UdpSocket) -> None:
    """Bind a socket to an ephemeral port of its address (RFC 6335 6).

    Raises:
        NoBuffers: none is free.
    """
    ports = ephemeral_ports(table)
    start = int(table.shared.random() * len(ports))
    try:
        socket.port = table.free_port(socket, ports, start)
    except NoBuffers as error:
        values = {"first": ports[0], "last": ports[-1]}
        detail = table.recorder.ledger.detail(reason.TX_NO_PORT, values)
        error.hint = reason.TX_NO_PORT.hint(detail)
        raise
    table.add(socket)
    table.generation.touch()
