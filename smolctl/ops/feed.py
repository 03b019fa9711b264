"""Feeds: a bounded queue of events between the stack and one reader of a stream.

What happens does not wait for who watches it. A feed takes events at any rate; its reader's
connection takes them out as fast as the reader reads (``Exchange.attach``). When the feed is full
its oldest events go, and before the next one the reader is told how many:
``{"event": "lost", "count": 12}``, in its place in the order. A reader that does not read at all
costs its feed and nothing else, however long it sleeps.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from smolctl.control import messages
from smolctl.control.codec import encode_json
from smolctl.errors import ControlError

MAX_EVENTS = 8192
MAX_BYTES = 1 << 20
MAX_FEEDS = 8
"""Most feeds of one connection."""
OVERHEAD = 64
"""Cost of an event beside its own bytes, roughly."""
Event = Mapping[str, Any]
_Item = tuple[bytes | Callable[[], Event], int, bool]
"""An event or what makes it, its size, and whether it counts."""


class Feed:
    """Events for one reader, oldest first.

    Args:
        events: most events that wait.
        size: most bytes that they take, ``OVERHEAD`` for each included.
        count: how many events the reader wants, None for all there will be; what comes after them
            is ignored. Those that were lost do not count: the reader never had them.

    Attributes:
        on_event: called when there is something to take again; the reader's connection sets it.
        on_spent: called when the reader took the last of ``count``.
        taken: how many events that count the reader took.
        lost: how many went because it did not read.
    """

    def __init__(
        self, *, events: int = MAX_EVENTS, size: int = MAX_BYTES, count: int | None = None
    ) -> None:
        self._events = events
        self._size = size
        self._count = count
        self._queue: deque[_Item] = deque()
        self._bytes = 0
        self._untold = 0
        self.on_event: Callable[[], None] = _nothing
        self.on_spent: Callable[[], None] = _nothing
        self.taken = 0
        self.lost = 0

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._queue)

    def __bool__(self) -> bool:
        """Tell whether there is something to take, if only that events were lost."""
        return bool(self._queue or self._untold)

    @property
    def limited(self) -> bool:
        """Whether the reader wants a certain number of events."""
        return self._count is not None

    @property
    def total(self) -> int:
        """The number of events that count: those the reader took, or still gets."""
        return self.taken + sum(counts for _, _, counts in self._queue)

    @property
    def spent(self) -> bool:
        """Whether the reader has all the events that it wanted."""
        return self._count is not None and self.taken >= self._count

    def put(self, event: Event, *, counts: bool = True) -> None:
        """Append an event, as it is now.

        Args:
            counts: it is one of the ``count`` that the reader wants.
        """
        body = encode_json(event)
        self._push((body, len(body) + OVERHEAD, counts))

    def put_later(self, make: Callable[[], Event], size: int) -> None:
        """Append an event that is made when it is read, and never if it is lost.

        Args:
            make: returns the event; what it needs must not change until then.
            size: about how many bytes it holds on to.
        """
        self._push((make, size + OVERHEAD, True))

    def _push(self, item: _Item) -> None:
        if self.spent:
            return
        idle = not self
        self._queue.append(item)
        self._bytes += item[1]
        while len(self._queue) > self._events or self._bytes > self._size:
            self._bytes -= self._queue.popleft()[1]
            self._untold += 1
            self.lost += 1
        if idle:
            # Only then: a connection that has something to write watches its socket already.
            self.on_event()

    def take(self) -> bytes | None:
        """Return the next event as JSON, or None when there is none.

        Raises:
            Exception: whatever the ``make`` of ``put_later`` raises; that event is gone.
        """
        if self._untold:
            told, self._untold = self._untold, 0
            return encode_json({"event": "lost", "count": told})
        if not self._queue:
            return None
        body, size, counts = self._queue.popleft()
        self._bytes -= size
        self.taken += counts
        if self.spent:
            self.clear()
            self.on_spent()
        return body if isinstance(body, bytes) else encode_json(body())

    def clear(self) -> None:
        """Forget what waits: the reader wants to hear no more."""
        self._queue.clear()
        self._bytes = self._untold = 0


class Feeds:
    """The feeds of one connection, an event of each in turn.

    Args:
        wake: called when there is something to take again.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._readers: deque[_Reader] = deque()

    def __bool__(self) -> bool:
        """Tell whether there is something to take."""
        return any(reader.feed or reader.last for reader in self._readers)

    def open(self, number: int, feed: Feed, on_error: Callable[[Exception, int], None]) -> None:
        """Take from ``feed`` too.

        Args:
            number: id of the request that it answers.
            feed: the request's.
            on_error: called with what an event raised that could not be made, and the time.

        Raises:
            ControlError: there are ``MAX_FEEDS`` already.
        """
        if len(self._readers) >= MAX_FEEDS:
            raise ControlError(
                f"{MAX_FEEDS} streams already go to this connection",
                hint="wait for one to end, or cancel one",
                code="too-many-requests",
            )
        self._readers.append(_Reader(number, feed, on_error))
        feed.on_event = self._wake
        if feed:
            self._wake()

    def end(self, feed: Feed, frame: bytes) -> None:
        """Let ``frame`` follow what ``feed`` still holds, and then no more."""
        for reader in self._readers:
            if reader.feed is feed:
                reader.last = frame
        self._wake()

    def next(self, now: int) -> bytes | None:
        """Return the next frame for the client, or None when there is none."""
        for _ in range(len(self._readers)):
            reader = self._readers.popleft()
            try:
                body = reader.feed.take()
            except Exception as error:
                self._readers.append(reader)
                reader.on_error(error, now)
                continue
            if body is None and reader.last is not None:
                return reader.last
            self._readers.append(reader)
            if body is not None:
                return messages.event(reader.number, body, 0)
        return None

    def clear(self) -> None:
        """Forget them all: the client is gone."""
        self._readers.clear()


@dataclass(slots=True)
class _Reader:
    """The reader of one feed; ``last`` is the frame that ends its request."""

    number: int
    feed: Feed
    on_error: Callable[[Exception, int], None]
    last: bytes | None = None


def _nothing() -> None:
    pass
