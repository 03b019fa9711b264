"""Identifications for packets that may be fragmented (RFC 791 3.2, RFC 6864)."""

from collections.abc import Callable

from smolctl.stack.duplicate import duplicate

_COUNTERS = 1024


class Idents:
    """Counters that the paths of packets share, as Linux's ``ip_idents``.

    RFC 6864 4.2: of the packets from one source to one destination with one protocol, no two that
    may be fragmented have the same one while both may be on their way. So each such path counts
    for itself, and not for all others too; only where there are more of them do some share one.

    Args:
        random: returns a float in [0, 1); called once, for where the counters begin.

    Attributes:
        start: where the first counter begins.
        used: how far each counter is that was used.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self.start = int(random() * 0x10000)
        self.used: dict[int, int] = {}

    def clone(self) -> "Idents":
        """Return a copy."""
        result = duplicate(self)
        result.used = dict(self.used)
        return result

    def next(self, src: int, dst: int, protocol: int) -> int:
        """Return the identification of the next packet of a path, 0..65535."""
        counter = hash((src, dst, protocol)) % _COUNTERS
        used = self.used[counter] = self.used.get(counter, 0) + 1
        return (self.start + counter * 64 + used) & 0xFFFF
