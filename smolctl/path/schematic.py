"""The layout of a map: stacks side by side, and below them a line for each wire.

Each link of a stack hangs from its box on a line of its own, down to its wire. Text (``map_text``)
and SVG (``map_svg``) are drawn from the same layout, whose unit is a character. What does not fit
side by side comes in several panels.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from smolctl.path.topology import MapLink, Plug, Topology

_GAP = 2
"""Columns between two links of a stack, and between two stacks."""
_LABEL_SHARE = 4
"""A wire's name takes one of so many parts of the width at most."""
_LABEL_MIN = 8

Lines = Callable[[MapLink], Sequence[str]]
"""Returns the lines that stand in a stack's box for one of its links."""


class Peg(NamedTuple):
    """A link below its stack.

    Attributes:
        x: where its text begins. line: where its line goes down.
        wire: the place of its wire among those of the panel; None for none.
    """

    link: MapLink
    lines: tuple[str, ...]
    x: int
    line: int
    wire: int | None


class Box(NamedTuple):
    """A stack.

    Attributes:
        x, end: its first column, and the one behind it.
    """

    stack: str
    x: int
    end: int
    pegs: tuple[Peg, ...]


class Bar(NamedTuple):
    """A wire.

    Attributes:
        label: its name, as far as there is room for it.
        end: the last column of its line.
        goes_on: there is more of it in another panel, or somebody outside.
    """

    name: str
    label: str
    end: int
    goes_on: bool


class Panel(NamedTuple):
    """Some stacks side by side, and the wires that they are plugged into.

    Attributes:
        left: columns of the names of wires. width: all columns.
        height: lines that stand in a box.
    """

    left: int
    width: int
    height: int
    boxes: tuple[Box, ...]
    bars: tuple[Bar, ...]


class _Part(NamedTuple):
    """A stack with as many of its links as fit into one panel."""

    stack: str
    links: tuple[tuple[MapLink, tuple[str, ...]], ...]
    width: int


def lay_out(topology: Topology, width: int, lines: Lines) -> list[Panel]:
    """Return the panels of a map.

    Args:
        width: columns that no panel exceeds, unless a single link does.
        lines: what stands in a box for each link.
    """
    names = [cut(name, max(width // _LABEL_SHARE, _LABEL_MIN)) for name in topology.wires]
    left = max(map(len, names)) + 2 if names else 0
    panels: list[list[_Part]] = []
    used = width
    for part in _parts(topology, width - left, lines):
        if not panels or used + _GAP + part.width > width:
            panels.append([])
            used = left - _GAP
        panels[-1].append(part)
        used += _GAP + part.width
    return [_panel(topology, parts, left) for parts in panels]


def cut(text: str, width: int) -> str:
    """Return a text that has at most so many characters; a point stands for what is missing."""
    return text if len(text) <= width else text[: width - 1] + "."


def _parts(topology: Topology, room: int, lines: Lines) -> Iterator[_Part]:
    """Yield all stacks in their order, those with very many links in several parts."""
    for stack in _ordered(topology):
        links = [(link, tuple(lines(link))) for link in topology.stacks[stack] if link.wire]
        part: list[tuple[MapLink, tuple[str, ...]]] = []
        used = 0
        for each in links:
            need = _width(each[1]) + _GAP
            if part and used + need + _GAP > room:
                yield _part(stack, part)
                part, used = [], 0
            part.append(each)
            used += need
        if part or not links:
            yield _part(stack, part)


def _part(stack: str, links: list[tuple[MapLink, tuple[str, ...]]]) -> _Part:
    inner = sum(_width(text) for _, text in links) + _GAP * max(len(links) - 1, 0)
    return _Part(stack, tuple(links), max(inner, len(stack) + 2) + 4)


def _width(lines: Sequence[str]) -> int:
    return max(map(len, lines), default=0)


def _panel(topology: Topology, parts: Sequence[_Part], left: int) -> Panel:
    wires = list(dict.fromkeys(link.wire for part in parts for link, _ in part.links))
    place = {name: number for number, name in enumerate(wires)}
    boxes: list[Box] = []
    x = left
    for part in parts:
        pegs: list[Peg] = []
        at = x + 2
        for link, text in part.links:
            line = at + (len(link.dev) - 1) // 2
            pegs.append(Peg(link, text, at, line, place[link.wire]))
            at += _width(text) + _GAP
        boxes.append(Box(part.stack, x, x + part.width, tuple(pegs)))
        x += part.width + _GAP
    end = boxes[-1].end
    height = max((len(peg.lines) for box in boxes for peg in box.pegs), default=0)
    here = {Plug(box.stack, peg.link.dev) for box in boxes for peg in box.pegs}
    bars = []
    for name in wires:
        wire = topology.wires[name]
        last = max(peg.line for box in boxes for peg in box.pegs if peg.link.wire == name)
        goes_on = bool(wire.outside) or not here.issuperset(wire.plugs)
        bars.append(Bar(name, cut(name, left - 2), end - 1 if goes_on else last, goes_on))
    return Panel(left, end, height, tuple(boxes), tuple(bars))


def _ordered(topology: Topology) -> list[str]:
    """Return the stacks so that those on one wire stand near each other.

    From one end of each part of the network, by one wire after the other.
    """
    near: dict[str, dict[str, None]] = {stack: {} for stack in topology.stacks}
    for wire in topology.wires.values():
        stacks = dict.fromkeys(plug.stack for plug in wire.plugs)
        for stack in stacks:
            near[stack] |= {other: None for other in stacks if other != stack}
    found: dict[str, None] = {}
    ends = sorted(near, key=lambda name: (not near[name], len(near[name]), name))
    for first in ends:  # and those that are alone behind all others
        waiting = [first]
        while waiting:
            stack = waiting.pop(0)
            if stack not in found:
                found[stack] = None
                waiting = sorted(near[stack], key=lambda name: len(near[name])) + waiting
    return list(found)
