"""``smolctl capture``: the packets of the stack, as they get their fates."""

import base64
from typing import Any

from smolctl.daemon.args import Args
from smolctl.daemon.context import Context
from smolctl.daemon.feed import FeedJob
from smolctl.daemon.job import NS_PER_S, Job
from smolctl.stack import packet_filter
from smolctl.stack.fate import Direction, Trace
from smolctl.stack.interface import Medium
from smolctl.stack.packet_filter import Filter
from smolctl.stack.packet_match import Packet
from smolctl.stack.stack import Stack


def run(ctx: Context, args: Args) -> Job:
    """Report packets as they are sent, delivered or dropped."""
    dev = args.text("dev")
    if dev is not None:
        ctx.stack.interface(dev)
    wanted = packet_filter.parse(args.text("filter") or "")
    count = args.integer("count", 1, 1 << 53)
    # Steps of the wall clock during a capture do not show: the times of its packets stay in order.
    epoch_ns = int(ctx.daemon.wall_time(ctx.now) * NS_PER_S) - ctx.now
    return CaptureJob(ctx.stack, dev, wanted, count, args.seconds("wait"), epoch_ns)


class CaptureJob(FeedJob):
    """Puts each packet that is wanted into the feed once, when its fate is known.

    Args:
        dev: the one interface that is wanted, None for all; it may go away meanwhile.
        wanted: which packets.
        count: end after so many, None for never.
        wait_ns: end after this time, None for never.
        epoch_ns: the wall clock's nanoseconds since 1970 when the stack's clock is 0.
    """

    def __init__(
        self,
        stack: Stack,
        dev: str | None,
        wanted: Filter,
        count: int | None,
        wait_ns: int | None,
        epoch_ns: int,
    ) -> None:
        super().__init__(count, wait_ns)
        self._stack = stack
        self._dev = dev
        self._wanted = wanted
        self._epoch_ns = epoch_ns

    def start(self, now: int) -> None:
        """Tell which interfaces there are, and listen."""
        super().start(now)
        links = [
            {"ifname": link.name, "loopback": link.medium is Medium.IP}
            for link in self._stack.interfaces.values()
            if self._dev in (None, link.name)
        ]
        self.emit("start", links=links)
        self._stack.watch(self._on_packet, everything=True)

    def cancel(self, now: int) -> None:
        """End behind what waits to be read: it was captured."""
        self.finish(now)

    def release(self, now: int) -> None:
        """Let the fast path work again."""
        self._stack.unwatch(self._on_packet)

    def _on_packet(self, trace: Trace) -> None:
        # A packet that waits for ARP is on no wire yet; one that was refused before it was built
        # is nothing that could be shown.
        if not trace.settled or not trace.frame or self._dev not in (None, trace.dev):
            return
        if trace.direction is Direction.LOCAL and self._is_copy(trace):
            return
        reason = trace.reason.name if trace.reason else None
        dev = trace.dev or ""
        packet = Packet(trace.frame, trace.linked, trace.direction.value, dev, reason)
        if not self._wanted.matches(packet):
            return
        time_ns = self._epoch_ns + (trace.began_ns if packet.direction == "in" else trace.at_ns)
        event: dict[str, Any] = {
            "event": "packet",
            "time_ns": time_ns,
            "dev": dev,
            "dir": packet.direction,
            "linked": trace.linked,
            "id": trace.id,
        }
        if trace.reason is not None:
            event["reason"] = reason
            event["kind"] = trace.reason.kind.value
            event["why"] = trace.reason.why(trace.detail)
        self.feed.put_later(lambda: {**event, "data": _encoded(packet.frame)}, len(packet.frame))

    def _is_copy(self, trace: Trace) -> bool:
        """Tell whether it is what our own sockets hear of a broadcast that left by a wire.

        As tcpdump, which shows PACKET_LOOPBACK neither (Linux packet_rcv).
        """
        link = self._stack.interfaces.get(trace.dev or "")
        return link is not None and link.medium is not Medium.IP


def _encoded(frame: bytes) -> str:
    return base64.b64encode(frame).decode()
