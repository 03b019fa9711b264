"""The host model: strong or weak ends, and whose an address is (RFC 1122 3.3.4.2)."""

from typing import TYPE_CHECKING

from smolctl.stack.fib.lookup import pick_route
from smolctl.stack.fib.route import Route, RouteType, TableName
from smolctl.stack.fib.rule import PLAIN, Traits
from smolctl.stack.interface import Interface

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def pick_route_from(stack: "Stack", dst: int, src: int, traits: Traits = PLAIN) -> Route | None:
    """Return the route of a packet from ``src``, in the strong model by that one's interface.

    Source: RFC 1122 3.3.4.2, "route(src IP addr, dest IP addr, TOS) -> gateway". What stays inside
    leaves by no interface.
    """
    route = pick_route(stack, dst, None, src, traits)
    if not is_strong(stack) or (route is not None and route.type is RouteType.LOCAL):
        return route
    for dev in homes(stack, src):
        own = pick_route(stack, dst, dev, src, traits)
        if own is not None and own.dev == dev:
            return own
    return route


def is_strong(stack: "Stack") -> bool:
    """Tell whether an address belongs to its interface, and not to the whole stack.

    The strong model is for hosts alone: a router takes what is for any of its addresses, wherever
    that comes in (RFC 1812 5.2.3), and has to answer it.
    """
    return stack.settings["ip.strong_host"] == 1 and not stack.settings["ip.forward"]


def homes(stack: "Stack", address: int) -> list[str]:
    """Return the interfaces that an address of ours belongs to."""
    fib = stack.fib
    matches = fib.matches(address) if fib.merged else fib.tables[TableName.LOCAL].matches(address)
    return [
        route.dev for route in matches if route.type is RouteType.LOCAL and route.dev is not None
    ]


def is_elsewhere(stack: "Stack", interface: Interface, route: Route, *, looped: bool) -> bool:
    """Tell whether what came in by ``interface`` and matched ``route`` is for others.

    What is for everybody in another network of ours is for us, too, and goes no further (RFC 2644
    2), unless ip.bc_forwarding has it sent there. Source: Linux ``ip_route_input_slow``.
    """
    if route.type is RouteType.LOCAL:
        return False
    if route.type is not RouteType.BROADCAST:
        return True
    wanted = stack.settings["ip.bc_forwarding"] and stack.settings["ip.forward"]
    return bool(wanted) and not looped and not is_here(stack, interface, route)


def is_here(stack: "Stack", interface: Interface, route: Route) -> bool:
    """Tell whether a route, or another one for the same prefix, is by this interface."""
    twins = stack.fib.tables[route.table].chain(route.prefix, route.plen)
    return any(other.dev == interface.name for other in twins)


def is_away(stack: "Stack", interface: Interface, route: Route) -> bool:
    """Tell whether the strong model refuses what came in by ``interface`` and matched ``route``.

    Source: RFC 1122 3.3.4.2 (A), MAY.
    """
    if not is_strong(stack):
        return False
    return route.dev != interface.name and not is_here(stack, interface, route)


def is_near(interface: Interface, *wanted: int) -> bool:
    """Tell whether one network of the interface holds all these addresses."""
    for item in interface.addresses.items:
        shift = interface.addresses.bits - item.plen
        if not item.autojoin and all(ip >> shift == item.local >> shift for ip in wanted):
            return True
    return False
