"""Exceptions to routes: gateways of single destinations, learned from redirects.

An exception belongs to one route and is of use only as long as that very route is the one taken;
with the route it is gone. Source: RFC 1122 3.3.1.2 (route cache), 3.3.1.3; Linux
``fib_nh_exception``. This table sends nothing and knows no interface.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from smolctl.stack.alarm import Alarm
from smolctl.stack.duplicate import duplicate
from smolctl.stack.fib.route import Route
from smolctl.stack.sysctl.settings import Settings

LIMIT = 4096
"""Destinations remembered; the one that was learned first makes room."""


@dataclass(slots=True, eq=False)
class RouteException:
    """One destination's own way.

    Attributes:
        dst: the destination, one host.
        route: the route that it is an exception to.
        gateway: the first hop instead of the route's.
        expires_ns: when it is forgotten.
    """

    dst: int
    route: Route
    gateway: int
    expires_ns: int


class RouteExceptions:
    """All exceptions of one stack by destination."""

    def __init__(self, settings: Settings, alarm: Alarm) -> None:
        self._settings, self._alarm = settings, alarm
        self._by_dst: dict[int, RouteException] = {}

    def __len__(self) -> int:
        return len(self._by_dst)

    def __iter__(self) -> Iterator[RouteException]:
        return iter(list(self._by_dst.values()))

    def clone(self, settings: Settings, alarm: Alarm) -> "RouteExceptions":
        """Return a copy that learns and forgets on its own."""
        result = duplicate(self)
        result._settings, result._alarm = settings, alarm
        result._by_dst = {dst: duplicate(found) for dst, found in self._by_dst.items()}
        return result

    def lookup(self, dst: int, route: Route) -> RouteException | None:
        """Return the exception to a route for a destination, or None."""
        found = self._by_dst.get(dst)
        return found if found is not None and found.route is route else None

    def redirect(self, dst: int, route: Route, gateway: int, now: int) -> None:
        """Learn another first hop to a destination, for ip.redirect_timeout_ms."""
        expires_ns = now + self._settings.ns("ip.redirect_timeout_ms")
        self.put(RouteException(dst, route, gateway, expires_ns))

    def put(self, new: RouteException) -> None:
        """Put one in; it is forgotten when it says so."""
        self._by_dst.pop(new.dst, None)
        if len(self._by_dst) >= LIMIT:
            del self._by_dst[next(iter(self._by_dst))]
        self._alarm.set(new.expires_ns)
        self._by_dst[new.dst] = new

    def deadline(self) -> int | None:
        """Return when the next one is forgotten."""
        if not self._by_dst:
            return None
        return min(found.expires_ns for found in self._by_dst.values())

    def expire(self, now: int) -> bool:
        """Forget what is too old; tell whether anything was."""
        old = [dst for dst, found in self._by_dst.items() if found.expires_ns <= now]
        for dst in old:
            del self._by_dst[dst]
        return bool(old)

    def forget(self, found: RouteException) -> None:
        """Forget one of them (``route flush cache``)."""
        self._by_dst.pop(found.dst, None)
