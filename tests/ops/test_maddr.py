"""``maddr``, and ``udp`` to and from groups."""

import base64
from typing import Any

import pytest

from smolctl.errors import SmolctlError
from smolctl.wire.address import multicast_mac
from tests.kit.groups import GROUP, OTHER_GROUP, group_frame, query
from tests.kit.host import ip
from tests.ops.kit import Api, Exchange, Row


@pytest.fixture
def api() -> Api:
    return Api()


def refused(api: Api, op: str, **args: Any) -> SmolctlError:
    with pytest.raises(SmolctlError) as caught:
        api.start(op, **args) if op.startswith("udp") else api(op, **args)
    assert len(api.stack.udp) == 0
    return caught.value


def listen(api: Api, **args: Any) -> Exchange:
    exchange, _ = api.start("udp.recv", **{"port": "5000", "group": GROUP, "dev": "tap0", **args})
    return exchange


def data(exchange: Exchange) -> list[bytes]:
    return [base64.b64decode(event["data"]) for event in exchange.of("datagram")]


# --- maddr ----------------------------------------------------------------------------------------


def of_ipv4(row: Row) -> list[Row]:
    """Return what IPv4 and its groups have of a row."""
    return [
        each
        for each in row["maddr"]
        if each.get("family") == "inet" or each.get("link", "")[:2] == "01"
    ]


def test_all_hosts_are_always_there(api: Api) -> None:
    lo, tap = api("maddr.show")
    assert (lo["ifname"], tap["ifname"]) == ("lo", "tap0")
    everybody = [
        {"family": "inet", "address": "224.0.0.1"},
        {"family": "inet6", "address": "ff02::1"},
        {"family": "inet6", "address": "ff01::1"},
    ]
    assert lo["maddr"] == everybody
    own = {"family": "inet6", "address": "ff02::1:ff00:a"}
    assert tap["maddr"] == [
        # As ip has them; a group of the interface alone is on no link.
        {"link": "33:33:00:00:00:01"},
        {"link": "01:00:5e:00:00:01"},
        {"link": "33:33:ff:00:00:0a"},
        everybody[0],
        own,
        *everybody[1:],
    ]
    assert api.one("maddr.show", dev="tap0", family="inet")["maddr"] == everybody[:1]
    assert api.one("maddr.show", dev="tap0", family="inet6")["maddr"] == [own, *everybody[1:]]


def test_a_group_is_added_and_deleted(api: Api) -> None:
    before = api("maddr.show")
    api("maddr.add", address=GROUP, dev="tap0")
    listen(api)
    (row,) = api("maddr.show", dev="tap0")
    assert of_ipv4(row) == [
        {"link": "01:00:5e:00:00:01"},
        {"link": "01:00:5e:01:02:03"},
        {"family": "inet", "address": GROUP, "features": "static", "users": 2},
        {"family": "inet", "address": "224.0.0.1"},
    ]
    api("maddr.del", address=GROUP, dev="tap0")
    api.host.stack.udp.close(next(iter(api.stack.udp)))
    assert api("maddr.show") == before


def test_groups_that_share_a_link_address(api: Api) -> None:
    for group in (GROUP, "224.129.2.3"):
        api("maddr.add", address=group, dev="tap0")
    (row,) = api("maddr.show", dev="tap0")
    assert of_ipv4(row)[1] == {"link": "01:00:5e:01:02:03", "users": 2}


def test_what_is_wanted_and_spoken(api: Api) -> None:
    listen(api, source="10.0.0.9,10.0.0.2")
    api.arrive(query(2))
    (row,) = api("maddr.show", dev="tap0", stats=True)
    assert row["igmp"] == {"version": 2, "robustness": 2}
    assert of_ipv4(row)[2]["mode"] == "include"
    assert of_ipv4(row)[2]["sources"] == ["10.0.0.2", "10.0.0.9"]


@pytest.mark.parametrize(
    ("op", "args", "code", "shown"),
    [
        ("maddr.add", {"address": "10.0.0.2"}, "invalid-argument", "10.0.0.2 is not a group"),
        ("maddr.add", {"address": "224.0.0.256"}, "invalid-argument", "224.0.0.256"),
        ("maddr.add", {"address": "01:00:5e:01:02:03"}, "invalid-argument", "link address"),
        ("maddr.add", {"address": GROUP, "dev": "tap7"}, "no-such-device", "tap7"),
        ("maddr.del", {"address": GROUP}, "address-not-available", "not added to tap0"),
        ("maddr.del", {"address": "224.0.0.1"}, "address-not-available", "the stack itself"),
    ],
)
def test_what_cannot_be(api: Api, op: str, args: dict[str, str], code: str, shown: str) -> None:
    error = refused(api, op, **{"dev": "tap0", **args})
    assert error.code == code
    assert shown in error.message


# --- udp ------------------------------------------------------------------------------------------


def test_a_member_hears_its_group_alone(api: Api) -> None:
    exchange = listen(api)
    assert exchange.of("bound") == [{"addr": GROUP, "port": 5000, "dev": "tap0"}]
    api("maddr.add", address=OTHER_GROUP, dev="tap0")
    api.arrive(group_frame(b"mine"), group_frame(b"another", group=OTHER_GROUP))
    assert data(exchange) == [b"mine"]


def test_with_an_address_it_hears_what_is_sent_there(api: Api) -> None:
    exchange = listen(api, addr="0.0.0.0")
    api.arrive(group_frame(b"mine"))
    assert exchange.of("bound") == [{"addr": "0.0.0.0", "port": 5000, "dev": "tap0"}]
    assert data(exchange) == [b"mine"]


def test_only_some_sources(api: Api) -> None:
    exchange = listen(api, source="10.0.0.9")
    api.arrive(group_frame(b"no"), group_frame(b"yes", src="10.0.0.9"))
    assert data(exchange) == [b"yes"]


def test_any_number_may_listen_to_a_group(api: Api) -> None:
    members = [listen(api) for _ in range(3)]
    api.arrive(group_frame(b"all"))
    assert [data(member) for member in members] == [[b"all"]] * 3


def test_a_port_is_shared_when_asked_for(api: Api) -> None:
    exchanges = [api.start("udp.recv", port="7", reuse=True)[0] for _ in range(2)]
    assert len(exchanges) == 2
    with pytest.raises(SmolctlError, match="in use"):
        api.start("udp.recv", port="7")


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ({"group": "10.0.0.2"}, "is not a group"),
        ({"group": GROUP, "source": "224.0.0.5"}, "not the address of one sender"),
        ({"group": GROUP, "source": "10.0.0.2,x"}, "'x' is not an address"),
        ({"group": None, "source": "10.0.0.2"}, "name the group"),
        ({"group": GROUP, "dev": None}, "no route says"),
    ],
)
def test_what_cannot_be_joined(api: Api, args: dict[str, str | None], shown: str) -> None:
    given = {"port": "5000", "dev": "tap0", **args}
    error = refused(api, "udp.recv", **{key: value for key, value in given.items() if value})
    assert shown in error.message


@pytest.mark.parametrize(("ttl", "seen"), [({}, 1), ({"ttl": "9"}, 9)])
def test_the_time_to_live_to_a_group(api: Api, ttl: dict[str, Any], seen: int) -> None:
    done = api.run("udp.send", dst=GROUP, port="5000", dev="tap0", **ttl).done_with
    assert done["ok"]
    (frame,) = [frame for _, frame in api.wire if frame.ip]
    assert frame.ip is not None
    assert frame.ip.ttl == seen
    assert frame.dst == multicast_mac(ip(GROUP))


def test_ttl_0_is_delivered_here(api: Api) -> None:
    exchange = listen(api)
    sent = api.run("udp.send", dst=GROUP, port="5000", dev="tap0", ttl="0", data="aGk=")
    assert sent.of("sent")[0]["fate"] == "delivered"
    assert data(exchange) == [b"hi"]


def test_a_member_that_went_has_left(api: Api) -> None:
    exchange, job = api.start("udp.recv", port="5000", group=GROUP, dev="tap0")
    job.cancel(api.clock.now)
    assert exchange.done_with["received"] == 0
    assert ip(GROUP) not in api.host.tap.ipv4.groups.filters
