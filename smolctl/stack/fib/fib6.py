"""The forwarding information base of IPv6.

The table ``local`` is asked first, and ``main`` only where that knows nothing, however long a
prefix of ``main`` may be; there is no table ``default`` (Linux ``fib6_rule_lookup``).
"""

from bisect import bisect_right

from smolctl.stack.alarm import Alarm
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.path_mtu import PathMtus6
from smolctl.stack.fib.route import Route, RouteType, Scope, TableName
from smolctl.stack.fib.rule import USUAL6
from smolctl.stack.fib.table import RouteTable, RouteTable6
from smolctl.stack.sysctl.settings import Settings
from smolctl.wire.address import IPV6, UNSPECIFIED6, Family

_THROW = RouteType.THROW


class Fib6(Fib):
    """The tables of IPv6, and the lookups over them. Prefixes are addresses, and carry their mark.

    Attributes:
        merged: always False.
    """

    _local: RouteTable6
    everywhere = UNSPECIFIED6
    refuses_by_any = False
    _usual_rules = USUAL6

    def __init__(self, settings: Settings | None = None, alarm: Alarm | None = None) -> None:
        settings, alarm = settings or Settings(), alarm or Alarm()
        super().__init__(IPV6.bits, settings, alarm)
        self.path_mtus = PathMtus6(settings, alarm)
        self.merged = False

    def new_table(self) -> RouteTable:
        """Return an empty table of this family, which no FIB has."""
        return RouteTable6()

    def lookup(self, address: int) -> Route | None:
        """Return the route a packet to ``address`` takes without rules, or None; no side effect.

        The result may be of a type that refuses (blackhole, unreachable, prohibit). A throw route
        in ``local`` leads on to ``main``, and in ``main`` to nothing.
        """
        answers = self._answers
        if answers.starts:
            return answers.routes[bisect_right(answers.starts, address)]
        if answers.patience:
            self._await_answers()
        if self.ignored_links:
            return self.lookup_within(address)
        local = self._local
        # Most packets meet nothing in this table, whose one short prefix is ff00::/8.
        if address >= local.coarse_floor or local.regions[(address >> 96) % local.size] is not None:
            own = local.lookup(address)
            if own is not None and own.type is not _THROW:
                return own
        route = self._main.lookup(address)
        return None if route is None or route.type is _THROW else route

    def matches(self, address: int) -> list[Route]:
        """Return every route of local and main that holds the address, as they are preferred."""
        return [*self._local.matches(address), *self._main.matches(address)]

    def lookup_within(
        self, address: int, *, dev: str | None = None, scope: Scope = Scope.GLOBAL
    ) -> Route | None:
        """Return the best route that leaves by ``dev`` and is at least as near as ``scope``."""
        for table in (TableName.LOCAL, TableName.MAIN):
            route = self.find(table, address, dev, scope)
            if route is not None:
                return route
        return None


def fib_of(family: Family, settings: Settings, alarm: Alarm) -> Fib:
    """Return an empty FIB of an address family."""
    return Fib6(settings, alarm) if family is IPV6 else Fib(family.bits, settings, alarm)
