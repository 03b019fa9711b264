"""IPv6 addresses: what links get by themselves, and what follows from an address, as Linux."""

import pytest

from smolctl.errors import AlreadyExists, InvalidArgument, SmolctlError
from smolctl.stack.config.link import delete_interface, set_carrier, set_mtu, set_up
from smolctl.stack.fib.route import RouteType, TableName
from smolctl.stack.ip.membership import interface_for
from smolctl.stack.neighbor.states import State
from tests.kit.host import ip, text
from tests.kit.host6 import OUR_LINK_LOCAL, OURS6, Host6


def shown(host: Host6, dev: str = "tap0") -> list[str]:
    items = host.dev(dev).ipv6.addresses.items
    return [f"{text(each.local)}/{each.plen} {each.scope.name}" for each in items]


def routes(host: Host6) -> list[str]:
    return [
        f"{route.type.value} {text(route.prefix)}/{route.plen} dev {route.dev} table"
        f" {route.table} metric {route.metric}"
        for route in host.stack.ipv6.fib
    ]


def groups(host: Host6, dev: str = "tap0") -> set[str]:
    return {text(group) for group in host.dev(dev).ipv6.groups.filters}


def test_links_have_their_own_addresses_and_routes_as_on_linux() -> None:
    host = Host6(bare=True)
    assert shown(host) == ["fe80::ff:fe00:a/64 LINK"]
    assert shown(host, "lo") == ["::1/128 HOST"]
    assert routes(host) == [
        "unicast fe80::/64 dev tap0 table 254 metric 256",
        "local ::1/128 dev lo table 255 metric 0",
        "local fe80::ff:fe00:a/128 dev tap0 table 255 metric 0",
        "multicast ff00::/8 dev tap0 table 255 metric 256",
    ]


def test_an_address_brings_a_route_to_its_network_and_joins_its_group() -> None:
    host = Host6()
    assert shown(host) == ["2001:db8::1/64 GLOBAL", "fe80::ff:fe00:a/64 LINK"]
    assert set(routes(host)) - set(routes(Host6(bare=True))) == {
        "unicast 2001:db8::/64 dev tap0 table 254 metric 256",
        "local 2001:db8::1/128 dev tap0 table 255 metric 0",
    }
    assert groups(host) == {"ff02::1", "ff01::1", "ff02::1:ff00:1", "ff02::1:ff00:a"}
    assert groups(host, "lo") == {"ff02::1", "ff01::1"}
    host.delete(OURS6)
    assert routes(host) == routes(Host6(bare=True))
    assert groups(host) == {"ff02::1", "ff01::1", "ff02::1:ff00:a"}


def test_the_newest_address_of_a_scope_comes_first() -> None:
    host = Host6("2001:db8::1/64", "2001:db8:1::1/128", "2001:db8::2/64")
    assert shown(host) == [
        "2001:db8::2/64 GLOBAL",
        "2001:db8:1::1/128 GLOBAL",
        "2001:db8::1/64 GLOBAL",
        "fe80::ff:fe00:a/64 LINK",
    ]
    network = "unicast 2001:db8::/64 dev tap0 table 254 metric 256"
    assert routes(host).count(network) == 1
    host.delete("2001:db8::2")
    assert network in routes(host)
    assert "ff02::1:ff00:1" in groups(host)
    host.delete("2001:db8::1")
    assert network not in routes(host)
    assert "ff02::1:ff00:1" in groups(host)  # of 2001:db8:1::1


def test_the_same_address_is_refused_whatever_its_length() -> None:
    host = Host6()
    with pytest.raises(AlreadyExists):
        host.add(f"{OURS6}/128")


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("::/64", "no address"),
        ("ff02::5/128", "multicast"),
        ("::1/128", "the loopback"),
        ("::ffff:10.0.0.1/128", "IPv4"),
    ],
)
def test_what_no_interface_can_have_is_refused(address: str, says: str) -> None:
    host = Host6()
    before = routes(host)
    with pytest.raises(InvalidArgument, match=says):
        host.add(address)
    assert routes(host) == before


def test_a_link_that_goes_down_loses_all_its_addresses() -> None:
    host = Host6()
    set_up(host.stack.shared, host.tap, False, host.now)
    assert shown(host) == []
    assert routes(host) == ["local ::1/128 dev lo table 255 metric 0"]
    assert groups(host) == {"ff02::1", "ff01::1"}
    set_up(host.stack.shared, host.tap, True, host.now)
    assert routes(host) == routes(Host6(bare=True))


def test_the_loopback_gets_its_address_back() -> None:
    host = Host6()
    set_up(host.stack.shared, host.dev("lo"), False, host.now)
    assert shown(host, "lo") == []
    set_up(host.stack.shared, host.dev("lo"), True, host.now)
    assert shown(host, "lo") == ["::1/128 HOST"]


def test_a_link_without_carrier_keeps_its_addresses_and_gets_none() -> None:
    host = Host6()
    set_carrier(host.stack.shared, host.tap, False, host.now)
    assert shown(host) == ["2001:db8::1/64 GLOBAL", "fe80::ff:fe00:a/64 LINK"]
    set_up(host.stack.shared, host.tap, False, host.now)
    set_up(host.stack.shared, host.tap, True, host.now)
    assert shown(host) == []
    set_carrier(host.stack.shared, host.tap, True, host.now)
    assert shown(host) == ["fe80::ff:fe00:a/64 LINK"]


def test_a_deleted_link_takes_everything_with_it() -> None:
    host = Host6()
    host.link("tap1")
    host.add("2001:db8:1::1/64", "tap1")
    delete_interface(host.stack.shared, host.dev("tap1"), host.now)
    assert routes(host) == routes(Host6())


def test_a_router_has_the_addresses_of_its_networks_routers() -> None:
    host = Host6("2001:db8::1/64", "2001:db8:1::1/127")
    before = routes(host)
    host.set("ip6.forward", 1)
    assert set(routes(host)) - set(before) == {
        "anycast 2001:db8::/128 dev tap0 table 255 metric 0",
        "anycast fe80::/128 dev tap0 table 255 metric 0",
    }
    host.set("ip6.forward", 0)
    assert routes(host) == before


def test_a_router_is_in_the_groups_of_routers() -> None:
    host = Host6()
    before = groups(host)
    host.set("ip6.forward", 1)
    routers = {"ff01::2", "ff02::2", "ff05::2", "ff02::1:ff00:0"}
    assert groups(host) == before | routers
    host.add("2001:db8:1:0:0:0:5:0/112")
    assert groups(host) >= {"ff02::1:ff05:0"}
    host.delete("2001:db8:1::5:0")
    assert groups(host) == before | routers
    host.link("tap1")
    assert groups(host, "tap1") >= routers
    host.set("ip6.forward", 0)
    assert groups(host) == before


def test_without_ipv6_no_link_has_an_address() -> None:
    host = Host6()
    before = routes(Host6(bare=True))
    host.set("ip6.disable", 1)
    assert (shown(host), shown(host, "lo"), routes(host)) == ([], [], [])
    host.set("ip6.disable", 0)
    assert routes(host) == before


def test_a_route_loses_a_source_that_is_gone_and_stays() -> None:
    host = Host6()
    host.route("2001:db8:5::/48", via="2001:db8::2", src=OURS6)
    host.delete(OURS6)
    (route,) = host.stack.ipv6.fib.tables[254].chain(ip("2001:db8:5::"), 48)
    assert route.prefsrc is None


def test_a_source_that_is_still_tested_is_no_source_of_a_route_yet() -> None:
    host = Host6(dad=True)
    host.add("2001:db8::5/64")
    for src, fault in (("2001:db8::5", "is still tested"), ("2001:db8::6", "is not an address")):
        with pytest.raises(InvalidArgument, match=f"src {src} {fault}"):
            host.route("2001:db8:5::/48", dev="tap0", src=src)


def test_the_link_local_address_may_be_deleted_and_does_not_come_back_by_itself() -> None:
    host = Host6()
    host.delete(OUR_LINK_LOCAL)
    set_carrier(host.stack.shared, host.tap, False, host.now)
    assert shown(host) == ["2001:db8::1/64 GLOBAL"]


def test_one_link_may_do_without_ipv6_and_be_no_router() -> None:
    host = Host6()
    host.link("tap1")
    host.set("tap0.ip6.disable", 1)
    assert shown(host) == []
    assert shown(host, "tap1") != []
    host.set("ip6.forward", 1)
    host.set("tap1.ip6.forward", 0)
    assert not [route for route in routes(host) if route.startswith("anycast")]


def test_a_link_on_which_1280_bytes_do_not_fit_does_without_ipv6() -> None:
    host = Host6()
    tap0 = host.dev("tap0")
    set_mtu(host.stack.shared, tap0, 1400)
    assert len(tap0.ipv6.addresses.items) == 2
    set_mtu(host.stack.shared, tap0, 1279)
    assert tap0.ipv6.addresses.items == []
    with pytest.raises(InvalidArgument, match="tap0 does without IPv6: its mtu is 1279"):
        host.add(f"{OURS6}/64")
    set_mtu(host.stack.shared, tap0, 1280)
    assert [text(each.local) for each in tap0.ipv6.addresses.items] == [OUR_LINK_LOCAL]


@pytest.mark.parametrize(
    ("group", "why", "hint"),
    [
        ("2001:db8::1", "is not a group: groups are ff00::/8", "begin with ff02:"),
        ("ff02::5", "name one", "dev tap0"),
    ],
)
def test_a_group_has_an_interface(group: str, why: str, hint: str) -> None:
    host = Host6()
    with pytest.raises(SmolctlError, match=why) as caught:
        interface_for(host.stack.ipv6, ip(group), None)
    assert hint in (caught.value.hint or "")


def test_an_address_added_while_its_link_is_down_is_ours() -> None:
    # Linux ipv6_ifa_notify: the way to itself is there, that to its network comes with the link.
    host = Host6(bare=True)
    set_up(host.stack.shared, host.tap, False, host.now)
    host.add("2001:db8:5::1/64")
    main, local = (host.stack.ipv6.fib.tables[name] for name in (TableName.MAIN, TableName.LOCAL))
    assert [route.dev for route in local.chain(ip("2001:db8:5::1"), 128)] == ["tap0"]
    assert not list(main.chain(ip("2001:db8:5::"), 64))
    set_up(host.stack.shared, host.tap, True, host.now)
    assert [route.dev for route in main.chain(ip("2001:db8:5::"), 64)] == ["tap0"]
    assert [route.dev for route in local.chain(ip("2001:db8:5::1"), 128)] == ["tap0"]
    set_up(host.stack.shared, host.tap, False, host.now)
    assert not list(local.chain(ip("2001:db8:5::1"), 128))


def test_a_link_that_does_without_ipv6_has_no_routes_and_neighbors_either() -> None:
    # Linux addrconf_ifdown, rt6_disable_ip: static ones go as well, and do not come back.
    host = Host6()
    host.route("::/0", "tap0", via="fe80::fe")
    host.route("2001:db8:99::/64", "tap0", kind=RouteType.LOCAL)
    host.know("2001:db8::2", state=State.PERMANENT)
    host.set("tap0.ip6.disable", 1)
    assert [route for route in routes(host) if "dev tap0" in route] == []
    assert host.neighbor("2001:db8::2") is None
    host.set("tap0.ip6.disable", 0)
    left = [route for route in routes(host) if "dev tap0" in route]
    assert all("fe80::" in route or "ff00::/8" in route for route in left)
    assert any("fe80::/64" in route for route in left)
