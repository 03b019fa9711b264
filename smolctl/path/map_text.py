"""Maps as text: stacks in boxes, and the wires below them.

          +- a ---+  +- r ----------+
          | eth0  |  | eth0    eth1 |
          +--|----+  +--|-------|---+
             |          |       :
    c1 ------*----------*       :
                                :
    c2 -------------------------o-->

o: it is down, or nobody is there; >: there is more of it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from smolctl.path.schematic import Panel, lay_out
from smolctl.path.topology import MapLink, Topology

WIDTH = 80
"""Columns of a map, unless another width is asked for."""


class Signs(NamedTuple):
    """The characters of a drawing.

    Attributes:
        corners: of a box: above left and right, below left and right.
        stem: a line that leaves a box. cross: one that passes a wire. dead: one that is down.
        live, idle: where a line ends at its wire.
        more: the end of a wire of which there is more.
    """

    line: str
    side: str
    corners: tuple[str, str, str, str]
    stem: str
    cross: str
    dead: str
    live: str
    idle: str
    more: str


ASCII = Signs("-", "|", ("+", "+", "+", "+"), "|", "|", ":", "*", "o", ">")
LINES = Signs("─", "│", ("┌", "┐", "└", "┘"), "┬", "┼", "┆", "●", "○", "»")


def draw(topology: Topology, width: int = WIDTH, signs: Signs = LINES) -> Iterator[str]:
    """Yield the lines of a map without its table; nothing for no stacks."""
    for number, panel in enumerate(lay_out(topology, width, lambda link: (link.dev,))):
        if number:
            yield ""
        yield from (line.rstrip() for line in _panel(panel, signs))


def _panel(panel: Panel, signs: Signs) -> Iterator[str]:
    yield from _boxes(panel, signs)
    for number, bar in enumerate(panel.bars):
        yield "".join(_lines_down(panel, number, signs))
        row = _lines_down(panel, number, signs)
        row[: len(bar.label)] = bar.label
        for x in range(len(bar.label) + 1, bar.end + 1):
            crossed = row[x] in (signs.side, signs.dead)
            row[x] = signs.cross if crossed else signs.line
        for link, x in _ends(panel, number):
            row[x] = signs.live if link.carrier else signs.idle
        if bar.goes_on:
            row += signs.more
        yield "".join(row)


def _ends(panel: Panel, wire: int) -> Iterator[tuple[MapLink, int]]:
    """Yield the links on a wire, and where their lines are."""
    for box in panel.boxes:
        for peg in box.pegs:
            if peg.wire == wire:
                yield peg.link, peg.line


def _lines_down(panel: Panel, wire: int, signs: Signs) -> list[str]:
    """Return a row in which all go down that end at this wire, or further down."""
    row = [" "] * panel.width
    for box in panel.boxes:
        for peg in box.pegs:
            if peg.wire is not None and peg.wire >= wire:
                row[peg.line] = signs.side if peg.link.carrier else signs.dead
    return row


def _boxes(panel: Panel, signs: Signs) -> Iterator[str]:
    rows = [[" "] * panel.width for _ in range(panel.height + 2)]
    for box in panel.boxes:
        inner = box.end - box.x - 2
        a, b, c, d = signs.corners
        title = f"{signs.line} {box.stack} "
        rows[0][box.x : box.end] = a + title.ljust(inner, signs.line) + b
        rows[-1][box.x : box.end] = c + signs.line * inner + d
        for row in rows[1:-1]:
            row[box.x], row[box.end - 1] = signs.side, signs.side
        for peg in box.pegs:
            for row, text in zip(rows[1:], peg.lines, strict=False):
                row[peg.x : peg.x + len(text)] = text
            rows[-1][peg.line] = signs.stem
    yield from ("".join(row) for row in rows)
