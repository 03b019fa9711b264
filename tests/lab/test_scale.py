"""Large worlds: time, memory and events grow with the nodes, and with nothing else."""

import gc
import tracemalloc

import pytest

from bench.lab import CPU_S, FRAMES, MIB, NODES, measured, network, settle, simulate, talk
from smolctl.lab.world import REMEMBERED, World
from smolctl.stack.trace.journal import CAPACITY
from tests.kit.amount import WHOLE

S = 1_000_000_000
KIB_A_NODE = 200
"""More than a node takes; 140 when this was written."""


@pytest.mark.proof
def test_a_thousand_nodes_boot_soon_and_are_small_and_frames_leave_nothing() -> None:
    """A share of it does not ask for the time, nor for resident memory."""
    if WHOLE:
        figures = measured(NODES, FRAMES)
        # The quickest of three counts: others use the machine, too.
        assert min(figures.boot_s, *(measured(NODES, 1).boot_s for _ in range(2))) < CPU_S
        assert figures.boot_mib < MIB
        assert figures.frames >= FRAMES
        assert figures.end_mib - figures.half_mib < 1
    gc.collect()
    tracemalloc.start(1)
    try:
        world = settle(network(50))
        gc.collect()
        each = tracemalloc.get_traced_memory()[0] / 1024 / len(world.nodes)
    finally:
        tracemalloc.stop()
    assert 20 < each < KIB_A_NODE
    few = settle(network(10))
    assert few.calls * 4.5 < world.calls < few.calls * 5.5
    assert world.frames == 5 * few.frames


def test_frames_that_have_arrived_leave_nothing() -> None:
    world = settle(network(10))
    for node in world.nodes.values():
        node.stack.journal.limit(16)
    talk(world)
    simulate(world, 500)
    gc.collect()
    tracemalloc.start(1)
    try:
        sizes = []
        for _ in range(2):
            simulate(world, 500)
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    # What is allocated anew in the place of what was there before counts, too: at first.
    assert sizes[1] - sizes[0] < 8_192


def test_all_journals_together_remember_so_much() -> None:
    world = World()
    first = world.add_node("first")
    assert first.stack.journal.capacity == CAPACITY
    shares = set()
    for number in range(1, 70):
        world.add_node(f"n{number}")
        (share,) = {node.stack.journal.capacity for node in world.nodes.values()}
        assert share * len(world.nodes) <= REMEMBERED
        shares.add(share)
    assert shares == {1024, 512, 256}
    first.restart()
    assert first.stack.journal.capacity == 256


def test_calls_that_came_to_be_too_late_do_not_pile_up() -> None:
    """Each socket sets a timer nearer than that of the address, which is set anew afterwards."""
    world = World()
    node = world.add_node("a")
    address = {"local": "10.0.0.1/24", "dev": "lo", "valid_lft": "9000", "preferred_lft": "9000"}
    node.call("addr.add", **address)
    for _ in range(200):
        asked = node.start("udp.recv", {"port": "9", "wait": "0.01"})
        world.run(world.now + S // 50)
        assert asked.ended
    assert world.pending < 100
    world.run(world.now + 9001 * S)
    assert [row["ifname"] for row in node.call("addr.show") if row["addr_info"]] == ["lo"]
    assert "10.0.0.1" not in str(node.call("addr.show"))
