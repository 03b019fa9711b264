"""The host model: strong or weak ends, and whose an address is (RFC 1122 3.3.4.2)."""

from smolctl.stack.fib.lookup import Found
from smolctl.stack.fib.route import Route, RouteType, TableName
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network


def is_strong(net: Network) -> bool:
    """Tell whether an address belongs to its interface, and not to the whole stack.

    The strong model is for hosts alone: a router takes what is for any of its addresses, wherever
    that comes in (RFC 1812 5.2.3), and has to answer it.
    """
    if not net.settings["ip.strong_host"]:
        return False
    return not any(net.forwards(link) for link in net.interfaces.values())


def lookup_from(net: Network, key: RouteKey, src: int) -> Found:
    """Return the route of a packet from ``src``, in the strong model by that one's interface.

    Source: RFC 1122 3.3.4.2, "route(src IP addr, dest IP addr, TOS) -> gateway". What stays inside
    leaves by no interface.
    """
    route = net.lookup(key)
    if not is_strong(net) or (route is not None and route.type is RouteType.LOCAL):
        return route
    for dev in homes(net, src):
        own = net.lookup(key._replace(oif=dev, loose=False))
        if isinstance(own, Route) and own.dev == dev:
            return own
    return route


def homes(net: Network, address: int) -> list[str]:
    """Return the interfaces that an address of ours belongs to."""
    fib = net.fib
    matches = fib.matches(address) if fib.merged else fib.tables[TableName.LOCAL].matches(address)
    return [
        route.dev for route in matches if route.type is RouteType.LOCAL and route.dev is not None
    ]


def is_elsewhere(net: Network, interface: Interface, route: Route, *, looped: bool) -> bool:
    """Tell whether what came in by ``interface`` and matched ``route`` is for others.

    What is for everybody in another network of ours is for us, too, and goes no further (RFC 2644
    2), unless ip.bc_forwarding has it sent there. Source: Linux ``ip_route_input_slow``.
    """
    if route.type is RouteType.LOCAL:
        return False
    if route.type is not RouteType.BROADCAST:
        return True
    wanted = interface.settings["ip.bc_forwarding"] and net.forwards(interface)
    return bool(wanted) and not looped and not is_here(net, interface, route)


def kept_from(net: Network, interface: Interface, address: int) -> str | None:
    """Return the link that a broadcast would be sent on to by a router with ip.bc_forwarding."""
    route = net.fib.own(address)
    settings = interface.settings
    if not net.forwards(interface) or route is None or route.type is not RouteType.BROADCAST:
        return None
    here = settings["ip.bc_forwarding"] or is_here(net, interface, route)
    return None if here else route.dev


def is_here(net: Network, interface: Interface, route: Route) -> bool:
    """Tell whether a route, or another one for the same prefix, is by this interface."""
    alike = net.fib.tables[route.table].chain(route.prefix, route.plen)
    return any(other.dev == interface.name for other in alike)


def is_away(net: Network, interface: Interface, route: Route) -> bool:
    """Tell whether the strong model refuses what came in by ``interface`` and matched ``route``.

    Source: RFC 1122 3.3.4.2 (A), MAY.
    """
    if not is_strong(net):
        return False
    return route.dev != interface.name and not is_here(net, interface, route)


def is_near(net: Network, interface: Interface, *wanted: int) -> bool:
    """Tell whether one network of the interface holds all these addresses."""
    for item in net.of(interface).addresses.items:
        bits = net.family.bits
        if not item.autojoin and all(item.holds(ip, bits) for ip in wanted):
            return True
    return False


def is_neighbor(net: Network, out: Interface, back: RouteKey) -> bool:
    """Tell whether answers to who sent a packet would go by a link, and straight to him.

    If they would go by another link, those count that must leave by this one.

    Args:
        back: of an answer.

    Source: Linux ``__fib_validate_source``.
    """
    route = net.lookup(back)
    if not isinstance(route, Route) or route.type not in _REACHED:
        return False
    if route.dev != out.name:
        route = net.lookup(back._replace(oif=out.name))
    return isinstance(route, Route) and route.type is RouteType.UNICAST and route.via is None


_REACHED = (RouteType.UNICAST, RouteType.LOCAL)
