"""Eviction from a full neighbor cache, and the neighbors evicted lately."""

from collections import deque
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.states import State

LEAST_USED, OLDEST = range(2)
"""Values of neigh.evict."""
WINDOW_NS = 60_000_000_000
"""How long an eviction is remembered."""
_REMEMBERED = 256
"""Evictions that are remembered; the oldest is forgotten first."""


def choose_victims(
    entries: list[Neighbor], capacity: int, in_use_since: int | None
) -> Iterator[Neighbor]:
    """Choose whom to evict: what failed, what is idle, what is in use, what has packets.

    Among equals the one used longest ago goes. One pass over the cache, and only when it is full.
    A PERMANENT entry is never chosen.

    Args:
        entries: those that compete for ``capacity`` places, of which one is to be free.
        in_use_since: when the last use still counts; None to choose the one that ARP spoke of
            longest ago, whoever uses it (smoltcp: the smallest expiry).
    """

    def worth(entry: Neighbor) -> tuple[int, int]:
        if in_use_since is None:
            return 0, entry.confirmed_ns or entry.created_ns
        if entry.queue or entry.awaited:
            return 3, entry.used_ns
        if entry.state is State.FAILED:
            return 0, entry.used_ns
        last = max(entry.used_ns, entry.created_ns)
        return (2 if last > in_use_since else 1), last

    candidates = [entry for entry in entries if entry.state is not State.PERMANENT]
    if len(entries) == capacity:  # as always, unless the capacity was lowered
        yield min(candidates, key=worth)
    elif len(entries) > capacity:
        yield from sorted(candidates, key=worth)[: len(entries) - capacity + 1]


def collectable(entries: Iterable[Neighbor], before_ns: int) -> list[Neighbor]:
    """Return the entries that nobody used since, and that are true no more."""
    return [
        entry
        for entry in entries
        if entry.state in (State.STALE, State.FAILED)
        and max(entry.used_ns, entry.updated_ns) < before_ns
        and not entry.queue
    ]


class Eviction(NamedTuple):
    """A neighbor lost its entry to another.

    Attributes:
        ip, new: whose entry went, and for whom.
    """

    at_ns: int
    ip: int
    new: int


class Thrash(NamedTuple):
    """A neighbor was evicted and is wanted again, while the cache is still full.

    Attributes:
        last: the latest eviction of this neighbor.
        times: how often it was evicted within ``WINDOW_NS``. total: how often anybody was.
        peers: neighbors that have an entry or lost theirs; with so many entries all would fit.
    """

    last: Eviction
    times: int
    total: int
    peers: int


class Evictions:
    """The last evictions of one cache, at most 256 of the last 60 s."""

    def __init__(self, evictions: "Evictions | None" = None) -> None:
        known = evictions._latest if evictions is not None else ()
        self._latest: deque[Eviction] = deque(known, _REMEMBERED)

    def note(self, ip: int, new: int, now: int) -> None:
        """Remember that ``ip`` made room for ``new``."""
        self._latest.append(Eviction(now, ip, new))

    def thrash(self, ip: int, entries: Container[int], size: int, now: int) -> Thrash | None:
        """Return how it comes that ``ip`` is wanted again; None when it was not evicted lately.

        Args:
            entries: the addresses in the cache, ``size`` of them.
        """
        latest = self._latest
        while latest and latest[0].at_ns <= now - WINDOW_NS:
            latest.popleft()
        own = [eviction for eviction in latest if eviction.ip == ip]
        if not own:
            return None
        gone = {eviction.ip for eviction in latest if eviction.ip not in entries}
        return Thrash(own[-1], len(own), len(latest), size + len(gone))
