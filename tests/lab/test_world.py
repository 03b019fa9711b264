"""Worlds: stacks on wires in virtual time."""

import pytest

from smolctl.daemon import process
from smolctl.errors import ControlError
from smolctl.lab import node as lab_node
from smolctl.lab import world as lab_world
from smolctl.lab.node import Node
from smolctl.lab.request import Request
from smolctl.lab.world import World

S = 1_000_000_000


def host(world: World, name: str, *addresses: str, wire: str = "c1", **options: str) -> Node:
    """Add a node with ``eth0`` on a wire."""
    node = world.add_node(name)
    node.call("link.add", name="eth0", type="cable", cable=wire, **options)
    for address in addresses:
        node.call("addr.add", local=address, dev="eth0")
    return node


def two(world: World, **options: str) -> tuple[Node, Node]:
    return (
        host(world, "a", "10.0.0.1/24", "fd00::1/64", **options),
        host(world, "b", "10.0.0.2/24", "fd00::2/64"),
    )


def ping(world: World, node: Node, dst: str, seconds: float = 10, **more: str) -> Request:
    asked = node.start("ping.run", {"dst": dst, "count": "1", "timeout": "1", **more})
    world.run(world.now + int(seconds * S), lambda: asked.ended)
    assert asked.ended, asked.events
    return asked


def test_the_lab_runs_what_the_daemon_runs() -> None:
    """Only time and wires are simulated: the classes are the same objects."""
    for name, where in (("Engine", lab_node), ("Stack", lab_world), ("Settings", lab_world)):
        assert vars(where)[name] is vars(process)[name]
    world = World()
    node = world.add_node("a")
    assert type(node.engine) is vars(process)["Engine"]
    assert type(node.stack) is vars(process)["Stack"]


@pytest.mark.parametrize("dst", ["10.0.0.2", "fd00::2"])
def test_a_ping_takes_two_wires_of_time_and_no_real_time(dst: str) -> None:
    world = World()
    a, _ = two(world)
    world.run(world.now + 10 * S)  # addresses of IPv6 are tested
    ping(world, a, dst)  # who has it is learned
    asked = ping(world, a, dst)
    assert asked.result is not None
    assert asked.result["ok"]
    assert asked.result["rtt_ns"]["min"] == 20_000


def test_the_timeline_has_each_frame_with_its_traces() -> None:
    world = World(watched=True)
    a, _ = two(world)
    ping(world, a, "10.0.0.2")
    arp_or_ip = [each for each in world.travels if each.frame[12:14] in (b"\x08\x06", b"\x08\x00")]
    seen = [(each.src, each.dst, each.frame[12:14].hex()) for each in arp_or_ip[:4]]
    assert seen == [("a", "b", "0806"), ("b", "a", "0806"), ("a", "b", "0800"), ("b", "a", "0800")]
    question, told, echo, reply = arp_or_ip[:4]
    assert [str(each.received.fate) for each in (question, told, echo, reply) if each.received] == [
        "answered", "absorbed", "answered", "delivered",
    ]  # fmt: skip
    assert echo.sent is not None
    assert echo.sent.waited_for is not None
    assert echo.sent.waited_for.name == "neigh-pending"
    assert [each.reason for each in world.marks if each.kind == "wait"] == ["neigh-pending"]


def run_of(seed: int) -> tuple[list[tuple[int, int | None, bytes]], dict[str, object] | None]:
    world = World(seed, watched=True)
    a, _ = two(world, loss="30%", delay="1ms", jitter="1ms")
    asked = ping(world, a, "10.0.0.2", 100, count="20")
    seen = [(each.sent_ns, each.arrived_ns, each.frame) for each in world.travels]
    return seen, asked.result


def test_the_same_seed_does_the_same_and_another_one_does_not() -> None:
    assert run_of(1) == run_of(1)
    assert run_of(1)[0] != run_of(2)[0]


def test_watching_changes_nothing_on_the_wire() -> None:
    counts = []
    for watched in (False, True):
        world = World(3, watched=watched)
        a, _ = two(world, loss="30%")
        ping(world, a, "10.0.0.2", 100, count="20")
        counts.append((world.frames, world.now))
    assert counts[0] == counts[1]


def test_a_delayed_frame_sets_out_when_it_is_sent() -> None:
    world = World(watched=True)
    a, _ = two(world, delay="50ms")
    ping(world, a, "10.0.0.2")
    question = next(each for each in world.travels if each.frame[12:14] == b"\x08\x06")
    assert (question.sent_ns, question.arrived_ns) == (0, 50_010_000)


def test_a_cut_wire_has_no_carrier_and_what_is_on_it_is_lost() -> None:
    world = World(watched=True)
    a, b = two(world)
    ping(world, a, "10.0.0.2")
    sent = a.start("udp.send", {"dst": "10.0.0.2", "port": "9", "data": ""})
    world.run(world.now)
    world.connect("c1", False)
    world.run(world.now + S)
    assert sent.ended
    assert sent.error is None
    lost = [each for each in world.travels if each.lost]
    assert [(each.src, each.arrived_ns, each.lost) for each in lost] == [
        ("a", None, "tx-no-carrier")
    ]
    assert not a.stack.interface("eth0").carrier
    assert not b.stack.interface("eth0").carrier
    again = a.start("udp.send", {"dst": "10.0.0.2", "port": "9", "data": ""})
    world.run(world.now + S)
    assert [mark.reason for mark in world.marks][-1] == "tx-no-carrier"
    assert again.ended
    world.connect("c1", True)
    assert ping(world, a, "10.0.0.2").result is not None


def test_three_ends_make_a_hub() -> None:
    world = World(watched=True)
    a, _ = two(world)
    host(world, "c", "10.0.0.3/24")
    ping(world, a, "10.0.0.3")
    question = [each for each in world.travels if each.frame[12:14] == b"\x08\x06"][:2]
    assert [(each.src, each.dst) for each in question] == [("a", "b"), ("a", "c")]


def test_a_restarted_node_has_forgotten_all() -> None:
    world = World()
    a, b = two(world)
    ping(world, a, "10.0.0.2")
    b.restart()
    assert list(b.stack.interfaces) == ["lo"]
    world.run(world.now + S)
    assert not a.stack.interface("eth0").carrier


def test_a_stopped_node_answers_nothing() -> None:
    world = World()
    a, b = two(world)
    b.call("stack.stop")
    world.run(world.now + S)
    assert not a.stack.interface("eth0").carrier
    with pytest.raises(ControlError, match='node "b" is stopped'):
        b.call("link.show")


def test_a_loop_of_answers_does_not_stop_time() -> None:
    """Two services that answer each other never end; time goes on all the same."""
    world = World()
    a = world.add_node("a")
    for port in ("7", "8"):
        a.start("udp.echo", {"port": port})
    a.start("udp.send", {"dst": "127.0.0.1", "port": "7", "src": "127.0.0.1", "sport": "8"})
    world.run(world.now + 1_000_000)
    assert world.now == lab_world.START_NS + 1_000_000


def test_a_frame_of_nobody_arrives_at_all_ends() -> None:
    world = World(watched=True)
    two(world)
    world.run(world.now)
    world.put("c1", bytes(10))
    world.run(world.now + S)
    short = [each for each in world.travels if len(each.frame) == 10]
    assert [(each.src, each.dst) for each in short] == [("", "a"), ("", "b")]
    traces = [each.received for each in short if each.received]
    assert [each.reason and each.reason.name for each in traces] == ["rx-frame-short"] * 2


def test_a_batch_that_is_whole_or_not_works_as_in_a_daemon() -> None:
    world = World()
    a = world.add_node("a")
    commands = [
        ["link.add", {"name": "eth0", "type": "cable", "cable": "c1"}],
        ["addr.add", {"local": "10.0.0.1/24", "dev": "eth0"}],
    ]
    good = a.start("batch.run", {"commands": commands, "atomic": True})
    world.run(world.now + 3 * S)
    assert good.ended
    assert good.error is None
    assert [row["ifname"] for row in a.call("addr.show")] == ["lo", "eth0"]


def test_what_is_captured_comes_as_events() -> None:
    world = World()
    a, _ = two(world)
    capture = a.start("capture.run", {"dev": "eth0"})
    ping(world, a, "10.0.0.2")
    capture.cancel()
    assert capture.ended
    assert len(capture.events) > 4
