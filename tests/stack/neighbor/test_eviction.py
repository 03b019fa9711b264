"""A full neighbor cache remembers whom it evicted, so that waiting again has its own reason."""

from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.neighbor.eviction import WINDOW_NS, Eviction, Evictions, Thrash
from smolctl.stack.trace.trace import Fate, Trace
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import Host, ip, reply, request

PEERS = [f"10.0.0.{n}" for n in range(11, 16)]


def full() -> Host:
    """Four entries, and the fifth neighbor has pushed the first out."""
    host = Host()
    host.set("iface.neighbor_cache_count", 4)
    for peer in PEERS:
        host.receive(request(peer))
        host.clock.advance(100 * MILLISECOND_NS)
    return host


def send(host: Host, dst: str) -> Trace:
    trace = Trace()
    host.stack.udp.send(host.socket(), b"x", ip(dst), 9, host.now, trace)
    return trace


def test_who_was_evicted_and_is_wanted_again_waits_for_a_reason_of_its_own() -> None:
    host = full()
    host.clock.advance(712 * MILLISECOND_NS)
    trace = send(host, PEERS[0])
    assert trace.fate is Fate.WAITING
    row = verdict.tell(trace, lambda _now: 0)
    assert (row["reason"], row["class"], row["ok"]) == ("neigh-cache-thrash", "wait", True)
    assert row["why"] == (
        "10.0.0.11 lost its entry to 10.0.0.15 812 ms ago (1x in 60 s):"
        " 5 neighbors share the 4 entries of tap0"
    )
    assert row["fix"] == ["smolctl sysctl iface.neighbor_cache_count=8"]


def test_it_still_says_so_when_the_packet_is_through() -> None:
    host = full()
    trace = send(host, PEERS[0])
    host.clock.advance(2 * MILLISECOND_NS)
    host.receive(reply(PEERS[0]))
    host.sent()
    row = verdict.tell(trace, lambda _now: 0)
    assert row["verdict"] == "sent by tap0 after 2.0 ms - neigh-cache-thrash"
    assert (row["fate"], row["class"], row["delay_ms"], row["ok"]) == ("sent", "wait", 2, True)
    assert row["fix"] == ["smolctl sysctl iface.neighbor_cache_count=8"]


def test_a_prediction_knows_it_too_and_changes_nothing() -> None:
    host = full()
    for _ in range(2):
        trace = predict(host.stack, Question("udp", None, ip(PEERS[0]), 9, 9), host.now)
        assert trace.reason is not None
        assert (trace.reason.name, trace.detail["times"]) == ("neigh-cache-thrash", 1)
    assert host.reasons() == {"neigh-evicted": 1}


def test_who_was_never_evicted_waits_as_always() -> None:
    trace = send(full(), "10.0.0.99")
    assert trace.reason is not None
    assert trace.reason.name == "neigh-pending"


def test_with_more_entries_it_is_over() -> None:
    host = full()
    host.set("iface.neighbor_cache_count", 8)
    trace = send(host, PEERS[0])
    assert trace.reason is not None
    assert trace.reason.name == "neigh-pending"


def test_a_minute_later_it_is_forgotten() -> None:
    host = full()
    host.clock.advance(60 * SECOND_NS)
    trace = send(host, PEERS[0])
    assert trace.reason is not None
    assert trace.reason.name == "neigh-pending"


def test_who_did_not_answer_is_no_loss() -> None:
    host = Host()
    host.set("iface.neighbor_cache_count", 1)
    send(host, PEERS[0])
    host.wait(3 * SECOND_NS)
    host.receive(request(PEERS[1]))
    trace = send(host, PEERS[0])
    assert trace.reason is not None
    assert trace.reason.name == "neigh-pending"


# --- the memory -----------------------------------------------------------------------------------


def test_it_counts_each_neighbor_and_all() -> None:
    known = Evictions()
    for at, (gone, new) in enumerate([(1, 5), (2, 1), (1, 2)]):
        known.note(gone, new, at)
    assert known.thrash(1, {2, 3, 4, 5}, 4, 10) == Thrash(Eviction(2, 1, 2), 2, 3, 5)
    assert known.thrash(3, {2, 3, 4, 5}, 4, 10) is None


def test_it_forgets_after_exactly_a_minute() -> None:
    known = Evictions()
    known.note(1, 2, 0)
    assert known.thrash(1, (), 0, WINDOW_NS - 1) is not None
    assert known.thrash(1, (), 0, WINDOW_NS) is None


def test_it_is_bounded() -> None:
    known = Evictions()
    for number in range(1000):
        known.note(number, number + 1, 0)
    assert known.thrash(743, (), 0, 1) is None
    found = known.thrash(744, (), 0, 1)
    assert found is not None
    assert (found.total, found.peers) == (256, 256)
