"""Gateways that could take over a flow that the fast path remembers, or take it back."""

from collections.abc import Iterable

Gateway = tuple[str, int]
"""Interface and address."""


class WatchedGateways:
    """The gateways on whose state the ways of remembered flows depend.

    Flows are remembered for one configuration (``Generation``), and so are these.

    Attributes:
        known: those of the last configuration for which there were any.
    """

    def __init__(self) -> None:
        self._generation = -1
        self.known: set[Gateway] = set()

    def add(self, generation: int, gateways: Iterable[Gateway]) -> None:
        """Remember the gateways among which one was chosen for a flow."""
        if generation != self._generation:
            self._generation = generation
            self.known = set()
        self.known.update(gateways)

    def concerns(self, generation: int, gateway: Gateway) -> bool:
        """Tell whether a flow may go another way because a gateway's state has changed."""
        return generation == self._generation and gateway in self.known
