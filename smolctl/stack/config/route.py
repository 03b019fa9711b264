"""Changes of routes, with Linux's rules.

Each verb checks everything first and changes nothing when it raises.
"""

from smolctl.errors import InterfaceDown, InvalidArgument, NetworkUnreachable, NotFound
from smolctl.stack.config import route6
from smolctl.stack.config.room import check_route_room
from smolctl.stack.fib.lookup import lookup
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import (
    DEVICELESS,
    InsertMode,
    Route,
    RouteType,
    Scope,
    TableName,
    table_text,
)
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.table import span
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.wire.address import IPV4, IPV6, family_of, format_address, is_multicast, is_zeronet


def add_route(net: Network, route: Route, mode: InsertMode) -> None:
    """Check a route as Linux does (fib_create_info, fib_check_nh) and put it into its table.

    Sets ``dev`` and ``on_link`` from the gateway where they follow from it, of every next hop.

    Raises:
        InvalidArgument: host bits, or words that do not go together.
        NetworkUnreachable, HostUnreachable: the gateway is on no connected network.
        InterfaceDown: the device is down.
        AlreadyExists, NotFound: as ``RouteTable.insert``.
        NoBuffers: there are as many as iface.max_route_count allows.
    """
    shown = format_address
    if net.family is IPV6:
        route6.settle(route)
    host_bits = net.fib.bits - route.plen
    if route.prefix & ((1 << host_bits) - 1):
        network = route.prefix >> host_bits << host_bits
        raise InvalidArgument(
            f"{shown(route.prefix)}/{route.plen} has host bits set",
            hint=f"the network is {shown(network)}/{route.plen}, the host {shown(route.prefix)}/32",
        )
    if route.scope > Scope.HOST:
        raise InvalidArgument(
            "scope nowhere is only for routes that refuse packets",
            hint="smolctl route add unreachable ...",
        )
    check_way(net, route)
    if route.prefsrc is not None and not net.fib.is_local(route.prefsrc):
        # Linux ipv6_chk_addr: one that is tentative is none yet.
        ours = net.interface_of(route.prefsrc) is not None
        fault = "still tested, or failed its test" if ours else "not an address of this stack"
        raise InvalidArgument(f"src {shown(route.prefsrc)} is {fault}", hint="smolctl addr show")
    check_route_room(net, route, mode)
    if net.family is IPV6:
        route6.add(net, route, mode)
    else:
        net.fib.insert(route, mode)
    net.generation.touch()


def check_way(net: Network, route: Route) -> None:
    """Check what a route leads by; sets ``dev`` and ``on_link`` as ``add_route`` does.

    Raises:
        InvalidArgument, NetworkUnreachable, HostUnreachable, InterfaceDown: as ``add_route``.
    """
    if route.nhid:  # its object was looked at when it was made
        if route.scope >= Scope.HOST:
            raise InvalidArgument("a route to this host itself takes no nhid")
        return
    hops = route.hops if isinstance(route, Multipath) else ()
    if route.type in DEVICELESS:
        if route.dev is not None or route.via is not None or hops:
            raise InvalidArgument(f"a {route.type} route takes no via, dev or nexthop")
        if route.onlink and net.family is IPV6:  # Linux ip6_route_info_create_nh
            raise InvalidArgument(f"a {route.type} route takes no onlink")
    elif hops:
        if route.scope >= Scope.HOST:
            raise InvalidArgument("a route to this host itself cannot have several next hops")
        for hop in hops:
            if hop.via is None and net.family is IPV6:  # Linux rtm_to_fib6_multipath_config
                raise InvalidArgument(
                    "each of several next hops of IPv6 needs a gateway: add via GATEWAY"
                )
            check_way(net, hop)
    elif route.via is not None and net.family is IPV6:
        if route.dev is not None:
            check_up(net.interfaces.named(route.dev))
        route6.check_gateway(net, route)
    elif route.via is not None:
        _check_gateway(net, route)
    elif route.dev is None:
        raise InvalidArgument(
            "a route needs a gateway or a device", hint="add: via GATEWAY, or dev DEV"
        )
    else:
        check_up(net.interfaces.named(route.dev))
        if route.onlink and route.scope < Scope.HOST and net.family is IPV4:
            raise no_gateway_onlink()  # Linux fib_check_nh_nongw


def no_gateway_onlink() -> InvalidArgument:
    """Return the error for onlink without a gateway."""
    return InvalidArgument("onlink is about a gateway: add via GATEWAY, or leave onlink out")


def check_up(interface: Interface) -> None:
    """Raise InterfaceDown for an interface that is down."""
    if not interface.up:
        raise InterfaceDown(
            f"{interface.name} is down", hint=f"smolctl link set {interface.name} up"
        )


def _check_gateway(net: Network, route: Route) -> None:
    """Check that the gateway is on a connected network (Linux fib_check_nh_v4_gw).

    RFC 1122 3.3.1.1: a gateway must be on a network the host is connected to; ``onlink`` vouches
    for it. A gateway that is an address of our own means: straight to the destination.
    """
    via = route.via or 0
    shown = format_address(via)
    if not via:
        raise InvalidArgument(f"{shown} is not the address of a router")
    if family_of(via) is not net.family:
        raise InvalidArgument(f"the gateway {shown} is of another family than the route")
    if route.type is RouteType.LOCAL or route.scope >= Scope.HOST:
        raise InvalidArgument("a route to this host itself takes no gateway")
    if route.scope >= Scope.LINK:
        raise NetworkUnreachable("a route with scope link takes no gateway")
    if route.onlink:
        if route.dev is None:
            raise InvalidArgument("onlink needs the device: add dev DEV")
        check_up(net.interfaces.named(route.dev))
        if not _is_unicast(net, via):
            raise NetworkUnreachable(
                f"{shown} cannot be a gateway: it is not the address of one other host"
            )
        route.on_link = False
        return
    if route.dev is not None:
        check_up(net.interfaces.named(route.dev))
    found = connected(net, route, via)
    if isinstance(found, Multipath):
        found = found.first
    if found is None or found.type not in (RouteType.UNICAST, RouteType.LOCAL):
        where = f" of {route.dev}" if route.dev else ""
        raise NetworkUnreachable(
            f"the gateway {shown} is on no connected network{where}",
            hint="add an address of its network first, or say: dev DEV onlink",
        )
    check_up(net.interfaces.named(found.dev or ""))
    route.dev = found.dev
    route.on_link = found.scope is Scope.HOST


def connected(net: Network, route: Route, via: int) -> Route | None:
    """Return the route to a gateway: the new route's own table first, then as for a packet.

    If it is of the scope of this host itself, packets go straight to their destination.
    """
    fib, dev = net.fib.with_all_links(), route.dev
    if fib.merged:
        if route.table not in (TableName.MAIN, TableName.LOCAL):
            own = fib.find(route.table, via, dev, Scope.LINK)
            if own is not None and own.type not in DEVICELESS:
                return own
        return fib.lookup_within(via, dev=dev, scope=Scope.LINK)
    if route.table != TableName.MAIN:
        own = fib.find(route.table, via, dev, Scope.LINK)
        if own is not None and own.type not in DEVICELESS:
            return own
    found = lookup(fib, RouteKey(via, oif=dev), Scope.LINK)
    return found if isinstance(found, Route) else None


def _is_unicast(net: Network, address: int) -> bool:
    return not (
        is_multicast(address)
        or is_zeronet(address)
        or net.is_broadcast(address)
        or net.fib.is_local(address)
    )


def delete_route(net: Network, spec: Route, given: set[str]) -> Route:
    """Delete the first route of ``spec``'s prefix that agrees with it (Linux fib_table_delete).

    Args:
        given: names of the attributes of ``spec`` that must agree: via, dev, metric, ... Of a route
            with several next hops the first one must, or with "hops" each of them.

    Raises:
        NotFound: there is none.
    """
    table = net.fib.tables.get(spec.table)
    if table is None:
        raise no_table(spec.table)
    if net.family is IPV6:
        return route6.delete(net, spec, given)
    chain = table.chain(spec.prefix, spec.plen)
    if "metric" in given:
        first, end = span(chain, spec.metric)
        chain = chain[first:end]
    for found in chain:
        if _agrees(found, spec, given):
            net.fib.remove(found)
            net.generation.touch()
            return found
    prefix = f"{format_address(spec.prefix)}/{spec.plen}" if spec.plen else "default"
    raise NotFound(f"there is no such route: {prefix}", hint="smolctl route show")


def no_table(number: int) -> NotFound:
    """Return the error for a table that never had a route."""
    return NotFound(
        f"there is no table {table_text(number)}: no route was added to it",
        hint="smolctl route show table all",
    )


def _agrees(route: Route, spec: Route, given: set[str]) -> bool:
    """Tell whether a route is one that is to be deleted (Linux fib_nh_match)."""
    if route.nhid and given & {"via", "dev", "hops"}:
        return False
    if "hops" in given:
        wanted = spec.hops if isinstance(spec, Multipath) else ()
        hops = route.hops if isinstance(route, Multipath) else (route,)
        if len(wanted) != len(hops) or not all(map(_same_hop, hops, wanted)):
            return False
    first = route.hops[0] if isinstance(route, Multipath) else route
    return all(
        getattr(first if name in ("via", "dev") else route, name) == getattr(spec, name)
        for name in given - {"hops"}
    )


def _same_hop(hop: Route, wanted: Route) -> bool:
    """Tell whether a next hop is as said; Linux does not look at its weight."""
    return wanted.dev in (None, hop.dev) and wanted.via in (None, hop.via)
