"""``smolctl trace``: what happens to each packet, step by step, as it happens."""

from functools import partial

from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.job import NS_PER_S, Job
from smolctl.ops.packets import PacketJob, Wanted
from smolctl.ops.why import with_return
from smolctl.stack.explain import verdict
from smolctl.stack.trace.journal import FRAME_LIMIT
from smolctl.stack.trace.trace import Trace


def run(ctx: Context, args: Args) -> Job:
    """Report the steps of packets: when one begins to wait, and when its fate is known."""
    return TraceJob(ctx, Wanted.of(ctx, args))


class TraceJob(PacketJob):
    """Puts the row of each packet that is wanted into the feed, the one that ``why`` shows.

    The event is "packet" when the packet has its fate, also for one that was refused before it was
    built; the filter looks at what that was meant to be. Before, it is "wait" each time the packet
    begins to, which does not count for ``count``.
    """

    def __init__(self, ctx: Context, wanted: Wanted) -> None:
        super().__init__(ctx, wanted)
        self._turn_ns, self._told = -1, 0

    def on_packet(self, trace: Trace) -> None:
        """Put it into the feed."""
        reason, _ = verdict.blame(trace)
        # One that waited is not lost sight of because it does not any more.
        if not any(self.seen(trace, reason or trace.waited_for)):
            return
        if not trace.settled:
            self.feed.put(self._row("wait", trace), counts=False)  # now: it will change
            return
        # When it is read, since what follows from the fate comes after it: an ICMP error that is
        # not sent, or an answer that says that it did not arrive after all.
        size = min(len(trace.frame), FRAME_LIMIT) + _TRACE_SIZE
        self.feed.put_later(lambda: self._row("packet", trace), size)

    def _row(self, event: str, trace: Trace) -> Row:
        """Return the row of a packet; what helps is found out for a few in a turn."""
        now = self.stack.events.now_ns
        if now != self._turn_ns:
            self._turn_ns, self._told = now, 0
        self._told += trace.reason is not None
        brief = self._told > _PROVEN_A_TURN
        wall = partial(_wall_time, self.epoch_ns)
        row = {"event": event, **verdict.tell(trace, wall, brief=brief)}
        return with_return(self.stack, row, trace, _PATIENCE_NS)


def _wall_time(epoch_ns: int, ns: int) -> float:
    return (epoch_ns + ns) / NS_PER_S


_PROVEN_A_TURN = 4
_PATIENCE_NS = NS_PER_S // 2
"""Time that a host has for its first answer before a program's next packet says there is none."""
_TRACE_SIZE = 2000
"""Bytes that a packet's steps hold on to, roughly."""
