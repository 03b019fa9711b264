"""Addresses that are groups: joined as long as they are there, and nobody's own."""

import pytest

from smolctl.errors import AddressInUse, AlreadyExists, InvalidArgument, NoBuffers, StackError
from smolctl.stack.config.addr import add_address
from smolctl.stack.config.link import set_up
from smolctl.stack.explain import suggest_addresses as suggest
from smolctl.stack.fib.route import Scope
from smolctl.stack.ip.addresses import Address
from smolctl.wire.address import parse_prefix
from tests.kit.groups import ALL_HOSTS, GROUP, OTHER_GROUP, group_frame, join, settled, words
from tests.kit.host import Host, request, text


@pytest.fixture
def host() -> Host:
    return Host()


def add(host: Host, prefix: str = f"{GROUP}/32", dev: str = "tap0") -> Address:
    local, plen = parse_prefix(prefix)
    address = Address(local, plen or 0, Scope.GLOBAL, dev, autojoin=True)
    add_address(host.stack.ipv4, host.dev(dev), address, host.now)
    return address


def groups(host: Host, dev: str = "tap0") -> list[str]:
    return [text(group) for group in host.dev(dev).ipv4.groups.filters]


def test_it_is_joined_and_left_with_the_address(host: Host) -> None:
    add(host)
    assert words(host) == [(f"to_ex {GROUP}",)]
    assert groups(host) == [ALL_HOSTS, GROUP]
    settled(host)
    assert host.delete(GROUP) == [f"{GROUP}/32"]
    assert words(host) == [(f"to_in {GROUP}",)]
    assert groups(host) == [ALL_HOSTS]


def test_sockets_hear_what_is_sent_to_it(host: Host) -> None:
    add(host)
    socket = host.socket(5000)
    host.receive(group_frame(b"to all"))
    assert [datagram[0] for datagram in socket.receive_all()] == [b"to all"]


def test_no_route_follows_from_it(host: Host) -> None:
    before = list(host.stack.ipv4.fib)
    add(host, f"{GROUP}/24")
    assert list(host.stack.ipv4.fib) == before
    host.delete(GROUP)
    assert list(host.stack.ipv4.fib) == before


def test_nobody_is_told_that_it_is_ours(host: Host) -> None:
    for sysctl in ("arp.notify", "arp.dad"):
        host.set(sysctl, 1)
    assert not add(host).tentative
    host.receive(request(target=GROUP))
    assert words(host) == [(f"to_ex {GROUP}",)]  # and no ARP, which said() would not understand


@pytest.mark.parametrize("first_source", [0, 1])
def test_rfc1122_3_2_1_3_it_is_no_source(first_source: int) -> None:
    host = Host(bare=True)
    host.set("ip.first_source", first_source)
    host.link("tap1")
    for dev in ("tap0", "tap1"):
        add(host, f"{GROUP}/1", dev)  # its network holds all that is below
    host.add("10.0.0.1/24", "tap1")
    settled(host)
    host.route("192.0.2.1/32", "tap0")
    host.know("192.0.2.1")
    host.send(host.socket(), "192.0.2.1")
    (sent,) = host.sent()
    assert sent.ip is not None
    assert text(sent.ip.src) == "10.0.0.1"


def test_a_link_that_comes_up_reports_it(host: Host) -> None:
    add(host)
    settled(host)
    set_up(host.stack.shared, host.tap, False, host.now)
    set_up(host.stack.shared, host.tap, True, host.now)
    assert words(host) == [(f"to_ex {GROUP}",)]


def test_it_stays_joined_for_others(host: Host) -> None:
    add(host)
    socket = host.socket(5000)
    join(host, socket)
    host.delete(GROUP)
    assert groups(host) == [ALL_HOSTS, GROUP]


def refused(host: Host, prefix: str, kind: type[StackError], shown: str) -> None:
    before = [item.local for item in host.tap.ipv4.addresses.items], groups(host)
    with pytest.raises(kind, match=shown):
        add(host, prefix)
    assert ([item.local for item in host.tap.ipv4.addresses.items], groups(host)) == before


def test_what_is_no_group_cannot_be_joined(host: Host) -> None:
    """Linux: "Multicast auto join failed", EINVAL."""
    refused(host, "10.0.0.7/24", InvalidArgument, "is not a group")
    with pytest.raises(InvalidArgument, match="multicast") as caught:
        host.add(f"{GROUP}/32")
    assert caught.value.hint is not None
    assert "autojoin" in caught.value.hint


def test_a_group_is_joined_once(host: Host) -> None:
    add(host)
    refused(host, f"{GROUP}/32", AlreadyExists, "already")
    refused(host, f"{GROUP}/24", AddressInUse, "another length")


def test_all_of_them_are_limited_as_a_sockets(host: Host) -> None:
    """Linux joins them by one socket of each namespace, mc_autojoin_sk."""
    host.set("igmp.max_memberships", 2)
    host.link("tap1")
    add(host)
    add(host, f"{GROUP}/32", "tap1")
    refused(host, f"{OTHER_GROUP}/32", NoBuffers, "may have 2 groups")
    host.delete(GROUP, "tap1")
    add(host, f"{OTHER_GROUP}/32")


def test_what_a_fix_suggests_is_not_of_its_network(host: Host) -> None:
    assert add(host, f"{GROUP}/24") in host.tap.ipv4.addresses.items
    assert suggest.networks(host.stack.ipv4, host.tap) == "10.0.0.1/24"
