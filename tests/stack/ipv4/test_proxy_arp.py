"""Proxy ARP, as Linux's arp_process has it: who is answered for, when, and what is learned."""

import pytest

from smolctl.stack.clone.stack_clone import clone_for_packet
from smolctl.stack.config.link import delete_interface, set_up
from smolctl.stack.config.neigh import add_proxy, delete_proxy
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.stack.neighbor.states import State
from smolctl.wire import arp
from tests.kit.clock import MILLISECOND_NS
from tests.kit.host import (
    DEAD,
    OTHER_MAC,
    OUR_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    arp_frame,
    ip,
    request,
)

BEHIND = "10.7.0.9"
ASKED = request(target=BEHIND)
DELAY_NS = 400 * MILLISECOND_NS
"""The middle of proxy_delay, which a test's random function stands for."""


def router(*, forward: int = 1, proxy: int = 1, random: float = 0.5) -> Host:
    """Return a host on two links, behind the second of which there are others."""
    host = Host(random=random)
    host.link("tap1", OTHER_MAC)
    host.add("10.7.0.1/24", "tap1")
    host.set("ip.forward", forward)
    host.set("arp.proxy", proxy)
    return host


def answers(host: Host, dev: str = "tap0") -> list[arp.ArpPacket | None]:
    return [frame.arp for frame in host.sent(dev)]


MINE = arp.ArpPacket(arp.Op.REPLY, OUR_MAC, ip(BEHIND), PEER_MAC, ip(PEER))


def test_a_host_behind_us_is_answered_for_after_a_while() -> None:
    host = router()
    host.receive(ASKED)
    host.wait(DELAY_NS - 1)
    assert answers(host) == []
    host.wait(1)
    assert answers(host) == [MINE]
    assert host.event("arp.proxy_replies_sent") == 1
    assert host.reasons() == {"arp-proxy-delayed": 1}
    host.wait(60 * 1000 * MILLISECOND_NS)
    assert answers(host) == []


@pytest.mark.parametrize("random", [0.0, 0.25, 0.999])
def test_the_delay_is_random_up_to_the_sysctl(random: float) -> None:
    host = router(random=random)
    host.receive(ASKED)
    due = host.stack.deadline()
    assert due is not None
    assert due - host.now == int(random * 800 * MILLISECOND_NS)


def test_a_request_by_unicast_is_answered_at_once() -> None:
    host = router()
    host.receive(arp_frame(arp.Op.REQUEST, PEER, BEHIND, to=OUR_MAC))
    assert answers(host) == [MINE]


def test_no_delay_is_wanted() -> None:
    host = router()
    host.set("neigh.proxy_delay_ms", 0)
    host.receive(ASKED)
    assert answers(host) == [MINE]


def test_who_asks_is_learned() -> None:
    host = router()
    host.receive(ASKED)
    entry = host.neighbor(PEER)
    assert entry is not None
    assert (entry.state, entry.lladdr) == (State.STALE, PEER_MAC)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (DEAD, "it is on the same link, and answers itself"),
        ("8.8.8.8", "there is no route"),
        ("10.7.0.255", "it is a broadcast address"),
        ("10.8.0.1", "its route refuses"),
    ],
)
def test_who_is_not_answered_for(target: str, why: str) -> None:
    from smolctl.stack.fib.route import RouteType

    host = router()
    host.route("10.8.0.0/24", kind=RouteType.BLACKHOLE)
    host.receive(request(target=target))
    host.wait(1000 * MILLISECOND_NS)
    assert answers(host) == [], why
    assert host.reasons() == {"arp-target-not-ours": 1}


def test_our_own_addresses_are_answered_for_at_once() -> None:
    host = router()
    host.receive(request(), request(target="10.7.0.1"))
    assert len(answers(host)) == 2


def test_a_probe_is_not_answered_for_others() -> None:
    # Linux arp_process: or nobody could use an address that we stand for (RFC 5227 2.1.1).
    host = router()
    host.receive(request("0.0.0.0", BEHIND))
    host.wait(1000 * MILLISECOND_NS)
    assert answers(host) == []


@pytest.mark.parametrize("sysctls", [{"forward": 0}, {"proxy": 0}])
def test_it_needs_forwarding_and_the_sysctl(sysctls: dict[str, int]) -> None:
    host = router(**sysctls)
    host.receive(ASKED)
    host.wait(1000 * MILLISECOND_NS)
    assert answers(host) == []


def test_a_proxy_entry_answers_for_one_address_on_one_link() -> None:
    host = router(proxy=0)
    host.link("tap2", b"\2\0\0\0\0\x0d")
    host.add("10.6.0.1/24", "tap2")
    add_proxy(host.stack.ipv4, host.tap, ProxyEntry(ip(BEHIND)))
    host.receive(ASKED, request(target="10.7.0.8"))
    host.receive(request("10.6.0.2", BEHIND), dev="tap2")
    host.wait(1000 * MILLISECOND_NS)
    assert answers(host) == [MINE]
    assert answers(host, "tap2") == []
    delete_proxy(host.stack.ipv4, host.tap, ip(BEHIND))
    host.receive(ASKED)
    host.wait(1000 * MILLISECOND_NS)
    assert answers(host) == []


@pytest.mark.parametrize(
    ("sysctls", "target", "problem", "fixable"),
    [
        ({"forward": 0}, BEHIND, "forward", True),
        ({}, DEAD, "link", False),
        ({}, "8.8.8.8", "route", False),
    ],
)
def test_an_idle_entry_says_why(
    sysctls: dict[str, int], target: str, problem: str, fixable: bool
) -> None:
    host = router(proxy=0, **sysctls)
    add_proxy(host.stack.ipv4, host.tap, ProxyEntry(ip(target)))
    host.receive(request(target=target))
    ((why, tally),) = [(why, tally) for (why, _), tally in host.stack.ledger.reasons.items()]
    assert why.name == "arp-proxy-idle"
    assert tally.detail["cause"] == problem
    assert why.fixes(tally.detail) == ["smolctl sysctl ip.forward=1"] * fixable


def test_what_changes_meanwhile_counts() -> None:
    host = router()
    host.receive(ASKED)
    host.set("arp.proxy", 0)
    host.wait(1000 * MILLISECOND_NS)
    assert answers(host) == []
    assert host.reasons() == {"arp-proxy-delayed": 1, "arp-target-not-ours": 1}


def test_as_many_wait_as_the_sysctl_says() -> None:
    host = router()
    host.set("neigh.proxy_qlen", 2)
    host.receive(ASKED, request(target="10.7.0.8"), request(target="10.7.0.7"))
    host.wait(1000 * MILLISECOND_NS)
    assert len(answers(host)) == 2
    assert host.reasons() == {"arp-proxy-delayed": 2, "arp-proxy-queue-full": 1}


@pytest.mark.parametrize("how", ["down", "deleted"])
def test_requests_go_with_their_link(how: str) -> None:
    host = router()
    host.receive(ASKED, request(target="10.7.0.8"))
    if how == "down":
        set_up(host.stack.shared, host.tap, False, host.now)
    else:
        delete_interface(host.stack.shared, host.tap, host.now)
    assert host.reasons() == {"arp-proxy-delayed": 2, "arp-proxy-purged": 2}
    assert host.stack.deadline() is None


def test_a_strict_reverse_path_is_asked_for() -> None:
    host = router()
    host.set("ip.rp_filter", 1)
    host.receive(request("10.9.9.9", BEHIND))
    assert host.reasons() == {"ip-reverse-path": 1}


def test_a_prediction_answers_nobody() -> None:
    host = router()
    host.receive(ASKED)
    clone = clone_for_packet(host.stack)
    clone.receive(clone.interfaces["tap0"], ASKED, host.now)
    copied = clone.interfaces["tap0"].ipv4.proxies
    assert (len(copied.queue), len(host.tap.ipv4.proxies.queue)) == (2, 1)
    host.wait(DELAY_NS)
    assert answers(host) == [MINE]
    assert len(copied.queue) == 2


def test_who_is_asked_for_may_answer_first() -> None:
    # That is what the delay is for; the asker then has two answers, and the first one counts.
    host = router()
    host.receive(ASKED, arp_frame(arp.Op.REPLY, BEHIND, PEER, mac=OTHER_MAC))
    host.wait(DELAY_NS)
    assert answers(host) == [MINE]
    assert OURS not in (BEHIND, PEER)
