"""The forwarding information base: which way a packet goes, for the whole stack.

One FIB stands above all interfaces, with Linux's tables ``local`` and ``main``; owning an address
*is* a route of type local. The longest prefix over both tables wins, as in Linux while it has no
``ip rule`` (it keeps both in one trie); among equal prefixes ``local``, then the lowest metric,
then the order that ``add`` and ``append`` gave.

A lookup costs a few probes of a small dict whatever the number of routes (see ``RouteTable``).
Routes with the same prefix form a chain through ``Route.next``.

This file knows no interface: link state reaches it as routes that are added and removed.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from smolctl.errors import AlreadyExists, NotFound
from smolctl.stack.events import Action


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
    """The tables, in the order in which they win among equal prefixes."""

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


REGION_BITS = 16
"""Leading bits of an address that choose its region; see ``RouteTable``."""
COARSE_BITS = 8
"""Prefixes shorter than this are kept apart: they touch too many regions to be noted in each."""


class Region(dict[int, Route]):
    """The routes that touch one region: the first route of each prefix.

    The key is the prefix behind a leading 1, which makes 10/8 and 10.0/16 different numbers: the
    address with that bit, shifted right. ``shifts`` says how far, longest prefix first; it may name
    a length that is gone.
    """

    __slots__ = ("shifts",)

    def __init__(self) -> None:
        super().__init__()
        self.shifts: tuple[int, ...] = ()


class RouteTable:
    """The routes of one table: a dict per region, asked once per prefix length that occurs there.

    All addresses that share their first 16 bits are a region. Few prefix lengths occur in any one,
    and its dict is small, so a lookup touches little memory however many routes the table holds.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._mark = 1 << bits
        self._region_bits = min(bits, REGION_BITS)
        self._region_shift = bits - self._region_bits
        self._regions: list[Region | None] = [None] * (1 << self._region_bits)
        self._used: set[int] = set()
        self._coarse = Region()
        self._shifts: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Route]:
        """Yield all routes by prefix, the longer prefix first, each chain in lookup order."""
        heads = [
            head
            for number in self._used
            for head in (self._regions[number] or Region()).values()
            if head.prefix >> self._region_shift == number
        ]
        heads += self._coarse.values()
        heads.sort(key=lambda route: (route.prefix, -route.plen))
        for head in heads:
            yield from _chain(head)

    def lookup(self, address: int) -> Route | None:
        """Return the first route of the longest matching prefix, or None."""
        marked = address | self._mark
        region = self._regions[address >> self._region_shift]
        if region is not None:
            for shift in region.shifts:
                route = region.get(marked >> shift)
                if route is not None:
                    return route
        coarse = self._coarse
        for shift in coarse.shifts:
            route = coarse.get(marked >> shift)
            if route is not None:
                return route
        return None

    def may_hold(self, address: int) -> bool:
        """Tell whether a lookup can find anything; False is certain."""
        return self._regions[address >> self._region_shift] is not None or len(self._coarse) > 0

    def matches(self, address: int) -> Iterator[Route]:
        """Yield every route whose prefix holds the address, in the order they are preferred."""
        for region in (self._regions[address >> self._region_shift], self._coarse):
            if region is not None:
                for shift in region.shifts:
                    head = region.get((address | self._mark) >> shift)
                    if head is not None:
                        yield from _chain(head)

    def chain(self, prefix: int, plen: int) -> list[Route]:
        """Return the routes of exactly this prefix, in lookup order."""
        if plen < COARSE_BITS:
            region: Region | None = self._coarse
        else:
            region = self._regions[prefix >> self._region_shift]
        if region is None:
            return []
        head = region.get((prefix | self._mark) >> (self._bits - plen))
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
        """Make ``chain`` the routes of the prefix that ``route`` has."""
        for current, following in zip(chain, [*chain[1:], None], strict=False):
            current.next = following
        shift = self._bits - route.plen
        key = (route.prefix | self._mark) >> shift
        for number in self._touched(route):
            region = self._coarse if number is None else self._regions[number]
            if region is None:
                assert number is not None
                region = self._regions[number] = Region()
                self._used.add(number)
            if chain:
                region[key] = chain[0]
                if shift not in region.shifts:
                    shifts = tuple(sorted({*region.shifts, shift}))
                    # One tuple for all regions with these lengths: it stays in the CPU's cache.
                    region.shifts = self._shifts.setdefault(shifts, shifts)
            else:
                del region[key]
                if not region:
                    region.shifts = ()
                    if number is not None:
                        self._regions[number] = None
                        self._used.remove(number)

    def _touched(self, route: Route) -> Iterable[int | None]:
        """Return the numbers of the regions that a prefix touches; None is the coarse one."""
        if route.plen < COARSE_BITS:
            return (None,)
        first = route.prefix >> self._region_shift
        return range(first, first + (1 << max(0, self._region_bits - route.plen)))


class Fib:
    """The tables of one address family and the lookups over them."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.tables = {name: RouteTable(bits) for name in TableName}
        self.on_change: Callable[[Action, Route], None] | None = None
        self._local = self.tables[TableName.LOCAL]
        self._main = self.tables[TableName.MAIN]

    def __iter__(self) -> Iterator[Route]:
        for table in self.tables.values():
            yield from table

    def lookup(self, address: int) -> Route | None:
        """Return the route a packet to ``address`` takes, or None; no side effect.

        The result may be of a type that refuses (blackhole, unreachable, prohibit). A throw route
        that wins means that there is none (Linux fib_props: -EAGAIN).
        """
        route = self._main.lookup(address)
        if self._local.may_hold(address):
            local = self._local.lookup(address)
            if local is not None and (route is None or local.plen >= route.plen):
                route = local
        if route is not None and route.type is RouteType.THROW:
            return None
        return route

    def matches(self, address: int) -> list[Route]:
        """Return every route whose prefix holds the address, in the order they are preferred."""
        found = [*self._local.matches(address), *self._main.matches(address)]
        found.sort(key=lambda route: -route.plen)
        return found

    def lookup_within(
        self, address: int, *, dev: str | None = None, scope: Scope = Scope.GLOBAL
    ) -> Route | None:
        """Return the best route that leaves by ``dev`` and is at least as near as ``scope``.

        Routes that refuse match whatever the device, as in Linux's ``fib_table_lookup``.
        """
        for route in self.matches(address):
            if route.scope < scope:
                continue
            if route.type is RouteType.THROW:
                return None
            if dev is None or route.type in DEVICELESS or route.dev == dev:
                return route
        return None

    def is_local(self, address: int) -> bool:
        """Tell whether this stack owns the address: its lookup says so (Linux inet_addr_type)."""
        route = self.lookup(address)
        return route is not None and route.type is RouteType.LOCAL

    def insert(self, route: Route, mode: InsertMode = InsertMode.ADD) -> Route | None:
        """Put a route into its table; see ``RouteTable.insert``."""
        table = self.tables[route.table]
        if self.on_change is None:
            return table.insert(route, mode)
        before = len(table)
        replaced = table.insert(route, mode)
        if replaced is not None or len(table) > before:
            self.on_change(Action.NEW if replaced is None else Action.CHANGED, route)
        return replaced

    def remove(self, route: Route) -> None:
        """Take a route out of its table."""
        self.tables[route.table].remove(route)
        if self.on_change is not None:
            self.on_change(Action.DELETED, route)

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
        for route in self.matches(address):
            if winner is None:
                winner = route
                result.append((route, "throw" if route.type is RouteType.THROW else ""))
            else:
                result.append((route, _losing_cause(route, winner)))
        if len(self._local) + len(self._main) <= limit:
            seen = {id(route) for route, _ in result}
            result += [(route, "prefix") for route in self if id(route) not in seen]
        return result


def _losing_cause(route: Route, winner: Route) -> str:
    if route.plen != winner.plen:
        return "shorter"
    if route.table is not winner.table:
        return "table"
    return "metric" if route.metric != winner.metric else "order"


def _chain(head: Route | None) -> Iterator[Route]:
    while head is not None:
        following = head.next
        yield head
        head = following
