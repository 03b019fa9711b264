"""Addresses of an interface, and the routes that follow from them, as Linux derives them."""

import pytest

from smolctl.errors import AlreadyExists, InvalidArgument
from smolctl.stack.config.link import add_interface, set_up
from smolctl.stack.fib.route import RouteType, Scope, TableName
from smolctl.stack.interface import Medium
from smolctl.stack.ip.addresses import Address, AddressList
from tests.kit.host import Host, ip, text


def derived(host: Host, dev: str = "tap0") -> set[str]:
    """Return the routes of an interface as ``ip route show table all`` prints their heads."""
    return {
        f"{route.type} {text(route.prefix)}/{route.plen} src {text(route.prefsrc or 0)}"
        for route in host.stack.ipv4.fib
        if route.dev == dev
    }


def bare(*addresses: str) -> Host:
    """Return a host whose tap0 has just these addresses, or none."""
    host = Host(bare=True)
    for address in addresses:
        host.add(address)
    return host


# --- primary and secondary ------------------------------------------------------------------------


def shown(addresses: AddressList) -> list[str]:
    return [
        f"{text(item.local)}/{item.plen}{' secondary' if item.secondary else ''}"
        for item in addresses.items
    ]


def test_a_second_address_of_a_network_is_secondary() -> None:
    host = bare("10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/25", "10.1.0.1/24")
    assert shown(host.tap.ipv4.addresses) == [
        "10.0.0.1/24",
        "10.0.0.3/25",
        "10.1.0.1/24",
        "10.0.0.2/24 secondary",
    ]


def test_primaries_stand_by_scope_the_nearest_first() -> None:
    host = bare("10.0.0.1/24")
    host.add("10.1.0.1/24", scope=Scope.HOST)
    host.add("10.2.0.1/24", scope=Scope.LINK)
    host.add("10.3.0.1/24", scope=Scope.GLOBAL)
    assert shown(host.tap.ipv4.addresses) == [
        "10.1.0.1/24",
        "10.2.0.1/24",
        "10.0.0.1/24",
        "10.3.0.1/24",
    ]


def test_a_primary_takes_its_secondaries_with_it() -> None:
    host = bare("10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.1.0.1/24", "10.0.0.4/25")
    assert host.delete("10.0.0.1") == ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24"]
    assert shown(host.tap.ipv4.addresses) == ["10.1.0.1/24", "10.0.0.4/25"]
    assert not host.stack.ipv4.fib.is_local(ip("10.0.0.3"))


def test_a_secondary_goes_alone() -> None:
    host = bare("10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24")
    assert host.delete("10.0.0.2") == ["10.0.0.2/24"]
    assert shown(host.tap.ipv4.addresses) == ["10.0.0.1/24", "10.0.0.3/24 secondary"]


def test_the_same_address_twice_is_refused_but_with_another_length() -> None:
    host = bare("10.0.0.1/24")
    with pytest.raises(AlreadyExists):
        host.add("10.0.0.1/24")
    host.add("10.0.0.1/16")
    assert shown(host.tap.ipv4.addresses) == ["10.0.0.1/24", "10.0.0.1/16"]


def test_one_network_has_one_scope() -> None:
    host = bare("10.0.0.1/24")
    with pytest.raises(InvalidArgument, match="another scope"):
        host.add("10.0.0.2/24", scope=Scope.LINK)
    assert shown(host.tap.ipv4.addresses) == ["10.0.0.1/24"]


@pytest.mark.parametrize(
    ("destination", "scope", "selected"),
    [
        (None, Scope.GLOBAL, "10.0.0.1"),
        (None, Scope.LINK, "10.2.0.1"),  # the nearest scope stands first
        ("10.1.0.77", Scope.LINK, "10.1.0.1"),
        ("10.0.0.77", Scope.LINK, "10.0.0.1"),  # never the secondary
        ("8.8.8.8", Scope.GLOBAL, "10.0.0.1"),
        ("10.2.0.77", Scope.GLOBAL, "10.0.0.1"),  # 10.2.0.1 has scope link
        ("10.2.0.77", Scope.LINK, "10.2.0.1"),
    ],
)
def test_a_source_address_is_selected_as_inet_select_addr(
    destination: str | None, scope: Scope, selected: str
) -> None:
    host = bare("10.0.0.1/24", "10.1.0.1/24", "10.0.0.2/24")
    host.add("10.2.0.1/24", scope=Scope.LINK)
    wanted = None if destination is None else ip(destination)
    found = host.tap.ipv4.addresses.select(wanted, scope)
    assert found is not None
    assert text(found) == selected


def test_there_may_be_no_address_to_select() -> None:
    addresses = AddressList(32)
    assert addresses.select(None, Scope.LINK) is None
    addresses.insert(Address(ip("10.0.0.1"), 24, Scope.HOST, "x"))
    assert addresses.select(None, Scope.LINK) is None


# --- derived routes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "routes"),
    [
        (
            "10.0.0.1/24",
            {
                "local 10.0.0.1/32 src 10.0.0.1",
                "unicast 10.0.0.0/24 src 10.0.0.1",
                "broadcast 10.0.0.255/32 src 10.0.0.1",
            },
        ),
        (
            "10.0.0.1/30",
            {
                "local 10.0.0.1/32 src 10.0.0.1",
                "unicast 10.0.0.0/30 src 10.0.0.1",
                "broadcast 10.0.0.3/32 src 10.0.0.1",
            },
        ),
        # RFC 3021: two addresses, no broadcast.
        (
            "10.0.0.1/31",
            {"local 10.0.0.1/32 src 10.0.0.1", "unicast 10.0.0.0/31 src 10.0.0.1"},
        ),
        (
            "10.0.0.0/31",
            {"local 10.0.0.0/32 src 10.0.0.0", "unicast 10.0.0.0/31 src 10.0.0.0"},
        ),
        ("10.0.0.1/32", {"local 10.0.0.1/32 src 10.0.0.1"}),
        ("10.0.0.1/0", {"local 10.0.0.1/32 src 10.0.0.1"}),
    ],
)
def test_an_address_brings_its_routes(address: str, routes: set[str]) -> None:
    host = bare(address)
    assert derived(host) == routes
    assert {route.protocol for route in host.stack.ipv4.fib if route.dev == "tap0"} == {"kernel"}


def test_derived_routes_are_in_linux_tables_and_scopes() -> None:
    host = bare("10.0.0.1/24")
    found = {(r.type, r.table, r.scope) for r in host.stack.ipv4.fib if r.dev == "tap0"}
    assert found == {
        (RouteType.LOCAL, TableName.LOCAL, Scope.HOST),
        (RouteType.BROADCAST, TableName.LOCAL, Scope.LINK),
        (RouteType.UNICAST, TableName.MAIN, Scope.LINK),
    }


def test_on_a_loopback_the_whole_network_is_local() -> None:
    host = Host()
    assert derived(host, "lo") == {
        "local 127.0.0.0/8 src 127.0.0.1",
        "local 127.0.0.1/32 src 127.0.0.1",
        "broadcast 127.255.255.255/32 src 127.0.0.1",
    }
    assert host.stack.ipv4.fib.is_local(ip("127.1.2.3"))


def test_routes_of_a_secondary_prefer_the_primary() -> None:
    host = bare("10.0.0.1/24", "10.0.0.2/24")
    assert "local 10.0.0.2/32 src 10.0.0.1" in derived(host)
    assert len(derived(host)) == 4
    host.delete("10.0.0.2")
    assert derived(host) == derived(bare("10.0.0.1/24"))


@pytest.mark.parametrize(
    ("broadcast", "extra"),
    [
        ("10.0.0.255", set()),
        ("10.0.0.200", {"broadcast 10.0.0.200/32 src 10.0.0.1"}),
        ("255.255.255.255", set()),
    ],
)
def test_a_broadcast_address_that_is_asked_for_is_a_route_too(
    broadcast: str, extra: set[str]
) -> None:
    host = bare("10.9.9.9/32")
    host.add("10.0.0.1/24", broadcast=broadcast)
    assert derived(host) - derived(bare("10.9.9.9/32", "10.0.0.1/24")) == extra
    host.delete("10.0.0.1")
    assert derived(host) == {"local 10.9.9.9/32 src 10.9.9.9"}


def test_two_lengths_of_one_address_share_its_local_route() -> None:
    host = bare("10.0.0.1/24", "10.0.0.1/16")
    host.delete("10.0.0.1")
    assert shown(host.tap.ipv4.addresses) == ["10.0.0.1/16"]
    assert derived(host) == derived(bare("10.0.0.1/16"))


# --- link state -----------------------------------------------------------------------------------


def test_down_leaves_only_the_local_routes_and_up_brings_the_others_back() -> None:
    host = bare("10.0.0.1/24", "10.0.0.2/24")
    before = derived(host)
    set_up(host.stack.shared, host.tap, False, host.now)
    assert derived(host) == {
        "local 10.0.0.1/32 src 10.0.0.1",
        "local 10.0.0.2/32 src 10.0.0.1",
    }
    set_up(host.stack.shared, host.tap, True, host.now)
    assert derived(host) == before


def test_an_address_of_a_link_that_is_down_is_local_and_no_more() -> None:
    host = bare()
    set_up(host.stack.shared, host.tap, False, host.now)
    host.add("10.0.0.1/24")
    assert "local 10.0.0.1/32 src 10.0.0.1" in derived(host)
    assert "unicast 10.0.0.0/24 src 10.0.0.1" not in derived(host)
    set_up(host.stack.shared, host.tap, True, host.now)
    assert "unicast 10.0.0.0/24 src 10.0.0.1" in derived(host)


def test_a_loopback_keeps_its_network_while_it_is_down_and_loses_it_with_the_address() -> None:
    host = Host()
    host.add("127.1.0.1/16", "lo", Scope.HOST)
    set_up(host.stack.shared, host.stack.interfaces.loopback, False, host.now)
    assert host.stack.ipv4.fib.is_local(ip("127.1.2.3"))
    host.delete("127.0.0.1", "lo")
    assert derived(host, "lo") == {
        "local 127.1.0.0/16 src 127.1.0.1",
        "local 127.1.0.1/32 src 127.1.0.1",
    }


def test_another_loopback_is_one_too() -> None:
    host = Host()
    add_interface(host.stack.shared, "lo1", "loopback", Medium.IP, 65536, None)
    host.add("192.168.7.1/24", "lo1")
    assert host.stack.ipv4.fib.is_local(ip("192.168.7.200"))


def test_with_the_last_address_all_routes_by_the_link_go() -> None:
    host = bare("10.0.0.1/24")
    host.route("192.168.0.0/16", via="10.0.0.2")
    host.route("172.16.0.0/12", dev="tap0")
    host.know("10.0.0.2")
    host.delete("10.0.0.1")
    assert derived(host) == set()
    assert list(host.cache()) == []


def test_routes_that_prefer_an_address_go_with_it() -> None:
    host = bare("10.0.0.1/24", "10.1.0.1/24")
    host.route("192.168.0.0/16", via="10.0.0.2", src="10.1.0.1")
    host.route("172.16.0.0/12", via="10.0.0.2", src="10.0.0.1")
    host.delete("10.1.0.1")
    mine = [text(r.prefix) for r in host.stack.ipv4.fib if r.protocol != "kernel"]
    assert mine == ["172.16.0.0"]
