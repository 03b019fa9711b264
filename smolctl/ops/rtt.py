"""Statistics of round-trip times, for ``ping`` and ``arping``."""

import math


class Rtts:
    """Minimum, mean, maximum and mean deviation of round-trip times, without keeping them."""

    def __init__(self) -> None:
        self.count = 0
        self.min = 0
        self.max = 0
        self._sum = 0
        self._squares = 0

    def add(self, rtt_ns: int) -> None:
        """Take one more."""
        self.min = rtt_ns if not self.count else min(self.min, rtt_ns)
        self.max = max(self.max, rtt_ns)
        self.count += 1
        self._sum += rtt_ns
        self._squares += rtt_ns * rtt_ns

    def summary(self) -> dict[str, int]:
        """Return what ping prints; mdev is the root of the mean square less the squared mean."""
        mean = self._sum // self.count
        mdev = math.isqrt(max(0, self._squares // self.count - mean * mean))
        return {"min": self.min, "avg": mean, "max": self.max, "mdev": mdev}
