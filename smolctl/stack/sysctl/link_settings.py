"""The values of sysctls that count on one link."""

from typing import Protocol

NS_PER_MS = 1_000_000


class Values(Protocol):
    """The values of sysctls: those of the whole stack, or those that count on one link."""

    def __getitem__(self, key: str, /) -> int:
        """Return a value."""

    def ns(self, key: str) -> int:
        """Return a value whose unit is milliseconds, in nanoseconds."""


class LinkSettings(dict[str, int]):
    """The values that count on one link: all of them, so that each read is one lookup.

    Attributes:
        own: what the link itself has of those that each link has.
        fixed: those that follow ``default`` no more: they were set.
        settled: none follows ``default`` any more.
    """

    __slots__ = ("fixed", "own", "settled")

    def __init__(self, own: dict[str, int], fixed: set[str]) -> None:
        super().__init__()
        self.own = own
        self.fixed = fixed
        self.settled = False

    def clone(self) -> "LinkSettings":
        """Return the same values, to be changed on their own."""
        result = LinkSettings(dict(self.own), set(self.fixed))
        result.settled = self.settled
        result.update(self)
        return result

    def ns(self, key: str) -> int:
        """Return a sysctl whose unit is milliseconds, in nanoseconds."""
        return self[key] * NS_PER_MS
