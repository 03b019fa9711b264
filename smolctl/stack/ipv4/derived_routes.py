"""Routes that follow from IPv4 addresses (Linux ``fib_add_ifaddr``)."""

from collections.abc import Collection

from smolctl.stack.fib.route import KERNEL, Route, RouteType, Scope, TableName
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address, AddressList
from smolctl.stack.ip.derived_routes import by_identity
from smolctl.stack.ip.network import Derived
from smolctl.stack.sysctl.settings import Settings


def derived_routes(
    settings: Settings, interface: Interface, some: Collection[Address], *, up: bool
) -> Derived:
    """Return the routes that some of an interface's addresses bring if it is ``up`` or not."""
    addresses = interface.ipv4.addresses
    sources, routes = _sources(addresses, some), Derived()
    for address in some:
        source = sources.get((address.network(addresses.bits), address.plen))
        routes.update(_routes_of(settings, interface, address, source, up=up))
    return routes


def _sources(addresses: AddressList, some: Collection[Address]) -> dict[tuple[int, int], int]:
    """Return which source the routes of some addresses' networks prefer: the primary address.

    While that one is tentative, it is the first other one that is not.
    """
    bits, wanted = addresses.bits, set[tuple[int, int]]()
    found, stand_in = dict[tuple[int, int], int](), dict[tuple[int, int], int]()
    for address in some:
        network = address.network(bits), address.plen
        if address.secondary or address.tentative:
            wanted.add(network)
        else:
            found[network] = address.local
    wanted -= found.keys()
    for address in addresses.items if wanted else ():
        network = address.network(bits), address.plen
        if network in wanted and not address.tentative:
            (stand_in if address.secondary else found).setdefault(network, address.local)
    return stand_in | found


def _routes_of(
    settings: Settings, interface: Interface, address: Address, source: int | None, *, up: bool
) -> Derived:
    """Return the routes that one address brings.

    Of a network that gets no route (``noprefixroute``) the broadcast addresses are known all the
    same. The network is that of the peer where there is one.

    A tentative address is nobody's yet; only the way to its network is there. A group is nobody's
    at all, unless ip.autojoin_own is on.

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
    if address.autojoin and not settings["ip.autojoin_own"]:
        return {}

    def add(kind: RouteType, prefix: int, plen: int, scope: Scope, metric: int = 0) -> None:
        table = TableName.MAIN if kind is RouteType.UNICAST else TableName.LOCAL
        routes.append(
            Route(
                prefix, plen, kind, table, dev, None, source, metric, scope=scope, protocol=KERNEL
            )
        )

    if not address.tentative:
        add(RouteType.LOCAL, address.local, bits, Scope.HOST)
    if up:
        if address.broadcast is not None and address.broadcast != (1 << bits) - 1:
            add(RouteType.BROADCAST, address.broadcast, bits, Scope.LINK)
        network = address.network(bits)
        alone = network == address.local and address.plen == bits
        if not (address.secondary or network == 0 or alone):
            if own_network and address.prefix_route:
                add(RouteType.LOCAL, network, address.plen, Scope.HOST, address.metric)
            elif address.prefix_route:
                add(RouteType.UNICAST, network, address.plen, Scope.LINK, address.metric)
            if broadcast and address.plen < bits - 1:
                last = network | (1 << (bits - address.plen)) - 1
                add(RouteType.BROADCAST, last, bits, Scope.LINK)
    return by_identity(routes)
