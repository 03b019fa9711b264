"""Requests to a node: what was asked, and all that was answered so far."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from smolctl.errors import ControlError, SmolctlError
from smolctl.ops.feed import Feed
from smolctl.ops.job import Channel, ChannelUser, Job

Row = dict[str, Any]


class Told(NamedTuple):
    """An event that a request sent, and when, ns of the world's time."""

    at_ns: int
    event: Row


class Request:
    """A request, and the exchange of its job; see ``smolctl.ops.job.Exchange``.

    Args:
        op: the operation.
        clock: tells the world's time, ns.
        leave: is called when it ends.

    Attributes:
        on_end: is called when it ends by itself; whoever asked may set it.
        on_event: takes the events from then on, and none is kept; set where they are too many.
        began_ns, ended_ns: when it was asked, and when it ended; None while it goes on.
        rows: of an operation that answers at once, or that sends rows.
        events: of one that goes on.
        result: of one that went on and ended well.
        error: why it was refused or failed.
    """

    def __init__(
        self, op: str, clock: Callable[[], int], leave: "Callable[[Request], object]"
    ) -> None:
        self.op = op
        self.on_end: Callable[[], None] = _nothing
        self.on_event: Callable[[Told], None] | None = None
        self._clock, self._leave = clock, leave
        self.began_ns, self.ended_ns = clock(), None
        self.rows_told: list[Row] = []
        self.events: list[Told] = []
        self.result: Row | None = None
        self.error: SmolctlError | None = None
        self.job: Job | None = None
        self._feed: Feed | None = None

    ended_ns: int | None

    @property
    def ended(self) -> bool:
        """Whether nothing more is told."""
        return self.ended_ns is not None

    @property
    def has_room(self) -> bool:
        """Whether an event is kept: always."""
        return True

    def event(self, event: Row) -> None:
        """Take an event."""
        if not self.ended:
            take = self.on_event or self.events.append
            take(Told(self._clock(), dict(event)))

    def rows(self, rows: list[Row]) -> None:
        """Keep rows."""
        if not self.ended:
            self.rows_told += rows

    def attach(self, feed: Feed) -> None:
        """Keep what is put into a feed."""
        self._feed = feed
        feed.on_event = self._take
        self._take()

    def _take(self) -> None:
        feed = self._feed
        while feed is not None and (body := feed.take()) is not None:
            self.event(json.loads(body))

    def open_channel(self, user: ChannelUser) -> Channel:
        """Refuse to open a program's socket: there is no program in a lab.

        Raises:
            ControlError: always.
        """
        raise ControlError(
            "a lab runs no programs with sockets of their own", hint="use [[programs]]"
        )

    def take_descriptors(self) -> list[int]:
        """Return that none was passed."""
        return []

    def done(self, result: Row) -> None:
        """Take the good end."""
        self._take()
        if not self.ended:
            self.result = result
            self._end()
            self.on_end()

    def fail(self, error: SmolctlError) -> None:
        """Take the bad end."""
        self._take()
        if not self.ended:
            self.error = error
            self._end()
            self.on_end()

    def _end(self) -> None:
        self.ended_ns = self._clock()
        self._leave(self)

    def cancel(self) -> None:
        """End it early, as SIGINT does; what is due is still told."""
        if self.job is not None and not self.ended:
            self.job.cancel(self._clock())

    def abandon(self) -> None:
        """End it at once, as a client does that goes away: nobody is told more."""
        if not self.ended:
            self._end()
            if self.job is not None:
                self.job.close(self._clock())


def _nothing() -> None:
    """Do nothing: nobody waits for the end."""
