"""The round-trip time of a connection, and its retransmission timeout (RFC 6298)."""

_MIN_RTT_WINDOW_NS = 300_000_000_000
"""Time for which a smallest round trip counts (Linux tcp_min_rtt_wlen: 300 s)."""
_LEAST_NS = 1_000
"""Of a sample: in virtual time, and on a loopback, a round trip may take none."""


class RttEstimator:
    """The estimate of one connection.

    Attributes:
        srtt_ns: smoothed round-trip time, 0 before the first sample.
        rttvar_ns: its variation.
        rto_ns: the timeout without backoff.
        min_ns: the smallest of the last minutes, 0 before the first sample.
        latest_ns: the last sample.
        sampled: one was taken since the tail of a flight was probed last (RFC 8985 7.3).
    """

    __slots__ = ("_min_at_ns", "_rto_max_ns", "_rto_min_ns", "latest_ns", "min_ns", "rto_ns",
                 "rttvar_ns", "sampled", "srtt_ns")  # fmt: skip

    def __init__(self, initial_ns: int, rto_min_ns: int, rto_max_ns: int) -> None:
        self.rto_ns = initial_ns
        self._rto_min_ns, self._rto_max_ns = rto_min_ns, rto_max_ns
        self.srtt_ns = self.rttvar_ns = self.min_ns = self.latest_ns = self._min_at_ns = 0
        self.sampled = False

    def sample(self, rtt_ns: int, now: int) -> None:
        """Take a round-trip time of a segment that was sent once (RFC 6298 2, 3)."""
        if rtt_ns < _LEAST_NS:
            rtt_ns = _LEAST_NS
        self.latest_ns, self.sampled = rtt_ns, True
        if not self.min_ns or rtt_ns <= self.min_ns or now - self._min_at_ns > _MIN_RTT_WINDOW_NS:
            self.min_ns, self._min_at_ns = rtt_ns, now
        if not self.srtt_ns:
            self.srtt_ns, self.rttvar_ns = rtt_ns, rtt_ns // 2
        else:
            self.rttvar_ns = (3 * self.rttvar_ns + abs(self.srtt_ns - rtt_ns)) // 4
            self.srtt_ns = (7 * self.srtt_ns + rtt_ns) // 8
        # Linux __tcp_set_rto: the least timeout is that of the variation alone.
        variation, least = 4 * self.rttvar_ns, self._rto_min_ns
        rto = self.srtt_ns + (variation if variation > least else least)
        self.rto_ns = rto if rto < self._rto_max_ns else self._rto_max_ns

    def backed_off(self, times: int) -> int:
        """Return the timeout after so many retransmissions (RFC 6298 5.5)."""
        return min(self.rto_ns << min(times, 32), self._rto_max_ns) if times else self.rto_ns

    def forget(self, initial_ns: int) -> None:
        """Begin anew: samples of a SYN that was sent more than once say nothing (RFC 6298 5.7)."""
        self.srtt_ns = self.rttvar_ns = 0
        self.rto_ns, self.sampled = initial_ns, False
