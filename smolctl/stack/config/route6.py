"""Checks of IPv6 routes, with Linux's rules (``ip6_route_info_create``)."""

from collections.abc import Sequence

from smolctl.errors import AlreadyExists, HostUnreachable, InvalidArgument, NotFound
from smolctl.stack.fib.lookup import lookup
from smolctl.stack.fib.nexthop import Hop, Multipath, NextHop, with_ways
from smolctl.stack.fib.route import DEVICELESS, InsertMode, Route, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.network import Network
from smolctl.wire.address import UNSPECIFIED6, format_address, is_link_local, is_multicast

USER_METRIC = 1024
"""Of a route whose metric nobody says (Linux IP6_RT_PRIO_USER)."""


def settle(route: Route) -> None:
    """Clear the host bits of a route's prefix, and give it the usual metric, as Linux does."""
    shift = 128 - route.plen
    route.prefix = route.prefix >> shift << shift
    metric = route.metric or USER_METRIC
    route.metric = metric
    for hop in route.hops if isinstance(route, Multipath) else ():
        hop.prefix, hop.metric = route.prefix, metric


def check_gateway(net: Network, route: Route) -> None:
    """Check that a gateway may be one, and find its interface (Linux ``ip6_validate_gw``).

    Raises:
        InvalidArgument: it is a group or an address of ours, its interface is not said, or that is
            a loopback.
        HostUnreachable: it is on no link of ours, or not on that of the device.
    """
    via = route.via or UNSPECIFIED6
    shown = format_address(via)
    if via == UNSPECIFIED6 or is_multicast(via):
        raise InvalidArgument(f"{shown} is not the address of a router")
    if route.type is RouteType.LOCAL:
        raise InvalidArgument("a route to this host itself takes no gateway")
    if is_link_local(via) and route.dev is None:
        raise InvalidArgument(
            f"{shown} is on one link: which one?", hint=f"say: via {shown} dev DEV"
        )
    if not is_link_local(via):
        _check_near(net, route, via)
    if route.dev is None:
        raise InvalidArgument("a route needs its device: add dev DEV")
    interface = net.interfaces.named(route.dev)
    if interface.loopback:
        raise InvalidArgument(f"no gateway is behind {interface.name}")
    own = net.has_address(interface, via) if is_link_local(via) else net.fib.is_local(via)
    if own:
        raise InvalidArgument(f"the gateway {shown} is an address of this stack")
    route.on_link = False


def _check_near(net: Network, route: Route, via: int) -> None:
    """Check that a gateway is reached without another one, and set ``dev`` if it is not said."""
    shown = format_address(via)
    if route.onlink:
        if route.dev is None:
            raise InvalidArgument("onlink needs the device: add dev DEV")
        return
    found = net.fib.find(route.table, via, route.dev)
    if not _is_near(found, route.dev):
        ruled = lookup(net.fib, RouteKey(via, oif=route.dev))
        found = ruled if isinstance(ruled, Route) else None
    if isinstance(found, Multipath):
        found = found.first
    if not _is_near(found, route.dev) or found is None:
        where = f" of {route.dev}" if route.dev else ""
        raise HostUnreachable(
            f"the gateway {shown} is on no connected network{where}",
            hint="add an address of its network first, or say: dev DEV onlink",
        )
    route.dev = found.dev


def _is_near(found: Route | None, dev: str | None) -> bool:
    if found is None or found.type in DEVICELESS or found.via is not None:
        return False
    return dev in (None, found.dev)


# --- several next hops ----------------------------------------------------------------------------


def add(net: Network, route: Route, mode: InsertMode) -> None:
    """Put a route that was checked into its table.

    One that is appended to another with the same metric becomes its next hop, if both have
    gateways (Linux ``fib6_add_rt2node``, ``rt6_qualify_for_ecmp``).

    Raises:
        AlreadyExists, NotFound: as ``RouteTable.insert``; also for the very same next hop.
    """
    table = net.fib.tables.get(route.table)
    chain = table.chain(route.prefix, route.plen) if table is not None else []
    same = [each for each in chain if each.metric == route.metric]
    if mode is InsertMode.APPEND:
        taken = [(hop.dev, hop.via) for each in same for hop in _hops(each)]
        if any((hop.dev, hop.via) in taken for hop in _hops(route)):
            raise AlreadyExists("this route already exists")
        sibling = next((each for each in same if _shares(each)), None)
        if sibling is not None and _shares(route):
            net.fib.exchange(sibling, _of_hops(sibling, (*_hops(sibling), *_hops(route))))
            return
    if mode in (InsertMode.REPLACE, InsertMode.CHANGE) and same:
        # Linux: one that may have several next hops replaces another such one first.
        alike = [each for each in same if _shares(each) is _shares(route)]
        net.fib.exchange((alike or same)[0], route)
        return
    net.fib.insert(route, mode)


def _shares(route: Route) -> bool:
    """Tell whether a route may be one of several next hops."""
    return not route.nhid and (isinstance(route, Multipath) or route.via is not None)


def _hops(route: Route) -> Sequence[Route]:
    return route.hops if isinstance(route, Multipath) else (route,)


def _of_hops(route: Route, hops: Sequence[Route]) -> Route:
    """Return a route like another one by these next hops; a single one makes it a plain route."""
    ways = [
        NextHop(hop.dev, hop.via, hop.weight if isinstance(hop, Hop) else 1, hop.onlink)
        for hop in hops
    ]
    result = with_ways(route, ways)
    for new, old in zip(_hops(result), hops, strict=True):
        new.on_link = old.on_link
    return result


def delete(net: Network, spec: Route, given: set[str]) -> Route:
    """Delete the first route of a prefix that agrees, or the one next hop that a gateway names.

    Linux looks at metric, protocol, device and gateway alone (``ip6_route_del``).

    Returns: what went, or what the route without the next hop was.

    Raises:
        NotFound: none agrees.
    """
    shift = net.family.bits - spec.plen
    prefix = spec.prefix >> shift << shift
    for found in net.fib.tables[spec.table].chain(prefix, spec.plen):
        if ("metric" in given and spec.metric not in (0, found.metric)) or (
            "protocol" in given and spec.protocol != found.protocol
        ):
            continue
        if "nhid" in given and spec.nhid != found.nhid:
            continue
        if found.nhid:  # Linux looks at no gateway of it
            net.fib.remove(found)
            net.generation.touch()
            return found
        wanted = _hops(spec) if "hops" in given else (spec,)
        gone = [hop for hop in _hops(found) if any(_is_hop(hop, each, given) for each in wanted)]
        if not gone:
            continue
        left = [hop for hop in _hops(found) if hop not in gone]
        by_gateway = "via" in given or "hops" in given
        if left and by_gateway:
            net.fib.exchange(found, _of_hops(found, left))
        else:
            net.fib.remove(found)
        net.generation.touch()
        return found
    text = f"{format_address(prefix)}/{spec.plen}" if spec.plen else "default"
    raise NotFound(f"there is no such route: {text}", hint="smolctl -6 route show")


def _is_hop(hop: Route, wanted: Route, given: set[str]) -> bool:
    said = {"dev", "via"} if "hops" in given else given
    return all(
        getattr(wanted, name) in (None, getattr(hop, name))
        for name in ("dev", "via")
        if name in said
    )
