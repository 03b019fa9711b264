"""Many routes that are removed at once: their table is cleaned bit by bit, and nobody notices."""

import random
from functools import partial

import pytest

from smolctl.stack.events import ChangeType
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.route import InsertMode, Route, RouteType, TableName
from smolctl.stack.fib.sweep import A_TURN, MANY, SweptTable
from smolctl.stack.fib.table import RouteTable
from smolctl.wire.address import IPV4
from tests.kit.amount import amount

NET = 10 << 24
COUNT = 3 * MANY


def route(number: int, dev: str, *, plen: int = 24, metric: int = 0) -> Route:
    """Return a route to the network of that number."""
    return Route(NET | number << 8, plen, dev=dev, metric=metric)


def filled(count: int = COUNT) -> Fib:
    """Return a FIB with routes by a and b, by turns, and a default route by a."""
    fib = Fib(IPV4.bits)
    for number in range(count):
        fib.insert(route(number, "ab"[number % 2]))
    fib.insert(Route(0, 0, dev="a"))
    return fib


def leaves_by(dev: str, each: Route) -> bool:
    """Tell whether a route leaves by a device."""
    return each.dev == dev


def clean(fib: Fib) -> int:
    """Clean to the end; return in how many turns."""
    turns = 0
    while fib.clean_deadline() is not None:
        fib.clean(0)
        turns += 1
    return turns


def devs(fib: Fib) -> set[str | None]:
    """Return the devices that routes leave by."""
    return {each.dev for each in fib}


def test_what_is_gone_does_not_count_among_an_interfaces_routes() -> None:
    fib = filled()
    of_a = COUNT // 2 + 1  # and the default route
    assert fib.count_by("a", 1) == of_a
    fib.remove_where(lambda each: each.dev == "a")
    assert fib.count_by("a", 1) == 0
    assert fib.count_by("b", 1) == COUNT // 2
    for number in range(COUNT, COUNT + 3):
        fib.insert(route(number, "a"))
    assert fib.count_by("a", 1) == 3
    clean(fib)
    assert fib.count_by("a", 1) == 3
    assert fib.count_by("b", 1) == COUNT // 2


def test_they_are_gone_before_the_table_is_clean() -> None:
    fib = filled()
    assert fib.lookup(NET | 5) is not None
    fib.remove_where(lambda each: each.dev == "a")
    assert fib.clean_deadline() == 0
    for number in range(COUNT):
        found = fib.lookup(NET | number << 8 | 5)
        assert (found is None) is (number % 2 == 0), number
    assert devs(fib) == {"b"}
    table = fib.tables[TableName.MAIN]
    assert table.chain(NET, 24) == []
    assert list(table.matches(NET | 5)) == []
    with_dev = fib.lookup_within(NET | 1 << 8, dev="a")
    assert with_dev is None


def test_a_turn_is_short_and_the_end_is_a_usual_table() -> None:
    fib = filled()
    table = fib.tables[TableName.MAIN]
    fib.remove_where(lambda each: each.dev == "a")
    assert isinstance(table, SweptTable)
    assert clean(fib) >= COUNT // A_TURN
    assert type(table) is RouteTable
    assert len(table) == len(list(table)) == COUNT // 2


def test_what_is_added_afterwards_stays() -> None:
    fib = filled()
    fib.remove_where(lambda each: each.dev == "a")
    again = route(0, "a")
    fib.insert(again)
    assert fib.lookup(NET | 5) is again
    fib.insert(route(2, "a", metric=5), InsertMode.APPEND)
    clean(fib)
    assert [each.prefix for each in fib if each.dev == "a"] == [NET, NET | 2 << 8]


def test_a_second_removal_takes_what_was_added_after_the_first() -> None:
    fib = filled()
    fib.remove_where(lambda each: each.dev == "a")
    fib.insert(route(0, "a"))
    fib.remove_where(lambda each: each.dev == "a")
    assert devs(fib) == {"b"}
    fib.remove_where(lambda each: each.dev == "b")
    assert list(fib) == []
    clean(fib)
    assert list(fib) == []
    assert len(fib) == 0


def test_watchers_hear_of_each_route_once() -> None:
    fib = filled()
    heard: list[Route] = []
    fib.on_change = lambda change, each: heard.append(each)
    fib.remove_where(lambda each: each.dev == "a")
    fib.insert(route(0, "b"))  # its prefix is cleaned before
    clean(fib)
    gone = [each for each in heard if each.dev == "a"]
    assert len(gone) == len(set(gone)) == COUNT // 2 + 1


def test_watchers_hear_of_the_new_route_in_the_place_of_a_gone_one() -> None:
    fib = filled()
    fib.remove_where(lambda each: each.dev == "a")
    heard: list[tuple[ChangeType, Route]] = []
    fib.on_change = lambda change, each: heard.append((change, each))
    new = route(0, "b")
    fib.insert(new)
    assert [change for change, each in heard if each is new] == [ChangeType.NEW]


def test_a_copy_for_a_trial_has_nothing_of_what_is_gone() -> None:
    fib = filled()
    fib.remove_where(lambda each: each.dev == "a")
    fib.clean(0)
    trial = fib.clone_for_changes()
    assert devs(trial) == {"b"}
    trial.insert(route(0, "a"))
    assert devs(trial) == {"a", "b"}
    assert devs(fib) == {"b"}
    clean(fib)
    assert len(fib) == COUNT // 2


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(amount(20, 4)))
def test_it_is_the_same_as_to_remove_each_at_once(seed: int) -> None:
    chance = random.Random(seed)
    many, model = Fib(IPV4.bits), Fib(IPV4.bits)

    def both(prefix: int, plen: int, dev: str, metric: int) -> None:
        for fib in (many, model):
            new = Route(prefix, plen, RouteType.UNICAST, dev=dev, metric=metric)
            fib.insert(new, InsertMode.REPLACE)

    for _ in range(MANY + 200):
        plen = chance.choice((4, 7, 9, 15, 16, 20, 24, 32))
        prefix = chance.getrandbits(32) >> (32 - plen) << (32 - plen)
        both(prefix, plen, chance.choice("abc"), chance.choice((0, 0, 5)))
    for _ in range(30):
        dev = chance.choice("abc")
        if chance.random() < 0.2:
            many.remove_where(partial(leaves_by, dev))
            for each in [each for each in model if each.dev == dev]:
                model.remove(each)
        elif chance.random() < 0.5 and many.clean_deadline() == 0:
            many.clean(0)
        else:
            for _ in range(40):
                plen = chance.choice((4, 9, 16, 24))
                prefix = chance.getrandbits(32) >> (32 - plen) << (32 - plen)
                both(prefix, plen, dev, chance.choice((0, 5)))
        shown = [(each.prefix, each.plen, each.identity()) for each in many]
        assert shown == [(each.prefix, each.plen, each.identity()) for each in model]
        for _ in range(20):
            address = chance.getrandbits(32)
            mine, theirs = many.lookup(address), model.lookup(address)
            assert (mine and mine.identity()) == (theirs and theirs.identity())
    clean(many)
    assert len(many) == len(model)
