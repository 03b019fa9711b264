"""Redirects: which hosts are told of a better gateway, and how often."""

from itertools import pairwise

import pytest

from smolctl.stack.ip.redirects_sent import LOAD_NS, NUMBER, SILENCE_NS, Redirects
from smolctl.stack.neighbor.states import State
from tests.kit.clock import SECOND_NS
from tests.kit.host import PEER_MAC, frame_of, ip
from tests.kit.routers import FAR_MAC, Router, datagram, frame, header_of


@pytest.fixture
def router() -> Router:
    return Router()


@pytest.fixture
def detour() -> Router:
    """Make a router whose way to 8.8.8.8 leads back to where packets come from."""
    router = Router()
    router.know("10.0.0.7", FAR_MAC, State.PERMANENT)
    router.route("8.8.8.0/24", via="10.0.0.7")
    return router


def test_a_packet_that_goes_back_to_its_link_goes_on_and_its_sender_is_told(detour: Router) -> None:
    packet = datagram("8.8.8.8")
    detour.receive(frame_of(packet))
    redirect, seen = detour.sent()
    assert (redirect.icmp.type, redirect.icmp.code) == (5, 1)
    assert redirect.icmp.rest == ip("10.0.0.7")
    assert redirect.icmp.body == packet
    assert (redirect.dst, seen.dst) == (PEER_MAC, FAR_MAC)
    assert (header_of(seen).dst, header_of(seen).ttl) == (ip("8.8.8.8"), 63)
    assert detour.event("icmp.redirects_sent") == 1
    assert detour.reasons() == {}


def test_redirects_can_be_switched_off(detour: Router) -> None:
    detour.set("ip.send_redirects", 0)
    detour.receive(frame("8.8.8.8"))
    (seen,) = detour.sent()
    assert header_of(seen).dst == ip("8.8.8.8")


def test_a_host_that_is_not_near_the_gateway_gets_no_redirect(detour: Router) -> None:
    """RFC 1812 5.2.7.2: source and next hop must be in one network."""
    detour.receive(frame("8.8.8.8", src="192.168.1.1"))
    (seen,) = detour.sent()
    assert header_of(seen).src == ip("192.168.1.1")


def test_no_redirect_where_it_leaves_by_another_link(router: Router) -> None:
    router.receive(frame())
    assert router.sent() == []


def test_a_destination_on_the_link_of_its_sender_is_named_itself(detour: Router) -> None:
    detour.receive(frame("10.0.0.7"))
    redirect, _ = detour.sent()
    assert redirect.icmp.rest == ip("10.0.0.7")


def test_redirects_become_rarer_and_then_end() -> None:
    redirects, now, times = Redirects(), 0, []
    while now < 20 * SECOND_NS:
        if redirects.allow(1, now):
            times.append(now)
        now += 1_000_000
    assert len(times) == NUMBER
    gaps = [later - earlier for earlier, later in pairwise(times)]
    # Each at the first packet after twice the time: 40, 80, ... ms.
    assert gaps == [(LOAD_NS << n) + 1_000_000 for n in range(1, NUMBER)]


def test_a_host_that_was_quiet_long_enough_is_told_again() -> None:
    redirects, now = Redirects(), 0
    for _ in range(NUMBER):
        assert redirects.allow(1, now)
        now += (LOAD_NS << NUMBER) + 1
    assert not redirects.allow(1, now)
    assert not redirects.allow(1, now + SILENCE_NS), "it goes on, so that silence begins anew"
    assert redirects.allow(1, now + 2 * SILENCE_NS + 1)
    assert redirects.allow(2, 0), "another host is told at once"


def test_the_memory_for_redirects_is_bounded() -> None:
    redirects = Redirects()
    for host in range(5000):
        assert redirects.allow(host, host)
    assert len(redirects.hosts) == 4096
    assert redirects.allow(0, 5000), "forgotten"
    assert not redirects.allow(4999, 5000)
