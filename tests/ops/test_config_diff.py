"""``config diff``: what it prints leads there, and is no more than that needs."""

import pytest

from smolctl.cli.nouns.config import Wording
from smolctl.errors import InvalidArgument
from tests.kit.amount import amount
from tests.ops.configurations import Changes
from tests.ops.kit import Api, Row
from tests.ops.test_config import TESTED_NS, bare, looks

LAB: list[list[object]] = [
    ["link.add", {"name": "t1", "type": "test", "address": "02:00:00:00:00:31"}],
    ["addr.add", {"local": "10.0.0.1/24", "dev": "t1"}],
    ["addr.add", {"local": "10.0.0.7/24", "dev": "t1"}],
    ["route.add", {"dst": "default", "via": "10.0.0.9"}],
    ["neigh.add", {"dst": "10.0.0.9", "lladdr": "02:00:00:00:00:0b", "dev": "t1"}],
    ["sysctl.set", {"key": "neigh.mcast_solicit", "value": "5"}],
]


def lab() -> Api:
    api = bare()
    for op, args in LAB:
        api(str(op), **args)  # type: ignore[arg-type]
    return api


def diff(api: Api, *commands: list[object]) -> list[str]:
    wording = Wording()
    rows = api("config.diff", commands=list(commands))
    return [wording.command(row["op"], row["args"]) for row in rows]


def test_there_is_nothing_to_do() -> None:
    assert diff(lab(), *LAB) == []
    assert diff(bare()) == []


@pytest.mark.parametrize(
    ("more", "commands"),
    [
        (["addr.add", {"local": "10.1.0.1/24", "dev": "t1"}], ["addr add 10.1.0.1/24 dev t1"]),
        (["addr.del", {"local": "10.0.0.7/24", "dev": "t1"}], ["addr del 10.0.0.7/24 dev t1"]),
        (["link.set", {"dev": "t1", "mtu": "1400", "loss": "1%"}],
         ["link set t1 mtu 1400 loss 1%"]),
        (["route.replace", {"dst": "default", "via": "10.0.0.8"}],
         ["route del default via 10.0.0.9 dev t1", "route add default via 10.0.0.8 dev t1"]),
        (["route.append", {"dst": "default", "via": "10.0.0.8"}],
         ["route append default via 10.0.0.8 dev t1"]),
        (["neigh.del", {"dst": "10.0.0.9", "dev": "t1"}], ["neigh del 10.0.0.9 dev t1"]),
        (["sysctl.set", {"key": "neigh.mcast_solicit", "value": "7"}],
         ["sysctl neigh.mcast_solicit=7"]),
        (["sysctl.set", {"key": "neigh.mcast_solicit", "value": "3"}],
         ["sysctl neigh.mcast_solicit=3"]),
        (["link.del", {"dev": "t1"}], ["link del t1"]),
        (["link.add", {"name": "lo1", "type": "loopback"}], ["link add lo1 type loopback"]),
        (["rule.add", {"priority": "50", "table": "7"}], ["rule add priority 50 table 7"]),
    ],
)  # fmt: skip
def test_one_change_is_one_command(more: list[object], commands: list[str]) -> None:
    api = lab()
    before = looks(api)
    assert diff(api, *LAB, more) == commands
    assert looks(api) == before


def test_a_mac_and_an_mtu_that_nobody_named_stay() -> None:
    link: list[object] = ["link.add", {"name": "t1", "type": "test"}]
    api = lab()
    api("link.set", dev="t1", mtu="1400")
    assert diff(api, link, *LAB[1:]) == []


def test_a_command_that_is_refused_is_named() -> None:
    (row,) = lab()("config.diff", commands=[*LAB, LAB[1]])
    assert (row["failed"], row["error"]["code"]) == (6, "exists")
    (row,) = lab()("config.diff", commands=[["link.show", {}]])
    assert row["failed"] == 0


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(amount(150, 40)))
def test_what_it_says_leads_there(seed: int) -> None:
    mine, theirs = bare(), bare()
    ipv6 = seed % 4 > 1
    Changes(seed, ipv6=ipv6).some(mine, 15)
    Changes(seed + 500 if seed % 2 else seed, ipv6=ipv6).some(theirs, 20)
    assert_leads_there(mine, theirs)


def assert_leads_there(mine: Api, theirs: Api) -> None:
    """See that the commands of a difference make one stack like the other."""
    for api in (mine, theirs):
        api.wait(TESTED_NS)
    rows: list[Row] = theirs("config.save")
    commands = [[row["op"], row["args"]] for row in rows]
    found = mine("config.diff", commands=commands)
    for row in found:
        mine(row["op"], **row["args"])
    mine.wait(TESTED_NS)
    # The order of the links is no part of it.
    assert sorted(map(str, looks(mine))) == sorted(map(str, looks(theirs)))


def test_the_loopback_has_its_mtu_back() -> None:
    api = bare()
    api("link.set", dev="lo", mtu="1000")
    assert diff(api) == ["link set lo mtu 65536"]
    api("link.set", dev="lo", mtu="65536")
    with pytest.raises(InvalidArgument, match=r"68\.\.65536"):
        api("link.set", dev="lo", mtu="65537")
    with pytest.raises(InvalidArgument, match=r"68\.\.65535"):
        api("link.add", name="t1", type="test", mtu="65536")
