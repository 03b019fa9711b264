"""The journal: what happened to the packets that somebody will ask about.

It keeps the last packets that were dropped, refused or made to wait, and those that were sent by
hand; and it tells listeners. While one of them wants everything, the fast path stands aside, so
that every packet has its steps.
"""

from collections import deque
from collections.abc import Callable, Iterator

from smolctl.stack.trace.trace import Direction, Fate, Trace

CAPACITY = 1024
"""Packets remembered, unless less was agreed on; the oldest is forgotten first."""
FRAME_LIMIT = 2048
"""Bytes remembered of each packet."""

Listener = Callable[[Trace], None]
_TROUBLE = (Fate.DROPPED, Fate.REJECTED, Fate.WAITING)


class Journal:
    """The packets of one stack that are remembered, and who hears of them.

    Attributes:
        last: the last packet that was sent by hand, else the last one remembered.
        everything: whether somebody wants to hear of every packet.
    """

    def __init__(self) -> None:
        self._ring: deque[Trace] = deque(maxlen=CAPACITY)
        self._last_id = 0
        self._by_hand: Trace | None = None
        self._listeners: dict[Listener, bool] = {}
        self.everything = False

    def limit(self, capacity: int) -> None:
        """Remember so many packets from now on: of those that are remembered, the last ones."""
        self._ring = deque(self._ring, capacity)

    def forget(self) -> None:
        """Forget all packets, and who listens."""
        self._ring.clear()
        self._listeners.clear()
        self._by_hand, self.everything = None, False

    @property
    def capacity(self) -> int:
        """The number of packets that it remembers."""
        return self._ring.maxlen or 0

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._ring)

    def __reversed__(self) -> Iterator[Trace]:
        return reversed(self._ring)

    def __len__(self) -> int:
        return len(self._ring)

    def get(self, number: int) -> Trace | None:
        """Return a packet by its id; None when it is not remembered (any more)."""
        ring = self._ring
        if not ring or not ring[0].id <= number <= self._last_id:
            return None
        return ring[number - ring[0].id]

    @property
    def last(self) -> Trace | None:
        """The last packet that was sent by hand, else the last one remembered."""
        if self._by_hand is not None:
            return self._by_hand
        return self._ring[-1] if self._ring else None

    def begin(
        self, direction: Direction, now: int, cause: Trace | None = None, dev: str | None = None
    ) -> Trace:
        """Return the trace of a packet that nobody follows by hand."""
        trace = Trace(None, direction, now, self.everything, cause)
        trace.journal = self
        trace.dev = dev
        return trace

    def follow(self, trace: Trace, now: int) -> None:
        """Remember a packet that is sent by hand, from its beginning."""
        if trace.journal is None:
            trace.journal = self
            trace.began_ns = now
            self._by_hand = trace
            self.remember(trace)

    def changed(self, trace: Trace) -> None:
        """Take note of a fate or a wait, and tell who listens."""
        trouble = trace.fate in _TROUBLE
        if trouble or self.everything:
            if not trace.id:
                self.remember(trace)
            for listener, everything in list(self._listeners.items()):
                if everything or trouble:
                    listener(trace)
        if trace.settled and len(trace.frame) > FRAME_LIMIT:
            trace.frame = trace.frame[:FRAME_LIMIT]
        if trace.settled and trace.arrival is not None:
            trace.arrival = trace.arrival._replace(frame=trace.arrival.frame[:FRAME_LIMIT])

    def remember(self, trace: Trace) -> None:
        """Remember a packet, and give it a number."""
        self._last_id += 1
        trace.id = self._last_id
        trace.followed = True
        self._ring.append(trace)

    def listen(self, listener: Listener, *, everything: bool) -> None:
        """Add a listener; ``Stack.watch`` is the way for everybody else."""
        self._listeners[listener] = everything
        self.everything = any(self._listeners.values())

    def unlisten(self, listener: Listener) -> None:
        """Forget a listener; one that is not known is none."""
        self._listeners.pop(listener, None)
        self.everything = any(self._listeners.values())
