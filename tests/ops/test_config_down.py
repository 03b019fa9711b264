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


def test_a_difference_has_routes_that_a_link_left_when_it_went_down() -> None:
    theirs = stack(("addr.add", {"local": "10.0.0.2", "peer": "10.0.0.9/24", "dev": "lo"}))
    theirs("link.set", dev="lo", state="down")
    mine = bare()
    mine("link.set", dev="lo", state="down")
    assert_leads_there(mine, theirs)
    assert_leads_there(theirs, stack(("link.set", {"dev": "lo", "state": "down"})))


def test_a_difference_makes_neighbors_of_those_that_were_learned() -> None:
    entry = {"dst": "10.0.0.9", "lladdr": "02:00:00:00:00:0b", "dev": "t1"}
    mine = stack(T1, ("neigh.add", {**entry, "nud": "stale"}))
    (row,) = mine("config.diff", commands=[list(T1), ["neigh.add", entry]])
    assert (row["op"], row["args"]) == ("neigh.replace", entry)


def test_a_vlan_comes_up_after_the_link_below() -> None:
    own: Row = {"local": "10.0.0.1/24"}
    api = stack(T1, VLAN, ("link.set", {"dev": "v1", "state": "up"}),
                ("addr.add", {**own, "dev": "v1"}), ("addr.add", {**own, "dev": "lo"}))  # fmt: skip
    api("link.set", dev="t1", state="down")
    commands, _ = copied(api)
    assert [each for each in commands if each.startswith("link set")] == [
        "link set t1 up",
        "link set v1 up",
        "link set t1 down",
        "link set v1 down",
    ]


def test_a_route_to_its_own_gateway_is_saved() -> None:
    api = stack(T1, ("addr.add", {"local": "10.0.0.1/24", "dev": "t1"}))
    api("rule.del", priority="0")
    api("route.add", dst="10.0.0.1", via="10.0.0.1", dev="t1")
    copied(api)
