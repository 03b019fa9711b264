"""A cache of route decisions, true until the configuration changes."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

LIMIT = 4096
"""Decisions kept; all are forgotten when there are more."""


class RouteCache(dict[K, V]):
    """Decisions by what they depend on, beside the configuration.

    A decision takes dozens of steps, and a lookup of a dict one. Linux had such a cache for all
    packets until 3.6, and has one in each socket and next hop since (``dst_entry``). A decision
    holds as long as a flow of the fast path does: see ``Generation``.
    """

    __slots__ = ("_number",)

    def __init__(self) -> None:
        super().__init__()
        self._number = -1

    def recall(self, key: K, number: int) -> V | None:
        """Return what was decided in the configuration of this number, or None."""
        if number != self._number:
            self.clear()
            self._number = number
            return None
        return self.get(key)

    def remember(self, key: K, decision: V) -> None:
        """Keep a decision of the configuration that ``recall`` was asked for last."""
        if len(self) >= LIMIT:
            self.clear()
        self[key] = decision
