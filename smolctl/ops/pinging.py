"""The pace and the count of a ping, whatever it sends (iputils main_loop, pinger, finish)."""

from typing import Any, Protocol

from smolctl.ops.blame import blame_fields
from smolctl.ops.job import NS_PER_S, WAIT_NOTICE_NS, Job
from smolctl.ops.rtt import Rtts
from smolctl.stack.packet import DeliveryError
from smolctl.stack.trace.trace import Fate, Trace

NO_REPLY_WAIT_NS = 10 * NS_PER_S
"""Time for an answer to the last request while nothing came back (iputils MAXWAIT)."""
_FOR_EVER_NS = 365 * 86_400 * NS_PER_S
FOLLOWED = 64
"""Requests whose steps are still told when an error comes for one."""


class Pace(Protocol):
    """The times at which a ping sends, and ends; in ns.

    Attributes:
        count: requests to send, or replies to wait for if there is a deadline; None for any number.
        timeout_ns: for each reply. deadline_ns: for all.
        preload: requests that do not wait for an answer, at the beginning.
    """

    @property
    def count(self) -> int | None: ...  # noqa: D102
    @property
    def interval_ns(self) -> int: ...  # noqa: D102
    @property
    def timeout_ns(self) -> int | None: ...  # noqa: D102
    @property
    def deadline_ns(self) -> int | None: ...  # noqa: D102
    @property
    def preload(self) -> int: ...  # noqa: D102


class Pinger(Job):
    """Base of jobs that send a request every interval; a subclass sends, and takes the answers."""

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace
        self._sequence = self._errors = self._duplicates = 0
        self._rtts = Rtts()
        self._interval_ns = pace.interval_ns
        self._smooth_ns = 0
        self._trace: Trace | None = None
        self._noticed = False
        self._start_ns = self._next_ns = self._last_ns = 0
        self._failed: Trace | None = None
        self._recent: dict[int, Trace] = {}

    def _request(self, now: int) -> None:
        """Send the next request."""
        raise NotImplementedError

    def _blamed(self, now: int) -> Trace | None:
        """Return a packet that tells why requests were lost; None where that is not known."""
        raise NotImplementedError

    def begin(self, now: int) -> None:
        """Send the first request, or the first few."""
        self._start_ns = self._next_ns = now
        self._request(now)
        for _ in range(1, self._pace.preload):
            if not self._all_sent():
                self._request(now)
        self.deadline = self._due()

    def on_timer(self, now: int) -> None:
        """Send what is due; end when nothing more can come."""
        self._notice(now)
        pace = self._pace
        if pace.deadline_ns is not None and now >= self._start_ns + pace.deadline_ns:
            self.finish(now)
            return
        if not self._all_sent() and now >= self._next_ns:
            self._request(now)
        self._check_end(now)

    def _check_end(self, now: int) -> None:
        if self.ended:
            return
        pace = self._pace
        known = self._rtts.count + self._errors
        enough = pace.count is not None and known >= pace.count
        failed = pace.deadline_ns is not None and self._errors > 0
        if enough or failed or (self._all_sent() and now >= self._give_up_ns()):
            self.finish(now)
        else:
            self.deadline = self._due()

    def _all_sent(self) -> bool:
        """Tell whether no more is sent: with a deadline, ``count`` replies are what ends it."""
        pace = self._pace
        return pace.count is not None and pace.deadline_ns is None and self._sequence >= pace.count

    def _give_up_ns(self) -> int:
        """Return when the last request is no longer waited for (iputils __schedule_exit).

        A ``timeout`` of 0 is none while nothing has come. Deviation: one that was asked for holds
        though replies have come.
        """
        wait = self._pace.timeout_ns
        if wait == 0:
            wait = None if self._rtts.count else _FOR_EVER_NS
        if wait is None:
            longest = max(2 * self._rtts.max, self._pace.interval_ns)
            wait = longest if self._rtts.count else NO_REPLY_WAIT_NS
        return self._last_ns + wait

    def _due(self) -> int:
        pace = self._pace
        due = self._give_up_ns() if self._all_sent() else self._next_ns
        if pace.deadline_ns is not None:
            due = min(due, self._start_ns + pace.deadline_ns)
        if self._trace is not None and not self._noticed and not self._trace.settled:
            due = min(due, self._last_ns + WAIT_NOTICE_NS)
        return due

    def _notice(self, now: int) -> None:
        trace = self._trace
        waiting = trace is not None and not trace.settled and trace.reason is not None
        if waiting and not self._noticed and now >= self._last_ns + WAIT_NOTICE_NS:
            self._noticed = True
            if trace is not None and trace.reason is not None:
                text = trace.reason.explain(trace.detail)
                self.emit("waiting", reason=trace.reason.name, text=text)

    def _next(self, now: int) -> int:
        """Count one more request that is sent now, and return its number, from 1 on."""
        self._sequence += 1
        self._last_ns = now
        self._next_ns = now + self._interval_ns
        return self._sequence

    def _follow(self, sequence: int) -> Trace:
        """Return a trace for the packet of a request; only the last ones are kept."""
        self._trace = self._recent[sequence] = Trace()
        if len(self._recent) > FOLLOWED:
            del self._recent[next(iter(self._recent))]
        return self._trace

    def _blame(self, sequence: int, error: DeliveryError) -> None:
        """Remember whose request failed; one that had left learns so only now."""
        trace = self._recent.get(sequence)
        if trace is not None:
            if trace.fate is Fate.SENT and trace.complaint is None:
                trace.complain(error.reason, error.detail, error.at_ns)
            self._failed = trace

    def result(self, now: int) -> dict[str, Any]:
        """Return the summary; where requests were lost, the reason if one is known."""
        pace, received = self._pace, self._rtts.count
        # iputils finish: before the deadline, nothing less than ``count`` replies will do.
        short = pace.deadline_ns is not None and pace.count is not None and received < pace.count
        result: dict[str, Any] = {
            "transmitted": self._sequence,
            "received": received,
            "errors": self._errors,
            "duplicates": self._duplicates,
            # From the first request to the last one, as iputils counts it.
            "time_ms": (self._last_ns - self._start_ns) // 1_000_000,
            "ok": received > 0 and not short,
        }
        if self._rtts.count:
            result["rtt_ns"] = self._rtts.summary()
        blamed = self._blamed(now)
        if blamed is not None:
            result.update(blame_fields(blamed))
        return result

    def status(self, now: int) -> None:
        """Report how far it is (iputils status)."""
        rtts = self._rtts
        times = None
        if rtts.count:
            whole = rtts.summary()
            times = {**{key: whole[key] for key in ("min", "avg", "max")}, "ewma": self._smooth_ns}
        self.emit("status", transmitted=self._sequence, received=rtts.count, rtt_ns=times)

    def _smooth(self, rtt_ns: int) -> None:
        """Take a round-trip time into the mean of the last ones (iputils update_interval)."""
        smooth = self._smooth_ns
        self._smooth_ns = smooth + (rtt_ns - smooth) // 8 if smooth else rtt_ns
