"""The interface of a program: its addresses, and what it cannot have; nothing is half made."""

from collections.abc import Callable
from typing import Any

import pytest

from smolctl.errors import DeviceError, InvalidArgument, SmolctlError
from tests.ops.kit import Api, Exchange, Row

FD = 99


class Passing(Exchange):
    """An exchange whose client has passed a descriptor."""

    def take_descriptors(self) -> list[int]:
        return [FD]


@pytest.fixture
def api() -> Api:
    return Api()


def begin(api: Api, asked: dict[str, str] | None = None, exchange: Exchange | None = None) -> Row:
    """Return what a program is told."""
    exchange = exchange or Passing()
    given = {"program": "curl", "pid": 7, **(asked or {})}
    api.engine.request("exec.open", given, exchange, api.clock.now)
    (row,) = exchange.answer
    return dict(row)


def wires(row: Row) -> list[str]:
    """Return the addresses and gateways."""
    return [f"{each['local']}/{each['prefixlen']} {each['gateway']}" for each in row["addresses"]]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["198.18.0.2/30 198.18.0.1", "fd00:198:18::2/64 fd00:198:18::1"]),
        ({"family": "inet"}, ["198.18.0.2/30 198.18.0.1"]),
        ({"family": "inet6"}, ["fd00:198:18::2/64 fd00:198:18::1"]),
        ({"mtu": "1279"}, ["198.18.0.2/30 198.18.0.1"]),
        ({"addr": "192.0.2.1/24"},
         ["192.0.2.1/24 192.0.2.2", "fd00:198:18::2/64 fd00:198:18::1"]),
        ({"addr": "192.0.2.9/31", "family": "inet"}, ["192.0.2.9/31 192.0.2.8"]),
        ({"addr": "192.0.2.9/24,2001:db8:9::9/64", "via": "192.0.2.254"},
         ["192.0.2.9/24 192.0.2.254", "2001:db8:9::9/64 2001:db8:9::1"]),
        # Within a network that is reached by a router, as any other more specific route.
        ({"addr": "172.16.5.2/24", "family": "inet"}, ["172.16.5.2/24 172.16.5.1"]),
    ],
)  # fmt: skip
def test_a_program_gets_addresses_and_the_stack_those_beside_them(
    api: Api, asked: dict[str, str], expected: list[str]
) -> None:
    api("route.add", dst="172.16.0.0/12", type="unicast", via="10.0.0.2")
    row = begin(api, asked)
    assert wires(row) == expected
    assert row["ifname"] == "exec0"
    (shown,) = api("addr.show", dev="exec0")
    ours = {info["local"]: info.get("tentative", False) for info in shown["addr_info"]}
    for each in row["addresses"]:
        assert ours[each["gateway"]] is False


def test_a_network_that_is_owned_or_routed_is_not_chosen(api: Api) -> None:
    api("route.add", dst="198.18.0.3", type="unicast", via="10.0.0.2")
    api("addr.add", local="198.18.1.9/24", dev="tap0")
    api("route.add", dst="fd00:198:18::/64", type="blackhole")
    api("route.add", dst="default", type="unicast", via="10.0.0.2")
    first = begin(api)
    assert wires(first) == ["198.18.2.2/30 198.18.2.1", "fd00:198:18:1::2/64 fd00:198:18:1::1"]
    second = begin(api)
    assert (second["ifname"], wires(second)[0]) == ("exec1", "198.18.3.2/30 198.18.3.1")


def test_where_the_usual_block_is_routed_another_is_taken(api: Api) -> None:
    api("route.add", dst="198.18.0.0/15", type="unicast", via="10.0.0.2")
    assert wires(begin(api, {"family": "inet"})) == ["10.200.0.2/30 10.200.0.1"]
    api("route.add", dst="10.192.0.0/10", type="unicast", via="10.0.0.2")
    with pytest.raises(InvalidArgument, match="all networks for programs have routes"):
        begin(api, {"family": "inet"})


def test_without_ipv6_there_is_none_for_programs_either(api: Api) -> None:
    api("sysctl.set", key="ip6.disable", value="1")
    assert wires(begin(api)) == ["198.18.0.2/30 198.18.0.1"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"addr": "10.0.0.1/24"}, "addr 10.0.0.1 is an address of the stack already (dev tap0)"),
        ({"addr": "10.0.0.9/24"}, "addr 10.0.0.9/24: the stack has a route to 10.0.0.0/24 already"),
        ({"addr": "192.0.2.2/24", "via": "10.0.0.1"},
         "via 10.0.0.1 is not in the network of addr 192.0.2.2/24"),
        ({"addr": "192.0.2.0/24"}, "addr 192.0.2.0 is the network's own address: 192.0.2.0/24"),
        ({"addr": "192.0.2.255/24"}, "addr 192.0.2.255 is its broadcast address: 192.0.2.0/24"),
        ({"addr": "192.0.2.2"}, 'addr "192.0.2.2" needs a prefix length'),
        ({"addr": "192.0.2.2/32"}, "its network must have room for the stack's address, too"),
        ({"addr": "127.0.0.9/8"}, "addr 127.0.0.9 is not an address that a host has beyond"),
        ({"addr": "224.0.0.9/8"}, "addr 224.0.0.9 is not an address that a host has beyond"),
        ({"addr": "fe80::9/64"}, "addr fe80::9 is not an address that a host has beyond"),
        ({"addr": "192.0.2/24"}, "192.0.2"),
        ({"via": "192.0.2.1"}, "that needs addr ADDR/LEN"),
        ({"addr": "192.0.2.2/24", "via": "192.0.2.2"}, "is the program's own address"),
        ({"addr": "192.0.2.2/24,192.0.2.3/24"}, "one address of each family"),
        ({"link": "tap0"}, 'the interface "tap0" already exists'),
        ({"link": "a/b"}, '"a/b" is not an interface name'),
        ({"link": "a%d"}, '"a%d" is not an interface name'),
        ({"mtu": "67"}, 'mtu "67" is not a whole number of 68..65521'),
    ],
)  # fmt: skip
def test_what_a_program_cannot_have(api: Api, asked: dict[str, str], said: str) -> None:
    with pytest.raises(SmolctlError) as caught:
        begin(api, asked)
    assert said in caught.value.message
    assert list(api.stack.interfaces) == ["lo", "tap0"]


def test_without_a_descriptor_there_is_no_link(api: Api) -> None:
    with pytest.raises(InvalidArgument, match="needs the descriptor of a TAP beside it"):
        begin(api, None, Exchange())
    assert list(api.stack.interfaces) == ["lo", "tap0"]


@pytest.mark.parametrize("where", ["adopt", "attach"])
def test_what_fails_half_way_leaves_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def refuse(*_: Any) -> None:
        raise DeviceError("no")

    fails: Callable[..., None] = refuse
    monkeypatch.setattr(api.cables, where, fails)
    with pytest.raises(DeviceError):
        begin(api)
    assert list(api.stack.interfaces) == ["lo", "tap0"]
    assert "exec0" not in api.cables.devices
