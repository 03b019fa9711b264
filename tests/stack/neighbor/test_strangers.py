"""Strangers at a full neighbor cache: they cost little, and nobody whom we use goes for them."""

import sys
from itertools import count
from types import FrameType

import pytest

from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.states import State
from smolctl.stack.sysctl.settings import Settings
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import OUR_MAC, OURS, PEER, PEER_MAC, Host, echo_request, ip, reply, request

GATEWAY = "10.0.0.254"


def crowded(capacity: int = 8) -> Host:
    """Return a host that uses a gateway, which answered; all other places are strangers'."""
    host = Host()
    host.set("iface.neighbor_cache_count", capacity)
    host.send(host.socket(), GATEWAY)
    host.receive(reply(GATEWAY))
    strangers(host, capacity)
    return host


def strangers(host: Host, number: int, first: int = 11) -> None:
    """Let invented senders ask for our address, a millisecond apart."""
    for host_number in range(first, first + number):
        host.clock.advance(MILLISECOND_NS)
        host.receive(request(f"10.0.0.{host_number}"))


def test_a_gateway_that_was_used_keeps_its_entry() -> None:
    host = crowded()
    for _ in range(30):
        host.wait(SECOND_NS)
        host.send(host.socket(), GATEWAY)
        strangers(host, 100)
    entry = host.neighbor(GATEWAY)
    assert entry is not None
    assert host.event("arp.requests_sent") == 1


def test_a_gateway_that_is_idle_goes_after_all_strangers() -> None:
    host = crowded()
    host.wait(20 * SECOND_NS)
    strangers(host, 200)
    assert host.neighbor(GATEWAY) is not None


def test_to_answer_strangers_is_no_use_of_ours() -> None:
    host = crowded()
    for number in range(11, 111):
        host.receive(request(f"10.0.0.{number}"), echo_request(src=f"10.0.0.{number}"))
        host.clock.advance(MILLISECOND_NS)
    assert host.neighbor(GATEWAY) is not None
    assert host.event("icmp.messages_sent") == 100


def test_pings_from_invented_addresses_evict_nobody_in_use() -> None:
    host = crowded()
    host.send(host.socket(), GATEWAY)
    for number in range(11, 111):
        host.receive(echo_request(src=f"10.0.0.{number}"))
    assert host.neighbor(GATEWAY) is not None


def test_whom_we_answer_and_who_has_answered_us_is_in_use() -> None:
    host = crowded()
    host.receive(echo_request(src=PEER))
    host.receive(reply(PEER))
    for _ in range(10):
        host.receive(echo_request(src=PEER))
        strangers(host, 100, first=111)
    entry = host.neighbor(PEER)
    assert entry is not None
    assert entry.state is State.REACHABLE


def test_while_all_are_in_use_a_stranger_gets_an_answer_and_no_entry() -> None:
    host = Host()
    host.set("iface.neighbor_cache_count", 2)
    for peer in (GATEWAY, PEER):
        host.send(host.socket(), peer)
        host.receive(reply(peer))
    host.sent()
    question = Question("arp", ip("10.0.0.9"), ip(OURS), iif="tap0")
    steps = verdict.tell(predict(host.stack, question, host.now), lambda _now: 0)["steps"]
    assert "10.0.0.9 is not learned: all entries of tap0 are in use" in str(steps)
    host.receive(request("10.0.0.9"))
    (answer,) = host.sent()
    assert answer.arp is not None
    assert (answer.arp.op, answer.arp.target_ip) == (2, ip("10.0.0.9"))
    assert host.neighbor("10.0.0.9") is None
    host.receive(echo_request(src="10.0.0.9"))
    assert host.reasons()["neigh-table-full"] == 1
    trace = list(host.stack.journal)[-1]
    row = verdict.tell(trace, lambda _now: 0)
    assert row["why"] == "all 2 entries of tap0 are in use, none left for 10.0.0.9"


def test_what_we_send_ourselves_still_finds_room() -> None:
    host = Host()
    host.set("iface.neighbor_cache_count", 1)
    for peer in (GATEWAY, PEER):
        host.send(host.socket(), peer)
        host.receive(reply(peer))
    assert host.neighbor(GATEWAY) is None
    assert host.neighbor(PEER) is not None


# --- the cost -------------------------------------------------------------------------------------


@pytest.mark.parametrize("evict", ["least-used", "oldest"])
@pytest.mark.parametrize("used", [False, True])
def test_a_new_neighbor_costs_the_same_in_a_cache_of_any_size(evict: str, used: bool) -> None:
    steps = [_steps(size, evict, used=used) for size in (100, 10_000)]
    assert max(steps) < 200
    assert steps[1] <= steps[0] * 1.1


def _steps(size: int, evict: str, *, used: bool) -> int:
    """Return the most calls that one of 20 new neighbors takes in a full cache."""
    settings = Settings()
    settings.set("iface.neighbor_cache_count", str(size))
    settings.set("neigh.evict", evict)
    cache = NeighborCache(settings, lambda: 0.5)
    addresses = count(1)
    for _ in range(size):
        cache.heard(next(addresses), PEER_MAC, SECOND_NS, create=True, override=True)
    if used:
        for entry in cache:
            entry.used_ns = 2 * SECOND_NS  # as the fast path does, which tells nobody
    most = 0
    for _ in range(20):
        calls = 0

        def note(_frame: FrameType, event: str, _arg: object) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(note)
        try:
            cache.heard(next(addresses), OUR_MAC, 60 * SECOND_NS, create=True, override=True)
        finally:
            sys.setprofile(None)
        most = max(most, calls)
    assert len(cache.entries) == size
    return most
