"""Checks of IPv6 routes, with Linux's rules (``ip6_route_info_create``)."""

from smolctl.errors import HostUnreachable, InvalidArgument
from smolctl.stack.fib.lookup import lookup
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import DEVICELESS, Route, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.network import Network
from smolctl.wire.address import UNSPECIFIED6, format_address, is_link_local, is_multicast

USER_METRIC = 1024
"""Of a route whose metric nobody says (Linux IP6_RT_PRIO_USER)."""


def settle(route: Route) -> None:
    """Clear the host bits of a route's prefix, and give it the usual metric, as Linux does."""
    shift = 128 - route.plen
    route.prefix = route.prefix >> shift << shift
    metric = route.metric or USER_METRIC
    route.metric = metric
    for hop in route.hops if isinstance(route, Multipath) else ():
        hop.prefix, hop.metric = route.prefix, metric


def check_gateway(net: Network, route: Route) -> None:
    """Check that a gateway may be one, and find its interface (Linux ``ip6_validate_gw``).

    Raises:
        InvalidArgument: it is a group or an address of ours, its interface is not said, or that is
            a loopback.
        HostUnreachable: it is on no link of ours, or not on that of the device.
    """
    via = route.via or UNSPECIFIED6
    shown = format_address(via)
    if via == UNSPECIFIED6 or is_multicast(via):
        raise InvalidArgument(f"{shown} is not the address of a router")
    if route.type is RouteType.LOCAL:
        raise InvalidArgument("a route to this host itself takes no gateway")
    if is_link_local(via) and route.dev is None:
        raise InvalidArgument(
            f"{shown} is on one link: which one?", hint=f"say: via {shown} dev DEV"
        )
    if not is_link_local(via):
        _check_near(net, route, via)
    if route.dev is None:
        raise InvalidArgument("a route needs its device: add dev DEV")
    interface = net.interfaces.named(route.dev)
    if interface.loopback:
        raise InvalidArgument(f"no gateway is behind {interface.name}")
    own = net.has_address(interface, via) if is_link_local(via) else net.fib.is_local(via)
    if own:
        raise InvalidArgument(f"the gateway {shown} is an address of this stack")
    route.on_link = False


def _check_near(net: Network, route: Route, via: int) -> None:
    """Check that a gateway is reached without another one, and set ``dev`` if it is not said."""
    shown = format_address(via)
    if route.onlink:
        if route.dev is None:
            raise InvalidArgument("onlink needs the device: add dev DEV")
        return
    found = net.fib.find(route.table, via, route.dev)
    if not _is_near(found, route.dev):
        ruled = lookup(net.fib, RouteKey(via, oif=route.dev))
        found = ruled if isinstance(ruled, Route) else None
    if isinstance(found, Multipath):
        found = found.first
    if not _is_near(found, route.dev) or found is None:
        where = f" of {route.dev}" if route.dev else ""
        raise HostUnreachable(
            f"the gateway {shown} is on no connected network{where}",
            hint="add an address of its network first, or say: dev DEV onlink",
        )
    route.dev = found.dev


def _is_near(found: Route | None, dev: str | None) -> bool:
    if found is None or found.type in DEVICELESS or found.via is not None:
        return False
    return dev in (None, found.dev)
