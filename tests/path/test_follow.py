"""A packet's whole path between the nodes of a lab."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from smolctl.lab.node import Node
from smolctl.lab.world import World
from smolctl.path import passage
from smolctl.path.follow import follow
from smolctl.path.net import End, Line, Net, net_of_world
from smolctl.path.story import Leg, Outcome, PathQuestion, Story
from smolctl.path.tell import tell
from smolctl.stack.explain.predict import Question
from smolctl.wire.address import parse_address

S = 1_000_000_000


class Three(NamedTuple):
    """Hosts a and b, and the router r between them; both families."""

    world: World
    a: Node
    r: Node
    b: Node

    @property
    def net(self) -> Net:
        return net_of_world(self.world)

    def asked(self, proto: str, dst: str, port: int = 0, size: int = 0) -> Story:
        packet = Question(proto, None, parse_address(dst), dport=port, size=size)
        return follow(self.net, PathQuestion("a", packet))


def plugged(world: World, name: str, **links: tuple[str, ...]) -> Node:
    """Add a node; each of its links is on a wire, and has addresses."""
    node = world.add_node(name)
    for dev, (wire, *addresses) in links.items():
        node.call("link.add", name=dev, type="cable", cable=wire)
        for address in addresses:
            node.call("addr.add", local=address, dev=dev)
    return node


def three() -> Three:
    world = World()
    a = plugged(world, "a", eth0=("c1", "10.0.1.1/24", "fd01::1/64"))
    r = plugged(
        world, "r",
        eth0=("c1", "10.0.1.254/24", "fd01::fe/64"), eth1=("c2", "10.0.2.254/24", "fd02::fe/64"),
    )  # fmt: skip
    b = plugged(world, "b", eth0=("c2", "10.0.2.1/24", "fd02::1/64"))
    world.run(world.now + 3 * S)
    for node, gateway in ((a, "10.0.1.254"), (a, "fd01::fe"), (b, "10.0.2.254"), (b, "fd02::fe")):
        node.call("route.add", dst="default", via=gateway)
    for key in ("ip.forward", "ip6.forward"):
        r.call("sysctl.set", key=key, value="1")
    b.start("udp.recv", {"port": "7"})
    b.start("tcp.echo", {"port": "80"})
    return Three(world, a, r, b)


@pytest.fixture
def net() -> Three:
    return three()


@pytest.mark.parametrize("dst", ["10.0.2.1", "fd02::1"])
@pytest.mark.parametrize(("proto", "port"), [("icmp", 0), ("udp", 7), ("tcp", 80)])
def test_a_round_trip_works(net: Three, proto: str, port: int, dst: str) -> None:
    story = net.asked(proto, dst, port)
    assert story.outcome is Outcome.WORKS
    assert story.reached(Leg.PACKET) == ["a", "r", "b"]
    assert story.reached(Leg.ANSWER) == ["b", "r", "a"]


def test_a_question_changes_nothing(net: Three) -> None:
    before = [node.call("neigh.show") for node in (net.a, net.r, net.b)]
    net.asked("icmp", "10.0.2.1")
    assert [node.call("neigh.show") for node in (net.a, net.r, net.b)] == before == [[], [], []]


@pytest.mark.parametrize("dst", ["10.0.2.1", "fd02::1"])
@pytest.mark.parametrize(("proto", "why"), [("udp", "udp-port-closed"), ("tcp", "tcp-no-listener")])
def test_a_closed_port_is_told(net: Three, proto: str, dst: str, why: str) -> None:
    story = net.asked(proto, dst, 9)
    assert story.outcome is Outcome.BREAKS
    assert (story.at and story.at.node, story.reason and story.reason.name) == ("b", why)
    assert story.reached(Leg.ERROR if proto == "udp" else Leg.ANSWER) == ["b", "r", "a"]


FAULTS: list[tuple[str, Callable[[Three], object], str, str, Leg]] = [
    ("not forwarding", lambda n: n.r.call("sysctl.set", key="ip.forward", value="0"),
     "r", "ip-dst-not-ours", Leg.PACKET),
    ("no route back", lambda n: n.b.call("route.del", dst="default"),
     "b", "tx-no-route", Leg.ANSWER),
    ("reverse path", lambda n: (
        n.r.call("sysctl.set", key="ip.rp_filter", value="1"),
        n.r.call("route.add", dst="10.0.1.1/32", via="10.0.2.1")),
     "r", "ip-reverse-path", Leg.PACKET),
    ("blackhole on the return",
     lambda n: n.r.call("route.add", dst="10.0.1.1/32", type="blackhole"),
     "r", "fwd-route-blackhole", Leg.ANSWER),
    ("wrong MAC", lambda n: n.a.call(
        "neigh.add", dst="10.0.1.254", lladdr="02:00:00:00:00:99", dev="eth0"),
     "r", "rx-not-our-mac", Leg.PACKET),
    ("absent", lambda n: n.b.call("addr.del", local="10.0.2.1/24", dev="eth0"),
     "r", "neigh-failed", Leg.PACKET),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "node", "why", "leg"), [x[1:] for x in FAULTS],
                         ids=[x[0] for x in FAULTS])  # fmt: skip
def test_a_fault_breaks_it_where_it_is(
    net: Three, fault: Callable[[Three], object], node: str, why: str, leg: Leg
) -> None:
    fault(net)
    story = net.asked("icmp", "10.0.2.1")
    assert story.outcome is Outcome.BREAKS
    assert story.at is not None
    assert story.reason is not None
    assert (story.at.node, story.reason.name, story.leg) == (node, why, leg)


@pytest.mark.parametrize("proto", ["tcp", "icmp"])
def test_what_tcp_would_send_again_is_said_not_to_be_followed(net: Three, proto: str) -> None:
    net.r.call("sysctl.set", key="ip.forward", value="0")
    story = net.asked(proto, "10.0.2.1", 80)
    assert ("send again" in tell(story)["why"]) is (proto == "tcp")


@pytest.mark.parametrize("seconds", [0, 1, 2, 4])
def test_what_was_asked_for_before_goes_on(net: Three, seconds: int) -> None:
    """A neighbor that is being asked for is given up in the clone, too."""
    net.a.start("ping.run", {"dst": "10.0.1.9", "count": "1", "timeout": "1"})
    net.world.run(net.world.now + seconds * S)
    story = net.asked("icmp", "10.0.1.9")
    assert story.outcome is Outcome.BREAKS
    assert story.reason is not None
    assert (story.reason.name, story.errno) == ("neigh-failed", "EHOSTUNREACH")


def test_who_hears_a_question_that_is_not_for_him_is_named(net: Three) -> None:
    plugged(net.world, "c", eth0=("c1", "10.0.1.3/24"))
    told = tell(net.asked("icmp", "10.0.1.9"))
    assert told["why"] == (
        "3 ARP requests for 10.0.1.9 on eth0, and nothing came back; heard by c, r,"
        " without the address"
    )


def test_a_link_that_loses_frames_is_named_though_this_one_passed(net: Three) -> None:
    net.r.call("link.set", dev="eth1", loss="30%")
    told = tell(net.asked("icmp", "10.0.2.1"))
    assert told["why"] == "it was lucky: eth1 of r loses 30% of its frames"


def broadcast(net: Three, port: int) -> Story:
    packet = Question("udp", None, parse_address("10.0.1.255"), dport=port, broadcast=True)
    return follow(net.net, PathQuestion("a", packet))


def test_a_broadcast_has_several_receivers_and_answers(net: Three) -> None:
    plugged(net.world, "c", eth0=("c1", "10.0.1.3/24")).start("udp.recv", {"port": "9"})
    net.r.start("udp.recv", {"port": "9"})
    story = broadcast(net, 9)
    assert story.outcome is Outcome.WORKS
    assert sorted(story.reached(Leg.PACKET)) == ["a", "c", "r"]
    assert sorted(story.reached(Leg.ANSWER)) == ["a", "c", "r"]


def test_a_broadcast_that_nobody_wants_breaks_at_others(net: Three) -> None:
    story = broadcast(net, 9)
    assert (story.at and story.at.node) == "r"
    assert (story.reason and story.reason.name) == "udp-no-listener"


@pytest.mark.parametrize("group", ["239.1.1.1", "ff05::1:3"])
def test_a_group_is_answered_by_its_members(net: Three, group: str) -> None:
    plugged(net.world, "c", eth0=("c1", "10.0.1.3/24", "fd01::3/64"))
    net.r.start("udp.recv", {"port": "9", "group": group, "dev": "eth0"})
    packet = Question("udp", None, parse_address(group), dport=9, dev="eth0")
    story = follow(net.net, PathQuestion("a", packet))
    assert story.outcome is Outcome.WORKS
    assert story.reached(Leg.ANSWER) == ["r", "a"]


def test_a_vlan_that_is_missing_is_where_it_breaks(net: Three) -> None:
    for node, host in ((net.a, 1), (net.r, 2)):
        node.call("link.add", name="v5", type="vlan", link="eth0", id="5")
        node.call("addr.add", local=f"10.5.0.{host}/24", dev="v5")
    assert net.asked("icmp", "10.5.0.2").outcome is Outcome.WORKS
    net.r.call("link.del", dev="v5")
    story = net.asked("icmp", "10.5.0.2")
    assert (story.at and story.at.node) == "r"
    assert (story.reason and story.reason.name) == "rx-vlan-unknown"


def outside(net: Three) -> Net:
    """Return the network without b: its wire is a TAP of r's."""
    found = net.net
    stacks = {name: stack for name, stack in found.stacks.items() if name != "b"}
    lines = {**found.lines, "c2": Line((End("r", "eth1"),), "the Linux kernel")}
    return Net(stacks, lines, found.now_ns)


@pytest.mark.parametrize("known", [False, True])
def test_what_leaves_for_the_kernel_is_not_guessed(net: Three, known: bool) -> None:
    if known:
        net.r.call("neigh.add", dst="10.0.2.1", lladdr="02:00:00:00:00:77", dev="eth1")
    packet = Question("icmp", None, parse_address("10.0.2.1"))
    story = follow(outside(net), PathQuestion("a", packet))
    assert story.outcome is Outcome.OUTSIDE
    row = tell(story)
    assert row["verdict"] == "not known: it leaves for the Linux kernel by eth1 from r"
    assert ("is asked for a MAC address" in row["why"]) is not known
    assert (row["fix"], row["ok"], story.told, story.errno) == ([], False, (), "")


def test_a_storm_ends(net: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame of a loop is doubled on its way, so there are more and more of them."""
    monkeypatch.setattr(passage, "_FRAMES_MAX", 1000)  # sooner than for anybody else
    net.r.call("route.add", dst="10.0.9.0/24", via="10.0.2.1")
    net.b.call("sysctl.set", key="ip.forward", value="1")
    for node, dev in ((net.r, "eth1"), (net.b, "eth0")):
        node.call("link.set", dev=dev, duplicate="100%")
    story = net.asked("icmp", "10.0.9.1")
    assert story.endless
    assert story.outcome is Outcome.BREAKS
    assert str(tell(story)["verdict"]).startswith("becomes a storm")


@pytest.mark.parametrize("dst", ["10.0.1.254", "fd01::fe"])
def test_two_stacks_with_one_address_are_named(net: Three, dst: str) -> None:
    plen = 24 if "." in dst else 64
    c = plugged(net.world, "c", eth0=("c1",))
    c.call("addr.add", local=f"{dst}/{plen}", dev="eth0", nodad=True)
    told = tell(net.asked("icmp", dst))
    assert told["ok"]
    assert told["why"] == "it was lucky: r and c answer for the same address"
