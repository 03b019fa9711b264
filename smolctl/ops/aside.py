"""Work that takes long: it is done aside, where it holds up no frames.

A daemon does it in a copy of itself (``daemon/copies.py``): that sees the stack as it is now, all
of it at one instant, however long it takes. An ``Aside`` is an answer; whoever has no time to lose
iterates over one. A ``CopyUser`` has work done whose results come back to the daemon.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from smolctl.errors import SmolctlError

MANY = 500
"""To look at fewer things than this is done at once: a copy costs as much."""

Row = dict[str, Any]


class Outside(Protocol):
    """The surroundings of work in a copy."""

    def ask(self, question: bytes) -> bytes:
        """Return the daemon's answer; both have the form that the work gives them."""

    def spent_ns(self) -> int:
        """Return how much time of the processor the copy has taken, ns."""


Work = Callable[[Outside], Iterable[bytes]]
"""Work that is done in a copy: yields its results."""


class Aside:
    """An answer that is not made yet.

    Args:
        make: makes it; it changes nothing.
    """

    def __init__(self, make: Callable[[], Iterable[Row]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[Row]:
        """Make the answer here.

        Raises:
            SmolctlError: there is none.
        """
        return iter(self._make())


def aside(count: int, make: Callable[[], Iterable[Row]]) -> Iterable[Row]:
    """Return an answer: at once when it looks at few things, else one that is made aside.

    Args:
        count: how many things it looks at.
        make: makes it.
    """
    return make() if count < MANY else Aside(make)


class CopyUser(Protocol):
    """The user of a copy, told of its work here, in the daemon."""

    def took(self, result: bytes) -> None:
        """Take the next result."""

    def asked(self, question: bytes) -> bytes:
        """Answer a question; the copy waits."""

    def copy_ended(self, problem: SmolctlError | None, now: int) -> None:
        """Take the end of the work, after its last result; a problem says that it has failed."""


class Copied(Protocol):
    """Work that goes on in a copy."""

    def close(self) -> None:
        """End it, if it has not ended; ``CopyUser.copy_ended`` is not called any more."""
