"""``config save`` of routes: what is in the FIB beside, or instead of, what addresses bring."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from smolctl.ops.context import Context
from smolctl.ops.saved import Saved, Words
from smolctl.stack.config.route6 import USER_METRIC
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import (
    DEVICELESS,
    KERNEL,
    Route,
    RouteType,
    Scope,
    TableName,
    table_text,
)
from smolctl.stack.ip.derived_routes import by_identity, derived, derived_from, key_of
from smolctl.stack.ip.network import Derived, Network
from smolctl.wire.address import IPV6, family_of, format_address, is_link_local

_LOCAL_TYPES = (RouteType.LOCAL, RouteType.BROADCAST, RouteType.ANYCAST)
_SCAFFOLD = {"protocol": "255"}
"""Marks routes that are there for a moment, so that no other one is deleted for them."""


@dataclass(slots=True)
class _Work:
    """The work to be done, sorted by when it can be.

    Attributes:
        near: routes that need no gateway, others may need them; and how each is added.
        far: routes by a gateway.
        anew: the routes of prefixes that no adding brings into their order, and those there now.
    """

    near: list[tuple[Route, str]] = field(default_factory=list)
    far: list[tuple[Route, str]] = field(default_factory=list)
    anew: list[tuple[list[Route], list[Route]]] = field(default_factory=list)


def save(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield what makes the routes of ``ctx`` from those that ``fresh`` has already."""
    for family, net in ctx.stack.networks.items():
        yield from _save(net, fresh.stack.networks[family])


def _save(net: Network, fresh: Network) -> Iterator[Saved]:
    later = _come_later(net)
    yield from _wake(net, fresh, later)
    work = _Work()
    empty = net.fib.new_table()
    for number in {**dict.fromkeys(fresh.fib.tables), **net.fib.tables}:
        mine = net.fib.tables.get(number, empty)
        theirs = fresh.fib.tables.get(number, empty)
        for prefix, plen in dict.fromkeys(
            (route.prefix, route.plen) for table in (mine, theirs) for route in table
        ):
            wanted = [route for route in mine.chain(prefix, plen) if key_of(route) not in later]
            present = theirs.chain(prefix, plen)
            if net.family is IPV6:
                wanted, present = _of_users(wanted, present)
            _chain(wanted, present, work)
    # What each of them needs is seen when those before it are there.
    for route, mode in (*work.near, *work.far):
        yield from _make(net, fresh, route, mode)
    for wanted, present in work.anew:
        yield from _anew(net, fresh, wanted, present)
    # What addresses bring, and is not there: until now it may have been of use.
    for route in list(fresh.fib):
        chain = _chain_of(net, route)
        gone = all(route.identity() != other.identity() for other in chain)
        if gone and not _follows_address(net, fresh, route):
            yield _delete(route, _chain_of(fresh, route))


def _come_later(net: Network) -> Derived:
    """Return the routes of IPv6 addresses of links that are down, which are added after all routes.

    A link may have to come up for a route; when it goes down again, it loses such addresses.
    """
    down = [link for link in net.interfaces.values() if net.family is IPV6 and not link.up]
    return by_identity(route for link in down for route in derived(net, link).values())


def _follows_address(net: Network, fresh: Network, route: Route) -> bool:
    """Tell whether a route follows an address: one still tested, or one that a copy alone has.

    Links without carrier have no link-local address yet, and those of a fresh stack have carrier.
    """
    link, copy = net.interfaces.get(route.dev or ""), fresh.interfaces.get(route.dev or "")
    if link is None or copy is None:
        return False
    addresses = net.of(link).addresses
    if addresses.tentative(route.prefix) is not None:
        return True
    identity = route.identity()
    own = [
        each.local
        for each in fresh.of(copy).addresses.items
        if any(its.identity() == identity for its in derived_from(fresh, copy, (each,)).values())
    ]
    return bool(own) and all(addresses.find(local, None) is None for local in own)


def _of_users(wanted: list[Route], present: list[Route]) -> tuple[list[Route], list[Route]]:
    """Return both without what comes by itself: links share prefixes, in the order they came up."""
    there = {route.identity() for route in present if route.protocol == KERNEL}
    asked = [route for route in wanted if route.identity() not in there]
    return asked, [route for route in present if route.protocol != KERNEL]


def _chain_of(net: Network, route: Route) -> list[Route]:
    """Return the routes of a network that have the table and the prefix of ``route``."""
    table = net.fib.tables.get(route.table)
    return [] if table is None else table.chain(route.prefix, route.plen)


def _wake(net: Network, fresh: Network, later: Derived) -> Iterator[Saved]:
    """Bring links that are down up and down again, where that leaves what is there (Linux too).

    The routes to this host itself that come with an address stay when its link goes down.
    """
    left = {
        route.dev
        for route in net.fib
        if route.protocol == KERNEL
        and key_of(route) not in later
        and all(route.identity() != other.identity() for other in _chain_of(fresh, route))
    }
    names = _down(net, [name for name in net.interfaces if name in left])
    for state in ("up", "down"):  # no scaffold: what it leaves is seen nowhere else
        for name in names:
            yield Saved("link.set", {"dev": name, "state": state})


def _down(net: Network, names: Iterable[str]) -> list[str]:
    """Return which of some links are down, and of those that they are VLANs of: these first."""
    found = dict[str, int]()
    for name in names:
        link, ways = net.interfaces[name], [name]
        while link.vlan is not None:
            link = link.vlan.lower
            ways.append(link.name)
        found |= dict.fromkeys(reversed(ways), 0)
    return [name for name in found if not net.interfaces[name].up]


def _chain(wanted: list[Route], present: list[Route], work: _Work) -> None:
    """Add what makes the routes of one prefix."""
    want = [route.identity() for route in wanted]
    have = {route.identity() for route in present}
    gone = [route for route in present if route.identity() not in want]
    new = [route for route in wanted if route.identity() not in have]
    if [route.identity() for route in _outcome(present, gone, new)] == want:
        taken = {route.metric for route in present}
        far = False
        for route in new:
            mode = "append" if route.metric in taken else "add"
            taken.add(route.metric)
            gateways = any(hop.via is not None for hop in _hops(route))
            far = far or gateways  # what stands behind one comes behind it
            (work.far if far else work.near).append((route, mode))
        return
    work.anew.append((wanted, present))


def _anew(
    net: Network, fresh: Network, wanted: list[Route], present: list[Route]
) -> Iterator[Saved]:
    """Yield what deletes all routes of a prefix and adds others, one behind the other."""
    names = {hop.dev: 0 for route in wanted for hop in _hops(route) if hop.dev is not None}
    links = [net.interfaces[name] for name in names]
    down = _down(net, names)
    sources = {route.prefsrc: 0 for route in wanted if route.prefsrc is not None}
    dev = links[0].name if links else net.interfaces.loopback.name
    own = [
        {"dst": format_address(source), "type": "local", "dev": dev, **_SCAFFOLD}
        for source in sources
    ]
    yield from (_state(name, "up") for name in down)
    yield from (Saved("route.append", spec, scaffold=True) for spec in own)
    yield from (_delete(route, present) for route in present)
    for route in wanted:
        yield from (
            part
            for part in _make(net, fresh, route, "append")
            if part.op != "link.set"  # they are up
        )
    yield from (Saved("route.del", spec, scaffold=True) for spec in own)
    yield from (_state(name, "down") for name in down)


def _state(dev: str, state: str) -> Saved:
    return Saved("link.set", {"dev": dev, "state": state}, scaffold=True)


def _outcome(present: list[Route], gone: list[Route], new: list[Route]) -> list[Route]:
    """Return a prefix's routes, in order, after some were appended and others deleted."""
    order = list(present)
    for route in new:
        order.insert(sum(other.metric <= route.metric for other in order), route)
    return [route for route in order if route not in gone]


def _make(net: Network, fresh: Network, route: Route, mode: str) -> Iterator[Saved]:
    """Yield what adds one route, with what it needs for that and is not there any more."""
    args = words(route)
    # What is local stays when its link goes down, and so does one next hop of several; they cannot
    # be added then.
    links = {hop.dev: 0 for hop in _hops(route) if hop.dev is not None}
    down = _down(net, links)
    yield from (_state(name, "up") for name in down)
    scaffold = list(needs(fresh, route))
    yield from (Saved("route.append", spec, scaffold=True) for spec in scaffold)
    undo = ("route.del", words(route, full=len(_chain_of(net, route)) > 1))
    group = f"route {net.family.name} {route.table} {args['dst']}"
    yield Saved(f"route.{mode}", args, undo, group)
    yield from (Saved("route.del", spec, scaffold=True) for spec in reversed(scaffold))
    yield from (_state(name, "down") for name in down)


def needs(net: Network, route: Route) -> Iterator[Words]:
    """Yield routes that must be there while this one is added, and are not."""
    source = route.prefsrc
    if source is not None and not net.fib.is_local(source):
        yield {"dst": format_address(source), "type": "local", "dev": "lo", **_SCAFFOLD}
    if route.nhid:  # its gateways were looked at when the objects were made
        return
    ways = {(hop.via, hop.dev, hop.onlink, hop.on_link): hop for hop in _hops(route)}
    for hop in ways.values():
        via = hop.via
        if via is None:
            continue
        # Before what there is, and never in the place of the route itself.
        gateway = {"dst": format_address(via), "dev": hop.dev, "metric": "1", **_SCAFFOLD}
        if hop.onlink:
            if net.fib.is_local(via) or net.is_broadcast(via):  # it became so afterwards
                yield {**gateway, "table": "local"}
        elif not _leads(net, hop, via):
            yield {**gateway, "type": "local"} if hop.on_link else gateway


def _hops(route: Route) -> Sequence[Route]:
    """Return the next hops of a route: itself, when it is one."""
    return route.hops if isinstance(route, Multipath) else (route,)


def _leads(net: Network, route: Route, via: int) -> bool:
    """Tell whether a gateway is on a network of the route's device, as adding it would ask."""
    if net.family is IPV6:
        if is_link_local(via):
            return True
        near = net.fib.lookup_within(via, dev=route.dev)
        return near is not None and near.type not in DEVICELESS and near.via is None
    found = net.fib.lookup_within(via, dev=route.dev, scope=Scope.LINK)
    return (
        found is not None
        and found.type in (RouteType.UNICAST, RouteType.LOCAL)
        and found.dev == route.dev
        and (found.scope is Scope.HOST) == route.on_link
    )


def _delete(route: Route, chain: list[Route]) -> Saved:
    return Saved("route.del", words(route, full=len(chain) > 1))


def words(route: Route, *, full: bool = False) -> Words:
    """Return the arguments that add a route, or delete it.

    Args:
        route: which one.
        full: leave nothing out that is as usual: there are others to the same prefix.
    """
    prefix, family = format_address(route.prefix), family_of(route.prefix)
    args: Words = {"dst": f"{prefix}/{route.plen}" if route.plen < family.bits else prefix}
    if route.plen == 0:
        args["dst"] = "default"
        if family is IPV6:
            args["family"] = family.name
    if route.type is not RouteType.UNICAST or full:
        args["type"] = route.type.value
    if route.nhid:
        args["nhid"] = str(route.nhid)
        args.pop("type", None)  # it is the object's
    elif isinstance(route, Multipath):
        args["nexthop"] = [{**_way(hop), "weight": str(hop.weight)} for hop in route.hops]
    if not route.nhid:
        args |= _way(route)
    if route.prefsrc is not None:
        args["src"] = format_address(route.prefsrc)
    if route.metric != (USER_METRIC if family is IPV6 else 0) or full:
        args["metric"] = str(route.metric)
    if route.scope is not _usual_scope(route) or full:
        args["scope"] = route.scope.name.lower()
    if route.mtu is not None:
        args["mtu"] = str(route.mtu)
    if route.mtu_lock:
        args["mtu_lock"] = True
    if route.protocol != "boot" or full:
        args["protocol"] = route.protocol
    if route.table != (TableName.LOCAL if route.type in _LOCAL_TYPES else TableName.MAIN):
        args["table"] = table_text(route.table)
    return args


def _way(hop: Route) -> Words:
    """Return the arguments for one next hop."""
    args: Words = {}
    if hop.via is not None:
        args["via"] = format_address(hop.via)
    if hop.dev is not None:
        args["dev"] = hop.dev
    if hop.onlink:
        args["onlink"] = True
    return args


def _usual_scope(route: Route) -> Scope:
    """Return the scope that a route has unless another is asked for (``route._parse``)."""
    if family_of(route.prefix) is IPV6:
        return Scope.GLOBAL
    if route.type is RouteType.LOCAL:
        return Scope.HOST
    near = (
        route.type is RouteType.UNICAST
        and not route.nhid
        and all(hop.via is None for hop in _hops(route))
    )
    near = near and not isinstance(route, Multipath)
    return Scope.LINK if near or route.type is RouteType.BROADCAST else Scope.GLOBAL
