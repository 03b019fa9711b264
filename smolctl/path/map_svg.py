"""Maps as SVG: what ``map_text`` draws, with the addresses in the boxes.

A viewer in the dark gets light lines. Nothing is said by colour alone: a link that is down has a
broken line and an empty circle.
"""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from smolctl.path.schematic import Bar, Box, Panel, Peg, lay_out
from smolctl.path.topology import MapLink, Topology

WIDTH = 120
"""Characters side by side, at most."""
_X, _Y = 7.5, 18
"""Pixels of a character, and of a line of text."""
_EDGE = 16
_BARS = 2
"""Lines of text from one wire to the next."""
_STYLE = """
    :root { --ink: #1f2328; --soft: #59636e; --paper: #ffffff; --box: #f1f3f5; --wire: #0550ae; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --box: #1c2128; --wire: #6cb6ff; }
    }
    .paper { fill: var(--paper); }
    text { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: var(--ink); }
    .stack { font-weight: bold; }
    .soft { fill: var(--soft); }
    .box { fill: var(--box); stroke: var(--ink); stroke-width: 1.2; }
    .wire { stroke: var(--wire); stroke-width: 2.5; }
    .link { stroke: var(--ink); stroke-width: 1.2; }
    .down { stroke-dasharray: 3 4; }
    .plug { fill: var(--ink); stroke: var(--ink); stroke-width: 1.2; }
    .empty { fill: var(--paper); }
"""  # noqa: E501


def draw(topology: Topology, width: int = WIDTH) -> Iterator[str]:
    """Yield the lines of an SVG document.

    Args:
        width: characters side by side, at most.
    """
    panels = lay_out(topology, width, _lines)
    outside = {name: wire.outside for name, wire in topology.wires.items() if wire.outside}
    ends = [_end(panel, outside) for panel in panels]
    wide = round(max(ends, default=20) * _X) + 2 * _EDGE
    high = sum(_height(panel) for panel in panels) + 2 * _EDGE
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}"'
    yield f'     viewBox="0 0 {wide} {high}" role="img">'
    yield f"  <title>{escape(_title(topology))}</title>"
    yield f"  <style>{_STYLE}  </style>"
    yield '  <rect class="paper" width="100%" height="100%"/>'
    top = _EDGE
    for panel in panels:
        yield f'  <g transform="translate({_EDGE} {top})">'
        yield from (f"    {line}" for line in _panel(panel, outside))
        yield "  </g>"
        top += _height(panel)
    yield "</svg>"


def _title(topology: Topology) -> str:
    return f"A map of {len(topology.stacks)} stacks and {len(topology.wires)} wires"


def _lines(link: MapLink) -> list[str]:
    """Return what stands in the box of a stack for a link."""
    return [link.dev, *link.shown]


def _end(panel: Panel, outside: dict[str, str]) -> int:
    """Return how many characters a panel is wide, with what is said beside it."""
    beside = (len(outside.get(bar.name, "")) for bar in panel.bars)
    return panel.width + max(beside, default=0) + 3


def _height(panel: Panel) -> int:
    return (panel.height + 3 + _BARS * len(panel.bars) + 1) * _Y


def _panel(panel: Panel, outside: dict[str, str]) -> Iterator[str]:
    bottom = (panel.height + 2) * _Y
    for number, bar in enumerate(panel.bars):
        yield from _bar(panel, bar, bottom + (number + 1) * _BARS * _Y, outside.get(bar.name, ""))
    for box in panel.boxes:
        for peg in box.pegs:
            yield from _down(peg, bottom)
        yield from _box(box, bottom)


def _bar(panel: Panel, bar: Bar, y: float, outside: str) -> Iterator[str]:
    begin, end = (panel.left - 1) * _X, (bar.end + 1) * _X
    yield f'<line class="wire" x1="{begin:g}" y1="{y:g}" x2="{end:g}" y2="{y:g}"/>'
    yield f'<text x="0" y="{y + 4:g}">{escape(bar.label)}<title>{escape(bar.name)}</title></text>'
    beside = outside or ("..." if bar.goes_on else "")
    if beside:
        yield f'<text class="soft" x="{end + _X:g}" y="{y + 4:g}">{escape(beside)}</text>'


def _down(peg: Peg, bottom: float) -> Iterator[str]:
    """Yield the line from a stack to its wire."""
    if peg.wire is None:
        return
    x, y = (peg.line + 0.5) * _X, bottom + (peg.wire + 1) * _BARS * _Y
    link, plug = ("link", "plug") if peg.link.carrier else ("link down", "plug empty")
    yield f'<line class="{link}" x1="{x:g}" y1="{bottom:g}" x2="{x:g}" y2="{y:g}"/>'
    yield f'<circle class="{plug}" cx="{x:g}" cy="{y:g}" r="4.5"/>'


def _box(box: Box, bottom: float) -> Iterator[str]:
    x, wide = box.x * _X, (box.end - box.x) * _X
    yield f'<rect class="box" x="{x:g}" y="0" width="{wide:g}" height="{bottom:g}" rx="5"/>'
    middle = x + 2 * _X
    yield f'<text class="stack" x="{middle:g}" y="{_Y:g}">{escape(box.stack)}</text>'
    for peg in box.pegs:
        for number, line in enumerate(peg.lines):
            soft = ' class="soft"' if number else ""
            at = (number + 2) * _Y + 2
            yield f'<text{soft} x="{peg.x * _X:g}" y="{at:g}">{escape(line)}</text>'
