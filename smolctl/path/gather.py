"""Networks of stacks that run, by their snapshots, or that saved configurations would make."""

from collections.abc import Iterable, Mapping
from typing import Any

from smolctl.ops.restore import configured, restore
from smolctl.path.net import End, Line, Net
from smolctl.stack.interface import Interface
from smolctl.stack.stack import Stack

Row = dict[str, Any]
_BEGIN_NS = 1_000_000_000
"""The time of stacks that do not run: 0 is no time at all."""


def from_snapshots(snapshots: Mapping[str, list[Row]]) -> Net:
    """Return the network of stacks, each from the rows of ``stack.snapshot``.

    Raises:
        InvalidArgument: some are no rows of a snapshot.
    """
    now = max((int(rows[0].get("now_ns", 0)) for rows in snapshots.values() if rows), default=0)
    now = max(now, _BEGIN_NS)
    stacks = {name: restore(rows, now) for name, rows in snapshots.items()}
    ends = {
        End(name, row["name"]): int(row["device"].get("ends", 1))
        for name, rows in snapshots.items()
        for row in rows
        if row.get("part") == "link" and "device" in row
    }
    return Net(stacks, lines_of(stacks, ends), now)


def from_configurations(saved: Mapping[str, Iterable[tuple[str, Row]]]) -> Net:
    """Return the network of stacks that saved configurations make, each from its requests.

    Nothing was learned in them yet, and no program runs.

    Raises:
        SmolctlError: a change is refused.
    """
    stacks = {name: configured(changes, _BEGIN_NS) for name, changes in saved.items()}
    return Net(stacks, lines_of(stacks, {}), _BEGIN_NS)


def lines_of(stacks: Mapping[str, Stack], known: Mapping[End, int]) -> dict[str, Line]:
    """Return the lines between the interfaces of stacks, and those that lead to somebody else.

    Args:
        known: how many ends are on the cable of an interface, where that is known.
    """
    on: dict[str, list[End]] = {}
    outside: dict[str, str] = {}
    for node, stack in stacks.items():
        for interface in stack.interfaces.values():
            if not interface.loopback and interface.vlan is None:
                name, somebody = _line(node, interface)
                on.setdefault(name, []).append(End(node, interface.name))
                outside.setdefault(name, somebody)
    lines = {}
    for name, ends in on.items():
        alone = len(ends) == 1 or len(ends) < max(known.get(end, 0) for end in ends)
        always = name.startswith(_ALWAYS)
        lines[name] = Line(tuple(ends), outside[name] if alone or always else "")
    return lines


_ALWAYS = ("tap ", "packet ", "exec ", "pcap ")
"""Lines that lead to somebody who is no stack of ours, whoever else is on them."""


def _line(node: str, interface: Interface) -> tuple[str, str]:
    """Return the name of an interface's line, and who is on it beside our stacks."""
    kind, options = interface.kind, interface.options
    own = f"{kind} {interface.name} of {node}"
    if kind == "cable":
        cable = options.get("cable", "")
        return f"cable {cable}", f"another end of cable {cable}"
    if kind in ("stream", "dgram"):
        places = [str(options.get(key, "")) for key in _PLACES]
        where = next((place for place in places if place), "")
        if kind == "dgram":  # the two ends name each other
            where = " ".join(sorted(place for place in places if place))
        return f"{kind} {where}" if where else own, f"the other end of {kind} {where}".rstrip()
    return own, _OTHERS.get(kind, "whoever is at the other end")


_PLACES = ("listen", "connect", "local", "remote")
_OTHERS = {
    "tap": "the Linux kernel",
    "packet": "the network of the kernel's interface",
    "exec": "a program of smolctl exec",
    "pcap": "a capture file",
}
