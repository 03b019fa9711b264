"""Sysctls of links: rows, what is saved, and what goes with a link."""

import pytest

from smolctl.errors import InvalidArgument, NoSuchDevice
from smolctl.stack.sysctl.settings import PER_LINK
from tests.kit.host import request
from tests.ops.kit import Api, Row

NEW = {"name": "t9", "type": "test"}


@pytest.fixture
def api() -> Api:
    return Api()


def shown(api: Api, key: str) -> Row:
    return api.one("sysctl.show", key=key)


def test_a_link_tells_what_counts_there_and_why(api: Api) -> None:
    row = api.one("sysctl.set", key="tap0.arp.ignore", value="1")
    assert row == shown(api, "tap0.arp.ignore") == shown(api, "net.ipv4.conf.tap0.arp_ignore")
    assert (row["key"], row["scope"], row["value"], row["counts"]) == (
        *("tap0.arp.ignore", "tap0", 1, 1),
    )
    assert row["rule"] == "the larger of all.arp.ignore and tap0.arp.ignore"
    assert (row["origin"], row["place"]) == ("command line", "smolctl sysctl tap0.arp.ignore=1")
    api("sysctl.set", key="all.arp.ignore", value="2")
    assert (shown(api, "tap0.arp.ignore")["value"], shown(api, "tap0.arp.ignore")["counts"]) == (
        *(1, 2),
    )


def test_what_links_have_tells_where_it_is_something_else(api: Api) -> None:
    assert shown(api, "arp.ignore")["scopes"] == []
    assert shown(api, "arp.ignore")["rule"] == "the larger of all.arp.ignore and LINK.arp.ignore"
    api("sysctl.set", key="tap0.arp.ignore", value="1")
    api("sysctl.set", key="default.arp.ignore", value="2")
    assert shown(api, "arp.ignore")["scopes"] == [
        {"scope": "default", "value": 2},
        {"scope": "tap0", "value": 1},
    ]
    assert "scopes" not in shown(api, "ip.default_ttl")


def test_a_link_shows_all_that_it_has(api: Api) -> None:
    rows = api("sysctl.show", key="tap0")
    assert [row["key"] for row in rows] == sorted(f"tap0.{item.key}" for item in PER_LINK)
    assert {row["counts"] for row in rows if row["key"] == "tap0.neigh.mcast_solicit"} == {3}
    assert len(api("sysctl.show", key="default")) == len(api("sysctl.show", key="all")) == len(rows)


def test_where_a_value_of_a_link_comes_from(api: Api) -> None:
    assert shown(api, "tap0.arp.accept")["origin"] == "default"
    api("sysctl.set", key="arp.accept", value="1")
    assert shown(api, "tap0.arp.accept")["place"] == "smolctl sysctl arp.accept=1"
    api("sysctl.set", key="default.arp.accept", value="0")
    api("link.add", **NEW)
    assert shown(api, "t9.arp.accept")["place"] == "smolctl sysctl default.arp.accept=0"


def test_a_link_that_is_not_there(api: Api) -> None:
    for op, more in (("sysctl.show", {}), ("sysctl.set", {"value": "1"})):
        with pytest.raises(NoSuchDevice, match="tap1") as caught:
            api(op, key="tap1.arp.ignore", **more)
        assert caught.value.hint is not None
        assert "tap0" in caught.value.hint
    with pytest.raises(InvalidArgument, match="of the whole stack"):
        api("sysctl.set", key="tap0.udp.rmem_default", value="9000")


def test_a_deleted_link_is_not_what_its_namesake_was(api: Api) -> None:
    api("link.add", **NEW)
    api("sysctl.set", key="t9.arp.ignore", value="2")
    api("link.del", dev="t9")
    api("link.add", **NEW)
    assert shown(api, "t9.arp.ignore")["value"] == 0


def test_a_link_may_be_called_as_sysctls_are(api: Api) -> None:
    for name in ("arp", "ip.forward"):
        api("link.add", name=name, type="test")
        api("sysctl.set", key=f"{name}.arp.ignore", value="1")
    assert shown(api, "arp.ignore")["value"] == 0
    assert shown(api, "arp.arp.ignore")["value"] == 1
    assert len(api("sysctl.show", key="arp")) == len(PER_LINK)
    assert shown(api, "ip.forward")["key"] == "ip.forward"


def test_it_works_at_once_and_on_that_link_alone(api: Api) -> None:
    api("link.add", **NEW)
    api("addr.add", local="10.7.0.1/24", dev="t9")
    api.arrive(request(target="10.7.0.1"))
    assert api.host.event("arp.replies_sent") == 1
    api("sysctl.set", key="tap0.arp.ignore", value="1")
    api.arrive(request(target="10.7.0.1"))
    assert api.host.event("arp.replies_sent") == 1
    api("sysctl.set", key="tap0.arp.ignore", value="0")
    api("sysctl.set", key="t9.arp.ignore", value="1")
    api.arrive(request(target="10.7.0.1"))
    assert api.host.event("arp.replies_sent") == 2


def test_what_is_saved_is_what_differs(api: Api) -> None:
    api("link.add", **NEW)
    for word in ("arp.accept=1", "all.arp.ignore=1", "default.arp.filter=1", "t9.arp.filter=0",
                 "tap0.neigh.mcast_solicit=7", "ip.forward=1", "tap0.ip.forward=0"):  # fmt: skip
        key, _, value = word.partition("=")
        api("sysctl.set", key=key, value=value)
    found = [row["args"] for row in api("config.save") if row["op"] == "sysctl.set"]
    assert [f"{args['key']}={args['value']}" for args in found] == [
        "ip.forward=1",
        "arp.accept=1",
        "all.arp.ignore=1",
        "default.arp.filter=1",
        "tap0.ip.forward=0",
        "tap0.neigh.mcast_solicit=7",
        "t9.arp.filter=0",
    ]


def test_room_that_a_link_was_given_is_there_before_it_is_needed() -> None:
    api = Api("10.0.0.1/16")
    api("sysctl.set", key="iface.neighbor_cache_count", value="2")
    api("sysctl.set", key="tap0.iface.neighbor_cache_count", value="5000")
    for number in range(1200):
        dst = f"10.0.{number >> 8}.{number & 255}"
        api("neigh.add", dst=dst, lladdr="02:00:00:00:00:0b", dev="tap0")
    rows = api("config.save")
    assert [row for row in rows if "error" in row] == []
    ops = [(row["op"], row["args"].get("key")) for row in rows]
    assert ops.index(("sysctl.set", "tap0.iface.neighbor_cache_count")) < ops.index(
        ("neigh.add", None)
    )
