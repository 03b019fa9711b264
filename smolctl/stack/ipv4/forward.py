"""Forwarding: a packet that is for another host goes on to its next hop (RFC 1812 5.2.1.2).

``forward_input`` -> ``way`` -> ``_send_on``. Ingress hands over what is valid and not for us, with
ip.forward on; whom a next hop does not answer is told by ``icmp_error.given_up``. No state is here.
Every way out of a function sends, or records a reason; ``_refuse`` also tells the sender.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.explain import suggest
from smolctl.stack.fastpath.forward import learn
from smolctl.stack.fib import lookup as fib_lookup
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import RouteType, Scope
from smolctl.stack.fib.rule import Refused
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip import gateways
from smolctl.stack.ip.host_model import is_near
from smolctl.stack.ip.reverse_path import reverse_path
from smolctl.stack.ip.route_output import Decision, Refusal
from smolctl.stack.ip.source_address import select_source
from smolctl.stack.ipv4 import icmp_error
from smolctl.stack.ipv4 import options as ip_options
from smolctl.stack.ipv4.options_input import options_checked
from smolctl.stack.ipv4.output import note_losers
from smolctl.stack.link.output import ethernet_output
from smolctl.stack.neighbor.output import neighbor_output
from smolctl.stack.packet import Cast
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Cut, PassedOn
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire import ethernet, fragment, icmpv4, ipv4, ipv4_options
from smolctl.wire.address import BROADCAST_MAC, format_address, is_class_e, is_link_local

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

NOT_FOR_US = frozenset({reason.IP_DST_NOT_OURS, reason.IP_RULE_REFUSED})
"""Why a host does not take a packet that a router may have to send on, or tell the sender about."""
_TYPE_REASONS = {
    RouteType.BLACKHOLE: reason.FWD_ROUTE_BLACKHOLE,
    RouteType.UNREACHABLE: reason.FWD_ROUTE_UNREACHABLE,
    RouteType.PROHIBIT: reason.FWD_ROUTE_PROHIBIT,
}
_UNREACHABLE, _EXCEEDED = icmpv4.Type.DEST_UNREACHABLE, icmpv4.Type.TIME_EXCEEDED
# RFC 1812 5.2.7.1, 5.3.1; Linux ip_error, ip_forward. Who is not here is not told.
_TOLD: dict[Reason, tuple[icmpv4.Type, int]] = {
    reason.FWD_NO_ROUTE: (_UNREACHABLE, icmpv4.Unreachable.NET),
    reason.FWD_ROUTE_UNREACHABLE: (_UNREACHABLE, icmpv4.Unreachable.HOST),
    reason.FWD_ROUTE_PROHIBIT: (_UNREACHABLE, icmpv4.Unreachable.ADMIN),
    reason.TX_IFACE_DOWN: (_UNREACHABLE, icmpv4.Unreachable.HOST),
    reason.FWD_TTL_EXCEEDED: (_EXCEEDED, icmpv4.TimeExceeded.TTL),
    reason.FWD_TOO_BIG: (_UNREACHABLE, icmpv4.Unreachable.FRAG_NEEDED),
}
# What a rule of that type tells. Linux fib4_rule_action: ENETUNREACH; a route has EHOSTUNREACH.
_RULE_TELLS = {
    RouteType.UNREACHABLE.value: icmpv4.Unreachable.NET,
    RouteType.PROHIBIT.value: icmpv4.Unreachable.ADMIN,
}


def forward_input(
    stack: "Stack",
    interface: Interface,
    packet: bytes,
    header: ipv4.Ipv4Header,
    now: int,
    trace: Trace,
    cast: Cast,
) -> None:
    """Send a packet on, or say why not.

    Args:
        packet: without padding; its header and addresses are valid, and it is not for us.
        trace: of the frame that it came in.
    """
    trace.pass_on(interface.name)
    why, detail = _unfit(stack, interface, header, cast)
    if why is not None:
        stack.ledger.record(why, interface.name, now, trace, **detail)
        return
    options = None
    if header.options:
        options = options_checked(stack, interface, packet, header, now, trace, cast)
        if options is None:
            return
    decision = way(stack, interface, packet, header)
    if trace.id or isinstance(decision, Refusal):
        winner = None if isinstance(decision, Refusal) else decision.route
        traits = fib_lookup.traits_of(packet, header, interface.name)
        note_losers(stack, header.dst, now, trace, winner, src=header.src, traits=traits)
    if isinstance(decision, Refusal):
        _refuse(stack, interface, decision, packet, header, now, trace)
        return
    trace.step("route", "pick", now, decision)
    refusal = _too_far(header, decision) or _too_big(header, decision)
    if refusal is not None:
        _refuse(stack, interface, refusal, packet, header, now, trace, decision.mtu)
        return
    if _is_detour(stack, interface, header, decision) and stack.redirects.allow(header.src, now):
        icmp_error.answer(
            stack, interface, icmpv4.Type.REDIRECT, icmpv4.Redirect.HOST, packet, header, now,
            trace, group_frame=False, rest=decision.next_hop,
        )  # fmt: skip
        stack.ledger.count("icmp.redirects_sent")
    trace.step("forward", "ok", now, PassedOn(header.dst, header.ttl - 1))
    _send_on(stack, decision, packet, _filled(stack, decision, header, options, now), now, trace)


def way(
    stack: "Stack", interface: Interface, packet: bytes, header: ipv4.Ipv4Header
) -> Decision | Refusal:
    """Choose the interface and next hop of a packet that came in; no side effect.

    Args:
        interface: by which it came in.

    Source: RFC 1812 5.2.4; Linux ``ip_route_input_slow``.
    """
    shown, dst, src = format_address, header.dst, header.src
    traits = fib_lookup.traits_of(packet, header, interface.name)
    route = fib_lookup.pick_route(stack, dst, None, src, traits)
    if route is None:
        detail = {"ip": shown(dst), **suggest.onward(stack, dst, interface)}
        return Refusal(reason.FWD_NO_ROUTE, interface.name, detail)
    if isinstance(route, Refused):
        rule = {"ip": shown(src), "type": route.type.value, **suggest.rule(route)}
        return Refusal(reason.IP_RULE_REFUSED, interface.name, rule)
    if (refused := _TYPE_REASONS.get(route.type)) is not None:
        prefix = f"{shown(route.prefix)}/{route.plen}" if route.plen else "default"
        return Refusal(refused, interface.name, {"ip": shown(dst), "route": prefix})
    route = gateways.living(stack, route)
    if isinstance(route, Multipath):
        route = gateways.pick_hop(stack, route, dst, src, traits)
    out = stack.interface(route.dev or "")
    if not out.up:
        return Refusal(reason.TX_IFACE_DOWN, out.name, {"ip": shown(dst)})
    kind = "broadcast" if route.type is RouteType.BROADCAST else "unicast"
    next_hop = dst if route.via is None or route.on_link else route.via
    mtu = out.mtu if route.mtu is None else min(route.mtu, out.mtu)
    return Decision(kind, out, dst, next_hop, None, route, mtu)


def _unfit(
    stack: "Stack", interface: Interface, header: ipv4.Ipv4Header, cast: Cast
) -> tuple[Reason | None, dict[str, object]]:
    """Return why a packet is not forwarded, whatever routes there are, and the reason's details."""
    tos = header.dscp_ecn
    if cast is not Cast.HOST:
        return reason.FWD_GROUP_FRAME, {"ip": format_address(header.dst)}
    if (back := reverse_path(stack, interface, header.src, header.dst, tos)) is not None:
        return reason.IP_REVERSE_PATH, back
    if not stack.settings["ip.forward_special"]:
        for ip in (header.dst, header.src):
            if is_link_local(ip) or is_class_e(ip):
                return reason.FWD_SPECIAL_ADDRESS, {"ip": format_address(ip)}
    return None, {}


def _too_far(header: ipv4.Ipv4Header, decision: Decision) -> Refusal | None:
    """Refuse what has no hop left (RFC 1812 5.3.1)."""
    if header.ttl > 1:
        return None
    detail: dict[str, object] = {"ip": format_address(decision.dst), "ttl": header.ttl}
    return Refusal(reason.FWD_TTL_EXCEEDED, "", detail)


def _too_big(header: ipv4.Ipv4Header, decision: Decision) -> Refusal | None:
    """Refuse what does not fit the next link and may not be cut (RFC 1812 4.2.2.7, RFC 1191 4)."""
    size = header.total_length
    if size <= decision.mtu or not header.df:
        return None
    detail = {
        "ip": format_address(decision.dst), "n": size, "mtu": decision.mtu,
        "out": decision.interface.name, **suggest.mtu(decision, decision.mtu, size),
    }  # fmt: skip
    return Refusal(reason.FWD_TOO_BIG, "", detail)


def _refuse(
    stack: "Stack",
    interface: Interface,
    refusal: Refusal,
    packet: bytes,
    header: ipv4.Ipv4Header,
    now: int,
    trace: Trace,
    mtu: int = 0,
) -> None:
    """Drop a packet for a reason; tell its sender where the RFC wants that."""
    why = refusal.reason
    stack.ledger.record(why, refusal.dev or interface.name, now, trace, **refusal.detail)
    told = _TOLD.get(why)
    if why is reason.IP_RULE_REFUSED and refusal.detail["type"] in _RULE_TELLS:
        told = _UNREACHABLE, _RULE_TELLS[str(refusal.detail["type"])]
    if told is not None:
        kind, code = told
        icmp_error.answer(
            stack, interface, kind, code, packet, header, now, trace, group_frame=False,
            rest=mtu if why is reason.FWD_TOO_BIG else 0,
        )  # fmt: skip


def _is_detour(
    stack: "Stack", interface: Interface, header: ipv4.Ipv4Header, decision: Decision
) -> bool:
    """Tell whether a host should send such packets to the next hop itself, and be told so.

    Deviation: Linux does so by default when next hop and host are in different networks of the
    link, too (shared_media); RFC 1812 5.2.7.2: MUST NOT.
    """
    return (
        decision.interface is interface
        and decision.type == "unicast"
        and stack.settings["ip.send_redirects"] == 1
        and is_near(interface, header.src, decision.next_hop)
    )


def _filled(
    stack: "Stack",
    decision: Decision,
    header: ipv4.Ipv4Header,
    options: ipv4_options.Options | None,
    now: int,
) -> ipv4.Ipv4Header:
    """Return the header with us in a record route or timestamp (RFC 1812 5.3.13.5, 5.3.13.6)."""
    if options is None or (options.record is None and options.timestamp is None):
        return header
    own = select_source(stack, decision.interface, decision.next_hop, Scope.LINK) or 0
    return header._replace(options=ip_options.passing(stack, options, own, now))


def _send_on(
    stack: "Stack",
    decision: Decision,
    packet: bytes,
    header: ipv4.Ipv4Header,
    now: int,
    trace: Trace,
) -> None:
    """Send a packet on with one hop less to go, in pieces if it must be (RFC 1812 4.2.2.7)."""
    out = decision.interface
    trace.dev, trace.gateway = out.name, decision.gateway
    stack.ledger.count("ip.datagrams_forwarded")
    if header.total_length <= decision.mtu:
        aged = ipv4.aged(packet)
        if header.options:
            aged = header._replace(ttl=header.ttl - 1).to_bytes() + packet[header.header_len :]
        trace.frame, trace.linked = aged, False
        _link_output(stack, decision, trace.frame, now, trace)
        if not header.options:
            learn(stack, decision, trace)
    else:
        shorter = header._replace(ttl=header.ttl - 1)
        pieces = fragment.fragments(shorter, packet[header.header_len :], decision.mtu)
        stack.ledger.count("ip.datagrams_fragmented")
        stack.ledger.count("ip.fragments_created", len(pieces))
        cut = Cut(len(pieces), header.total_length, decision.mtu, header.ident)
        trace.step("fragment", "ok", now, cut)
        trace.settle(Fate.FORWARDED, now)
        for piece in pieces:
            own = stack.journal.begin(Direction.OUT, now, trace, out.name)
            own.frame, own.gateway = piece, decision.gateway
            _link_output(stack, decision, piece, now, own)


def _link_output(stack: "Stack", decision: Decision, packet: bytes, now: int, trace: Trace) -> None:
    """Hand a packet to the link that leads on."""
    out = decision.interface
    if out.medium is Medium.IP:
        stack.loop_back(out, packet, trace, now)
    elif decision.type == "broadcast":
        # Sockets here are part of "everybody" (RFC 1812 5.2.3).
        copy = stack.journal.begin(Direction.LOCAL, now, trace, out.name)
        copy.frame = packet
        stack.loop_back(out, packet, copy, now)
        ethernet_output(stack, out, BROADCAST_MAC, ethernet.EtherType.IPV4, packet, now, trace)
    else:
        with suppress(SendRejected, NoBuffers):  # recorded: the neighbor cache is full for good
            neighbor_output(stack, out, decision.next_hop, packet, now, trace)
