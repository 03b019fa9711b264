"""Handshakes in progress: what a listening socket knows of a connection before it is one."""

from typing import NamedTuple

from smolctl.stack.alarm import NEVER, Alarm
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import Flow, Opened, TcpSocket


class Answering(NamedTuple):
    """The part of an answer to a SYN that is the same for all of a host to a listening socket.

    Attributes:
        dev: interface that the connection insists on, None for any.
        advmss: the segment size that is told.
        default_mss: of a peer that tells none (RFC 9293 3.7.1, MUST-15).
        ts_offset: see ``Secrets.timestamp_offset``.
    """

    dev: str | None
    advmss: int
    default_mss: int
    ts_offset: int


_NONE = Opened.NONE


class Request:
    """A SYN that was answered (Linux request_sock); the state SYN-RECEIVED of RFC 9293.

    Attributes:
        ends: both ends.
        listener: the socket whose program is to accept it.
        dev: interface that the connection insists on, None for any.
        iss, irs: initial sequence numbers, ours and the peer's.
        mss: that the peer told. scale: of the peer's windows, None when it does not scale.
        own_scale: of ours.
        sack, timestamps, ecn: what both ends want.
        ts_recent: the timestamp of its last segment. ts_offset: of ours.
        window: that the SYN told. mark: of what is sent.
        tos: of the SYN, for the answer.
        sent_ns: when the SYN was answered last; times: how often.
        at_ns: when it is answered again.
        opened: see ``TcpSocket``.
        flow: the way of its segments, when the fast path knows it. key: under which the fast path
            knows it for what comes in; b"" while it does not.
    """

    __slots__ = (
        "advmss", "at_ns", "dev", "ecn", "ends", "flow", "heap_ns", "invalid_ns", "irs", "iss",
        "key", "listener", "mark", "mss", "opened", "own_scale", "sack", "scale", "sent_ns",
        "times", "timestamps", "tos", "ts_offset", "ts_recent", "window",
    )  # fmt: skip

    def __init__(self, ends: Ends, listener: TcpSocket, iss: int, irs: int) -> None:
        self.ends, self.listener, self.iss, self.irs = ends, listener, iss, irs
        self.dev: str | None = listener.dev
        self.mss, self.advmss, self.own_scale = 536, 536, 0
        self.scale: int | None = None
        self.sack = self.timestamps = self.ecn = False
        self.ts_recent = self.ts_offset = self.window = self.tos = 0
        self.sent_ns = self.times = 0
        self.mark = listener.mark
        self.opened = _NONE
        self.flow: Flow | None = None
        self.key = b""
        self.at_ns, self.heap_ns, self.invalid_ns = NEVER, NEVER, -NEVER

    def due_ns(self) -> int:
        """Return when the SYN is answered again, or given up."""
        return self.at_ns


class Requests:
    """The handshakes of one stack that were answered once, in the order in which that is repeated.

    All of them wait for the same time at first, and most are over before: they need no timer each.
    """

    __slots__ = ("_alarm", "_items")

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._items: dict[Request, None] = {}

    def __len__(self) -> int:
        return len(self._items)

    def add(self, request: Request, at_ns: int) -> None:
        """Put one in, whose SYN is answered again at a time."""
        request.at_ns = at_ns
        self._items[request] = None
        self._alarm.set(at_ns)

    def remove(self, request: Request) -> None:
        """Forget one that is over."""
        request.at_ns = NEVER
        self._items.pop(request, None)

    def deadline(self) -> int | None:
        """Return when the next one is answered again, None while there is none."""
        for request in self._items:
            return request.at_ns
        return None

    def take(self, now: int) -> Request | None:
        """Take out the first that is due, None when none is."""
        for request in self._items:
            if request.at_ns > now:
                break
            del self._items[request]
            return request
        return None
