"""Routes that follow from addresses, kept in the FIB while these change.

Which routes an address brings is up to its family (Linux ``fib_add_ifaddr``, ``addrconf.c``).
"""

from collections.abc import Collection, Iterable

from smolctl.errors import AlreadyExists
from smolctl.stack.fib.route import InsertMode, Route, RouteType
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.network import Derived, Network


def sync(net: Network, interface: Interface, before: Derived) -> None:
    """Bring the FIB from the routes derived before a change to those derived after it."""
    after = derived(net, interface)
    for key, route in before.items():
        if key not in after:
            withdraw(net, route)
    for key, route in after.items():
        if key not in before:
            ensure(net, route)
    net.generation.touch()


def withdraw(net: Network, route: Route) -> None:
    """Take a derived route out of the FIB, if it is still there."""
    for present in net.fib.tables[route.table].chain(route.prefix, route.plen):
        if present.identity() == route.identity():
            net.fib.remove(present)
            return


def ensure(net: Network, route: Route) -> None:
    """Put a derived route into the FIB, unless it is there."""
    try:
        net.fib.insert(route, InsertMode.APPEND)
    except AlreadyExists:
        return


def by_identity(routes: Iterable[Route]) -> Derived:
    """Return routes by what makes two of them the same."""
    return {key_of(route): route for route in routes}


def key_of(route: Route) -> tuple[object, ...]:
    """Return what makes two derived routes the same."""
    return (route.prefix, route.plen, route.table, *route.identity())


def drop_routes_preferring(net: Network, sources: set[int]) -> None:
    """Drop the routes that prefer a source which is no longer ours (Linux fib_sync_down_addr)."""
    missing = {source for source in sources if not net.fib.is_local(source)}
    if missing:
        net.fib.remove_preferring(missing)
        net.generation.touch()


DERIVING = frozenset({"ip.local_prefix", "ip.subnet_broadcast", "ip6.forward"})
"""Sysctls that change which routes follow from an address."""


def derived(net: Network, interface: Interface) -> Derived:
    """Return the routes that an interface's addresses bring in its state."""
    return derived_from(net, interface, net.of(interface).addresses.items)


def derived_from(net: Network, interface: Interface, some: Collection[Address]) -> Derived:
    """Return the routes that some addresses of an interface bring in its state."""
    return net.derived_routes(interface, some, up=interface.up)


def follow(net: Network, interface: Interface, some: Collection[Address], before: Derived) -> None:
    """Bring the FIB from what some addresses brought before a change to what they bring now.

    Others bring what they brought. So it costs little, however many there are.
    """
    after = derived_from(net, interface, some)
    gone = {key: route for key, route in before.items() if key not in after}
    for route in of_nobody_else(net, interface, some, gone, up=interface.up).values():
        withdraw(net, route)
    for key, route in after.items():
        if key not in before:
            ensure(net, route)
    net.generation.touch()


def of_nobody_else(
    net: Network, interface: Interface, some: Collection[Address], routes: Derived, *, up: bool
) -> Derived:
    """Return those routes of some addresses that no other address of the interface brings, too.

    Another one may have the same address, or the same network; what any address brings, the first
    one does.
    """
    left, items, bits = dict(routes), net.of(interface).addresses.items, net.family.bits
    known, own = set(some), {address.local for address in some}
    # A route says which source it prefers, the primary of a network: that may be one of another.
    own |= {route.prefsrc for route in left.values() if route.prefsrc is not None}
    networks = {address.network(bits) for address in some}
    networks |= {other.network(bits) for other in items if other.local in own}
    shared = {
        key for key, each in left.items() if each.plen < bits or each.type is not RouteType.LOCAL
    }
    for at, other in enumerate(items if left else ()):
        # Those of networks without a source of their own are alike.
        near = shared and (at == 0 or other.tentative or other.network(bits) in networks)
        if (near or other.local in own) and other not in known:
            for key in net.derived_routes(interface, (other,), up=up):
                left.pop(key, None)
                shared.discard(key)
    return left
