"""ICMPv6 errors out: when a packet is answered with one, and when RFC 4443 forbids it."""

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack.fib.route import Route, Scope
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.icmp_error import may_answer
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import ErrorKind, SendOptions
from smolctl.stack.ipv6.addresses import is_anycast_here, is_ours
from smolctl.stack.ipv6.output import icmp6_output
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.trace.trace import Direction
from smolctl.wire import icmpv6
from smolctl.wire.address import UNSPECIFIED6, is_multicast
from smolctl.wire.icmpv6 import ParameterProblem, TimeExceeded, Type, Unreachable
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import upper_layer

_TYPES: dict[ErrorKind, tuple[Type, int]] = {
    ErrorKind.NET: (Type.DEST_UNREACHABLE, Unreachable.NO_ROUTE),
    ErrorKind.HOST: (Type.DEST_UNREACHABLE, Unreachable.ADDRESS),
    ErrorKind.PORT: (Type.DEST_UNREACHABLE, Unreachable.PORT),
    ErrorKind.PROHIBITED: (Type.DEST_UNREACHABLE, Unreachable.ADMIN),
    ErrorKind.BEYOND_SCOPE: (Type.DEST_UNREACHABLE, Unreachable.BEYOND_SCOPE),
    ErrorKind.TOO_BIG: (Type.PACKET_TOO_BIG, 0),
    ErrorKind.TTL: (Type.TIME_EXCEEDED, TimeExceeded.HOP_LIMIT),
    ErrorKind.REASSEMBLY: (Type.TIME_EXCEEDED, TimeExceeded.REASSEMBLY),
    ErrorKind.BAD_HEADER: (Type.PARAMETER_PROBLEM, ParameterProblem.HEADER),
    ErrorKind.PROTOCOL: (Type.PARAMETER_PROBLEM, ParameterProblem.NEXT_HEADER),
    ErrorKind.OPTION: (Type.PARAMETER_PROBLEM, ParameterProblem.OPTION),
    ErrorKind.HEADERS: (Type.PARAMETER_PROBLEM, ParameterProblem.FIRST_FRAGMENT),
}
_TO_GROUPS = frozenset({ErrorKind.TOO_BIG, ErrorKind.OPTION})
"""Errors that answer packets to groups, too: for path MTU discovery, and for options that ask for
it (RFC 4443 2.4 (e.3))."""
_UNLIMITED = frozenset({ErrorKind.TOO_BIG})
"""Path MTU discovery waits for the answer. Source: Linux icmpv6 ratemask, all types but 2."""


def answer_error(net: Network, packet: Packet, kind: ErrorKind, rest: int) -> None:
    """Answer a packet with an ICMPv6 error, unless RFC 4443 2.4 (e) or the rate limit forbids it.

    Args:
        packet: the offending packet, which has its fate already.
        rest: the message's second word: an MTU, or a pointer.
    """
    header, now = packet.header, packet.now
    if not may_answer(net, packet, _suppressed(net, packet, kind), limited=kind not in _UNLIMITED):
        return
    src = header.dst if _is_source(net, packet) else _entrance_address(net, packet)
    dev = packet.entrance.name if net.needs_dev(header.src) else None
    how = SendOptions(src, dev, mark=net.mark_of_answer(packet))
    icmp_type, code = _TYPES[kind]
    message = icmpv6.Icmpv6Message(icmp_type, code, rest, packet.data[: icmpv6.QUOTE_MAX])
    trace = net.recorder.begin(Direction.OUT, now, packet.trace)
    try:
        icmp6_output(net, message, header.src, now, how, trace, packet)
    except (SendRejected, NoBuffers):
        return  # counted by icmp6_output under its own reason
    net.recorder.count("icmp6.errors_sent")


def _is_source(net: Network, packet: Packet) -> bool:
    """Tell whether errors about a packet are from where it was sent to: ours (RFC 4443 2.2).

    A route of type local does not make it ours, nor is a link-local address of another link.
    Source: Linux ``ipv6_chk_addr``, ``ipv6_chk_acast_addr_src``.
    """
    dst = packet.header.dst
    if net.is_anycast(dst):
        here = not net.needs_dev(dst) or is_anycast_here(net, packet.interface, dst)
        return here and bool(net.settings["icmp6.anycast_source"])
    return net.is_bindable(dst) and is_ours(net, packet.interface, dst)


def _entrance_address(net: Network, packet: Packet) -> int | None:
    """Return the address of the link by which a packet came in; None where a route names one.

    So whoever traces a route sees the addresses that are on it. Source: Linux ``icmp6_send``.
    """
    route = net.lookup(RouteKey(packet.header.src, protocol=NextHeader.ICMPV6))
    if isinstance(route, Route) and route.prefsrc is not None:
        return None
    return net.select_source(packet.entrance, packet.header.src, None, Scope.GLOBAL)


def _suppressed(net: Network, packet: Packet, kind: ErrorKind) -> str | None:
    """Return which packet of RFC 4443 2.4 (e) it is that MUST NOT be answered; None for none."""
    header = packet.header
    if kind not in _TO_GROUPS:
        if packet.pkt_type is not PacketType.HOST:
            return "frame"
        if is_multicast(header.dst):
            return "group"
    src = header.src
    if src == UNSPECIFIED6 or is_multicast(src) or net.is_anycast(src):
        return "source"
    upper = upper_layer(packet.data, header.next_header)
    if upper.protocol != NextHeader.ICMPV6:
        return None
    if upper.fragment is not None and upper.fragment.fragment_offset:
        return None
    icmp_type = packet.data[upper.offset : upper.offset + 1]
    if not icmp_type:
        return "cut"
    redirect = icmp_type[0] == Type.REDIRECT
    return "error" if icmpv6.is_error(icmp_type[0]) or redirect else None
