"""Answers that take long: they are made aside, where they hold up no frames.

A daemon makes them in a copy of itself (``daemon/copies.py``): they see the stack as it is now, all
of it at one instant, however long they take. Whoever has no time to lose iterates over one.
"""

from collections.abc import Callable, Iterable, Iterator

from smolctl.ops.context import Row

MANY = 500
"""To look at fewer things than this is done at once: a copy costs as much."""


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
