"""The reverse path test (RFC 3704)."""

from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network


def reverse_path(
    net: Network, interface: Interface, src: int, dst: int, tos: int = 0
) -> dict[str, object] | None:
    """Return why a source address fails the reverse path test, None when it passes.

    ``back`` is the interface by which an answer would leave, ``value`` the level that it passes.
    Source: RFC 3704 2.2 (strict), 2.4 (loose); Linux ``__fib_validate_source``.
    """
    level = net.settings["ip.rp_filter"]
    if not level or not src:
        return None
    route = net.lookup(RouteKey(src, dst, tos=tos))
    back = None
    if isinstance(route, Route) and route.type is RouteType.UNICAST:
        back = route.dev
    if isinstance(route, Multipath):
        # Any of its next hops will do (Linux fib_info_nh_uses_dev).
        back = (route.by(interface.name) or route.first).dev
    if back == interface.name:
        return None
    loose = back is not None and bool(net.of(interface).addresses.items)
    if loose and level == 2:
        return None
    cause = "none" if back is None else "elsewhere" if level == 1 else "unaddressed"
    return {"ip": src, "back": back or "", "value": 2 if loose else 0, "cause": cause}
