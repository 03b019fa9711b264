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
from smolctl.stack.interface import Medium
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Cut
from smolctl.stack.trace.trace import Direction, Fate, Trace

WORDS = "dev filter count wait"
"""The arguments of a request that is a ``Wanted``."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which packets a reader wants, and for how long.

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
