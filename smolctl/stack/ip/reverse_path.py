"""The reverse path test (RFC 3704)."""

from typing import TYPE_CHECKING

from smolctl.stack.fib.lookup import pick_route
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import RouteType
from smolctl.stack.fib.rule import Traits
from smolctl.stack.interface import Interface
from smolctl.wire.address import format_address

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


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
    return {"ip": format_address(src), "back": back or "", "value": 2 if loose else 0}
