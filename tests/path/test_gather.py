"""Networks from snapshots and saved configurations: which interfaces are on one line."""

from smolctl.lab.world import World
from smolctl.path.follow import follow
from smolctl.path.gather import from_configurations, from_snapshots
from smolctl.path.net import End, Line, net_of_world
from smolctl.path.story import Outcome, PathQuestion
from smolctl.stack.explain.predict import Question
from smolctl.wire.address import parse_address
from tests.path import network


def test_a_snapshot_answers_as_the_stack_does() -> None:
    world = network.lab()
    snapshots = {name: node.call("stack.snapshot") for name, node in world.nodes.items()}
    net = from_snapshots(snapshots)
    # A lab calls its wires as it likes; what is on them is the same.
    ends = sorted(line.ends for line in net.lines.values())
    assert ends == sorted(line.ends for line in net_of_world(world).lines.values())
    assert not any(line.outside for line in net.lines.values())
    for proto, port in (("icmp", 0), ("udp", network.UDP_PORT), ("tcp", network.TCP_PORT)):
        packet = Question(proto, None, parse_address("10.0.4.1"), dport=port)
        assert follow(net, PathQuestion("a", packet)).outcome is Outcome.WORKS


def test_lines_lead_to_who_is_on_them() -> None:
    def links(*words: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
        return [("link.add", each) for each in words]

    net = from_configurations({
        "a": links(
            {"name": "eth0", "type": "cable", "cable": "c1"},
            {"name": "eth1", "type": "cable", "cable": "c2"},
            {"name": "s0", "type": "stream", "listen": "/tmp/s"},
            {"name": "v5", "type": "vlan", "link": "eth0", "id": "5"},
            {"name": "tap0", "type": "tap"},
        ),
        "b": links(
            {"name": "eth0", "type": "cable", "cable": "c1"},
            {"name": "s0", "type": "stream", "connect": "/tmp/s"},
        ),
    })  # fmt: skip
    assert sorted(net.lines.values()) == [
        Line((End("a", "eth0"), End("b", "eth0"))),
        Line((End("a", "eth1"),), "another end of cable c2"),
        Line((End("a", "s0"), End("b", "s0"))),
        Line((End("a", "tap0"),), "the Linux kernel"),
    ]


def test_an_interface_on_no_line_leads_where_nobody_looks() -> None:
    world = World()
    net = net_of_world(world)
    assert net.line(net.line_of(End("a", "x0"))) == Line((), "whoever is at the other end")
