"""Answers of a small FIB to all addresses, so that a lookup finds its own by one bisection.

Prefixes cut the addresses into ranges, and all addresses of a range have the same answer. Most
hosts have ten routes, and twenty ranges.
"""

from collections.abc import Callable, Iterable

from smolctl.stack.fib.route import Route

FEW = 1024
"""A FIB of more routes is searched for each address; answers of so many take 1 ms to make."""
_FIRST = 32


class Answers:
    """Answers of one FIB: none until it was asked as often as it has routes since a change.

    Attributes:
        starts: where the ranges begin, but the first one; empty when there are no answers.
        routes: the answer of each range.
        patience: lookups until answers are due; 0 when they are there, or never will be.
        asked: lookups that are over by then, since the last change.
    """

    __slots__ = ("asked", "patience", "routes", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.routes: list[Route | None] = []
        self.patience = self.asked = _FIRST

    def forget(self) -> None:
        """Take note that a route changes."""
        if self.starts:
            self.starts, self.routes = [], []
        self.patience = self.asked = _FIRST

    def due(self, count: int) -> bool:
        """Tell whether answers of so many routes are worth their making; else wait on."""
        if count <= self.asked or count > FEW:
            return count <= FEW
        self.patience = count - self.asked
        self.asked = count
        return False

    def learn(
        self, routes: Iterable[Route], mark: int, bits: int, search: Callable[[int], Route | None]
    ) -> None:
        """Search once in each range.

        Args:
            mark: that of the family's addresses.
        """
        ends = {mark}
        for route in routes:
            ends.add(route.prefix)
            ends.add(route.prefix + (1 << bits - route.plen))
        ends.discard(mark + (1 << bits))
        starts = sorted(ends)
        self.routes = [None, *map(search, starts)]
        self.starts = starts
