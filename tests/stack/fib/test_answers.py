"""A small FIB answers by one bisection, and any change is seen at once."""

from collections.abc import Callable

import pytest

from smolctl.stack.fib import answers
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.fib6 import Fib6
from smolctl.stack.fib.nexthop import NextHop, with_ways
from smolctl.stack.fib.route import InsertMode, Route, RouteType, TableName
from smolctl.wire.address import parse_address, parse_prefix

V4 = ("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "255.255.255.255/32")
V6 = ("::/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::3/128", "ff00::/8")


def route(text: str, **how: object) -> Route:
    prefix, plen = parse_prefix(text)
    return Route(prefix, plen or 0, dev="eth0", **how)  # type: ignore[arg-type]  # as Route has them


def asked(fib: Fib, address: int, times: int = 200) -> Route | None:
    """Look an address up so often that the answers are there, if they ever are."""
    for _ in range(times):
        found = fib.lookup(address)
    return found


def answered(fib: Fib) -> bool:
    return bool(fib._answers.starts)


def filled(make: Callable[[], Fib]) -> Fib:
    fib = make()
    for text in V6 if isinstance(fib, Fib6) else V4:
        fib.insert(route(text))
    return fib


def make4() -> Fib:
    return Fib(32)


both = pytest.mark.parametrize("make", [make4, Fib6])


@both
def test_each_range_has_the_answer_of_a_search(make: Callable[[], Fib]) -> None:
    fib, other = filled(make), filled(make)
    asked(fib, fib.everywhere)
    assert answered(fib)
    for each in other:
        last = each.prefix + (1 << fib.bits - each.plen) - 1
        for address in (each.prefix, last, each.prefix + 1, last + 1, each.prefix - 1):
            if fib.everywhere <= address < fib.everywhere + (1 << fib.bits):
                found, expected = fib.lookup(address), other.lookup(address)
                assert found is not None
                assert expected is not None
                assert found.identity() == expected.identity()
                assert (found.prefix, found.plen) == (expected.prefix, expected.plen)
    assert not answered(other)


@both
def test_where_no_route_is_the_answer_is_none(make: Callable[[], Fib]) -> None:
    fib = make()
    inner = route("2001:db8::/32" if make is Fib6 else "10.0.0.0/8")
    fib.insert(inner)
    assert asked(fib, inner.prefix) is inner
    assert answered(fib)
    assert fib.lookup(inner.prefix - 1) is None
    assert fib.lookup(inner.prefix + (1 << fib.bits - inner.plen)) is None


@both
def test_every_change_is_seen_at_once(make: Callable[[], Fib]) -> None:
    fib = filled(make)
    text = "2001:db8:1::/64" if make is Fib6 else "10.1.2.0/24"
    address = parse_address("2001:db8:1::4" if make is Fib6 else "10.1.2.4")

    def now(expected: Route | None) -> None:
        assert fib.lookup(address) is expected
        asked(fib, address)
        assert answered(fib)

    before = asked(fib, address)
    first, second, third = route(text), route(text), route(text, metric=1)
    fib.insert(first)
    now(first)
    fib.insert(third)
    now(first)
    fib.remove(third)
    now(first)
    fib.exchange(first, second)
    now(second)
    throw = route(text, type=RouteType.THROW)
    fib.exchange(second, throw)
    now(None)
    fib.remove_where(lambda each: each is throw)
    now(before)
    own = Route(first.prefix, first.plen, RouteType.LOCAL, TableName.LOCAL, "lo")
    fib.insert(own)
    now(own)


def test_the_table_default_is_asked_as_well() -> None:
    fib = make4()
    assert asked(fib, 1) is None
    last = route("0.0.0.0/0", table=TableName.DEFAULT)
    fib.insert(last)
    assert asked(fib, 1) is last
    fib.remove(last)
    assert fib.lookup(1) is None


@both
def test_a_next_hop_that_dies_takes_its_route_along(make: Callable[[], Fib]) -> None:
    fib = make()
    ways = [NextHop(dev, fib.everywhere + 1, 1) for dev in ("eth0", "eth1")]
    several = with_ways(Route(fib.everywhere, 0), ways)
    fib.insert(several)
    assert asked(fib, fib.everywhere + 9) is several
    clone = fib.clone_for_changes()
    clone.kill_hops("eth0", gone=True)
    assert clone.lookup(fib.everywhere + 9) is None
    assert fib.lookup(fib.everywhere + 9) is several


@both
def test_a_clone_changes_on_its_own(make: Callable[[], Fib]) -> None:
    fib = filled(make)
    whole = asked(fib, fib.everywhere + 1)
    assert whole is not None
    clone = fib.clone_for_changes()
    asked(clone, fib.everywhere + 1)
    clone.remove(whole)
    assert clone.lookup(fib.everywhere + 1) is None
    assert fib.lookup(fib.everywhere + 1) is whole
    assert answered(fib)


def many(count: int) -> Fib:
    fib = make4()
    for number in range(count):
        fib.insert(Route(number << 8, 24, dev="eth0"))
    return fib


def test_answers_wait_until_they_are_worth_their_making() -> None:
    fib = many(200)
    asked(fib, 0, 199)
    assert not answered(fib)
    asked(fib, 0, 1)
    assert answered(fib)


def test_a_large_fib_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "FEW", 100)
    fib = many(101)
    asked(fib, 0, 1000)
    assert not answered(fib)
    fib.remove_where(lambda each: each.prefix == 0)
    asked(fib, 0, 1000)
    assert answered(fib)


def test_while_routes_are_removed_in_numbers_there_are_no_answers() -> None:
    fib = many(600)
    assert asked(fib, 7 << 8, 2000) is not None
    assert answered(fib)
    fib.remove_where(lambda each: each.prefix == 7 << 8)
    assert fib.lookup(7 << 8) is None
    asked(fib, 0, 2000)
    assert not answered(fib)
    while fib.clean_deadline() is not None:
        fib.clean(0)
    assert asked(fib, 7 << 8, 2000) is None
    assert answered(fib)


def test_added_while_others_are_removed_is_found() -> None:
    fib = many(600)
    fib.remove_where(lambda each: each.prefix < 300 << 8)
    new = Route(7 << 8, 24, dev="eth1")
    fib.insert(new, InsertMode.ADD)
    assert asked(fib, 7 << 8, 2000) is new
