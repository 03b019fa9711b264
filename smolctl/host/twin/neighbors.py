"""Neighbors of a twin, and the addresses that it answers for."""

from smolctl.host import neighbors
from smolctl.host.reading import HostState
from smolctl.host.twin.notes import Note, Notes
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.stack.interface import Interface, Interfaces
from smolctl.stack.ip.network import Network, Networks
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.stack.neighbor.states import State
from smolctl.wire.address import IPV4, IPV6, family_of, format_address

_FAMILIES = {AF_INET: IPV4, AF_INET6: IPV6}
_MAC_LEN = 6
_TICK_NS = 10_000_000
"""A hundredth of a second (USER_HZ), in which the kernel tells times."""
_STATES = {
    "incomplete": State.INCOMPLETE, "reachable": State.REACHABLE, "stale": State.STALE,
    "delay": State.DELAY, "probe": State.PROBE, "failed": State.FAILED,
    "permanent": State.PERMANENT, "noarp": State.NOARP,
}  # fmt: skip


def add(
    networks: Networks, interfaces: Interfaces, state: HostState, notes: Notes, now_ns: int
) -> None:
    """Add all entries as they are; one that is reachable stays so, since no time passes."""
    there = {link.index: link for link in interfaces.values()}
    found: dict[tuple[Network, str], list[Neighbor]] = {}
    for each in state.neighbors:
        link, family = there.get(each.ifindex), _FAMILIES.get(each.family)
        if link is None or link.loopback or family is None or family_of(each.dst) is not family:
            continue
        entry = _entry(link, each, notes, now_ns)
        if entry is not None:
            found.setdefault((networks[family], link.name), []).append(entry)
    for (net, name), entries in found.items():
        cache = net.neighbors[name]
        cache.restore(cache.memory, entries)
    for each in state.proxies:
        family = _FAMILIES.get(each.family)
        if family is None or family_of(each.dst) is not family:
            continue
        router = bool(each.flags & neighbors.ROUTER)
        for link in interfaces.values() if not each.ifindex else [there.get(each.ifindex)]:
            if link is not None and not link.loopback:
                entry_of = networks[family].of(link).proxies.entries
                entry_of[each.dst] = ProxyEntry(each.dst, router)


def _entry(link: Interface, each: neighbors.Neighbor, notes: Notes, now_ns: int) -> Neighbor | None:
    kind = _STATES.get(neighbors.STATES.get(each.state, ""))
    if kind is None:
        return None  # none, which nobody asked for yet
    if each.lladdr and len(each.lladdr) != _MAC_LEN:
        text = f"the link address of {format_address(each.dst)} has {len(each.lladdr)} bytes"
        notes.take(Note("neigh", text, link.name))
        return None
    known = kind not in (State.INCOMPLETE, State.FAILED)
    if known and not each.lladdr:
        return None
    return Neighbor(
        each.dst, now_ns - each.updated * _TICK_NS, kind, each.lladdr or None,
        probes=each.probes,
        asked_ns=now_ns,
        updated_ns=now_ns - each.updated * _TICK_NS,
        used_ns=now_ns - each.used * _TICK_NS,
        confirmed_ns=now_ns - each.confirmed * _TICK_NS,
        router=bool(each.flags & neighbors.ROUTER),
    )  # fmt: skip
