"""Timers, queues, eviction and forgetting of the neighbor cache."""

from collections.abc import Callable

import pytest

from smolctl.errors import NoBuffers
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.entry import Evicted, Overflow, Purged
from smolctl.stack.neighbor.states import State
from smolctl.stack.packet import Packet
from smolctl.stack.sysctl.settings import Settings
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import OTHER_MAC, PEER_MAC
from tests.kit.neighbors import IP, Drive
from tests.kit.packets import bare_packet

S = State

# --- timers, to the nanosecond --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "after_ns", "then"),
    [
        (S.INCOMPLETE, 3 * SECOND_NS, S.FAILED),
        (S.REACHABLE, 30 * SECOND_NS, S.STALE),
        (S.DELAY, 5 * SECOND_NS, S.PROBE),
        (S.PROBE, 3 * SECOND_NS, S.FAILED),
    ],
)
def test_a_state_ends_exactly_when_its_time_is_over(
    state: State, after_ns: int, then: State
) -> None:
    drive = Drive()
    drive.reach(state)
    drive.wait(after_ns - 1)
    drive.expire()
    assert drive.is_in(state)
    assert drive.cache.deadline() == drive.clock.now + 1
    drive.wait(1)
    assert drive.is_in(then)


def test_retransmissions_are_exactly_the_retransmission_time_apart() -> None:
    drive = Drive(neigh_retrans_time_ms=250)
    drive.use()
    assert [drive.next_timer() for _ in range(3)] == [250 * MILLISECOND_NS] * 3
    assert drive.is_in(S.FAILED)


def test_a_late_expire_does_not_catch_up_on_probes() -> None:
    drive = Drive()
    drive.use()
    drive.clock.advance(10 * SECOND_NS)
    drive.expire()
    assert drive.did == ["SendProbe"]
    assert drive.cache.deadline() == drive.clock.now + SECOND_NS


@pytest.mark.parametrize(("drawn", "seconds"), [(0.0, 15), (0.25, 22.5), (0.5, 30), (0.75, 37.5)])
def test_the_reachable_time_is_drawn_from_half_to_one_and_a_half(
    drawn: float, seconds: float
) -> None:
    drive = Drive(random=lambda: drawn)
    drive.reach(S.REACHABLE)
    assert drive.next_timer() == seconds * SECOND_NS
    assert drive.is_in(S.STALE)


def test_the_reachable_time_is_drawn_anew_every_five_minutes() -> None:
    numbers = iter([0.0, 0.25, 0.75, 0.5])
    drive = Drive(random=lambda: next(numbers))
    drive.expire()
    first = drive.cache.reachable_ns
    drive.clock.advance(300 * SECOND_NS - 1)
    drive.expire()
    assert drive.cache.reachable_ns == first
    drive.clock.advance(1)
    drive.expire()
    assert drive.cache.reachable_ns == 1.25 * 30 * SECOND_NS


def test_each_answer_begins_the_reachable_time_again() -> None:
    drive = Drive()
    drive.reach(S.REACHABLE)
    for happens in (drive.replied, drive.confirm):
        drive.wait(20 * SECOND_NS)
        happens()
        assert drive.cache.deadline() == drive.clock.now + 30 * SECOND_NS


def test_a_sysctl_works_at_once() -> None:
    drive = Drive()
    drive.set("neigh.base_reachable_time_ms", 1000)
    drive.reach(S.REACHABLE)
    assert drive.next_timer() == SECOND_NS


@pytest.mark.parametrize(
    ("idle_ns", "then"), [(0, S.DELAY), (5 * SECOND_NS, S.DELAY), (5 * SECOND_NS + 1, S.STALE)]
)
def test_in_use_means_used_within_the_delay_time(idle_ns: int, then: State) -> None:
    drive = Drive()
    drive.reach(S.REACHABLE)
    due = drive.cache.deadline()
    assert due is not None
    drive.clock.advance_to(due - idle_ns)
    drive.use()
    drive.next_timer()
    assert drive.is_in(then)


# --- locktime -------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_reply", [True, False])
def test_of_two_answers_within_the_locktime_the_first_counts(by_reply: bool) -> None:
    drive = Drive()
    drive.reach(S.REACHABLE)
    tell = drive.replied if by_reply else drive.heard
    drive.clock.advance(SECOND_NS - 1)
    assert not tell(OTHER_MAC)
    assert drive.entry.lladdr == PEER_MAC
    assert drive.is_in(S.REACHABLE)
    drive.clock.advance(1)
    assert tell(OTHER_MAC)
    assert drive.entry.lladdr == OTHER_MAC


def test_the_same_mac_is_never_locked_out() -> None:
    drive = Drive()
    drive.reach(S.STALE)
    assert drive.replied(PEER_MAC)
    assert drive.is_in(S.REACHABLE)


def test_hearing_the_same_again_does_not_prolong_the_locktime() -> None:
    drive = Drive()
    drive.reach(S.REACHABLE)
    drive.clock.advance(SECOND_NS - 1)
    drive.replied(PEER_MAC)
    drive.clock.advance(1)
    assert drive.replied(OTHER_MAC)


def test_override_and_a_locktime_of_zero_let_every_mac_in() -> None:
    drive = Drive()
    drive.reach(S.REACHABLE)
    assert drive.heard(OTHER_MAC, override=True)
    drive = Drive(neigh_locktime_ms=0)
    drive.reach(S.REACHABLE)
    assert drive.replied(OTHER_MAC)


# --- queues ---------------------------------------------------------------------------------------


def test_the_queue_holds_so_many_packets_and_the_oldest_goes() -> None:
    drive = Drive(neigh_unres_qlen=3)
    packets = []
    lost: list[Packet] = []
    for _ in range(5):
        packets.append(drive.use())
        lost += [action.packet for action in drive.actions if isinstance(action, Overflow)]
    assert list(drive.entry.queue) == packets[2:]
    assert lost == packets[:2]
    assert drive.entry.queue_bytes == 300


def test_the_queue_holds_so_many_bytes_and_the_oldest_go() -> None:
    drive = Drive(neigh_unres_qlen_bytes=1000)
    small = [drive.use(packet=bytes(300)) for _ in range(3)]
    assert drive.entry.queue_bytes == 900
    big = drive.use(packet=bytes(500))
    lost = [action.packet for action in drive.actions if isinstance(action, Overflow)]
    assert lost == small[:2]
    assert list(drive.entry.queue) == [small[2], big]
    assert drive.entry.queue_bytes == 800


def test_the_latest_packet_is_kept_though_it_alone_is_too_big() -> None:
    # RFC 1122 2.3.2.2: the link layer SHOULD save at least the latest packet.
    drive = Drive(neigh_unres_qlen=1, neigh_unres_qlen_bytes=10)
    first, second = drive.use(packet=bytes(100)), drive.use(packet=bytes(100))
    assert list(drive.entry.queue) == [second]
    assert drive.actions == [Overflow(drive.entry, first)]


def test_each_neighbor_has_a_queue_of_its_own() -> None:
    drive = Drive(neigh_unres_qlen=1)
    first = drive.use(IP)
    drive.use(IP + 1)
    assert drive.did == ["SendProbe"]
    assert list(drive.entry.queue) == [first]


@pytest.mark.parametrize("how", ["delete", "flush"])
def test_what_waits_is_purged_with_its_entry(how: str) -> None:
    drive = Drive()
    queued = drive.use()
    entry = drive.entry
    actions = drive.cache.delete(IP) if how == "delete" else drive.cache.flush()
    assert actions == [Purged(entry, [queued], "deleted")]
    assert drive.cache.lookup(IP) is None
    assert drive.cache.deadline() is None


def test_whoever_holds_a_neighbor_that_was_deleted_sees_it() -> None:
    drive = Drive()
    drive.reach(S.REACHABLE)
    entry = drive.entry
    drive.cache.delete(IP)
    assert entry.state is S.NONE


def test_a_flush_can_keep_what_is_permanent() -> None:
    drive = Drive()
    drive.by_hand(State.PERMANENT)
    drive.use(IP + 1)
    drive.cache.flush(keep_permanent=True)
    assert [entry.ip for entry in drive.cache] == [IP]
    drive.cache.flush()
    assert list(drive.cache) == []


# --- what a user sets -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "did", "timer_ns"),
    [
        (S.PERMANENT, ["Transmit"], None),
        (S.REACHABLE, ["Transmit"], 30 * SECOND_NS),
        (S.STALE, ["Transmit"], None),
        (S.DELAY, ["Transmit"], 5 * SECOND_NS),
        (S.PROBE, ["Transmit", "SendProbe"], SECOND_NS),
        (S.INCOMPLETE, [], SECOND_NS),
        (S.FAILED, ["GiveUp"], None),
    ],
)
def test_a_state_that_is_set_decides_what_becomes_of_what_waits(
    state: State, did: list[str], timer_ns: int | None
) -> None:
    drive = Drive()
    drive.use()
    drive.clock.advance(1)
    drive.actions = drive.cache.set(IP, state, PEER_MAC, drive.clock.now)
    assert drive.did == did
    assert len(drive.entry.queue) == (state is S.INCOMPLETE)
    due = drive.cache.deadline()
    assert due == (None if timer_ns is None else drive.clock.now + timer_ns)


def test_a_new_entry_begins_in_the_state_that_is_set() -> None:
    for state in (S.INCOMPLETE, S.FAILED, S.STALE):
        drive = Drive()
        drive.actions = drive.cache.set(IP, state, PEER_MAC, drive.clock.now)
        assert drive.is_in(state)
        assert drive.did == []
        assert drive.entry.lladdr == PEER_MAC
        assert drive.entry.probes == 0


# --- eviction -------------------------------------------------------------------------------------

MAKERS: dict[str, Callable[[NeighborCache, int, int], object]] = {
    "failed": lambda cache, ip, now: cache.set(ip, S.FAILED, None, now),
    "idle": lambda cache, ip, now: cache.set(ip, S.STALE, PEER_MAC, now - 60 * SECOND_NS),
    "in use": lambda cache, ip, now: cache.set(ip, S.REACHABLE, PEER_MAC, now),
    "with packets": lambda cache, ip, now: cache.use(ip, bare_packet(b"x"), now),
    "permanent": lambda cache, ip, now: cache.set(ip, S.PERMANENT, PEER_MAC, now),
}


def full(*kinds: str) -> Drive:
    """Return a full cache with one entry of each kind, the first at IP + 1."""
    drive = Drive(iface_neighbor_cache_count=len(kinds))
    for number, kind in enumerate(kinds, 1):
        MAKERS[kind](drive.cache, IP + number, drive.clock.now)
    return drive


@pytest.mark.parametrize(
    ("kinds", "victim"),
    [
        (["permanent", "with packets", "in use", "idle", "failed"], "failed"),
        (["permanent", "with packets", "in use", "idle"], "idle"),
        (["permanent", "with packets", "in use"], "in use"),
        (["permanent", "with packets"], "with packets"),
        (["failed", "idle", "in use", "with packets", "permanent"], "failed"),
    ],
)
def test_the_least_valuable_entry_makes_room(kinds: list[str], victim: str) -> None:
    drive = full(*kinds)
    drive.use(IP)
    gone = IP + 1 + kinds.index(victim)
    evicted = [action for action in drive.actions if isinstance(action, Evicted)]
    assert [(action.entry.ip, action.new) for action in evicted] == [(gone, IP)]
    assert drive.cache.lookup(gone) is None
    assert len(drive.cache.entries) == len(kinds)
    assert len(evicted[0].packets) == (victim == "with packets")


def test_among_equals_the_one_used_longest_ago_goes() -> None:
    drive = Drive(iface_neighbor_cache_count=3)
    for number in (1, 2, 3):
        drive.cache.set(IP + number, S.REACHABLE, PEER_MAC, drive.clock.now)
    drive.clock.advance(10 * SECOND_NS)
    for number in (2, 1, 3):
        drive.clock.advance(1)
        drive.use(IP + number)
    drive.use(IP)
    assert sorted(drive.cache.entries) == [IP, IP + 1, IP + 3]


def test_permanent_entries_are_never_evicted() -> None:
    drive = full("permanent", "permanent")
    with pytest.raises(NoBuffers, match="all 2 neighbor entries are permanent"):
        drive.use(IP)
    assert not drive.heard(PEER_MAC)
    assert not drive.replied(create=True)
    assert sorted(drive.cache.entries) == [IP + 1, IP + 2]


def test_nothing_is_evicted_when_that_makes_no_room() -> None:
    drive = full("permanent", "with packets", "permanent")
    drive.set("iface.neighbor_cache_count", 2)
    with pytest.raises(NoBuffers):
        drive.use(IP)
    assert len(drive.cache.entries) == 3
    known = drive.cache.lookup(IP + 2)
    assert known is not None
    assert len(known.queue) == 1


def test_a_lowered_capacity_takes_effect_with_the_next_entry() -> None:
    drive = full("idle", "failed", "in use", "idle")
    drive.set("iface.neighbor_cache_count", 2)
    drive.use(IP)
    assert drive.did == ["Evicted"] * 3 + ["SendProbe"]
    assert sorted(drive.cache.entries) == [IP, IP + 3]


def test_an_evicted_entry_is_no_longer_used() -> None:
    drive = full("in use")
    evicted = next(iter(drive.cache))
    drive.use(IP)
    assert evicted.state is S.NONE
    assert evicted.timer_ns is None


# --- forgetting -----------------------------------------------------------------------------------


def crowded(states: dict[int, State], thresh: int = 0) -> Drive:
    drive = Drive(neigh_gc_thresh1=thresh)
    for ip, state in states.items():
        drive.cache.set(ip, state, PEER_MAC, drive.clock.now)
    drive.expire()
    return drive


def test_unused_stale_and_failed_entries_are_forgotten() -> None:
    drive = crowded({1: S.STALE, 2: S.FAILED, 3: S.PERMANENT, 4: S.STALE})
    drive.clock.advance(59 * SECOND_NS)
    drive.use(4)  # takes it to DELAY
    drive.cache.set(4, S.STALE, PEER_MAC, drive.clock.now)
    drive.expire()
    assert sorted(drive.cache.entries) == [1, 2, 3, 4]
    drive.clock.advance(16 * SECOND_NS)
    drive.expire()
    assert sorted(drive.cache.entries) == [3, 4]


def test_nothing_is_forgotten_while_there_are_few() -> None:
    for thresh, left in ((4, 4), (3, 0)):
        drive = crowded(dict.fromkeys([1, 2, 3, 4], S.STALE), thresh)
        drive.clock.advance(1000 * SECOND_NS)
        drive.expire()
        assert len(drive.cache.entries) == left


def test_superseded_timers_do_not_pile_up() -> None:
    cache = NeighborCache(Settings(), lambda: 0.5)
    now = SECOND_NS
    for number in range(10):
        cache.set(number, S.REACHABLE, PEER_MAC, now)
    for _ in range(10_000):
        now += 1
        cache.confirm(3, now)
    assert len(cache._timers) <= 64 + 4 * 10 + 1
    assert cache.deadline() == SECOND_NS + 30 * SECOND_NS
