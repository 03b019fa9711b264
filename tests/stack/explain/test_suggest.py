"""The names in a fix: plausible in the stack at hand, or left out."""

import pytest

from smolctl.stack import reason
from smolctl.stack.config.link import set_up
from smolctl.stack.explain import suggest, suggest_addresses
from smolctl.stack.fib.route import RouteType
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, PEER, Host, ip


@pytest.mark.parametrize(
    ("asked", "more"),
    [
        ("10.0.0.3", {"plen": 24}),  # inside the network that is there
        ("10.0.0.255", {}),  # its broadcast address
        ("10.0.0.9", {}),  # somebody else is known to have it
        ("10.9.0.3", {}),  # in no network that anybody has configured
        ("224.0.0.1", {}),
        ("255.255.255.255", {}),
        ("0.0.0.0", {}),
        ("240.0.0.1", {}),
        ("127.0.0.2", {}),
    ],
)
def test_an_address_of_our_own_is_one_of_a_network_that_we_have(
    asked: str, more: dict[str, int]
) -> None:
    host = Host()
    host.know("10.0.0.9")
    assert suggest_addresses.address(host.stack.ipv4, host.tap, ip(asked)) == more


def test_a_loopback_address_belongs_to_lo_alone() -> None:
    host = Host()
    lo = host.stack.interfaces.loopback
    assert suggest_addresses.address(host.stack.ipv4, lo, ip("127.0.0.2")) == {"plen": 8}


def test_a_neighbor_alone_may_be_the_router() -> None:
    host = Host()
    assert suggest_addresses.gateway(host.stack.ipv4) is None
    host.send(host.socket(), DEAD)
    host.wait(4 * SECOND_NS)  # an entry that is FAILED is no answer
    assert suggest_addresses.gateway(host.stack.ipv4) is None
    host.know("10.0.0.40")
    assert suggest_addresses.gateway(host.stack.ipv4) == (ip("10.0.0.40"), "tap0")


def test_of_several_neighbors_the_one_with_the_first_address_is_the_router() -> None:
    host = Host("10.0.0.7/24")
    host.know("10.0.0.40")
    host.know("10.0.0.41")
    assert suggest_addresses.gateway(host.stack.ipv4) is None
    host.know("10.0.0.1")
    assert suggest_addresses.gateway(host.stack.ipv4) == (ip("10.0.0.1"), "tap0")


def test_the_gateway_of_another_route_comes_before_any_neighbor() -> None:
    host = Host()
    host.know("10.0.0.40")
    host.route("10.9.0.0/16", via=PEER)
    assert suggest_addresses.gateway(host.stack.ipv4) == (ip(PEER), "tap0")


def test_there_is_no_second_default_route() -> None:
    host = Host()
    host.know(PEER)
    host.route("0.0.0.0/0", kind=RouteType.THROW)
    assert suggest_addresses.gateway(host.stack.ipv4) is None


def test_an_interface_that_is_down_has_no_gateway() -> None:
    host = Host()
    host.know(PEER)
    set_up(host.stack.shared, host.tap, False, host.now)
    assert "gateway" not in suggest_addresses.no_route(host.stack.ipv4, ip("8.8.8.8"))
    assert suggest_addresses.no_route(host.stack.ipv4, ip("10.0.0.2")) == {"down": "tap0"}


def test_no_gateway_leads_to_who_is_on_a_link_of_ours() -> None:
    host = Host()
    host.know(PEER)
    asked = suggest_addresses.no_route(host.stack.ipv4, ip("10.0.0.9"))
    assert asked == {"look": "is it on tap0? smolctl route show dev tap0"}
    assert "gateway" in suggest_addresses.no_route(host.stack.ipv4, ip("8.8.8.8"))


def test_the_addresses_of_an_interface_are_listed_within_a_line() -> None:
    host = Host()
    assert suggest_addresses.networks(host.stack.ipv4, host.tap) == "10.0.0.1/24"
    for number in range(3, 8):
        host.add(f"10.0.0.{number}/24")
    assert suggest_addresses.networks(host.stack.ipv4, host.tap).endswith("10.0.0.5/24, ...")
    assert suggest_addresses.networks(host.stack.ipv4, host.link("tap1")) == "no address"


@pytest.mark.parametrize("dst", ["127.0.0.1", "::1"])
def test_what_listens_in_this_stack_is_not_asked_of_a_kernel(dst: str) -> None:
    host = Host(ipv6=True)
    socket = host.socket(5000, "0.0.0.0" if "." in dst else "::")
    host.send(socket, dst)
    host.wait(1)
    (error,) = socket.errors
    assert error.reason is reason.ICMP_PORT_UNREACHABLE
    assert error.reason.look(error.detail) == "what listens: smolctl socket show"


def test_a_full_table_gets_twice_the_room_within_the_sysctls_bounds() -> None:
    for now, value in ((1, 8), (4, 8), (1024, 2048), (500_000, 1_000_000)):
        assert suggest.room(now, "iface.neighbor_cache_count") == {"value": value}
    assert suggest.room(500_001, "iface.neighbor_cache_count") == {}
