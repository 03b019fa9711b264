"""Suggestions of addresses, gateways and routes: what is plausible in the stack as it is."""

from smolctl.stack.explain.route_words import networks_text
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import RouteType, TableName
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.network import Network
from smolctl.stack.neighbor.states import VALID
from smolctl.wire.address import (
    IPV4,
    IPV6,
    family_of,
    format_address,
    is_class_e,
    is_host,
    is_limited_broadcast,
    is_link_local,
    is_loopback,
    is_mapped,
    is_multicast,
    unmapped,
)

_FEW = 1000
"""Routes that are looked through for a gateway."""
_ROUTERS = "ff02::2"
"""The group of all routers of a link (RFC 4291 2.7.1)."""


def hosts(net: Network, interface: Interface) -> list[Address]:
    """Return the addresses of an interface that are not groups."""
    return [item for item in net.of(interface).addresses.items if not item.autojoin]


def networks(net: Network, interface: Interface) -> str:
    """Return the addresses of an interface with their prefix lengths; "no address" for none."""
    return networks_text([(item.anchor, item.plen) for item in hosts(net, interface)])


def address(net: Network, interface: Interface, ip: int) -> dict[str, object]:
    """Return ``plen`` with which ``ip`` would be an address of ``interface``; {} if it cannot be.

    It is that of a network which the interface has, and nobody else is known to be there.
    """
    if not is_host(ip) or is_loopback(ip) != interface.loopback:
        return {}
    for item in hosts(net, interface):
        if item.local == ip:
            return {}  # it is there, and tentative
        if holds(item, ip):
            other = net.neighbors[interface.name].lookup(ip)
            taken = other is not None and other.lladdr is not None
            return {"plen": item.plen} if _within(ip, item.plen) and not taken else {}
    return {}


def gateway(net: Network, beside: Interface | None = None) -> tuple[int, str] | None:
    """Return who may be the router to all there is, and by which interface.

    It is the gateway of another route, or a neighbor. None where a default route is there already.

    Args:
        beside: an interface whose link is out of the question.
    """
    if len(net.fib) > _FEW or has_default(net):
        return None
    configured = [
        (ip, dev)
        for ip, dev in gateways(net.fib).items()
        if dev is not None and _may_send(net, dev, beside)
    ]
    if configured:
        return configured[0]
    links = [link for link in net.interfaces.values() if _may_send(net, link.name, beside)]
    return _router_of_ipv6(net, links) if net.family is IPV6 else _router_of_ipv4(net, links)


def _router_of_ipv4(net: Network, links: list[Interface]) -> tuple[int, str] | None:
    """Return a neighbor if there is no other, or if its address is its network's first one."""
    known = [
        (entry.ip, link.name, item.network(net.family.bits) + 1)
        for link in links
        for entry in net.neighbors[link.name]
        for item in hosts(net, link)
        if entry.state in VALID and holds(item, entry.ip)
    ]
    usual = [(ip, dev) for ip, dev, first in known if ip == first]
    return usual[0] if usual else known[0][:2] if len(known) == 1 else None


def _router_of_ipv6(net: Network, links: list[Interface]) -> tuple[int, str] | None:
    """Return the neighbor that says that it is a router (RFC 4861 4.4), by its link-local address.

    None when several do: nothing tells which one leads where.
    """
    known = [
        (entry.ip, link.name)
        for link in links
        for entry in net.neighbors[link.name]
        if entry.state in VALID and entry.router
    ]
    near = [found for found in known if is_link_local(found[0])] or known
    return near[0] if len(near) == 1 else None


def has_default(net: Network) -> bool:
    """Tell whether there is a default route."""
    return bool(net.fib.tables[TableName.MAIN].chain(net.family.mark, 0))


def gateways(fib: Fib) -> dict[int, str | None]:
    """Return the gateways of all routes, each with an interface by which it is reached."""
    ways = (
        way for route in fib for way in (route.hops if isinstance(route, Multipath) else (route,))
    )
    return {way.via: way.dev for way in ways if way.via is not None}


def _may_send(net: Network, dev: str | None, beside: Interface | None) -> bool:
    interface = net.interfaces.get(dev or "")
    return interface is not None and interface.up and interface is not beside


def no_route(net: Network, dst: int, beside: Interface | None = None) -> dict[str, object]:
    """Return what may lead to ``dst``, and ``look``, what to look at where nothing does.

    ``down``, the interface whose network it is in, when that is only down; else the ``gateway`` by
    which it may be reached. No gateway leads to who is on a link of ours.
    """
    near = [
        interface
        for interface in net.interfaces.values()
        if any(holds(item, dst) for item in hosts(net, interface))
    ]
    for interface in near:
        if not interface.up:
            return {"down": interface.name}
    wires = [wire.name for wire in net.interfaces.values() if not wire.loopback]
    if is_multicast(dst) or is_limited_broadcast(dst):
        dev = wires[0] if wires else "DEV"
        return {"look": f"by which link is it to leave? name it, such as: dev {dev}"}
    if is_class_e(dst):
        return {"look": "is the address right? 240.0.0.0/4 is reserved (RFC 1112 4)"}
    if is_link_local(dst):
        return {"look": f"on which link is it? {_NEAR[net.family]}"}
    if net.family is IPV6 and is_mapped(dst):
        plain = format_address(unmapped(dst))
        return {"look": f"is IPv4 meant? {plain} is its address there (RFC 4291 2.5.5.2)"}
    if near:
        family, dev = "-6 " if net.family is IPV6 else "", near[0].name
        return {"look": f"is it on {dev}? smolctl {family}route show dev {dev}"}
    router = gateway(net, beside)
    if router is not None:
        ip, dev = router
        # A link-local gateway says nothing without its link.
        by = f" dev {dev}" if net.needs_dev(ip) else ""
        return {"gateway": format_address(ip) + by}
    if has_default(net):
        shown = "smolctl -6 rule show" if net.family is IPV6 else "smolctl rule show"
        return {"look": f"why does the default route not count? {shown}"}
    if net.family is IPV6:
        return _who_routes(net)
    return {"look": "who is the router? smolctl neigh show"} if wires else {}


_NEAR = {
    IPV4: "169.254.0.0/16 is never behind a router (RFC 3927 7)",
    IPV6: "fe80::/10 is never behind a router (RFC 4291 2.5.6)",
}
"""Said of link-local addresses."""


def _who_routes(net: Network) -> dict[str, object]:
    """Return what has the routers of a link answer."""
    wires = [wire.name for wire in net.interfaces.values() if not wire.loopback and wire.up]
    return {"look": f"who is the router? smolctl ping -c 2 {_ROUTERS}%{wires[0]}"} if wires else {}


def not_ours(net: Network, interface: Interface, dst: int) -> dict[str, object]:
    """Return the details of a packet that came in by ``interface``, not to us.

    ``router`` is what ip.forward should be: 1 where a route leads on by another interface.
    """
    forwards = net.forwards(interface)
    if forwards and not interface.loopback:
        return {}
    route = net.fib.lookup(dst)
    on = route is not None and route.type is RouteType.UNICAST and route.dev != interface.name
    if on and not forwards and not net.needs_dev(dst):
        return {"networks": networks(net, interface), "router": 1}
    return missing(net, interface, dst)


def missing(net: Network, interface: Interface, ip: int) -> dict[str, object]:
    """Return the details of "somebody wants ``ip``, and it is not ours"."""
    return {"networks": networks(net, interface), **address(net, interface, ip)}


def holds(item: Address, ip: int) -> bool:
    """Tell whether an address is in the network of one of the same family."""
    return item.holds(ip, family_of(ip).bits)


def _within(ip: int, plen: int) -> bool:
    """Tell whether an address is a host's in a network of that length.

    It is neither the network's own, which in IPv6 is its routers', nor IPv4's broadcast address.
    """
    bits = family_of(ip).bits
    host = ip & (1 << bits - plen) - 1
    if plen > bits - 2:
        return True
    return host > 0 and (bits == IPV6.bits or host < (1 << bits - plen) - 1)
