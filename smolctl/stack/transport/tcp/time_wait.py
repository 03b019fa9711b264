"""Connections in TIME-WAIT (RFC 9293 3.6.1): enough of each to answer its last segments.

All of them wait for the same time, so they stand in the order in which it ends, and need no timer
each.
"""

from collections.abc import Iterator

from smolctl.stack.alarm import NEVER, Alarm
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import ALONE


class TimeWait:
    """A connection that is over (Linux tcp_timewait_sock).

    Attributes:
        ends: both ends; dev: the interface that it insists on.
        snd_nxt, rcv_nxt: the numbers of its last acknowledgment; window: what that tells.
        edge: the end of what was allowed. mark: of what is sent.
        timestamps: whether its segments have them. ts_recent, ts_recent_ns, ts_offset: see
            ``TcpSocket``.
        reuse, shared_with: with whom it shares its port, as of ``TcpSocket``; counted: how it was
            counted there.
        until_ns: when it is forgotten.
    """

    __slots__ = (
        "counted", "dev", "edge", "ends", "invalid_ns", "mark", "rcv_nxt", "reuse", "shared_with",
        "snd_nxt", "timestamps", "tos", "ts_offset", "ts_recent", "ts_recent_ns", "until_ns",
        "window",
    )  # fmt: skip

    def __init__(self, ends: Ends, snd_nxt: int, rcv_nxt: int, edge: int) -> None:
        self.ends, self.snd_nxt, self.rcv_nxt, self.edge = ends, snd_nxt, rcv_nxt, edge
        self.dev: str | None = None
        self.window = self.ts_offset = self.ts_recent_ns = self.until_ns = self.tos = 0
        self.mark = 0
        self.ts_recent: int | None = None
        self.timestamps = self.reuse = False
        self.shared_with: int | None = None
        self.counted = ALONE
        self.invalid_ns = -NEVER


class TimeWaits:
    """All of one stack, in the order in which they end."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._items: dict[TimeWait, None] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[TimeWait]:
        return iter(self._items)

    def add(self, item: TimeWait, until_ns: int) -> None:
        """Put one in, or have it wait anew."""
        self._items.pop(item, None)
        item.until_ns = until_ns
        self._items[item] = None
        self._alarm.set(until_ns)

    def remove(self, item: TimeWait) -> None:
        """Forget one."""
        self._items.pop(item, None)

    def deadline(self) -> int | None:
        """Return when the next one is over, None while there is none."""
        for item in self._items:
            return item.until_ns
        return None

    def oldest(self) -> TimeWait | None:
        """Return the one that is over next."""
        return next(iter(self._items), None)
