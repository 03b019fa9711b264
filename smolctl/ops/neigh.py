"""``smolctl neigh``: the neighbor caches."""

from collections.abc import Iterable, Iterator
from itertools import product

from smolctl.errors import AlreadyExists, InvalidArgument, NotFound
from smolctl.near import did_you_mean
from smolctl.ops import neigh_proxy
from smolctl.ops.args import Args
from smolctl.ops.aside import aside
from smolctl.ops.context import Context, Row
from smolctl.ops.families import networks
from smolctl.ops.job import NS_PER_S
from smolctl.ops.saved import Saved, Words
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.network import Network
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.states import KEPT, VALID, State
from smolctl.wire.address import (
    BROADCAST_MAC,
    IPV6,
    ZERO_MAC,
    format_address,
    format_mac,
    is_multicast,
    is_unspecified,
    is_zeronet,
)

_SETTABLE = (
    "permanent", "noarp", "reachable", "stale", "delay", "probe", "incomplete", "failed",
)  # fmt: skip
_TIMED = frozenset({State.INCOMPLETE, State.REACHABLE, State.DELAY, State.PROBE})
"""States that a timer ends, which holds a reference (Linux NUD_IN_TIMER)."""


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the entries that match; or the proxy entries, as ``ip neigh show proxy``."""
    if args.flag("proxy"):
        return neigh_proxy.show(ctx, args)
    nets = networks(ctx.stack, args.infer("to"))
    return aside(
        sum(len(cache.entries) for net in nets for cache in net.neighbors.values()),
        lambda: [
            neigh_row(interface, entry, ctx.now, stats=args.flag("stats"))
            for interface, _, entry in _matching(ctx, args)
            # Without a state asked for, ip leaves out what is nothing yet, or needs nothing.
            if entry.state is not State.NONE and ("nud" in args or entry.state is not State.NOARP)
        ],
    )


def get(ctx: Context, args: Args) -> Iterable[Row]:
    """Return one entry."""
    interface, _, entry = _find(ctx, args)
    return [neigh_row(interface, entry, ctx.now, stats=args.flag("stats"))]


def neigh_row(interface: Interface, entry: Neighbor, now: int, *, stats: bool) -> Row:
    """Return the row of ``ip -j neigh`` for an entry."""
    row: Row = {"dst": format_address(entry.ip), "dev": interface.name}
    if entry.lladdr is not None and entry.state not in (State.INCOMPLETE, State.FAILED):
        row["lladdr"] = format_mac(entry.lladdr)
    if stats:
        created = entry.created_ns
        if entry.state in _TIMED:
            row["refcnt"] = 1
        for name, at in (
            ("used", entry.used_ns),
            ("confirmed", entry.confirmed_ns),
            ("updated", entry.updated_ns),
        ):
            row[name] = (now - (at or created)) // NS_PER_S
        row["probes"] = entry.probes
        row["queue"] = len(entry.queue)
        row["queue_bytes"] = entry.queue_bytes
    if entry.router:
        row["router"] = True
    row["state"] = [entry.state.value]
    return row


def _cache(net: Network, interface: Interface) -> NeighborCache:
    """Return the neighbor cache of an interface that resolves addresses.

    Raises:
        InvalidArgument: its medium needs none (loopback).
    """
    if interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(f"{interface.name} has no neighbors: nothing is resolved on it")
    return net.neighbors[interface.name]


def _matching(ctx: Context, args: Args) -> Iterator[tuple[Interface, Network, Neighbor]]:
    nets, dev = networks(ctx.stack, args.infer("to")), args.text("dev")
    interfaces = ctx.stack.interfaces.values() if dev is None else [ctx.stack.interface(dev)]
    network, nud = args.network("to"), args.text("nud")
    states = None if nud in (None, "all") else {_state(nud or "")}
    for net, interface in product(nets, interfaces):
        for entry in list(net.neighbors[interface.name]):
            if states is not None and entry.state not in states:
                continue
            if network is not None:
                shift = net.family.bits - network[1]
                if entry.ip >> shift != network[0] >> shift:
                    continue
            yield interface, net, entry


def _state(text: str) -> State:
    """Return a state by its name, for what is set and what is searched for."""
    if text.lower() not in _SETTABLE:
        raise InvalidArgument(
            f'"{text}" is not a neighbor state: {", ".join(_SETTABLE)}',
            hint=did_you_mean(text, _SETTABLE),
        )
    return State[text.upper()]


def _named(ctx: Context, args: Args) -> tuple[Interface, Network, int]:
    """Return which neighbor is meant: its link, the network of its family, and its address."""
    args.required("dst")
    dst, dev = args.zoned("dst"), args.device("dst")
    interface = ctx.stack.interface(dev or args.required("dev"))
    assert dst is not None
    return interface, ctx.stack.networks.for_address(dst), dst


def _find(ctx: Context, args: Args) -> tuple[Interface, Network, Neighbor]:
    interface, net, dst = _named(ctx, args)
    entry = net.neighbors[interface.name].lookup(dst)
    if entry is None or entry.state is State.NONE:
        raise NotFound(
            f"{interface.name} has no neighbor {format_address(dst)}",
            hint=f"smolctl neigh show dev {interface.name}",
        )
    return interface, net, entry


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Make an entry; one that is there, in whatever state, is in the way."""
    if "proxy" in args:
        return neigh_proxy.add(ctx, args)
    return _set(ctx, args, create=True, update=False)


def replace(ctx: Context, args: Args) -> Iterable[Row]:
    """Make an entry or change it."""
    if "proxy" in args:
        return neigh_proxy.add(ctx, args)
    return _set(ctx, args, create=True, update=True)


def change(ctx: Context, args: Args) -> Iterable[Row]:
    """Change an entry that is there."""
    return _set(ctx, args, create=False, update=True)


def _set(ctx: Context, args: Args, *, create: bool, update: bool) -> Iterable[Row]:
    interface, net, dst = _named(ctx, args)
    cache = _cache(net, interface)
    state = _state(args.text("nud") or "permanent")
    lladdr = args.mac("lladdr")
    shown = format_address(dst)
    if is_multicast(dst) or net.is_broadcast(dst) or is_zeronet(dst) or is_unspecified(dst):
        # Deviation: Linux takes these; such a packet's MAC follows from its address.
        raise InvalidArgument(f"{shown} is not the address of one neighbor")
    if lladdr in (ZERO_MAC, BROADCAST_MAC):
        # Deviation: Linux takes the broadcast MAC. A cluster may have that of a group (NLB), which
        # has to be entered: RFC 1812 3.3.2 forbids to believe ARP that says so.
        raise InvalidArgument(f"{format_mac(lladdr)} is not the MAC of one neighbor")
    entry = cache.lookup(dst)
    if entry is not None and not update:
        mac = "MAC" if lladdr is None else format_mac(lladdr)
        nud = f" nud {args.text('nud')}" if "nud" in args else ""
        raise AlreadyExists(
            f"{shown} is already a neighbor of {interface.name} ({entry.state})",
            hint=f"smolctl neigh replace {shown} lladdr {mac} dev {interface.name}{nud}",
        )
    if entry is None and not create:
        raise NotFound(f"{interface.name} has no neighbor {shown}")
    known = lladdr if lladdr is not None else (entry.lladdr if entry is not None else None)
    if state in VALID and known is None:
        raise InvalidArgument(f"a {state.lower()} neighbor needs its MAC", hint="add: lladdr MAC")
    router = args.flag("router")
    if router and net.family is not IPV6:
        raise InvalidArgument("router is for IPv6 neighbors")
    actions = cache.set(dst, state, lladdr, ctx.now)
    entry = cache.lookup(dst)
    if net.family is IPV6 and entry is not None:
        entry.router = router
    net.neighbors.perform(interface, actions, ctx.now)
    return []


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete an entry; what waits for it is lost."""
    if "proxy" in args:
        return neigh_proxy.delete(ctx, args)
    interface, net, entry = _find(ctx, args)
    actions = net.neighbors[interface.name].delete(entry.ip)
    net.neighbors.perform(interface, actions, ctx.now)
    return []


def flush(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete every entry that matches; PERMANENT and NOARP ones only when asked for by state."""
    if not any(name in args for name in ("dev", "to", "nud")):
        raise InvalidArgument(
            "neigh flush needs to know which entries", hint="smolctl neigh flush dev DEV"
        )
    found: dict[tuple[Network, Interface], list[Neighbor]] = {}
    keep = KEPT if "nud" not in args else ()
    for interface, net, entry in _matching(ctx, args):
        if entry.state not in keep and interface.medium is Medium.ETHERNET:
            found.setdefault((net, interface), []).append(entry)
    for (net, interface), gone in found.items():
        net.neighbors.forget(interface, gone, ctx.now)
    if found:
        ctx.stack.generation.touch()
    return (
        neigh_row(interface, entry, ctx.now, stats=False)
        for (_, interface), gone in found.items()
        for entry in gone
    )


# --- save -----------------------------------------------------------------------------------------


def save(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield what makes the entries that stay, and proxies; what was learned is learned again."""
    yield from _save(ctx, up=True)
    yield from neigh_proxy.save(ctx)


def save_down(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield what makes those of links that are down: going down would flush them."""
    return _save(ctx, up=False)


def _save(ctx: Context, *, up: bool) -> Iterator[Saved]:
    for net, interface in product(ctx.stack.networks.values(), ctx.stack.interfaces.values()):
        for entry in net.neighbors[interface.name] if interface.up is up else ():
            if entry.state not in KEPT or entry.lladdr is None:
                continue
            if entry.state is State.NOARP and not interface.arp and entry.lladdr == interface.mac:
                continue  # as every neighbor there
            dst = format_address(entry.ip)
            args: Words = {"dst": dst, "lladdr": format_mac(entry.lladdr), "dev": interface.name}
            if entry.router:
                args["router"] = True
            if entry.state is State.NOARP:
                args["nud"] = "noarp"
            undo = ("neigh.del", {"dst": dst, "dev": interface.name})
            yield Saved("neigh.add", args, undo, key=f"neigh {dst} {interface.name}")
