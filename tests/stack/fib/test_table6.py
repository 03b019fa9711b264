"""Tables of IPv6: what differs from those of IPv4."""

from random import Random

import pytest

from smolctl.stack.fib.fib6 import Fib6
from smolctl.stack.fib.lookup import lookup
from smolctl.stack.fib.route import InsertMode, Route, RouteType, TableName
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.rule import Rule
from smolctl.stack.fib.sweep import begin, clean, is_clean
from smolctl.stack.fib.table import LARGE, SMALL, RouteTable6
from smolctl.wire.address import parse_address, parse_prefix

MANY = 600


def route(prefix: str, dev: str | None = "a", **fields: object) -> Route:
    network, plen = parse_prefix(prefix)
    return Route(network, 128 if plen is None else plen, dev=dev, **fields)  # type: ignore[arg-type]


def parse(prefix: str) -> tuple[int, int]:
    network, plen = parse_prefix(prefix)
    return network, plen or 0


def numbered(number: int, plen: int = 48, dev: str = "a", metric: int = 0) -> Route:
    """Return a route into a network of its own."""
    return Route(parse_address("2400::") | number << 96, plen, dev=dev, metric=metric)


def addresses(routes: list[Route]) -> list[int]:
    return [each.prefix | Random(1).getrandbits(128 - each.plen) for each in routes]


def check(table: RouteTable6, routes: list[Route]) -> None:
    """Compare a table with the routes that it has, no two of one network."""
    assert list(table) == sorted(routes, key=lambda each: (each.prefix, each.metric))
    for each, address in zip(routes, addresses(routes), strict=True):
        assert table.lookup(address) is next(iter(table.chain(each.prefix, each.plen)))
        assert list(table.matches(address)) == table.chain(each.prefix, each.plen)
        assert table.lookup(address ^ 1 << 90) is None


def test_a_table_grows_with_its_networks_and_keeps_their_routes() -> None:
    table, routes = RouteTable6(), [numbered(number) for number in range(MANY)]
    routes += [numbered(number, metric=5) for number in range(0, MANY, 7)]
    for each in routes:
        table.insert(each, InsertMode.APPEND)
    assert (table.size, len(table.regions)) == (LARGE, LARGE)
    check(table, routes)


@pytest.mark.parametrize("before", [0, SMALL // 2, MANY])
def test_a_clone_that_grows_leaves_the_table_as_it_is(before: int) -> None:
    table, routes = RouteTable6(), [numbered(number) for number in range(before)]
    for each in routes:
        table.insert(each, InsertMode.ADD)
    clone, more = table.clone(), [numbered(number) for number in range(before, 2 * MANY)]
    for each in more:
        clone.insert(each, InsertMode.ADD)
    assert isinstance(clone, RouteTable6)
    check(clone, routes + more)
    check(table, routes)


def test_a_table_that_is_cleaned_while_it_grows_loses_what_is_gone_and_nothing_else() -> None:
    table = RouteTable6()
    for number in range(160):
        for plen in (48, 49, 50):
            table.insert(numbered(number, plen, dev="ab"[number % 2]), InsertMode.ADD)
    stay = [each for each in table if each.dev == "b"]
    swept = begin(table, lambda each: each.dev == "a")
    list(clean(swept))
    assert not is_clean(table)
    new = [numbered(number, dev="a") for number in range(1000, 1000 + MANY)]
    for each in new:
        table.insert(each, InsertMode.ADD)
    while not is_clean(table):
        list(clean(swept))
    last = numbered(5000)
    table.insert(last, InsertMode.ADD)
    assert table.size == LARGE
    everything = [*stay, *new, last]
    assert list(table) == sorted(everything, key=table.order)
    assert len(table) == len(everything)


def test_what_is_inside_of_a_prefix_is_shown_before_it() -> None:
    table = RouteTable6()
    # As a kernel shows them: left, right, then the node itself.
    shown = ["2001:db8::1/128", "2001:db8::/64", "2001:db8:1::/48", "2001:db8::/32", "fe80::/64",
             "::/0"]  # fmt: skip
    for prefix in reversed(shown):
        table.insert(route(prefix), InsertMode.ADD)
    assert list(table) == [table.chain(*parse(prefix))[0] for prefix in shown]


def test_local_is_asked_before_main_however_long_a_prefix_of_main_is() -> None:
    fib = Fib6()
    near = route("2001:db8::/32", "lo", type=RouteType.LOCAL, table=TableName.LOCAL)
    fib.insert(near)
    fib.insert(route("2001:db8:1::/48"))
    assert fib.lookup(parse_address("2001:db8:1::5")) is near
    assert fib.is_local(parse_address("2001:db8:1::5"))


def test_a_short_prefix_of_local_is_found_until_it_goes() -> None:
    fib = Fib6()
    groups, more = (
        route("ff00::/8", table=TableName.LOCAL),
        route("fc00::/7", "b", table=TableName.LOCAL),
    )
    for each in (groups, more):
        fib.insert(each)
    assert fib.lookup(parse_address("ff02::1")) is groups
    assert fib.lookup(parse_address("fd00::1")) is more
    fib.remove(more)
    assert fib.lookup(parse_address("fd00::1")) is None
    assert fib.lookup(parse_address("ff02::1")) is groups
    fib.remove(groups)
    assert fib.lookup(parse_address("ff02::1")) is None


def test_a_throw_in_local_leads_on_to_main_and_in_main_to_nothing() -> None:
    fib = Fib6()
    way = route("2001:db8::/32")
    fib.insert(route("2001:db8::/64", None, type=RouteType.THROW, table=TableName.LOCAL))
    fib.insert(way)
    assert fib.lookup(parse_address("2001:db8::1")) is way
    fib.insert(route("2001:db8::/65", None, type=RouteType.THROW))
    assert fib.lookup(parse_address("2001:db8::1")) is None


def test_no_rule_leads_to_the_table_default() -> None:
    fib = Fib6()
    fib.insert(route("::/0", table=TableName.DEFAULT))
    assert fib.lookup(parse_address("2001:db8::1")) is None
    assert [rule.table for rule in fib.rules] == [TableName.LOCAL, TableName.MAIN]


def test_a_rule_matches_by_prefix_and_never_a_packet_without_source() -> None:
    fib = Fib6()
    way, usual = route("::/0", "b", table=7), route("::/0", "a")
    fib.insert(way)
    fib.insert(usual)
    fib.rules.insert(Rule(5, table=7, src=parse_address("2001:db8::"), src_len=32))
    fib.obey_rules()
    dst = parse_address("2a00::1")
    assert lookup(fib, RouteKey(dst, src=parse_address("2001:db8:5::1"))) is way
    assert lookup(fib, RouteKey(dst, src=parse_address("2001:db9::1"))) is usual
    assert lookup(fib, RouteKey(dst)) is usual
