"""The memory of a neighbor cache beside its entries, for who makes another one like it."""

from typing import NamedTuple

from smolctl.stack.neighbor.entry import Silence
from smolctl.stack.neighbor.eviction import Eviction


class CacheMemory(NamedTuple):
    """The memory of a cache, beside its entries.

    Attributes:
        reachable_factor: what the reachable time is multiplied by, until ``redraw_ns``.
        collect_ns: when old entries are next forgotten.
        silence: until when nobody is asked for, where a sysctl says so.
        evictions: the last ones, oldest first.
    """

    reachable_factor: float
    redraw_ns: int
    collect_ns: int
    silence: Silence
    evictions: tuple[Eviction, ...]
