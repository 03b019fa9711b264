"""Sockets and clients that have something to take."""

from collections.abc import Callable
from dataclasses import dataclass, field

REPLY_QUEUE_LIMIT = 1024
"""Answers that a client of ping or arping holds; the oldest goes first."""


class ReadyQueue:
    """The sockets and clients of one stack that were woken, in their order.

    Attributes:
        waiters: those that ``take`` returns next.
    """

    __slots__ = ("waiters",)

    def __init__(self) -> None:
        self.waiters: list[Waiter] = []

    def take(self) -> "list[Waiter]":
        """Return and forget those that were woken; a closed one is left out."""
        ready, self.waiters = self.waiters, []
        closed = False
        for waiter in ready:
            waiter.ready = False
            closed = closed or waiter.closed
        return [waiter for waiter in ready if not waiter.closed] if closed else ready


@dataclass(slots=True, eq=False, kw_only=True)
class Waiter:
    """Base of all that can be woken: sockets, and clients of ping and arping.

    Attributes:
        ready_queue: of its stack.
        handler: called with ``now`` once per turn when there is something to take.
        ready: it is in the queue already.
    """

    ready_queue: ReadyQueue = field(default_factory=ReadyQueue)
    handler: Callable[[int], None] | None = None
    ready: bool = False
    closed: bool = False

    def wake(self) -> None:
        """Put it into the queue of those that have something to take."""
        if not self.ready:
            self.ready = True
            self.ready_queue.waiters.append(self)
