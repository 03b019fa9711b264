"""Counters of a stack: fates by reason, and plain events by name."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smolctl.stack.reason import Kind, Reason
from smolctl.stack.trace.trace import Fate, Trace

if TYPE_CHECKING:
    pass


@dataclass(slots=True, eq=False)
class Tally:
    """How often a reason struck on an interface, and when last."""

    count: int = 0
    last_ns: int = 0
    detail: dict[str, object] = field(default_factory=dict)


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
            detail: values for the placeholders of the reason's texts.
        """
        tally = self.reasons.get((reason, dev))
        if tally is None:
            tally = self.reasons[reason, dev] = Tally()
        tally.count += 1
        tally.last_ns = now
        detail["dev"] = dev
        tally.detail = detail
        if trace is not None:
            kind = reason.kind
            trace.step(reason.layer, kind.value, now, {**detail, "reason": reason.name})
            if kind is not Kind.NOTE:
                if trace.dev is None and dev:
                    trace.dev = dev
                trace.settle(_FATE[kind], now, reason, detail)

    def count(self, event: str, number: int = 1) -> None:
        """Count a plain event, such as "arp.requests_sent"."""
        self.events[event] = self.events.get(event, 0) + number

    def total(self, reason: Reason) -> int:
        """Return how often a reason struck, over all interfaces."""
        return sum(tally.count for (key, _), tally in self.reasons.items() if key is reason)


_FATE = {Kind.DROP: Fate.DROPPED, Kind.REJECT: Fate.REJECTED, Kind.WAIT: Fate.WAITING}
