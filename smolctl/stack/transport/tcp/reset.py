"""Resets, and acknowledgments of segments that are not acceptable (RFC 9293 3.10.7, RFC 5961)."""

from smolctl.stack import reason
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Direction
from smolctl.stack.transport.tcp.incoming import Incoming
from smolctl.stack.transport.tcp.segment import send_ack, send_segment, transmit
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.wire.tcp import ACK, RST, SYN, TcpHeader


def ends_of(packet: Packet) -> Ends:
    """Return the ends of a connection that a segment belongs to."""
    header, message = packet.header, packet.message
    return Ends(header.dst, message.dport, header.src, message.sport)


def answer_reset(table: TcpTable, segment: Incoming, mark: int = 0) -> None:
    """Answer a segment with RST; one that is RST itself never is (RFC 9293 3.5.2).

    The numbers are such that the sender takes it for its own connection's.

    Args:
        mark: of the socket that it is about.
    """
    packet, header = segment.packet, segment.header
    if header.flags & RST:
        return
    ends = ends_of(packet)
    if header.flags & ACK:
        seq, ack, flags = header.ack, 0, RST
    else:
        seq, ack, flags = 0, header.seq + segment.size, RST | ACK
    trace = table.recorder.begin(Direction.OUT, packet.now, packet.trace)
    net = table.networks.for_address(ends.peer)
    dev = packet.interface.name if net.needs_dev(ends.peer) else None
    mark = net.mark_of_answer(packet) or mark
    how = SendOptions(ends.local, dev, tos=packet.header.dscp_ecn & ~3, mark=mark)
    reset = TcpHeader(ends.port, ends.peer_port, seq, ack, 0, flags, 0)
    answer = reset.to_bytes(b"", ends.local, ends.peer)
    if send_segment(table, ends, answer, how, packet.now, trace):
        table.recorder.count("tcp.resets_sent")


def reject(
    table: TcpTable, segment: Incoming, why: Reason, mark: int = 0, /, **values: object
) -> None:
    """Refuse a segment: its sender gets RST, with the mark of the socket that it is about."""
    segment.packet.record(why, **values)
    answer_reset(table, segment, mark)


def send_reset(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Reset a connection that this end gives up (RFC 9293 3.10.5)."""
    snd = socket.snd
    seq = max(min(snd.nxt, snd.una + snd.wnd), snd.una)
    transmit(table, socket, seq, RST, (), now)
    table.recorder.count("tcp.resets_sent")


def challenge(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> None:
    """Answer with the acknowledgment that a real peer can tell its state by (RFC 5961 3.2, 7).

    Each connection has a limit of its own: a global one tells others of it (CVE-2016-5696).
    """
    least = table.settings.ns("tcp.invalid_ratelimit_ms")
    if least and now - socket.challenge_ns < least:
        segment.packet.record(reason.TCP_CHALLENGE_ACK_LIMITED, **_named(socket))
        return
    socket.challenge_ns, socket.challenged_syn = now, bool(segment.flags & SYN)
    segment.packet.record(reason.TCP_CHALLENGE_ACK, **_named(socket))
    send_ack(table, socket, now)


def answer_unacceptable(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> None:
    """Acknowledge a segment that is not acceptable (RFC 9293 3.10.7.4).

    Two ends that both have it wrong would answer each other for ever: what carries no data is
    answered twice a second at most (Linux tcp_oow_rate_limited).
    """
    least = table.settings.ns("tcp.invalid_ratelimit_ms")
    if not segment.payload or segment.flags & SYN:
        if least and now - socket.invalid_ns < least:
            table.recorder.count("tcp.invalid_acks_limited")
            return
        socket.invalid_ns = now
    send_ack(table, socket, now)


def _named(socket: TcpSocket) -> dict[str, object]:
    ends = socket.ends
    return {"peer": (ends.peer, ends.peer_port), "port": ends.port}
