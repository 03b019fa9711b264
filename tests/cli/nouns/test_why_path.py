"""``why ... --path``: what is read and printed; the commands run in a lab."""

import json
from pathlib import Path

import pytest

from smolctl.cli import exit as exits
from smolctl.cli.inside import LabCommands
from smolctl.cli.inside.command import Command
from smolctl.errors import InvalidArgument
from smolctl.lab.world import World
from smolctl.path.ask import question_of
from smolctl.path.net import net_of_world
from tests.path import network

COMMANDS = LabCommands()


class Net:
    """The network of five hosts, in whose stacks commands run."""

    def __init__(self) -> None:
        self.world = network.lab()

    def run(self, node: str, text: str, *, json: bool = False) -> Command:
        """Run a command to its end."""
        command = COMMANDS.start(self.world.nodes[node], text, json=json)
        self.world.run(self.world.now + 1_000_000_000, lambda: command.ended)
        assert command.ended
        return command


@pytest.fixture(scope="module")
def net() -> Net:
    """Make the network once: no question changes it."""
    return Net()


def test_a_round_trip_is_told_node_by_node(net: Net) -> None:
    said = net.run("a", "why icmp 10.0.2.1 --path")
    assert (said.status, said.err) == (exits.DONE, "")
    assert said.out.splitlines() == [
        "10.0.1.1 > 10.0.2.1 ICMP echo request ident 32768 seq 1, 0 B   a > r1 > b  predicted",
        "  1 a  ok     eth0: default via 10.0.1.254 dev eth0",
        "  2 r1 ok     eth0 > eth1: 10.0.2.0/24 dev eth1, 10.0.2.1 is on the link",
        "  3 b  ok     eth0: answered",
        "answer: 10.0.2.1 > 10.0.1.1 ICMP echo reply ident 32768 seq 1, 0 B",
        "  4 b  ok     eth0: default via 10.0.2.254 dev eth0",
        "  5 r1 ok     eth1 > eth0: 10.0.1.0/24 dev eth0, 10.0.1.1 is on the link",
        "  6 a  ok     eth0: delivered",
        "verdict: the answer comes back",
        "why:     nothing was in its way",
        "fix:     nothing to fix",
    ]


def test_a_break_names_the_stack_and_its_fix(net: Net) -> None:
    said = net.run("a", "why tcp any 10.0.4.1:9 --path")
    assert said.status == exits.NO
    assert "verdict: breaks at c - tcp-no-listener" in said.out
    assert "fix:     smolctl -n c tcp listen 10.0.4.1:9" in said.out


@pytest.mark.parametrize(
    ("node", "ask", "path"),
    [
        ("b", "a 10.0.2.254", ["a", "r1"]),
        ("b", "10.0.4.1 10.0.1.1", ["c", "r2", "a"]),
        ("b", "b@10.0.3.1 10.0.4.1", ["b", "r1", "r2", "c"]),
        ("c", "10.0.1.1 c", ["a", "r1", "r2", "c"]),
        ("b", "fd00:4::1 fd00:1::1", ["c", "r2", "a"]),
        ("a", "any fd00:2::1", ["a", "r1", "b"]),
    ],
)
def test_who_asks_is_found(net: Net, node: str, ask: str, path: list[str]) -> None:
    said = net.run(node, f"why icmp {ask} --path", json=True)
    row = json.loads(said.out)
    assert (row["from"], row["path"]["packet"]) == (path[0], path)


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        ("icmp x 10.0.2.1", '"x" is no stack and no address'),
        ("icmp 10.0.9.9 10.0.2.1", "none of these stacks has 10.0.9.9: a, b, c, r1, r2"),
        ("icmp c@10.0.1.1 10.0.2.1", "c does not have 10.0.1.1"),
        ("icmp r3@10.0.1.1 10.0.2.1", '"r3" is none of these stacks; there are: a, b, c, r1, r2'),
        ("icmp a b", "b has 4 addresses; say one: 10.0.2.1"),
        ("udp a 10.0.2.1", "the port is missing"),
        ("icmp a 10.0.2.1 iif eth0", "iif and --path cannot be used together"),
        ("icmp a 10.0.2.1 dev eth7", 'there is no interface "eth7"'),
        ("icmp a fd00:2::1 --stacks a,q", '"q"'),
        ("icmp a 10.0.2.1 --stacks a --config x", "cannot be used together"),
        ("icmp 10.0.1.1 10.0.2.1 --config nothing.conf", "cannot read nothing.conf"),
    ],
)
def test_a_mistake_is_one_line(net: Net, ask: str, error: str) -> None:
    said = net.run("a", f"why {ask} --path")
    assert said.status in (exits.FIX, exits.UNREACHABLE)
    assert error in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_what_leaves_the_stacks_is_not_known(net: Net) -> None:
    said = net.run("a", "why icmp 10.0.2.1 --stacks a,r1")
    assert said.status == exits.UNKNOWN
    lines = said.out.splitlines()
    assert lines[2] == "  2 r1 wait   eth0 > eth1: waits for the answer of another end of cable c2"
    assert lines[3] == "verdict: not known: it leaves for another end of cable c2 by eth1 from r1"


def test_saved_configurations_are_asked_as_well(
    net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in net.world.nodes:
        (tmp_path / f"{name}.conf").write_text(net.run(name, "config save").out)
    monkeypatch.chdir(tmp_path)
    said = net.run("b", "why icmp a 10.0.4.1 --config a.conf,r1.conf,r2.conf,c.conf")
    assert said.status == exits.DONE
    assert "verdict: the answer comes back" in said.out
    for name in net.world.nodes:
        (tmp_path / f"{name}.json").write_text(net.run(name, "stack snapshot").out)
    said = net.run("b", "why udp a 10.0.4.1:7000 --config a.json,r1.json,r2.json,c.json")
    assert said.status == exits.DONE
    assert "  4 c  ok     eth0: delivered to [::]:7000 (udp echo)" in said.out
    mixed = net.run("b", "why icmp a 10.0.4.1 --config a.json,r1.conf")
    assert mixed.err == (
        "smolctl: some files are snapshots, and others are commands; use one kind\n"
    )


def test_a_loop_is_shown_for_a_few_rounds() -> None:
    net = Net()
    net.run("r1", "route add 10.0.9.0/24 via 10.0.1.253")
    net.run("r2", "route add 10.0.9.0/24 via 10.0.1.254")
    said = net.run("a", "why icmp 10.0.9.1 --path")
    assert "      ... and so on, 59 more times" in said.out
    assert len(said.out.splitlines()) < 16
    assert "it went round between r1 and r2" in said.out


def test_verbose_shows_what_was_asked_beside(net: Net) -> None:
    said = net.run("a", "-v why icmp 10.0.1.254 --path")
    assert "beside it:" in said.out
    assert "who-has 10.0.1.254 tell 10.0.1.1" in said.out
    assert "ethernet ok     from 02:00:00:00:00:01, IPv4" in said.out


def test_other_networks_are_not_looked_at() -> None:
    """A stack that no cable connects with ours has the same address as one of ours."""
    world = World()
    for name, wire in (("a", "c1"), ("b", "c1"), ("other", "c9")):
        node = world.add_node(name)
        node.call("link.add", name="eth0", type="cable", cable=wire)
        host = 2 if name == "b" else 1
        node.call("addr.add", local=f"10.0.0.{host}/24", dev="eth0")
    world.run(world.now + 1_000_000)
    command = COMMANDS.start(world.nodes["b"], "why icmp 10.0.0.1 10.0.0.2 --path", json=True)
    world.run(world.now + 1_000_000_000, lambda: command.ended)
    assert json.loads(command.out)["from"] == "a"
    with pytest.raises(InvalidArgument, match=r"2 stacks have 10\.0\.0\.1") as refused:
        question_of(net_of_world(world), {"proto": "icmp", "src": "10.0.0.1", "dst": "10.0.0.2"})
    assert refused.value.hint == "say a@10.0.0.1 or other@10.0.0.1"
