"""The alarm of a stack: the earliest time at which a table may have something due."""

from collections.abc import Iterable

NEVER = 1 << 63


def earliest(times: Iterable[int | None]) -> int | None:
    """Return the earliest of some deadlines, ns; None is one that there is not."""
    first = None
    for at_ns in times:
        if at_ns is not None and (first is None or at_ns < first):
            first = at_ns
    return first


class Alarm:
    """A lower bound of all deadlines, so that nothing is asked while nothing can be due.

    A table sets it for each timer that it starts. A timer that is taken back leaves it: it then
    goes off too early, and nothing is due.

    Attributes:
        at_ns: nothing is due before; 0 when all have to be asked.
    """

    __slots__ = ("at_ns",)

    def __init__(self) -> None:
        self.at_ns = 0

    def set(self, at_ns: int) -> None:
        """Have it go off at ``at_ns`` at the latest."""
        if at_ns < self.at_ns:
            self.at_ns = at_ns
