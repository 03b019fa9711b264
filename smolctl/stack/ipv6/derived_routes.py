"""Routes that follow from IPv6 addresses (Linux ``addrconf_prefix_route``, ``ipv6_ifa_notify``)."""

from collections.abc import Collection, Iterator

from smolctl.stack.fib.route import KERNEL, Route, RouteType, TableName
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.derived_routes import by_identity
from smolctl.stack.ip.network import Derived
from smolctl.stack.ipv6.addresses import is_optimistic
from smolctl.wire.address import IPV6, IPV6_MARK, LOOPBACK6

_BITS = IPV6.bits
_MULTICAST = IPV6_MARK | 0xFF << 120
MULTICAST_METRIC = 256
_POINT_TO_POINT = 127
"""Prefixes of this length and longer have no subnet-router anycast address (RFC 6164 5.1)."""


def derived_routes(interface: Interface, some: Collection[Address], *, up: bool) -> Derived:
    """Return the routes that some addresses bring if their interface is ``up`` or not.

    Any of them brings the one to groups. Those that were added while it is down are ours all the
    same (Linux ``ipv6_ifa_notify``).
    """
    if not up:
        return by_identity(route for item in some for route in _to_itself(interface, item))
    routes = [route for item in some for route in _routes(interface, item)]
    if some and not interface.loopback:
        routes.append(_route(interface, _MULTICAST, 8, RouteType.MULTICAST, MULTICAST_METRIC))
    return by_identity(routes)


def _routes(interface: Interface, address: Address) -> Iterator[Route]:
    """Yield the routes of one address: to itself, its network, its peer, the network's routers."""
    local, plen = address.local, address.plen
    if address.autojoin:
        return
    yield from _to_itself(interface, address)
    if local != LOOPBACK6 and address.prefix_route:
        yield _on_link(interface, address.network(_BITS), plen, address.metric)
    if address.peer is not None and _is_ours(address):
        # Linux __ipv6_ifa_notify: whether its network gets a route or not.
        yield _on_link(interface, address.peer, _BITS, address.metric)
    anycast = anycast_of(address) if interface.settings["ip6.forward"] else None
    if anycast is not None:
        yield _route(interface, anycast, _BITS, RouteType.ANYCAST, 0)


def _to_itself(interface: Interface, address: Address) -> Iterator[Route]:
    """Yield the local route of an address.

    A tentative one is nobody's yet (RFC 4862 5.4), unless it is optimistic; a group is nobody's at
    all.
    """
    if _is_ours(address):
        yield _route(interface, address.local, _BITS, RouteType.LOCAL, 0)


def _is_ours(address: Address) -> bool:
    return not address.autojoin and (is_optimistic(address) or not address.tentative)


def anycast_of(address: Address) -> int | None:
    """Return the address that all routers of an address's network have; None without one.

    It is that of the network, without host bits (RFC 4291 2.6.1).
    """
    network = address.network(_BITS)
    return network if address.plen < _POINT_TO_POINT and network != IPV6_MARK else None


def _on_link(interface: Interface, prefix: int, plen: int, metric: int) -> Route:
    """Return a route to who is on the link."""
    kind, table = RouteType.UNICAST, TableName.MAIN
    return Route(prefix, plen, kind, table, interface.name, metric=metric, protocol=KERNEL)


def _route(interface: Interface, prefix: int, plen: int, kind: RouteType, metric: int) -> Route:
    """Return a route of the table local."""
    name, table = interface.name, TableName.LOCAL
    return Route(prefix, plen, kind, table, name, metric=metric, protocol=KERNEL)
