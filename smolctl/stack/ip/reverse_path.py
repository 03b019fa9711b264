"""Checks of a source address: whose it is, and the reverse path test (RFC 3704)."""

from smolctl.stack import reason
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.reason import Reason


def source_refused(
    net: Network, interface: Interface, key: RouteKey
) -> tuple[Reason, dict[str, object]] | None:
    """Return why a packet from the wire is refused for its source, and the reason's values.

    This is asked when there is a way for it, and not before (Linux ``fib_validate_source``).
    """
    src = key.src or 0
    own = None if interface.loopback else net.fib.own(src)
    if own is not None and own.type is RouteType.BROADCAST:
        return reason.IP_SRC_INVALID, {"ip": src, "cause": "broadcast"}
    if own is not None and own.type is RouteType.LOCAL:
        return reason.IP_SRC_IS_OURS, {"ip": src}
    back = reverse_path(net, interface, src, key.dst, key.tos)
    return None if back is None else (reason.IP_REVERSE_PATH, back)


def reverse_path(
    net: Network, interface: Interface, src: int, dst: int, tos: int = 0
) -> dict[str, object] | None:
    """Return why a source address fails the reverse path test, None when it passes.

    ``back`` is the interface by which an answer would leave, ``value`` the level that it passes.
    Source: RFC 3704 2.2 (strict), 2.4 (loose); Linux ``__fib_validate_source``.
    """
    level = interface.settings["ip.rp_filter"]
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
