"""Changes that a frame leaves behind in a host: neighbors, next hops and path MTUs."""

from typing import Any, NamedTuple

_NO_MAC = "no MAC"


class Neighbor(NamedTuple):
    """A neighbor as ``neigh show`` has it; INCOMPLETE also if it did not answer meanwhile."""

    mac: str
    state: str
    router: bool


class Known(NamedTuple):
    """The things that a host has learned: its neighbors by address, and ways by destination."""

    neighbors: dict[str, Neighbor]
    ways: dict[str, str]


_BY_TIME = {
    ("REACHABLE", "STALE"),
    ("DELAY", "PROBE"),
}
"""Transitions that no frame causes (RFC 4861 7.3.2)."""


def neighbor(row: dict[str, Any]) -> Neighbor:
    """Return a neighbor of a row of ``ip -j neigh``."""
    state = row["state"][0]
    if state == "FAILED":  # sooner or later (RFC 4861 7.3.3): how soon it is looked at says which
        state = "INCOMPLETE"
    return Neighbor(row.get("lladdr", _NO_MAC), state, "router" in row)


def way(row: dict[str, Any]) -> str:
    """Return next hop and path MTU of a row of ``ip -j route get``."""
    hop = f"via {row['gateway']}" if "gateway" in row else "on the link"
    mtu = [metric["mtu"] for metric in row.get("metrics", ()) if "mtu" in metric]
    return f"{hop}, MTU {mtu[0]}" if mtu else hop


def changes(before: Known, after: Known) -> list[str]:
    """Return what is new, in words."""
    found = []
    for address, now in after.neighbors.items():
        was = before.neighbors.get(address)
        if was == now or (was and (was.state, now.state) in _BY_TIME and was.mac == now.mac):
            continue
        if now.mac == _NO_MAC and now.state == "INCOMPLETE":
            found.append(f"{address} has no MAC")
            continue
        mac = f" {now.mac}" if was is None or was.mac != now.mac else ""
        role = ("", " router")[now.router]
        found.append(f"{address} is{mac}{role} {now.state}")
    found += [f"{destination} {now}" for destination, now in after.ways.items()
              if before.ways[destination] != now]  # fmt: skip
    return found
