"""``config save`` of links that are down, and of the addresses that come with links."""

from tests.ops.kit import Api, Row
from tests.ops.test_config import bare, copied, saved
from tests.ops.test_config_diff import assert_leads_there

T1: tuple[str, Row] = ("link.add", {"name": "t1", "type": "test"})
VLAN: tuple[str, Row] = (
    "link.add",
    {"name": "v1", "type": "vlan", "link": "t1", "id": "5", "down": True},
)


def stack(*changes: tuple[str, Row]) -> Api:
    api = bare()
    for op, args in changes:
        api(op, **args)
    return api


def test_the_loopback_address_of_a_peer_is_saved() -> None:
    api = stack(("addr.replace", {"local": "::1", "peer": "2001:db8::1", "dev": "lo"}))
    commands, _ = copied(api)
    assert commands == ["addr del ::1/128 dev lo", "addr add ::1 dev lo peer 2001:db8::1/128"]


def test_ipv6_addresses_of_a_link_that_is_down_are_there_after_it_came_up_for_a_route() -> None:
    own = {"local": "10.0.0.1/24"}
    api = stack(T1, ("addr.add", {**own, "dev": "t1"}), ("addr.add", {**own, "dev": "lo"}))
    api("link.set", dev="t1", state="down")
    api("addr.add", local="2001:db8::1/64", dev="t1", nodad=True)
    api("addr.add", local="2001:db8::2/64", dev="t1")
    commands, _ = copied(api)
    up = commands.index("link set t1 up")
    assert [each.partition("/")[0] for each in commands[up:] if each.startswith("addr")] == [
        "addr add 2001:db8::1",
        "addr add 2001:db8::2",
    ]
    assert not [each for each in commands if each.startswith("route") and "db8" in each]


def test_an_address_that_waits_for_its_test_waits_in_the_copy() -> None:
    api = stack(T1, ("sysctl.set", {"key": "arp.dad", "value": "1"}), VLAN,
                ("addr.add", {"local": "10.0.0.1/24", "dev": "v1"}))  # fmt: skip
    api("sysctl.set", key="arp.dad", value="0")
    api("addr.add", local="10.0.0.2/24", dev="v1")
    commands, copy = copied(api)
    assert [each for each in commands if each.startswith("addr")] == [
        "addr add 10.0.0.1/24 dev v1 dad",
        "addr add 10.0.0.2/24 dev v1",
    ]
    assert saved(copy) == commands


def test_a_difference_knows_how_far_the_tests_of_addresses_are() -> None:
    mine = stack(("link.add", {**T1[1], "address": "02:00:00:00:00:77"}))
    theirs = stack(("link.add", {**T1[1], "address": "02:00:00:00:00:31"}),
                   ("addr.del", {"local": "fe80::ff:fe00:31/64", "dev": "t1"}),
                   ("addr.add", {"local": "fe80::ff:fe00:77/64", "dev": "t1"}))  # fmt: skip
    assert_leads_there(mine, theirs)


def test_a_difference_brings_both_loopback_addresses_back() -> None:
    mine = stack(T1, ("addr.del", {"local": "127.0.0.1/8", "dev": "lo"}))
    for dev in ("t1", "lo"):
        mine("addr.add", local="127.0.0.1/8", dev=dev)
    assert_leads_there(mine, bare())


def test_the_order_of_labels_of_one_length_is_not_saved() -> None:
    label = {"prefix": "2002::/16", "label": "2"}
    assert saved(stack(("addrlabel.del", label), ("addrlabel.add", label))) == []


def test_the_order_of_addresses_of_a_link_is_saved() -> None:
    mac, own = "02:00:00:00:00:31", {"local": "fe80::ff:fe00:31/64", "dev": "t1"}
    api = stack(("link.add", {**T1[1], "address": mac}), ("addr.del", own),
                ("addr.add", {"local": "fe80::5/64", "dev": "t1"}), ("addr.add", own))  # fmt: skip
    copied(api)
    other = stack(("link.add", {**T1[1], "address": mac}))
    assert_leads_there(other, api)


def test_a_difference_takes_away_the_very_route_and_rule() -> None:
    mine = stack(T1, ("addr.add", {"local": "127.0.0.1/8", "dev": "t1"}),
                 ("rule.add", {"priority": "32766", "table": "main"}),
                 ("route.add", {"dst": "fe80::/64", "type": "unreachable"}))  # fmt: skip
    mine("addr.del", local="127.0.0.1/8", dev="lo")
    mine("addr.add", local="127.0.0.1/8", dev="lo")
    assert_leads_there(mine, bare())
    mine = stack(T1, ("route.add", {"dst": "fe80::/64", "type": "unreachable"}))
    commands = mine("config.diff", commands=[list(T1)])
    assert [row["args"]["metric"] for row in commands if row["op"] == "route.del"] == ["1024"]
