"""The FIB by itself, without a stack: prefixes, chains and lookups."""

from contextlib import suppress
from random import Random
from typing import Any

import pytest

from smolctl.errors import AlreadyExists, NotFound
from smolctl.stack.explain import candidates
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.route import InsertMode, Route, RouteType, Scope, TableName
from smolctl.stack.fib.table import RouteTable
from smolctl.wire.address import parse_address, parse_prefix

ADD, APPEND, REPLACE, CHANGE = InsertMode

ip = parse_address


def route(prefix: str, dev: str | None = "a", **fields: Any) -> Route:
    network, plen = parse_prefix(prefix)
    return Route(network, 32 if plen is None else plen, dev=dev, **fields)


def throw(prefix: str, table: TableName = TableName.MAIN) -> Route:
    return route(prefix, None, type=RouteType.THROW, table=table)


def fib_of(*routes: Route) -> Fib:
    fib = Fib(32)
    for item in routes:
        fib.insert(item, APPEND)
    return fib


def devs(table: RouteTable, prefix: str = "10.0.0.0/24") -> list[str | None]:
    network, plen = parse_prefix(prefix)
    return [item.dev for item in table.chain(network, plen or 0)]


# --- lookup ---------------------------------------------------------------------------------------


def test_an_empty_fib_finds_nothing() -> None:
    fib = Fib(32)
    assert fib.lookup(ip("10.0.0.1")) is None
    assert fib.lookup_within(ip("10.0.0.1"), dev="a") is None
    assert not fib.is_local(ip("10.0.0.1"))
    assert list(fib) == []
    assert candidates.plain(fib, ip("10.0.0.1")) == []


@pytest.mark.parametrize(
    ("address", "dev"),
    [
        ("10.1.2.3", "host"),
        ("10.1.2.4", "net24"),
        ("10.1.3.1", "net16"),
        ("10.2.0.0", "net8"),
        ("11.0.0.0", "default"),
        ("0.0.0.0", "default"),
        ("255.255.255.255", "default"),
        ("10.1.2.0", "net24"),
        ("10.1.2.255", "net24"),
    ],
)
def test_the_longest_prefix_wins(address: str, dev: str) -> None:
    fib = fib_of(
        route("10.0.0.0/8", "net8"),
        route("10.1.2.3/32", "host"),
        route("0.0.0.0/0", "default"),
        route("10.1.2.0/24", "net24"),
        route("10.1.0.0/16", "net16"),
    )
    found = fib.lookup(ip(address))
    assert found is not None
    assert found.dev == dev


def test_a_longer_prefix_wins_though_its_metric_is_higher() -> None:
    fib = fib_of(route("10.0.0.0/8", "short"), route("10.0.0.0/24", "long", metric=1000))
    assert fib.lookup(ip("10.0.0.1")) is fib.tables[TableName.MAIN].chain(ip("10.0.0.0"), 24)[0]


def test_the_lower_metric_wins_whatever_the_order() -> None:
    for metrics in ([10, 20, 5], [5, 10, 20], [20, 10, 5]):
        table = RouteTable(32)
        for metric in metrics:
            table.insert(route("10.0.0.0/24", str(metric), metric=metric), ADD)
        assert devs(table) == ["5", "10", "20"]
        found = table.lookup(ip("10.0.0.7"))
        assert found is not None
        assert found.metric == 5


def test_the_longest_prefix_over_both_tables_wins_and_local_among_equals() -> None:
    local = {"type": RouteType.LOCAL, "table": TableName.LOCAL, "scope": Scope.HOST}
    fib = fib_of(
        route("127.0.0.0/8", "lo", **local),
        route("127.0.0.2/32", "a"),
        route("127.0.0.3/32", "a"),
        route("127.0.0.3/32", "lo", **local),
    )
    found = [fib.lookup(ip(f"127.0.0.{last}")) for last in (1, 2, 3)]
    assert [item.dev for item in found if item is not None] == ["lo", "a", "lo"]


def test_a_route_of_type_local_makes_an_address_ours() -> None:
    fib = fib_of(
        route("10.0.0.1", "a", type=RouteType.LOCAL, table=TableName.LOCAL),
        route("10.0.0.255", "a", type=RouteType.BROADCAST, table=TableName.LOCAL),
        route("10.0.0.9", "a", type=RouteType.LOCAL, table=TableName.MAIN),
    )
    addresses = ["10.0.0.1", "10.0.0.255", "10.0.0.9", "10.0.0.2"]
    assert [fib.is_local(ip(a)) for a in addresses] == [True, False, True, False]


def test_a_removed_prefix_length_is_no_longer_searched() -> None:
    short, long = route("10.0.0.0/8", "short"), route("10.0.0.0/24", "long")
    fib = fib_of(short, long)
    fib.remove(long)
    assert fib.lookup(ip("10.0.0.1")) is short
    fib.remove(short)
    assert fib.lookup(ip("10.0.0.1")) is None
    fib.insert(long)
    assert fib.lookup(ip("10.0.0.1")) is long


# --- throw ----------------------------------------------------------------------------------------


def test_throw_in_local_hides_shorter_prefixes_of_both_tables() -> None:
    fib = fib_of(
        throw("10.0.0.0/24", TableName.LOCAL),
        route("10.0.0.0/8", "lo", type=RouteType.LOCAL, table=TableName.LOCAL),
        route("0.0.0.0/0", "gw"),
    )
    assert fib.lookup(ip("10.0.0.1")) is None
    assert not fib.is_local(ip("10.0.0.1"))
    assert fib.is_local(ip("10.0.1.1"))


def test_throw_in_local_hides_an_address() -> None:
    fib = fib_of(throw("10.0.0.1/32", TableName.LOCAL), route("0.0.0.0/0", "gw"))
    assert fib.lookup(ip("10.0.0.1")) is None
    assert fib.lookup(ip("10.0.0.2")) is not None


def test_throw_in_main_hides_shorter_prefixes() -> None:
    fib = fib_of(throw("10.0.0.0/24"), route("0.0.0.0/0", "gw"))
    assert fib.lookup(ip("10.0.0.1")) is None
    assert fib.lookup_within(ip("10.0.0.1"), dev="gw") is None
    assert fib.lookup(ip("10.0.1.1")) is not None


# --- lookup_within --------------------------------------------------------------------------------


def test_a_lookup_bound_to_a_device_takes_only_routes_by_it() -> None:
    fib = fib_of(
        route("10.0.0.0/24", "a", metric=1),
        route("10.0.0.0/24", "b", metric=2),
        route("10.0.0.0/8", "c"),
    )
    for dev in ("a", "b", "c"):
        found = fib.lookup_within(ip("10.0.0.1"), dev=dev)
        assert found is not None
        assert found.dev == dev
    assert fib.lookup_within(ip("10.0.0.1"), dev="d") is None


@pytest.mark.parametrize("kind", [RouteType.BLACKHOLE, RouteType.UNREACHABLE, RouteType.PROHIBIT])
def test_what_refuses_matches_whatever_the_device(kind: RouteType) -> None:
    fib = fib_of(route("10.0.0.0/24", None, type=kind), route("0.0.0.0/0", "a"))
    found = fib.lookup_within(ip("10.0.0.1"), dev="a")
    assert found is not None
    assert found.type is kind


def test_a_scope_skips_routes_that_are_farther() -> None:
    fib = fib_of(
        route("10.0.0.0/24", "far", via=1, scope=Scope.GLOBAL),
        route("10.0.0.0/16", "link", scope=Scope.LINK),
        route("10.0.0.0/8", "host", scope=Scope.HOST),
    )
    wanted = {Scope.GLOBAL: "far", Scope.SITE: "link", Scope.LINK: "link", Scope.HOST: "host"}
    for scope, dev in wanted.items():
        found = fib.lookup_within(ip("10.0.0.1"), scope=scope)
        assert found is not None
        assert found.dev == dev
    assert fib.lookup_within(ip("10.0.0.1"), scope=Scope.NOWHERE) is None


def test_a_throw_that_is_too_far_is_skipped_as_any_other() -> None:
    fib = fib_of(throw("10.0.0.0/24"), route("10.0.0.0/8", "a", scope=Scope.LINK))
    assert fib.lookup_within(ip("10.0.0.1"), scope=Scope.LINK) is not None
    assert fib.lookup_within(ip("10.0.0.1")) is None


# --- insert, as Linux fib_table_insert ------------------------------------------------------------


def test_add_refuses_a_second_route_of_the_same_prefix_and_metric() -> None:
    table = RouteTable(32)
    table.insert(route("10.0.0.0/24", "a"), ADD)
    with pytest.raises(AlreadyExists):
        table.insert(route("10.0.0.0/24", "b"), ADD)
    with pytest.raises(AlreadyExists):
        table.insert(route("10.0.0.0/24", "a"), ADD)
    table.insert(route("10.0.0.0/24", "c", metric=1), ADD)
    table.insert(route("10.0.0.0/25", "d"), ADD)
    assert devs(table) == ["a", "c"]
    assert len(table) == 3


def test_append_goes_behind_those_of_the_same_metric() -> None:
    table = RouteTable(32)
    table.insert(route("10.0.0.0/24", "last", metric=9), ADD)
    for dev in ("first", "second", "third"):
        table.insert(route("10.0.0.0/24", dev, metric=5), APPEND)
    assert devs(table) == ["first", "second", "third", "last"]


def test_append_refuses_the_very_same_route() -> None:
    table = RouteTable(32)
    table.insert(route("10.0.0.0/24", "a"), APPEND)
    table.insert(route("10.0.0.0/24", "b"), APPEND)
    for dev in ("a", "b"):
        with pytest.raises(AlreadyExists):
            table.insert(route("10.0.0.0/24", dev), APPEND)
    assert devs(table) == ["a", "b"]


def test_replace_takes_the_place_of_the_first_of_its_metric() -> None:
    table = RouteTable(32)
    for dev, metric in (("low", 1), ("a", 5), ("b", 5), ("high", 9)):
        table.insert(route("10.0.0.0/24", dev, metric=metric), APPEND)
    replaced = table.insert(route("10.0.0.0/24", "new", metric=5), REPLACE)
    assert replaced is not None
    assert replaced.dev == "a"
    assert devs(table) == ["low", "new", "b", "high"]
    assert len(table) == 4


def test_replace_adds_where_there_is_none() -> None:
    table = RouteTable(32)
    table.insert(route("10.0.0.0/24", "a", metric=1), ADD)
    assert table.insert(route("10.0.0.0/24", "b", metric=2), REPLACE) is None
    assert devs(table) == ["a", "b"]


def test_replace_by_the_same_route_changes_nothing() -> None:
    table = RouteTable(32)
    first = route("10.0.0.0/24", "a")
    table.insert(first, ADD)
    table.insert(route("10.0.0.0/24", "b"), APPEND)
    assert table.insert(route("10.0.0.0/24", "a"), REPLACE) is None
    assert table.lookup(ip("10.0.0.1")) is first
    with pytest.raises(AlreadyExists, match="after another one"):
        table.insert(route("10.0.0.0/24", "b"), REPLACE)
    assert devs(table) == ["a", "b"]


def test_change_needs_a_route_of_the_same_prefix_and_metric() -> None:
    table = RouteTable(32)
    with pytest.raises(NotFound):
        table.insert(route("10.0.0.0/24", "a"), CHANGE)
    table.insert(route("10.0.0.0/24", "a", metric=1), ADD)
    with pytest.raises(NotFound):
        table.insert(route("10.0.0.0/24", "b", metric=2), CHANGE)
    table.insert(route("10.0.0.0/24", "b", metric=1), CHANGE)
    assert devs(table) == ["b"]


@pytest.mark.parametrize(
    "fields",
    [
        {"type": RouteType.PROHIBIT},
        {"dev": "b"},
        {"via": 1},
        {"prefsrc": 1},
        {"scope": Scope.LINK},
        {"protocol": "static"},
        {"mtu": 1400},
        {"onlink": True},
    ],
)
def test_any_attribute_makes_another_route(fields: dict[str, Any]) -> None:
    table = RouteTable(32)
    table.insert(route("10.0.0.0/24", "a"), ADD)
    table.insert(route("10.0.0.0/24", **{"dev": "a", **fields}), APPEND)
    assert len(table) == 2


# --- remove and iterate ---------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_route_is_taken_out_of_its_chain(index: int) -> None:
    table = RouteTable(32)
    routes = [route("10.0.0.0/24", dev) for dev in "abc"]
    for item in routes:
        table.insert(item, APPEND)
    table.remove(routes.pop(index))
    assert table.chain(ip("10.0.0.0"), 24) == routes
    assert list(table) == routes
    assert len(table) == 2


def test_iteration_is_by_prefix_the_longer_first() -> None:
    fib = fib_of(
        route("10.0.0.0/24"),
        route("10.0.0.0/8"),
        route("9.0.0.0/8"),
        route("0.0.0.0/0"),
        route("10.0.0.0/32"),
        route("10.0.0.0/24", "b"),
    )
    shown = [(item.prefix >> 24, item.plen, item.dev) for item in fib]
    assert shown == [
        (0, 0, "a"),
        (9, 8, "a"),
        (10, 32, "a"),
        (10, 24, "a"),
        (10, 24, "b"),
        (10, 8, "a"),
    ]


def test_remove_where_removes_all_that_match_from_all_tables() -> None:
    fib = fib_of(
        route("10.0.0.0/24", "a"),
        route("10.0.0.0/24", "b"),
        route("10.0.0.1", "a", type=RouteType.LOCAL, table=TableName.LOCAL),
    )
    fib.remove_where(lambda item: item.dev == "a")
    assert [item.dev for item in fib] == ["b"]


@pytest.mark.parametrize("seed", range(20))
def test_the_count_of_an_interfaces_routes_is_what_a_walk_finds(seed: int) -> None:
    chance, fib = Random(seed), Fib(32)
    for _ in range(200):
        there, dev = list(fib), chance.choice("abc")
        prefix, metric = f"10.{chance.randrange(9)}.0.0/16", chance.randrange(2)
        new = route(prefix, dev, metric=metric, protocol=chance.choice(("static", "kernel")))
        if chance.random() < 0.3:
            hops = tuple(Hop(new.prefix, 16, dev=each) for each in chance.choices("abc", k=2))
            new = Multipath(new.prefix, 16, metric=metric, hops=hops)
        doing = chance.randrange(10)
        if doing < 6:
            with suppress(AlreadyExists, NotFound):
                fib.insert(new, chance.choice(list(InsertMode)))
        elif doing < 8 and there:
            fib.remove(chance.choice(there))
        elif doing == 8:
            fib.kill_hops(dev, gone=True)
        else:
            fib = fib.clone_for_changes()
        for name in "abc":
            found = sum(
                any(each.dev == name for each in (*getattr(item, "hops", ()), item))
                for item in fib
                if item.protocol != "kernel"
            )
            assert fib.count_by(name, 0) == found


# --- candidates -----------------------------------------------------------------------------------


def test_candidates_say_why_each_route_loses() -> None:
    fib = fib_of(
        route("10.0.0.0/24", "pick", metric=5),
        route("10.0.0.0/24", "order", metric=5),
        route("10.0.0.0/24", "metric", metric=6),
        route("0.0.0.0/0", "shorter"),
        route("11.0.0.0/8", "prefix"),
    )
    found = [(item.dev, cause or "pick") for item, cause in candidates.plain(fib, ip("10.0.0.1"))]
    assert [cause for _, cause in found] == ["pick", "order", "metric", "shorter", "prefix"]
    assert all(dev == cause for dev, cause in found)


def test_candidates_of_main_lose_to_local_by_their_table() -> None:
    fib = fib_of(
        route("10.0.0.1", "lo", type=RouteType.LOCAL, table=TableName.LOCAL),
        route("10.0.0.1", "a"),
    )
    assert [cause for _, cause in candidates.plain(fib, ip("10.0.0.1"))] == ["", "table"]


def test_candidates_show_what_a_throw_hides() -> None:
    fib = fib_of(throw("10.0.0.0/24"), route("0.0.0.0/0", "a"))
    assert [cause for _, cause in candidates.plain(fib, ip("10.0.0.1"))] == ["throw", "shorter"]
    assert fib.lookup(ip("10.0.0.1")) is None


def test_candidates_leave_out_other_prefixes_of_a_large_fib() -> None:
    fib = fib_of(*(route(f"10.0.{i}.0/24") for i in range(20)))
    assert len(candidates.plain(fib, ip("10.0.3.1"), limit=20)) == 20
    assert len(candidates.plain(fib, ip("10.0.3.1"), limit=19)) == 1
