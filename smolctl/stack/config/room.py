"""Limits on the number of addresses and routes of an interface."""

from smolctl.errors import NoBuffers
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import InsertMode, Route
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.network import Network


def check_address_room(net: Network, interface: Interface, new: Address) -> None:
    """Check that an interface may have one address more.

    Raises:
        NoBuffers: it has as many as iface.max_addr_count allows.
    """
    known = net.of(interface).addresses.find(new.local, new.plen) is not None
    there = 0 if known else len(net.of(interface).addresses.items)
    _check_room(net, interface, "addr", "addresses", there)


def check_route_room(net: Network, route: Route, mode: InsertMode) -> None:
    """Check that an interface may have one route more.

    Raises:
        NoBuffers: it has as many as iface.max_route_count allows.
    """
    devs = {hop.dev for hop in route.hops} if isinstance(route, Multipath) else {route.dev}
    links = [net.interfaces[dev] for dev in sorted(filter(None, devs))]
    limited = [link for link in links if link.settings["iface.max_route_count"]]
    if not limited:
        return
    table = net.fib.tables.get(route.table)
    chain = table.chain(route.prefix, route.plen) if table is not None else []
    if mode is InsertMode.CHANGE or (
        mode is not InsertMode.APPEND and any(other.metric == route.metric for other in chain)
    ):
        return  # takes another one's place, or is refused because of it
    for link in limited:
        count = net.fib.count_by(link.name, link.settings["iface.max_route_count"])
        _check_room(net, link, "route", "routes", count)


def _check_room(net: Network, link: Interface, what: str, name: str, there: int) -> None:
    sysctl = f"iface.max_{what}_count"
    limit = link.settings[sysctl]
    if limit and there >= limit:
        raise NoBuffers(
            f"{link.name} has {there} {name} already, and {sysctl} is {limit}",
            hint=f"smolctl sysctl {net.settings.knob(link.name, sysctl, there + 1)}={there + 1}",
        )
