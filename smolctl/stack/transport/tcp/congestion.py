"""Congestion control: Reno (RFC 5681), CUBIC (RFC 9438), and HyStart++ (RFC 9406).

Windows are bytes. A controller grows the window outside of recovery, and says how far it goes down;
recovery itself is ``recovery.py``.
"""

from typing import Protocol

RENO, CUBIC = "reno", "cubic"
NAMES = (CUBIC, RENO)
INFINITE = 1 << 62


class Window:
    """The congestion window of one connection.

    Attributes:
        cwnd, ssthresh: bytes.
        mss: of full segments, bytes.
        limited: the window is what kept the last flight from being larger (RFC 7661 4.3).
        used_ns: when something was sent last. restart: what the window falls back to after a long
            silence (RFC 5681 4.1), 0 for no such rule.
    """

    __slots__ = ("cwnd", "limited", "mss", "restart", "ssthresh", "used_ns")

    def __init__(self) -> None:
        self.cwnd, self.ssthresh, self.mss = 0, INFINITE, 536
        self.limited = False
        self.used_ns = self.restart = 0

    @property
    def slow_start(self) -> bool:
        """Whether the window is below its threshold."""
        return self.cwnd < self.ssthresh


class Controller(Protocol):
    """A way to grow the window, and to bring it down."""

    name: str

    def on_ack(self, window: Window, acked: int, rtt_ns: int, now: int) -> None:
        """Grow the window: ``acked`` bytes are delivered, outside of recovery."""

    def reduced(self, window: Window, flight: int, now: int) -> int:
        """Return the threshold after a loss or a mark with ``flight`` bytes in the network."""

    def on_round(self, window: Window, end: int) -> None:
        """Take note that a round trip begins, which ends when ``end`` is acknowledged."""

    def reset(self) -> None:
        """Forget everything but the window: after a timeout."""


def initial_window(segments: int, mss: int) -> int:
    """Return the initial window: ten segments, of those above 1460 bytes fewer (RFC 6928 2)."""
    return min(segments * mss, max(2 * mss, segments * 1460))


class Reno:
    """Reno: a segment a round trip, and half of the flight after a loss (RFC 5681 3.1)."""

    __slots__ = ("_acked",)
    name = RENO

    def __init__(self) -> None:
        self._acked = 0

    def on_ack(self, window: Window, acked: int, rtt_ns: int, now: int) -> None:
        """Grow the window by what is acknowledged, or by a segment a round trip."""
        acked = slow_start(window, acked)
        if acked:
            self._acked += acked
            while self._acked >= window.cwnd:
                self._acked -= window.cwnd
                window.cwnd += window.mss

    def reduced(self, window: Window, flight: int, now: int) -> int:
        """Return half of the flight, two segments at least (RFC 5681 3.1, equation 4)."""
        return max(flight // 2, 2 * window.mss)

    def on_round(self, window: Window, end: int) -> None:
        """Nothing happens: only delays are looked at by round."""

    def reset(self) -> None:
        """Forget what was counted."""
        self._acked = 0


def slow_start(window: Window, acked: int) -> int:
    """Grow the window by what is acknowledged, up to its threshold; return what is left."""
    if not window.slow_start:
        return acked
    step = min(acked, window.ssthresh - window.cwnd)
    window.cwnd += step
    return acked - step


_BETA_NUM, _BETA_DEN = 7, 10
"""Share of the window that is left after a loss (RFC 9438 4.6)."""
_C = 0.4
_ALPHA = 3 * (1 - 0.7) / (1 + 0.7)


class Cubic:
    """CUBIC: the window is a cubic function of the time since the last loss (RFC 9438)."""

    __slots__ = (
        "_epoch_ns", "_grown_ns", "_hystart", "_k", "_left", "_origin", "_prior", "_w_est",
        "_w_max", "_wants_hystart",
    )  # fmt: skip
    name = CUBIC

    def __init__(self, *, hystart: bool = True) -> None:
        # Most connections are over before their window grows.
        self._hystart: HyStart | None = None
        self._wants_hystart = hystart
        self._w_max = self._origin = self._w_est = self._k = self._left = self._prior = 0.0
        self._epoch_ns = self._grown_ns = 0

    def on_ack(self, window: Window, acked: int, rtt_ns: int, now: int) -> None:
        """Grow the window (RFC 9438 4.2 to 4.5)."""
        if window.slow_start:
            hystart = self._hystart
            if window.ssthresh < INFINITE:
                hystart = None  # RFC 9406 4.3: later, the threshold is known
            elif hystart is None and self._wants_hystart:
                hystart = self._hystart = HyStart()
            if hystart is not None and rtt_ns:
                hystart.sample(rtt_ns)
            divided = hystart.divided(acked) if hystart is not None else acked
            left = slow_start(window, divided)
            if hystart is not None and hystart.done:
                window.ssthresh = window.cwnd
                self._prior = window.cwnd / window.mss
                hystart.done = False
            if not left:
                return
            acked = left
        self._avoid(window, acked, rtt_ns, now)

    def _avoid(self, window: Window, acked: int, rtt_ns: int, now: int) -> None:
        mss, cwnd = window.mss, window.cwnd
        segments = cwnd / mss
        if not self._epoch_ns:
            self._epoch_ns = now or 1
            self._w_est = segments
            if segments < self._w_max:
                self._k = ((self._w_max - segments) / _C) ** (1 / 3)
                self._origin = self._w_max
            else:
                self._k, self._origin = 0.0, segments
        else:
            # RFC 9438 4.2: what was not limited by the window does not count as time.
            self._epoch_ns += max(now - self._grown_ns - 2 * rtt_ns, 0)
        self._grown_ns = now
        t = (now - self._epoch_ns + rtt_ns) / 1e9
        target = self._origin + _C * (t - self._k) ** 3
        target = min(max(target, segments), 1.5 * segments)
        # RFC 9438 4.3: at least as fast as Reno.
        alpha = 1.0 if self._w_est >= self._prior else _ALPHA
        self._w_est += alpha * acked / cwnd
        target = max(target, self._w_est)
        self._left += (target - segments) / segments * acked
        if self._left >= 1:
            step = int(self._left)
            window.cwnd += step
            self._left -= step

    def reduced(self, window: Window, flight: int, now: int) -> int:
        """Return seven tenths of the window, and remember where it was (RFC 9438 4.6, 4.7)."""
        segments = self._prior = window.cwnd / window.mss
        # RFC 9438 4.7: fast convergence makes room for those who came later.
        falling = segments < self._w_max
        self._w_max = segments * (1 + _BETA_NUM / _BETA_DEN) / 2 if falling else segments
        self._epoch_ns, self._left = 0, 0.0
        return max(window.cwnd * _BETA_NUM // _BETA_DEN, 2 * window.mss)

    def on_round(self, window: Window, end: int) -> None:
        """Let HyStart++ look at the round that ends."""
        if self._hystart is not None and window.slow_start:
            self._hystart.next_round()

    def reset(self) -> None:
        """Begin a new epoch, which knows no earlier window (RFC 9438 4.8)."""
        self._epoch_ns, self._left, self._w_max = 0, 0.0, 0.0
        self._hystart = None


_MIN_RTT_THRESH_NS, _MAX_RTT_THRESH_NS = 4_000_000, 16_000_000
_N_RTT_SAMPLE = 8
_CSS_DIVISOR = 4
_CSS_ROUNDS = 5


class HyStart:
    """HyStart++: slow start ends when round trips become longer, before a loss (RFC 9406).

    Attributes:
        done: congestion avoidance is to begin.
    """

    __slots__ = ("_baseline", "_current", "_last", "_left", "_rounds", "_samples", "done")

    def __init__(self) -> None:
        self._last = self._current = INFINITE
        self._baseline = self._samples = self._rounds = self._left = 0
        self.done = False

    def sample(self, rtt_ns: int) -> None:
        """Take a round-trip time in this round (RFC 9406 4.2)."""
        self._current = min(self._current, rtt_ns)
        self._samples += 1
        if self._samples < _N_RTT_SAMPLE:
            return
        if not self._baseline:
            if self._last is not INFINITE and self._current is not INFINITE:
                thresh = max(_MIN_RTT_THRESH_NS, min(self._last // 8, _MAX_RTT_THRESH_NS))
                if self._current >= self._last + thresh:
                    self._baseline, self._rounds = self._current, 0
        elif self._current < self._baseline:
            self._baseline = 0  # it was a spurious exit: slow start goes on

    def divided(self, acked: int) -> int:
        """Return by how much slow start grows: a quarter in conservative slow start."""
        if not self._baseline:
            return acked
        self._left += acked
        step, self._left = divmod(self._left, _CSS_DIVISOR)
        return step

    def next_round(self) -> None:
        """Begin a round."""
        if self._baseline:
            self._rounds += 1
            self.done = self._rounds >= _CSS_ROUNDS
        self._last, self._current, self._samples = self._current, INFINITE, 0


def controller(name: str, *, hystart: bool) -> Controller:
    """Return the controller of that name."""
    return Reno() if name == RENO else Cubic(hystart=hystart)
