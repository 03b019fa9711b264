"""Networks of stacks that are asked about: the stacks by name, and the wires between them."""

from collections.abc import Mapping
from typing import NamedTuple

from smolctl.lab.world import World
from smolctl.stack.stack import Stack


class End(NamedTuple):
    """An interface of a stack, at an end of a line."""

    node: str
    dev: str


class Line(NamedTuple):
    """A wire: a cable, a hub, or the way out of what is looked at.

    Attributes:
        ends: the interfaces that are on it.
        outside: who else is on it, whom nobody looks at ("the Linux kernel"); "" for nobody.
    """

    ends: tuple[End, ...]
    outside: str = ""


class Net:
    """Stacks and the lines between them; nothing in it changes while it is asked about.

    Args:
        stacks: by name.
        lines: by name; an interface on none of them leads where nobody looks.
        now_ns: the stacks' time, ns.
    """

    def __init__(self, stacks: Mapping[str, Stack], lines: Mapping[str, Line], now_ns: int) -> None:
        self.stacks, self.lines, self.now_ns = stacks, lines, now_ns
        self._line_of = {end: name for name, line in lines.items() for end in line.ends}

    def line_of(self, end: End) -> str:
        """Return the name of an interface's line."""
        return self._line_of.get(end) or f"{end.dev} of {end.node}"

    def line(self, name: str) -> Line:
        """Return a line by the name that ``line_of`` gave it."""
        return self.lines.get(name) or Line((), "whoever is at the other end")

    def around(self, name: str) -> "Net":
        """Return the part of it that lines connect with a stack."""
        found, new = {name}, [name]
        while new:
            at = new.pop()
            for line in self.lines.values():
                nodes = {end.node for end in line.ends}
                if at in nodes:
                    new += nodes - found
                    found |= nodes
        stacks = {each: stack for each, stack in self.stacks.items() if each in found}
        lines = {
            each: line
            for each, line in self.lines.items()
            if any(end.node in found for end in line.ends)
        }
        return Net(stacks, lines, self.now_ns)


def net_of_world(world: World) -> Net:
    """Return the nodes of a lab that run, and its wires, as they are now."""
    stacks = {name: node.stack for name, node in world.nodes.items() if node.running}
    lines = {
        name: Line(
            tuple(End(port.node, port.interface.name) for port in wire.ports if port.node in stacks)
        )
        for name, wire in world.wires.items()
    }
    return Net(stacks, lines, world.now)
