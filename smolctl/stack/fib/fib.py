"""The forwarding information base: all tables of routes, for the whole stack.

One FIB stands above all interfaces; owning an address *is* a route of type local. As long as nobody
has touched the rules (``rule.py``), the longest prefix over the tables ``local`` and ``main``
together wins, as in Linux, which keeps both in one trie until then: among equal prefixes
``local``, then the lowest metric, then the order that ``add`` and ``append`` gave; the table
``default`` is for what they do not know. With rules the tables are apart, and ``lookup.py`` asks
them one by one.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from smolctl.stack.alarm import Alarm, earliest
from smolctl.stack.duplicate import duplicate
from smolctl.stack.events import ChangeType
from smolctl.stack.fib.answers import Answers
from smolctl.stack.fib.exceptions import RouteExceptions
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.path_mtu import PathMtus
from smolctl.stack.fib.route import (
    DEVICELESS,
    KERNEL,
    InsertMode,
    Route,
    RouteType,
    Scope,
    TableName,
)
from smolctl.stack.fib.route_key import OUTPUT
from smolctl.stack.fib.rule import USUAL, Rules
from smolctl.stack.fib.sweep import MANY, SweptTable, begin, clean, is_clean
from smolctl.stack.fib.table import RouteTable
from smolctl.stack.sysctl.settings import Settings


def _no_group(_dev: str) -> int:
    """Stand in for links that have groups."""
    return 0


class LostRoute(NamedTuple):
    """A route that went when its link did."""

    route: Route
    at_ns: int


_THROW = RouteType.THROW  # an enum's attribute costs as much as a comparison


class Fib:
    """The tables of one address family and the lookups over them.

    Attributes:
        tables: by number; ``local`` and ``main`` are always there, others from their first route
            on.
        rules: which tables are asked, and in which order.
        exceptions, path_mtus: what was learned of the ways to single destinations.
        usual_rules: nobody has changed the rules, and ``lookup`` may be asked.
        merged: local and main are looked up as one: with the usual rules of IPv4.
        multipaths: the routes with several next hops, of all tables.
        lost_default: the default route that went with its link, until there is another one.
        everywhere: the prefix of a default route.
        group_of: tells the group of a link.
        ignored_links: links without carrier whose routes do not count
            (ip.ignore_routes_with_linkdown); changed by ``ignore_links`` alone.
        custom_local: somebody has added a route of type local (Linux fib_has_custom_local_routes).
        refuses_by_any: a route that refuses matches whatever the device.
    """

    everywhere = 0
    refuses_by_any = True
    _usual_rules: Iterable[tuple[int, int]] = USUAL

    def __init__(
        self, bits: int, settings: Settings | None = None, alarm: Alarm | None = None
    ) -> None:
        self.bits = bits
        self._answers = Answers()
        settings, alarm = settings or Settings(), alarm or Alarm()
        self.rules = Rules(self._usual_rules)
        self.exceptions = RouteExceptions(settings, alarm)
        self.path_mtus: PathMtus = PathMtus(settings, alarm)
        self._local, self._main = self.new_table(), self.new_table()
        self._default: RouteTable | None = None
        self.tables: dict[int, RouteTable] = {
            TableName.LOCAL: self._local,
            TableName.MAIN: self._main,
        }
        self._bind_answers()
        self.merged = self.usual_rules = True
        self.custom_local = False
        self.multipaths: list[Multipath] = []
        self.lost_default: LostRoute | None = None
        self.ignored_links: frozenset[str] = frozenset()
        self.group_of: Callable[[str], int] = _no_group
        self._hops_shared = False
        self._alarm = alarm
        self._swept: list[SweptTable] = []
        self._count_by: dict[str, int] = {}
        self._sourced = 0  # routes that prefer a source, and perhaps some that did
        self._preferring: dict[int, int] = {}  # of these, those that are not the kernel's
        self.on_change: Callable[[ChangeType, Route], None] | None = None

    @property
    def by_ports(self) -> bool:
        """Whether ports may decide on a way: by rules, or among several next hops."""
        return not self.usual_rules or bool(self.multipaths)

    def obey_rules(self) -> None:
        """Let the rules decide from now on."""
        self.usual_rules = self.merged = False

    def new_table(self) -> RouteTable:
        """Return an empty table of this family, which no FIB has."""
        return RouteTable(self.bits)

    def __iter__(self) -> Iterator[Route]:
        for number in self.numbers():
            yield from self.tables[number]

    def __len__(self) -> int:
        return sum(map(len, self.tables.values()))

    def count_by(self, dev: str, enough: int) -> int:
        """Return how many routes that are not the kernel's leave by an interface.

        Args:
            enough: a lower count may still contain routes that are gone and not yet cleaned.
        """
        count = self._count_by.get(dev, 0)
        if count < enough or not self._swept:
            return count
        return sum(dev in _counted(route) for route in self)

    def numbers(self) -> list[int]:
        """Return the tables in the order in which ``ip route show table all`` has them."""
        # Linux: 256 lists of tables, by the last byte of the number, the newest first.
        return sorted(reversed(self.tables), key=lambda number: number & 0xFF)

    def lookup(self, address: int) -> Route | None:
        """Return the route a packet to ``address`` takes without rules, or None; no side effect.

        The result may be of a type that refuses (blackhole, unreachable, prohibit). A throw route
        that wins means that there is none (Linux fib_props: -EAGAIN).
        """
        answers = self._answers
        if answers.starts:
            return answers.routes[bisect_right(answers.starts, address)]
        if answers.patience:
            self._await_answers()
        if self.ignored_links:
            return self.lookup_within(address)
        local, own = self._local, None
        if local.regions[address >> local.region_shift] is not None or local.coarse:
            own = local.lookup(address)
            if own is not None and own.plen == self.bits and own.type is not _THROW:
                return own  # no route is more specific, and the table local comes first
        route = self._main.lookup(address)
        if own is not None and (route is None or own.plen >= route.plen):
            route = own
        if route is not None and route.type is not _THROW:
            return route
        return self.find(TableName.DEFAULT, address) if self._default is not None else None

    def _await_answers(self) -> None:
        """Have one lookup less to wait for answers; find them when it was the last.

        Nothing is found while many routes are being removed: what is gone is still in the table.
        """
        answers = self._answers
        answers.patience -= 1
        if answers.patience:
            return
        tables = [table for table in (self._local, self._main, self._default) if table is not None]
        if answers.due(sum(map(len, tables))) and all(map(is_clean, tables)):
            routes = (route for table in tables for route in table)
            answers.learn(routes, self.everywhere, self.bits, self.lookup)

    def _bind_answers(self) -> None:
        """Have the tables forget the answers when a route changes."""
        for table in self.tables.values():
            table.answers = self._answers

    def find(
        self, table: int, address: int, dev: str | None = None, scope: Scope = Scope.GLOBAL
    ) -> Route | None:
        """Return the best route of one table, as ``lookup_within`` for all; None if it throws."""
        found = self.tables.get(table)
        if found is None:
            return None
        if dev is not None or scope or self.ignored_links:
            return self._first(found.matches(address), dev, scope)
        route = found.lookup(address)
        return None if route is None or route.type is RouteType.THROW else route

    def matches(self, address: int) -> list[Route]:
        """Return every route of local and main that holds the address, as they are preferred."""
        found = [*self._local.matches(address), *self._main.matches(address)]
        found.sort(key=lambda route: -route.plen)
        return found

    def lookup_within(
        self, address: int, *, dev: str | None = None, scope: Scope = Scope.GLOBAL
    ) -> Route | None:
        """Return the best route that leaves by ``dev`` and is at least as near as ``scope``.

        Routes of IPv4 that refuse match whatever the device (Linux ``fib_table_lookup``). Those of
        IPv6 are by ``lo`` (``fib6_nh_init``, ``rt6_score_route``).
        """
        route = self._first(self.matches(address), dev, scope)
        if route is None and self._default is not None:
            return self.find(TableName.DEFAULT, address, dev, scope)
        return route

    def _first(self, routes: Iterable[Route], dev: str | None, scope: Scope) -> Route | None:
        """Return the first route that goes by ``dev``; of several next hops the one that does."""
        ignored = self.ignored_links
        for route in routes:
            if route.scope < scope or (ignored and _is_ignored(route, ignored)):
                continue
            if dev is None or self.is_by(route, dev):
                return None if route.type is RouteType.THROW else route
            hop = self._hop_by(route, dev)
            if hop is not None:
                return hop
        return None

    def _hop_by(self, route: Route, dev: str | None) -> Hop | None:
        """Return the next hop by a device, of several that a route has."""
        if dev is None or dev in self.ignored_links or not isinstance(route, Multipath):
            return None
        return route.by(dev)

    def is_by(self, route: Route, dev: str) -> bool:
        """Tell whether a route counts for a packet that must leave by a device.

        Those of IPv6 that refuse are by ``lo`` (Linux ``ip6_route_info_create``).
        """
        refuses = route.type in DEVICELESS and (self.refuses_by_any or dev == OUTPUT)
        return route.dev == dev or refuses

    def as_good_by(self, found: Route | None, dev: str | None) -> Route | None:
        """Return the route by a device, if there is one that is equal to what was found.

        Source: Linux ``rt6_score_route``, for what came in by that device, or answers it.
        """
        if found is None or dev in (None, found.dev) or self._hop_by(found, dev) is not None:
            return found
        ignored = self.ignored_links
        for other in self.tables[found.table].chain(found.prefix, found.plen):
            if other.metric == found.metric and (
                self._hop_by(other, dev) or (other.dev == dev and not _is_ignored(other, ignored))
            ):
                return other
        return found

    def own(self, address: int) -> Route | None:
        """Return the route that says what an address is to this stack: local, broadcast, or None.

        Source: Linux ``inet_addr_type``, which asks the table local, whatever the rules are.
        """
        if self.merged:
            route = self.lookup(address)
            return None if route is None or route.table == TableName.DEFAULT else route
        if self.ignored_links:
            return self.find(TableName.LOCAL, address)
        return self._local.lookup(address)

    def is_local(self, address: int) -> bool:
        """Tell whether this stack owns the address."""
        route = self.lookup(address) if self.merged else self._local.lookup(address)
        if route is None or route.type is not RouteType.LOCAL:
            return False
        return route.table != TableName.DEFAULT

    def ignore_links(self, names: frozenset[str]) -> None:
        """Let the routes by these links, and by no others, not count (Linux ip_ignore_linkdown)."""
        if names != self.ignored_links:
            self.ignored_links = names
            self._answers.forget()

    def ignores(self, route: Route) -> bool:
        """Tell whether a route does not count, as it leads by links without carrier alone.

        Source: Linux ``fib_lookup_good_nhc``, ``find_match`` of IPv6.
        """
        return bool(self.ignored_links) and _is_ignored(route, self.ignored_links)

    def with_all_links(self) -> "Fib":
        """Return the same routes, of which all count (Linux FIB_LOOKUP_IGNORE_LINKSTATE)."""
        if not self.ignored_links:
            return self
        result = duplicate(self)
        result.ignored_links, result._answers = frozenset(), Answers()
        return result

    def clone_learned(self, settings: Settings, alarm: Alarm) -> "Fib":
        """Return a FIB with the same routes, which learns and forgets on its own."""
        result = duplicate(self)
        result._swept = []
        result.exceptions = self.exceptions.clone(settings, alarm)
        result.path_mtus = self.path_mtus.clone(settings, alarm)
        result.on_change = None
        return result

    def clone_for_changes(self) -> "Fib":
        """Return a FIB with the same routes and rules, which are changed on their own.

        It shares what nobody changes, and is good until this one changes.
        """
        result = duplicate(self)
        result._swept = []
        result.rules, result.multipaths = self.rules.clone(), list(self.multipaths)
        result._count_by, result._preferring = dict(self._count_by), dict(self._preferring)
        result.tables = {number: table.clone() for number, table in self.tables.items()}
        result._local, result._main = result.tables[TableName.LOCAL], result.tables[TableName.MAIN]
        result._default = result.tables.get(TableName.DEFAULT)
        result._answers = Answers()
        result._bind_answers()
        result._hops_shared = True
        return result

    def learned_deadline(self) -> int | None:
        """Return when the next thing that was learned is forgotten."""
        return earliest((self.path_mtus.deadline(), self.exceptions.deadline()))

    def expire_learned(self, now: int) -> bool:
        """Forget what is too old; tell whether anything was."""
        return bool(self.path_mtus.expire(now) | self.exceptions.expire(now))

    def insert(self, route: Route, mode: InsertMode = InsertMode.ADD) -> Route | None:
        """Put a route into its table; see ``RouteTable.insert``."""
        table = self.tables.get(route.table)
        if table is None:
            table = self.new_table()
        self._settle(table, route)
        if not route.plen:
            self.lost_default = None
        before = len(table)
        replaced = table.insert(route, mode)
        if before == 0:
            self.tables.setdefault(route.table, table)
            self._bind_answers()
            self._answers.forget()
            self._default = self.tables.get(TableName.DEFAULT)
        changed = replaced is not None or len(table) > before
        if isinstance(replaced, Multipath):
            self.multipaths.remove(replaced)
        if changed and isinstance(route, Multipath):
            self.multipaths.append(route)
        if changed:
            self._count(route, 1)
            if route.type is RouteType.LOCAL and route.protocol != KERNEL:
                self.custom_local = True
        if replaced is not None:
            self._count(replaced, -1)
        if changed and self.on_change is not None:
            self.on_change(ChangeType.NEW if replaced is None else ChangeType.CHANGED, route)
        return replaced

    def exchange(self, old: Route, new: Route) -> None:
        """Put a route in the place of one of the same prefix and metric."""
        self._settle(self.tables[old.table], old)
        self.tables[old.table].swap(old, new)
        if isinstance(old, Multipath):
            self.multipaths.remove(old)
        if isinstance(new, Multipath):
            self.multipaths.append(new)
        self._count(old, -1)
        self._count(new, 1)
        if self.on_change is not None:
            self.on_change(ChangeType.CHANGED, new)

    def remove(self, route: Route) -> None:
        """Take a route out of its table."""
        self._settle(self.tables[route.table], route)
        self.tables[route.table].remove(route)
        if isinstance(route, Multipath):
            self.multipaths.remove(route)
        self._gone(route)

    def remove_where(
        self, unwanted: Callable[[Route], bool], numbers: Iterable[int] | None = None
    ) -> None:
        """Remove every route that ``unwanted`` names, of some tables or all.

        They are gone at once; a large table is cleaned afterwards (``clean``).
        """
        for number in list(self.tables if numbers is None else numbers):
            table = self.tables[number]
            if len(table) < MANY:
                gone = [route for route in table if unwanted(route)]
            else:
                gone = [each for each in self.multipaths if each.table == number and unwanted(each)]
            for route in gone:
                self.remove(route)
            if len(table) >= MANY:
                swept = begin(table, unwanted)
                if swept not in self._swept:
                    self._swept.append(swept)
                self._alarm.set(0)

    def clean_deadline(self) -> int | None:
        """Return when ``clean`` is next due: at once, or None."""
        return 0 if self._swept else None

    def clean(self, _now: int) -> None:
        """Take some of the routes that are gone out of their table."""
        table = self._swept[0]
        for route in clean(table):
            self._gone(route)
        if is_clean(table):
            self._swept.pop(0)

    def _settle(self, table: RouteTable, route: Route) -> None:
        """Clean the prefix of a route, before others of that prefix change."""
        for gone in table.settle(route.prefix, route.plen):
            self._gone(gone)

    def _count(self, route: Route, step: int) -> None:
        source = route.prefsrc
        if source is not None:
            self._sourced += step
            if route.protocol != KERNEL:
                self._preferring[source] = self._preferring.get(source, 0) + step
        for dev in _counted(route):
            self._count_by[dev] = self._count_by.get(dev, 0) + step

    def _gone(self, route: Route) -> None:
        """Take note that a route was taken out, and tell of it."""
        self._count(route, -1)
        if self.on_change is not None:
            self.on_change(ChangeType.DELETED, route)

    def remove_preferring(self, sources: set[int]) -> None:
        """Remove the routes, but for the kernel's, that prefer one of these sources."""
        if any(self._preferring.get(source) for source in sources):
            self.remove_where(lambda route: route.prefsrc in sources and route.protocol != KERNEL)

    def forget_sources(self, sources: set[int]) -> None:
        """Have routes that prefer one of these sources prefer none (Linux fib6_remove_prefsrc)."""
        if not self._sourced:
            return
        for old in [route for route in self if route.prefsrc in sources]:
            new = old.clone() if isinstance(old, Multipath) else duplicate(old)
            new.prefsrc = None
            self.tables[old.table].swap(old, new)
            if isinstance(old, Multipath) and isinstance(new, Multipath):
                self.multipaths[self.multipaths.index(old)] = new
            if self.on_change is not None:
                self.on_change(ChangeType.CHANGED, new)

    def remove_with_link(self, unwanted: Callable[[Route], bool], now: int) -> None:
        """Remove routes whose link is gone, and remember the default route among them."""
        for route in self._main.chain(self.everywhere, 0):
            if route.type is RouteType.UNICAST and unwanted(route):
                self.lost_default = LostRoute(route, now)
        self.remove_where(unwanted)

    def kill_hops(self, dev: str, *, gone: bool = False) -> None:
        """Mark the next hops by an interface dead; a route of which none lives goes.

        Args:
            gone: the interface is no more, and its routes with several next hops go with it.

        Source: Linux ``fib_sync_down_dev``.
        """
        for route in self._multipaths_by(dev):
            for hop in route.hops:
                hop.dead = hop.dead or hop.dev == dev
            if gone or all(hop.dead for hop in route.hops):
                self.remove(route)

    def revive_hops(self, dev: str) -> None:
        """Let the next hops by an interface live again (Linux ``fib_sync_up``)."""
        for route in self._multipaths_by(dev):
            for hop in route.hops:
                hop.dead = hop.dead and hop.dev != dev

    def _multipaths_by(self, dev: str) -> list[Multipath]:
        """Return the routes with a next hop by an interface, whose flags are this FIB's own.

        Those of next-hop objects are not among them: they come and go with these.
        """
        if self._hops_shared:
            self._hops_shared = False
            for at, route in enumerate(self.multipaths):
                self.multipaths[at] = route.clone()
                self.tables[route.table].swap(route, self.multipaths[at])
        return [
            route
            for route in self.multipaths
            if not route.nhid and any(hop.dev == dev for hop in route.hops)
        ]


def _counted(route: Route) -> tuple[str, ...] | set[str]:
    """Return the interfaces among whose routes a route counts."""
    if route.protocol == KERNEL:
        return ()
    if isinstance(route, Multipath):
        return {hop.dev for hop in route.hops if hop.dev is not None}
    return () if route.dev is None else (route.dev,)


def _is_ignored(route: Route, links: frozenset[str]) -> bool:
    if isinstance(route, Multipath):
        return all(hop.dead or hop.dev in links for hop in route.hops)
    return route.dev in links and route.needs_carrier
