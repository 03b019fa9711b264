"""Neighbors that are forgotten in numbers: at once, and told of one after the other.

A link that goes down may take 10,000 neighbors with it. To tell of each, and to drop what waits for
it, needs 10 ms and more, in which no packet would move. So they leave the cache together, and
``take`` returns some of them each time that it is called.
"""

from collections import deque
from itertools import islice
from typing import NamedTuple

from smolctl.stack.neighbor.entry import Neighbor

MANY = 500
"""So many are told of at once; as many timers go off in one call."""
A_TURN = 100
"""Most that ``take`` returns in one call: 1 ms, where somebody watches."""


class Left(NamedTuple):
    """Neighbors that were forgotten together; ``cause`` as neigh-queue-purged has it."""

    entries: dict[int, Neighbor]
    cause: str


class Leaving:
    """The neighbors of one interface that nobody was told of yet, in the order of their leaving."""

    def __init__(self) -> None:
        self._left: deque[Left] = deque()

    def __bool__(self) -> bool:
        return bool(self._left)

    def add(self, entries: dict[int, Neighbor], cause: str) -> None:
        """Take entries that are in the cache no more."""
        if entries:
            self._left.append(Left(entries, cause))

    def take(self, limit: int = A_TURN) -> Left:
        """Return the next ones, which are forgotten here, too."""
        entries, cause = self._left[0]
        if len(entries) <= limit:
            return self._left.popleft()
        return Left({ip: entries.pop(ip) for ip in list(islice(entries, limit))}, cause)

    def take_one(self, ip: int) -> Left:
        """Return those of one address, for which there will be another entry; mostly none."""
        for entries, cause in self._left:
            if ip in entries:
                return Left({ip: entries.pop(ip)}, cause)
        return Left({}, "")
