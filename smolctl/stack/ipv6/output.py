"""IPv6 output: the header, and the link that a packet leaves by."""

from smolctl.stack import reason
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.interface import Medium
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.output import (
    FamilyPart,
    checked_source,
    choose_way,
    default_ttl,
    follow,
    fragments_output,
    loop_copy,
    mtu_of,
    refuse,
    stay_inside,
)
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.ip.way import Refusal, Way, WayType
from smolctl.stack.ipv6.flow_label import flow_label
from smolctl.stack.packet import Packet, Sender
from smolctl.stack.trace.trace import Direction, Flow, Trace
from smolctl.wire import ethernet, icmpv6, ipv6
from smolctl.wire.address import multicast_mac, multicast_scope
from smolctl.wire.fragment import fragments6
from smolctl.wire.ipv6 import Ipv6Header, NextHeader

_MULTICAST, _WAY_LOCAL = WayType.MULTICAST, WayType.LOCAL
_LOOPBACK, _LOCAL, _IPV6 = Medium.IP, Direction.LOCAL, ethernet.EtherType.IPV6
_ICMPV6 = NextHeader.ICMPV6
_INTERFACE_SCOPE = 1


def icmp6_output(
    net: Network,
    message: icmpv6.Icmpv6Message,
    dst: int,
    now: int,
    how: SendOptions,
    trace: Trace | None = None,
    sender: "Sender | Packet | None" = None,
) -> Way:
    """Send one ICMPv6 message.

    Args:
        trace: follows the message; its ``cause`` is the packet that it answers.
        sender: who is told when it does not arrive; of an error the packet that it is about.

    Raises:
        SendRejected: it did not leave, and never will; the reason is counted.
    """
    trace = follow(net.recorder, trace, now)
    size = len(message.body)
    trace.flow = Flow("icmp6", how.src, message.type, dst, message.code, size, how)
    tos = how.tos if trace.cause is None else 0  # Linux icmpv6_echo_reply
    key = RouteKey(dst, how.src, how.dev, OUTPUT, how.mark, _ICMPV6, 0, 0, tos, how.uid, how.loose)
    way = choose_way(net, key, now, trace)
    src = checked_source(net, way, how, icmpv6.HEADER_LEN + size, now, trace)
    if how.ttl is None:
        how = how._replace(ttl=default_ttl(net, way))
    packet = Packet(message.to_bytes(src, dst), way.interface, now, trace, net.recorder)
    packet.answer = trace.cause is not None
    if isinstance(sender, Packet):
        packet.about = sender
    else:
        packet.sender = sender
    ip6_output(net, packet, way, _ICMPV6, how)
    net.recorder.count("icmp6.messages_sent")
    return way


def ip6_output(net: Network, packet: Packet, way: Way, protocol: int, how: SendOptions) -> None:
    """Put the IPv6 header on and hand the packet, or its fragments, to the interface.

    Args:
        packet: what follows the header; ``how.ttl`` is given, and ``way.src``.
    """
    src, dst, hops, out = way.src, way.dst, how.ttl, way.interface
    if src is None or hops is None:
        raise AssertionError("ip6_output needs a source address and a hop limit")
    now, trace, segment = packet.now, packet.trace, packet.data
    packet.mark, multicast = how.mark, way.type is _MULTICAST
    copies = multicast and how.loop and net.of(out).groups.allows(dst, src)
    # RFC 4291 2.7: a group of the interface's scope is on no wire; as with a hop limit of 0, those
    # on this host alone hear it (Linux ip6_finish_output2).
    inside = hops == 0 or (multicast and multicast_scope(dst) <= _INTERFACE_SCOPE)
    inside = inside and out.medium is not _LOOPBACK
    if inside and not copies:
        refuse(net.recorder, Refusal(reason.TX_TTL_ZERO, out.name, {}), now, trace)
    label = flow_label(net, how, src, dst, protocol, segment)
    fields = (how.tos, label, len(segment), protocol, hops, src, dst)
    header = tuple.__new__(Ipv6Header, fields)
    packet.header, packet.data = header, header.to_bytes() + segment
    packet.upper = ipv6.HEADER_LEN
    trace.dev, trace.src, trace.gateway = out.name, src, way.gateway
    trace.frame = packet.data
    fits = len(packet.data) <= way.mtu or len(packet.data) <= mtu_of(way, how.pmtudisc)
    if out.medium is _LOOPBACK or way.type is _WAY_LOCAL or inside:
        trace.direction = _LOCAL
    elif copies and (fits or out.carrier):
        # Fragments are copied one by one, until one of them is lost (Linux ip6_fragment,
        # ip6_finish_output2).
        loop_copy(net, packet, _IPV6)
    if inside:
        net.loopback.output(packet, _IPV6)
    elif fits:
        packet_output(net, packet, way)
    else:
        # Only its sender cuts a packet (RFC 8200 4.5).
        ident = net.idents.next(src, dst, 0)
        fragments_output(net, packet, way, fragments6(packet.data, way.mtu, ident), ident, _PART)


def packet_output(net: Network, packet: Packet, way: Way) -> None:
    """Hand a packet, or a fragment, to the interface of its way.

    Raises: as ``Neighbors.output``.
    """
    if packet.interface.medium is _LOOPBACK or way.type is _WAY_LOCAL:
        stay_inside(net, packet, way, _IPV6)
    elif way.type is _MULTICAST and way.next_hop == way.dst:
        net.neighbors.output_to_all(packet, way.dst, multicast_mac(way.dst))
    else:
        net.neighbors.output(packet, way.next_hop)


_PART = FamilyPart("ip6", ipv6.parse, packet_output)
