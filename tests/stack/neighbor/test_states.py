"""Every transition of a neighbor entry, shown on a real cache, and that there are no others."""

import pytest

from smolctl.stack.neighbor.entry import GiveUp, SendProbe, Transmit
from smolctl.stack.neighbor.states import TRANSITIONS, VALID, NudEvent, State
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, PEER_MAC
from tests.kit.neighbors import IP, Drive

S, E = State, NudEvent

# (state, event, new state, what the cache asks for). Written from RFC 4861 7.3.2 and appendix C and
# Linux's neigh_update, neigh_timer_handler and __neigh_event_send, not from the code's table.
ROWS: list[tuple[State, NudEvent, State, list[str]]] = [
    (S.NONE, E.USED, S.INCOMPLETE, ["SendProbe"]),
    (S.NONE, E.REPLIED, S.REACHABLE, []),
    (S.NONE, E.HEARD_OTHER, S.STALE, []),
    (S.INCOMPLETE, E.USED, S.INCOMPLETE, []),
    (S.INCOMPLETE, E.REPLIED, S.REACHABLE, ["Transmit"]),
    # The packet that waited is sent, and using a STALE entry takes it on to DELAY.
    (S.INCOMPLETE, E.HEARD_OTHER, S.DELAY, ["Transmit"]),
    (S.INCOMPLETE, E.HEARD_SAME, S.DELAY, ["Transmit"]),
    (S.INCOMPLETE, E.RETRANSMIT, S.INCOMPLETE, ["SendProbe"]),
    (S.INCOMPLETE, E.PROBES_EXHAUSTED, S.FAILED, ["GiveUp"]),
    (S.REACHABLE, E.USED, S.REACHABLE, ["Transmit"]),
    (S.REACHABLE, E.REPLIED, S.REACHABLE, []),
    (S.REACHABLE, E.HEARD_SAME, S.REACHABLE, []),
    (S.REACHABLE, E.HEARD_OTHER, S.STALE, []),
    (S.REACHABLE, E.CONTRADICTED, S.STALE, []),
    (S.REACHABLE, E.CONFIRMED, S.REACHABLE, []),
    (S.REACHABLE, E.REACHABLE_EXPIRED, S.STALE, []),
    (S.REACHABLE, E.REACHABLE_EXPIRED_IN_USE, S.DELAY, []),
    (S.STALE, E.USED, S.DELAY, ["Transmit"]),
    (S.STALE, E.REPLIED, S.REACHABLE, []),
    (S.STALE, E.HEARD_SAME, S.STALE, []),
    (S.STALE, E.HEARD_OTHER, S.STALE, []),
    (S.STALE, E.CONFIRMED, S.REACHABLE, []),
    (S.DELAY, E.USED, S.DELAY, ["Transmit"]),
    (S.DELAY, E.REPLIED, S.REACHABLE, []),
    (S.DELAY, E.HEARD_SAME, S.DELAY, []),
    (S.DELAY, E.HEARD_OTHER, S.STALE, []),
    (S.DELAY, E.CONFIRMED, S.REACHABLE, []),
    (S.DELAY, E.DELAY_EXPIRED, S.PROBE, ["SendProbe"]),
    (S.DELAY, E.PROBES_EXHAUSTED, S.FAILED, []),
    (S.PROBE, E.USED, S.PROBE, ["Transmit"]),
    (S.PROBE, E.REPLIED, S.REACHABLE, []),
    (S.PROBE, E.HEARD_SAME, S.PROBE, []),
    (S.PROBE, E.HEARD_OTHER, S.STALE, []),
    (S.PROBE, E.CONFIRMED, S.REACHABLE, []),
    (S.PROBE, E.RETRANSMIT, S.PROBE, ["SendProbe"]),
    (S.PROBE, E.PROBES_EXHAUSTED, S.FAILED, []),
    (S.FAILED, E.USED, S.INCOMPLETE, ["SendProbe"]),
    (S.FAILED, E.REPLIED, S.REACHABLE, []),
    (S.FAILED, E.HEARD_SAME, S.STALE, []),
    (S.FAILED, E.HEARD_OTHER, S.STALE, []),
    (S.PERMANENT, E.USED, S.PERMANENT, ["Transmit"]),
    (S.NOARP, E.USED, S.NOARP, ["Transmit"]),
]

# What can be made to happen although the table has no row for it. Timers are not among them: in a
# state without a row for a timer event no timer runs, which is tested below.
WITHOUT_ROW: list[tuple[State, NudEvent]] = [
    (S.NONE, E.CONFIRMED),
    (S.INCOMPLETE, E.CONFIRMED),
    (S.FAILED, E.CONFIRMED),
    (S.PERMANENT, E.CONFIRMED),
    (S.PERMANENT, E.REPLIED),
    (S.PERMANENT, E.HEARD_SAME),
    (S.PERMANENT, E.HEARD_OTHER),
    (S.STALE, E.CONTRADICTED),
    (S.DELAY, E.CONTRADICTED),
    (S.PROBE, E.CONTRADICTED),
    (S.PERMANENT, E.CONTRADICTED),
    (S.NOARP, E.CONFIRMED),
    (S.NOARP, E.REPLIED),
    (S.NOARP, E.HEARD_SAME),
    (S.NOARP, E.HEARD_OTHER),
    (S.NOARP, E.CONTRADICTED),
]


def row_id(value: object) -> str:
    return value.name if isinstance(value, State | NudEvent) else ""


def test_every_row_is_shown_and_no_other_exists() -> None:
    shown = [(state, event) for state, event, _, _ in ROWS]
    assert len(shown) == len(set(shown))
    assert set(shown) == set(TRANSITIONS)


@pytest.mark.parametrize(("before", "event", "after", "did"), ROWS, ids=row_id)
def test_transition(before: State, event: NudEvent, after: State, did: list[str]) -> None:
    drive = Drive()
    drive.reach(before)
    if (before, event) == (S.INCOMPLETE, E.HEARD_SAME):
        drive = Drive()  # known from before it failed, now being resolved again
        drive.reach(S.FAILED)
        drive.use()
    drive.happen(event)
    assert drive.is_in(after)
    assert drive.did == did


@pytest.mark.parametrize(("state", "event"), WITHOUT_ROW, ids=row_id)
def test_what_has_no_row_changes_nothing(state: State, event: NudEvent) -> None:
    assert (state, event) not in TRANSITIONS
    drive = Drive()
    drive.reach(state)
    known = drive.cache.lookup(IP)
    before = None if known is None else (known.lladdr, known.timer_ns, len(known.queue))
    drive.happen(event)
    assert drive.is_in(state)
    assert drive.actions == []
    known = drive.cache.lookup(IP)
    assert before == (None if known is None else (known.lladdr, known.timer_ns, len(known.queue)))


@pytest.mark.parametrize("state", State)
def test_a_timer_runs_in_the_states_that_have_a_row_for_one(state: State) -> None:
    timed = {E.REACHABLE_EXPIRED, E.DELAY_EXPIRED, E.RETRANSMIT}
    drive = Drive()
    drive.reach(state)
    runs = drive.cache.deadline() is not None
    assert runs == any((state, event) in TRANSITIONS for event in timed)
    if not runs:
        drive.wait(1_000_000 * SECOND_NS)
        drive.expire()
        assert drive.is_in(state)
        assert drive.actions == []


@pytest.mark.parametrize("state", State)
def test_a_mac_is_used_exactly_in_the_valid_states(state: State) -> None:
    drive = Drive()
    drive.reach(state)
    queued = drive.use()
    sent = [action for action in drive.actions if isinstance(action, Transmit)]
    assert (state in VALID) == bool(sent)
    if sent:
        assert sent[0].packets == [queued]
        assert sent[0].entry.lladdr == PEER_MAC


# --- what goes with a transition ------------------------------------------------------------------


def test_all_that_waited_is_sent_in_order() -> None:
    drive = Drive()
    waiting = [drive.use(packet=bytes([i])) for i in range(5)]
    drive.replied()
    assert [type(action) for action in drive.actions] == [Transmit]
    action = drive.actions[0]
    assert isinstance(action, Transmit)
    assert action.packets == waiting
    assert not drive.entry.queue
    assert drive.entry.queue_bytes == 0


def test_all_that_waited_is_given_up_together() -> None:
    drive = Drive()
    waiting = [drive.use() for _ in range(3)]
    drive.wait(3 * SECOND_NS)
    (action,) = drive.actions
    assert isinstance(action, GiveUp)
    assert action.packets == waiting
    assert action.entry.probes == 3
    assert not drive.entry.queue


def test_a_failed_neighbor_is_asked_again_on_demand() -> None:
    drive = Drive()
    drive.use()
    drive.wait(100 * SECOND_NS)
    assert drive.is_in(S.FAILED)
    assert drive.cache.deadline() is None
    drive.use()
    assert drive.did == ["SendProbe"]
    assert drive.is_in(S.INCOMPLETE)
    assert drive.entry.probes == 1
    drive.replied()
    assert drive.did == ["Transmit"]


def probes(drive: Drive, seconds: int) -> list[tuple[int, bool]]:
    """Return when within some seconds probes were sent, and whether by unicast."""
    start, found = drive.clock.now, []
    while (due := drive.cache.deadline()) is not None and due <= start + seconds * SECOND_NS:
        drive.next_timer()
        for action in drive.actions:
            if isinstance(action, SendProbe):
                found.append(((drive.clock.now - start) // SECOND_NS, action.unicast))
    return found


def test_an_unknown_neighbor_is_asked_three_times_by_broadcast() -> None:
    drive = Drive()
    drive.use()
    assert [a.unicast for a in drive.actions if isinstance(a, SendProbe)] == [False]
    assert probes(drive, 60) == [(1, False), (2, False)]
    assert drive.is_in(S.FAILED)


def test_a_known_neighbor_is_asked_by_unicast_then_on_demand_by_broadcast() -> None:
    drive = Drive()
    drive.reach(S.DELAY)
    assert probes(drive, 60) == [(5, True), (6, True), (7, True)]
    assert drive.is_in(S.FAILED)
    drive.use()
    assert [a.unicast for a in drive.actions if isinstance(a, SendProbe)] == [False]
    assert probes(drive, 60) == [(1, False), (2, False)]


@pytest.mark.parametrize(("mcast", "ucast"), [(1, 1), (5, 2), (2, 0)])
def test_the_number_of_probes_is_a_sysctl(mcast: int, ucast: int) -> None:
    drive = Drive(neigh_mcast_solicit=mcast, neigh_ucast_solicit=ucast)
    drive.reach(S.DELAY)
    assert len(probes(drive, 60)) == ucast
    assert drive.is_in(S.FAILED)
    drive.use()
    assert 1 + len(probes(drive, 60)) == mcast
    assert drive.is_in(S.FAILED)


def test_a_delayed_entry_that_is_confirmed_in_time_is_not_probed() -> None:
    drive = Drive()
    drive.reach(S.DELAY)
    drive.wait(5 * SECOND_NS - 1)
    drive.confirm()
    assert drive.is_in(S.REACHABLE)
    assert probes(drive, 29) == []


def test_an_entry_keeps_its_mac_while_it_failed() -> None:
    drive = Drive()
    drive.reach(S.FAILED)
    assert drive.entry.lladdr == PEER_MAC
    drive.use()
    drive.heard(OTHER_MAC)
    (action,) = drive.actions
    assert isinstance(action, Transmit)
    assert action.entry.lladdr == OTHER_MAC
