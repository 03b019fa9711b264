"""Routes that follow from addresses, kept in the FIB while these change.

Which routes an address brings is up to its family (Linux ``fib_add_ifaddr``, ``addrconf.c``).
"""

from collections.abc import Iterable

from smolctl.errors import AlreadyExists
from smolctl.stack.fib.route import KERNEL, InsertMode, Route
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
    return {(route.prefix, route.plen, route.table, *route.identity()): route for route in routes}


def drop_routes_preferring(net: Network, sources: set[int]) -> None:
    """Drop the routes that prefer a source which is no longer ours (Linux fib_sync_down_addr)."""
    missing = {source for source in sources if not net.fib.is_local(source)}
    if missing:
        net.fib.remove_where(lambda route: route.prefsrc in missing and route.protocol != KERNEL)
        net.generation.touch()


DERIVING = frozenset({"ip.local_prefix", "ip.subnet_broadcast", "ip6.forward"})
"""Sysctls that change which routes follow from an address."""


def derived(net: Network, interface: Interface, *, up: bool | None = None) -> Derived:
    """Return the routes that an interface's addresses bring in its state, or as if ``up``."""
    return net.derived_routes(interface, up=interface.up if up is None else up)


def derived_from(net: Network, interface: Interface, address: Address) -> Derived:
    """Return the routes that one address of an interface brings."""
    return net.routes_of(interface, address)
