"""``smolctl capture``: the packets of the stack, as they get their fates."""

from binascii import b2a_base64
from typing import Any

from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.job import Job
from smolctl.ops.packets import PacketJob, Wanted
from smolctl.stack.explain.filter_match import FilteredPacket
from smolctl.stack.interface import Medium
from smolctl.stack.reason import Kind
from smolctl.stack.trace.trace import Direction, Struck, Trace


def run(ctx: Context, args: Args) -> Job:
    """Report packets as they are sent, delivered or dropped."""
    return CaptureJob(ctx, Wanted.of(ctx, args))


class CaptureJob(PacketJob):
    """Puts each packet that is wanted into the feed once, when its fate is known."""

    def on_packet(self, trace: Trace) -> None:
        """Put it into the feed if it is one, and has its fate."""
        # A packet that waits for ARP is on no wire yet; one that was refused before it was built
        # is nothing that could be shown.
        # Of one that left in fragments, these are what is on the wire.
        if not trace.settled or not trace.frame or trace.parts or self._is_copy(trace):
            return
        for packet in self.seen(trace, trace.reason):
            self._report(trace, packet)

    def _report(self, trace: Trace, packet: FilteredPacket) -> None:
        """Put a packet into the feed, as it was seen at one place."""
        frame, came = packet.frame, packet.direction == Direction.IN
        lost = trace.reason is not None
        if trace.direction is Direction.FORWARD and lost and not came:
            return  # it has been seen where it came in, with the reason
        event: dict[str, Any] = {
            "event": "packet",
            "time_ns": self.epoch_ns + (trace.began_ns if came else trace.at_ns),
            "dev": packet.dev,
            "dir": str(packet.direction),
            "linked": packet.ethernet,
            "id": trace.id,
        }
        if trace.reason is not None:
            event["reason"] = trace.reason.name
            event["kind"] = trace.reason.kind.value
            event["why"] = trace.reason.why(trace.detail)
        notes = [
            {"reason": step.facts.reason.name, "why": step.facts.reason.why(step.facts.detail)}
            for step in trace.steps
            if isinstance(step.facts, Struck) and step.facts.reason.kind is Kind.NOTE
        ]
        if notes:
            event["notes"] = notes
        self.feed.put_later(lambda: {**event, "data": _encoded(frame)}, len(frame))

    def _is_copy(self, trace: Trace) -> bool:
        """Tell whether it is what our own sockets hear of a broadcast that left by a wire.

        As tcpdump, which shows PACKET_LOOPBACK neither (Linux packet_rcv).
        """
        if trace.direction is not Direction.LOCAL:
            return False
        link = self.stack.interfaces.get(trace.dev or "")
        return link is not None and link.medium is not Medium.IP


def _encoded(frame: bytes) -> str:
    return b2a_base64(frame, newline=False).decode()
