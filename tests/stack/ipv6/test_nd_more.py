"""Advertisements that nobody asked for, the groups of a router, and a link whose MAC is taken."""

import pytest

from smolctl.errors import NoBuffers
from smolctl.stack.config.link import set_up
from smolctl.stack.neighbor.states import State
from tests.kit.clock import SECOND_NS
from tests.kit.groups6 import member6
from tests.kit.host import OUR_MAC, PEER_MAC, ip
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    Host6,
    advertise,
    echo6_request,
)

ROUTERS = ("ff01::2", "ff02::2", "ff05::2")


@pytest.fixture
def host() -> Host6:
    return Host6()


@pytest.mark.parametrize(("flags", "learned"), [("O", False), ("SO", True)])
def test_what_nobody_asked_for_can_be_dropped(host: Host6, flags: str, learned: bool) -> None:
    host.know(PEER6, b"\2\0\0\0\0\x33", State.STALE)
    host.set("nd.drop_unsolicited_na", 1)
    host.receive(advertise(flags=flags))
    entry = host.stack.ipv6.neighbors["tap0"].lookup(ip(PEER6))
    assert entry is not None
    assert (entry.lladdr == PEER_MAC) is learned


def test_it_still_says_that_an_address_under_test_is_taken() -> None:
    host = Host6(dad=True)
    host.set("nd.drop_unsolicited_na", 1)
    host.wait(700_000_000)
    host.receive(advertise(OURS6, "O", dst="ff02::1"))
    host.poll()
    address = host.tap.ipv6.addresses.find(ip(OURS6), None)
    assert address is not None
    assert address.dadfailed


@pytest.mark.parametrize(
    ("level", "router", "node", "there"),
    [
        ("none", 1, PEER6, False),
        ("any", 0, PEER6, False),
        ("any", 1, "2001:db8:7::9", True),
        ("subnet", 1, PEER6, True),
        ("subnet", 1, "2001:db8:7::9", False),
    ],
)
def test_a_router_may_learn_of_nodes_that_it_has_not_asked_for(
    host: Host6, level: str, router: int, node: str, there: bool
) -> None:
    host.set("ip6.forward", router)
    host.settings.set("nd.accept_untracked_na", level)
    host.receive(advertise(node, "O", dst="ff02::1"))
    entry = host.stack.ipv6.neighbors["tap0"].lookup(ip(node))
    assert (entry is not None) is there
    if entry is not None:
        assert (entry.state, entry.lladdr) == (State.STALE, PEER_MAC)


def test_a_router_is_in_the_groups_of_routers(host: Host6) -> None:
    filters = host.tap.ipv6.groups.filters
    host.receive(echo6_request(dst="ff02::2"))
    assert host.reasons() == {"ip6-multicast-not-joined": 1}
    host.stack.settings.set("ip6.forward", "1")
    host.stack.ipv6.sysctl_changed("ip6.forward")
    assert {ip(group) for group in ROUTERS} <= set(filters)
    host.receive(echo6_request(dst="ff02::2"))
    assert host.reasons()["ip6-multicast-not-joined"] == 1
    new = host.link("tap1")
    assert {ip(group) for group in ROUTERS} <= set(new.ipv6.groups.filters)
    host.stack.settings.set("ip6.forward", "0")
    host.stack.ipv6.sysctl_changed("ip6.forward")
    assert not {ip(group) for group in ROUTERS} & set(filters)


@pytest.mark.parametrize(
    ("level", "target", "disabled"),
    [(1, OUR_LINK_LOCAL, False), (2, OUR_LINK_LOCAL, True), (2, OURS6, False)],
)
def test_a_link_whose_mac_another_node_has_does_without_ipv6(
    level: int, target: str, disabled: bool
) -> None:
    host = Host6(dad=True)
    host.set("nd.accept_dad", level)
    host.wait(700_000_000)
    host.receive(advertise(target, "O", dst="ff02::1"))
    host.wait(5 * SECOND_NS)
    assert (host.tap.settings["ip6.disable"] == 1) is disabled
    assert (host.tap.ipv6.addresses.items == []) is disabled
    assert host.tap.mac == OUR_MAC


def test_it_stays_without_until_the_sysctl_says_otherwise() -> None:
    host = Host6(dad=True, bare=True)
    host.set("nd.accept_dad", 2)
    host.wait(700_000_000)
    host.receive(advertise(OUR_LINK_LOCAL, "O", dst="ff02::1"))
    host.poll()
    for up in (False, True):
        set_up(host.stack.shared, host.tap, up, host.now)
    assert host.tap.ipv6.addresses.items == []
    host.stack.settings.set("tap0.ip6.disable", "0")
    host.stack.ipv6.sysctl_changed("tap0.ip6.disable")
    host.wait(5 * SECOND_NS)
    assert [item.tentative for item in host.tap.ipv6.addresses.items] == [False]


def test_a_socket_has_as_many_groups_of_ipv6_as_the_sysctl_of_mld_allows(host: Host6) -> None:
    host.set("mld.max_memberships", 1)
    host.set("igmp.max_memberships", 0)
    member6(host)
    host.set("mld.max_memberships", 0)
    with pytest.raises(NoBuffers) as caught:
        member6(host)
    assert caught.value.hint == "smolctl sysctl mld.max_memberships=1"
