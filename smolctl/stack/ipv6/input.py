"""IPv6 input: a packet is validated, and handed to its protocol or on its way (RFC 8200 3)."""

from struct import Struct

from smolctl.stack import reason
from smolctl.stack.fib.lookup import Found, lookup
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.fib.rule import RuleRefusal
from smolctl.stack.interface import Medium
from smolctl.stack.ip.fragment_input import WholePacket, fragment_input
from smolctl.stack.ip.host_model import is_away
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import PORTED, ErrorKind
from smolctl.stack.ip.route_input import Inbound, InputAction, decision, refuse
from smolctl.stack.ipv6 import proxy_nd
from smolctl.stack.ipv6.addresses import is_ours, why_disabled
from smolctl.stack.ipv6.extension_headers import headers_input
from smolctl.stack.ipv6.forward import forward_input
from smolctl.stack.ipv6.fragment import received, with_fragment_header
from smolctl.stack.ipv6.icmp_input import icmp6_input
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import GroupMember, Owner
from smolctl.wire import ipv6
from smolctl.wire.address import (
    LOOPBACK6,
    UNSPECIFIED6,
    is_mapped,
    is_multicast,
    multicast_scope,
)
from smolctl.wire.fault import WireFault
from smolctl.wire.ipv6 import HEADER_LEN, NextHeader
from smolctl.wire.ipv6_ext import upper_layer

_PORTS = Struct("!HH")
_ICMPV6, _UDP, _NONE = NextHeader.ICMPV6.value, NextHeader.UDP.value, NextHeader.NONE.value
_TCP = NextHeader.TCP.value
_PLAIN = frozenset({_ICMPV6, _UDP, _TCP})
"""Protocols that begin right behind the header; before any other, extension headers may stand."""
_FORWARD, _HOP_BY_HOP = InputAction.FORWARD, NextHeader.HOP_BY_HOP.value
_ADDRESSES, _ADDRESSES_AND_PORTS = slice(8, 40), slice(8, 44)
_INTERFACE_SCOPE = 1


def ip6_input(net: Network, packet: Packet) -> None:
    """Take one IPv6 packet, validate it and hand it to its protocol."""
    disabled = why_disabled(packet.interface)
    if disabled is not None:
        packet.record(reason.IP6_DISABLED, cause=disabled, mtu=packet.interface.mtu)
        return
    header = ipv6.parse(packet.data)
    if isinstance(header, WireFault):
        packet.malformed(header)
        return
    packet.header, packet.upper = header, HEADER_LEN
    packet.step("ip", "ok", header)
    traffic_class, _, length, protocol, *_ = header
    ends: bytes | RouteKey = packet.data[_ADDRESSES]
    if protocol == _UDP or (protocol == _TCP and net.fib.by_ports):
        ends = packet.data[_ADDRESSES_AND_PORTS]
    elif protocol not in _PLAIN:
        ends = input_key(packet)
    if packet.mark:
        ends = input_key(packet)
    like = (ends, protocol, traffic_class, packet.interface.name, packet.pkt_type, packet.looped)
    key, inbound = decision(net, packet, like, input_key, judge)
    if length or protocol != _HOP_BY_HOP:
        # Else the length may stand in a jumbo payload option (RFC 2675 3).
        packet.data = packet.data[: HEADER_LEN + length]
    if inbound.action is _FORWARD:
        if not proxy_nd.takes(net, packet):
            forward_input(net, packet, key, inbound)
            return
        spoken_for = proxy_nd.facts(net, packet.interface, key.dst, key.src or UNSPECIFIED6)
        inbound = Inbound(InputAction.DELIVER, facts=spoken_for)
    if inbound.reason is not None:
        packet.record(inbound.reason, **inbound.values)
        if inbound.told is not None:
            net.answer_error(packet, inbound.told)
        return
    packet.to_all = inbound.to_all
    packet.step("route", "pick", inbound.facts)
    if protocol not in _PLAIN:
        whole = _opened(net, packet)
        if whole is None:
            return
        packet = whole
        protocol = key.protocol if packet.chain is None else packet.chain.protocol
    transport_input(net, packet, protocol)


def _opened(net: Network, packet: Packet) -> WholePacket | None:
    """Return a packet whose extension headers are passed, put together if it came in pieces.

    None when it ends here, or waits for other pieces. What is put together is looked at again:
    behind its fragment header there may be more headers (RFC 8200 4.5).
    """
    chain = headers_input(net, packet)
    if chain is None:
        return None
    while chain.fragment is not None:
        whole = fragment_input(net, received(packet, chain))
        if whole is None:
            return None
        packet = whole
        chain = headers_input(net, packet)
        if chain is None:
            return None
        packet.chain = with_fragment_header(chain)
    return packet


def transport_input(net: Network, packet: Packet, protocol: int) -> None:
    """Hand a packet to its protocol, or say that there is none (RFC 8200 4)."""
    transport = net.transports.get(protocol)
    if protocol == _ICMPV6:
        icmp6_input(net, packet)
    elif transport is not None:
        transport.input(packet)
    elif protocol == _NONE:
        packet.record(reason.IP6_NO_NEXT_HEADER)
    else:
        packet.record(reason.IP6_PROTO_UNKNOWN, protocol=protocol)
        named_at = 6 if packet.chain is None else packet.chain.named_at
        net.answer_error(packet, ErrorKind.PROTOCOL, named_at)


def input_key(packet: Packet) -> RouteKey:
    """Return the key of a packet that came in; what was sent from here has ``iif lo``."""
    header, data = packet.header, packet.data
    protocol, at, sport, dport = header.next_header, HEADER_LEN, 0, 0
    if protocol not in _PLAIN:
        upper = upper_layer(data, protocol)
        protocol, at = upper.protocol, upper.offset
        if upper.fragment is not None:  # it has no ports, be it the first
            protocol, at = upper.fragment.next_header, len(data)
    if protocol in PORTED and len(data) >= at + 4:
        sport, dport = _PORTS.unpack_from(data, at)
    iif = OUTPUT if packet.looped else packet.interface.name
    mark, tos = packet.mark, header.traffic_class
    fields = (header.dst, header.src, None, iif, mark, protocol, sport, dport, tos, 0, False)
    return tuple.__new__(RouteKey, fields)


def judge(net: Network, packet: Packet, key: RouteKey) -> Inbound:
    """Check source and destination, and decide what becomes of a packet; nothing is counted.

    Source: Linux ``ip6_rcv_core``, ``ip6_route_input``.
    """
    wire = not packet.looped and packet.interface.medium is not Medium.IP
    martian = _martian(net, packet, key) if wire else None
    if martian is not None:
        return martian
    if is_multicast(key.dst):
        return _judge_group(net, packet, key)
    if key.dst == UNSPECIFIED6 and net.settings["ip6.check_source"]:
        return refuse(reason.IP6_DST_INVALID)
    return route_input(net, packet, key)


def _martian(net: Network, packet: Packet, key: RouteKey) -> Inbound | None:
    """Refuse addresses that no packet on a wire can have, whatever routes there are."""
    src, dst = key.src or UNSPECIFIED6, key.dst
    if is_multicast(src):
        return refuse(reason.IP6_SRC_MULTICAST, ip=src)
    if src == LOOPBACK6:
        return refuse(reason.IP6_LOOPBACK_ON_WIRE, ip=src, cause="source")
    if dst == LOOPBACK6:
        return refuse(reason.IP6_LOOPBACK_ON_WIRE, ip=dst, cause="destination")
    if is_mapped(src):
        return refuse(reason.IP6_MAPPED_ON_WIRE, ip=src, cause="source")
    if is_mapped(dst):
        return refuse(reason.IP6_MAPPED_ON_WIRE, ip=dst, cause="destination")
    if is_multicast(dst) and (scope := multicast_scope(dst)) <= _INTERFACE_SCOPE:
        return refuse(reason.IP6_MULTICAST_SCOPE, ip=dst, scope=scope)
    if not net.settings["ip6.check_source"]:
        return None
    # Without an address one may only test an address, ask for routers, or report groups: ICMPv6.
    if src == UNSPECIFIED6 and key.protocol != _ICMPV6:
        return refuse(reason.IP6_SRC_UNSPECIFIED, ip=dst)
    # Of ICMPv6 it is looked at later: who advertises an address of ours is to be heard.
    if key.protocol != _ICMPV6 and is_ours(net, packet.interface, src):
        return refuse(reason.IP6_SRC_IS_OURS, ip=src)
    return None


def _judge_group(net: Network, packet: Packet, key: RouteKey) -> Inbound:
    """Check whether anybody here wants a packet to a group (RFC 4291 2.8)."""
    src, dst, interface = key.src or UNSPECIFIED6, key.dst, packet.interface
    groups = net.of(interface).groups
    members = groups.members(dst)
    if not members:
        return refuse(reason.IP6_MULTICAST_NOT_JOINED, ip=dst, **_listener(key))
    # Queries are for the host itself, whatever sources its sockets want.
    if key.protocol != _ICMPV6 and not groups.allows(dst, src):
        return refuse(reason.IP6_MULTICAST_FILTERED, ip=dst, source=src, port=key.dport)
    member = GroupMember(dst, interface.name, len(members))
    return Inbound(InputAction.DELIVER, facts=member, to_all=True)


def _listener(key: RouteKey) -> dict[str, object]:
    """Return ``port``, at which a socket would hear a packet to a group; ``group`` if none can."""
    return {"port": key.dport} if key.dport else {"group": key.dst}


def route_input(net: Network, packet: Packet, key: RouteKey) -> Inbound:
    """Decide about a unicast whose addresses somebody can have: deliver, forward or refuse.

    A link-local address leads to its own link alone (RFC 4007 9; Linux ``ip6_route_input_lookup``).
    """
    dst, interface, looped = key.dst, packet.interface, packet.looped
    found = lookup(net.fib, key, by=interface.name if net.needs_dev(dst) else None)
    forward = net.passes(interface, found) and not looped
    if isinstance(found, RuleRefusal):
        if forward:
            return Inbound(InputAction.FORWARD, found)
        return _refuse(found, reason.IP6_RULE_REFUSED, ip=key.src, _rule=found.rule)
    ours = found is not None and found.type in (RouteType.LOCAL, RouteType.ANYCAST)
    if not ours or found is None:
        tested = net.of(interface).addresses.tentative(dst)
        if tested is not None and not tested.dadfailed:
            return refuse(reason.IP6_DST_TENTATIVE, ip=dst, _address=tested)
        if forward and not _is_by_loopback(net, found):
            return Inbound(InputAction.FORWARD, net.fib.as_good_by(found, interface.name))
        if _is_routers(net, interface.name, dst):
            return _refuse(found, reason.IP6_ANYCAST_HOST, ip=dst)
        refused = _refuse(found, reason.IP6_DST_NOT_OURS, ip=dst, _peer=key.src)
        if _is_by_loopback(net, found):
            refused.told = ErrorKind.NET
        return refused
    frame = packet.pkt_type
    if frame is not PacketType.HOST and interface.settings["ip6.drop_unicast_in_l2_multicast"]:
        return refuse(reason.IP6_UNICAST_IN_MULTICAST, ip=dst, cause=frame.word)
    if not looped and is_away(net, interface, found):
        return refuse(reason.IP_DST_OTHER_IFACE, ip=dst, home=found.dev)
    return Inbound(InputAction.DELIVER, found, facts=Owner(dst, found))


def _is_by_loopback(net: Network, found: Route | None) -> bool:
    """Tell whether a route leads to the loopback, where nobody else is.

    Linux takes it for one that refuses (``fib6_is_reject``), lest packets go round for ever.
    """
    unicast = found is not None and found.type is RouteType.UNICAST
    return unicast and found is not None and found.dev == net.interfaces.loopback.name


def _refuse(found: Found, why: Reason, **values: object) -> Inbound:
    """Refuse what is for others; who has no way there is told, by a host, too.

    Source: Linux ``ip6_pkt_drop``, which does not ask whether this is a router.
    """
    refused = refuse(why, **values)
    refused.told = ErrorKind.NET if found is None else _TOLD.get(found.type)
    return refused


_TOLD = {RouteType.UNREACHABLE: ErrorKind.NET, RouteType.PROHIBIT: ErrorKind.PROHIBITED}
"""Of what a route or rule refuses; a blackhole says nothing."""


def _is_routers(net: Network, dev: str, dst: int) -> bool:
    """Tell whether an address is that of the routers of a network of ours (RFC 4291 2.6.1)."""
    bits = net.family.bits
    items = net.of(net.interfaces[dev]).addresses.items
    return any(item.plen < bits - 1 and item.network(bits) == dst for item in items)
