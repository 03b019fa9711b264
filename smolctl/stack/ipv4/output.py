"""IPv4 output: the header, and the link that a packet leaves by."""

from smolctl.stack import reason
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.output import (
    TRANSPORT_HEADER_LEN,
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
from smolctl.stack.ipv4.options import departing
from smolctl.stack.packet import Packet, Sender
from smolctl.stack.trace.trace import Direction, Flow, Trace
from smolctl.wire import ethernet, icmpv4, ipv4
from smolctl.wire.address import BROADCAST_MAC, DUMMY, multicast_mac
from smolctl.wire.fragment import fragments

HEADERS_LEN = ipv4.MIN_HEADER_LEN + TRANSPORT_HEADER_LEN
"""Bytes in front of a datagram's payload, and of an echo request's."""
_UNICAST, _BROADCAST, _MULTICAST = WayType.UNICAST, WayType.BROADCAST, WayType.MULTICAST
_ICMP = ipv4.Protocol.ICMP
_LOOPBACK, _LOCAL, _IPV4 = Medium.IP, Direction.LOCAL, ethernet.EtherType.IPV4


def icmp_output(
    net: Network,
    message: icmpv4.IcmpMessage,
    dst: int,
    now: int,
    how: SendOptions,
    trace: Trace | None = None,
    sender: "Sender | Packet | None" = None,
) -> Way:
    """Send one ICMP message.

    Answers and errors may be fragmented by anybody, as Linux's (icmp_sk_init: IP_PMTUDISC_DONT).

    Args:
        trace: follows the message; its ``cause`` is the packet that it answers.
        sender: who is told when it does not arrive; of an error the packet that it is about.

    Raises:
        SendRejected: it did not leave, and never will; the reason is counted.
    """
    trace = follow(net.recorder, trace, now)
    size = len(message.body)
    trace.flow = Flow("icmp", how.src, message.type, dst, message.code, size, how)
    hop = dst if how.options.hop is None else how.options.hop
    key = RouteKey(hop, how.src, how.dev, mark=how.mark, protocol=_ICMP, tos=how.tos, uid=how.uid)
    way = choose_way(net, key, now, trace)
    if way.type is _BROADCAST and not how.broadcast:
        values: dict[str, object] = {"ip": dst, "broadcast": dst}
        denied = Refusal(reason.TX_BROADCAST_DENIED, way.interface.name, values)
        refuse(net.recorder, denied, now, trace)
    if isinstance(sender, Packet) and not way.src:
        # RFC 7600 4.8; Linux __icmp_send.
        way = way._replace(src=DUMMY)
    segment = message.to_bytes()
    checked_source(net, way, how, len(segment), now, trace)
    if how.ttl is None:
        how = how._replace(ttl=default_ttl(net, way))
    packet = Packet(segment, way.interface, now, trace, net.recorder)
    packet.answer = trace.cause is not None
    if isinstance(sender, Packet):
        packet.about = sender
    else:
        packet.sender = sender
    ip_output(net, packet, way, _ICMP, how)
    net.recorder.count("icmp.messages_sent")
    return way


def ip_output(net: Network, packet: Packet, way: Way, protocol: int, how: SendOptions) -> None:
    """Put the IPv4 header on and hand the packet, or its fragments, to the interface.

    What has DF has ident 0: RFC 6864 4.1 lets an atomic datagram have any. A fragment of ours has
    no DF: on its way, what is too big may be cut once more (Linux ip_fragment).

    Args:
        packet: what follows the header; ``how.ttl`` is given, and ``way.src``.
    """
    src, dst, ttl, out = way.src, way.dst, how.ttl, way.interface
    if src is None or ttl is None:
        raise AssertionError("ip_output needs a source address and a time to live")
    now, trace = packet.now, packet.trace
    packet.mark, multicast = how.mark, way.type is _MULTICAST
    copies = way.type is _BROADCAST or (
        multicast and how.loop and net.of(out).groups.allows(dst, src)
    )
    if ttl == 0 and not (copies and multicast):
        refuse(net.recorder, Refusal(reason.TX_TTL_ZERO, out.name, {}), now, trace)
    options, segment = how.options.raw, packet.data
    if options:
        options = departing(net, options, src, now)
    size = ipv4.MIN_HEADER_LEN + len(options) + len(segment)
    fits = size <= way.mtu or size <= mtu_of(way, how.pmtudisc)
    df = fits and how.pmtudisc.df(locked=way.locked)
    ident = 0 if df else net.idents.next(src, dst, protocol)
    fields = (5, how.tos, size, ident, df, False, 0, ttl, protocol, src, dst, options)
    header = tuple.__new__(ipv4.Ipv4Header, fields)
    packet.header, packet.data = header, header.to_bytes() + segment
    trace.dev, trace.src, trace.gateway = out.name, src, way.gateway
    trace.frame = packet.data
    if out.medium is _LOOPBACK or ttl == 0:
        # RFC 1112 6.1: what has TTL 0 is for the members on this host alone.
        trace.direction = _LOCAL
    elif copies:
        loop_copy(net, packet, _IPV4)
    if ttl == 0:
        net.loopback.output(packet, _IPV4)
    elif fits:
        packet_output(net, packet, way)
    else:
        # RFC 791 3.2.
        fragments_output(net, packet, way, fragments(header, segment, way.mtu), ident, _PART)


def packet_output(net: Network, packet: Packet, way: Way) -> None:
    """Hand a packet, or a fragment, to the interface of its way.

    Raises: as ``Neighbors.output``.
    """
    if packet.interface.medium is _LOOPBACK:
        stay_inside(net, packet, way, _IPV4)
    elif way.type is _UNICAST or way.next_hop != way.dst:
        net.neighbors.output(packet, way.next_hop)
    else:
        multicast = way.type is _MULTICAST
        mac = multicast_mac(way.dst) if multicast else broadcast_mac(packet.interface)
        net.neighbors.output_to_all(packet, way.dst, mac)


def broadcast_mac(out: Interface) -> bytes:
    """Return where packets to all go by a link: without ARP to itself (Linux arp_constructor)."""
    return BROADCAST_MAC if out.arp else out.mac


_PART = FamilyPart("ip", ipv4.parse, packet_output)
