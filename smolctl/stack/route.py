"""The forwarding information base: which way a packet goes, for the whole stack.

One FIB stands above all interfaces, with Linux's tables ``local`` and ``main``. A lookup asks
``local`` first (owning an address *is* a route of type local), then ``main``; within a table the
longest prefix wins, then the lowest metric, then the order that ``add`` and ``append`` gave.

A table keeps one dict per prefix length, so a lookup costs one dict probe per length in use,
whatever the number of routes; routes with the same prefix form a chain through ``Route.next``.
This file knows no interface: link state reaches it as routes that are added and removed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from smolctl.errors import AlreadyExists, NotFound


class RouteType(StrEnum):
    """What happens to a packet that matches (Linux RTN_*)."""

    UNICAST = "unicast"
    LOCAL = "local"
    BROADCAST = "broadcast"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    THROW = "throw"


class Scope(IntEnum):
    """How far the destination is away (Linux RT_SCOPE_*); a higher number is nearer."""

    GLOBAL = 0
    SITE = 200
    LINK = 253
    HOST = 254
    NOWHERE = 255


class TableName(StrEnum):
    """The tables, in the order in which they are asked."""

    LOCAL = "local"
    MAIN = "main"


class InsertMode(StrEnum):
    """How a route meets one of the same prefix and metric (netlink flags of ``ip route``)."""

    ADD = "add"
    APPEND = "append"
    REPLACE = "replace"
    CHANGE = "change"


DEVICELESS = frozenset(
    {RouteType.BLACKHOLE, RouteType.UNREACHABLE, RouteType.PROHIBIT, RouteType.THROW}
)
"""Route types that need no device: nothing is sent."""


@dataclass(slots=True, eq=False)
class Route:
    """One route; immutable once it is in a table, but for ``next``.

    Attributes:
        prefix: network address, host bits zero.
        plen: prefix length in bits.
        dev: interface name, None for the types that send nothing.
        via: gateway address, None when the destination is on the link.
        prefsrc: source address the route prefers, None to select one.
        metric: lower wins among equal prefixes, 0..2**32-1.
        mtu: largest packet in bytes by this route, None for the interface's.
        onlink: the user vouches for the gateway (keyword ``onlink``).
        on_link: packets go straight to their destination, not to ``via``.
    """

    prefix: int
    plen: int
    type: RouteType = RouteType.UNICAST
    table: TableName = TableName.MAIN
    dev: str | None = None
    via: int | None = None
    prefsrc: int | None = None
    metric: int = 0
    scope: Scope = Scope.GLOBAL
    protocol: str = "boot"
    mtu: int | None = None
    onlink: bool = False
    on_link: bool = True
    next: "Route | None" = field(default=None, repr=False)

    def identity(self) -> tuple[object, ...]:
        """Return what makes two routes of one prefix the same (Linux: type and fib_info)."""
        return (
            self.type,
            self.dev,
            self.via,
            self.prefsrc,
            self.metric,
            self.scope,
            self.protocol,
            self.mtu,
            self.onlink,
        )


class RouteTable:
    """The routes of one table."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._by_length: dict[int, dict[int, Route]] = {}
        self._search: list[tuple[int, dict[int, Route]]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Route]:
        """Yield all routes by prefix, the longer prefix first, each chain in lookup order."""
        heads = [head for routes in self._by_length.values() for head in routes.values()]
        heads.sort(key=lambda route: (route.prefix, -route.plen))
        for head in heads:
            yield from _chain(head)

    def lookup(self, address: int) -> Route | None:
        """Return the first route of the longest matching prefix, or None."""
        for shift, routes in self._search:
            route = routes.get(address >> shift)
            if route is not None:
                return route
        return None

    def matches(self, address: int) -> Iterator[Route]:
        """Yield every route whose prefix holds the address, in the order they are preferred."""
        for shift, routes in self._search:
            head = routes.get(address >> shift)
            if head is not None:
                yield from _chain(head)

    def chain(self, prefix: int, plen: int) -> list[Route]:
        """Return the routes of exactly this prefix, in lookup order."""
        routes = self._by_length.get(plen)
        head = routes.get(prefix >> (self._bits - plen)) if routes else None
        return list(_chain(head)) if head is not None else []

    def insert(self, route: Route, mode: InsertMode) -> Route | None:
        """Put a route in, as Linux's ``fib_table_insert`` does.

        Returns: the route that it replaced, or None.

        Raises:
            AlreadyExists: ``add`` over a route of the same prefix and metric, or the very same
                route is there (for ``replace``: but is not the first one).
            NotFound: ``change`` without a route of the same prefix and metric.
        """
        chain = self.chain(route.prefix, route.plen)
        first = next((i for i, r in enumerate(chain) if r.metric >= route.metric), len(chain))
        same = [r for r in chain[first:] if r.metric == route.metric]
        if not same:
            if mode is InsertMode.CHANGE:
                raise NotFound("no route has that destination and metric")
            chain.insert(first, route)
            self._store(route, chain)
            self._count += 1
            return None
        if mode is InsertMode.ADD:
            raise AlreadyExists("a route with that destination and metric is there already")
        twin = next((r for r in same if r.identity() == route.identity()), None)
        if mode is InsertMode.APPEND:
            if twin is not None:
                raise AlreadyExists("this very route is there already")
            chain.insert(first + len(same), route)
            self._store(route, chain)
            self._count += 1
            return None
        if twin is not None and twin is not same[0]:
            raise AlreadyExists("this very route is there already, behind another one")
        if twin is not None:
            return None
        replaced = chain[first]
        chain[first] = route
        self._store(route, chain)
        return replaced

    def remove(self, route: Route) -> None:
        """Take out a route that is in the table."""
        chain = self.chain(route.prefix, route.plen)
        chain.remove(route)
        self._store(route, chain)
        self._count -= 1

    def _store(self, route: Route, chain: list[Route]) -> None:
        shift = self._bits - route.plen
        routes = self._by_length.get(route.plen)
        if routes is None:
            routes = self._by_length[route.plen] = {}
            self._rebuild()
        if not chain:
            del routes[route.prefix >> shift]
            if not routes:
                del self._by_length[route.plen]
                self._rebuild()
            return
        routes[route.prefix >> shift] = chain[0]
        for current, following in zip(chain, [*chain[1:], None], strict=True):
            current.next = following

    def _rebuild(self) -> None:
        self._search = [
            (self._bits - plen, self._by_length[plen])
            for plen in sorted(self._by_length, reverse=True)
        ]


class Fib:
    """The tables of one address family and the lookups over them."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.tables = {name: RouteTable(bits) for name in TableName}
        self._local = self.tables[TableName.LOCAL]
        self._main = self.tables[TableName.MAIN]

    def __iter__(self) -> Iterator[Route]:
        for table in self.tables.values():
            yield from table

    def lookup(self, address: int) -> Route | None:
        """Return the route a packet to ``address`` takes, or None; no side effect.

        The result may be of a type that refuses (blackhole, unreachable, prohibit). A throw route
        ends the search of its table only (Linux fib_props: -EAGAIN).
        """
        route = self._local.lookup(address)
        if route is not None and route.type is not RouteType.THROW:
            return route
        route = self._main.lookup(address)
        if route is not None and route.type is RouteType.THROW:
            return None
        return route

    def lookup_within(
        self, address: int, *, dev: str | None = None, scope: Scope = Scope.GLOBAL
    ) -> Route | None:
        """Return the best route that leaves by ``dev`` and is at least as near as ``scope``.

        Routes that refuse match whatever the device, as in Linux's ``fib_table_lookup``.
        """
        for table in self.tables.values():
            for route in table.matches(address):
                if route.scope < scope:
                    continue
                if route.type is RouteType.THROW:
                    break
                if dev is None or route.type in DEVICELESS or route.dev == dev:
                    return route
        return None

    def is_local(self, address: int) -> bool:
        """Tell whether this stack owns the address: its lookup in ``local`` says so."""
        route = self._local.lookup(address)
        return route is not None and route.type is RouteType.LOCAL

    def insert(self, route: Route, mode: InsertMode = InsertMode.ADD) -> Route | None:
        """Put a route into its table; see ``RouteTable.insert``."""
        return self.tables[route.table].insert(route, mode)

    def remove(self, route: Route) -> None:
        """Take a route out of its table."""
        self.tables[route.table].remove(route)

    def remove_where(self, unwanted: Callable[[Route], bool]) -> list[Route]:
        """Remove every route that ``unwanted`` names and return them."""
        gone = [route for route in self if unwanted(route)]
        for route in gone:
            self.remove(route)
        return gone

    def candidates(self, address: int, limit: int = 64) -> list[tuple[Route, str]]:
        """Return the routes a lookup of ``address`` considers, each with why it loses.

        The winner's cause is "". In a small FIB (at most ``limit`` routes) those whose prefix does
        not hold the address follow, with the cause "prefix".
        """
        result: list[tuple[Route, str]] = []
        winner: Route | None = None
        for table in self.tables.values():
            thrown = False
            for route in table.matches(address):
                if winner is not None:
                    result.append((route, _losing_cause(route, winner)))
                elif thrown or route.type is RouteType.THROW:
                    thrown = True
                    result.append((route, "throw"))
                else:
                    winner = route
                    result.append((route, ""))
        if len(self._local) + len(self._main) <= limit:
            seen = {id(route) for route, _ in result}
            result += [(route, "prefix") for route in self if id(route) not in seen]
        return result


def _losing_cause(route: Route, winner: Route) -> str:
    if route.table is not winner.table:
        return "table"
    if route.plen != winner.plen:
        return "shorter"
    return "metric" if route.metric != winner.metric else "order"


def _chain(head: Route | None) -> Iterator[Route]:
    while head is not None:
        following = head.next
        yield head
        head = following
