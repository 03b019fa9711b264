"""The matrix of who reaches whom."""

from itertools import pairwise, product
from time import process_time
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.lab import campus
from smolctl.errors import InvalidArgument
from smolctl.lab.node import Node
from smolctl.lab.world import World
from smolctl.path.clones import Clones
from smolctl.path.follow import follow
from smolctl.path.net import net_of_world
from smolctl.path.reach import Asked, Matrix, Place, alike, answer, places, reach, sign
from smolctl.path.reach_tell import tell
from smolctl.path.story import Outcome, PathQuestion
from smolctl.stack.clone.stack_clone import clone_for_changes
from smolctl.stack.explain.predict import Question
from smolctl.wire.address import IPV4, IPV6, Family, format_address, parse_address
from tests.kit.amount import WHOLE, amount, examples

S = 1_000_000_000
FAMILIES = pytest.mark.parametrize("family", [IPV4, IPV6])


class Lan(NamedTuple):
    """A router's link: its number, and how many hosts are on it."""

    number: int
    hosts: int


def plug(node: Node, dev: str, wire: str, *addresses: str) -> None:
    node.call("link.add", name=dev, type="cable", cable=wire)
    for address in addresses:
        node.call("addr.add", local=address, dev=dev)


def lans(*hosts: int, profile: str = "linux") -> World:
    """Return hosts h1a, h1b, ... on links of which each has a router r1, ...; all works."""
    world = World()
    for lan, count in enumerate(hosts, 1):
        router = world.add_node(f"r{lan}", profile=profile)
        plug(router, "eth0", f"lan{lan}", f"10.0.{lan}.254/24", f"fd0{lan}::fe/64")
        plug(router, "eth1", "middle", f"10.9.0.{lan}/24", f"fd09::{lan}/64")
        for host in range(count):
            node = world.add_node(f"h{lan}{'abc'[host]}", profile=profile)
            plug(node, "eth0", f"lan{lan}", f"10.0.{lan}.{host + 1}/24", f"fd0{lan}::{host + 1}/64")
    world.run(world.now + 3 * S)
    for name, node in world.nodes.items():
        lan = int(name[1])
        if name[0] == "h":
            node.call("route.add", dst="default", via=f"10.0.{lan}.254")
            node.call("route.add", dst="default", via=f"fd0{lan}::fe")
            continue
        for key in ("ip.forward", "ip6.forward"):
            node.call("sysctl.set", key=key, value="1")
        for other in set(range(1, len(hosts) + 1)) - {lan}:
            node.call("route.add", dst=f"10.0.{other}.0/24", via=f"10.9.0.{other}")
            node.call("route.add", dst=f"fd0{other}::/64", via=f"fd09::{other}")
    return world


def asked(world: World, family: Family = IPV4, proto: str = "icmp", port: int = 0) -> Matrix:
    net = net_of_world(world)
    return reach(net, Asked(proto, port), places(net, family))


def broken(matrix: Matrix) -> dict[tuple[str, str], tuple[str, str, str]]:
    """Return what does not work: by whom to whom, the leg, where and why."""
    return {
        (src.stack, dst.stack): (each.leg, each.at, each.reason)
        for src, dst, each in matrix.pairs()
        if not each.ok
    }


@FAMILIES
def test_all_reach_all(family: Family) -> None:
    matrix = asked(lans(1, 1), family)
    assert [place.stack for place in matrix.places] == ["r1", "h1a", "r2", "h2a"]
    assert [[each is None for each in row] for row in matrix.rows] == [
        [at == other for other in range(4)] for at in range(4)
    ]
    assert broken(matrix) == {}
    assert alike(matrix) == [[0, 1, 2, 3]]


@FAMILIES
def test_a_host_without_a_way_out_reaches_its_link_and_is_reached_by_it(family: Family) -> None:
    world = lans(2, 1)
    default = "default" if family is IPV4 else "::/0"
    world.nodes["h1a"].call("route.del", dst=default)
    found = broken(asked(world, family))
    assert found == {
        **{("h1a", far): ("packet", "h1a", "tx-no-route") for far in ("r2", "h2a")},
        **{(far, "h1a"): ("answer", "h1a", "tx-no-route") for far in ("r2", "h2a")},
    }


def test_ports_are_asked_for_where_a_program_listens() -> None:
    world = lans(1, 1)
    for name in ("h1a", "h2a"):
        world.nodes[name].start("udp.echo", {"port": "7"})
        world.nodes[name].start("tcp.echo", {"port": "7"})
    for proto, why in (("udp", "udp-port-closed"), ("tcp", "tcp-no-listener")):
        found = broken(asked(world, proto=proto, port=7))
        assert {dst for _, dst in found} == {"r1", "r2"}
        assert {(at == pair[1], reason) for pair, (_, at, reason) in found.items()} == {(True, why)}


def test_an_address_that_two_stacks_have_does_not_reach_who_was_meant() -> None:
    world = lans(2)
    world.nodes["h1b"].call("addr.del", local="10.0.1.2/24", dev="eth0")
    world.nodes["h1b"].call("sysctl.set", key="arp.dad", value="0")
    world.nodes["h1b"].call("addr.add", local="10.0.1.1/24", dev="eth0")
    world.run(world.now + S)
    matrix = asked(world)
    by = {(s.stack, d.stack): each.by for s, d, each in matrix.pairs() if each.by}
    assert by[("h1a", "h1b")] == "h1a"
    assert not next(
        each for s, d, each in matrix.pairs() if (s.stack, d.stack) == ("h1a", "h1b")
    ).ok


def test_every_address_is_a_place_and_a_stack_is_not_asked_for_its_own() -> None:
    net = net_of_world(lans(1))
    there = places(net, IPV4, every=True)
    assert [(place.stack, format_address(place.address)) for place in there] == [
        ("r1", "10.0.1.254"), ("r1", "10.9.0.1"), ("h1a", "10.0.1.1"),
    ]  # fmt: skip
    matrix = reach(net, Asked("icmp"), there)
    assert matrix.rows[0][:2] == matrix.rows[1][:2] == [None, None]
    assert broken(matrix) == {}


def test_two_stacks_with_an_address_are_needed() -> None:
    world = World()
    for name in ("a", "b"):
        plug(world.add_node(name), "eth0", "c1", *(["10.0.0.1/24"] if name == "a" else []))
    with pytest.raises(InvalidArgument, match=r"IPv4 address.*stacks with one: a\)"):
        asked(world)


def test_who_cannot_be_told_apart_is_one_group() -> None:
    world = lans(3, 2)
    world.nodes["h1b"].call("route.del", dst="default")
    matrix = asked(world)
    groups = [[matrix.places[each].stack for each in group] for group in alike(matrix)]
    assert groups == [["r1", "h1a", "h1c"], ["h1b"], ["r2", "h2a", "h2b"]]


def test_the_row_names_each_answer_once_with_a_command() -> None:
    world = lans(2, 1)
    world.nodes["h1a"].call("route.del", dst="default")
    row = tell(asked(world), ["--lab", "x"])
    assert (row["pairs"], row["reached"], row["ok"], row["unknown"]) == (20, 16, False, 0)
    assert [each["count"] for each in row["answers"]] == [16, 2, 2]
    assert row["answers"][1] == {
        "outcome": "breaks", "ok": False, "count": 2, "reason": "tx-no-route", "at": "h1a",
        "leg": "packet", "from": "h1a", "to": "r2",
        "ask": "smolctl why icmp h1a 10.0.2.254 --lab x --path",
    }  # fmt: skip
    assert row["matrix"][1] == [0, None, 0, 1, 1]


# --- laws -----------------------------------------------------------------------------------------

FAULTS = (
    ("h", "route.del", {"dst": "default"}),
    ("r", "sysctl.set", {"key": "ip.forward", "value": "0"}),
    ("h", "sysctl.set", {"key": "icmp.echo_ignore_all", "value": "1"}),
    ("r", "route.add", {"dst": "10.0.1.1/32", "type": "blackhole"}),
    ("r", "route.add", {"dst": "10.0.2.0/25", "type": "prohibit"}),
    ("h", "link.set", {"dev": "eth0", "state": "down"}),
    ("h", "addr.del", {"local": "10.0.1.1/24", "dev": "eth0"}),
    ("r", "sysctl.set", {"key": "ip.rp_filter", "value": "1"}),
    ("r", "neigh.add", {"dst": "10.0.1.1", "lladdr": "02:00:00:00:00:99", "dev": "eth0"}),
    ("h", "sysctl.set", {"key": "arp.ignore", "value": "8"}),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a network with up to three faults."""
    hosts = draw(st.lists(st.integers(1, 2), min_size=1, max_size=2))
    world = lans(*hosts, profile=draw(st.sampled_from(["linux", "smoltcp-0.9"])))
    for kind, op, args in draw(st.lists(st.sampled_from(FAULTS), max_size=3, unique_by=id)):
        name = draw(st.sampled_from([each for each in world.nodes if each[0] == kind]))
        asked = world.nodes[name].start(op, args)
        del asked  # it may be refused: there is no such address
    world.run(world.now + S)
    return world


def pinged(world: World, src: str, dst: Place) -> bool:
    """Send a real ping."""
    to = format_address(dst.address)
    ping = world.nodes[src].start("ping.run", {"dst": to, "count": "1", "timeout": "5"})
    world.run(world.now + 20 * S, lambda: ping.ended)
    return ping.result is not None and bool(ping.result["ok"])


@examples(4)
@given(worlds(), st.data())
def test_the_matrix_says_what_a_path_says_and_what_a_ping_shows(
    world: World, data: st.DataObject
) -> None:
    net = net_of_world(world)
    try:
        there = places(net, IPV4)
    except InvalidArgument:
        return
    matrix = reach(net, Asked("icmp"), there)
    pairs = list(matrix.pairs())
    # The matrix uses clones again and again; here each question has its own.
    for src, dst, each in data.draw(st.permutations(pairs))[:4]:
        story = follow(net, PathQuestion(src.stack, Question("icmp", None, dst.address)))
        assert each.outcome is story.outcome
        assert each.reason == ("" if story.reason is None else story.reason.name)
    src, dst, each = data.draw(st.sampled_from(pairs))
    assert pinged(world, src.stack, dst) is (each.outcome is Outcome.WORKS)


@examples(4)
@given(worlds())
def test_members_of_a_group_cannot_be_told_apart(world: World) -> None:
    net = net_of_world(world)
    try:
        matrix = reach(net, Asked("icmp"), places(net, IPV4))
    except InvalidArgument:
        return
    groups = alike(matrix)
    assert sorted(each for group in groups for each in group) == list(range(len(matrix.places)))
    for here, there in product(groups, groups):
        signs = set()
        for src, dst in product(here, there):
            found = matrix.rows[src][dst]
            if found is not None:
                signs.add(sign(found, matrix.places[src], matrix.places[dst]))
        assert len(signs) <= 1


@pytest.mark.proof
def test_a_hundred_stacks_are_compared_in_half_a_minute() -> None:
    """A share of it does not ask for the time, and others on the machine are not counted.

    Rows of hosts cost the same, and so do those of routers: the quickest of each tells.
    """
    world = campus(amount(20, 2), 4)
    net, clock = net_of_world(world), [process_time()]
    there = places(net, IPV4)
    matrix = reach(net, Asked("icmp"), there, lambda _: clock.append(process_time()))
    if WHOLE:
        quickest: dict[str, float] = {}
        for place, (began_s, ended_s) in zip(there, pairwise(clock), strict=True):
            took = ended_s - began_s
            quickest[place.stack[0]] = min(took, quickest.get(place.stack[0], took))
        assert 80 * quickest["h"] + 20 * quickest["r"] < 30
    count = len(world.nodes)
    assert len(list(matrix.pairs())) == count * (count - 1)
    assert broken(matrix) == {}
    assert alike(matrix) == [list(range(count))]


def test_a_clone_that_is_used_again_is_as_a_new_one() -> None:
    """All that a snapshot tells of it, but for counts."""
    world = lans(1, 1)
    world.run(world.now + 60 * S)  # groups are reported
    net = net_of_world(world)
    clones = Clones(net)
    first, *_, last = places(net, IPV4)
    assert answer(net, Asked("icmp"), (first, last), clones).ok
    assert sorted(clones.free) == sorted({first.stack, "r2", last.stack})
    for name in clones.free:
        used, new = clones.free[name], clone_for_changes(net.stacks[name])
        told = [
            World(start_ns=net.now_ns).add_stack("a", each).call("stack.snapshot")
            for each in (used, new)
        ]
        assert told[0] == told[1]
        assert len(told[0]) > 10


@pytest.mark.parametrize("dst", ["10.0.2.1", "10.0.2.77"])
def test_a_clone_in_which_something_goes_on_is_not_used_again(dst: str) -> None:
    """An address is tested; nobody has the second destination, which takes seconds to find out."""
    world = lans(1, 1)
    world.run(world.now + 60 * S)
    world.nodes["r2"].call("addr.add", local="fd77::1/64", dev="eth0")
    net = net_of_world(world)
    clones, first = Clones(net), places(net, IPV4)[0]
    found = answer(net, Asked("icmp"), (first, Place("h2a", parse_address(dst))), clones)
    assert (found.ok, found.reason) == ((True, "") if dst[-2:] == ".1" else (False, "neigh-failed"))
    assert clones.free.keys() & {"r1", "r2"} == {"r1"}


def test_an_answer_alone_is_that_of_the_matrix() -> None:
    net = net_of_world(lans(1, 1))
    there = places(net, IPV4)
    matrix = reach(net, Asked("icmp"), there)
    assert answer(net, Asked("icmp"), (there[0], there[3])) == matrix.rows[0][3]
