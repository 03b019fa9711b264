"""Virtual time: the tests of the core pass ``clock.now`` where a daemon passes the real time."""

MICROSECOND_NS = 1_000
MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000


class ManualClock:
    """A monotonic clock that goes only when told to.

    Attributes:
        now: nanoseconds. Starts at an odd number of seconds, so that code which takes 0 for "never"
            or "unset" is not right by chance.
    """

    def __init__(self, now: int = 1001 * SECOND_NS) -> None:
        self.now = now

    def __call__(self) -> int:
        """Return ``now``, for code that wants a function."""
        return self.now

    def advance(self, ns: int) -> int:
        """Let ``ns`` nanoseconds pass and return the new time.

        Raises:
            ValueError: ``ns`` is negative; monotonic time does not go back.
        """
        if ns < 0:
            raise ValueError(f"time cannot go back by {-ns} ns")
        self.now += ns
        return self.now

    def advance_to(self, deadline_ns: int) -> int:
        """Let time pass until a deadline; one that is past already lets none pass."""
        return self.advance(max(0, deadline_ns - self.now))
