"""Datagrams that wait in a socket behind one that cannot leave yet.

Only where a sysctl wants it so: Linux queues at the neighbor, and refuses a packet without a route.
smoltcp keeps the datagram in its socket, and with it all that the socket sends afterwards.
"""

from collections import deque
from dataclasses import dataclass, field

from smolctl.stack.trace.trace import Trace

OVERHEAD = 64
"""Bytes that a waiting datagram counts beside its payload, so that empty ones are bounded too."""


@dataclass(slots=True, eq=False)
class OutgoingDatagram:
    """A datagram that waits, as its sender gave it: its way is chosen anew when it leaves.

    Attributes:
        src: source address that the sender asked for, None for the socket's.
        dev: interface that the sender asked for, None for the socket's (RFC 4007 6: the zone of a
            destination).
        trace: what became of it so far; None while nobody follows it.
    """

    payload: bytes
    dst: int
    dport: int
    src: int | None
    trace: Trace | None = None
    dev: str | None = None

    @property
    def followed(self) -> Trace:
        """Return the trace of a datagram that waits."""
        if self.trace is None:
            raise AssertionError("a datagram that waits has a trace")
        return self.trace

    @property
    def size(self) -> int:
        """Return what it counts in the queue."""
        return len(self.payload) + OVERHEAD


@dataclass(slots=True, eq=False)
class SendQueue:
    """The datagrams of one socket that wait, oldest first; there is at least one.

    Attributes:
        hop: interface and next hop whose MAC the first one waits for; None when it is a route.
        retry_ns: when the first one is looked at again.
        last_ns: when the last one came.
    """

    retry_ns: int
    hop: tuple[str, int] | None = None
    items: deque[OutgoingDatagram] = field(default_factory=deque)
    bytes: int = 0
    last_ns: int = 0

    @property
    def dev(self) -> str:
        """Return the interface by which the first one is to leave; "" while there is no route."""
        return self.hop[0] if self.hop is not None else ""

    def push(self, item: OutgoingDatagram, now: int) -> None:
        """Put a datagram behind all others."""
        self.last_ns = now
        self.items.append(item)
        self.bytes += item.size

    def pop(self) -> OutgoingDatagram:
        """Take the first one."""
        item = self.items.popleft()
        self.bytes -= item.size
        return item

    def clone(self) -> "SendQueue":
        """Return a copy; whoever sent what waits will not hear of it."""
        items = (OutgoingDatagram(i.payload, i.dst, i.dport, i.src, Trace()) for i in self.items)
        return SendQueue(self.retry_ns, self.hop, deque(items), self.bytes, self.last_ns)
