"""Routes that are gone at once, and taken out of their table bit by bit.

A link that goes down may take 100,000 routes with it. To take them out needs a third of a second,
in which no packet would move. So lookups pass them over from the first moment on, and ``clean``
takes some of them out each time that it is called. Only then does a lookup cost more than usual.
"""

from collections.abc import Callable, Iterator

from smolctl.stack.fib.route import InsertMode, Route
from smolctl.stack.fib.table import RouteTable, RouteTable6

MANY = 500
"""A smaller table is cleaned at once."""
A_TURN = 200
"""Most prefixes that ``clean`` looks at in one call: 1 ms."""

Unwanted = Callable[[Route], bool]


class Sweep:
    """One removal of many routes.

    Args:
        unwanted: tells which routes are gone.

    Attributes:
        spared: routes that were added afterwards.
        rest: the prefixes to look at still; None before the first.
    """

    def __init__(self, unwanted: Unwanted) -> None:
        self.unwanted = unwanted
        self.spared: set[Route] = set()
        self.rest: Iterator[tuple[int, int]] | None = None

    def clone(self) -> "Sweep":
        """Return the same for another table."""
        result = Sweep(self.unwanted)
        result.spared = set(self.spared)
        return result


class SweptTable(RouteTable):
    """A table while routes are taken out of it; ``begin`` makes one of it, and ``clean`` ends that.

    Attributes:
        sweeps: the removals that are under way, in their order.
    """

    sweeps: list[Sweep]

    def _is_gone(self, route: Route) -> bool:
        return any(sweep.unwanted(route) and route not in sweep.spared for sweep in self.sweeps)

    def __iter__(self) -> Iterator[Route]:
        """Yield the routes that are not gone."""
        return (route for route in super().__iter__() if not self._is_gone(route))

    def lookup(self, address: int) -> Route | None:
        """Return the first route of the longest matching prefix that is not gone."""
        route = super().lookup(address)
        if route is None or not self._is_gone(route):
            return route
        return next(self.matches(address), None)

    def matches(self, address: int) -> Iterator[Route]:
        """Yield what is not gone of the routes whose prefix holds the address."""
        return (route for route in super().matches(address) if not self._is_gone(route))

    def chain(self, prefix: int, plen: int) -> list[Route]:
        """Return what is not gone of the routes of exactly this prefix."""
        return [route for route in super().chain(prefix, plen) if not self._is_gone(route)]

    def insert(self, route: Route, mode: InsertMode) -> Route | None:
        """Put a route in, as every table does; it stays."""
        replaced = super().insert(route, mode)
        for sweep in self.sweeps:
            sweep.spared.add(route)
        return replaced

    def _grow(self) -> None:
        """Wait: the prefixes to look at still are known by the regions that there are."""

    def settle(self, prefix: int, plen: int) -> list[Route]:
        """Take out what is gone of a prefix, and return it."""
        there = super().chain(prefix, plen)
        left = [route for route in there if not self._is_gone(route)]
        if len(left) == len(there):
            return []
        self._store(there[0], left)
        self._count -= len(there) - len(left)
        return [route for route in there if route not in left]

    def clone(self) -> RouteTable:
        """Return a table with the routes that are not gone."""
        result = super().clone()
        assert isinstance(result, SweptTable)
        result.sweeps = [sweep.clone() for sweep in self.sweeps]
        return result


class SweptTable6(SweptTable, RouteTable6):
    """The same of IPv6."""


def begin(table: RouteTable, unwanted: Unwanted) -> SweptTable:
    """Let routes of a table be gone; return the table, which is to be cleaned.

    The table stays the object that it is: whoever knows it goes on to use it.
    """
    if not isinstance(table, SweptTable):
        table.__class__ = SweptTable6 if isinstance(table, RouteTable6) else SweptTable
        assert isinstance(table, SweptTable)
        table.sweeps = []
    table.sweeps.append(Sweep(unwanted))
    table.answers.forget()
    return table


def clean(table: SweptTable) -> Iterator[Route]:
    """Take some of what is gone out, and yield it; in the end the table is a usual one again."""
    sweep = table.sweeps[0]
    if sweep.rest is None:
        sweep.rest = table.prefixes()
    for _ in range(A_TURN):
        found = next(sweep.rest, None)
        if found is None:
            table.sweeps.pop(0)
            break
        yield from table.settle(*found)
    if not table.sweeps:
        del table.sweeps
        usual = RouteTable6 if isinstance(table, RouteTable6) else RouteTable
        table.__class__ = usual  # type: ignore[assignment]


def is_clean(table: RouteTable) -> bool:
    """Tell whether nothing is to be taken out of a table any more."""
    return not isinstance(table, SweptTable)
