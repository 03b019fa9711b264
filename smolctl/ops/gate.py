"""The gate of a stack's changes, closed while a batch is made whose changes belong together."""

from collections import deque
from collections.abc import Callable

from smolctl.control.changes import alters


class Gate:
    """Lets changes through, or lets them wait for one who makes many.

    Attributes:
        changes: how many requests for a change were let through; who saw another number has seen
            another configuration.
        on_open: is called when those that wait may go on.
    """

    def __init__(self) -> None:
        self.changes = 0
        self.on_open: Callable[[], None] = lambda: None
        self._owner: object | None = None
        self._queue: deque[tuple[object, Callable[[int], None]]] = deque()

    def must_wait(self, op: str) -> bool:
        """Tell whether an operation has to wait."""
        return self._owner is not None and alters(op)

    def passed(self, op: str) -> None:
        """Take note of an operation that begins."""
        if alters(op):
            self.changes += 1

    def take(self, owner: object, now: int, then: Callable[[int], None]) -> None:
        """Close the gate for all but ``owner``, who goes on with ``then`` when it is his."""
        if self._owner is None:
            self._owner = owner
            then(now)
        else:
            self._queue.append((owner, then))

    def leave(self, owner: object, now: int) -> None:
        """Give the gate back, or the place in its queue; it opens when nobody else wants it."""
        self._queue = deque(entry for entry in self._queue if entry[0] is not owner)
        if self._owner is not owner:
            return
        self.changes += 1
        self._owner = None
        if self._queue:
            self._owner, then = self._queue.popleft()
            then(now)
        else:
            self.on_open()
