"""Handshakes in progress: what a listening socket knows of a connection before it is one."""

from smolctl.stack.alarm import NEVER
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import Opened, TcpSocket


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
        window: that the SYN told.
        tos: of the SYN, for the answer.
        sent_ns: when the SYN was answered last; times: how often.
        at_ns: when it is answered again.
        opened: see ``TcpSocket``.
    """

    __slots__ = (
        "advmss", "at_ns", "dev", "ecn", "ends", "heap_ns", "invalid_ns", "irs", "iss",
        "listener", "mss", "opened", "own_scale", "sack", "scale", "sent_ns", "times", "timestamps",
        "tos", "ts_offset", "ts_recent", "window",
    )  # fmt: skip

    def __init__(self, ends: Ends, listener: TcpSocket, iss: int, irs: int) -> None:
        self.ends, self.listener, self.iss, self.irs = ends, listener, iss, irs
        self.dev: str | None = listener.dev
        self.mss, self.advmss, self.own_scale = 536, 536, 0
        self.scale: int | None = None
        self.sack = self.timestamps = self.ecn = False
        self.ts_recent = self.ts_offset = self.window = self.tos = 0
        self.sent_ns = self.times = 0
        self.opened = Opened.NONE
        self.at_ns, self.heap_ns, self.invalid_ns = NEVER, NEVER, -NEVER

    def due_ns(self) -> int:
        """Return when the SYN is answered again, or given up."""
        return self.at_ns
