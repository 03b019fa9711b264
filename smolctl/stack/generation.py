"""The number of a stack's configuration, by which stale flows are known."""


class Generation:
    """Counts the configurations of one stack (Linux ``rt_genid``).

    What the fast path remembers is true for one ``number`` only.
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def touch(self) -> None:
        """Say that the configuration changed: remembered flows are no longer used."""
        self.number += 1
