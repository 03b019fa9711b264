"""Route lookups, with rules and without. A lookup changes nothing."""

from struct import Struct
from typing import TYPE_CHECKING

from smolctl.stack.fib.route import (
    DEVICELESS,
    KERNEL,
    Route,
    RouteType,
    Scope,
    TableName,
)
from smolctl.stack.fib.rule import OUTPUT, PLAIN, Rule, RuleAction, Traits
from smolctl.stack.interface import Interface
from smolctl.wire import ipv4
from smolctl.wire.address import is_limited_broadcast

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


_PORTS = Struct("!HH")


def lookup_ruled(
    stack: "Stack",
    dst: int,
    src: int | None,
    dev: str | None,
    traits: Traits,
    scope: Scope = Scope.GLOBAL,
) -> Route | None:
    """Return the route of a packet, or what stands for a rule that refuses it; None for none.

    Args:
        src: None while the packet has no source address.
        dev: interface that its sender insists on.
        scope: how far it may lead at most.

    Source: Linux ``fib_rules_lookup``, ``fib4_rule_action``, ``fib4_rule_suppress``.
    """
    fib = stack.fib
    for rule in stack.rules.matching(fib.bits, dst, src or 0, dev, traits):
        if rule.refusal is not None:
            return rule.refusal
        if rule.action is RuleAction.LOOKUP:
            route = fib.find(rule.table, dst, dev, scope)
            if route is not None and not suppresses(rule, route):
                return route
    return None


def lookup_input(
    stack: "Stack", interface: Interface, packet: bytes, header: ipv4.Ipv4Header, *, looped: bool
) -> Route | None:
    """Return the route of a packet that came in, as ``find``; the limited broadcast needs none.

    Source: Linux ``ip_route_input_slow``.

    Args:
        packet: with its header and at least the ports.
        looped: it was sent from here, which ``iif lo`` says.
    """
    if is_limited_broadcast(header.dst):
        return None
    if stack.fib.merged:
        return stack.fib.lookup(header.dst)
    traits = traits_of(packet, header, OUTPUT if looped else interface.name)
    return lookup_ruled(stack, header.dst, header.src, None, traits)


def traits_of(packet: bytes, header: ipv4.Ipv4Header, iif: str) -> Traits:
    """Return what rules look at in a packet that came in by ``iif``."""
    sport = dport = 0
    at = header.header_len
    if (
        header.protocol == ipv4.Protocol.UDP
        and not header.fragment_offset
        and len(packet) >= at + 4
    ):
        sport, dport = _PORTS.unpack_from(packet, at)
    return Traits(header.protocol, sport, dport, header.dscp_ecn, iif)


def suppresses(rule: Rule, route: Route) -> bool:
    """Tell whether a rule passes over what its table knows, as too general."""
    return rule.suppress is not None and (
        route.plen <= rule.suppress and route.type not in DEVICELESS
    )


def pick_route(
    stack: "Stack",
    dst: int,
    dev: str | None = None,
    src: int | None = None,
    traits: Traits = PLAIN,
) -> Route | None:
    """Return the route of a packet, by ``dev`` if one is named; of several next hops all.

    The rules decide which tables count, and in each the longest prefix wins (Linux); with
    ip.onlink_first a connected network does, whatever else there is for a part of it (smoltcp).

    Args:
        src, traits: what rules look at.
    """
    fib = stack.fib
    if not fib.merged:
        route = lookup_ruled(stack, dst, src, dev, traits)
    else:
        route = fib.lookup(dst) if dev is None else fib.lookup_within(dst, dev=dev)
    if stack.settings["ip.onlink_first"] and (route is None or route.table is TableName.MAIN):
        for near in fib.matches(dst):
            connected = near.protocol == KERNEL and near.type is RouteType.UNICAST
            if connected and dev in (None, near.dev):
                return near
    return route
