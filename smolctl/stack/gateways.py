"""Which of several gateways: the first one that is not known to be dead (RFC 1122 3.3.1.5).

Routes of one prefix and metric (``route append``) are each other's substitutes. A gateway is dead
when its neighbor entry FAILED, that is when it did not answer what was sent to it; nothing is sent
just to find out (RFC 1122 3.3.1.4). Nothing is changed by asking.
"""

from typing import TYPE_CHECKING

from smolctl.stack.neighbor_state import State
from smolctl.stack.route import Route, RouteType

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def living(stack: "Stack", route: Route, dev: str | None = None) -> Route:
    """Return a route or the first substitute whose gateway is not dead.

    When all are, the one that failed longest ago is tried again.

    Args:
        dev: interface that a substitute must leave by.

    Source: Linux ``fib_select_default``.
    """
    if route.next is None or route.via is None or not _is_dead(stack, route):
        return route
    routes = [
        other
        for other in stack.fib.tables[route.table].chain(route.prefix, route.plen)
        if other.metric == route.metric
        and other.type is RouteType.UNICAST
        and dev in (None, other.dev)
    ]
    alive = [other for other in routes if not _is_dead(stack, other)]
    return alive[0] if alive else min(routes, key=lambda other: _failed_ns(stack, other))


def candidates(
    stack: "Stack", dst: int, winner: Route | None, limit: int = 64
) -> list[tuple[Route, str]]:
    """Return the routes that were considered as ``Fib.candidates`` does, each with why it loses.

    Args:
        winner: the route that was taken, which need not be the FIB's first choice.
    """
    found = stack.fib.candidates(dst, limit)
    if winner is None or not any(route is winner for route, _ in found):
        return found
    result = []
    for route, cause in found:
        if route is winner:
            cause = ""
        elif not cause:
            cause = _preference(stack, route, winner)
        result.append((route, cause))
    return result


def _preference(stack: "Stack", best: Route, winner: Route) -> str:
    """Tell why the FIB's first choice was not taken."""
    if (best.prefix, best.plen, best.metric) == (winner.prefix, winner.plen, winner.metric) and (
        _is_dead(stack, best)
    ):
        return "dead"
    policies = ("ip.onlink_first", "ip.strong_host")
    return "policy" if any(stack.settings[knob] for knob in policies) else "device"


def _is_dead(stack: "Stack", route: Route) -> bool:
    entry = stack.neighbors[route.dev].lookup(route.via) if route.dev and route.via else None
    return entry is not None and entry.state is State.FAILED


def _failed_ns(stack: "Stack", route: Route) -> int:
    entry = stack.neighbors[route.dev].lookup(route.via) if route.dev and route.via else None
    return entry.updated_ns if entry is not None else 0
