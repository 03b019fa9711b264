"""``nexthop``: objects, the routes that are made of them, and what becomes of both."""

import pytest

from smolctl.errors import (
    AlreadyExists,
    InterfaceDown,
    InvalidArgument,
    NetworkUnreachable,
    NoSuchDevice,
    NotFound,
)
from smolctl.ops.restore import restore
from smolctl.stack.clone.stack_clone import clone_for_changes
from smolctl.stack.config.link import set_carrier
from smolctl.stack.fib.nexthop import Multipath
from tests.kit.host import PEER
from tests.ops.kit import Api, Row
from tests.ops.test_config import bare, run, saved
from tests.ops.test_config_diff import diff
from tests.ops.test_snapshot import snapshot_of

PEER6 = "2001:db8::2"
OTHER = "10.1.0.2"


@pytest.fixture
def api() -> Api:
    """A stack with one object of each kind: 1, 2 and group 10; 3 drops; 6 and 5 are of IPv6."""
    api = bare()
    api("link.add", name="t1", type="test", address="02:00:00:00:00:31")
    api("link.add", name="t2", type="test", address="02:00:00:00:00:32")
    api("addr.add", local="10.0.0.1/24", dev="t1")
    api("addr.add", local="2001:db8::1/64", dev="t1", nodad=True)
    api("addr.add", local="10.1.0.1/24", dev="t2")
    api("nexthop.add", id="1", via=PEER, dev="t1")
    api("nexthop.add", id="2", via=OTHER, dev="t2")
    api("nexthop.add", id="3", blackhole=True)
    api("nexthop.add", id="5", dev="t1", family="inet6")
    api("nexthop.add", id="6", via=PEER6, dev="t1")
    api("nexthop.add", id="10", group="1/2,3")
    return api


def made_of(api: Api, family: str = "inet") -> list[Row]:
    return [row for row in api("route.show", family=family) if "nhid" in row]


def hops(row: Row) -> list[str]:
    return [hop["gateway"] for hop in row.get("nexthops", (row,))]


def test_rows_are_those_of_ip(api: Api) -> None:
    api("nexthop.add", id="4", dev="t1")
    api("nexthop.add", id="7", via="10.9.0.2", dev="t1", onlink=True)
    assert api("nexthop.show") == [
        {"id": 1, "gateway": PEER, "dev": "t1", "scope": "link", "flags": []},
        {"id": 2, "gateway": OTHER, "dev": "t2", "scope": "link", "flags": []},
        {"id": 3, "blackhole": None, "flags": []},
        {"id": 4, "dev": "t1", "scope": "host", "flags": []},
        {"id": 5, "dev": "t1", "scope": "link", "flags": []},
        {"id": 6, "gateway": PEER6, "dev": "t1", "scope": "link", "flags": []},
        {"id": 7, "gateway": "10.9.0.2", "dev": "t1", "scope": "link", "flags": ["onlink"]},
        {"id": 10, "group": [{"id": 1}, {"id": 2, "weight": 3}], "flags": []},
    ]
    assert [row["id"] for row in api("nexthop.show", family="inet")] == [1, 2, 3, 4, 7]
    assert [row["id"] for row in api("nexthop.show", id="10")] == [10]


@pytest.mark.parametrize(
    ("selectors", "found", "left"),
    [
        ({}, [1, 2, 3, 5, 6, 10], []),
        ({"dev": "t1"}, [1, 5, 6], [2, 3, 10]),
        ({"dev": "lo"}, [3], [1, 2, 5, 6, 10]),
        ({"groups": True}, [10], [1, 2, 3, 5, 6]),
        ({"groups": True, "dev": "t1"}, [], [1, 2, 3, 5, 6, 10]),
        ({"groups": True, "family": "inet"}, [], [1, 2, 3, 5, 6, 10]),
        ({"family": "inet"}, [1, 2, 3], [5, 6]),
        ({"family": "inet6", "dev": "t1"}, [5, 6], [1, 2, 3, 10]),
        ({"id": "2", "dev": "t1"}, [2], [1, 3, 5, 6, 10]),
    ],
)
def test_what_show_selects_flush_deletes(
    api: Api, selectors: Row, found: list[int], left: list[int]
) -> None:
    shown = api("nexthop.show", **selectors)
    assert [row["id"] for row in shown] == found
    assert api("nexthop.flush", **selectors) == shown
    assert [row["id"] for row in api("nexthop.show")] == left


def test_one_is_got_by_its_number(api: Api) -> None:
    assert api("nexthop.get", id="10") == api("nexthop.show", id="10")
    for op in ("nexthop.show", "nexthop.get", "nexthop.flush"):
        with pytest.raises(NotFound, match="no next hop with id 99"):
            api(op, id="99")
    for op in ("nexthop.show", "nexthop.flush"):
        with pytest.raises(NoSuchDevice, match="nope"):
            api(op, dev="nope")


def test_routes_go_with_what_is_flushed(api: Api) -> None:
    for number, nhid in enumerate((1, 2, 3, 10)):
        api("route.add", dst=f"10.{20 + number}.0.0/16", nhid=str(nhid))
    api("nexthop.flush", dev="t1")
    assert [row["nhid"] for row in made_of(api)] == [2, 3, 10]
    assert [hops(row) for row in made_of(api)[::2]] == [[OTHER], [OTHER]]
    api("nexthop.flush")
    assert made_of(api) == []


def test_a_route_is_shown_with_its_object(api: Api) -> None:
    for number, nhid in enumerate((1, 3, 10, 5)):
        api("route.add", dst=f"10.{20 + number}.0.0/16", nhid=str(nhid))
    one, none, group, near = made_of(api)
    assert one == {"dst": "10.20.0.0/16", "nhid": 1, "gateway": PEER, "dev": "t1", "flags": []}
    assert none == {
        "type": "blackhole", "dst": "10.21.0.0/16", "nhid": 3, "dev": "lo", "flags": []
    }  # fmt: skip
    assert near == {"dst": "10.23.0.0/16", "nhid": 5, "dev": "t1", "flags": []}
    assert list(group) == ["dst", "nhid", "flags", "nexthops"]
    assert [(hop["gateway"], hop["weight"]) for hop in group["nexthops"]] == [(PEER, 1), (OTHER, 3)]
    assert api.one("route.get", dst="10.20.0.9")["gateway"] == PEER


def test_routes_of_ipv6_are_made_of_its_objects(api: Api) -> None:
    api("route.add", dst="2001:db8:1::/48", nhid="6")
    (row,) = made_of(api, "inet6")
    assert (row["nhid"], row["gateway"], row["metric"]) == (6, PEER6, 1024)
    api("nexthop.add", id="11", group="6")
    api("route.add", dst="2001:db8:2::/48", nhid="11")
    assert [hops(row) for row in made_of(api, "inet6")] == [[PEER6], [PEER6]]
    assert "nexthops" in made_of(api, "inet6")[1]  # as in Linux, and of IPv4 it is not so
    api("nexthop.del", id="11")
    api("route.append", dst="2001:db8:1::/48", via="2001:db8::3")
    assert len([r for r in api("route.show", family="inet6") if r["dst"] == row["dst"]]) == 2
    api("route.del", dst="2001:db8:1::/48", nhid="6")
    assert made_of(api, "inet6") == []


def test_routes_follow_when_an_object_is_replaced(api: Api) -> None:
    api("route.add", dst="10.20.0.0/16", nhid="1")
    api("route.add", dst="10.21.0.0/16", nhid="10")
    api("nexthop.replace", id="1", via="10.0.0.9", dev="t1")
    assert [hops(row) for row in made_of(api)] == [["10.0.0.9"], ["10.0.0.9", OTHER]]
    api("nexthop.replace", id="10", group="2")
    assert [hops(row) for row in made_of(api)] == [["10.0.0.9"], [OTHER]]
    api("nexthop.replace", id="1", blackhole=True)
    assert made_of(api)[0]["type"] == "blackhole"
    api("nexthop.replace", id="1", via=PEER, dev="t1")
    assert "type" not in made_of(api)[0]
    api("nexthop.replace", id="77", via=PEER, dev="t1")
    assert api.one("nexthop.show", id="77")["gateway"] == PEER


def test_routes_go_with_their_object_and_groups_with_their_last_member(api: Api) -> None:
    api("route.add", dst="10.20.0.0/16", nhid="1")
    api("route.add", dst="10.21.0.0/16", nhid="10")
    api("nexthop.del", id="1")
    assert [hops(row) for row in made_of(api)] == [[OTHER]]
    assert api.one("nexthop.show", id="10")["group"] == [{"id": 2, "weight": 3}]
    api("nexthop.del", id="2")
    assert made_of(api) == []
    assert [row["id"] for row in api("nexthop.show")] == [3, 5, 6]
    assert not any(net.fib.multipaths for net in api.stack.networks.values())


@pytest.mark.parametrize("how", ["down", "deleted", "carrier"])
def test_objects_go_with_their_link(api: Api, how: str) -> None:
    api("route.add", dst="10.20.0.0/16", nhid="10")
    api("route.add", dst="2001:db8:1::/48", nhid="6")
    if how == "down":
        api("link.set", dev="t1", state="down")
    elif how == "deleted":
        api("link.del", dev="t1")
    else:
        set_carrier(api.stack.shared, api.stack.interface("t1"), False, api.clock.now)
    assert [row["id"] for row in api("nexthop.show")] == [2, 3, 10]
    assert [hops(row) for row in made_of(api)] == [[OTHER]]
    assert made_of(api, "inet6") == []


def test_an_address_goes_and_the_routes_of_objects_stay(api: Api) -> None:
    api("route.add", dst="10.20.0.0/16", nhid="10")
    api("route.add", dst="10.21.0.0/16", nhid="1")
    api("addr.del", local="10.0.0.1/24", dev="t1")
    assert [hops(row) for row in made_of(api)] == [[PEER, OTHER], [PEER]]
    commands = saved(api)
    assert {each for each in commands if "nhid" in each} == {
        "route add 10.20.0.0/16 nhid 10",
        "route add 10.21.0.0/16 nhid 1",
    }
    copy = bare()
    run(copy, commands)
    assert made_of(copy) == made_of(api)


def test_a_route_is_deleted_by_its_object_and_not_by_a_gateway(api: Api) -> None:
    api("route.add", dst="10.20.0.0/16", nhid="1")
    for spec in ({"nhid": "2"}, {"via": PEER}, {"dev": "t1"}):
        with pytest.raises(NotFound, match="no such route"):
            api("route.del", dst="10.20.0.0/16", **spec)
    assert api.one("route.del", dst="10.20.0.0/16", nhid="1")["nhid"] == 1


WRONG: list[tuple[str, Row, type[Exception], str]] = [
    ("nexthop.add", {"id": "1", "blackhole": True}, AlreadyExists, "the id 1 is in use"),
    ("nexthop.add", {"id": "0", "blackhole": True}, InvalidArgument, "id"),
    ("nexthop.add", {"blackhole": True}, InvalidArgument, '"id" is missing'),
    ("nexthop.add", {"id": "9", "via": PEER}, InvalidArgument, "needs its device"),
    ("nexthop.add", {"id": "9", "via": "9.9.9.9", "dev": "t1"}, NetworkUnreachable, "no connected"),
    ("nexthop.add", {"id": "9", "blackhole": True, "dev": "t1"}, InvalidArgument, '"dev" cannot'),
    ("nexthop.add", {"id": "9", "dev": "t1", "onlink": True}, InvalidArgument, "about a gateway"),
    ("nexthop.add", {"id": "9", "via": "0.0.0.0", "dev": "t1"}, InvalidArgument, "of a router"),
    ("nexthop.add", {"id": "9", "group": "1", "family": "inet"}, InvalidArgument, "leave -4 and"),
    ("route.add", {"dst": "10.9.0.0/16", "dev": "t1", "onlink": True}, InvalidArgument, "about a"),
    ("nexthop.add", {"id": "9", "group": "1", "via": PEER}, InvalidArgument, '"via" cannot be'),
    ("nexthop.add", {"id": "9", "group": "10"}, InvalidArgument, "id 10 is a group"),
    ("nexthop.add", {"id": "9", "group": "1/3"}, InvalidArgument, "id 3 is a blackhole"),
    ("nexthop.add", {"id": "9", "group": "1/1"}, InvalidArgument, "id 1 is twice"),
    ("nexthop.add", {"id": "9", "group": "1/9"}, NotFound, "no next hop with id 9"),
    ("nexthop.add", {"id": "9", "group": "1,257"}, InvalidArgument, '"1,257" is no member'),
    ("nexthop.replace", {"id": "1", "group": "2"}, InvalidArgument, "cannot become a group"),
    ("nexthop.replace", {"id": "1", "blackhole": True}, InvalidArgument, "a blackhole cannot"),
    ("nexthop.replace", {"id": "1", "via": PEER6, "dev": "t1"}, InvalidArgument, "of IPv4 cannot"),
    ("nexthop.del", {"id": "9"}, NotFound, "no next hop with id 9"),
    ("route.add", {"dst": "10.9.0.0/16", "nhid": "9"}, NotFound, "no next hop with id 9"),
    ("route.add", {"dst": "10.9.0.0/16", "nhid": "6"}, InvalidArgument, "of IPv4 cannot use id 6"),
    ("route.add", {"dst": "2001:db8:9::/48", "nhid": "10"}, InvalidArgument, "cannot use id 1,"),
    ("route.add", {"dst": "10.9.0.0/16", "nhid": "1", "via": PEER}, InvalidArgument, '"via" can'),
    (
        "route.add",
        {"dst": "10.9.0.0/16", "nhid": "1", "type": "blackhole"},
        InvalidArgument,
        "is u",
    ),
    ("route.add", {"dst": "10.9.0.0/16", "nhid": "1", "type": "prohibit"}, InvalidArgument, "nhid"),
    ("route.add", {"dst": "10.9.0.0/16", "nhid": "1", "scope": "host"}, InvalidArgument, "nhid"),
]


@pytest.mark.parametrize(("op", "args", "error", "message"), WRONG)
def test_what_is_wrong_is_said_and_changes_nothing(
    api: Api, op: str, args: Row, error: type[Exception], message: str
) -> None:
    api("route.add", dst="10.20.0.0/16", nhid="10")
    before = saved(api)
    with pytest.raises(error, match=message):
        api(op, **args)
    assert saved(api) == before


def test_a_link_that_is_down_or_without_carrier_takes_no_object(api: Api) -> None:
    set_carrier(api.stack.shared, api.stack.interface("t1"), False, api.clock.now)
    with pytest.raises(InterfaceDown, match="t1 has no carrier"):
        api("nexthop.add", id="9", dev="t1")
    api("link.set", dev="t2", state="down")
    with pytest.raises(InterfaceDown, match="t2 is down"):
        api("nexthop.add", id="9", dev="t2")


def test_objects_are_saved_and_made_again(api: Api) -> None:
    api("nexthop.add", id="4", group="3")
    for dst, nhid in (("10.20.0.0/16", "10"), ("10.21.0.0/16", "4"), ("2001:db8:1::/48", "6")):
        api("route.add", dst=dst, nhid=nhid)
    copy = bare()
    run(copy, saved(api))
    assert saved(copy) == saved(api)
    for op in ("nexthop.show", "route.show"):
        assert copy(op) == api(op)


def test_a_difference_of_objects_is_found(api: Api) -> None:
    api("route.add", dst="10.20.0.0/16", nhid="1")
    wanted = [[row["op"], row["args"]] for row in api("config.save")]
    assert diff(api, *wanted) == []
    for _, args in wanted:
        if args.get("id") == "1":
            args["via"] = "10.0.0.9"
    found = diff(api, *wanted)
    run(api, found)
    assert hops(made_of(api)[0]) == ["10.0.0.9"]


def test_a_snapshot_has_objects_and_their_routes(api: Api) -> None:
    api("route.add", dst="10.20.0.0/16", nhid="10")
    copy = restore(snapshot_of(api), api.clock.now)
    assert list(copy.next_hops) == list(api.stack.next_hops)
    copy.next_hops.remove({1})
    (route,) = [route for route in copy.ipv4.fib if route.nhid]
    assert not isinstance(route, Multipath)
    assert len(made_of(api)[0]["nexthops"]) == 2


def test_changes_of_a_copy_do_not_reach_the_stack(api: Api) -> None:
    api("route.add", dst="10.20.0.0/16", nhid="10")
    clone = clone_for_changes(api.stack)
    clone.next_hops.remove({1})
    assert [route.via is not None for route in clone.ipv4.fib if route.nhid] == [True]
    assert [row["id"] for row in api("nexthop.show")] == [1, 2, 3, 5, 6, 10]
    assert hops(made_of(api)[0]) == [PEER, OTHER]
