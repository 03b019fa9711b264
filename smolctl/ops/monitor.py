"""``smolctl monitor``: what happens on the stack, as it happens."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from smolctl.ops.addr import addr_row
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.feed_job import FeedJob
from smolctl.ops.job import Job
from smolctl.ops.link import details_row, link_row
from smolctl.ops.maddr import group_row
from smolctl.ops.neigh import neigh_row
from smolctl.ops.neigh_proxy import proxy_row
from smolctl.ops.route import route_row
from smolctl.ops.rule import rule_row
from smolctl.ops.socket import socket_row
from smolctl.ops.socket_tcp import tcp_row
from smolctl.stack.events import ChangeType, EventKind, StackEvent
from smolctl.stack.explain.verdict import headline
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import Route
from smolctl.stack.fib.rule import Rule
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.groups import Group
from smolctl.stack.ip.network import Network
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.stack.reason import Reason
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.ping import EchoClient
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import Family, family_of

DROPS = "drops"
KINDS = (*(kind.value for kind in EventKind), DROPS)
"""Objects to watch, in the order of the help text."""


def run(ctx: Context, args: Args) -> Job:
    """Watch what is named, or everything; only what concerns ``dev`` if that is given.

    With a family, of what has one, only that; links have none.
    """
    named = [kind for kind in KINDS if args.flag(kind)]
    dev = args.text("dev")
    if dev is not None:
        ctx.stack.interface(dev)
    return MonitorJob(
        ctx,
        frozenset(named or KINDS),
        dev,
        args.integer("count", 1, 1_000_000_000),
        args.seconds("wait"),
        family=args.family,
        stats=args.flag("stats"),
    )


class MonitorJob(FeedJob):
    """Reports changes as rows of the ``show`` commands, and packets in trouble.

    Each event has the kind as "event", the wall clock's "time", and of what is gone
    ``"deleted": true``, as ``ip -j monitor`` has it.
    """

    def __init__(
        self,
        ctx: Context,
        kinds: frozenset[str],
        dev: str | None,
        count: int | None,
        wait_ns: int | None,
        *,
        family: Family | None = None,
        stats: bool,
    ) -> None:
        super().__init__(count, wait_ns)
        self._family = family
        self._ctx = ctx
        self._kinds = kinds
        self._dev = dev
        self._stats = stats

    def start(self, now: int) -> None:
        """Begin to listen, and say so."""
        self.emit("watching", kinds=[kind for kind in KINDS if kind in self._kinds])
        super().start(now)
        stack = self._ctx.stack
        if self._kinds - {DROPS}:
            stack.events.listen(self._changed)
        if DROPS in self._kinds:
            stack.watch(self._troubled, everything=False)

    def release(self, now: int) -> None:
        """Listen no more."""
        self._ctx.stack.events.unlisten(self._changed)
        if DROPS in self._kinds:
            self._ctx.stack.unwatch(self._troubled)

    # --- changes ----------------------------------------------------------------------------------

    def _changed(self, event: StackEvent) -> None:
        if event.kind not in self._kinds or (
            self._dev is not None and self._dev not in _devs_of(event)
        ):
            return
        if self._family is not None and self._family is not self._family_of(event.subject):
            return
        # Now, not when it is read: what changed goes on changing.
        row: Row = {"event": event.kind.value, "time": self._time(event.at_ns)}
        row.update(self._row(event))
        if event.action is ChangeType.DELETED:
            row["deleted"] = True
        self.feed.put(row)

    def _family_of(self, subject: object) -> Family | None:
        """Return the family of what an event is about; the one that is watched if it has none."""
        match subject:
            case Route():
                return family_of(subject.prefix)
            case Rule():
                return _network_of(self._ctx.stack, subject).family
            case Neighbor() | ProxyEntry():
                return family_of(subject.ip)
            case Group():
                return family_of(subject.address)
            case Address():
                return family_of(subject.local)
        return self._family

    def _time(self, at_ns: int) -> float:
        return round(self._ctx.daemon.wall_time(at_ns), 6)

    def _row(self, event: StackEvent) -> Row:
        """Return what the noun's ``show`` would say."""
        ctx, interface, subject = self._ctx, event.interface, event.subject
        if isinstance(subject, Interface):
            return link_row(ctx, subject, stats=self._stats) | details_row(ctx, subject)
        if isinstance(subject, Route):
            return route_row(ctx.stack, subject, table=True)
        if isinstance(subject, Rule):
            return rule_row(_network_of(ctx.stack, subject), subject)
        if isinstance(subject, UdpSocket | EchoClient):
            return socket_row(subject)
        if isinstance(subject, TcpSocket):
            return tcp_row(subject, event.at_ns, info=False)
        assert interface is not None  # events.Event: what follows has one
        if isinstance(subject, ProxyEntry):
            return proxy_row(interface, subject)
        if isinstance(subject, Neighbor):
            return neigh_row(interface, subject, event.at_ns, stats=self._stats)
        link = {"ifindex": interface.index, "ifname": interface.name}
        if isinstance(subject, Group):
            net = ctx.stack.networks.for_address(subject.address)
            return {**link, "maddr": [group_row(net, interface, subject.address)]}
        return {**link, "addr_info": [addr_row(subject, event.at_ns)]}

    # --- packets ----------------------------------------------------------------------------------

    def _troubled(self, trace: Trace) -> None:
        reason = trace.reason
        if reason is None or self._dev not in (None, trace.dev):
            return
        flow, family = trace.flow, self._family
        if family is not None and flow is not None and family_of(flow.dst) is not family:
            return
        row: Row = {"event": "drop", "id": trace.id, "time": self._time(trace.at_ns)}
        if trace.dev:
            row["dev"] = trace.dev
        row.update(dir=trace.direction.value, reason=reason.name)
        row.update({"class": reason.kind.value})
        row["summary"] = headline(trace)
        self.feed.put_later(partial(_told, row, reason, trace.detail), _ROW_SIZE)


_ROW_SIZE = 700
"""Bytes that a packet's row and details hold on to, roughly."""


def _told(row: Row, reason: Reason, detail: Mapping[str, object]) -> Row:
    """Return the row of a packet, with the words that take the longest to find."""
    return {**row, "why": reason.why(detail)}


def _network_of(stack: Stack, rule: Rule) -> Network:
    """Return the network that has a rule, or had it."""
    if rule.src_len or rule.dst_len:
        return stack.networks.for_address(rule.src if rule.src_len else rule.dst)
    having = [net for net in stack.networks.values() if rule in list(net.fib.rules)]
    return having[0] if having else stack.ipv4


def _devs_of(event: StackEvent) -> tuple[Any, ...]:
    """Return the names of the interfaces that an event is about, none for no one interface's."""
    if event.interface is not None:
        return (event.interface.name,)
    subject = event.subject
    if isinstance(subject, Rule):
        return subject.iif, subject.oif
    if isinstance(subject, Multipath):
        return tuple(hop.dev for hop in subject.hops)
    return (getattr(subject, "dev", None),)
