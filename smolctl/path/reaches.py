"""Expectations of a scenario about what reaches whom, answered by a packet's path."""

from collections.abc import Iterator

from smolctl.lab.expect import Answer
from smolctl.lab.expectation import Reaches
from smolctl.lab.node import Node
from smolctl.lab.world import World
from smolctl.path.follow import follow
from smolctl.path.mend import mend
from smolctl.path.net import Net, net_of_world
from smolctl.path.story import Leg, Outcome, PathQuestion, Story
from smolctl.stack.explain.predict import Question
from smolctl.stack.explain.verdict import headline
from smolctl.wire.address import family_of, is_scoped, parse_address

_LEGS = {Leg.PACKET: "the packet", Leg.ANSWER: "the answer", Leg.ERROR: "an ICMP error"}


def reach(world: World, asked: Reaches) -> Answer:
    """Return whether a node of a world reaches another one, and why not; nothing changes.

    Raises:
        SmolctlError: the question is none.
    """
    src = world.nodes[asked.src]
    dst = _address(src, world, asked.dst)
    if dst is None:
        return Answer(False, f"{asked.dst} has no address of a family that {asked.src} has", None)
    packet = Question(asked.protocol, None, dst, dport=asked.port or 0)
    net = net_of_world(world)
    return told(net, follow(net, PathQuestion(asked.src, packet)))


def _address(src: Node, world: World, dst: str) -> int | None:
    """Return the address that is meant: that of a node is the first that the sender can use."""
    if dst not in world.nodes:
        return parse_address(dst)
    families = {family_of(address) for address in _addresses(src)}
    there = list(_addresses(world.nodes[dst]))
    return next((address for address in there if family_of(address) in families), None)


def _addresses(node: Node) -> Iterator[int]:
    """Yield the addresses of a node that others can use, in the order of its interfaces."""
    if not node.running:
        return
    for row in node.call("addr.show"):
        for info in row["addr_info"]:
            address = parse_address(info["local"])
            if row["ifname"] != "lo" and not is_scoped(address):
                yield address


def told(net: Net, story: Story) -> Answer:
    """Return a story in one line, and what is proven to mend it."""
    hop, why = story.at, story.reason
    if story.ok or hop is None:
        way = " - ".join(story.reached(Leg.PACKET))
        return Answer(story.ok, f"it works, by {way}" if story.ok else str(story.outcome))
    if story.outcome is Outcome.OUTSIDE:
        return Answer(False, f"{headline(hop.trace)} leaves the lab at {hop.node}", hop.node)
    text = f"{_LEGS.get(story.leg, 'a question')} ends at {hop.node}: {headline(hop.trace)}"
    if why is None:
        return Answer(False, text, hop.node)
    fixes = tuple(fix.text for each in mend(net, story) for fix in each.fixes)
    return Answer(False, f"{text}: {why.name} - {why.why(story.detail)}", hop.node, why.name, fixes)
