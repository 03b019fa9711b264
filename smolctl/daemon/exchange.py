"""Exchanges: a request on a connection, and the answers to it."""

from collections.abc import Iterable
from typing import Any, Protocol

from smolctl.control import messages
from smolctl.control.messages import Request
from smolctl.errors import SmolctlError
from smolctl.ops.feed import Feed
from smolctl.ops.job import Channel, ChannelUser

HIGH_WATER = 1 << 16
"""So many bytes may wait to be written before a client counts as one that does not keep up."""


class Running(Protocol):
    """A streaming request at work."""

    def cancel(self, now: int) -> None:
        """End it early; what is due is still reported, and ``done`` called."""

    def status(self, now: int) -> None:
        """Report how far it is, if it can tell."""

    def close(self, now: int) -> None:
        """Release everything; called once, whether it ended or its client left."""


class Service(Protocol):
    """The service that answers requests."""

    def prepare(self, op: str) -> bool:
        """Get ready for ``op``; return whether that took time, so that the clock is read anew."""

    def must_wait(self, op: str) -> bool:
        """Tell whether ``op`` has to wait until ``Connection.resume`` is called."""

    def request(
        self, op: str, args: dict[str, Any], exchange: "Exchange", now: int
    ) -> Iterable[dict[str, Any]] | Running:
        """Begin ``op``: return its rows, or a job that reports through ``exchange``.

        Raises:
            SmolctlError: the request is refused.
        """


class Carrier(Protocol):
    """The connection of an exchange."""

    @property
    def has_room(self) -> bool:
        """Whether an event would be sent at once."""

    def send_event(self, exchange: "Exchange", event: dict[str, Any]) -> None:
        """Send an event, or let it wait, or let an older one go for it."""

    def send_rows(self, exchange: "Exchange", rows: list[dict[str, Any]]) -> None:
        """Send rows, of which none is lost."""

    def attach(self, exchange: "Exchange", feed: Feed) -> None:
        """Send what is put into a feed."""

    def open_channel(self, user: ChannelUser) -> Channel:
        """Make a channel, whose other end the client gets."""

    def take_descriptors(self) -> list[int]:
        """Return the descriptors that the client passed, which are the caller's now."""

    def end(self, exchange: "Exchange", frame: bytes) -> None:
        """Send the last frame of an exchange."""


class Exchange:
    """A streaming request of a connection, and the way its job answers."""

    __slots__ = ("_connection", "ended", "feed", "job", "lost", "number", "op")

    def __init__(self, connection: Carrier, request: Request) -> None:
        self._connection = connection
        self.number = request.id
        self.op = request.op
        self.job: Running | None = None
        self.feed: Feed | None = None
        self.lost = 0
        self.ended = False

    @property
    def has_room(self) -> bool:
        """Whether an event would be sent at once, not wait and perhaps be lost."""
        return self._connection.has_room

    def event(self, event: dict[str, Any]) -> None:
        """Send an event, or let it wait, or let an older one go for it."""
        self._connection.send_event(self, event)

    def rows(self, rows: list[dict[str, Any]]) -> None:
        """Send rows, of which none is lost; none at all are a sign of life."""
        self._connection.send_rows(self, rows)

    def attach(self, feed: Feed) -> None:
        """Send what is put into ``feed``; the end of the request comes behind it.

        Raises:
            ControlError: the client reads too many feeds already.
        """
        self._connection.attach(self, feed)

    def open_channel(self, user: ChannelUser) -> Channel:
        """Make a channel, and pass its other end to the client with what is sent next.

        Raises:
            ControlError: there are too many.
        """
        return self._connection.open_channel(user)

    def take_descriptors(self) -> list[int]:
        """Return the descriptors passed with the request, which the caller closes."""
        return self._connection.take_descriptors()

    def done(self, result: dict[str, Any]) -> None:
        """End the request well."""
        self._connection.end(self, messages.done(self.number, result))

    def fail(self, error: SmolctlError) -> None:
        """End the request with an error."""
        self._connection.end(self, messages.error(self.number, error))
