"""The way in: from a frame to a socket, an answer, or a named reason why not.

``frame_input`` -> ``arp_input`` or ``ip_input`` -> ``udp_input`` or ``icmp_input``; a fragment
waits in ``fragment_input`` until its datagram is complete. This file holds no state. Every way out
of a function here delivers, answers or records a reason.
"""

from typing import TYPE_CHECKING

from smolctl.stack import (
    deliver,
    fast,
    forward,
    icmp_error,
    ingress_arp,
    ingress_group,
    ingress_icmp,
    ingress_igmp,
    ingress_options,
    policy,
    reason,
    rule_lookup,
    suggest,
)
from smolctl.stack.cast import Cast, wire_fault
from smolctl.stack.facts import Owner
from smolctl.stack.fate import Direction, Fate, Trace
from smolctl.stack.ingress_fragment import fragment_input
from smolctl.stack.interface import Interface
from smolctl.stack.reason import Reason
from smolctl.stack.route import RouteType
from smolctl.stack.rule import Refused
from smolctl.stack.udp_socket import ANY, Datagram, UdpSocket
from smolctl.wire import addr, ethernet, icmp, ipv4, udp
from smolctl.wire.fault import WireFault

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def frame_input(
    stack: "Stack", interface: Interface, frame: bytes, now: int, trace: Trace | None = None
) -> None:
    """Take one Ethernet frame from a device. Nothing is raised for any bytes.

    Args:
        trace: follows the frame to its fate.
    """
    record = stack.ledger.record
    name = interface.name
    if trace is None:
        trace = stack.journal.begin(Direction.IN, now, None, name)
    trace.frame, trace.linked = frame, True
    if not interface.up:
        record(reason.RX_IFACE_DOWN, name, now, trace)
        interface.counters.rx_dropped += 1
        return
    header = ethernet.parse(frame)
    if isinstance(header, WireFault):
        wire_fault(stack, interface, header, now, trace)
        return
    src = header.src
    if src[0] & 1 or src == addr.ZERO_MAC:
        record(reason.RX_SRC_MAC_INVALID, name, now, trace, mac=addr.format_mac(src))
        interface.counters.rx_errors += 1
        return
    if src == interface.mac:
        record(reason.RX_OWN_FRAME, name, now, trace, mac=addr.format_mac(src))
        return
    cast = Cast.HOST
    if header.dst != interface.mac:
        if not header.dst[0] & 1:
            # A bridge or hub shows us others' frames (RFC 1122 2.4; Linux PACKET_OTHERHOST).
            record(
                reason.RX_NOT_OUR_MAC, name, now, trace,
                mac=addr.format_mac(header.dst), ours=addr.format_mac(interface.mac),
                **suggest.meant_for_us(stack, frame),
            )  # fmt: skip
            return
        cast = Cast.BROADCAST if header.dst == addr.BROADCAST_MAC else Cast.MULTICAST
        interface.counters.multicast += 1
    trace.step("ethernet", "ok", now, header)
    payload = frame[ethernet.HEADER_LEN :]
    if header.ethertype == ethernet.EtherType.IPV4:
        ip_input(stack, interface, payload, now, trace, cast)
    elif header.ethertype == ethernet.EtherType.ARP:
        ingress_arp.arp_input(stack, interface, payload, now, trace, cast)
    else:
        record(reason.RX_ETHERTYPE_UNKNOWN, name, now, trace, ethertype=f"0x{header.ethertype:04x}")


# --- IP -------------------------------------------------------------------------------------------


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
    why, detail = _validate(stack, interface, packet, header, cast, trace, now, looped=looped)
    packet = packet[: header.total_length]
    if why in forward.NOT_FOR_US and not looped and stack.settings["ip.forward"]:
        forward.forward_input(stack, interface, packet, header, now, trace, cast)
        return
    if why is not None:
        if addr.is_multicast(header.dst):
            detail.update(suggest.listener(packet, header))
        stack.ledger.record(why, interface.name, now, trace, **detail)
        return
    if header.options:
        opened = ingress_options.options_input(stack, interface, packet, header, now, trace, cast)
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
        ingress_icmp.icmp_input(stack, interface, packet, header, now, trace, cast)
    elif header.protocol == ipv4.Protocol.IGMP:
        ingress_igmp.igmp_input(stack, interface, packet, header, now, trace)
    else:
        stack.ledger.record(
            reason.IP_PROTO_UNKNOWN, interface.name, now, trace, protocol=header.protocol
        )
        icmp_error.answer(
            stack, interface, icmp.Type.DEST_UNREACHABLE, icmp.Unreachable.PROTOCOL,
            packet, header, now, trace, group_frame=cast is not Cast.HOST,
        )  # fmt: skip


def _validate(
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
    shown: dict[str, object] = {"ip": addr.IPV4.format(dst)}
    source: dict[str, object] = {"ip": addr.IPV4.format(src)}
    if not looped and not interface.loopback:
        if addr.is_loopback(src) or addr.is_loopback(dst):
            return reason.IP_LOOPBACK_ON_WIRE, source if addr.is_loopback(src) else shown
        zero = addr.is_zeronet(src) and not ingress_group.may_be_nobody(header)
        if zero or addr.is_multicast(src) or stack.is_broadcast(src):
            return reason.IP_SRC_INVALID, source
        if stack.fib.is_local(src):
            return reason.IP_SRC_IS_OURS, source
    if addr.is_zeronet(dst):
        return reason.IP_DST_INVALID, shown
    if addr.is_multicast(dst):
        return ingress_group.validate(stack, interface, header, trace, now, looped=looped)
    route = rule_lookup.incoming(stack, interface, packet, header, looped=looped)
    if isinstance(route, Refused):
        return reason.IP_RULE_REFUSED, {**source, **suggest.rule(route)}
    if not addr.is_limited_broadcast(dst):
        if route is None or policy.is_elsewhere(stack, interface, route, looped=looped):
            return _not_ours(stack, interface, dst, src)
        if (
            cast is not Cast.HOST
            and route.type is RouteType.LOCAL
            and stack.settings["ip.drop_unicast_in_l2_multicast"]
        ):
            return reason.IP_UNICAST_IN_BROADCAST, shown
    if not looped:
        if route is not None and policy.is_away(stack, interface, route):
            return reason.IP_DST_OTHER_IFACE, {**shown, "home": route.dev}
        if (back := policy.reverse_path(stack, interface, src, dst, header.dscp_ecn)) is not None:
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
    return _validate(stack, interface, packet, header, Cast.HOST, trace, 0, looped=False)


def _not_ours(
    stack: "Stack", interface: Interface, dst: int, src: int
) -> tuple[Reason, dict[str, object]]:
    tested = suggest.unusable(interface, dst)
    if tested is not None and "plen" in tested:
        # Not an address of this host yet (RFC 5227 2.1.1: before it begins to use it).
        return reason.IP_DST_TENTATIVE, tested
    return reason.IP_DST_NOT_OURS, suggest.not_ours(stack, interface, dst, src)


# --- UDP ------------------------------------------------------------------------------------------


def udp_input(
    stack: "Stack",
    interface: Interface,
    packet: bytes,
    header: ipv4.Ipv4Header,
    now: int,
    trace: Trace,
    cast: Cast = Cast.HOST,
    *,
    looped: bool = False,
) -> None:
    """Deliver a datagram to the most specific socket; a broadcast to all that match."""
    segment = packet[header.header_len :]
    src, dst = header.src, header.dst
    parsed = udp.parse(segment, src, dst)
    if isinstance(parsed, WireFault):
        wire_fault(stack, interface, parsed, now, trace)
        return
    trace.step("udp", "ok", now, parsed)
    name, sport, dport = interface.name, parsed.sport, parsed.dport
    payload = segment[udp.HEADER_LEN : parsed.length]
    tos, options = header.dscp_ecn, header.options
    datagram = Datagram(payload, src, sport, dst, dport, name, now, tos, options)
    if addr.is_multicast(dst) or stack.is_broadcast(dst):
        ingress_group.group_deliver(stack, datagram, trace)
        return
    socket = stack.udp.lookup(src, sport, dst, dport, name)
    if socket is None:
        why, detail = _no_socket(stack, datagram)
        stack.ledger.record(why, name, now, trace, **detail)
        icmp_error.answer(
            stack, interface, icmp.Type.DEST_UNREACHABLE, icmp.Unreachable.PORT,
            packet, header, now, trace, group_frame=cast is not Cast.HOST,
        )  # fmt: skip
        return
    socket_deliver(stack, socket, datagram, trace)
    if not looped:
        fast.learn_ingress(stack, interface, socket, header, parsed)


def socket_deliver(stack: "Stack", socket: UdpSocket, datagram: Datagram, trace: Trace) -> None:
    """Queue a datagram for its socket, within the socket's bound."""
    at_ns = datagram.at_ns
    trace.step("socket", "pick", at_ns, deliver.bound(socket))
    if not socket.has_room(datagram.payload):
        detail = deliver.lost(socket)
        stack.ledger.record(reason.UDP_RCVBUF_FULL, datagram.dev, at_ns, trace, **detail)
        return
    deliver.enqueue(stack, socket, datagram)
    trace.dev = datagram.dev
    trace.settle(Fate.DELIVERED, at_ns)


def _no_socket(stack: "Stack", datagram: Datagram) -> tuple[Reason, dict[str, object]]:
    """Tell why nobody took a datagram: the port is free, or its socket wants something else."""
    shown = addr.IPV4.format
    ip, port = shown(datagram.dst), datagram.dport
    bound = stack.udp.at_port(port)
    for socket in bound:
        other = (socket.peer, socket.peer_port) != (datagram.src, datagram.sport)
        if socket.local in (ANY, datagram.dst) and socket.peer is not None and other:
            return reason.UDP_PEER_MISMATCH, {
                "peer": f"{shown(socket.peer)}:{socket.peer_port}",
                "source": f"{shown(datagram.src)}:{datagram.sport}",
            }
    if bound:
        return reason.UDP_BOUND_ELSEWHERE, {"ip": ip, "port": port, "bound": deliver.shown(bound)}
    return reason.UDP_PORT_CLOSED, {"ip": ip, "port": port}
