"""Routes that follow from addresses.

The FIB follows the addresses: routes are added and withdrawn as these change (Linux
``fib_add_ifaddr``, ``fib_del_ifaddr``).
"""

from smolctl.errors import AlreadyExists
from smolctl.stack.fib.route import KERNEL, InsertMode, Route, RouteType, Scope, TableName
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address, AddressList
from smolctl.stack.ip.network import Network

Derived = dict[tuple[object, ...], Route]
"""Derived routes by what makes two of them the same."""


def derived_routes(
    dev: str, addresses: AddressList, *, up: bool, own_network: bool, broadcast: bool
) -> Derived:
    """Return the routes that an interface's addresses and state bring, by a comparable key.

    Args:
        own_network, broadcast: as for ``routes_of``.
    """
    bits = addresses.bits
    sources: dict[tuple[int, int], int] = {}
    for address in sorted(addresses.items, key=lambda item: item.secondary):
        if not address.tentative:
            sources.setdefault((address.network(bits), address.plen), address.local)
    routes: Derived = {}
    for address in addresses.items:
        source = sources.get((address.network(bits), address.plen))
        routes.update(
            routes_of(
                dev, address, source, bits=bits, up=up, own_network=own_network, broadcast=broadcast
            )
        )
    return routes


def routes_of(
    dev: str,
    address: Address,
    source: int | None,
    *,
    bits: int,
    up: bool,
    own_network: bool,
    broadcast: bool,
) -> Derived:
    """Return the routes that one address brings (Linux ``fib_add_ifaddr``).

    A tentative address is nobody's yet; only the way to its network is there. A group is nobody's
    at all. Deviation: Linux makes it local, so that what is sent to the group stays here.

    Args:
        source: the primary address of its network, which they prefer as source.
        own_network: all of its network is local, not the address alone: on a loopback, which is
            why 127.0.0.2 answers when 127.0.0.1/8 is configured.
        broadcast: the last address of its network is a broadcast address.
    """
    routes: list[Route] = []
    if address.autojoin:
        return {}

    def add(kind: RouteType, prefix: int, plen: int, table: TableName, scope: Scope) -> None:
        routes.append(
            Route(prefix, plen, kind, table, dev, None, source, scope=scope, protocol=KERNEL)
        )

    local, main = TableName.LOCAL, TableName.MAIN
    if not address.tentative:
        add(RouteType.LOCAL, address.local, bits, local, Scope.HOST)
    if up:
        if address.broadcast is not None and address.broadcast != (1 << bits) - 1:
            add(RouteType.BROADCAST, address.broadcast, bits, local, Scope.LINK)
        network = address.network(bits)
        alone = network == address.local and address.plen == bits
        if not (address.secondary or network == 0 or alone):
            if own_network:
                add(RouteType.LOCAL, network, address.plen, local, Scope.HOST)
            else:
                add(RouteType.UNICAST, network, address.plen, main, Scope.LINK)
            if broadcast and address.plen < bits - 1:
                last = network | (1 << (bits - address.plen)) - 1
                add(RouteType.BROADCAST, last, bits, local, Scope.LINK)
    return {(route.prefix, route.plen, route.table, *route.identity()): route for route in routes}


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


def drop_routes_preferring(net: Network, sources: set[int]) -> None:
    """Drop the routes that prefer a source which is no longer ours (Linux fib_sync_down_addr)."""
    missing = {source for source in sources if not net.fib.is_local(source)}
    if missing:
        net.fib.remove_where(lambda route: route.prefsrc in missing and route.protocol != KERNEL)
        net.generation.touch()


DERIVING = frozenset({"ip.local_prefix", "ip.subnet_broadcast"})
"""Sysctls that change which routes follow from an address."""


def derived(net: Network, interface: Interface, *, up: bool | None = None) -> Derived:
    """Return the routes that an interface's addresses bring in its state, or as if ``up``."""
    return derived_routes(
        interface.name,
        net.of(interface).addresses,
        up=interface.up if up is None else up,
        **_wanted(net, interface),
    )


def derived_from(net: Network, interface: Interface, address: Address) -> Derived:
    """Return the routes that one address of an interface brings."""
    addresses = net.of(interface).addresses
    return routes_of(
        interface.name,
        address,
        addresses.source_of(address),
        bits=addresses.bits,
        up=interface.up,
        **_wanted(net, interface),
    )


def _wanted(net: Network, interface: Interface) -> dict[str, bool]:
    return {
        "own_network": interface.loopback and net.settings["ip.local_prefix"] == 1,
        "broadcast": net.settings["ip.subnet_broadcast"] == 1,
    }
