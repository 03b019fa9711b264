"""The choice among several gateways: the first one that is not known to be dead (RFC 1122 3.3.1.5).

Routes of one prefix and metric (``route append``) are each other's substitutes; the next hops of
one route (``nexthop``) share the flows. To a host of IPv6 all routes that hold the address are
substitutes. A gateway is dead when its neighbor entry FAILED: it did
not answer. Nothing is sent just to find out (RFC 1122 3.3.1.4). A lookup changes nothing.
"""

from smolctl.stack.events import ChangeType
from smolctl.stack.fib.lookup import Found
from smolctl.stack.fib.nexthop import Hop, Multipath, address_words, bounds, flow_hash
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.states import State
from smolctl.wire.address import IPV4, IPV6


def living(net: Network, route: Route, dev: str | None = None) -> Route:
    """Return a route or the first substitute whose gateway is not dead.

    When all are, the one that failed longest ago is tried again.

    Deviation: of a gateway that was heard and has not answered yet, Linux thinks one thing at one
    packet and the other at the next, so that a flow takes both gateways by turns.

    Args:
        dev: interface that a substitute must leave by.

    Source: Linux ``fib_select_default``, which IPv6 does not have: see ``reachable``.
    """
    if net.family is IPV6:
        return route
    table = net.fib.tables[route.table]
    alone = (route.prefix, route.plen) not in table.chains
    # A next hop of several is alone, too, where its sender insists on the interface.
    if alone or route.via is None or isinstance(route, Hop) or not is_dead(net, route):
        return route
    routes = [
        other
        for other in table.chain(route.prefix, route.plen)
        if other.metric == route.metric
        and other.type is RouteType.UNICAST
        and dev in (None, other.dev)
    ]
    alive = [other for other in routes if not is_dead(net, other)]
    return alive[0] if alive else min(routes, key=lambda other: _failed_ns(net, other))


def reachable(net: Network, key: RouteKey, found: Found) -> Found:
    """Return the route of a host of IPv6, which passes over gateways that do not answer.

    The next route of the same table that holds the address is taken, even if its prefix is shorter;
    if no gateway answers, what was found (RFC 4861 6.3.6).

    Source: Linux ``fib6_table_lookup``, ``find_rr_leaf``, ``rt6_check_neigh``.
    """
    if not isinstance(found, Route) or isinstance(found, Hop) or not is_dead(net, found):
        return found
    fib, dev = net.fib, key.bound
    for other in fib.tables[found.table].matches(key.dst):
        hop = other.by(dev) if dev is not None and isinstance(other, Multipath) else None
        fits = dev is None or hop is not None or fib.is_by(other, dev)
        if fits and not fib.ignores(other) and not is_dead(net, other):
            return hop or other
    return found


def pick_hop(net: Network, route: Multipath, key: RouteKey) -> Hop:
    """Return the next hop of a flow: its hash falls into the share of one (RFC 2991 4).

    Of IPv4, a next hop from whose network the flow's source address is comes before one that the
    hash would give. One that is not ``usable`` is passed over, and no other flow changes its way
    for that. When none is usable the hash alone decides.

    Source: Linux ``fib_select_multipath``, ``fib6_select_path``.
    """
    number = flow_number(net, key)
    tops = _tops(net, route)
    best, best_score = route.first, -1
    for hop, top in zip(route.hops, tops, strict=True):
        if top < 0 or not usable(net, hop):
            continue
        score = int(number <= top)
        if prefers_source(net, route, key) and key.src == source_of(net, hop):
            score += 2
        if score > best_score:
            best, best_score = hop, score
    if best_score < 0:
        weights = [0 if hop.dead else hop.weight for hop in route.hops]
        for hop, top in zip(route.hops, bounds(weights), strict=True):
            if number <= top:
                return hop
    return best


def hashed(net: Network, route: Multipath, key: RouteKey) -> list[Hop]:
    """Return the next hops among which a flow's hash picks one: see ``pick_hop``."""
    tops = _tops(net, route)
    found = [
        hop for hop, top in zip(route.hops, tops, strict=True) if top >= 0 and usable(net, hop)
    ]
    if insists(net, route, key):
        by_it = [hop for hop in found if hop.dev == key.bound]
        return by_it if net.family is IPV6 else by_it[:1]
    if prefers_source(net, route, key):
        found = [hop for hop in found if source_of(net, hop) == key.src] or found
    return found or [hop for hop in route.hops if not hop.dead]


def pick_hop_by(net: Network, found: Hop, key: RouteKey) -> Hop:
    """Return the next hop of a flow whose sender insists on the link of ``found``.

    Of IPv6, the hash picks among all, and if it picks one of another link, the first by this one
    remains, but for next-hop objects. Source: Linux ``fib6_select_path``; ``fib_select_path`` asks
    no hash.
    """
    if net.family is IPV4 or found.whole is None:
        return found
    picked = pick_hop(net, found.whole, key)
    return found if insists(net, found.whole, key) and picked.dev != found.dev else picked


def prefers_source(net: Network, route: Multipath, key: RouteKey) -> bool:
    """Tell whether the flow's source address may pick among the next hops of a route.

    Source: Linux ``fib_select_multipath``; of next-hop objects, ``nexthop_path_fib_result``.
    """
    return net.family is IPV4 and key.src is not None and not route.nhid


def insists(net: Network, route: Multipath, key: RouteKey) -> bool:
    """Tell whether a sender has a link by which one of a route's next hops must lead.

    Which next-hop object of IPv6 it is, the hash alone says (Linux ``nexthop_path_fib6_result``).
    """
    return key.bound is not None and not (net.family is IPV6 and route.nhid)


def flow_number(net: Network, key: RouteKey) -> int:
    """Return the hash of a flow, by addresses or, with ip.fib_multipath_hash_policy=1, ports too.

    Source: Linux ``fib_multipath_hash``; a source address that is not chosen yet counts as 0.
    """
    seed = net.settings["ip.fib_multipath_hash_seed"] or net.hash_seed
    src, dst = address_words(key.src or 0), address_words(key.dst)
    if net.settings["ip.fib_multipath_hash_policy"]:
        ports = key.protocol << 32 | key.sport << 16 | key.dport
        return flow_hash(seed, *src, *dst, ports)
    return flow_hash(seed, *src, *dst)


def share(net: Network, hop: Hop) -> tuple[int, int]:
    """Return the first and the last hash of a next hop's share; the last is lower for none."""
    assert hop.whole is not None  # a next hop is always one of several
    below = 0
    for other, top in zip(hop.whole.hops, _tops(net, hop.whole), strict=True):
        if other is hop:
            return below, top
        below = max(below, top + 1)
    raise AssertionError("a next hop that its route does not have")


def _tops(net: Network, route: Multipath) -> list[int]:
    """Return the highest hash of each next hop, -1 of one without link (Linux fib_rebalance)."""
    return bounds([hop.weight if has_link(net, hop) else 0 for hop in route.hops])


def usable(net: Network, hop: Hop) -> bool:
    """Tell whether a next hop may lead on: its link is there, its gateway not known to be dead.

    With ip.fib_multipath_use_neigh=0 the gateway is not looked at, as Linux does by default.
    """
    if not has_link(net, hop):
        return False
    return not (net.settings["ip.fib_multipath_use_neigh"] and is_dead(net, hop))


def has_link(net: Network, hop: Hop) -> bool:
    """Tell whether frames can leave by a next hop's link.

    One without carrier is passed over, as with ignore_routes_with_linkdown, unless
    ip.multipath_carrier is off.
    """
    out = net.interfaces.get(hop.dev or "")
    if hop.dead or out is None or not out.up:
        return False
    return out.carrier or not (
        net.settings["ip.multipath_carrier"] or out.name in net.fib.ignored_links
    )


def source_of(net: Network, hop: Hop) -> int | None:
    """Return the address that packets by a next hop would have (Linux nhc_saddr)."""
    out = net.interfaces.get(hop.dev or "")
    return None if out is None else net.select_source(out, hop.prefix, hop.via, hop.scope)


def is_dead(net: Network, route: Route) -> bool:
    """Tell whether a route's gateway did not answer what was last asked of it."""
    cache = net.neighbors.get(route.dev) if route.dev and route.via else None
    entry = cache.lookup(route.via) if cache is not None and route.via else None
    return entry is not None and entry.state is State.FAILED


def watch(net: Network, dst: int, route: Route) -> None:
    """Have flows forgotten when a gateway that ``dst`` could have, too, dies or lives again.

    Each packet then goes by the gateway that it would get on its own, as those of a socket of
    Linux that is not connected, which looks up a route for each.
    """
    others: list[Route] = []
    if isinstance(route, Hop) and route.whole is not None:
        others = list(route.whole.hops)
    elif net.family is IPV6:
        matches = list(net.fib.tables[route.table].matches(dst))
        # Whatever comes behind the route counts only if its own gateway does not answer.
        taken = matches.index(route) + 1 if len(matches) > 1 and route in matches else 0
        others = [other for other in matches[:taken] if other.via is not None]
    elif route.via is not None:
        chain = net.fib.tables[route.table].chain(route.prefix, route.plen)
        others = [other for other in chain if other.via is not None] if len(chain) > 1 else []
    watched = [(other.dev or "", other.via or 0) for other in others]
    redirected = net.fib.exceptions.lookup(dst, route) if net.fib.exceptions else None
    if redirected is not None:
        watched.append((route.dev or "", redirected.gateway))
    if watched:
        net.watched_gateways.add(net.generation.number, watched)


def changed(net: Network, interface: Interface, action: ChangeType, entry: Neighbor) -> None:
    """Take note that a neighbor's state changed, or that it is forgotten."""
    if net.events.heard:
        net.events.neigh(interface, action, entry)
    watched = net.watched_gateways
    if watched.known and watched.concerns(net.generation.number, (interface.name, entry.ip)):
        net.generation.touch()


def _failed_ns(net: Network, route: Route) -> int:
    entry = net.neighbors[route.dev].lookup(route.via) if route.dev and route.via else None
    return entry.updated_ns if entry is not None else 0
