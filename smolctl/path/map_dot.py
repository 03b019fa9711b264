"""Maps for graphviz: stacks are boxes, wires are ellipses (``smolctl map --dot | dot -Tpng``)."""

from collections.abc import Iterator

from smolctl.path.topology import Topology


def draw(topology: Topology) -> Iterator[str]:
    """Yield the lines of a graph in the language of dot."""
    yield "graph smolctl {"
    yield '    node [fontname="monospace"]; edge [fontname="monospace"];'
    for name in topology.stacks:
        yield f"    {_quoted('stack ' + name)} [shape=box, label={_quoted(name)}];"
    for name, wire in topology.wires.items():
        label = f"{wire.kind} {name}" if wire.kind not in name else name
        lines = [label, *([wire.outside] if wire.outside else [])]
        text = _quoted(chr(10).join(lines))
        yield f"    {_quoted('wire ' + name)} [shape=ellipse, label={text}];"
    for name, links in topology.stacks.items():
        for link in links:
            if link.wire:
                label = _quoted(chr(10).join([link.dev, *link.shown]))
                style = "" if link.carrier else ", style=dashed"
                ends = f"{_quoted('stack ' + name)} -- {_quoted('wire ' + link.wire)}"
                yield f"    {ends} [label={label}{style}];"
    for name, wire in topology.wires.items():
        if wire.within:
            ends = f"{_quoted('wire ' + name)} -- {_quoted('wire ' + wire.within)}"
            yield f'    {ends} [style=dotted, label="within"];'
    yield "}"


def _quoted(text: str) -> str:
    """Return a string of dot, whose line breaks are backslash and n."""
    escaped = text.replace("\\", "\\\\").replace(chr(34), "\\" + chr(34))
    return chr(34) + escaped.replace(chr(10), "\\n") + chr(34)
