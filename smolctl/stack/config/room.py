"""Limits on the number of addresses and routes of an interface."""

from typing import TYPE_CHECKING

from smolctl.errors import NoBuffers
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import KERNEL, InsertMode, Route
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def check_address_room(stack: "Stack", interface: Interface, new: Address) -> None:
    """Check that an interface may have one address more.

    Raises:
        NoBuffers: it has as many as iface.max_addr_count allows.
    """
    known = interface.addresses.find(new.local, new.plen) is not None
    _check_room(stack, "addr", "addresses", interface.name, 0 if known else
                len(interface.addresses.items))  # fmt: skip


def check_route_room(stack: "Stack", route: Route, mode: InsertMode) -> None:
    """Check that an interface may have one route more.

    Raises:
        NoBuffers: it has as many as iface.max_route_count allows.
    """
    devs = {hop.dev for hop in route.hops} if isinstance(route, Multipath) else {route.dev}
    if devs == {None} or not stack.settings["iface.max_route_count"]:
        return
    table = stack.fib.tables.get(route.table)
    chain = table.chain(route.prefix, route.plen) if table is not None else []
    if mode is InsertMode.CHANGE or (
        mode is not InsertMode.APPEND and any(other.metric == route.metric for other in chain)
    ):
        return  # takes another one's place, or is refused because of it
    for dev in sorted(filter(None, devs)):
        there = sum(_goes_by(other, dev) and other.protocol != KERNEL for other in stack.fib)
        _check_room(stack, "route", "routes", dev, there)


def _goes_by(route: Route, dev: str) -> bool:
    hops = route.hops if isinstance(route, Multipath) else (route,)
    return any(hop.dev == dev for hop in hops)


def _check_room(stack: "Stack", what: str, name: str, dev: str, there: int) -> None:
    knob = f"iface.max_{what}_count"
    limit = stack.settings[knob]
    if limit and there >= limit:
        raise NoBuffers(
            f"{dev} has {there} {name} already, and {knob} is {limit}",
            hint=f"smolctl sysctl {knob}={there + 1}",
        )
