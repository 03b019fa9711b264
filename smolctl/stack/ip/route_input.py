"""The decision about a packet that came in: deliver it, forward it, or refuse it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from smolctl.stack import reason
from smolctl.stack.fib.lookup import Found, lookup
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.rule import RuleRefusal
from smolctl.stack.ip.host_model import is_away, is_elsewhere
from smolctl.stack.ip.network import Like, Network
from smolctl.stack.ip.protocol import ErrorKind
from smolctl.stack.ip.reverse_path import source_refused
from smolctl.stack.ip.way import Way
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import GroupMember, Owner, SpokenFor
from smolctl.wire.address import is_limited_broadcast, is_multicast


class InputAction(Enum):
    """The decision about a packet that came in."""

    DELIVER = "deliver"
    FORWARD = "forward"
    REFUSE = "refuse"


@dataclass(slots=True, eq=False)
class Inbound:
    """The decision about a packet.

    Attributes:
        route: that it matched.
        onward: the way on of one to be forwarded, once such packets were found fit for it.
        reason, values: why it is refused.
        told: the ICMP error by which its sender hears of that; None for none.
        facts: of the step that delivers it. to_all: its destination is a broadcast address, or a
            group.
    """

    action: InputAction
    route: Found = None
    reason: Reason | None = None
    values: dict[str, object] = field(default_factory=dict)
    told: ErrorKind | None = None
    facts: Owner | GroupMember | SpokenFor | None = None
    to_all: bool = False
    onward: Way | None = None


def refuse(why: Reason, **values: object) -> Inbound:
    """Return the decision to refuse a packet."""
    return Inbound(InputAction.REFUSE, None, why, values)


KeyOf = Callable[[Packet], RouteKey]
Judge = Callable[[Network, Packet, RouteKey], Inbound]


def decision(
    net: Network, packet: Packet, like: Like, key_of: KeyOf, judge: Judge
) -> tuple[RouteKey, Inbound]:
    """Return a packet's key and what becomes of it, as was decided for one like it, or is now.

    Args:
        key_of, judge: those of the family.
    """
    cache = net.inbound
    found = cache.recall(like, net.generation.number)
    if found is None:
        key = key_of(packet)
        found = key, judge(net, packet, key)
        # A refusal has values of its packet, and what a group's members want is asked each time.
        if found[1].action is not InputAction.REFUSE and not is_multicast(key.dst):
            cache.remember(like, found)
    return found


def route_input(net: Network, packet: Packet, key: RouteKey) -> Inbound:
    """Decide about a unicast or broadcast whose addresses somebody can have.

    Source: RFC 1122 3.2.1.3, RFC 1812 5.2.3; Linux ``ip_route_input_slow``.
    """
    dst, interface, looped = key.dst, packet.interface, packet.looped
    route: Route | None = None
    if not is_limited_broadcast(dst):
        found = lookup(net.fib, key)
        forward = net.passes(interface, found) and not looped
        if isinstance(found, RuleRefusal):
            if forward:
                return Inbound(InputAction.FORWARD, found)
            return refuse(reason.IP_RULE_REFUSED, ip=key.src, _rule=found.rule)
        route = found
        if route is None or is_elsewhere(net, interface, route, looped=looped):
            tested = net.of(interface).addresses.tentative(dst)
            if tested is not None and not tested.dadfailed:
                # Not an address of this host yet (RFC 5227 2.1.1: before it begins to use it).
                return refuse(reason.IP_DST_TENTATIVE, ip=dst, _address=tested)
            if forward:
                return Inbound(InputAction.FORWARD, route)
            return refuse(reason.IP_DST_NOT_OURS, ip=dst, _peer=key.src)
        if packet.pkt_type is not PacketType.HOST and route.type is RouteType.LOCAL and (
            interface.settings["ip.drop_unicast_in_l2_multicast"]
        ):  # fmt: skip
            return refuse(reason.IP_UNICAST_IN_BROADCAST, ip=dst, cause=packet.pkt_type.word)
    return _checked(net, packet, key, route)


def _checked(net: Network, packet: Packet, key: RouteKey, route: Route | None) -> Inbound:
    """Apply what the host model and the source have to say."""
    interface = packet.interface
    if not packet.looped:
        if route is not None and is_away(net, interface, route):
            return refuse(reason.IP_DST_OTHER_IFACE, ip=key.dst, home=route.dev)
        refused = source_refused(net, interface, key)
        if refused is not None:
            return refuse(refused[0], **refused[1])
    to_all = route is None or route.type is RouteType.BROADCAST
    return Inbound(InputAction.DELIVER, route, facts=Owner(key.dst, route), to_all=to_all)
