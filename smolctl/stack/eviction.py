"""Whom a full neighbor cache evicted lately: why a packet to a host that was known waits again."""

from collections import deque
from collections.abc import Container
from typing import NamedTuple

WINDOW_NS = 60_000_000_000
"""How long an eviction is remembered."""
_REMEMBERED = 256
"""Evictions that are remembered; the oldest is forgotten first."""


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
