"""Items of an outbox: frames, followed frames, and runs of datagrams."""

from dataclasses import dataclass

from smolctl.stack.trace.trace import Trace
from smolctl.wire.offload.run import PendingDatagram, Run
from smolctl.wire.offload.tcp_run import Segment


@dataclass(frozen=True, slots=True, eq=False)
class TracedFrame:
    """A frame in an outbox whose sender wants to know whether the device took it."""

    frame: bytes
    trace: Trace

    def __len__(self) -> int:
        """Return the length of the frame."""
        return len(self.frame)


Item = bytes | TracedFrame | Run | Segment
"""Items for a device; in an outbox, a ``PendingDatagram`` may wait, too."""


def frames_of(item: Item | PendingDatagram) -> list[bytes]:
    """Return what waits in an outbox, or is on its way to a device, as frames."""
    if isinstance(item, bytes):
        return [item]
    if isinstance(item, tuple):
        headers, payload = item
        return [headers.frame(payload)]
    return item.frames() if isinstance(item, Run | Segment) else [item.frame]
