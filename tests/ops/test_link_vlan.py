"""VLANs by ``link``: the words of ip, the rows of ``ip -j -d link``, save and diff."""

from typing import Any

import pytest

from smolctl.errors import AlreadyExists, InvalidArgument, NoSuchDevice
from tests.kit.host import OTHER_MAC, OUR_MAC
from tests.ops.kit import Api, Row


@pytest.fixture
def api() -> Api:
    api = Api()
    api("link.add", name="tap0.5", type="vlan", link="tap0", id="5")
    return api


def test_the_row_of_a_vlan_is_that_of_ip(api: Api) -> None:
    row = api.one("link.show", dev="tap0.5")
    assert list(row)[:3] == ["ifindex", "link", "ifname"]
    assert row["link"] == "tap0"
    assert row["flags"] == ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"]
    assert (row["qdisc"], row["operstate"], row["mtu"]) == ("noqueue", "UP", 1500)
    assert row["address"] == OUR_MAC.hex(":")
    assert row["linkinfo"] == {
        "info_kind": "vlan",
        "info_data": {"protocol": "802.1Q", "id": 5, "flags": ["REORDER_HDR"]},
    }
    assert "link" not in api.one("link.show", dev="tap0")


def test_qinq_says_its_protocol(api: Api) -> None:
    api("link.add", name="s", type="vlan", link="tap0", id="100", protocol="802.1AD")
    api("link.add", name="s.5", type="vlan", link="s", id="5")
    assert api.one("link.show", dev="s")["linkinfo"]["info_data"]["protocol"] == "802.1ad"
    assert api.one("link.show", dev="s.5")["link"] == "s"


def test_a_link_that_is_down_is_shown_as_by_ip(api: Api) -> None:
    api("link.set", dev="tap0", state="down")
    row = api.one("link.show", dev="tap0.5")
    assert row["flags"] == ["BROADCAST", "MULTICAST", "M-DOWN"]
    assert row["operstate"] == "DOWN"


def test_a_link_without_carrier_is_shown_as_by_ip(api: Api) -> None:
    from smolctl.stack.config.link import set_carrier

    set_carrier(api.stack.shared, api.host.tap, False, api.clock.now)
    row = api.one("link.show", dev="tap0.5")
    assert row["flags"] == ["NO-CARRIER", "BROADCAST", "MULTICAST", "UP"]
    assert row["operstate"] == "LOWERLAYERDOWN"


WRONG: list[tuple[Row, type[Exception], str]] = [
    ({"id": "6"}, InvalidArgument, "type vlan needs link DEV"),
    ({"link": "tap0"}, InvalidArgument, "type vlan needs id VID"),
    ({"link": "tap1", "id": "6"}, NoSuchDevice, 'there is no interface "tap1"'),
    ({"link": "lo", "id": "6"}, InvalidArgument, "lo has no VLANs"),
    ({"link": "tap0", "id": "4095"}, InvalidArgument, "4095"),
    ({"link": "tap0", "id": "x"}, InvalidArgument, '"x"'),
    ({"link": "tap0", "id": "5"}, AlreadyExists, "tap0.5"),
    ({"link": "tap0", "id": "6", "protocol": "ip"}, InvalidArgument, "802.1Q or 802.1ad"),
    ({"link": "tap0", "id": "6", "mtu": "1501"}, InvalidArgument, "mtu 1501 does not fit tap0"),
    ({"link": "tap0", "id": "6", "promisc": True}, InvalidArgument, 'type vlan has no "promisc"'),
]


@pytest.mark.parametrize(("words", "error", "text"), WRONG)
def test_what_makes_no_vlan_is_refused(
    api: Api, words: Row, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        api("link.add", name="v", type="vlan", **words)
    assert "v" not in api.stack.interfaces


def test_other_types_have_no_vlan_id(api: Api) -> None:
    with pytest.raises(InvalidArgument, match='type loopback has no "id"'):
        api("link.add", name="v", type="loopback", id="5")


def commands(api: Api) -> list[tuple[str, Row]]:
    return [(row["op"], row["args"]) for row in api("config.save")]


def saved(api: Api, name: str) -> Row:
    (args,) = [args for op, args in commands(api) if op == "link.add" and args["name"] == name]
    return args


def test_what_follows_the_link_is_not_saved(api: Api) -> None:
    plain = {"name": "tap0.5", "type": "vlan", "link": "tap0", "id": "5"}
    assert saved(api, "tap0.5") == plain
    api("link.set", dev="tap0", state="down")
    assert saved(api, "tap0.5") == plain


def test_what_a_vlan_has_of_its_own_is_saved(api: Api) -> None:
    api("link.set", dev="tap0.5", mtu="1400", address=OTHER_MAC.hex(":"), state="down")
    api("link.add", name="s", type="vlan", link="tap0", id="7", protocol="802.1ad")
    assert saved(api, "tap0.5") == {
        "name": "tap0.5", "type": "vlan", "link": "tap0", "id": "5",
        "mtu": "1400", "address": OTHER_MAC.hex(":"), "down": True,
    }  # fmt: skip
    assert saved(api, "s")["protocol"] == "802.1ad"


def test_a_deleted_link_takes_its_vlans_along(api: Api) -> None:
    api("link.add", name="v", type="vlan", link="tap0.5", id="6")
    api("link.del", dev="tap0")
    assert [row["ifname"] for row in api("link.show")] == ["lo"]


def test_a_batch_that_makes_a_link_and_its_vlan_is_made_at_once(api: Api) -> None:
    lines: list[Any] = [
        ["link.add", {"name": "t1", "type": "test"}],
        ["link.add", {"name": "t1.9", "type": "vlan", "link": "t1", "id": "9"}],
        ["addr.add", {"dev": "t1.9", "local": "10.9.0.1/24"}],
        ["link.set", {"dev": "t1.9", "state": "down"}],
    ]
    api.atomic(*lines)
    upper, lower = api.stack.interface("t1.9"), api.stack.interface("t1")
    assert upper.vlan is not None
    assert upper.vlan.lower is lower
    assert lower.vlans == {(0x8100, 9): upper}


def test_a_batch_that_fails_leaves_the_vlans_as_they_were(api: Api) -> None:
    upper, lower = api.stack.interface("tap0.5"), api.stack.interface("tap0")
    lines: list[Any] = [
        ["link.set", {"dev": "tap0", "mtu": "1300", "address": "02:00:00:00:00:77"}],
        ["link.del", {"dev": "tap0.5"}],
        ["link.del", {"dev": "nobody"}],
    ]
    api.atomic(*lines)
    assert lower.vlans == {(0x8100, 5): upper}
    assert (upper.mtu, upper.mac) == (1500, OUR_MAC)
