"""ICMP errors out: when a packet is answered with one, and when RFC 1122 forbids it."""

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack.fib.route import Scope
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.icmp_error import may_answer
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import ErrorKind, SendOptions
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.ipv4.options import answering
from smolctl.stack.ipv4.output import icmp_output
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.trace.trace import Direction
from smolctl.wire import icmpv4, ipv4
from smolctl.wire.address import is_class_e, is_multicast
from smolctl.wire.icmpv4 import Redirect, TimeExceeded, Type, Unreachable

QUOTE_LIMIT = 576 - ipv4.MIN_HEADER_LEN - icmpv4.HEADER_LEN
"""Bytes an error quotes of the offending packet: it stays within 576 (RFC 1812 4.3.2.3)."""

_TYPES: dict[ErrorKind, tuple[Type, int]] = {
    ErrorKind.NET: (Type.DEST_UNREACHABLE, Unreachable.NET),
    ErrorKind.HOST: (Type.DEST_UNREACHABLE, Unreachable.HOST),
    ErrorKind.PROTOCOL: (Type.DEST_UNREACHABLE, Unreachable.PROTOCOL),
    ErrorKind.PORT: (Type.DEST_UNREACHABLE, Unreachable.PORT),
    ErrorKind.TOO_BIG: (Type.DEST_UNREACHABLE, Unreachable.FRAG_NEEDED),
    ErrorKind.SOURCE_ROUTE: (Type.DEST_UNREACHABLE, Unreachable.SOURCE_ROUTE_FAILED),
    ErrorKind.PROHIBITED: (Type.DEST_UNREACHABLE, Unreachable.ADMIN),
    ErrorKind.TTL: (Type.TIME_EXCEEDED, TimeExceeded.TTL),
    ErrorKind.REASSEMBLY: (Type.TIME_EXCEEDED, TimeExceeded.REASSEMBLY),
    ErrorKind.BAD_HEADER: (Type.PARAMETER_PROBLEM, 0),
    ErrorKind.REDIRECT: (Type.REDIRECT, Redirect.HOST),
}
_UNLIMITED = frozenset({ErrorKind.REDIRECT, ErrorKind.TOO_BIG})
"""Errors that the rate limit is not for: redirects have one of their own, and path MTU discovery
waits for the answer. Source: Linux ``icmpv4_mask_allow``, icmp_ratemask."""


def answer_error(net: Network, packet: Packet, kind: ErrorKind, rest: int) -> None:
    """Answer a packet with an ICMP error, unless RFC 1122 3.2.2 or the rate limit forbids it.

    Args:
        packet: the offending packet, which has its fate already.
        rest: the message's second word: a parameter problem's pointer, ...
    """
    header, now = packet.header, packet.now
    if not may_answer(net, packet, _suppressed(net, packet), limited=kind not in _UNLIMITED):
        return
    src = _source(net, packet)
    # As Linux icmp_send: the options go back as in an answer, and count for the length.
    options = answering(header)
    hop = header.src if options.hop is None else options.hop
    tos = _tos(net, header.dscp_ecn)
    mark = net.mark_of_answer(packet)
    way = route_output(net, RouteKey(hop, src, mark=mark, protocol=ipv4.Protocol.ICMP, tos=tos))
    room = QUOTE_LIMIT
    if isinstance(way, Way):
        room = min(room, way.mtu - ipv4.MIN_HEADER_LEN - icmpv4.HEADER_LEN)
    room -= len(options.raw)
    icmp_type, code = _TYPES[kind]
    quote = packet.data[: min(room, header.total_length)]
    message = icmpv4.IcmpMessage(icmp_type, code, rest, quote)
    taken = bool(net.settings["ip.broadcast_source"])
    how = SendOptions(src, tos=tos, options=options, mark=mark, broadcast=taken)
    trace = net.recorder.begin(Direction.OUT, now, packet.trace)
    try:
        icmp_output(net, message, header.src, now, how, trace, packet)
    except (SendRejected, NoBuffers):
        return  # counted by icmp_output under its own reason
    net.recorder.count("icmp.errors_sent")


def _source(net: Network, packet: Packet) -> int | None:
    """Return the address that an error must come from; None for that of the way it takes.

    Source: Linux ``icmp_send``.
    """
    header, source = packet.header, None
    if net.fib.is_local(header.dst):
        source = header.dst
    elif net.settings["icmp.inbound_source"] and not packet.looped:
        source = net.select_source(packet.interface, header.src, header.src, Scope.LINK)
    return source or None


def _tos(net: Network, tos: int) -> int:
    """Return the type of service of an error about a packet with ``tos``.

    RFC 1122 3.2.2 has it 0 (sysctl value "zero"); RFC 1812 4.3.2.5 that of the packet, with the
    precedence of internetwork control, as Linux does (icmp_send).
    """
    return (tos & _TOS_BITS) | _INTERNETWORK_CONTROL if net.settings["icmp.error_tos"] else 0


_TOS_BITS, _INTERNETWORK_CONTROL = 0x1E, 0xC0


def _suppressed(net: Network, packet: Packet) -> str | None:
    """Return which packet of RFC 1122 3.2.2 it is that MUST NOT be answered; None for none."""
    header = packet.header
    src, dst = header.src, header.dst
    if packet.pkt_type is not PacketType.HOST:
        return "frame"
    if is_multicast(dst) or net.is_broadcast(dst):
        return "group" if is_multicast(dst) else "broadcast"
    if header.fragment_offset > 0:
        return "fragment"
    cause = net.no_host(src)
    # Where such a packet is taken, it is answered, too (Linux icmp_send).
    taken = cause == "broadcast" and net.settings["ip.broadcast_source"]
    if is_class_e(src) or not (cause is None or taken):
        return "source"
    if header.protocol == ipv4.Protocol.ICMP:
        kind = packet.data[header.header_len : header.header_len + 1]
        if not kind:
            return "cut"
        return "error" if icmpv4.is_error(kind[0]) else None
    return None
