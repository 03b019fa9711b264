"""IPv4 input: a packet is validated, and handed to its protocol or on its way (RFC 1122 3.2.1)."""

from struct import Struct

from smolctl.stack import reason
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.ip.fragment_input import fragment_input
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import PORTED, ErrorKind
from smolctl.stack.ip.reverse_path import source_refused
from smolctl.stack.ip.route_input import Inbound, InputAction, decision, refuse, route_input
from smolctl.stack.ipv4.forward import forward_input
from smolctl.stack.ipv4.fragment import received
from smolctl.stack.ipv4.icmp_input import icmp_input
from smolctl.stack.ipv4.igmp import igmp_input
from smolctl.stack.ipv4.options_input import options_input
from smolctl.stack.packet import Packet
from smolctl.stack.trace.facts import GroupMember
from smolctl.wire import ipv4
from smolctl.wire.address import is_limited_broadcast, is_loopback, is_multicast, is_zeronet
from smolctl.wire.fault import WireFault

_PORTS = Struct("!HH")
_ICMP, _IGMP, _UDP = ipv4.Protocol.ICMP, ipv4.Protocol.IGMP, ipv4.Protocol.UDP
_FORWARD = InputAction.FORWARD
_ADDRESSES, _ADDRESSES_AND_PORTS = slice(12, 20), slice(12, 24)
_PLAIN_IHL = 5


def ip_input(net: Network, packet: Packet) -> None:
    """Take one IPv4 packet, validate it and hand it to its protocol (RFC 1122 3.2.1)."""
    header = ipv4.parse(packet.data)
    if isinstance(header, WireFault):
        packet.malformed(header)
        return
    packet.header = header
    packet.step("ip", "ok", header)
    ihl, tos, length, _, _, mf, fragment_offset, _, protocol, *_ = header
    ends: bytes | RouteKey = packet.data[_ADDRESSES]
    if protocol == _UDP or (protocol in PORTED and net.fib.by_ports):
        plain = ihl == _PLAIN_IHL and not (mf or fragment_offset)
        ends = packet.data[_ADDRESSES_AND_PORTS] if plain else input_key(packet)
    if packet.mark:
        ends = input_key(packet)
    like = (ends, protocol, tos, packet.interface.name, packet.pkt_type, packet.looped)
    key, inbound = decision(net, packet, like, input_key, judge)
    packet.data = packet.data[:length]
    if inbound.action is _FORWARD:
        forward_input(net, packet, key, inbound)
        return
    if inbound.reason is not None:
        group = _listener(key) if is_multicast(key.dst) else {}
        packet.record(inbound.reason, **inbound.values, **group)
        return
    packet.to_all = inbound.to_all
    packet.step("route", "pick", inbound.facts)
    if header.options and not options_input(net, packet):
        return
    if mf or fragment_offset:
        whole = fragment_input(net, received(packet))
        if whole is None:
            return
        packet = whole
    packet.upper = packet.header.header_len
    transport = net.transports.get(protocol)
    if protocol == _ICMP:
        icmp_input(net, packet)
    elif protocol == _IGMP:
        igmp_input(net, packet)
    elif transport is not None:
        transport.input(packet)
    else:
        packet.record(reason.IP_PROTO_UNKNOWN, protocol=protocol)
        net.answer_error(packet, ErrorKind.PROTOCOL)


def input_key(packet: Packet) -> RouteKey:
    """Return the key of a packet that came in; what was sent from here has ``iif lo``.

    A fragment has no ports, be it the first (Linux ``__skb_flow_dissect``).
    """
    header = packet.header
    sport = dport = 0
    at, whole = header.header_len, not (header.mf or header.fragment_offset)
    if header.protocol in PORTED and whole and len(packet.data) >= at + 4:
        sport, dport = _PORTS.unpack_from(packet.data, at)
    iif = OUTPUT if packet.looped else packet.interface.name
    tos = header.dscp_ecn
    mark, protocol = packet.mark, header.protocol
    fields = (header.dst, header.src, None, iif, mark, protocol, sport, dport, tos, 0, False)
    return tuple.__new__(RouteKey, fields)


def judge(net: Network, packet: Packet, key: RouteKey) -> Inbound:
    """Check source and destination, and decide what becomes of a packet; nothing is counted.

    The order is that of Linux (``ip_route_input_rcu``): whether a host here, or behind us, wants it
    comes before whose its source is.
    """
    if is_multicast(key.dst):
        return _judge_group(net, packet, key)
    return _martian(net, packet, key) or route_input(net, packet, key)


def _martian(net: Network, packet: Packet, key: RouteKey) -> Inbound | None:
    """Refuse addresses that no host can have, whatever routes there are."""
    src, dst = key.src or 0, key.dst
    wire = not packet.looped and not packet.interface.loopback
    if wire:
        nobody = is_zeronet(src) and not may_be_nobody(packet.header)
        nobody = nobody and not (src and net.settings["ip.zeronet"])
        if nobody or is_multicast(src) or is_limited_broadcast(src):
            return refuse(reason.IP_SRC_INVALID, ip=src, cause=net.no_host(src))
    if is_zeronet(dst) and not (dst and net.settings["ip.zeronet"]):
        return refuse(reason.IP_DST_INVALID, ip=dst, cause="zeronet" if dst else "zero")
    if wire and (is_loopback(src) or is_loopback(dst)):
        return _loopback(net, packet, src, dst)
    return None


def _loopback(net: Network, packet: Packet, src: int, dst: int) -> Inbound | None:
    """Refuse loopback addresses that came by a wire, unless ip.route_localnet lets them in."""
    interface = packet.interface
    if interface.settings["ip.route_localnet"]:
        return None
    if is_loopback(src):
        return refuse(reason.IP_LOOPBACK_ON_WIRE, ip=src, cause="source")
    knob = net.settings.knob(interface.name, "ip.route_localnet", 1)
    return refuse(reason.IP_LOOPBACK_ON_WIRE, ip=dst, cause="destination", knob=knob)


def may_be_nobody(header: ipv4.Ipv4Header) -> bool:
    """Tell whether a packet may have the source 0.0.0.0.

    So may that of a host which asks for its address by broadcast (RFC 1122 3.2.1.3(a)); and who
    has no address yet may report its groups, and speak to those of its link (RFC 3376 4.2.13;
    Linux brd_input, ip_mc_validate_source).
    """
    near = header.dst >> 8 == 0xE00000
    return is_limited_broadcast(header.dst) or near or header.protocol == ipv4.Protocol.IGMP


def _judge_group(net: Network, packet: Packet, key: RouteKey) -> Inbound:
    """Check whether anybody here wants a packet to a group (RFC 1122 3.3.7; Linux ip_check_mc)."""
    src, dst, interface = key.src or 0, key.dst, packet.interface
    groups = net.of(interface).groups
    members = groups.members(dst)
    if not members:
        return refuse(reason.IP_MULTICAST_NOT_JOINED, ip=dst)
    # Queries and reports are for the host itself, whatever sources its sockets want.
    if key.protocol != ipv4.Protocol.IGMP and not groups.allows(dst, src):
        return refuse(reason.IP_MULTICAST_FILTERED, ip=dst, source=src)
    martian = _martian(net, packet, key)
    if martian is not None:
        return martian
    refused = None if packet.looped else source_refused(net, interface, key)
    if refused is not None:
        return refuse(refused[0], **refused[1])
    member = GroupMember(dst, interface.name, len(members))
    return Inbound(InputAction.DELIVER, facts=member, to_all=True)


def _listener(key: RouteKey) -> dict[str, object]:
    """Return ``port``, at which a socket would hear a packet to a group; ``group`` if none can."""
    return {"port": key.dport} if key.dport else {"group": key.dst}
