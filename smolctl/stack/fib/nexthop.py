"""Multipath routes: one destination, several next hops, each flow by one of them.

A flow's hash is a number of 31 bits. The next hops share that range in proportion to their weights,
each up to its bound, as Linux ``fib_rebalance`` has it. This file knows no interface: that a next
hop is dead reaches it as a flag.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from smolctl.stack.duplicate import duplicate
from smolctl.stack.fib.route import Route
from smolctl.wire.address import IPV6_MARK

WEIGHT_MAX = 256
HASH_BITS = 31
_WORD = (1 << 64) - 1


@dataclass(slots=True, eq=False)
class Hop(Route):
    """One next hop of a multipath route: a route of its own, as far as sending goes.

    Attributes:
        weight: its share, 1..256.
        dead: its link went down or lost its last address; until it is back nothing is sent there.
        whole: the route that it belongs to.
    """

    weight: int = 1
    dead: bool = False
    whole: "Multipath | None" = field(default=None, repr=False)


@dataclass(slots=True, eq=False)
class Multipath(Route):
    """A route with several next hops; ``dev`` and ``via`` are theirs, its own are None."""

    hops: tuple[Hop, ...] = ()

    def identity(self) -> tuple[object, ...]:
        """Return what makes two routes of one prefix the same, the next hops in their order."""
        hops = tuple((hop.dev, hop.via, hop.weight, hop.onlink) for hop in self.hops)
        return (*Route.identity(self), hops)

    def by(self, dev: str) -> Hop | None:
        """Return the first living next hop by an interface."""
        return next((hop for hop in self.hops if hop.dev == dev and not hop.dead), None)

    def clone(self) -> "Multipath":
        """Return a copy, whose next hops live and die on their own."""
        result = duplicate(self)
        result.hops = tuple(duplicate(hop) for hop in self.hops)
        for hop in result.hops:
            hop.whole = result
        return result

    @property
    def first(self) -> Hop:
        """Return the first living next hop; the first of all when none lives."""
        return next((hop for hop in self.hops if not hop.dead), self.hops[0])


def bounds(weights: Sequence[int]) -> list[int]:
    """Return the highest hash of each share; -1 for a weight of 0, which takes part in nothing.

    Source: Linux ``fib_rebalance``: the weights so far, of all, times 2**31, rounded, less one.
    """
    total, so_far, result = sum(weights), 0, []
    for weight in weights:
        so_far += weight
        share = ((so_far << HASH_BITS) + total // 2) // total if total else 0
        result.append(share - 1 if weight else -1)
    return result


def flow_hash(seed: int, *keys: int) -> int:
    """Return the hash of a flow's addresses, or addresses and ports; the same for the same seed.

    Each key is mixed in by the finalizer of splitmix64, which makes every bit of it matter.
    """
    mixed = seed
    for key in keys:
        mixed = (mixed ^ key) + 0x9E3779B97F4A7C15 & _WORD
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _WORD
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _WORD
        mixed ^= mixed >> 31
    return mixed >> 64 - HASH_BITS


def address_words(address: int) -> tuple[int, ...]:
    """Return an address in words of 64 bits, which is what ``flow_hash`` takes."""
    return (address,) if address < IPV6_MARK else (address >> 64 & _WORD, address & _WORD)


class NextHop(NamedTuple):
    """One next hop as the user says it."""

    dev: str | None
    via: int | None
    weight: int = 1
    onlink: bool = False


_SHARED = (
    "prefix", "plen", "type", "table", "prefsrc", "metric", "scope", "protocol", "mtu", "mtu_lock",
    "nhid",
)  # fmt: skip


def with_ways(route: Route, ways: Sequence[NextHop]) -> Route:
    """Return a route like one without device and gateway, by these next hops.

    By one alone it is a plain route, as in Linux, where its weight says nothing.
    """
    shared: dict[str, Any] = {name: getattr(route, name) for name in _SHARED}
    if len(ways) == 1:
        (way,) = ways
        return Route(**shared, dev=way.dev, via=way.via, onlink=way.onlink)
    whole = Multipath(**shared)
    whole.hops = tuple(
        Hop(**shared, dev=way.dev, via=way.via, onlink=way.onlink, weight=way.weight, whole=whole)
        for way in ways
    )
    return whole
