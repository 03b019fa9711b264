"""Networks of stacks that run, by their snapshots, or that saved configurations would make."""

from collections.abc import Iterable, Mapping
from typing import Any

from smolctl.ops.restore import configured, restore
from smolctl.path.net import End, Line, Net
from smolctl.path.topology import MapWire, Told, Topology, told_by_snapshot, topology
from smolctl.stack.stack import Stack

Row = dict[str, Any]
_BEGIN_NS = 1_000_000_000
"""The time of stacks that do not run: 0 is no time at all."""
_SHARED = ("cable", "stream", "dgram")
"""Kinds of wires whose other end is another stack, or a program that does as one."""


def from_snapshots(snapshots: Mapping[str, list[Row]]) -> Net:
    """Return the network of stacks, each from the rows of ``stack.snapshot``.

    Raises:
        InvalidArgument: some are no rows of a snapshot.
    """
    now = max((int(rows[0].get("now_ns", 0)) for rows in snapshots.values() if rows), default=0)
    now = max(now, _BEGIN_NS)
    stacks = {name: restore(rows, now) for name, rows in snapshots.items()}
    found = topology({name: told_by_snapshot(rows) for name, rows in snapshots.items()})
    return Net(stacks, lines_of(found), now)


def from_configurations(saved: Mapping[str, Iterable[tuple[str, Row]]]) -> Net:
    """Return the network of stacks that saved configurations make, each from its requests.

    Nothing was learned in them yet, and no program runs.

    Raises:
        SmolctlError: a change is refused.
    """
    stacks = {name: configured(changes, _BEGIN_NS) for name, changes in saved.items()}
    found = topology({name: list(_told(stack)) for name, stack in stacks.items()})
    return Net(stacks, lines_of(found), _BEGIN_NS)


def _told(stack: Stack) -> Iterable[Told]:
    """Yield what a stack without devices tells of its links."""
    for link in stack.interfaces.values():
        if link.vlan is None:
            yield Told(link.name, link.kind, link.up, link.carrier, link.options, ())


def lines_of(found: Topology) -> dict[str, Line]:
    """Return the wires of a topology, but for those within another."""
    return {
        name: Line(tuple(End(*plug) for plug in wire.plugs), _outside(wire))
        for name, wire in found.wires.items()
        if not wire.within
    }


def _outside(wire: MapWire) -> str:
    """Return who else is on a wire; where one stack is known, somebody may be at the other end."""
    if wire.kind == "tap":
        return "the Linux kernel"
    alone = len(wire.plugs) == 1
    if wire.kind in _SHARED and (alone or wire.outside) and not _is_program(wire.outside):
        return f"another end of {wire.kind} {wire.name.removeprefix(wire.kind).strip()}"
    return wire.outside or ("whoever is at the other end" if alone else "")


def _is_program(outside: str) -> bool:
    return outside.startswith("a program")
