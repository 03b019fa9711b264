"""Checks of a source address: whose it is, and the reverse path test (RFC 3704)."""

from smolctl.stack import reason
from smolctl.stack.fib.lookup import lookup
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.reason import Reason
from smolctl.wire.address import IPV4

_BACK = (RouteType.UNICAST, RouteType.LOCAL)


def source_refused(
    net: Network, interface: Interface, key: RouteKey, out: str = OUTPUT
) -> tuple[Reason, dict[str, object]] | None:
    """Return why a packet from the wire is refused for its source, and the reason's values.

    This is asked when there is a way for it, and not before (Linux ``fib_validate_source``).

    Args:
        out: by which interface it is to be sent on.
    """
    src, usual = key.src or 0, net.fib.usual_rules
    if usual and not interface.settings["ip.rp_filter"]:
        back = None
    else:
        back = way_back(net, interface, key, out)
    if not interface.loopback:
        own = _own(net, src, back if not usual else None)
        if own is not None and own.type is RouteType.BROADCAST and not takes_broadcast(
            net, interface, out
        ):  # fmt: skip
            return reason.IP_SRC_INVALID, {"ip": src, "cause": "broadcast"}
        ours = own is not None and own.type is RouteType.LOCAL
        if own is not None and ours and not interface.settings["ip.accept_local"]:
            return reason.IP_SRC_IS_OURS, _ours(net, interface, src, own)
    failed = None if back is None else reverse_path(net, interface, back)
    return None if failed is None else (reason.IP_REVERSE_PATH, failed)


def takes_broadcast(net: Network, interface: Interface, out: str = OUTPUT) -> bool:
    """Tell whether a broadcast address is taken for a source, as nothing has it looked up.

    Args:
        out: by which interface what it sends goes on.

    Source: Linux ``fib_validate_source``.
    """
    custom = not net.fib.usual_rules or net.fib.custom_local
    checked = custom and not interface.settings["ip.accept_local"]
    asked = checked or interface.settings["ip.rp_filter"]
    back = out == interface.name and interface.settings["ip.send_redirects"]
    return bool(net.settings["ip.broadcast_source"]) and not (asked or back)


def _ours(net: Network, interface: Interface, src: int, own: Route) -> dict[str, object]:
    """Return the values of a packet whose source is our own address.

    ``knob`` would let it in; there is none where the address is of the very link by which it came,
    so that another host is likely to have it.
    """
    if own.dev == interface.name:
        return {"ip": src}
    return {"ip": src, "knob": net.settings.knob(interface.name, "ip.accept_local", 1)}


def _own(net: Network, src: int, back: RouteKey | None) -> Route | None:
    """Return the route that says what a source is to this stack.

    Of IPv4 a local route of any table does, once there is one of a user (Linux
    ``__fib_validate_source``).

    Args:
        back: of an answer, where rules count.
    """
    if back is None:
        return net.fib.lookup(src) if net.family is IPV4 else net.fib.own(src)
    found = lookup(net.fib, back)
    return found if isinstance(found, Route) else None


def way_back(net: Network, interface: Interface, key: RouteKey, out: str) -> RouteKey:
    """Return the key of an answer to a packet that came in; to one for many, from nowhere yet.

    The packet's mark counts with ip.src_valid_mark alone.
    """
    mark = key.mark if key.mark and interface.settings["ip.src_valid_mark"] else 0
    # Whom it answers for matters to rules alone.
    src = None if net.fib.usual_rules or net.no_host(key.dst) else key.dst
    ports = key.dport, key.sport
    return RouteKey(key.src or 0, src, None, out, mark, key.protocol, *ports, key.tos)


def reverse_path(net: Network, interface: Interface, back: RouteKey) -> dict[str, object] | None:
    """Return why a source address fails the reverse path test, None when it passes.

    ``back`` is the interface by which an answer would leave, ``value`` the level that it passes.

    Args:
        back: the answer to what came in by ``interface``.

    Source: RFC 3704 2.2 (strict), 2.4 (loose); Linux ``__fib_validate_source``.
    """
    level = interface.settings["ip.rp_filter"]
    if not level or not back.dst:
        return None
    route = net.lookup(back)
    dev = None
    if isinstance(route, Route) and route.type in _BACK:
        dev = route.dev
    if isinstance(route, Multipath):
        # Any of its next hops will do (Linux fib_info_nh_uses_dev).
        dev = (route.by(interface.name) or route.first).dev
    if dev == interface.name:
        return None
    loose = dev is not None and bool(net.of(interface).addresses.items)
    if loose and level == 2:
        return None
    cause = "none" if dev is None else "elsewhere" if level == 1 else "unaddressed"
    return {"ip": back.dst, "back": dev or "", "value": 2 if loose else 0, "cause": cause}
