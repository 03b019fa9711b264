"""What a fix names: plausible in the stack at hand, or left out."""

import pytest

from smolctl.stack.config.link import set_up
from smolctl.stack.explain import suggest
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, OURS, PEER, Host, ip


@pytest.mark.parametrize(
    ("asked", "peer", "plen"),
    [
        ("10.0.0.3", "0.0.0.0", 24),  # inside the network that is there
        ("10.0.0.255", "0.0.0.0", 32),  # its broadcast address, which no /24 may have
        ("10.9.0.3", "10.9.0.4", 24),
        ("10.9.0.3", "10.9.7.4", 21),  # a network that holds both
        ("10.9.0.3", "192.0.2.1", 32),  # nothing holds both
        ("10.9.0.3", "0.0.0.0", 24),
        ("10.9.0.0", "10.9.0.4", 32),  # the network's own address
    ],
)
def test_the_prefix_length_of_a_new_address(asked: str, peer: str, plen: int) -> None:
    host = Host()
    assert suggest.address(host.stack.ipv4, host.tap, ip(asked), ip(peer)) == {"plen": plen}


@pytest.mark.parametrize("asked", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "240.0.0.1"])
def test_what_no_host_can_have_is_never_suggested(asked: str) -> None:
    host = Host()
    assert suggest.address(host.stack.ipv4, host.tap, ip(asked)) == {}
    assert suggest.owner(host.stack.ipv4, ip(asked)) == {}
    assert suggest.neighbor_of(host.tap, ip(asked)) == {}
    host.delete(OURS)
    assert suggest.no_route(host.stack.ipv4, ip(asked)) == {}


def test_a_loopback_address_belongs_to_lo_alone() -> None:
    host = Host()
    assert suggest.address(host.stack.ipv4, host.tap, ip("127.0.0.2")) == {}
    assert suggest.address(host.stack.ipv4, host.stack.interfaces.loopback, ip("127.0.0.2")) == {
        "plen": 8
    }
    assert suggest.owner(host.stack.ipv4, ip("127.9.9.9")) == {
        "out": "lo",
        "plen": 32,
    }


def test_an_address_belongs_to_the_interface_whose_network_holds_it() -> None:
    host = Host()
    assert suggest.owner(host.stack.ipv4, ip("10.0.0.77")) == {
        "out": "tap0",
        "plen": 24,
    }
    assert suggest.owner(host.stack.ipv4, ip("192.0.2.1")) == {
        "out": "lo",
        "plen": 32,
    }


def test_the_gateway_is_the_first_address_of_a_network_unless_it_is_ours() -> None:
    host = Host()
    assert suggest.gateway(host.stack.ipv4) == ip("10.0.0.2")
    host.delete(OURS)
    assert suggest.gateway(host.stack.ipv4) is None
    host.add("10.0.0.9/24")
    assert suggest.gateway(host.stack.ipv4) == ip("10.0.0.1")


def test_the_gateway_is_a_neighbor_that_answers_when_there_is_one() -> None:
    host = Host()
    host.send(host.socket(), DEAD)
    host.wait(4 * SECOND_NS)  # an entry that is FAILED is no answer
    assert suggest.gateway(host.stack.ipv4) == ip("10.0.0.2")
    host.know("10.0.0.40")
    assert suggest.gateway(host.stack.ipv4) == ip("10.0.0.40")
    host.know(PEER)
    assert suggest.gateway(host.stack.ipv4) == ip(
        PEER
    )  # the first address is a router's before others


def test_an_interface_that_is_down_has_no_gateway() -> None:
    host = Host()
    set_up(host.stack.shared, host.tap, False, host.now)
    assert suggest.no_route(host.stack.ipv4, ip("8.8.8.8")) == {"own": ip("8.8.8.8")}
    assert suggest.no_route(host.stack.ipv4, ip("10.0.0.2")) == {"down": "tap0"}


def test_an_address_to_reach_a_peer_is_in_its_network_and_not_its_own() -> None:
    tap = Host().tap
    assert suggest.neighbor_of(tap, ip("10.7.0.1")) == {"suggest": ip("10.7.0.254"), "plen": 24}
    assert suggest.neighbor_of(tap, ip("10.7.0.254")) == {"suggest": ip("10.7.0.253"), "plen": 24}
    assert suggest.neighbor_of(tap, ip("10.7.0.255")) == {"suggest": ip("10.7.0.254"), "plen": 24}


def test_the_addresses_of_an_interface_are_listed_within_a_line() -> None:
    host = Host()
    assert suggest.networks(host.stack.ipv4, host.tap) == "10.0.0.1/24"
    for number in range(3, 8):
        host.add(f"10.0.0.{number}/24")
    assert suggest.networks(host.stack.ipv4, host.tap).endswith("10.0.0.5/24, ...")
    assert suggest.networks(host.stack.ipv4, host.link("tap1")) == "no address"


def test_a_full_table_gets_twice_the_room_within_the_sysctls_bounds() -> None:
    for now, value in ((1, 8), (4, 8), (1024, 2048), (500_000, 1_000_000)):
        assert suggest.room(now, "iface.neighbor_cache_count") == {"value": value}
    assert suggest.room(500_001, "iface.neighbor_cache_count") == {}
