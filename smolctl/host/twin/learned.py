"""Learned ways of a twin: path MTUs and redirects of single destinations."""

from smolctl.host import routes
from smolctl.host.reading import HostState
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.stack.fib.exceptions import RouteException
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.path_mtu import Path, PathMtu
from smolctl.stack.fib.route import Route
from smolctl.stack.interface import Interfaces
from smolctl.stack.ip.network import Network, Networks
from smolctl.wire.address import IPV4, IPV6, family_of

_FAMILIES = {AF_INET: IPV4, AF_INET6: IPV6}
_MTU = 2
_TICK_NS = 10_000_000
_FOR_EVER_NS = 1 << 62


def add(networks: Networks, interfaces: Interfaces, state: HostState, now_ns: int) -> None:
    """Add what the kernel learned; what is told of links that are not here is left out."""
    names = {link.index: link.name for link in interfaces.values()}
    for each in state.learned:
        family = _FAMILIES.get(each.family)
        if family is None or not each.hops or family_of(each.dst) is not family:
            continue
        hop, net = each.hops[0], networks[family]
        dev = names.get(hop.oif)
        near = hop.gateway is None or family_of(hop.gateway) is family
        if dev is not None and near:
            _learn(net, each, dev, now_ns)


def _learn(net: Network, each: routes.Route, dev: str, now_ns: int) -> None:
    gateway = each.hops[0].gateway
    next_hop = each.dst if gateway is None else gateway
    mtu = dict(each.metrics).get(_MTU)
    if mtu:
        known = PathMtu(mtu, _MTU in each.locked, now_ns)
        net.fib.path_mtus.note(Path(each.dst, dev, next_hop), known)
    route = _route_of(net.fib, each, dev)
    if gateway is None or route is None or route.via in (None, gateway):
        return
    expires_ns = _FOR_EVER_NS if each.expires is None else now_ns + each.expires * _TICK_NS
    net.fib.exceptions.put(RouteException(each.dst, route, gateway, expires_ns))


def _route_of(fib: Fib, each: routes.Route, dev: str) -> Route | None:
    """Return the route to which something is an exception."""
    route = fib.find(each.table, each.dst)
    if isinstance(route, Multipath):
        return route.by(dev)
    return route if route is not None and route.dev == dev else None
