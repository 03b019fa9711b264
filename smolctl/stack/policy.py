"""What real stacks do differently, decided: one function for each question that a knob answers.

The paths ask here, so that what a knob means stands in one place. Nothing is changed by asking.
"""

from typing import TYPE_CHECKING

from smolctl.errors import NoBuffers
from smolctl.stack import rule_lookup, suggest
from smolctl.stack.addr import KERNEL, Address, Derived, derived_routes, routes_of
from smolctl.stack.fate import Trace
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.multipath import Multipath
from smolctl.stack.route import InsertMode, Route, RouteType, TableName
from smolctl.stack.rule import PLAIN, Traits
from smolctl.stack.settings import KNOBS
from smolctl.wire import addr

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

ANYBODY, SUBNET, SOLICITED = range(3)
"""Values of arp.accept_from."""
DERIVING = frozenset({"ip.local_prefix", "ip.subnet_broadcast"})
"""Knobs that change which routes follow from an address."""

# --- what follows from an address -----------------------------------------------------------------


def derived(stack: "Stack", interface: Interface, *, up: bool | None = None) -> Derived:
    """Return the routes that an interface's addresses bring in its state, or as if ``up``."""
    return derived_routes(
        interface.name,
        interface.addresses,
        up=interface.up if up is None else up,
        **_wanted(stack, interface),
    )


def derived_from(stack: "Stack", interface: Interface, address: Address) -> Derived:
    """Return the routes that one address of an interface brings."""
    addresses = interface.addresses
    return routes_of(
        interface.name,
        address,
        addresses.source_of(address),
        bits=addresses.bits,
        up=interface.up,
        **_wanted(stack, interface),
    )


def _wanted(stack: "Stack", interface: Interface) -> dict[str, bool]:
    return {
        "own_network": interface.loopback and stack.settings["ip.local_prefix"] == 1,
        "broadcast": stack.settings["ip.subnet_broadcast"] == 1,
    }


def wants_test(stack: "Stack", interface: Interface, address: Address) -> bool:
    """Tell whether an address is tested before it is used (RFC 5227 2.1): a wire is needed."""
    if interface.medium is not Medium.ETHERNET or address.autojoin:
        return False
    return stack.settings["arp.dad"] == 1 if address.dad is None else address.dad


# --- how many -------------------------------------------------------------------------------------


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


# --- which way ------------------------------------------------------------------------------------


def pick_route(
    stack: "Stack",
    dst: int,
    dev: str | None = None,
    src: int | None = None,
    traits: Traits = PLAIN,
) -> Route | None:
    """Return the route of a packet, by ``dev`` if one is named; of several next hops all.

    The rules decide which tables count, and in each the longest prefix wins (Linux); with
    ip.onlink_first a connected network does, whatever else there is for a part of it (smoltcp).

    Args:
        src, traits: what rules look at.
    """
    fib = stack.fib
    if not fib.merged:
        route = rule_lookup.find(stack, dst, src, dev, traits)
    else:
        route = fib.lookup(dst) if dev is None else fib.lookup_within(dst, dev=dev)
    if stack.settings["ip.onlink_first"] and (route is None or route.table is TableName.MAIN):
        for near in fib.matches(dst):
            connected = near.protocol == KERNEL and near.type is RouteType.UNICAST
            if connected and dev in (None, near.dev):
                return near
    return route


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
    return bool(wanted) and not looped and not _is_here(stack, interface, route)


def _is_here(stack: "Stack", interface: Interface, route: Route) -> bool:
    """Tell whether a route, or another one for the same prefix, is by this interface."""
    twins = stack.fib.tables[route.table].chain(route.prefix, route.plen)
    return any(other.dev == interface.name for other in twins)


def is_away(stack: "Stack", interface: Interface, route: Route) -> bool:
    """Tell whether the strong model refuses what came in by ``interface`` and matched ``route``.

    Source: RFC 1122 3.3.4.2 (A), MAY.
    """
    if not is_strong(stack):
        return False
    return route.dev != interface.name and not _is_here(stack, interface, route)


def reverse_path(
    stack: "Stack", interface: Interface, src: int, dst: int, tos: int = 0
) -> dict[str, object] | None:
    """Return why a source address fails the reverse path test, None when it passes.

    ``back`` is the interface by which an answer would leave, ``value`` the level that it passes.
    Source: RFC 3704 2.2 (strict), 2.4 (loose); Linux ``__fib_validate_source``.
    """
    level = stack.settings["ip.rp_filter"]
    if not level or not src:
        return None
    route = pick_route(stack, src, None, dst, Traits(tos=tos))
    back = route.dev if route is not None and route.type is RouteType.UNICAST else None
    if isinstance(route, Multipath):
        # Any of its next hops will do (Linux fib_info_nh_uses_dev).
        back = (route.by(interface.name) or route.first).dev
    if back == interface.name:
        return None
    loose = back is not None and bool(interface.addresses.items)
    if loose and level == 2:
        return None
    return {"ip": addr.IPV4.format(src), "back": back or "", "value": 2 if loose else 0}


# --- packets that may not wait --------------------------------------------------------------------


def has_no_queue(stack: "Stack", trace: Trace) -> dict[str, object] | None:
    """Return why a packet may not wait for its neighbor; None when it may.

    With ``knob`` at ``value`` it may. What waits in a socket does not come here.
    """
    if not stack.settings["neigh.unres_qlen"]:
        return {"knob": "neigh.unres_qlen", "value": KNOBS["neigh.unres_qlen"].default}
    answer = trace.cause is not None and trace.flow is not None and trace.flow.proto == "icmp"
    if answer and not stack.settings["neigh.queue_answers"]:
        return {"knob": "neigh.queue_answers", "value": 1}
    return None


# --- ARP ------------------------------------------------------------------------------------------


def is_near(interface: Interface, *wanted: int) -> bool:
    """Tell whether one network of the interface holds all these addresses."""
    for item in interface.addresses.items:
        shift = interface.addresses.bits - item.plen
        if not item.autojoin and all(ip >> shift == item.local >> shift for ip in wanted):
            return True
    return False


def ignores_request(
    stack: "Stack", interface: Interface, sender: int, target: int
) -> dict[str, object] | None:
    """Return why a request for an address of ours is left unanswered; None when it is answered.

    ``knob`` has the value ``level``, and ``value`` would have it answered.

    Source: Linux ``arp_ignore``, ``arp_filter``.
    """
    shown: dict[str, object] = {
        "ip": addr.IPV4.format(target),
        "sender": addr.IPV4.format(sender),
        "networks": suggest.networks(interface),
    }
    if not sender and not stack.settings["arp.answer_probes"]:
        return {**shown, "knob": "arp.answer_probes", "level": 0, "value": 1}
    level = stack.settings["arp.ignore"]
    if (level and interface.addresses.find(target, None) is None) or (
        level == 2 and sender and not is_near(interface, sender, target)
    ):
        return {**shown, "knob": "arp.ignore", "level": level, "value": 0}
    if sender and stack.settings["arp.filter"]:
        # Linux arp_filter: by one of several links to the same network alone.
        route = pick_route_from(stack, sender, target)
        hops = route.hops if isinstance(route, Multipath) else (route,)
        if all(hop is None or hop.dev != interface.name for hop in hops):
            return {**shown, "knob": "arp.filter", "level": 1, "value": 0}
    return None


def may_ask_from(stack: "Stack", interface: Interface, source: int, target: int) -> bool:
    """Tell whether a request may bear the source address of the packet that waits for it.

    Source: Linux ``arp_solicit``, arp_announce.
    """
    level = stack.settings["arp.announce"]
    if level == 2 or not stack.fib.is_local(source):
        return False
    return level == 0 or is_near(interface, target, source)
