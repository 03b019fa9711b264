"""Segments that came in, with their numbers made unbounded."""

from smolctl.stack.packet import Packet
from smolctl.stack.transport.tcp.receive import Buffer
from smolctl.stack.transport.tcp.sequence import unwrap
from smolctl.wire import tcp_options
from smolctl.wire.tcp import FIN, SYN, TcpHeader
from smolctl.wire.tcp_options import NO_OPTIONS, TcpOptions


class Incoming:
    """One segment.

    Attributes:
        header, options, flags, payload: of it; now: when it came.
        seq, ack: unbounded, near those of its connection.
        size: what it takes of the sequence space, SYN and FIN included.
        duplicate_ack: it is a duplicate acknowledgment (RFC 5681 2).
    """

    __slots__ = ("_packet", "ack", "duplicate_ack", "flags", "header", "now", "options", "payload",
                 "seq", "size")  # fmt: skip

    def __init__(self, packet: Packet | None, header: TcpHeader, payload: Buffer, now: int) -> None:
        self._packet, self.header, self.payload, self.now = packet, header, payload, now
        flags = self.flags = header.flags
        self.seq, self.ack = header.seq, header.ack
        self.size = len(payload) + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)
        raw = header.options
        self.options: TcpOptions = (
            tcp_options.parse(raw, syn=bool(flags & SYN)) if raw else NO_OPTIONS
        )
        self.duplicate_ack = False

    @property
    def packet(self) -> Packet:
        """The packet that it came in; one of the fast path has none."""
        if self._packet is None:
            raise AssertionError("a segment of the fast path has no packet")
        return self._packet

    @property
    def end(self) -> int:
        """The sequence number behind it."""
        return self.seq + self.size

    def place(self, seq_near: int, ack_near: int) -> None:
        """Make its numbers unbounded: those that are nearest to a connection's."""
        self.seq = unwrap(self.header.seq, seq_near)
        self.ack = unwrap(self.header.ack, ack_near)
