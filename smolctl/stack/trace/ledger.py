"""Counters of a stack: fates by reason, and plain events by name."""

from collections.abc import Mapping
from dataclasses import dataclass

from smolctl.stack.reason import Detail, Kind, Reason
from smolctl.stack.reason.model import Prove, Suggest
from smolctl.stack.trace.trace import Fate, Trace, origin


@dataclass(slots=True, eq=False)
class Tally:
    """A count of a reason on an interface, and the time of the last.

    Attributes:
        detail: values of the last packet.
    """

    detail: Mapping[str, object]
    count: int = 0
    last_ns: int = 0


class Ledger:
    """All counters of one stack: fates with a reason, and plain events by name.

    Attributes:
        suggest: adds to a reason's values, when they are shown, what would help.
        prove: tells which of that helps; None where nobody can tell, and no fix is shown.
    """

    def __init__(self) -> None:
        self.reasons: dict[tuple[Reason, str], Tally] = {}
        self.events: dict[str, int] = {}
        self.suggest: Suggest | None = None
        self.prove: Prove | None = None

    def record(
        self, reason: Reason, dev: str, now: int, trace: Trace | None = None, /, **values: object
    ) -> Detail:
        """Record the fate of one packet, or a note: the one call that counts.

        Args:
            dev: interface name, "" when none was chosen yet.
            values: for the reason's texts, as ``Detail`` has them.

        Returns: the values, to be told to others as well.
        """
        values["dev"] = dev
        begun = origin(trace) if trace is not None and reason.fix_templates else None
        detail = Detail(reason, values, self.suggest, self.prove, begun, now)
        tally = self.reasons.get((reason, dev))
        if tally is None:
            tally = self.reasons[reason, dev] = Tally(detail)
        else:
            tally.detail = detail
        tally.count += 1
        tally.last_ns = now
        if trace is not None:
            kind = reason.kind
            trace.struck(reason, detail, now)
            if kind is not Kind.NOTE:
                if trace.dev is None and dev:
                    trace.dev = dev
                trace.settle(_FATE[kind], now, reason, detail)
        return detail

    def detail(self, reason: Reason, values: Mapping[str, object]) -> Detail:
        """Return values for the texts of a reason that is not counted."""
        return Detail(reason, values, self.suggest, self.prove)

    def count(self, event: str, number: int = 1) -> None:
        """Count a plain event, such as "arp.requests_sent"."""
        try:
            self.events[event] += number
        except KeyError:
            self.events[event] = number

    def total(self, reason: Reason) -> int:
        """Return how often a reason struck, over all interfaces."""
        return sum(tally.count for (key, _), tally in self.reasons.items() if key is reason)


_FATE = {Kind.DROP: Fate.DROPPED, Kind.REJECT: Fate.REJECTED, Kind.WAIT: Fate.WAITING}
