"""Packets for ``capture`` and ``trace``: every packet is heard, and some are wanted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.feed_job import FeedJob
from smolctl.ops.job import NS_PER_S
from smolctl.stack.explain import filter, filter_match
from smolctl.stack.explain.filter import PacketFilter
from smolctl.stack.explain.filter_match import FilteredPacket
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Cut
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire.vlan import VlanTag, tagged

WORDS = "dev filter count wait"
"""The arguments of a request that is a ``Wanted``."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The packets that a reader wants, and for how long.

    Attributes:
        dev: the one interface that is wanted, None for all; it may go away meanwhile.
        filter: which packets.
        count: stop after this many packets, None for never.
        wait_ns: stop after this time, None for never.
    """

    dev: str | None
    filter: PacketFilter
    count: int | None
    wait_ns: int | None

    @classmethod
    def of(cls, ctx: Context, args: Args) -> Self:
        """Return what a request asks for.

        Raises:
            NoSuchDevice: there is no such interface now.
            InvalidArgument: anything else is wrong with it.
        """
        dev = args.text("dev")
        if dev is not None:
            ctx.stack.interface(dev)
        wanted = filter.parse(args.text("filter") or "")
        return cls(dev, wanted, args.integer("count", 1, 1 << 53), args.seconds("wait"))


class PacketJob(FeedJob):
    """Listens to every packet of the stack; the fast path stands aside meanwhile.

    A subclass overrides ``on_packet``.

    Attributes:
        epoch_ns: the wall clock's nanoseconds since 1970 when the stack's clock is 0. Later steps
            of the wall clock do not show: the times of packets stay in order.
    """

    def __init__(self, ctx: Context, wanted: Wanted) -> None:
        super().__init__(wanted.count, wanted.wait_ns)
        self.stack = ctx.stack
        self._wanted = wanted
        self.epoch_ns = int(ctx.daemon.wall_time(ctx.now) * NS_PER_S) - ctx.now

    def start(self, now: int) -> None:
        """Tell which interfaces there are, and listen."""
        super().start(now)
        links = [
            {"ifname": link.name, "loopback": link.medium is Medium.IP}
            for link in self.stack.interfaces.values()
            if self._wanted.dev in (None, link.name)
        ]
        self.emit("start", links=links)
        self.stack.watch(self.on_packet, everything=True)

    def cancel(self, now: int) -> None:
        """End behind what waits to be read: it has happened."""
        self.finish(now)

    def release(self, now: int) -> None:
        """Let the fast path work again."""
        self.stack.unwatch(self.on_packet)

    def on_packet(self, trace: Trace) -> None:
        """Hear of a packet that waits or got its fate."""
        raise NotImplementedError

    def wants(self, packet: FilteredPacket) -> bool:
        """Tell whether the reader wants a packet, as it was seen at one place."""
        return self._wanted.dev in (None, packet.dev) and self._wanted.filter.matches(packet)

    def seen(self, trace: Trace, reason: Reason | None) -> Iterator[FilteredPacket]:
        """Yield how a packet that the reader wants is seen.

        One of a VLAN is seen at the interface below it, too, by who asks for that one: with its
        tag.
        """
        for packet in seen(trace, reason):
            tags = _tags(trace, self.stack.interfaces.get(packet.dev), packet.direction)
            shown = packet._replace(tags=tuple(tag for _, tag in reversed(tags)))
            for number, (below, _) in enumerate(tags, 1):
                if below == self._wanted.dev and packet.ethernet:
                    frame = packet.frame
                    for _, tag in tags[:number]:
                        frame = tagged(frame, tag)
                    shown = shown._replace(frame=frame, dev=below, tags=shown.tags[:-number])
            if self.wants(shown):
                yield shown


def _tags(trace: Trace, link: Interface | None, direction: str) -> list[tuple[str, VlanTag]]:
    """Return the tag of each VLAN that a packet is in, innermost first, and the link below it."""
    result = []
    came = direction == Direction.IN
    told = [
        step.facts
        for step in trace.steps
        if isinstance(step.facts, VlanTag) and (step.result == "pick") is came
    ]
    while link is not None and link.vlan is not None:
        own = link.vlan.tag
        # What came in may have a priority, too.
        there = (tag for tag in told if (tag.tpid, tag.vid) == (own.tpid, own.vid))
        result.append((link.vlan.lower.name, next(there, own)))
        link = link.vlan.lower
    return result


def seen(trace: Trace, reason: Reason | None) -> Iterator[FilteredPacket]:
    """Yield how a packet is seen: once; one that is sent on where it came in and where it leaves.

    Args:
        reason: the one that the filter's word "reason" is about.
    """
    name = None if reason is None else reason.name
    frame, linked, dev = trace.frame, trace.linked, trace.dev or ""
    if trace.arrival is not None:
        yield FilteredPacket(trace.arrival.frame, True, Direction.IN, trace.arrival.dev, name)
        if trace.dev != trace.arrival.dev or (
            trace.fate is Fate.FORWARDED and not isinstance(trace.steps[-1].facts, Cut)
        ):
            yield FilteredPacket(frame, linked, Direction.OUT, dev, name)
        return
    if not frame and trace.flow is not None:
        frame, linked = filter_match.meant(trace.flow)
    yield FilteredPacket(frame, linked, trace.direction, dev, name)
