"""FIB lookups of IPv6 addresses, beside two radix trees in C."""

import random
from collections.abc import Callable
from typing import Any

from bench.fib import Contest, Prefixes, Way, held
from bench.measure import Limit, Plan, Row
from smolctl.stack.fib.fib6 import Fib6
from smolctl.stack.fib.route import Route, RouteType, TableName
from smolctl.wire.address import IPV6_MARK, packed, parse_address

_SIZES = (10, 1_000, 100_000, 200_000)
"""The Internet had 200,000 prefixes of IPv6 in 2024."""
_LENGTHS = {
    20: 0.3, 22: 0.3, 24: 0.6, 26: 0.4, 27: 0.4, 28: 2, 29: 22, 30: 4, 31: 3, 32: 120, 33: 20,
    34: 18, 35: 10, 36: 40, 37: 6, 38: 14, 39: 7, 40: 90, 41: 5, 42: 20, 43: 9, 44: 100, 45: 16,
    46: 30, 47: 28, 48: 470,
}  # fmt: skip
"""Frequency of each prefix length in a full table of the Internet, about, per mille."""
_BLOCKS = {"2001::": 14, "2400::": 24, "2600::": 24, "2800::": 10, "2a00::": 24, "2c00::": 4}
"""Blocks of the registries, all /12, and the share of the prefixes in each."""
_BLOCK_BITS, _NETWORK_BITS = 12, 32


def prefixes(count: int, seed: int = 1) -> Prefixes:
    """Return that many different prefixes: networks of registries' blocks, and parts of them."""
    chance = random.Random(seed)
    lengths = sorted(chance.choices(list(_LENGTHS), list(_LENGTHS.values()), k=count - 1))
    blocks = chance.choices([parse_address(block) for block in _BLOCKS], list(_BLOCKS.values()),
                            k=count)  # fmt: skip
    result: dict[tuple[int, int], None] = {(IPV6_MARK, 0): None}
    networks: list[int] = []
    while len(result) < count:
        plen, within = lengths[len(result) - 1], _BLOCK_BITS
        start = blocks[len(result)]
        if plen > _NETWORK_BITS and networks:
            # Some networks have many parts, and many have few.
            start, within = networks[int(len(networks) * chance.random() ** 2)], _NETWORK_BITS
        start |= chance.getrandbits(128 - within)
        start = start >> 128 - plen << 128 - plen
        if (start, plen) not in result and plen <= _NETWORK_BITS:
            networks.append(start)
        result[start, plen] = None
    shuffled = list(result)
    chance.shuffle(shuffled)
    return shuffled


def _addresses(routes: Prefixes, count: int, seed: int) -> list[int]:
    """Return addresses in prefixes that are chosen at random: most others have no host."""
    chance = random.Random(seed)
    return [
        start | chance.getrandbits(128 - plen) if plen else parse_address("3fff::1")
        for start, plen in chance.choices(routes, k=count)
    ]


def _our_table(routes: Prefixes) -> Callable[[Any], object]:
    """Return our lookup: both tables are asked, as for every packet."""
    fib = Fib6()
    fib.insert(Route(parse_address("::1"), 128, RouteType.LOCAL, TableName.LOCAL, "lo"))
    fib.insert(Route(parse_address("fe80::1"), 128, RouteType.LOCAL, TableName.LOCAL, "eth0"))
    fib.insert(Route(parse_address("ff00::"), 8, RouteType.UNICAST, TableName.LOCAL, "eth0"))
    gateway = parse_address("fe80::2")
    for start, plen in routes:
        fib.insert(Route(start, plen, dev="eth0", via=gateway, on_link=False))
    return fib.lookup


def _pytricia(routes: Prefixes) -> Callable[[Any], object]:
    import pytricia

    tree = pytricia.PyTricia(128)
    for start, plen in routes:
        tree.insert(packed(start), plen, "eth0")
    lookup: Callable[[Any], object] = tree.get
    return lookup


def _radix(routes: Prefixes) -> Callable[[Any], object]:
    import radix

    tree = radix.Radix()
    for start, plen in routes:
        tree.add(packed=packed(start), masklen=plen).data["dev"] = "eth0"
    search = tree.search_best
    return lambda key: search(packed=key)


_CONTEST = Contest(
    "IPv6 ", prefixes, _addresses, Way("smolctl", "int", _our_table, int),
    (Way("pytricia", "bytes", _pytricia, packed), Way("py-radix", "packed bytes", _radix, packed)),
    _SIZES, {10: Limit(0.25, 0.4), 200_000: Limit(1.0, 1.5)},
    "random addresses of the routes' prefixes, each route as often",
)  # fmt: skip


def run(plan: Plan) -> list[Row]:
    """Measure lookups at each size."""
    return held(plan, _CONTEST)
