"""Neighbors that are forgotten in numbers: gone at once, and each is told of afterwards."""

from collections.abc import Callable

import pytest

from smolctl.stack import reason
from smolctl.stack.config.link import add_interface, delete_interface, set_carrier, set_mac, set_up
from smolctl.stack.events import ChangeType, EventKind, StackEvent
from smolctl.stack.interface import Medium
from smolctl.stack.neighbor.leaving import A_TURN, MANY
from smolctl.stack.neighbor.states import State
from tests.kit.host import OTHER_MAC, PEER_MAC, Host, ip
from tests.kit.neighbors import IP, Drive

COUNT = MANY + A_TURN + 1
FIRST = ip("10.0.1.0")


class Crowd:
    """A host with many neighbors on ``tap0``, and what a listener hears of them."""

    def __init__(self) -> None:
        self.host = Host()
        self.host.set("iface.neighbor_cache_count", 2 * COUNT)
        self.host.set("neigh.gc_thresh1", 2 * COUNT)
        self.told: list[tuple[ChangeType, int]] = []
        self.fill()
        self.host.stack.events.listen(self)

    def fill(self) -> None:
        """Know the neighbors."""
        cache = self.host.cache()
        for number in range(COUNT):
            cache.set(FIRST + number, State.REACHABLE, PEER_MAC, self.host.now)

    def __call__(self, event: StackEvent) -> None:
        if event.kind is EventKind.NEIGH:
            self.told.append((event.action, event.subject.ip))

    def clean(self) -> int:
        """Let all be told; return in how many turns."""
        neighbors, turns = self.host.stack.ipv4.neighbors, 0
        while neighbors.clean_deadline() is not None:
            assert self.host.stack.deadline() == 0
            neighbors.clean(self.host.now)
            turns += 1
        return turns


ALL = [(ChangeType.DELETED, FIRST + number) for number in range(COUNT)]


def down(host: Host) -> None:
    set_up(host.stack.shared, host.dev("tap0"), False, host.now)


def deleted(host: Host) -> None:
    delete_interface(host.stack.shared, host.dev("tap0"), host.now)


def other_mac(host: Host) -> None:
    set_mac(host.stack.shared, host.dev("tap0"), OTHER_MAC, host.now)


def no_carrier(host: Host) -> None:
    set_carrier(host.stack.shared, host.dev("tap0"), False, host.now)


@pytest.mark.parametrize("change", [down, deleted, other_mac, no_carrier])
def test_they_are_gone_at_once_and_each_is_told_of_afterwards(
    change: Callable[[Host], None],
) -> None:
    crowd = Crowd()
    cache = crowd.host.cache()
    change(crowd.host)
    assert list(cache) == []
    assert crowd.told == []
    assert crowd.clean() >= COUNT // A_TURN
    assert crowd.told == ALL
    assert crowd.host.stack.deadline() != 0


def test_few_are_told_of_at_once() -> None:
    drive = Drive()
    told: list[int] = []
    drive.cache.on_change = lambda _action, entry: told.append(entry.ip)
    for number in range(3):
        drive.use(IP + number)
    told.clear()
    assert len(drive.cache.flush()) == 3  # a packet waited for each
    assert told == [IP, IP + 1, IP + 2]
    assert not drive.cache.leaving


def test_those_that_were_entered_by_hand_stay_without_carrier() -> None:
    crowd = Crowd()
    cache, host = crowd.host.cache(), crowd.host
    for number in (3, COUNT - 2):
        cache.set(FIRST + number, State.PERMANENT, PEER_MAC, host.now)
    crowd.told.clear()
    no_carrier(host)
    assert [entry.ip for entry in cache] == [FIRST + 3, FIRST + COUNT - 2]
    crowd.clean()
    assert crowd.told == [each for each in ALL if cache.lookup(each[1]) is None]
    # There is room for as many as before, and not for more.
    host.set("iface.neighbor_cache_count", 3)
    for number in range(5):
        cache.set(FIRST + 100 + number, State.REACHABLE, PEER_MAC, host.now)
    assert len(cache.entries) == 3
    assert {FIRST + 3, FIRST + COUNT - 2} < set(cache.entries)


def test_one_that_comes_back_is_told_of_before_that() -> None:
    crowd = Crowd()
    down(crowd.host)
    last = FIRST + COUNT - 1
    crowd.host.cache().set(last, State.PERMANENT, PEER_MAC, crowd.host.now)
    assert crowd.told == [(ChangeType.DELETED, last), (ChangeType.NEW, last)]
    crowd.clean()
    assert crowd.told[2:] == ALL[:-1]


def test_those_of_a_deleted_link_are_told_of_before_those_of_one_of_its_name() -> None:
    crowd = Crowd()
    host = crowd.host
    deleted(host)
    add_interface(host.stack.shared, "tap0", "tap", Medium.ETHERNET, 1500, OTHER_MAC, host.now)
    host.cache().set(FIRST, State.PERMANENT, PEER_MAC, host.now)
    assert crowd.told == [(ChangeType.DELETED, FIRST), (ChangeType.NEW, FIRST)]
    crowd.clean()
    assert crowd.told[2:] == ALL[1:]


def test_what_waits_for_them_is_purged_by_the_cause_of_their_leaving() -> None:
    crowd = Crowd()
    host = crowd.host
    host.add("10.0.0.1/16", "tap0")
    for number in range(3):
        host.send(host.socket(), f"10.0.200.{number}")
    down(host)
    crowd.fill()
    deleted(host)
    crowd.clean()
    assert host.reasons()["neigh-queue-purged"] == 3
    purged = [t for t in host.stack.journal if t.reason is reason.NEIGH_QUEUE_PURGED]
    assert [(t.detail or {})["cause"] for t in purged] == ["down"] * 3


def test_many_that_are_too_old_are_forgotten_together() -> None:
    crowd = Crowd()
    host, cache = crowd.host, crowd.host.cache()
    host.set("neigh.gc_thresh1", 0)
    for entry in cache:
        entry.state = State.STALE
    host.wait(120_000_000_000)
    assert list(cache) == []
    crowd.clean()
    assert [told for told in crowd.told if told[0] is ChangeType.DELETED] == ALL


def test_timers_of_many_go_off_in_portions() -> None:
    crowd = Crowd()
    cache = crowd.host.cache()
    due = max(entry.timer_ns or 0 for entry in cache)
    cache.expire(due)
    stale = sum(entry.state is State.STALE for entry in cache)
    assert stale == MANY
    assert cache.deadline() == due
    cache.expire(due)
    assert all(entry.state is State.STALE for entry in cache)
