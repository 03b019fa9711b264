"""The rate limit of ICMP errors (RFC 1812 4.3.2.8): token buckets per destination and for all.

Rules are Linux's ``icmp_global_allow`` and ``inet_peer_xrlim_allow``: a burst of 6 to one
destination, then one every ``icmp.ratelimit_ms``; together at most ``icmp.msgs_per_sec`` with a
burst of ``icmp.msgs_burst``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from smolctl.stack.duplicate import duplicate
from smolctl.stack.sysctl.settings import Settings

BURST = 6
PEERS_LIMIT = 4096
NS_PER_S = 1_000_000_000


@dataclass(slots=True, eq=False)
class Credit:
    """The credit of all errors together, times a second; ``stamp_ns`` says when it was counted."""

    left: int = 0
    stamp_ns: int | None = None


class IcmpLimiter:
    """Decides whether an error may be sent; bounded in memory.

    Args:
        random: returns a float in [0, 1). What an error takes of the common credit is not the same
            each time, or others could find out by it whether we answered somebody
            (CVE-2020-25705; Linux ``icmp_global_consume``).
        interval: the sysctl that is the time between errors to one host.

    Attributes:
        peers: what each host may still take, ns of the interval, and when that was counted.
        credit: what all errors together may still take; both families take from one (Linux
            ``icmp_global_allow``).
        refused_by: the sysctl that allowed no more, when an error was last refused.
    """

    def __init__(
        self,
        settings: Settings,
        random: Callable[[], float],
        interval: str = "icmp.ratelimit_ms",
    ) -> None:
        self._settings, self._interval = settings, interval
        self._random = random
        self.peers: dict[int, tuple[int, int]] = {}
        self.credit = Credit()
        self.refused_by = ""

    def clone(self, settings: Settings, random: Callable[[], float]) -> "IcmpLimiter":
        """Return a copy that can be used up on its own."""
        result = duplicate(self)
        result._settings, result._random = settings, random
        result.peers = dict(self.peers)
        result.credit = duplicate(self.credit)
        return result

    def allow(self, peer: int, now: int) -> bool:
        """Take a token for ``peer``; False when there is none."""
        # The common credit is spent only on what really leaves: one host that provokes errors
        # beyond its own share must not use up that of the others (Linux icmp_global_consume).
        if not self._refill(now):
            bursts = self._settings["icmp.msgs_burst"] > 0
            self.refused_by = "icmp.msgs_per_sec" if bursts else "icmp.msgs_burst"
            return False
        if not self._allow_peer(peer, now):
            self.refused_by = self._interval
            return False
        self.credit.left -= int(self._random() * 3) * NS_PER_S  # 0, 1 or 2: one on the average
        return True

    def _refill(self, now: int) -> bool:
        burst, rate = self._settings["icmp.msgs_burst"], self._settings["icmp.msgs_per_sec"]
        cap, credit = burst * NS_PER_S, self.credit
        if credit.stamp_ns is None:
            credit.left = cap
        else:
            credit.left = min(cap, credit.left + (now - credit.stamp_ns) * rate)
        credit.stamp_ns = now
        return credit.left >= NS_PER_S

    def _allow_peer(self, peer: int, now: int) -> bool:
        interval = self._settings.ns(self._interval)
        if interval == 0:
            return True
        tokens, stamp = self.peers.get(peer, (BURST * interval, now))
        tokens = min(BURST * interval, tokens + now - stamp)
        allowed = tokens >= interval
        if allowed:
            tokens -= interval
        if peer not in self.peers and len(self.peers) >= PEERS_LIMIT:
            # The one that was quiet longest has its full burst back soonest.
            del self.peers[next(iter(self.peers))]
        self.peers.pop(peer, None)
        self.peers[peer] = (tokens, now)
        return allowed
