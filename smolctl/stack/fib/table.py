"""Tables of routes: one dict for each region, probed once for each prefix length in it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from operator import attrgetter

from smolctl.errors import AlreadyExists, NotFound
from smolctl.stack.duplicate import duplicate
from smolctl.stack.fib.answers import Answers
from smolctl.stack.fib.route import InsertMode, Route
from smolctl.wire.address import IPV6

REGION_BITS = 16
"""Leading bits of an address that choose its region in a large table; see ``RouteTable``."""
COARSE_BITS = 8
"""Prefixes shorter than this are kept apart: they touch too many regions to be noted in each.

In a small table so many bits choose the region."""
NETWORK_BITS = 32
"""The same of IPv6; and those bits choose the region of an IPv6 address, see ``RouteTable6``."""
SMALL, LARGE = 251, 65521
"""Numbers of regions of a small IPv6 table, and of a large one; both are prime."""
FEW = 512
"""A table of more routes is large: it has 65,536 regions, which take 512 KiB, rather than 256."""

_ABOVE = 1 << IPV6.bits + 1
_METRIC = attrgetter("metric")
_COARSE = -1
"""The number of the coarse region among those that a clone has of its own."""


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

    def clone(self) -> "Region":
        """Return a copy."""
        result = Region()
        result.update(self)
        result.shifts = self.shifts
        return result


def span(chain: Sequence[Route], metric: int) -> tuple[int, int]:
    """Return where the routes of a metric begin and end among those of one prefix."""
    first = bisect_left(chain, metric, key=_METRIC)
    return first, bisect_right(chain, metric, first, key=_METRIC)


@cache
def _no_regions(count: int) -> list[Region | None]:
    """Return the regions of a table without routes; nobody changes this list."""
    return [None] * count


class RouteTable:
    """The routes of one table: a dict per region, asked once per prefix length that occurs there.

    All addresses that share their first 16 bits are a region; in a table of few routes, their first
    8 bits. Few prefix lengths occur in any one, and its dict is small, so a lookup touches little
    memory however many routes the table holds.

    Attributes:
        regions: by their first bits; None for one without routes.
        coarse: the routes that are shorter than ``coarse_bits``.
        chains: all routes of each prefix that has several, in lookup order, by prefix and length.
        answers: of the FIB whose table it is.
    """

    coarse_bits = COARSE_BITS

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._mark = 1 << bits
        self._is_large = False
        self._divide()
        self._used: set[int] = set()
        self.coarse = Region()
        self.chains: dict[tuple[int, int], tuple[Route, ...]] = {}
        self._shifts: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._count = 0
        self._shared = False
        self._own: set[int] = set()
        self.answers = Answers()

    def _divide(self) -> None:
        """Have no routes in as many regions as a table of this size has."""
        region_bits = min(self._bits, REGION_BITS if self._is_large else COARSE_BITS)
        self.region_shift = self._bits - region_bits
        self._begin_regions(1 << region_bits)

    def _begin_regions(self, count: int) -> None:
        # Shared by all that are empty, since most clones make no use of theirs.
        self.regions: list[Region | None] = _no_regions(count)
        self._blank = True

    def clone(self) -> "RouteTable":
        """Return a table with the same routes, to be changed on its own; it costs no copy of any.

        It copies what it changes, region by region, and is good until this one changes.
        """
        result = duplicate(self)
        result._shared, result._own, result.answers = True, set(), Answers()
        return result

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Route]:
        """Yield all routes in the order in which ``ip route`` has them; chains in lookup order."""
        heads = [
            head
            for number in self._used
            for head in (self.regions[number] or Region()).values()
            if self._number(head.prefix) == number
        ]
        heads += self.coarse.values()
        heads.sort(key=self.order)
        for head in heads:
            yield from self.chains.get((head.prefix, head.plen)) or (head,)

    @staticmethod
    def order(route: Route) -> tuple[int, int]:
        """Return the key that ``ip route`` sorts by: the prefix, of equal ones the longer first."""
        return route.prefix, -route.plen

    def lookup(self, address: int) -> Route | None:
        """Return the first route of the longest matching prefix, or None."""
        marked = address | self._mark
        region = self.regions[address >> self.region_shift]
        if region is not None:
            for shift in region.shifts:
                route = region.get(marked >> shift)
                if route is not None:
                    return route
        coarse = self.coarse
        for shift in coarse.shifts:
            route = coarse.get(marked >> shift)
            if route is not None:
                return route
        return None

    def matches(self, address: int) -> Iterator[Route]:
        """Yield every route whose prefix holds the address, in the order they are preferred."""
        for region in (self.regions[self._number(address)], self.coarse):
            if region is not None:
                for shift in region.shifts:
                    head = region.get((address | self._mark) >> shift)
                    if head is not None:
                        yield from self.chains.get((head.prefix, head.plen)) or (head,)

    def chain(self, prefix: int, plen: int) -> list[Route]:
        """Return the routes of exactly this prefix, in lookup order."""
        several = self.chains.get((prefix, plen))
        if several is not None:
            return list(several)
        if plen < self.coarse_bits:
            region: Region | None = self.coarse
        else:
            region = self.regions[self._number(prefix)]
        head = None if region is None else region.get((prefix | self._mark) >> (self._bits - plen))
        return [] if head is None else [head]

    def prefixes(self) -> Iterator[tuple[int, int]]:
        """Yield each prefix and its length once, in any order, while the table may change."""
        for number in list(self._used):
            heads = list((self.regions[number] or Region()).values())
            yield from (
                (head.prefix, head.plen) for head in heads if self._number(head.prefix) == number
            )
        yield from [(head.prefix, head.plen) for head in self.coarse.values()]

    def settle(self, prefix: int, plen: int) -> list[Route]:
        """Take out what is gone of a prefix; see ``sweep.py``. Here nothing is."""
        return []

    def insert(self, route: Route, mode: InsertMode) -> Route | None:
        """Put a route in, as Linux's ``fib_table_insert`` does.

        Returns: the route that it replaced, or None.

        Raises:
            AlreadyExists: ``add`` over a route of the same prefix and metric, or the very same
                route is there (for ``replace``: but is not the first one).
            NotFound: ``change`` without a route of the same prefix and metric.
        """
        chain = self.chain(route.prefix, route.plen)
        first, end = span(chain, route.metric)
        same = chain[first:end]
        if not same:
            if mode is InsertMode.CHANGE:
                raise NotFound("no route has that destination and metric")
            chain.insert(first, route)
            self._add(route, chain)
            return None
        if mode is InsertMode.ADD:
            raise AlreadyExists("a route with that destination and metric already exists")
        identity = route.identity()
        clone = next((r for r in same if r.identity() == identity), None)
        if mode is InsertMode.APPEND:
            if clone is not None:
                raise AlreadyExists("this route already exists")
            chain.insert(first + len(same), route)
            self._add(route, chain)
            return None
        if clone is not None and clone is not same[0]:
            raise AlreadyExists("this route already exists, after another one")
        if clone is not None:
            return None
        replaced = chain[first]
        chain[first] = route
        self._store(route, chain)
        return replaced

    def _add(self, route: Route, chain: list[Route]) -> None:
        """Make a chain that has one route more the routes of its prefix."""
        self._store(route, chain)
        self._count += 1
        if self._count > FEW and not self._is_large:
            self._grow()

    def _grow(self) -> None:
        """Distribute the routes over more regions."""
        heads = [
            head for number in self._used for head in (self.regions[number] or Region()).values()
        ]
        self._is_large = True
        self._divide()
        # A clone has nothing left now that is another table's.
        self._used, self._shared = set(), False
        for head in heads:
            self._store(head, self.chain(head.prefix, head.plen) or [head])

    def remove(self, route: Route) -> None:
        """Take out a route that is in the table."""
        chain = self.chain(route.prefix, route.plen)
        chain.remove(route)
        self._store(route, chain)
        self._count -= 1

    def swap(self, old: Route, new: Route) -> None:
        """Put a route in the place of one of the same prefix and metric."""
        chain = self.chain(old.prefix, old.plen)
        self._store(new, [new if route is old else route for route in chain])

    def _store(self, route: Route, chain: list[Route]) -> None:
        """Make ``chain`` the routes of the prefix that ``route`` has."""
        self.answers.forget()
        if self._blank:
            self.regions, self._blank = list(self.regions), False
        if self._shared:
            self._take_over(route)
        if len(chain) > 1:
            self.chains[route.prefix, route.plen] = tuple(chain)
        else:
            self.chains.pop((route.prefix, route.plen), None)
        shift = self._bits - route.plen
        key = (route.prefix | self._mark) >> shift
        for number in self._touched(route):
            region = self.coarse if number is None else self.regions[number]
            if region is None:
                assert number is not None
                region = self.regions[number] = Region()
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
                        self.regions[number] = None
                        self._used.remove(number)

    def _take_over(self, route: Route) -> None:
        """Copy what a change of this route's prefix touches, as far as it is another table's."""
        if not self._own:
            self._own.add(_COARSE)
            self.coarse, self.chains = self.coarse.clone(), dict(self.chains)
            self._shifts = dict(self._shifts)
        for number in self._touched(route):
            if number is None or number in self._own:
                continue
            if len(self._own) == 1:
                self.regions, self._used = list(self.regions), set(self._used)
            self._own.add(number)
            region = self.regions[number]
            self.regions[number] = None if region is None else region.clone()

    def _touched(self, route: Route) -> Iterable[int | None]:
        """Return the numbers of the regions that a prefix touches; None is the coarse one."""
        if route.plen < self.coarse_bits:
            return (None,)
        first = self._number(route.prefix)
        return range(first, first + (1 << max(0, self._bits - self.region_shift - route.plen)))

    def _number(self, address: int) -> int:
        """Return the number of an address's region."""
        return address >> self.region_shift


class RouteTable6(RouteTable):
    """The routes of one IPv6 table.

    The first 32 bits of an address choose its region, as a remainder: few numbers are networks at
    all, and what else falls into a region does not match there. An address carries a 1 above its
    bits already, and so does the prefix of a route.

    Attributes:
        coarse_floor: no coarse route is for an address below.
    """

    coarse_bits = NETWORK_BITS

    def __init__(self) -> None:
        super().__init__(IPV6.bits)
        self.coarse_floor = _ABOVE

    def _divide(self) -> None:
        self.size = LARGE if self._is_large else SMALL
        self._begin_regions(self.size)

    @staticmethod
    def order(route: Route) -> tuple[int, int]:
        """Return the key that ``ip -6 route`` sorts by: what is inside of a prefix, before it.

        Source: Linux ``fib6_walk_continue``, left, right, then the node itself.
        """
        return route.prefix | (1 << IPV6.bits - route.plen) - 1, -route.plen

    def lookup(self, address: int) -> Route | None:
        """Return the first route of the longest matching prefix, or None."""
        region = self.regions[(address >> 96) % self.size]
        if region is not None:
            for shift in region.shifts:
                route = region.get(address >> shift)
                if route is not None:
                    return route
        coarse = self.coarse
        for shift in coarse.shifts:
            route = coarse.get(address >> shift)
            if route is not None:
                return route
        return None

    def _number(self, address: int) -> int:
        return (address >> 96) % self.size

    def _touched(self, route: Route) -> Iterable[int | None]:
        return (None if route.plen < NETWORK_BITS else self._number(route.prefix),)

    def _store(self, route: Route, chain: list[Route]) -> None:
        super()._store(route, chain)
        if route.plen >= NETWORK_BITS:
            return
        if chain:
            self.coarse_floor = min(self.coarse_floor, route.prefix)
        elif route.prefix == self.coarse_floor:
            heads = self.coarse.values()
            self.coarse_floor = min((head.prefix for head in heads), default=_ABOVE)
