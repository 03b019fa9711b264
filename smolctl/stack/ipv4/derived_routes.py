"""Routes that follow from IPv4 addresses (Linux ``fib_add_ifaddr``)."""

from smolctl.stack.fib.route import KERNEL, Route, RouteType, Scope, TableName
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.derived_routes import by_identity
from smolctl.stack.ip.network import Derived
from smolctl.stack.sysctl.settings import Settings


def derived_routes(settings: Settings, interface: Interface, *, up: bool) -> Derived:
    """Return the routes that an interface's addresses bring if it is ``up`` or not."""
    addresses = interface.ipv4.addresses
    bits = addresses.bits
    sources: dict[tuple[int, int], int] = {}
    for address in sorted(addresses.items, key=lambda item: item.secondary):
        if not address.tentative:
            sources.setdefault((address.network(bits), address.plen), address.local)
    routes: Derived = {}
    for address in addresses.items:
        source = sources.get((address.network(bits), address.plen))
        routes.update(routes_of(settings, interface, address, source, up=up))
    return routes


def routes_of(
    settings: Settings, interface: Interface, address: Address, source: int | None, *, up: bool
) -> Derived:
    """Return the routes that one address brings.

    A tentative address is nobody's yet; only the way to its network is there. A group is nobody's
    at all. Deviation: Linux makes it local, so that what is sent to the group stays here.

    On a loopback all of its network is local, not the address alone, which is why 127.0.0.2 answers
    when 127.0.0.1/8 is configured (ip.local_prefix). The last address of a network is a broadcast
    address (ip.subnet_broadcast).

    Args:
        source: the primary address of its network, which they prefer as source.
    """
    dev, bits = interface.name, interface.ipv4.addresses.bits
    own_network = interface.loopback and settings["ip.local_prefix"] == 1
    broadcast = settings["ip.subnet_broadcast"] == 1
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
    return by_identity(routes)
