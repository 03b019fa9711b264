"""IPv4 input: a packet is validated and handed to its protocol (RFC 1122 3.2.1)."""

from typing import TYPE_CHECKING

from smolctl.stack import reason
from smolctl.stack.explain import suggest
from smolctl.stack.fib import lookup as fib_lookup
from smolctl.stack.fib.route import RouteType
from smolctl.stack.fib.rule import Refused
from smolctl.stack.interface import Interface
from smolctl.stack.ip.host_model import is_away, is_elsewhere
from smolctl.stack.ip.reverse_path import reverse_path
from smolctl.stack.ipv4 import icmp_error
from smolctl.stack.ipv4.forward import NOT_FOR_US, forward_input
from smolctl.stack.ipv4.fragment import fragment_input
from smolctl.stack.ipv4.icmp_input import icmp_input
from smolctl.stack.ipv4.igmp import igmp_input
from smolctl.stack.ipv4.options_input import options_input
from smolctl.stack.packet import Cast, wire_fault
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Member, Owner
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.udp.input import (
    udp_input,
)
from smolctl.wire import icmpv4, ipv4
from smolctl.wire.address import (
    format_address,
    is_limited_broadcast,
    is_loopback,
    is_multicast,
    is_zeronet,
)
from smolctl.wire.fault import WireFault

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def ip_input(
    stack: "Stack",
    interface: Interface,
    packet: bytes,
    now: int,
    trace: Trace,
    cast: Cast = Cast.HOST,
    *,
    looped: bool = False,
) -> None:
    """Take one IPv4 packet, validate it and hand it to its protocol (RFC 1122 3.2.1).

    Args:
        trace: of a packet that was sent from here, or of the frame that it came in.
        looped: it is our own, come back by a loopback or as the copy of a broadcast.
    """
    header = ipv4.parse(packet)
    if isinstance(header, WireFault):
        wire_fault(stack, interface, header, now, trace)
        return
    trace.step("ip", "ok", now, header)
    why, detail = validate(stack, interface, packet, header, cast, trace, now, looped=looped)
    packet = packet[: header.total_length]
    if why in NOT_FOR_US and not looped and stack.settings["ip.forward"]:
        forward_input(stack, interface, packet, header, now, trace, cast)
        return
    if why is not None:
        if is_multicast(header.dst):
            detail.update(suggest.listener(packet, header))
        stack.ledger.record(why, interface.name, now, trace, **detail)
        return
    if header.options:
        opened = options_input(stack, interface, packet, header, now, trace, cast)
        if opened is None:
            return
        header = opened
    if header.mf or header.fragment_offset:
        whole = fragment_input(stack, interface, packet, header, now, trace, cast)
        if whole is None:
            return
        packet, header, trace, cast = whole
    if header.protocol == ipv4.Protocol.UDP:
        udp_input(stack, interface, packet, header, now, trace, cast, looped=looped)
    elif header.protocol == ipv4.Protocol.ICMP:
        icmp_input(stack, interface, packet, header, now, trace, cast)
    elif header.protocol == ipv4.Protocol.IGMP:
        igmp_input(stack, interface, packet, header, now, trace)
    else:
        stack.ledger.record(
            reason.IP_PROTO_UNKNOWN, interface.name, now, trace, protocol=header.protocol
        )
        icmp_error.answer(
            stack, interface, icmpv4.Type.DEST_UNREACHABLE, icmpv4.Unreachable.PROTOCOL,
            packet, header, now, trace, group_frame=cast is not Cast.HOST,
        )  # fmt: skip


def validate(
    stack: "Stack",
    interface: Interface,
    packet: bytes,
    header: ipv4.Ipv4Header,
    cast: Cast,
    trace: Trace,
    now: int,
    *,
    looped: bool,
) -> tuple[Reason | None, dict[str, object]]:
    """Check source and destination; return why the packet is refused, and the reason's details."""
    src, dst = header.src, header.dst
    shown: dict[str, object] = {"ip": format_address(dst)}
    source: dict[str, object] = {"ip": format_address(src)}
    if not looped and not interface.loopback:
        if is_loopback(src) or is_loopback(dst):
            return reason.IP_LOOPBACK_ON_WIRE, source if is_loopback(src) else shown
        zero = is_zeronet(src) and not may_be_nobody(header)
        if zero or is_multicast(src) or stack.is_broadcast(src):
            return reason.IP_SRC_INVALID, source
        if stack.fib.is_local(src):
            return reason.IP_SRC_IS_OURS, source
    if is_zeronet(dst):
        return reason.IP_DST_INVALID, shown
    if is_multicast(dst):
        return validate_group(stack, interface, header, trace, now, looped=looped)
    route = fib_lookup.lookup_input(stack, interface, packet, header, looped=looped)
    if isinstance(route, Refused):
        return reason.IP_RULE_REFUSED, {**source, **suggest.rule(route)}
    if not is_limited_broadcast(dst):
        if route is None or is_elsewhere(stack, interface, route, looped=looped):
            return _not_ours(stack, interface, dst, src)
        if (
            cast is not Cast.HOST
            and route.type is RouteType.LOCAL
            and stack.settings["ip.drop_unicast_in_l2_multicast"]
        ):
            return reason.IP_UNICAST_IN_BROADCAST, shown
    if not looped:
        if route is not None and is_away(stack, interface, route):
            return reason.IP_DST_OTHER_IFACE, {**shown, "home": route.dev}
        if (back := reverse_path(stack, interface, src, dst, header.dscp_ecn)) is not None:
            return reason.IP_REVERSE_PATH, back
    trace.step("route", "pick", now, Owner(dst, route))
    return None, {}


def verdict(
    stack: "Stack", interface: Interface, packet: bytes, header: ipv4.Ipv4Header, trace: Trace
) -> tuple[Reason | None, dict[str, object]]:
    """Return why a packet that comes in for this host alone would be refused; nothing is counted.

    Args:
        packet: with its header and at least the ports.
        trace: gets the step that says whose the destination is.
    """
    return validate(stack, interface, packet, header, Cast.HOST, trace, 0, looped=False)


def _not_ours(
    stack: "Stack", interface: Interface, dst: int, src: int
) -> tuple[Reason, dict[str, object]]:
    tested = suggest.unusable(interface, dst)
    if tested is not None and "plen" in tested:
        # Not an address of this host yet (RFC 5227 2.1.1: before it begins to use it).
        return reason.IP_DST_TENTATIVE, tested
    return reason.IP_DST_NOT_OURS, suggest.not_ours(stack, interface, dst, src)


def may_be_nobody(header: ipv4.Ipv4Header) -> bool:
    """Tell whether a packet may have the source 0.0.0.0.

    So may that of a host which asks for its address by broadcast (RFC 1122 3.2.1.3(a)); and who
    has no address yet may report its groups, and speak to those of its link (RFC 3376 4.2.13;
    Linux brd_input, ip_mc_validate_source).
    """
    near = header.dst >> 8 == 0xE00000
    return is_limited_broadcast(header.dst) or near or header.protocol == ipv4.Protocol.IGMP


def validate_group(
    stack: "Stack",
    interface: Interface,
    header: ipv4.Ipv4Header,
    trace: Trace,
    now: int,
    *,
    looped: bool,
) -> tuple[Reason | None, dict[str, object]]:
    """Check whether anybody here wants a packet to a group (RFC 1122 3.3.7; Linux ip_check_mc)."""
    src, dst = header.src, header.dst
    members = interface.groups.members(dst)
    if not members:
        return reason.IP_MULTICAST_NOT_JOINED, {"ip": format_address(dst)}
    # Queries and reports are for the host itself, whatever sources its sockets want.
    if header.protocol != ipv4.Protocol.IGMP and not interface.groups.allows(dst, src):
        ip, source = format_address(dst), format_address(src)
        return reason.IP_MULTICAST_FILTERED, {"ip": ip, "source": source}
    if not looped:
        back = reverse_path(stack, interface, src, dst, header.dscp_ecn)
        if back is not None:
            return reason.IP_REVERSE_PATH, back
    trace.step("route", "pick", now, Member(dst, interface.name, len(members)))
    return None, {}
