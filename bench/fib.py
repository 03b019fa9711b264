"""FIB lookups of random addresses, and the memory of a full table, beside two radix trees in C.

Those of IPv6 are in fib6.py.
"""

import gc
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import process_time
from typing import Any

from bench.measure import Limit, Plan, Row, Skipped, Spread, by_turns, middle, ratio
from bench.world import resident_kib
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.route import Route, RouteType, TableName

SIZES = (10, 1_000, 100_000, 1_000_000)
_LOOKUPS = 40_000
_WARM_UP = 200_000
"""Untimed lookups of other addresses before: what is built at first use is there by then."""
_FIRST, _LAST = 0x0B000000, 0xDFFFFFFF
"""Unicast addresses: 11.0.0.0 to 223.255.255.255; 10.0.0.0/8 is where the stacks themselves are."""
_LENGTHS = {
    9: 0.02, 10: 0.05, 11: 0.1, 12: 0.3, 13: 0.6, 14: 1.2, 15: 2, 16: 13, 17: 8, 18: 14,
    19: 25, 20: 45, 21: 55, 22: 115, 23: 100, 24: 610, 25: 2, 26: 2, 27: 2, 28: 2, 29: 2, 30: 1,
    32: 2,
}  # fmt: skip
"""Frequency of each prefix length in a full table of the Internet, about, per mille."""
Prefixes = list[tuple[int, int]]


def prefixes(count: int, seed: int = 1) -> Prefixes:
    """Return that many different prefixes as (network, length), lengths as in the Internet's."""
    chance = random.Random(seed)
    result: dict[tuple[int, int], None] = {(0, 0): None}
    while len(result) < count:
        lengths = chance.choices(list(_LENGTHS), list(_LENGTHS.values()), k=count - len(result))
        for plen in lengths:
            shift = 32 - plen
            result[chance.randint(_FIRST, _LAST) >> shift << shift, plen] = None
    return list(result)


def fill(fib: Fib, routes: Prefixes) -> None:
    """Put the prefixes into the table ``main``."""
    for network, plen in routes:
        fib.insert(Route(network, plen, dev="eth0", via=0x0A000001, on_link=False))


def our_table(routes: Prefixes) -> Callable[[Any], object]:
    """Return our lookup: both tables are asked, as for every packet."""
    fib = Fib(32)
    for address, plen in ((0x7F000000, 8), (0x7F000001, 32), (0x0A000002, 32), (0x0A0000FF, 32)):
        fib.insert(Route(address, plen, RouteType.LOCAL, TableName.LOCAL, "lo"))
    fill(fib, routes)
    return fib.lookup


def _pytricia(routes: Prefixes) -> Callable[[Any], object]:
    import pytricia

    tree = pytricia.PyTricia(32)
    for network, plen in routes:
        tree.insert(network, plen, "eth0")
    lookup: Callable[[Any], object] = tree.get
    return lookup


def _radix_packed(routes: Prefixes) -> Callable[[Any], object]:
    return _radix(routes, packed=True)


def _radix_text(routes: Prefixes) -> Callable[[Any], object]:
    return _radix(routes, packed=False)


def _radix(routes: Prefixes, *, packed: bool) -> Callable[[Any], object]:
    import radix

    tree = radix.Radix()
    for network, plen in routes:
        tree.add(packed=network.to_bytes(4, "big"), masklen=plen).data["dev"] = "eth0"
    search = tree.search_best
    if not packed:
        lookup: Callable[[Any], object] = search
        return lookup
    return lambda key: search(packed=key)


def _dotted(address: int) -> str:
    return ".".join(map(str, address.to_bytes(4, "big")))


def _packed(address: int) -> bytes:
    return address.to_bytes(4, "big")


Table = Callable[[Prefixes], Callable[[Any], object]]
Key = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask a library: its table, and the key it is asked with."""

    library: str
    key_name: str
    table: Table
    key: Key


OURS = Way("smolctl", "int", our_table, int)
THEIRS = (
    Way("pytricia", "int", _pytricia, int),
    Way("pytricia", "str", _pytricia, _dotted),
    Way("pytricia", "bytes", _pytricia, _packed),
    Way("py-radix", "packed bytes", _radix_packed, _packed),
    Way("py-radix", "str", _radix_text, _dotted),
)


def _lookups(lookup: Callable[[Any], object], keys: Sequence[object]) -> float:
    """Return ns of the cpu a lookup."""
    start = process_time()
    for key in keys:
        lookup(key)
    return (process_time() - start) / len(keys) * 1e9


def _addresses(count: int, seed: int) -> list[int]:
    chance = random.Random(seed)
    return chance.choices(range(_FIRST, _LAST + 1), k=count)


Addresses = Callable[[Prefixes, int, int], list[int]]
"""Returns addresses to look up: for a table, how many, by which seed."""


@dataclass(frozen=True, slots=True)
class Contest:
    """The measurements of one family.

    Attributes:
        name: of the family, in the rows.
        sizes: of the tables.
        limits: of the ratios, by size.
        memory: the memory of the largest table is measured, too.
        note: which addresses are looked up.
    """

    name: str
    prefixes: Callable[[int], Prefixes]
    addresses: Addresses
    ours: Way
    theirs: Sequence[Way]
    sizes: Sequence[int]
    limits: Mapping[int, Limit]
    note: str
    memory: bool = False


def _anywhere(_routes: Prefixes, count: int, seed: int) -> list[int]:
    return _addresses(count, seed)


_CONTEST = Contest(
    "",
    prefixes,
    _anywhere,
    OURS,
    THEIRS,
    SIZES,
    {SIZES[-1]: Limit(1.0, 1.5)},
    "random addresses",
    memory=True,
)


def best_ways(contest: Contest = _CONTEST) -> list[Way]:
    """Return each library asked the way that is quickest here."""
    routes = contest.prefixes(10_000)
    addresses = contest.addresses(routes, 10_000, 2)
    best: dict[str, tuple[float, Way]] = {}
    for way in contest.theirs:
        lookup, keys = way.table(routes), [way.key(address) for address in addresses]
        cost = min(_lookups(lookup, keys) for _ in range(5))
        if way.library not in best or cost < best[way.library][0]:
            best[way.library] = cost, way
    return [way for _, way in best.values()]


def run(plan: Plan) -> list[Row]:
    """Measure lookups at each size and the memory of the largest."""
    return held(plan, _CONTEST)


def held(plan: Plan, contest: Contest) -> list[Row]:
    """Hold a contest."""
    try:
        ways = [contest.ours, *best_ways(contest)]
    except ImportError as error:
        raise Skipped(f"no {error.name}: pip install -r requirements-bench.txt") from None
    rows: list[Row] = []
    for size in contest.sizes[:-1] if plan.quick else contest.sizes:
        rows += _at_size(plan, contest, size, ways)
    return rows


def _at_size(plan: Plan, contest: Contest, size: int, ways: list[Way]) -> list[Row]:
    routes = contest.prefixes(size)
    lookups: dict[str, Callable[[Any], object]] = {}
    memory: dict[str, float] = {}
    for way in ways:
        gc.collect()
        before = resident_kib()
        lookups[way.library] = way.table(routes)
        memory[way.library] = (resident_kib() - before) / 1024
    seeds = iter(range(1_000_000))
    warm_up = contest.addresses(routes, _WARM_UP, -1)
    for way in ways:
        _lookups(lookups[way.library], [way.key(address) for address in warm_up])

    def measure(way: Way) -> Callable[[], float]:
        def measured() -> float:
            # New addresses each time: what the last round left in the cpu's caches is no help.
            addresses = contest.addresses(routes, _LOOKUPS, next(seeds))
            keys = [way.key(address) for address in addresses]
            return _lookups(lookups[way.library], keys)

        return measured

    figures = by_turns(plan.rounds(9), {way.library: measure(way) for way in ways})
    rows = [_lookup_row(size, way, figures, contest) for way in ways[1:]]
    if contest.memory and size == contest.sizes[-1]:
        rows += _memory_rows(size, memory)
    return rows


def _lookup_row(size: int, way: Way, figures: dict[str, list[float]], contest: Contest) -> Row:
    ours, theirs = figures[OURS.library], figures[way.library]
    return Row(
        f"{contest.name}FIB lookup, {size:,} routes", f"{way.library} ({way.key_name})",
        ratio(theirs, ours), f"{middle(ours):.0f} ns : {middle(theirs):.0f} ns",
        contest.limits.get(size),
        f"{contest.note}, none twice, after {_WARM_UP:,} others; keys as each likes them best:"
        f" ours {OURS.key_name}, {way.library} {way.key_name}; ours asks the tables local and main,"
        " as for a packet",
        figures={"smolctl": ours, way.library: theirs},
    )  # fmt: skip


def _memory_rows(size: int, memory: dict[str, float]) -> list[Row]:
    ours = memory.pop(OURS.library)
    return [
        Row(
            f"memory of {size:,} routes", library, Spread.of([ours / theirs]),
            f"{ours:.0f} MiB : {theirs:.0f} MiB",
            note="ours: the whole route; theirs: the prefix and one shared string",
            figures={"smolctl": [ours], library: [theirs]},
        )
        for library, theirs in memory.items()
    ]  # fmt: skip
