"""The sending side of a connection: what is queued, what is in flight, and the scoreboard.

A record is what left in one piece. It owns the buffers of its payload, so that nothing is copied
for a retransmission, and it is split where the peer's acknowledgments end inside of it.
"""

from bisect import bisect_right
from collections.abc import Iterator
from copy import copy

from smolctl.wire import tcp

Buffer = bytes | memoryview

RECORD_OVERHEAD = 256
"""Bytes that a smaller record counts beside its payload, so that a flood of these is bounded."""
RECORDS_MAX = 16_384
"""Records of one connection beyond which none is split: SACK cannot make more (CVE-2019-11477)."""
_SMALL = 2048
"""Bytes of a write that is copied to others of its kind: a buffer for each would cost more."""


class Sent:
    """A piece of the stream that was sent.

    Attributes:
        seq, end: first sequence number, and the one behind it; SYN and FIN take one.
        buffers: the payload.
        flags: SYN, FIN and PSH, as they were sent.
        sent_ns: when it was sent last.
        times: how often it was sent, 0 for a SYN that waits for room.
        small: it counts more than its payload.
        sacked: the peer has it, out of order (RFC 2018).
        lost: it is believed to be lost.
        again: its retransmission is in flight.
        delivered: how many bytes were delivered when it was sent; delivered_ns: when the last of
            these were; app_limited: whether more could have been sent then.
    """

    __slots__ = (
        "again", "app_limited", "buffers", "delivered", "delivered_ns", "end", "flags", "lost",
        "sacked", "sent_ns", "seq", "small", "times",
    )  # fmt: skip

    def __init__(
        self, seq: int, end: int, buffers: tuple[Buffer, ...], flags: int, now: int
    ) -> None:
        self.seq, self.end, self.buffers, self.flags = seq, end, buffers, flags
        self.sent_ns, self.times = now, 1
        self.sacked = self.lost = self.again = self.app_limited = self.small = False
        self.delivered = self.delivered_ns = 0

    @property
    def size(self) -> int:
        """Its part of the sequence space."""
        return self.end - self.seq

    def split(self, seq: int) -> "Sent":
        """Cut it in two at a sequence number inside of it; return the second part."""
        at = seq - self.seq - (1 if self.flags & tcp.SYN else 0)
        first, second = _cut(self.buffers, at)
        rest = Sent(seq, self.end, second, self.flags & ~tcp.SYN, self.sent_ns)
        rest.times, rest.sacked, rest.lost, rest.again = (
            self.times, self.sacked, self.lost, self.again
        )  # fmt: skip
        rest.delivered, rest.delivered_ns = self.delivered, self.delivered_ns
        rest.app_limited = self.app_limited
        self.end, self.buffers = seq, first
        self.flags &= ~(tcp.FIN | tcp.PSH)
        return rest


def _cut(
    buffers: tuple[Buffer, ...], at: int
) -> tuple[tuple[Buffer, ...], tuple[Buffer, ...]]:  # fmt: skip
    for index, buffer in enumerate(buffers):
        if at < len(buffer):
            if not at:
                return buffers[:index], buffers[index:]
            view = memoryview(buffer)
            return (*buffers[:index], view[:at]), (view[at:], *buffers[index + 1 :])
        at -= len(buffer)
    return buffers, ()


class SendSide:
    """Everything that one connection sends.

    Attributes:
        iss, una, nxt: RFC 9293 3.3.1, unbounded.
        wnd: what the peer takes behind ``una``, bytes; max_wnd: the largest it ever took.
        wl1, wl2: sequence and acknowledgment number of the last window update.
        scale: shift of the windows that the peer tells.
        records: what was sent and is not acknowledged, in order.
        unsent: bytes that were written and not sent.
        unacked: bytes of payload in ``records``.
        fin: the program has closed: a FIN follows what is unsent.
        fin_sent: it was sent.
        crumbs: how many small segments are in flight.
        sacked, lost, again: bytes of ``records`` that are so.
        dups: bytes that have left the network, as the duplicate acknowledgments of a peer without
            SACK say; nobody knows which.
        small_end: end of the last segment that was not full (Nagle as Minshall has it).
        urgent: the end of urgent data, None when there is none (RFC 9293 3.8.5).
    """

    __slots__ = (
        "_chunks", "_tail", "again", "crumbs", "dups", "fin", "fin_sent", "iss", "lost", "max_wnd",
        "nxt", "records", "sacked", "scale", "small_end", "una", "unacked", "unsent", "urgent",
        "wl1", "wl2", "wnd",
    )  # fmt: skip

    def __init__(self, iss: int = 0) -> None:
        self.iss = self.una = self.nxt = self.small_end = iss
        self.wnd = self.max_wnd = self.wl1 = self.wl2 = self.scale = 0
        self.records: list[Sent] = []
        self.sacked = self.lost = self.again = self.unsent = self.unacked = 0
        self.crumbs = self.dups = 0
        self.fin = self.fin_sent = False
        self.urgent: int | None = None
        self._chunks: list[Buffer] = []
        self._tail: bytearray | None = None

    # --- the program's bytes ----------------------------------------------------------------------

    @property
    def held(self) -> int:
        """Bytes that count against the send buffer."""
        return self.unsent + self.unacked + RECORD_OVERHEAD * self.crumbs

    def write(self, data: Buffer) -> None:
        """Queue bytes, which may not change from now on."""
        self.unsent += len(data)
        if len(data) < _SMALL:
            if self._tail is None:
                self._tail = bytearray()
            self._tail += data
            if len(self._tail) >= _SMALL:
                self._seal()
            return
        if self._tail:
            self._seal()
        self._chunks.append(data)

    def _seal(self) -> None:
        if self._tail:
            self._chunks.append(bytes(self._tail))
        self._tail = None

    def take(self, size: int) -> tuple[Buffer, ...]:
        """Take the first ``size`` unsent bytes, at most ``unsent``."""
        self._seal()
        self.unsent -= size
        buffers: list[Buffer] = []
        chunks, used = self._chunks, 0
        if len(chunks[0]) == size:
            return (chunks.pop(0),)
        while size:
            chunk = chunks[used]
            if len(chunk) > size:
                view = memoryview(chunk)
                buffers.append(view[:size])
                chunks[used] = view[size:]
                break
            buffers.append(chunk)
            size -= len(chunk)
            used += 1
        del chunks[:used]
        return tuple(buffers)

    def clone(self) -> "SendSide":
        """Return a copy; payloads are shared, since they do not change."""
        result = copy(self)
        result.records = [copy(record) for record in self.records]
        result._chunks = list(self._chunks)
        result._tail = None if self._tail is None else bytearray(self._tail)
        return result

    def drop_all(self) -> None:
        """Forget what was not sent, and what was not acknowledged."""
        self._chunks, self._tail, self.records = [], None, []
        self.unsent = self.unacked = self.sacked = self.lost = self.again = self.crumbs = 0
        self.dups = 0

    # --- what is in flight ------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Sequence numbers that were sent and not acknowledged."""
        return self.nxt - self.una

    @property
    def pipe(self) -> int:
        """Bytes that are believed to be in the network (RFC 6675 4)."""
        return self.nxt - self.una - self.sacked - self.lost - self.dups + self.again

    @property
    def nothing_left(self) -> bool:
        """Whether all that the program wrote, and its FIN, are acknowledged."""
        return not (self.unsent or self.records or (self.fin and not self.fin_sent))

    def push(self, record: Sent, size: int = 0) -> None:
        """Append what was just sent for the first time, with so many bytes of payload."""
        self.records.append(record)
        self.unacked += size
        if record.end - record.seq < RECORD_OVERHEAD:
            record.small = True
            self.crumbs += 1
        self.nxt = record.end

    def acknowledge(self, ack: int) -> list[Sent]:
        """Take off what the peer has up to ``ack``; return the records, whole or cut at ``ack``."""
        records, done = self.records, 0
        for record in records:
            if record.end > ack:
                if record.seq < ack:
                    records.insert(done + 1, record.split(ack))
                    done += 1
                break
            done += 1
        gone = records[:done]
        del records[:done]
        marked = self.sacked or self.lost or self.again
        for record in gone:
            buffers = record.buffers
            self.unacked -= len(buffers[0]) if len(buffers) == 1 else sum(map(len, buffers))
            if record.small:
                self.crumbs -= 1
            if marked:
                self._uncount(record)
        self.una = ack
        return gone

    def _uncount(self, record: Sent) -> None:
        size = record.size
        if record.sacked:
            self.sacked -= size
        if record.lost:
            self.lost -= size
        if record.again:
            self.again -= size

    def between(self, left: int, right: int) -> Iterator[Sent]:
        """Yield the records that lie within a range; one that lies in it in part is split first."""
        records = self.records
        index = max(bisect_right(records, left, key=_seq) - 1, 0)
        while index < len(records) and records[index].seq < right:
            record = records[index]
            if record.seq < left < record.end:
                if len(records) < RECORDS_MAX:
                    records.insert(index + 1, record.split(left))
            elif left <= record.seq:
                if record.end > right:
                    if len(records) >= RECORDS_MAX:
                        return
                    records.insert(index + 1, record.split(right))
                yield record
            index += 1

    def mark_sacked(self, record: Sent) -> None:
        """Note that the peer has a record."""
        self._uncount(record)
        record.sacked, record.lost, record.again = True, False, False
        self.sacked += record.size

    def mark_lost(self, record: Sent) -> None:
        """Note that a record is believed to be lost, a retransmission of it too."""
        if record.again:
            self.again -= record.size
            record.again = False
        if not record.lost:
            record.lost = True
            self.lost += record.size

    def mark_again(self, record: Sent, now: int) -> None:
        """Note that a record was retransmitted."""
        if not record.again:
            record.again = True
            self.again += record.size
        record.sent_ns = now
        record.times += 1

    def duplicate_acked(self, size: int) -> int:
        """Count a segment of up to ``size`` bytes as delivered; return how many bytes of it count.

        What is missing has not left the network so: the first segment, unless it is lost already.
        """
        size = min(size, self.pipe - (0 if self.records[0].lost else size))
        if size <= 0:
            return 0
        self.dups += size
        return size

    def uncount_duplicates(self, size: int) -> int:
        """Take back up to ``size`` bytes of ``dups``, which are acknowledged; return how many."""
        size = max(min(size, self.dups), 0)
        self.dups -= size
        return size

    def unmark(self) -> None:
        """Take back that records are lost: they were not (RFC 5682; Linux tcp_undo_cwnd)."""
        for record in self.records:
            if record.lost:
                record.lost = False
        self.lost = 0

    def forget_sacks(self) -> None:
        """Forget all SACKs: the peer may have thrown away what it told of (RFC 2018 8)."""
        for record in self.records:
            record.sacked = False
        self.sacked = 0

    def head(self, size: int) -> Sent | None:
        """Return the first record that is not SACKed, cut to ``size`` bytes of payload."""
        for index, record in enumerate(self.records):
            if not record.sacked:
                return self.cut(index, size)
        return None

    def cut(self, index: int, size: int) -> Sent:
        """Return a record, cut so that it has at most ``size`` bytes of payload."""
        record = self.records[index]
        if record.size > size + 1 or sum(map(len, record.buffers)) > size:
            at = record.seq + size + (1 if record.flags & tcp.SYN else 0)
            if at < record.end:
                self.records.insert(index + 1, record.split(at))
        return record


def _seq(record: Sent) -> int:
    return record.seq
