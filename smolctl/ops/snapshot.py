"""Snapshots: a stack at one instant, as rows from which ``restore.py`` makes it again.

Beside the configuration it is what was learned and what is in use: whatever decides about the next
packet. No payload is in it, and no secret. Each row says in "part" what it is about; times are how
long ago something was, ns.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from smolctl.ops import snapshot_shapes as shapes
from smolctl.ops.args import Args
from smolctl.ops.aside import MANY, Aside
from smolctl.ops.context import Context, Row
from smolctl.ops.shapes import MAC
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.route import Route
from smolctl.stack.interface import Interface, Mirror
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv6.addresses import Address6
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.packet import Packet
from smolctl.stack.stack import Stack
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.transport.tcp.probe import Probe
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.table import Connection, TcpTable
from smolctl.stack.transport.tcp.time_wait import TimeWait
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.stack.transport.udp.udp import Udp
from smolctl.wire import ipv6
from smolctl.wire.address import format_address

SCHEMA = "smolctl-snapshot-1"
NOT_LOOKED_AT = (
    "payload of what waits in queues and sockets: as many zero bytes stand for it",
    "fragments that wait for the rest of their datagram",
    "frames that an impaired link holds back",
    "requests of proxied neighbors that wait for their answer, and reports of groups that are due",
    "the data, congestion window and timers of TCP connections, and connections that failed",
    "the stack's secrets: TCP has other initial sequence numbers and ephemeral ports, and no SYN"
    " cookie is known",
    "counters, and the packets that why remembers",
)
"""The things that are not in a snapshot though they decide; who predicts from one says so."""


def take(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the rows of the stack as it is now."""
    found = rows(ctx)
    return list(found) if _size(ctx.stack) < MANY else Aside(lambda: found)


def rows(ctx: Context) -> Iterator[Row]:
    """Return the rows, in an order in which a stack can be made of them.

    They are made when they are taken, but for those that ask the process, or a device, which
    another process could not do in their place.
    """
    devices = {
        name: ctx.links.details(name)
        for name, link in ctx.stack.interfaces.items()
        if not link.loopback and link.vlan is None
    }
    return _rows(ctx.stack, _head(ctx), devices, ctx.now)


def _rows(stack: Stack, head: Row, devices: dict[str, Row], now: int) -> Iterator[Row]:
    yield head
    for name, link in stack.interfaces.items():
        device = {"device": devices[name]} if name in devices else {}
        yield {"part": "link", "name": name, **_link(stack.settings, link, now), **device}
    for each in stack.next_hops:
        yield {"part": "nexthop", **shapes.NEXT_HOP.row(each, now)}
    for net in stack.networks.values():
        yield from _network(stack, net, now)
    for prefix, plen, label, dev in stack.ipv6.labels:
        only = {} if dev is None else {"dev": dev}
        yield {
            "part": "label", "prefix": format_address(prefix), "plen": plen, "label": label, **only,
        }  # fmt: skip
    for socket in stack.udp:
        yield _udp(socket, now)
    if stack.udp.blocked:
        yield _blocked(stack.udp)
    yield from _tcp(stack.tcp, now)
    for client in stack.ping.values():
        yield {"part": "ping", **shapes.PING.row(client, now)}


def _size(stack: Stack) -> int:
    """Return how many things are looked at."""
    number = len(stack.udp) + len(stack.tcp) + len(stack.tcp.connections) + len(stack.ping)
    for net in stack.networks.values():
        number += len(net.fib) + sum(len(cache.entries) for cache in net.neighbors.values())
        number += sum(len(net.of(link).addresses.items) for link in stack.interfaces.values())
        number += len(net.fib.exceptions) + len(net.fib.path_mtus)
        number += len(net.icmp_limiter.peers) + len(net.redirects.hosts) + len(net.idents.used)
    return number


def _head(ctx: Context) -> Row:
    """Return the first row: which stack it is, when, and its sysctls."""
    status, told = ctx.daemon.status(ctx.now), ctx.stack.settings.assigned
    head = {
        "part": "stack",
        "schema": SCHEMA,
        "name": status["name"],
        "version": status.get("version"),
        "profile": ctx.stack.settings.profile,
        "wall_time": ctx.daemon.wall_time(ctx.now),
        "now_ns": ctx.now,
        "last_index": ctx.stack.interfaces.last_index,
        "uid": ctx.stack.shared.uid,
        "sysctls": told.values,
        "all": told.alls,
        "default": told.defaults,
        "default_fixed": told.fixed,
        "set_by": {
            key: [item.level.label, item.text, item.place] for key, item in told.places.items()
        },
        "not_looked_at": list(NOT_LOOKED_AT),
    }
    return {key: value for key, value in head.items() if value is not None}


# --- links and addresses --------------------------------------------------------------------------


def _link(settings: Settings, link: Interface, now: int) -> Row:
    """Return what a link is like; "device" is what it is plugged into."""
    row = shapes.LINK.row(link, now)
    row["sysctls"] = settings.assigned_link(link.name)
    row["fixed"], row["settled"] = sorted(link.settings.fixed), link.settings.settled
    if link.options:
        row["options"] = dict(link.options)
    if link.vlan is not None:
        row["vlan"] = {
            "lower": link.vlan.lower.name, "tpid": link.vlan.tpid, "vid": link.vlan.vid,
            "own_mac": link.vlan.own_mac,
        }  # fmt: skip
    if link.mirror is not None:
        row["mirror"] = _mirror(link.mirror)
    if link.impairment is not None:
        row["netem"] = shapes.NETEM.row(link.impairment.netem, now)
    if link.outbox:
        row["waiting"] = len(link.outbox)
    return row


def _mirror(told: Mirror) -> Row:
    """Return what a mirror is like, as far as that was told."""
    row: Row = {"kind": told.kind, "index": told.index}
    for name, other in (("master", told.master), ("lower", told.lower)):
        if other is not None:
            row[name] = other.name
    return row


def _addresses(net: Network, link: Interface, now: int) -> Iterator[Row]:
    """Yield what one family has on a link, but for neighbors."""
    state, here = net.of(link), {"family": net.family.name, "dev": link.name}
    for address in state.addresses.items:
        row = {"part": "address", **here, **_address(address, now)}
        test = state.dad.find(address)
        if test is not None:
            row["test"] = shapes.DAD.row(test, now)
        yield row
    for proxy in state.proxies.entries.values():
        router = {"router": True} if proxy.router else {}
        yield {"part": "proxy", **here, "ip": format_address(proxy.ip), **router}
    for group in state.groups.filters:
        members = {
            member: shapes.SOURCES.plain(wanted, now)
            for member, wanted in state.groups.members(group).items()
            if isinstance(member, str)
        }
        yield {"part": "group", **here, "group": format_address(group), "members": members}


def _address(address: Address, now: int) -> Row:
    shape = shapes.ADDRESS6 if isinstance(address, Address6) else shapes.ADDRESS4
    return shape.row(address, now)


# --- a family -------------------------------------------------------------------------------------


def _network(stack: Stack, net: Network, now: int) -> Iterator[Row]:
    family = net.family.name
    for link in stack.interfaces.values():
        yield from _addresses(net, link, now)
    for table in net.fib.tables.values():
        for route in table:
            yield {"part": "route", **_route(route, now)}
    for rule in net.fib.rules:
        yield {"part": "rule", "family": family, **shapes.RULE.row(rule, now)}
    yield from _learned(net.fib, family, now)
    for name, cache in net.neighbors.items():
        yield _cache(cache, {"family": family, "dev": name}, now)
        for entry in cache:
            yield _neighbor(entry, name, now)
    limiter, idents = net.icmp_limiter, net.idents
    yield {
        "part": "family", "family": family, "usual_rules": net.fib.usual_rules,
        "hash_seed": net.hash_seed,
        "idents": {"start": idents.start, "used": list(map(list, idents.used.items()))},
        "icmp_limit": _hosts(limiter.peers, now),
        "redirects_sent": _hosts(net.redirects.hosts, now),
        **_credit(net, now),
    }  # fmt: skip
    for asker in net.probe_clients:
        yield {
            "part": "asker", "family": family, "dev": asker.dev,
            "target": format_address(asker.target), "sender": format_address(asker.sender),
            "sender_mac": MAC.plain(asker.sender_mac, now),
        }  # fmt: skip


def _hosts(told: dict[int, tuple[int, int]], now: int) -> list[list[Any]]:
    """Return what is counted for each host, and how long ago."""
    return [[format_address(host), number, now - at_ns] for host, (number, at_ns) in told.items()]


def _credit(net: Network, now: int) -> Row:
    """Return what all ICMP errors together may take, if any was sent."""
    credit = net.icmp_limiter.credit
    if credit.stamp_ns is None:
        return {}
    return {"icmp_credit": [credit.left, now - credit.stamp_ns]}


def _route(route: Route, now: int) -> Row:
    row = shapes.ROUTE.row(route, now)
    if isinstance(route, Multipath):
        row["hops"] = [shapes.HOP_OF.row(hop, now) for hop in route.hops]
    return row


def _learned(fib: Fib, family: str, now: int) -> Iterator[Row]:
    """Yield what was learned of ways."""
    for exception in fib.exceptions:
        place = _place(fib, exception.route)
        if place is not None:  # of a route that is gone, nobody takes it any more
            yield {
                "part": "redirect", "family": family, "dst": format_address(exception.dst),
                "gateway": format_address(exception.gateway), "route": place,
                "expires_ns": now - exception.expires_ns,
            }  # fmt: skip
    for path, known in sorted(fib.path_mtus, key=lambda item: item[1].learned_ns):
        yield {
            "part": "path_mtu", "family": family, "dst": format_address(path.dst), "dev": path.dev,
            "next_hop": format_address(path.next_hop), "mtu": known.mtu, "locked": known.locked,
            "learned_ns": now - known.learned_ns,
        }  # fmt: skip
    lost = fib.lost_default
    if lost is not None:
        yield {
            "part": "lost_default", "family": family, "at_ns": now - lost.at_ns,
            "route": _route(lost.route, now),
        }  # fmt: skip


def _place(fib: Fib, route: Route) -> list[Any] | None:
    """Return where a route stands: table, prefix, its place among those of it, and which hop."""
    whole = route.whole if isinstance(route, Hop) else route
    table = fib.tables.get(route.table)
    chain = [] if table is None else table.chain(route.prefix, route.plen)
    if whole not in chain:
        return None
    hop = [whole.hops.index(route)] if isinstance(whole, Multipath) else []
    return [route.table, format_address(route.prefix), route.plen, chain.index(whole), *hop]


# --- neighbors ------------------------------------------------------------------------------------


def _cache(cache: NeighborCache, where: Row, now: int) -> Row:
    memory = cache.memory
    row: Row = {
        "part": "cache", **where, "reachable_factor": memory.reachable_factor,
        "redraw_ns": now - memory.redraw_ns, "collect_ns": now - memory.collect_ns,
    }  # fmt: skip
    if memory.silence.until_ns:
        asked = format_address(memory.silence.asked)
        row["silence"] = [now - memory.silence.until_ns, asked]
    if memory.evictions:
        row["evictions"] = [
            [now - item.at_ns, format_address(item.ip), format_address(item.new)]
            for item in memory.evictions
        ]
    return row


def _neighbor(entry: Neighbor, dev: str, now: int) -> Row:
    row = {"part": "neighbor", "dev": dev, **shapes.NEIGHBOR.row(entry, now)}
    if entry.queue:
        row["queue"] = [_waiting(packet) for packet in entry.queue]
    return row


def _waiting(packet: Packet) -> Row:
    """Return what is kept of a packet that waits: its IP header, and its length."""
    data = packet.data
    length = ipv6.HEADER_LEN if data[0] >> 4 == 6 else (data[0] & 15) << 2
    return {"header": data[:length].hex(), "length": len(data)}


# --- sockets --------------------------------------------------------------------------------------


def _udp(socket: UdpSocket, now: int) -> Row:
    row = {"part": "udp", **shapes.UDP.row(socket, now)}
    if socket.groups:
        row["groups"] = [
            [format_address(group), dev, shapes.SOURCES.plain(wanted, now)]
            for (group, dev), wanted in socket.groups.items()
        ]
    if socket.queue:
        row["queued"], row["queue_bytes"] = len(socket.queue), socket.queue_bytes
    if socket.send_queue is not None:
        row["send_queue"] = shapes.SEND_QUEUE.row(socket.send_queue, now)
        row["send_queue"]["items"] = [
            [len(item.payload), format_address(item.dst), item.dport]
            + ([] if item.src is None else [format_address(item.src)])
            for item in socket.send_queue.items
        ]
    return row


def _blocked(udp: Udp) -> Row:
    """Return in which order sockets were blocked; each by its place among all."""
    places = {id(socket): place for place, socket in enumerate(udp)}
    return {"part": "blocked", "order": [places[id(socket)] for socket in udp.blocked]}


def _tcp(tcp: TcpTable, now: int) -> Iterator[Row]:
    """Yield sockets that are bound, then all that has two ends; "at" is the place in each table."""
    bound = {id(socket): place for place, socket in enumerate(tcp)}
    for socket in tcp:
        yield {"part": "tcp", **_tcp_socket(tcp, socket, now)}
    for each in tcp.connections.values():
        if id(each) not in bound:
            yield _connection(tcp, each, bound, now)
    for socket in tcp:
        if socket.backlog is not None and socket.backlog.queue:
            queue = [shapes.ENDS.plain(child.ends, now) for child in socket.backlog.queue]
            yield {"part": "tcp_backlog", "listener": bound[id(socket)], "queue": queue}


def _tcp_socket(tcp: TcpTable, socket: TcpSocket, now: int) -> Row:
    row = shapes.TCP.row(socket, now)
    row["connected"] = tcp.connections.get(socket.ends) is socket
    row["snd"] = shapes.SENDING.row(socket.snd, now)
    row["rcv"] = shapes.RECEIVING.row(socket.rcv, now)
    if socket.out is not None:
        row["out"] = socket.out.name
    if socket.backlog is not None:
        backlog = socket.backlog
        row["backlog"] = {"limit": backlog.limit, "requests": backlog.requests}
        if backlog.cookie_until_ns:
            row["backlog"]["cookie_until_ns"] = now - backlog.cookie_until_ns
    return row


def _connection(tcp: TcpTable, each: Connection, bound: dict[int, int], now: int) -> Row:
    if isinstance(each, TcpSocket):
        return {"part": "tcp", **_tcp_socket(tcp, each, now)}
    if isinstance(each, TimeWait):
        return {"part": "tcp_time_wait", **shapes.TIME_WAIT.row(each, now)}
    if isinstance(each, Request):
        row = {"part": "tcp_request", **shapes.REQUEST.row(each, now)}
        return {**row, "listener": bound[id(each.listener)]}
    assert isinstance(each, Probe)
    row = {"part": "tcp_probe", **shapes.PROBE.row(each, now)}
    return {**row, "owner": each.client.owner, "to": format_address(each.client.dst)}
