"""A FIB and its clone: a change of the clone does not reach the FIB, and costs what it changes."""

from collections.abc import Iterable
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import StackError
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.nexthop import NextHop, with_ways
from smolctl.stack.fib.route import InsertMode, Route
from smolctl.wire.address import parse_address

ADDRESSES = ("10.0.0.1", "10.1.0.1", "10.1.2.3", "11.0.0.1", "192.0.2.1")
PREFIXES = (
    ("0.0.0.0", 0), ("10.0.0.0", 8), ("10.1.0.0", 16), ("10.1.2.0", 24), ("10.1.2.3", 32),
    ("192.0.2.0", 24),
)  # fmt: skip


class Change(NamedTuple):
    """One change: a route comes or goes, or a link does."""

    what: str
    prefix: tuple[str, int]
    dev: str
    metric: int
    table: int


changes = st.lists(
    st.builds(
        Change,
        st.sampled_from(["add", "append", "replace", "several", "remove", "down", "up", "gone"]),
        st.sampled_from(PREFIXES),
        st.sampled_from(["a", "b"]),
        st.sampled_from([0, 5]),
        st.sampled_from([254, 255, 253, 7]),
    ),
    max_size=12,
)


def make(fib: Fib, todo: Iterable[Change]) -> None:
    for what, (network, plen), dev, metric, table in todo:
        route = Route(parse_address(network), plen, table=table, dev=dev, metric=metric)
        try:
            if what == "several":
                route.dev = None
                fib.insert(with_ways(route, [NextHop("a", 1), NextHop("b", 2)]))
            elif what == "remove":
                fib.remove(fib.tables[table].chain(route.prefix, plen)[-1])
            elif what in ("down", "gone"):
                fib.kill_hops(dev, gone=what == "gone")
            elif what == "up":
                fib.revive_hops(dev)
            else:
                fib.insert(route, InsertMode(what))
        except (StackError, KeyError, IndexError):
            pass  # there, or not there


def shown(fib: Fib) -> list[object]:
    """Return all that can be seen of the routes."""
    every = [(route.table, route.prefix, route.plen, *route.identity()) for route in fib]
    living = [[hop.dead for hop in route.hops] for route in fib.multipaths]
    found = [fib.lookup(parse_address(text)) for text in ADDRESSES]
    held = [fib.matches(parse_address(text)) for text in ADDRESSES]
    return [
        every,
        sorted(map(str, living)),
        len(fib),
        [None if route is None else route.identity() for route in found],
        [[route.identity() for route in routes] for routes in held],
    ]


@given(changes, changes)
def test_a_clone_changes_as_the_fib_would_and_the_fib_does_not(
    before: list[Change], then: list[Change]
) -> None:
    fib, twin = Fib(32), Fib(32)
    make(fib, before)
    make(twin, before)
    seen = shown(fib)
    clone = fib.clone_for_changes()
    assert shown(clone) == seen
    make(clone, then)
    assert shown(fib) == seen
    make(twin, then)
    assert shown(clone) == shown(twin)


def test_a_clone_copies_the_region_that_it_changes_and_no_other() -> None:
    fib = Fib(32)
    for network in ("10.1.0.0", "11.1.0.0"):
        fib.insert(Route(parse_address(network), 16, dev="a"))
    clone = fib.clone_for_changes()
    clone.insert(Route(parse_address("10.1.2.0"), 24, dev="b"))
    ours, theirs = fib.tables[254].regions, clone.tables[254].regions
    assert ours[11] is theirs[11]
    assert ours[10] is not theirs[10]
