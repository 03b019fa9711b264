"""What became of each packet, counted; and, for a packet that somebody follows, remembered.

Every frame received and every datagram sent ends in exactly one ``Fate``. Fates other
than "delivered" and "sent" have a reason, counted per interface. A ``Trace`` is carried by the few
packets whose sender wants to know (``udp send``, ``ping``); for all others it is None and free.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from smolctl.stack.reason import Kind, Reason


class Fate(StrEnum):
    """How a packet ended, or that it has not yet."""

    WAITING = "waiting"
    SENT = "sent"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    ABSORBED = "absorbed"
    DROPPED = "dropped"
    REJECTED = "rejected"


@dataclass(slots=True, eq=False)
class Trace:
    """The fate of one packet that somebody follows.

    Attributes:
        on_change: called with this trace when the fate is settled or a wait begins; it must not
            call back into the stack.
        fate: the fate so far, None before the first. reason: why, for WAITING, DROPPED and
        REJECTED. detail: values for the reason's hint. dev, gateway: the interface it left or
        arrived by, the next hop if it is not the destination. src: its source address. at_ns: when
        the fate was settled.
    """

    on_change: "Callable[[Trace], None] | None" = None
    fate: Fate | None = None
    reason: Reason | None = None
    detail: dict[str, object] = field(default_factory=dict)
    dev: str | None = None
    gateway: int | None = None
    src: int | None = None
    at_ns: int = 0

    @property
    def settled(self) -> bool:
        """Whether the packet has its one fate."""
        return self.fate is not None and self.fate is not Fate.WAITING

    def settle(
        self,
        fate: Fate,
        now: int,
        reason: Reason | None = None,
        detail: dict[str, object] | None = None,
    ) -> None:
        """Note a fate. Only the first one that settles counts; a wait may precede it."""
        if self.settled:
            return
        self.fate = fate
        self.reason = reason
        self.detail = detail if detail is not None else {}
        self.at_ns = now
        if self.on_change is not None:
            self.on_change(self)


@dataclass(slots=True, eq=False)
class Tally:
    """How often a reason struck on an interface, and when last."""

    count: int = 0
    last_ns: int = 0
    detail: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class TracedFrame:
    """A frame in an outbox whose sender wants to know whether the device took it."""

    frame: bytes
    trace: Trace

    def __len__(self) -> int:
        """Return the length of the frame."""
        return len(self.frame)


class Ledger:
    """All counters of one stack: fates with a reason, and plain events by name."""

    def __init__(self) -> None:
        self.reasons: dict[tuple[Reason, str], Tally] = {}
        self.events: dict[str, int] = {}

    def record(
        self, reason: Reason, dev: str, now: int, trace: Trace | None = None, /, **detail: object
    ) -> None:
        """Record the fate of one packet, or a note: the one call that counts.

        Args:
            dev: interface name, "" when none was chosen yet.
            detail: values for the placeholders of the reason's hint.
        """
        tally = self.reasons.get((reason, dev))
        if tally is None:
            tally = self.reasons[reason, dev] = Tally()
        tally.count += 1
        tally.last_ns = now
        detail["dev"] = dev
        tally.detail = detail
        if trace is not None and reason.kind is not Kind.NOTE:
            trace.settle(_FATE[reason.kind], now, reason, detail)

    def count(self, event: str, number: int = 1) -> None:
        """Count a plain event, such as "arp.requests_sent"."""
        self.events[event] = self.events.get(event, 0) + number

    def total(self, reason: Reason) -> int:
        """Return how often a reason struck, over all interfaces."""
        return sum(tally.count for (key, _), tally in self.reasons.items() if key is reason)


_FATE = {Kind.DROP: Fate.DROPPED, Kind.REJECT: Fate.REJECTED, Kind.WAIT: Fate.WAITING}
