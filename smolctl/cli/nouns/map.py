"""``smolctl map``: the stacks of this user, their links, and what these are plugged into."""

import sys
from collections.abc import Iterator
from typing import Any

from smolctl.cli.nouns.tables import aligned
from smolctl.cli.session import Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args, UsageFault, option
from smolctl.errors import SmolctlError
from smolctl.path import map_dot, map_svg, map_text
from smolctl.path.topology import MapLink, MapWire, Topology, told_by_addr, topology

_FORMS = {"dot": map_dot.draw, "svg": map_svg.draw}


def _run(session: Session, args: Args) -> None:
    options, out = session.options, session.out
    forms = [name for name in _FORMS if name in args]
    if len(forms) + options.json > 1:
        raise UsageFault("map prints one of text, -j, --dot and --svg at a time")
    if options.named:
        session.call("stack.status")  # it must run
    found, silent = _look(session)
    if options.named:
        found = found.around(options.stack)
    if options.json:
        out.document(to_row(found, silent))
        return
    for name, state in silent.items():
        out.complaint(f"smolctl: {name} is not on the map: {state}")
    if forms:
        out.lines(_FORMS[forms[0]](found))
    elif found.stacks:
        out.lines(_text(found, out.width or map_text.WIDTH))
    elif not silent:
        out.notice("no stack runs; try: smolctl link add eth0 type cable name c1")


def _look(session: Session) -> tuple[Topology, dict[str, str]]:
    """Ask each stack once; return the map, and why those do not answer that do not."""
    told, silent = {}, {}
    for name in session.around.stacks():
        try:
            told[name] = told_by_addr(session.around.look(name, "addr.show", details=True))
        except SmolctlError as error:
            # A daemon that was killed leaves its socket behind; see ``stack list``.
            silent[name] = "dead" if error.code == "not-running" else error.message
    return topology(told), silent


# --- text -----------------------------------------------------------------------------------------


def _text(found: Topology, width: int) -> Iterator[str]:
    yield from map_text.draw(found, width, _signs())
    cells = [
        [stack, link.dev, _state(link), _plugged(found, link), " ".join(link.shown)]
        for stack, links in found.stacks.items()
        for link in links
        if not link.usual
    ]
    yield from _table(cells, ("STACK", "LINK", "STATE", "WIRE", "ADDRESSES"), width)
    others = [[name, wire.outside] for name, wire in found.wires.items() if wire.outside]
    yield from _table(others, ("WIRE", "ALSO THERE"), width)


def _table(cells: list[list[str]], headers: tuple[str, ...], width: int) -> Iterator[str]:
    """Yield an empty line, and a table behind it; nothing for no cells."""
    if cells:
        yield ""
        yield from aligned(cells, headers, width=width)


def _signs() -> map_text.Signs:
    """Return lines where the terminal has them, else what every one has."""
    try:
        "".join(map(str, map_text.LINES)).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return map_text.ASCII
    return map_text.LINES


def _state(link: MapLink) -> str:
    return "" if link.carrier else "no carrier" if link.up else "down"


def _plugged(found: Topology, link: MapLink) -> str:
    """Return the wire of a link, in words."""
    if link.vlan is not None and not link.wire:
        return f"{link.vlan.protocol} VLAN {link.vlan.id} of {link.vlan.lower}"
    wire = found.wires.get(link.wire)
    if wire is None:
        return link.kind
    return wire.name if wire.within or wire.name.startswith(wire.kind) else _named(wire)


def _named(wire: MapWire) -> str:
    return f"{wire.kind} {wire.name}"


# --- JSON -----------------------------------------------------------------------------------------


def to_row(found: Topology, silent: dict[str, str]) -> dict[str, Any]:
    """Return a map as JSON has it; see docs/schema/map.json."""
    return {
        "stacks": [
            *({"name": name, "links": [_link(link) for link in links]}
              for name, links in found.stacks.items()),
            *({"name": name, "links": [], "silent": state} for name, state in silent.items()),
        ],
        "wires": [_wire(wire) for wire in found.wires.values()],
    }  # fmt: skip


def _link(link: MapLink) -> dict[str, Any]:
    row: dict[str, Any] = {
        "ifname": link.dev,
        "kind": link.kind,
        "up": link.up,
        "carrier": link.carrier,
        "addresses": list(link.addresses),
    }
    if link.wire:
        row["wire"] = link.wire
    if link.vlan is not None:
        row |= {"link": link.vlan.lower, "protocol": link.vlan.protocol, "id": link.vlan.id}
    return row


def _wire(wire: MapWire) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": wire.name,
        "kind": wire.kind,
        "ends": [{"stack": plug.stack, "ifname": plug.dev} for plug in wire.plugs],
    }
    if wire.outside:
        row["outside"] = wire.outside
    if wire.within:
        row["within"] = wire.within
    return row


COMMAND = Verb(
    "map",
    "draw your stacks, and the cables and other wires between them",
    _run,
    (
        option("dot", "print a graph for graphviz"),
        option("svg", "print a picture"),
    ),
    examples=(
        "smolctl map",
        "smolctl -n peer map",
        "smolctl map --svg > map.svg",
        "smolctl map --dot > map.dot",
        "smolctl -j map",
    ),
    notes="Each stack is asked once, and none is started. Below the stacks there is a line for each"
    " wire; an empty circle is a link that is down, or at whose other end nobody is. With --stack"
    " only what that stack is plugged into is drawn.",
)
