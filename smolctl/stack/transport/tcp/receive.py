"""The receiving side of a connection: the stream in order, what lies beyond a gap, the window."""

from bisect import bisect_right
from copy import copy

BLOCK_OVERHEAD = 256
"""Bytes that a block out of order counts beside its payload, so that crumbs are bounded too."""
_SMALL = 2048
"""Bytes of a payload that is copied to its neighbor: an object for each would cost more."""
_JOIN_MAX = 65_536
_FULL = 128
"""Bytes of a payload that lets the window grow: crumbs do not (Linux tcp_event_data_recv)."""

Range = tuple[int, int]
Buffer = bytes | memoryview


class _Block:
    """Bytes beyond a gap, from ``seq`` to ``end``; ``touched`` tells the latest."""

    __slots__ = ("end", "parts", "seq", "touched")

    def __init__(self, seq: int, data: Buffer, touched: int) -> None:
        self.seq, self.end, self.touched = seq, seq + len(data), touched
        self.parts: list[Buffer | bytearray] = [data]


class ReceiveSide:
    """Everything that one connection receives.

    Args:
        irs: the peer's initial sequence number; SYN takes one.

    Attributes:
        nxt: the next sequence number in order.
        acked: what was acknowledged last.
        edge: the first sequence number that was never allowed (RFC 9293 3.8.6.2.2): it never goes
            back.
        scale: shift of the windows that we tell.
        ready: bytes that the program may read.
        fin: sequence number of the peer's FIN once it is known, which may lie beyond a gap.
        limit: how far the window may open yet: it begins small, and grows with what comes (Linux
            rcv_ssthresh), so that a peer proves itself first.
        mss: the largest payload that came, an estimate of the peer's segments.
        ts_recent: the timestamp that is echoed, unbounded; None before the first.
        ts_recent_ns: when it came.
        duplicate: what to report as a duplicate (RFC 2883), None for nothing.
        out_of_order: bytes beyond gaps.
        urgent: end of urgent data, None for none.
    """

    __slots__ = (
        "_blocks", "_chunks", "_touched", "acked", "duplicate", "edge", "fin", "irs", "limit",
        "mss", "nxt", "out_of_order", "ready", "scale", "ts_recent", "ts_recent_ns", "urgent",
    )  # fmt: skip

    def __init__(self, irs: int = 0) -> None:
        self.irs = irs
        self.nxt = self.acked = self.edge = irs + 1
        self.scale = self.ready = self.out_of_order = self.ts_recent_ns = self._touched = 0
        self.mss = 536
        self.limit = 0xFFFF
        self.fin: int | None = None
        self.ts_recent: int | None = None
        self.duplicate: Range | None = None
        self.urgent: int | None = None
        self._chunks: list[Buffer | bytearray] = []
        self._blocks: list[_Block] = []

    # --- the stream -------------------------------------------------------------------------------

    def accept(self, seq: int, data: Buffer, size: int = 0) -> bool:
        """Take a payload, some of which is new and none beyond the edge.

        Args:
            size: of each of the segments that brought it; 0 for one.

        Returns: whether any of it was new.
        """
        length = len(data)
        if (size or length) > self.mss:
            self.mss = size or length
        if length >= _FULL:
            self.limit += 2 * length
        if seq == self.nxt and length >= _SMALL and not self._blocks:
            self._chunks.append(data)
            self.ready += length
            self.nxt += length
            return True
        if seq > self.nxt:
            return self._keep(seq, data)
        old = self.nxt - seq
        self._append(data[old:] if old else data)
        self.nxt += length - old
        if self._blocks:
            self._join()
        return True

    def accept_next(self, data: Buffer, length: int, size: int) -> None:
        """Do what ``accept`` does with what is next in the stream; nothing is beyond a gap."""
        if size > self.mss:
            self.mss = size
        if length >= _FULL:
            self.limit += 2 * length
        self.nxt += length
        if length < _SMALL and (self._chunks or not isinstance(data, bytes)):
            self._append(data)
            return
        self._chunks.append(data)
        self.ready += length

    def _append(self, data: Buffer | bytearray) -> None:
        length, chunks = len(data), self._chunks
        self.ready += length
        if length < _SMALL and chunks:
            last = chunks[-1]
            if isinstance(last, bytes) and len(last) < _SMALL:
                last = chunks[-1] = bytearray(last)
            if isinstance(last, bytearray) and len(last) < _JOIN_MAX:
                last += data
                return
        # A small one may keep a large buffer from being freed.
        chunks.append(data if length >= _SMALL or isinstance(data, bytes) else bytes(data))

    def _join(self) -> None:
        """Take over the blocks that the stream has reached."""
        blocks, done = self._blocks, 0
        for block in blocks:
            if block.seq > self.nxt:
                break
            done += 1
            self.out_of_order -= block.end - block.seq
            skip = self.nxt - block.seq
            for part in block.parts:
                if skip >= len(part):
                    skip -= len(part)
                    continue
                self._append(part[skip:] if skip else part)
                skip = 0
            self.nxt = max(self.nxt, block.end)
        del blocks[:done]

    def take(self, size: int) -> Buffer:
        """Take at most ``size`` bytes of the stream, as many as there are in one piece.

        Nothing of a large payload is copied.
        """
        chunks = self._chunks
        chunk = chunks[0]
        length = len(chunk)
        if length > size:
            view = memoryview(bytes(chunk) if isinstance(chunk, bytearray) else chunk)
            chunk, chunks[0], length = view[:size], view[size:], size
        else:
            del chunks[0]
        self.ready -= length
        return bytes(chunk) if isinstance(chunk, bytearray) else chunk

    def read(self, size: int) -> bytes:
        """Take at most ``size`` bytes of the stream."""
        chunks, taken, used = self._chunks, [], 0
        if size >= self.ready and len(chunks) == 1:
            self.ready = 0
            return bytes(chunks.pop())
        size = min(size, self.ready)
        self.ready -= size
        while size:
            chunk = chunks[used]
            if len(chunk) > size:
                taken.append(chunk[:size])
                chunks[used] = chunk[size:]
                break
            taken.append(chunk)
            size -= len(chunk)
            used += 1
        del chunks[:used]
        return bytes(taken[0]) if len(taken) == 1 else b"".join(taken)

    def buffers(self, size: int) -> list[Buffer | bytearray]:
        """Return about the first ``size`` bytes of the stream as they are kept, and leave them."""
        found: list[Buffer | bytearray] = []
        for chunk in self._chunks:
            if size <= 0:
                break
            found.append(chunk)
            size -= len(chunk)
        return found

    def consume(self, size: int) -> None:
        """Take off ``size`` bytes of the stream, which nobody needs any more."""
        chunks, used = self._chunks, 0
        self.ready -= size
        while size:
            chunk = chunks[used]
            if len(chunk) > size:
                if isinstance(chunk, bytearray):
                    del chunk[:size]
                else:
                    chunks[used] = memoryview(chunk)[size:]
                break
            size -= len(chunk)
            used += 1
        del chunks[:used]

    def peek(self, size: int) -> bytes:
        """Return the first ``size`` bytes of the stream, and leave them."""
        taken: list[Buffer | bytearray] = []
        for chunk in self._chunks:
            if size <= 0:
                break
            taken.append(chunk[:size])
            size -= len(taken[-1])
        return b"".join(taken)

    # --- beyond a gap -----------------------------------------------------------------------------

    @property
    def blocks(self) -> int:
        """The number of ranges beyond gaps."""
        return len(self._blocks)

    @property
    def last_block(self) -> int | None:
        """The beginning of the farthest of them, None without any."""
        return self._blocks[-1].seq if self._blocks else None

    @property
    def held(self) -> int:
        """Bytes beyond gaps with what their blocks count."""
        return self.out_of_order + BLOCK_OVERHEAD * len(self._blocks)

    def known(self, seq: int, end: int) -> Range | None:
        """Return the first part of a range beyond a gap that came before; None for none."""
        blocks = self._blocks
        index = max(bisect_right(blocks, seq, key=_seq) - 1, 0)
        while index < len(blocks) and blocks[index].seq < end:
            block = blocks[index]
            if block.end > seq:
                return max(seq, block.seq), min(end, block.end)
            index += 1
        return None

    def _keep(self, seq: int, data: Buffer) -> bool:
        """Keep what is new of a payload beyond a gap; what is known already stays as it is."""
        blocks, end, before = self._blocks, seq + len(data), self.out_of_order
        self._touched += 1
        index = bisect_right(blocks, seq, key=_seq)
        if index and blocks[index - 1].end >= seq:
            index -= 1  # it begins inside, or right behind
        else:
            stop = end if index == len(blocks) else min(end, blocks[index].seq)
            blocks.insert(index, _Block(seq, data[: stop - seq], self._touched))
            self.out_of_order += stop - seq
        block = blocks[index]
        block.touched = self._touched
        self._merge(index)
        while block.end < end:
            stop = end if index + 1 == len(blocks) else min(end, blocks[index + 1].seq)
            piece = data[block.end - seq : stop - seq]
            self.out_of_order += len(piece)
            _extend(block, piece)
            self._merge(index)
        return self.out_of_order > before

    def _merge(self, index: int) -> None:
        """Join a block with the next one if they touch."""
        blocks = self._blocks
        if index + 1 < len(blocks) and blocks[index].end >= blocks[index + 1].seq:
            following = blocks.pop(index + 1)
            for part in following.parts:
                _extend(blocks[index], part)

    def prune(self) -> int:
        """Throw the last block away, for want of room; return its bytes (Linux tcp_prune_ofo)."""
        block = self._blocks.pop()
        size = block.end - block.seq
        self.out_of_order -= size
        return size

    def clone(self) -> "ReceiveSide":
        """Return a copy that no change reaches this one from."""
        result = copy(self)
        result._chunks = [_own(chunk) for chunk in self._chunks]
        result._blocks = [copy(block) for block in self._blocks]
        for block in result._blocks:
            block.parts = [_own(part) for part in block.parts]
        return result

    def drop_all(self) -> None:
        """Throw everything away: nobody will read it."""
        self._chunks, self._blocks = [], []
        self.ready = self.out_of_order = 0

    def sack_blocks(self, limit: int) -> tuple[Range, ...]:
        """Return what to report: a duplicate first, then the latest block, then others by age.

        Args:
            limit: blocks that the option has room for.

        Source: RFC 2018 4; RFC 2883 4.
        """
        if not self._blocks and self.duplicate is None:
            return ()
        latest = sorted(self._blocks, key=_age)[:limit]
        found = [(block.seq, block.end) for block in latest]
        if self.duplicate is not None:
            found.insert(0, self.duplicate)
        return tuple(found[:limit])

    # --- the window -------------------------------------------------------------------------------

    def room(self, rcvbuf: int) -> int:
        """Return how many bytes behind ``nxt`` the buffer has room for.

        What lies beyond gaps has its room already.
        """
        limit = self.limit if self.limit < rcvbuf else rcvbuf
        largest = 0xFFFF << self.scale
        room = (limit if limit < largest else largest) - self.ready
        return room if room > 0 else 0

    def next_edge(self, rcvbuf: int, mss: int) -> int:
        """Return where the window would end if it was told now.

        Receiver's avoidance of the silly window syndrome: the edge moves by a whole segment, or by
        half of the buffer, and never back (RFC 9293 3.8.6.2.2, SHLD-14).
        """
        edge = self.nxt + self.room(rcvbuf)
        return edge if edge - self.edge >= min(rcvbuf // 2, mss) else max(self.edge, self.nxt)

    def tell_window(self, rcvbuf: int, mss: int, *, syn: bool = False) -> int:
        """Return the window field of a segment that leaves now, and remember what it allows."""
        if syn:
            return min(self.edge - self.nxt, 0xFFFF)
        scale, known = self.scale, self.edge - self.nxt
        limit, room = self.limit if self.limit < rcvbuf else rcvbuf, 0xFFFF << scale
        room = (limit if limit < room else room) - self.ready
        if room < 0:
            room = 0
        least = rcvbuf // 2
        allowed = room if room - known >= (mss if mss < least else least) else max(known, 0)
        # Rounded up: rounded down, the edge would go back by some bytes (RFC 7323 2.4). But not
        # further and further with each acknowledgment.
        field = -(-allowed >> scale)
        if field << scale > room + (1 << scale):
            field = allowed >> scale
        if field > 0xFFFF:
            field = 0xFFFF
        edge = self.nxt + (field << scale)
        if edge > self.edge:
            self.edge = edge
        return field


def _own(chunk: Buffer | bytearray) -> Buffer | bytearray:
    return bytearray(chunk) if isinstance(chunk, bytearray) else chunk


def _extend(block: _Block, data: Buffer | bytearray) -> None:
    block.end += len(data)
    last = block.parts[-1]
    if len(data) < _SMALL and len(last) < _JOIN_MAX:
        if not isinstance(last, bytearray):
            last = block.parts[-1] = bytearray(last)
        last += data
    else:
        block.parts.append(data)


def _seq(block: _Block) -> int:
    return block.seq


def _age(block: _Block) -> int:
    return -block.touched
