"""Proxy entries: what is shown of them, what is refused, and who is told."""

import pytest

from smolctl.errors import InvalidArgument, NotFound
from tests.ops.kit import Api

ENTRY = {"dst": "10.7.0.9", "dev": "tap0", "proxy": True}


@pytest.fixture
def api() -> Api:
    made = Api()
    made("neigh.add", proxy="10.7.0.9", dev="tap0")
    return made


def test_entries_are_shown_apart_from_neighbors(api: Api) -> None:
    assert api("neigh.show", proxy=True) == [ENTRY]
    assert api("neigh.show", proxy=True, dev="tap0", to="10.7.0.0/16") == [ENTRY]
    assert api("neigh.show", proxy=True, to="10.8.0.0/16") == []
    assert api("neigh.show", proxy=True, dev="lo") == []
    assert api("neigh.show") == []


@pytest.mark.parametrize("verb", ["add", "replace"])
def test_one_that_is_there_is_as_good(api: Api, verb: str) -> None:
    api(f"neigh.{verb}", proxy="10.7.0.9", dev="tap0")
    assert api("neigh.show", proxy=True) == [ENTRY]


def test_deleted(api: Api) -> None:
    api("neigh.del", proxy="10.7.0.9", dev="tap0")
    assert api("neigh.show", proxy=True) == []
    with pytest.raises(NotFound, match="tap0 has no proxy entry"):
        api("neigh.del", proxy="10.7.0.9", dev="tap0")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"dev": "lo"}, "lo has no neighbors"),
        ({"proxy": "224.0.0.1"}, "not the address of one host"),
        ({"proxy": "10.0.0.255"}, "not the address of one host"),
        ({"proxy": "0.0.0.0"}, "not the address of one host"),
        ({"proxy": "10.7.0"}, "10.7.0"),
        ({"lladdr": "02:00:00:00:00:09"}, "takes no lladdr"),
        ({"nud": "stale"}, "takes no nud"),
        ({"dst": "10.0.0.2"}, "takes no dst"),
    ],
)
def test_refused(api: Api, args: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        api("neigh.add", **{"proxy": "10.7.0.8", "dev": "tap0", **args})
    assert api("neigh.show", proxy=True) == [ENTRY]


def test_a_proxy_entry_has_no_state(api: Api) -> None:
    with pytest.raises(InvalidArgument, match="no state"):
        api("neigh.show", proxy=True, nud="stale")


def test_one_of_ipv6_may_be_a_router(api: Api) -> None:
    api("neigh.add", proxy="2001:db8::9", dev="tap0")
    six = {"dst": "2001:db8::9", "dev": "tap0", "proxy": True}
    assert api("neigh.show", proxy=True, family="inet6") == [six]
    api("neigh.replace", proxy="2001:db8::9", dev="tap0", router=True)
    assert api("neigh.show", proxy=True, family="inet6") == [{**six, "router": True}]
    with pytest.raises(InvalidArgument, match="router is for IPv6"):
        api("neigh.add", proxy="10.7.0.8", dev="tap0", router=True)


def test_the_zone_says_the_link(api: Api) -> None:
    api("neigh.add", proxy="fe80::9%tap0")
    assert api("neigh.show", proxy=True, family="inet6") == [{**ENTRY, "dst": "fe80::9"}]
    api("neigh.del", proxy="fe80::9%tap0")
    assert api("neigh.show", proxy=True, family="inet6") == []
    with pytest.raises(InvalidArgument, match="its zone is tap0"):
        api("neigh.add", proxy="fe80::9%tap0", dev="lo")


def test_they_go_with_their_link(api: Api) -> None:
    api("link.del", dev="tap0")
    assert api("neigh.show", proxy=True) == []


def test_changes_are_events(api: Api) -> None:
    exchange, _ = api.start("monitor.run", neigh=True)
    api("neigh.add", proxy="10.7.0.8", dev="tap0")
    api("neigh.add", proxy="10.7.0.8", dev="tap0")
    api("neigh.del", proxy="10.7.0.8", dev="tap0")
    told = [{key: event[key] for key in event if key != "time"} for event in exchange.of("neigh")]
    new = {**ENTRY, "dst": "10.7.0.8"}
    assert told == [new, {**new, "deleted": True}]
