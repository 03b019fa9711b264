"""Tables that grow: few routes need few regions, and many routes need many."""

from random import Random

import pytest

from smolctl.stack.fib.route import InsertMode, Route
from smolctl.stack.fib.sweep import begin, clean, is_clean
from smolctl.stack.fib.table import (
    COARSE_BITS,
    FEW,
    LARGE,
    REGION_BITS,
    SMALL,
    RouteTable,
    RouteTable6,
)
from smolctl.wire.address import IPV4, IPV6, Family

MANY = FEW + 100
FAMILIES = pytest.mark.parametrize("family", [IPV4, IPV6])
NETWORK = {IPV4: 16, IPV6: 32}
"""Bits of a prefix that no other route of ``numbered`` has."""
REGIONS = {IPV4: (1 << COARSE_BITS, 1 << REGION_BITS), IPV6: (SMALL, LARGE)}


def empty(family: Family) -> RouteTable:
    return RouteTable6() if family is IPV6 else RouteTable(family.bits)


def numbered(
    family: Family, number: int, longer: int = 8, dev: str = "a", metric: int = 0
) -> Route:
    """Return a route into a network of its own."""
    bits = NETWORK[family]
    network = family.mark | (0x2400 + number) << family.bits - bits
    return Route(network, bits + longer, dev=dev, metric=metric)


def check(family: Family, table: RouteTable, routes: list[Route]) -> None:
    """Compare a table with the routes that it has, no two of one network."""
    assert len(table) == len(routes)
    assert list(table) == sorted(routes, key=lambda each: (each.prefix, each.metric))
    for each in routes:
        address = each.prefix | Random(1).getrandbits(family.bits - each.plen)
        assert table.lookup(address) is next(iter(table.chain(each.prefix, each.plen)))
        assert list(table.matches(address)) == table.chain(each.prefix, each.plen)
        beside = address ^ 1 << family.bits - each.plen
        assert table.lookup(beside) is None


@FAMILIES
def test_a_table_grows_with_its_routes_and_keeps_them(family: Family) -> None:
    table = empty(family)
    routes = [numbered(family, number, metric=5) for number in range(0, FEW, 7)]
    routes += [numbered(family, number) for number in range(FEW - len(routes))]
    for each in routes:
        table.insert(each, InsertMode.APPEND)
    assert len(table.regions) == REGIONS[family][0]
    check(family, table, routes)
    routes += [numbered(family, number) for number in range(FEW, MANY)]
    for each in routes[FEW:]:
        table.insert(each, InsertMode.APPEND)
    assert len(table.regions) == REGIONS[family][1]
    check(family, table, routes)


@FAMILIES
def test_short_prefixes_are_found_in_a_table_that_has_grown(family: Family) -> None:
    """They are kept apart, or touch many regions of the large table."""
    table, whole = empty(family), family.mark
    short = [Route(whole, plen, dev=str(plen)) for plen in range(NETWORK[family])]
    for each in [*short, *(numbered(family, number) for number in range(MANY))]:
        table.insert(each, InsertMode.ADD)
    assert table.lookup(whole + 1) is short[-1]
    assert list(table.matches(whole)) == short[::-1]
    for each in short[::-1]:
        assert table.lookup(whole + (1 << family.bits - 1 - each.plen)) is each
        table.remove(each)
    assert table.lookup(whole) is None


@FAMILIES
@pytest.mark.parametrize("before", [0, SMALL // 2, MANY])
def test_a_clone_that_grows_leaves_the_table_as_it_is(family: Family, before: int) -> None:
    table = empty(family)
    routes = [numbered(family, number) for number in range(2 * MANY)]
    for each in routes[:before]:
        table.insert(each, InsertMode.ADD)
    clone = table.clone()
    for each in routes[before:]:
        clone.insert(each, InsertMode.ADD)
    check(family, clone, routes)
    check(family, table, routes[:before])


@FAMILIES
def test_a_table_that_is_cleaned_while_it_grows_loses_what_is_gone_and_nothing_else(
    family: Family,
) -> None:
    table = empty(family)
    for number in range(160):
        for longer in (4, 5, 6):
            table.insert(numbered(family, number, longer, "ab"[number % 2]), InsertMode.ADD)
    stay = [each for each in table if each.dev == "b"]
    swept = begin(table, lambda each: each.dev == "a")
    list(clean(swept))
    assert not is_clean(table)
    new = [numbered(family, number, dev="a") for number in range(1000, 1000 + MANY)]
    for each in new:
        table.insert(each, InsertMode.ADD)
    while not is_clean(table):
        list(clean(swept))
    last = numbered(family, 5000)
    table.insert(last, InsertMode.ADD)
    assert len(table.regions) == REGIONS[family][1]
    everything = [*stay, *new, last]
    assert list(table) == sorted(everything, key=table.order)
    assert len(table) == len(everything)
