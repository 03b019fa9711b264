"""A job: a request that goes on, reports events, and ends by itself or when its client leaves."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from smolctl.errors import SmolctlError
from smolctl.ops.feed import Feed
from smolctl.stack.alarm import NEVER
from smolctl.stack.timer_heap import TimerHeap

Buffer = bytes | bytearray | memoryview
NS_PER_S = 1_000_000_000
WAIT_NOTICE_NS = 100_000_000
"""After this long a job says what it waits for."""


class Passed(Protocol):
    """An end of a pair that goes to a program beside a message."""

    def fileno(self) -> int:
        """Return its descriptor."""

    def close(self) -> None:
        """Close it here."""


class Channel(Protocol):
    """A program's socket, seen from here: messages of ``control.channel`` in both directions."""

    def send(self, message: bytes, passed: Sequence[Passed] = ()) -> bool:
        """Send a message; when there is no room, return False and call ``room`` when there is.

        Args:
            passed: what the program gets with it; closed here when it is sent.
        """

    def open_pipe(self, user: "PipeUser") -> "tuple[Pipe, Passed]":
        """Make a pipe for a connection of the same program, and the end that is for the program.

        Raises:
            ControlError: there are too many.
        """

    def open_door(self, user: "ChannelUser") -> "tuple[Channel, Passed]":
        """Make another channel to the same program, and the end that is for the program.

        Raises:
            ControlError: there are too many.
        """

    def shut(self) -> None:
        """Close it; the user is not told."""


class Pipe(Protocol):
    """The bytes of a program's connection, in both directions."""

    closed: bool

    def start(self, skip: int, now: int) -> None:
        """Let data flow; ``skip`` bytes that the program has sent are none of the stream's."""

    def write(self, buffers: Sequence[Buffer]) -> int:
        """Give the program bytes; return how many, and call ``room`` when there is room for more.

        A program that reads no more is said to have taken them all, and ``deaf`` is called.
        """

    def end(self) -> None:
        """Let the program read the end of the stream."""

    def resume(self, now: int) -> None:
        """Go on taking what the program sends, as far as the user wants it."""

    def close(self) -> None:
        """Close it; the user is not told."""


class PipeUser(Protocol):
    """The user of a pipe."""

    def wants(self, limit: int) -> int:
        """Return how many bytes of the program's are taken now; 0 until ``resume`` is called.

        Args:
            limit: it can give so many.
        """

    def take(self, data: bytes, now: int) -> None:
        """Take bytes, at most as many as are wanted."""

    def ended(self, now: int) -> None:
        """Take that the program sends no more (shutdown(2))."""

    def deaf(self) -> None:
        """Take that the program reads no more."""

    def room(self, now: int) -> None:
        """Send again what there was no room for."""

    def hangup(self, now: int, *, unread: bool) -> None:
        """Take that the program has closed its end, or ended; ``unread``: not all was read."""

    def fail(self, error: SmolctlError, now: int) -> None:
        """Take that the pipe was closed because of an error."""


class ChannelUser(Protocol):
    """The user of a channel."""

    def take(self, messages: Sequence[bytes], now: int) -> int:
        """Take messages from the program, in order; return what they cost, in datagrams."""

    def room(self, now: int) -> None:
        """Send again what there was no room for."""

    def hangup(self, now: int) -> None:
        """Take the end of the channel: the program closed it, or ended."""

    def fail(self, error: SmolctlError, now: int) -> None:
        """Take that the channel was closed because of an error."""


class Exchange(Protocol):
    """The way a job answers its client."""

    @property
    def has_room(self) -> bool:
        """Whether the client keeps up; otherwise its oldest events will be lost."""

    def event(self, event: dict[str, Any]) -> None:
        """Send one event."""

    def rows(self, rows: list[dict[str, Any]]) -> None:
        """Send rows, of which none is lost; none at all are a sign of life."""

    def attach(self, feed: Feed) -> None:
        """Send what is put into ``feed``, as fast as the client reads; once at most.

        Raises:
            ControlError: the client reads as many feeds as it may.
        """

    def open_channel(self, user: ChannelUser) -> Channel:
        """Make a channel, and pass its other end to the client with what is sent next.

        Raises:
            ControlError: there are too many.
        """

    def take_descriptors(self) -> list[int]:
        """Return the descriptors that the client passed with its request.

        They are the caller's from now on, who uses them up or closes them.
        """

    def done(self, result: dict[str, Any]) -> None:
        """End the request well."""

    def fail(self, error: SmolctlError) -> None:
        """End the request with an error."""


class Job:
    """Base of all jobs; a subclass sets ``deadline`` and gives the methods their meaning.

    Attributes:
        exchange, on_end, timers: set by who runs it, before ``start``.
    """

    exchange: Exchange
    on_end: "Callable[[Job], None]"
    timers: TimerHeap

    def __init__(self) -> None:
        self._due_ns = self.heap_ns = NEVER
        self.ended = False

    @property
    def deadline(self) -> int | None:
        """The time at which ``on_timer`` is called, ns; None for never."""
        return None if self._due_ns is NEVER else self._due_ns

    @deadline.setter
    def deadline(self, at_ns: int | None) -> None:
        self._due_ns = NEVER if at_ns is None else at_ns
        self.timers.set(self)

    def due_ns(self) -> int:
        """Return ``deadline`` as ``TimerHeap`` has it."""
        return self._due_ns

    def start(self, now: int) -> None:
        """Begin.

        Raises:
            SmolctlError: it cannot begin; ``close`` is called.
        """

    def on_timer(self, now: int) -> None:
        """Take the passing of ``deadline``."""

    def cancel(self, now: int) -> None:
        """End early: report what is known."""
        self.finish(now)

    def status(self, now: int) -> None:
        """Report how far it is; most have nothing to tell."""

    def release(self, now: int) -> None:
        """Give back sockets and the like; called exactly once."""

    def result(self, now: int) -> dict[str, Any]:
        """Return what ``done`` reports."""
        return {}

    def emit(self, event: str, **fields: Any) -> None:
        """Report an event; fields that are None are left out."""
        if not self.ended:
            kept = {key: value for key, value in fields.items() if value is not None}
            self.exchange.event({"event": event, **kept})

    def finish(self, now: int) -> None:
        """End with the result."""
        if not self.ended:
            result = self.result(now)
            self.close(now)
            self.exchange.done(result)

    def fail(self, error: SmolctlError, now: int) -> None:
        """End with an error."""
        if not self.ended:
            self.close(now)
            self.exchange.fail(error)

    def close(self, now: int) -> None:
        """Release everything; further calls do nothing."""
        if not self.ended:
            self.ended = True
            self.deadline = None
            self.release(now)
            self.on_end(self)
