"""The rows of ``smolctl route get`` for IPv6, and the choice of the source address."""

from smolctl.ops import route_cache, route_learned
from smolctl.ops.context import Row
from smolctl.ops.route import PREFERENCE, metrics
from smolctl.stack.fib.route import Route, Scope, TableName, table_text
from smolctl.stack.ip.way import Way, WayType
from smolctl.stack.ipv6 import source_address
from smolctl.stack.ipv6.ipv6 import Ipv6
from smolctl.stack.stack import Stack
from smolctl.wire.address import UNSPECIFIED6, format_address


def row(stack: Stack, way: Way, src: int | None, now: int) -> Row:
    """Return what ``ip -j -6 route get`` says of a way.

    It names the route's protocol, metric and preference; a packet without source comes from ::.
    """
    route = _route(stack, way)
    kind = way.type.value if route is None else route.type.value
    found: Row = {} if kind == WayType.UNICAST.value else {"type": kind}
    found["dst"] = format_address(way.dst)
    found["from"] = format_address(UNSPECIFIED6 if src is None else src)
    if way.gateway is not None:
        found["gateway"] = format_address(way.gateway)
    local = way.type is WayType.LOCAL
    found["dev"] = stack.interfaces.loopback.name if local else way.interface.name
    found.update(_table(route))
    if route is not None and route.protocol != "boot":
        found["protocol"] = route.protocol
    source = _source(stack.ipv6, way, route)
    if source is not None:
        found["prefsrc"] = format_address(source)
    found["metric"] = 0 if route is None else route.metric
    found["flags"] = ["onlink"] if route is not None and route.onlink else []
    if not way.interface.carrier:
        found["flags"].append("linkdown")
    if way.redirected is not None:
        found["expires"] = route_learned.expires(way.redirected, now)
    if way.learned is not None:
        found |= route_cache.metrics(stack.ipv6.fib, way.learned, now)
    else:
        found |= metrics(route)
    return found | {"pref": PREFERENCE}


def _route(stack: Stack, way: Way) -> Route | None:
    """Return the route of a way; a group on a link that was named has one, too."""
    if way.route is not None or way.type is not WayType.MULTICAST:
        return way.route
    return stack.ipv6.fib.lookup_within(way.dst, dev=way.interface.name)


def _source(net: Ipv6, way: Way, route: Route | None) -> int | None:
    """Return the source that would be chosen, whatever the sender insists on.

    Source: Linux ``rt6_fill_node``, ``ip6_route_get_saddr``.
    """
    if route is not None and route.prefsrc is not None:
        return route.prefsrc
    owner = way.interface
    if way.type is WayType.LOCAL and route is not None:
        owner = net.interfaces.named(route.dev or owner.name)
    return net.select_source(owner, way.dst, None, Scope.GLOBAL)


def _table(route: Route | None) -> Row:
    """Return the table that a route was found in, unless it is main."""
    if route is None or route.table == TableName.MAIN:
        return {}
    return {"table": table_text(route.table)}


def sources(net: Ipv6, way: Way) -> list[Row]:
    """Return the addresses that the packet could come from, each with the rule that decided.

    Source: RFC 6724 5.
    """
    found = source_address.candidates(net.interfaces, net.labels, way.interface, way.dst)
    winner = source_address.best(found)
    rows = []
    for each in sorted(found, key=lambda each: each is not winner):
        row: Row = {"address": format_address(each.address.local), "dev": each.dev}
        if winner is not None and each is not winner:
            row["rule"] = source_address.deciding_rule(winner, each).value
        row["result"] = "pick" if each is winner else "skip"
        rows.append(row)
    for address, dev, rule in source_address.excluded(net.interfaces, way.interface, way.dst):
        shown = format_address(address)
        rows.append({"address": shown, "dev": dev, "rule": rule.value, "result": "skip"})
    return rows
