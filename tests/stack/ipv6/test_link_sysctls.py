"""Sysctls of single links in IPv6."""

import pytest

from smolctl.errors import StackError
from smolctl.stack.fib.route import RouteType
from smolctl.wire import icmpv6, ndp
from tests.kit.host import OTHER_MAC, ip
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    Host6,
    advertise,
    echo6_request,
    solicit,
    udp6_frame,
)

THERE = "2001:db8:7::1"


@pytest.fixture
def host() -> Host6:
    host = Host6()
    host.link("tap1", OTHER_MAC)
    host.add(f"{THERE}/64", "tap1")
    host.know(PEER6)
    host.wait(5_000_000_000)
    host.take("tap0")
    host.take("tap1")
    return host


@pytest.mark.parametrize(
    ("said", "tentative"),
    [
        ({}, True),
        ({"tap0": 0}, False),
        ({"all": 1, "tap0": 0}, True),
        ({"all": 2, "tap0": 0}, True),
        ({"default": 0}, True),
        ({"": 0}, False),
        ({"": 0, "all": 1}, True),
        ({"all": 1, "": 0}, False),
    ],
)
def test_an_address_is_tested_if_all_or_its_link_say_so(
    said: dict[str, int], tentative: bool
) -> None:
    host = Host6(dad=True)
    for scope, value in said.items():
        host.set(f"{scope}.nd.accept_dad".removeprefix("."), value)
    assert host.add("2001:db8::7/64").tentative is tentative


def test_level_2_of_all_does_without_ipv6_on_a_link_whose_address_another_node_has() -> None:
    host = Host6(bare=True, dad=True)
    host.set("all.nd.accept_dad", 2)
    host.receive(advertise(OUR_LINK_LOCAL, "O", dst="ff02::1"))
    host.poll()
    assert host.tap.settings["ip6.disable"] == 1


def advertised(host: Host6) -> list[bool]:
    """Return the router flags of what answers a solicitation."""
    host.poll()
    host.take()
    host.receive(solicit())
    host.poll()
    said = [
        seen.nd for seen in host.sent6() if seen.icmp.type == icmpv6.Type.NEIGHBOR_ADVERTISEMENT
    ]
    return [message.router for message in said if isinstance(message, ndp.NeighborAdvertisement)]


def test_a_link_is_a_routers_by_its_own_value(host: Host6) -> None:
    host.set("tap1.ip6.forward", 1)
    assert advertised(host) == [False]
    host.set("tap0.ip6.forward", 1)
    assert advertised(host) == [True]
    host.set("all.ip6.forward", 0)
    assert advertised(host) == [False]


def test_what_is_forwarded_does_not_depend_on_the_link(host: Host6) -> None:
    host.set("tap0.ip6.forward", 1)
    host.receive(udp6_frame(dst="2001:db8:7::9"))
    assert host.reasons() == {"ip6-dst-not-ours": 1}
    host.set("ip6.forward", 1)
    host.set("tap0.ip6.forward", 0)
    host.receive(udp6_frame(dst="2001:db8:7::9"))
    assert host.reasons()["neigh-pending"] == 1


def test_a_link_of_a_router_has_the_address_of_its_networks_routers(host: Host6) -> None:
    host.set("tap0.ip6.forward", 1)

    def anycast() -> list[str | None]:
        return [route.dev for route in host.stack.ipv6.fib if route.type is RouteType.ANYCAST]

    assert set(anycast()) == {"tap0"}
    host.set("tap0.ip6.forward", 0)
    assert anycast() == []


@pytest.mark.parametrize("key", ["tap0.ip6.hop_limit", "all.ip6.hop_limit"])
def test_the_hop_limit_is_that_of_the_link(host: Host6, key: str) -> None:
    host.set(key, 33)
    host.set("tap1.ip6.hop_limit", 12)
    host.receive(echo6_request())
    host.poll()
    assert [seen.ip.hop_limit for seen in host.sent6()
            if seen.icmp.type == icmpv6.Type.ECHO_REPLY] == [33]  # fmt: skip


def test_a_link_without_ipv6_has_no_address_and_takes_none(host: Host6) -> None:
    host.set("tap0.ip6.disable", 1)
    assert host.tap.ipv6.addresses.items == []
    assert host.dev("tap1").ipv6.addresses.find(ip(THERE), None) is not None
    assert advertised(host) == []
    assert host.reasons()["ip6-disabled"] == 1
    with pytest.raises(StackError, match="IPv6 is disabled on tap0") as caught:
        host.add(f"{OURS6}/64")
    assert (caught.value.hint, caught.value.errno_name) == (
        *("smolctl sysctl tap0.ip6.disable=0", "EACCES"),
    )
    host.dev("tap1").ipv6.addresses.items.clear()
    host.set("tap0.ip6.disable", 0)
    assert len(host.tap.ipv6.addresses.items) == 1  # its link-local one
    assert host.dev("tap1").ipv6.addresses.items == []  # nothing has happened to it


def test_default_is_for_links_to_come(host: Host6) -> None:
    host.set("default.ip6.disable", 1)
    assert host.tap.settings["ip6.disable"] == 0
    assert host.link("tap2").ipv6.addresses.items == []
