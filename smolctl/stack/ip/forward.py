"""Forwarding that both families share: the way of a packet for another node, and refusals."""

from collections.abc import Mapping

from smolctl.stack import reason
from smolctl.stack.fib.lookup import Found
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.rule import RuleRefusal
from smolctl.stack.interface import Interface
from smolctl.stack.ip import gateways
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import ErrorKind
from smolctl.stack.ip.route_input import Inbound
from smolctl.stack.ip.way import Refusal, Way, WayType
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Reason

Told = Mapping[Reason, ErrorKind]
"""The errors that senders are told of refusals; who is not here is not told."""
_TYPE_REASONS = {
    RouteType.BLACKHOLE: reason.FWD_ROUTE_BLACKHOLE,
    RouteType.UNREACHABLE: reason.FWD_ROUTE_UNREACHABLE,
    RouteType.PROHIBIT: reason.FWD_ROUTE_PROHIBIT,
}
_BY_RULE = frozenset({reason.IP_RULE_REFUSED, reason.IP6_RULE_REFUSED})
# What a rule of that type tells. Linux fib4_rule_action: ENETUNREACH; a route has EHOSTUNREACH.
_RULE_TELLS = {
    RouteType.UNREACHABLE: ErrorKind.NET,
    RouteType.PROHIBIT: ErrorKind.PROHIBITED,
}


def way_by(
    net: Network, interface: Interface, key: RouteKey, route: Found, by_rule: Reason
) -> Way | Refusal:
    """Return the interface and next hop of a packet by the route that it matched.

    Args:
        interface: by which it came in.
        by_rule: the reason of what a rule refuses.
    """
    dst = key.dst
    if route is None:
        return Refusal(reason.FWD_NO_ROUTE, interface.name, {"ip": dst})
    if isinstance(route, RuleRefusal):
        values: dict[str, object] = {"ip": key.src, "type": route.type.value, "_rule": route.rule}
        return Refusal(by_rule, interface.name, values)
    if (refused := _TYPE_REASONS.get(route.type)) is not None:
        return Refusal(refused, interface.name, {"ip": dst, "_route": route})
    route = gateways.living(net, route)
    if isinstance(route, Multipath):
        route = gateways.pick_hop(net, route, key)
    out = net.interfaces.named(route.dev or "")
    if not out.up:
        return Refusal(reason.TX_IFACE_DOWN, out.name, {"ip": dst})
    kind = WayType.BROADCAST if route.type is RouteType.BROADCAST else WayType.UNICAST
    next_hop = dst if route.via is None or route.on_link else route.via
    mtu = out.mtu if route.mtu is None else min(route.mtu, out.mtu)
    return Way(kind, out, dst, next_hop, None, route, mtu)


def chosen(
    net: Network, packet: Packet, key: RouteKey, way: Way | Refusal, told: Told
) -> Way | None:
    """Return the way of a packet; None for one that has none, and is refused."""
    if isinstance(way, Refusal):
        net.recorder.note_candidates(key, None, packet.trace, packet.now)
        drop_and_tell(net, packet, way, told)
        return None
    if packet.trace.id:
        net.recorder.note_candidates(key, way.route, packet.trace, packet.now)
    packet.step("route", "pick", way)
    return way


def keep_onward(net: Network, key: RouteKey, inbound: Inbound, way: Way) -> None:
    """Remember the way on of packets for which the same was decided, as long as that holds."""
    inbound.onward = way
    if way.route is not None:
        gateways.watch(net, key.dst, way.route)


def too_far(packet: Packet, way: Way) -> Refusal | None:
    """Refuse what has no hop left (RFC 1812 5.3.1, RFC 8200 3)."""
    ttl = packet.header.ttl
    return Refusal(reason.FWD_TTL_EXCEEDED, "", {"ip": way.dst, "ttl": ttl}) if ttl <= 1 else None


def too_big(packet: Packet, way: Way) -> Refusal | None:
    """Refuse what does not fit the next link, and may not be cut."""
    size = packet.header.total_length
    if size <= way.mtu:
        return None
    values = {"ip": way.dst, "size": size, "mtu": way.mtu, "out": way.interface.name, "_way": way}
    return Refusal(reason.FWD_TOO_BIG, "", values)


def drop_and_tell(net: Network, packet: Packet, refusal: Refusal, told: Told, mtu: int = 0) -> None:
    """Drop a packet for a reason; tell its sender where the RFC wants that.

    Args:
        mtu: of the next link.
    """
    why, values = refusal.reason, refusal.values
    dev = refusal.dev or packet.interface.name
    net.recorder.record(why, dev, packet.now, packet.trace, **values)
    kind = told.get(why)
    if why in _BY_RULE:
        kind = _RULE_TELLS.get(RouteType(str(values["type"])))
    if kind is not None:
        net.answer_error(packet, kind, mtu if why is reason.FWD_TOO_BIG else 0)
