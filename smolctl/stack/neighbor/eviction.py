"""Eviction from a full neighbor cache, and the neighbors evicted lately."""

from collections import deque
from collections.abc import Container, Iterable
from heapq import heapify, heappop, heappush, heapreplace
from typing import NamedTuple

from smolctl.stack.neighbor.entry import Neighbor, Standing
from smolctl.stack.neighbor.states import VALID, State

LEAST_USED, OLDEST = range(2)
"""Values of neigh.evict."""
WINDOW_NS = 60_000_000_000
"""Time for which an eviction is remembered."""
_CORRECTIONS = 32
"""After so many uses that it hears of, an eviction takes whom it has seen: none takes long."""
_REMEMBERED = 256
"""Evictions that are remembered; the oldest is forgotten first."""


class EvictionOrder:
    """The entries of one cache in the order in which they make room for others.

    Nothing here takes longer in a large cache: a heap for each standing, whose items are corrected
    when they come to the top: a use makes ``used_ns`` later, and tells nobody.

    Args:
        by_age: the one that ARP spoke of longest ago goes first, whoever uses it (smoltcp: the
            smallest expiry), of those that are resolved or of those that are not.

    Attributes:
        counts: how many entries have each standing.
    """

    def __init__(self, entries: Iterable[Neighbor], *, by_age: bool) -> None:
        self.by_age = by_age
        self._serial = 0
        self.counts = [0] * len(Standing)
        self._heaps: list[list[tuple[int, int, Neighbor]]] = [[] for _ in Standing]
        for entry in entries:
            entry.standing = Standing.OUT
            self.place(entry)

    @property
    def resolved(self) -> int:
        """The number of entries with a MAC that is used."""
        return self.counts[Standing.KNOWN] + self.counts[Standing.PERMANENT]

    def place(self, entry: Neighbor) -> None:
        """Take note of an entry that is new or has changed."""
        standing = self._standing(entry)
        if standing is entry.standing:
            return
        self.counts[entry.standing] -= 1
        self.counts[standing] += 1
        entry.standing = standing
        if standing is Standing.PERMANENT:
            return
        heap = self._heaps[standing]
        self._serial += 1
        heappush(heap, (self._key(entry), self._serial, entry))
        if len(heap) > 64 + 2 * self.counts[standing]:
            # Those that have left are swept before they outnumber the rest.
            left = {item[2]: item for item in heap if item[2].standing is standing}
            heap[:] = left.values()
            heapify(heap)

    def drop(self, gone: Iterable[Neighbor]) -> None:
        """Forget entries."""
        counts, out = self.counts, Standing.OUT
        for entry in gone:
            counts[entry.standing] -= 1
            entry.standing = out

    def clear(self, *, keep_permanent: bool) -> None:
        """Forget all entries, or all but those that are PERMANENT; these need not be told."""
        permanent = self.counts[Standing.PERMANENT] if keep_permanent else 0
        self.counts = [0] * len(Standing)
        self.counts[Standing.PERMANENT] = permanent
        self._heaps = [[] for _ in Standing]

    def first(self, idle_since: int, *, stranger: bool, resolved: bool) -> Neighbor | None:
        """Return who makes room for another: what failed, what is idle, what waits for others.

        Only what we do ourselves evicts a neighbor that is in use, and at last one for whom packets
        of ours wait. Among equals the one used longest ago goes. A PERMANENT entry never does.

        Args:
            idle_since: who was not used since is idle.
            stranger: whether somebody else wants the place: a neighbor that made itself known, or
                one that gets an answer and has never answered us.
            resolved: where eviction is by age, whether the place is for one that is resolved.
        """
        if self.by_age:
            return self._top(Standing.KNOWN if resolved else Standing.SOUGHT)
        failed, known = self._top(Standing.FAILED), self._top(Standing.KNOWN)
        if failed is not None:
            return failed
        if known is not None and (not known.used_ns or known.used_ns <= idle_since):
            return known
        answered = self._top(Standing.ANSWERED)
        if answered is not None or stranger:
            return answered
        return known or self._top(Standing.SOUGHT)

    def _standing(self, entry: Neighbor) -> Standing:
        state = entry.state
        if state in VALID:
            return Standing.PERMANENT if state is State.PERMANENT else Standing.KNOWN
        if self.by_age:
            return Standing.SOUGHT
        if state is State.FAILED:
            return Standing.FAILED
        ours = entry.awaited or entry.by_hand or entry.used_ns >= entry.updated_ns
        return Standing.SOUGHT if ours else Standing.ANSWERED

    def _key(self, entry: Neighbor) -> int:
        return (entry.confirmed_ns or entry.created_ns) if self.by_age else entry.used_ns

    def _top(self, standing: Standing) -> Neighbor | None:
        heap, seen = self._heaps[standing], list[tuple[int, int, Neighbor]]()
        while heap:
            key, serial, entry = heap[0]
            if entry.standing is not standing:
                heappop(heap)
                continue
            used = self._key(entry)
            if used == key:
                return entry
            heapreplace(heap, (used, serial, entry))
            seen.append((used, serial, entry))
            if len(seen) == _CORRECTIONS:
                return min(seen)[2]
        return None


def collectable(entries: Iterable[Neighbor], before_ns: int) -> list[Neighbor]:
    """Return the entries that nobody used since, and that are true no more."""
    return [
        entry
        for entry in entries
        if entry.state in (State.STALE, State.FAILED, State.NOARP)
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
    """The last evictions of one cache, at most 256 of the last 60 s, in ``latest``."""

    def __init__(self, evictions: "Evictions | None" = None) -> None:
        known = evictions.latest if evictions is not None else ()
        self.latest: deque[Eviction] = deque(known, _REMEMBERED)

    def note(self, ip: int, new: int, now: int) -> None:
        """Remember that ``ip`` made room for ``new``."""
        self.latest.append(Eviction(now, ip, new))

    def thrash(self, ip: int, entries: Container[int], size: int, now: int) -> Thrash | None:
        """Return how it comes that ``ip`` is wanted again; None when it was not evicted lately.

        Args:
            entries: the addresses in the cache, ``size`` of them.
        """
        latest = self.latest
        while latest and latest[0].at_ns <= now - WINDOW_NS:
            latest.popleft()
        own = [eviction for eviction in latest if eviction.ip == ip]
        if not own:
            return None
        gone = {eviction.ip for eviction in latest if eviction.ip not in entries}
        return Thrash(own[-1], len(own), len(latest), size + len(gone))
