"""Proxy neighbor discovery, as Linux's ndisc_recv_ns has it: who is answered for, how, and when."""

import pytest

from smolctl.stack.clone.stack_clone import clone_for_packet
from smolctl.stack.config.link import delete_interface, set_up
from smolctl.stack.config.neigh import add_proxy, delete_proxy
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.stack.neighbor.states import State
from smolctl.wire.address import ALL_NODES, multicast_mac, solicited_node
from smolctl.wire.ndp import NeighborAdvertisement
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER_MAC, ip
from tests.kit.host6 import (
    OURS6,
    PEER6,
    Host6,
    Seen6,
    echo6_request,
    solicit,
)

BEHIND, UNLISTED = "2001:db8::9", "2001:db8::8"
ASKED = solicit(BEHIND)
DELAY_NS = 400 * MILLISECOND_NS
"""The middle of proxy_delay, which a test's random function stands for."""


def router(*, forward: int = 1, proxy: int = 1, random: float = 0.5) -> Host6:
    """Return a host on two links, behind the second of which there is another one."""
    host = Host6(random=random)
    host.link("tap1", OTHER_MAC)
    host.add("2001:db8:1::1/64", "tap1")
    host.route(f"{BEHIND}/128", "tap1")
    host.set("ip6.forward", forward)
    host.set("nd.proxy", proxy)
    add_proxy(host.stack.ipv6, host.tap, ProxyEntry(ip(BEHIND)))
    host.wait(10 * SECOND_NS)
    host.take("tap0")
    host.take("tap1")
    return host


def said(seen: Seen6) -> NeighborAdvertisement:
    assert isinstance(seen.nd, NeighborAdvertisement)
    return seen.nd


def test_a_host_behind_us_is_answered_for_after_a_while() -> None:
    host = router()
    host.receive(ASKED)
    host.wait(DELAY_NS - 1)
    assert host.sent6() == []
    host.wait(1)
    (answer,) = host.sent6()
    # From an address of ours, to who asked; others' entries are not overridden (RFC 4861 7.2.8).
    assert (answer.dst, answer.ip.src, answer.ip.dst) == (PEER_MAC, ip(OURS6), ip(PEER6))
    flags = said(answer)
    assert (flags.target, flags.options.target) == (ip(BEHIND), OUR_MAC)
    assert (flags.router, flags.solicited, flags.override) == (False, True, False)
    assert host.event("nd.proxy_advertisements_sent") == 1
    assert host.reasons() == {"nd-answer-delayed": 1}
    host.wait(SECOND_NS)
    assert host.sent6() == []


@pytest.mark.parametrize("random", [0.0, 0.25, 0.999])
def test_the_delay_is_random_up_to_the_sysctl(random: float) -> None:
    host = router(random=random)
    host.receive(ASKED)
    due = host.tap.ipv6.proxies.deadline()
    assert due is not None
    assert due - host.now == int(random * 800 * MILLISECOND_NS)


def test_no_delay_is_wanted() -> None:
    host = router()
    host.set("neigh.proxy_delay_ms", 0)
    host.receive(ASKED)
    assert len(host.sent6()) == 1


def test_a_router_behind_us_is_said_to_be_one() -> None:
    host = router()
    add_proxy(host.stack.ipv6, host.tap, ProxyEntry(ip(BEHIND), router=True))
    host.receive(ASKED)
    host.wait(DELAY_NS)
    (answer,) = host.sent6()
    assert said(answer).router


def test_who_tests_the_address_is_told_with_all_nodes() -> None:
    # Unlike proxy ARP: the host behind us would not hear it (Linux ndisc_recv_ns).
    host = router()
    host.receive(solicit(BEHIND, "::"))
    host.wait(DELAY_NS)
    (answer,) = host.sent6()
    assert (answer.dst, answer.ip.dst) == (multicast_mac(ALL_NODES), ALL_NODES)
    flags = said(answer)
    assert (flags.solicited, flags.override, flags.options.target) == (False, False, OUR_MAC)


def test_who_asks_is_learned() -> None:
    host = router()
    host.receive(ASKED)
    host.wait(DELAY_NS)
    entry = host.neighbor(PEER6)
    assert entry is not None
    assert (entry.state, entry.lladdr) == (State.DELAY, PEER_MAC)  # STALE, and the answer used it


def test_what_is_asked_by_unicast_is_answered_here_and_at_once() -> None:
    # It went to the host, whose MAC is ours, as others believe; it could not be passed on.
    host = router()
    host.receive(solicit(BEHIND, dst=BEHIND))
    (answer,) = host.sent6()
    assert said(answer).solicited
    assert host.sent6("tap1") == []
    host.receive(echo6_request(dst=BEHIND))
    assert host.sent6() == []
    assert len(host.sent6("tap1")) == 1  # the question where it is


def test_the_link_is_in_the_group_in_which_it_is_asked_for() -> None:
    group = solicited_node(ip("2001:db8::77"))
    host, entry = router(), ProxyEntry(ip("2001:db8::77"))
    net, groups = host.stack.ipv6, host.tap.ipv6.groups
    assert group not in groups.filters
    add_proxy(net, host.tap, entry)
    assert group in groups.filters
    delete_proxy(net, host.tap, entry.ip)
    assert group not in groups.filters


@pytest.mark.parametrize("target", [UNLISTED, "2001:db8:1::7"])
def test_nobody_else_is_answered_for(target: str) -> None:
    host = router()
    host.receive(solicit(target, dst="ff02::1"))
    host.wait(SECOND_NS)
    assert host.sent6() == []
    assert host.reasons() == {"nd-target-not-ours": 1}


def test_an_entry_is_of_one_link() -> None:
    host = router()
    host.receive(solicit(BEHIND, dst="ff02::1"), dev="tap1")
    host.wait(SECOND_NS)
    assert host.sent6("tap1") == []


@pytest.mark.parametrize(
    ("sysctls", "cause", "fix"),
    [
        ({"forward": 0}, "forward", ["smolctl sysctl ip6.forward=1"]),
        ({"proxy": 0}, "sysctl", ["smolctl sysctl nd.proxy=1"]),
        ({"forward": 0, "proxy": 0}, "forward", []),
    ],
)
def test_an_idle_entry_says_why(sysctls: dict[str, int], cause: str, fix: list[str]) -> None:
    host = router(**sysctls)
    host.receive(ASKED)
    host.wait(SECOND_NS)
    assert host.sent6() == []
    ((why, tally),) = [(why, tally) for (why, _), tally in host.stack.ledger.reasons.items()]
    assert (why.name, tally.detail["cause"]) == ("nd-proxy-idle", cause)
    assert why.fixes(tally.detail) == fix


def test_what_changes_meanwhile_counts() -> None:
    host = router()
    host.receive(ASKED)
    host.set("nd.proxy", 0)
    host.wait(SECOND_NS)
    assert host.sent6() == []
    assert host.reasons() == {"nd-answer-delayed": 1, "nd-proxy-idle": 1}


def test_as_many_wait_as_the_sysctl_says() -> None:
    host = router()
    host.set("neigh.proxy_qlen", 2)
    host.receive(ASKED, ASKED, ASKED)
    host.wait(SECOND_NS)
    assert len(host.sent6()) == 2
    assert host.reasons() == {"nd-answer-delayed": 2, "nd-answer-queue-full": 1}


@pytest.mark.parametrize("how", ["down", "deleted"])
def test_solicitations_go_with_their_link(how: str) -> None:
    host = router()
    host.receive(ASKED, ASKED)
    if how == "down":
        set_up(host.stack.shared, host.tap, False, host.now)
    else:
        delete_interface(host.stack.shared, host.tap, host.now)
    assert host.reasons() == {"nd-answer-delayed": 2, "nd-answer-purged": 2}


def test_a_prediction_answers_nobody() -> None:
    host = router()
    host.receive(ASKED)
    clone = clone_for_packet(host.stack)
    clone.receive(clone.interfaces["tap0"], ASKED, host.now)
    copied = clone.interfaces["tap0"].ipv6.proxies
    assert (len(copied.queue), len(host.tap.ipv6.proxies.queue)) == (2, 1)
    host.wait(DELAY_NS)
    assert len(host.sent6()) == 1


def test_one_of_several_routers_waits_as_well() -> None:
    # RFC 4861 7.2.7: the address of all routers of a network is anycast.
    host = router()
    host.receive(solicit("2001:db8::"))
    assert host.sent6() == []
    host.wait(DELAY_NS)
    (answer,) = host.sent6()
    flags = said(answer)
    assert (flags.router, flags.solicited, flags.override) == (True, True, False)
    assert host.reasons() == {"nd-answer-delayed": 1}


def test_other_icmp_for_a_proxied_host_is_passed_on() -> None:
    host = router()
    host.know(BEHIND, OTHER_MAC, dev="tap1")
    host.receive(echo6_request(dst=BEHIND))
    (passed,) = host.sent6("tap1")
    assert passed.ip.hop_limit == 63
