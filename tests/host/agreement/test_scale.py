"""A host with very many routes: what is done for each of them, counted in calls."""

import gc
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TypeVar

import pytest

from smolctl.host.question import Host
from smolctl.host.reading import HostState, read
from tests.host.agreement.many_routes import add_routes, prefix
from tests.host.agreement.place import Place
from tests.kit.amount import amount
from tests.kit.netns import require_root_and

pytestmark = [pytest.mark.netns, pytest.mark.proof]
_T = TypeVar("_T")
LINES = (
    "link add v0 type veth peer name v1", "link set v0 up", "link set v1 up",
    "addr add 10.0.0.1/16 dev v0",
)  # fmt: skip
READ_MAX, TWIN_MAX = 6, 30
"""Calls of Python functions for one route."""
ANSWER_MAX = 20_000
"""Calls for an answer, however many routes there are."""


def calls(work: Callable[[], _T]) -> tuple[int, _T]:
    """Return how many Python functions are called by some work, and its result."""
    count = 0

    def counted(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "call"

    # Whoever wants to hear of collections, such as hypothesis, is called for each of them.
    gc.disable()
    sys.setprofile(counted)
    try:
        result = work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count, result


@pytest.fixture(scope="module")
def state() -> Iterator[HostState]:
    require_root_and()
    place = Place()
    assert not place.ip(LINES)
    place.inside(lambda: add_routes("v0", amount(100_000, 3_000)))
    yield read(place.path)
    place.close()


@pytest.mark.proof
def test_a_twin_of_many_routes_takes_few_calls_for_each(state: HostState) -> None:
    number = amount(100_000, 3_000)
    small = state._replace(routes=state.routes[:10])
    Host(small)  # what is done but once
    few, _ = calls(lambda: Host(small))
    taken, host = calls(lambda: Host(state))
    assert len(host.twin.stack.ipv4.fib) >= number
    assert taken - few < TWIN_MAX * number, f"{(taken - few) / number:.1f} calls a route"
    last = host.question({"proto": "udp", "dst": f"{prefix(number - 1)[:-1]}9", "dport": 53})
    host.answer(last)
    taken, row = calls(lambda: host.answer(last))
    assert row["verdict"].startswith("waiting")
    assert f"{prefix(number - 1)}/24 via 10.0.0.{2 + (number - 1) % 64}" in row["why"]
    assert taken < ANSWER_MAX


@pytest.mark.proof
def test_reading_many_routes_takes_few_calls_for_each() -> None:
    require_root_and()
    number = amount(100_000, 3_000)
    place = Place()
    try:
        assert not place.ip(LINES)
        place.inside(lambda: add_routes("v0", number))
        # In this thread, which is the one whose calls are counted.
        taken, there = place.inside(lambda: calls(read))
    finally:
        place.close()
    assert len(there.routes) > number
    assert taken < READ_MAX * number + ANSWER_MAX * 2, f"{taken / number:.1f} calls a route"
