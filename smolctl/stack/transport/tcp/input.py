"""TCP input: a segment is checked, and handed to its connection."""

from smolctl.stack import reason
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.transport.tcp.established import socket_input
from smolctl.stack.transport.tcp.handshake import listen_input, request_input, syn_sent_input
from smolctl.stack.transport.tcp.incoming import Incoming
from smolctl.stack.transport.tcp.probe import Probe
from smolctl.stack.transport.tcp.probing import probe_input
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.reset import ends_of, reject
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.stack.transport.tcp.time_wait import TimeWait
from smolctl.stack.transport.tcp.waiting_input import time_wait_input
from smolctl.wire import tcp
from smolctl.wire.fault import WireFault
from smolctl.wire.tcp import RST


def tcp_input(table: TcpTable, packet: Packet) -> None:
    """Take a segment that is for this stack (RFC 9293 3.10.7)."""
    header = packet.header
    segment = packet.data[packet.upper :]
    parsed = tcp.parse(segment, header.src, header.dst)
    if isinstance(parsed, WireFault):
        packet.malformed(parsed)
        return
    packet.message = parsed
    packet.step("tcp", "ok", parsed)
    if packet.to_all or packet.pkt_type is not PacketType.HOST:
        # RFC 9293 3.9.2.3 (MUST-57): a connection has one peer, and one of us.
        packet.record(reason.TCP_GROUP_ADDRESS, ip=header.dst, peer=(header.src, parsed.sport))
        return
    table.recorder.count("tcp.segments_received")
    incoming = Incoming(packet, parsed, tcp.payload(segment, parsed), packet.now)
    ends = ends_of(packet)
    found = table.connections.get(ends)
    if found is not None and found.dev not in (None, packet.entrance.name):
        # Linux inet_match. Deviation: the same ends have no second connection by another link.
        named: dict[str, object] = {"peer": (ends.peer, ends.peer_port), "port": ends.port}
        if parsed.flags & RST:
            packet.record(reason.TCP_STRAY_RST, **named, ip=ends.local)
        else:
            reject(table, incoming, reason.TCP_NO_CONNECTION, **named, ip=ends.local)
    elif isinstance(found, TcpSocket):
        if found.state is State.SYN_SENT:
            syn_sent_input(table, found, incoming)
        else:
            socket_input(table, found, incoming)
            if not packet.looped and found.state is State.ESTABLISHED:
                table.learn_input(found, packet)
    elif isinstance(found, Request):
        request_input(table, found, incoming)
    elif isinstance(found, TimeWait):
        time_wait_input(table, found, incoming)
    elif isinstance(found, Probe):
        probe_input(table, found, incoming)
    else:
        listen_input(table, incoming, ends)
