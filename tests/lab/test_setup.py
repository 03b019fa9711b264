from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from smolctl.cli.inside.commands import LabCommands
from smolctl.lab.scenario import GOOD, LinkSpec, NodeSpec, Scenario
from smolctl.lab.world import World
from tests.lab.scenarios import networks


@settings(max_examples=12)  # each makes three stacks
@given(networks(), st.booleans())
def test_each_command_that_makes_a_node_succeeds(
    network: tuple[list[NodeSpec], list[LinkSpec]], large: bool
) -> None:
    nodes, links = network
    # IPv6 needs 1280 bytes; the commands of a file are random texts here.
    links = [replace(link, mtu=9000 if large else None) for link in links]
    nodes = [replace(node, commands=(), profile=None, routes=()) for node in nodes]
    scenario = Scenario("t", 1, nodes=tuple(nodes), links=tuple(links))
    world, commands = World(), LabCommands()
    for spec in nodes:
        node = world.add_node(spec.name)
        lines = [(each.line, each.text) for each in scenario.setup(spec)]
        for _, op, args in commands.changes(lines):
            node.call(op, **args)
        assert set(scenario.interfaces(spec.name)) <= set(node.stack.interfaces)
    ends = {(end.node, end.dev) for link in links for end in link.ends}
    ports = [
        (port.node, port.interface.name) for wire in world.wires.values() for port in wire.ports
    ]
    assert sorted(ports) == sorted(ends)
    for link in links:
        for end in link.ends:
            interface = world.nodes[end.node].stack.interfaces[end.dev]
            impaired = interface.impairment
            assert (GOOD if impaired is None else impaired.netem) == link.netem
            assert interface.mtu == (link.mtu or 1500)
