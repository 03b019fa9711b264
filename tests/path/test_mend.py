"""Fixes of a path: whose they are, and what comes behind the fault."""

from typing import Any

import pytest

from smolctl.path.follow import follow
from smolctl.path.mend import mend
from smolctl.path.net import net_of_world
from smolctl.path.story import PathQuestion
from smolctl.path.tell import tell
from smolctl.stack.explain.predict import Question
from smolctl.wire.address import parse_address
from tests.path import network

Row = dict[str, Any]


def told(ask: str, *changes: str, size: int = 0) -> Row:
    """Return the row of a question about the network of five hosts."""
    world = network.lab()
    for change in changes:
        node, text = change.split(" ", 1)
        network.run(world.nodes[node], text)
    world.run(world.now + 1_000_000)
    node, proto, dst, *port = ask.split()
    packet = Question(proto, None, parse_address(dst), dport=int(*port or (0,)), size=size)
    net = net_of_world(world)
    story = follow(net, PathQuestion(node, packet))
    return tell(story, mend(net, story))


CASES = [
    ("a icmp 10.0.2.1", ["r1 sysctl net.ipv4.ip_forward=0"], "breaks at r1 - ip-dst-not-ours",
     ["smolctl -n r1 sysctl ip.forward=1"]),
    ("a icmp 10.0.2.1", ["b route del default via 10.0.2.254"],
     "the answer breaks at b - tx-no-route",
     ["smolctl -n b route add default via 10.0.2.254",
      "smolctl -n b route add 10.0.1.0/24 via 10.0.2.254"]),
    ("a udp fd00:2::1 7000", ["b -6 route del default via fd00:2::254"],
     "the answer breaks at b - tx-no-route",
     ["smolctl -n b -6 route add default via fd00:2::254",
      "smolctl -n b -6 route add fd00:1::/64 via fd00:2::254"]),
    ("a tcp 10.0.2.1 9", [], "breaks at b - tcp-no-listener",
     ["smolctl -n b tcp listen 10.0.2.1:9"]),
    ("a icmp 10.0.2.1", ["r1 neigh add 10.0.2.1 lladdr 02:00:00:00:00:99 dev eth1"],
     "breaks at b - rx-not-our-mac",
     ["smolctl -n r1 neigh replace 10.0.2.1 lladdr 02:00:00:00:00:05 dev eth1"]),
    ("a icmp 10.0.2.1", ["r1 route add blackhole 10.0.1.1"],
     "the answer breaks at r1 - fwd-route-blackhole",
     ["smolctl -n r1 route del blackhole 10.0.1.1/32"]),
    ("a icmp 10.0.2.1", ["a route del default via 10.0.1.254",
                         "a route add default via 10.0.1.77"],
     "breaks at a - neigh-failed",
     ["smolctl -n a route replace default via 10.0.1.254",
      "smolctl -n a route add 10.0.2.0/24 via 10.0.1.254"]),
    ("a icmp 10.0.1.254", ["r1 addr del 10.0.1.254/24 dev eth0",
                           "r1 addr add 10.0.1.254/28 dev eth0"],
     "the answer breaks at r1 - tx-no-route",
     ["smolctl -n r1 addr add 10.0.1.254/24 dev eth0",
      "smolctl -n r1 route add default via 10.0.1.253",
      "smolctl -n r1 route add 10.0.1.0/24 via 10.0.1.253"]),
    # Nobody has the address: no route, and no gateway, is made up for it.
    ("a icmp 10.0.9.1", [], "breaks at r1 - fwd-no-route", []),
    ("a icmp 10.0.2.77", [], "breaks at r1 - neigh-failed", []),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "changes", "verdict", "fixes"), CASES)
def test_whose_fix_helps(ask: str, changes: list[str], verdict: str, fixes: list[str]) -> None:
    row = told(ask, *changes)
    assert (row["verdict"], row["fix"]) == (verdict, fixes)
    assert bool(row.get("look")) != bool(fixes)
    assert "then" not in row


def test_a_fault_behind_another_is_told_with_its_fix() -> None:
    row = told(
        "a icmp 10.0.2.1", "r1 sysctl net.ipv4.ip_forward=0", "b route del default via 10.0.2.254"
    )
    assert row["fix"] == ["smolctl -n r1 sysctl ip.forward=1"]
    (then,) = row["then"]
    assert then["verdict"] == "the answer breaks at b - tx-no-route"
    assert then["fix"][0] == "smolctl -n b route add default via 10.0.2.254"


def test_what_a_sender_learns_is_told() -> None:
    row = told(
        "a udp 10.0.2.1 7000", "r1 link set eth1 mtu 1400", "b link set eth0 mtu 1400", size=1450
    )
    assert row["verdict"] == "breaks at r1 - fwd-too-big"
    assert row["told"] == [{"src": "10.0.1.254", "type": 3, "code": 4}]
    assert str(row["look"]).startswith("send it again: a knows")


def test_a_loop_names_those_who_make_it() -> None:
    row = told(
        "a icmp 10.0.9.1",
        "r1 route add 10.0.9.0/24 via 10.0.1.253",
        "r2 route add 10.0.9.0/24 via 10.0.1.254",
    )
    assert str(row["why"]).endswith("it went round between r1 and r2")


def test_a_black_hole_is_whoever_keeps_the_sender_from_being_told() -> None:
    row = told(
        "a udp 10.0.2.1 7000", "r1 link set eth1 mtu 1400", "b link set eth0 mtu 1400",
        "r1 rule add iif lo to 10.0.1.0/24 priority 100 blackhole", size=1450,
    )  # fmt: skip
    assert row["verdict"] == "breaks at r1 - fwd-too-big"
    assert str(row["why"]).endswith("; a is not told: the error ends at r1 - tx-rule-blackhole")
    assert row["fix"] == [
        "smolctl -n r1 rule del priority 100 from all to 10.0.1.0/24 iif lo blackhole"
    ]
    (then,) = row["then"]
    assert str(then["why"]).endswith("a learns that, and what it sends next gets through")


def test_an_answer_from_another_address_is_told() -> None:
    """A program that has several addresses, and is bound to none, answers from the nearest one."""
    row = told("a udp 10.0.3.1 7000")
    assert row["ok"]
    assert row["why"] == (
        "the answer comes from 10.0.2.1, which a program that has connected its socket does not"
        " hear"
    )
    assert told("a udp 10.0.2.1 7000")["why"] == "nothing was in its way"


def test_what_to_look_at_names_the_stack_once() -> None:
    world = network.lab()
    world.connect("c2", False)
    packet = Question("icmp", None, parse_address("10.0.2.1"))
    row = tell(follow(net_of_world(world), PathQuestion("a", packet)))
    assert row["verdict"] == "breaks at r1 - tx-no-carrier"
    assert "smolctl --stack OTHER link add" in row["look"]
    assert "smolctl -n r1 neigh show" in told("a icmp 10.0.9.1")["look"]
