"""Which route a packet takes where there are rules: one table after the other, as they say.

Nothing is changed by asking.
"""

from struct import Struct
from typing import TYPE_CHECKING

from smolctl.stack.interface import Interface
from smolctl.stack.route import DEVICELESS, Route, Scope
from smolctl.stack.rule import OUTPUT, Rule, RuleAction, Traits
from smolctl.wire import addr, ipv4

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

_PORTS = Struct("!HH")


def find(
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


def incoming(
    stack: "Stack", interface: Interface, packet: bytes, header: ipv4.Ipv4Header, *, looped: bool
) -> Route | None:
    """Return the route of a packet that came in, as ``find``; the limited broadcast needs none.

    Source: Linux ``ip_route_input_slow``.

    Args:
        packet: with its header and at least the ports.
        looped: it was sent from here, which ``iif lo`` says.
    """
    if addr.is_limited_broadcast(header.dst):
        return None
    if stack.fib.merged:
        return stack.fib.lookup(header.dst)
    traits = traits_of(packet, header, OUTPUT if looped else interface.name)
    return find(stack, header.dst, header.src, None, traits)


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
