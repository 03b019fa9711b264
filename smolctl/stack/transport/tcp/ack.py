"""Acknowledgments in: what of the stream has arrived, and what that says about the network."""

from typing import NamedTuple

from smolctl.stack import reason
from smolctl.stack.ip.route_output import confirm
from smolctl.stack.transport.tcp import rack, recovery
from smolctl.stack.transport.tcp.incoming import Incoming
from smolctl.stack.transport.tcp.loss import Phase
from smolctl.stack.transport.tcp.output import arm, set_timer
from smolctl.stack.transport.tcp.segment import set_mss
from smolctl.stack.transport.tcp.send import Sent
from smolctl.stack.transport.tcp.sequence import timestamp, unwrap
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.stack.transport.tcp.timers import TimerKind
from smolctl.wire.tcp import ECE, SYN

_MS_NS = 1_000_000


class _Progress(NamedTuple):
    """The news of one acknowledgment.

    Attributes:
        acked: records that are off the scoreboard; sacked: that the peer has beyond a gap.
        delivered: bytes that the peer has since.
        duplicate: it reported that something came twice (RFC 2883).
        echoed_ns: when what it echoes was sent, None when it echoes nothing.
        advanced: whether ``una`` moved on.
        original: what arrived was in part never sent again.
    """

    acked: list[Sent]
    sacked: list[Sent]
    delivered: int
    duplicate: bool
    echoed_ns: int | None
    advanced: bool
    original: bool


def ack_input(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> None:
    """Take an acknowledgment that lies in the range of what was sent (RFC 9293 3.10.7.4)."""
    snd, ack = socket.snd, segment.ack
    before, flight = snd.una, bool(snd.records)
    segment.duplicate_ack = _is_duplicate_ack(socket, segment)
    _update_window(table, socket, segment, now)
    echoed_ns = _echoed(socket, segment, now)
    sacked, duplicate = _sack_input(socket, segment, before, now)
    acked: list[Sent] = []
    if ack > before:
        acked = snd.acknowledge(ack)
    socket.probes = 0
    if not flight and not acked:
        if socket.loss.tlp_end is not None:
            _probe_answered(table, socket, segment, duplicate=duplicate, now=now)
        _answered(table, socket, now)
        return
    fresh = sum(record.size for record in acked if not record.sacked)
    fresh += sum(record.size for record in sacked if record.seq >= ack)
    original = any(record.times == 1 for record in (*acked, *sacked))
    news = _Progress(acked, sacked, fresh, duplicate, echoed_ns, ack > before, original)
    if news.advanced:
        _advanced(table, socket, news, now)
    for record in acked:
        if not record.sacked:
            rack.delivered(socket, record, now, echoed_ns)
    for record in sacked:
        rack.delivered(socket, record, now, echoed_ns)
    if news.delivered:
        count_delivered(socket, news.delivered, (acked or sacked)[-1], now)
    _congestion(table, socket, segment, news, now)
    if news.advanced:
        arm(table, socket, now, restart=True)


def _is_duplicate_ack(socket: TcpSocket, segment: Incoming) -> bool:
    """Tell whether it is a duplicate acknowledgment (RFC 5681 2)."""
    snd, window = socket.snd, segment.header.window << socket.snd.scale
    return not segment.size and segment.ack == snd.una and window == snd.wnd


def _answered(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Take an acknowledgment while nothing is in flight: it may have opened the window."""
    if socket.timer is TimerKind.PERSIST and socket.snd.wnd:
        set_timer(table, socket, TimerKind.NONE, _NEVER)


_NEVER = 1 << 63


def _update_window(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> None:
    """Take over the peer's window, unless an older segment tells it (RFC 9293 3.10.7.4)."""
    snd, seq, ack = socket.snd, segment.seq, segment.ack
    window = segment.header.window << (0 if segment.flags & SYN else snd.scale)
    newer = ack > snd.una or seq > snd.wl1 or (seq == snd.wl1 and ack >= snd.wl2)
    if ack < snd.una or not newer:
        return
    shrunk = snd.una + snd.wnd - ack - window
    if shrunk >= 1 << snd.scale:  # less is but a rounded number
        table.note(reason.TCP_WINDOW_SHRUNK, socket, now, size=shrunk)
    snd.wl1, snd.wl2, snd.wnd = seq, ack, window
    if window > snd.max_wnd:
        snd.max_wnd = window
        set_mss(table.networks.for_address(socket.ends.peer).header_len, socket)
    if window:
        socket.zero_since_ns = socket.window_probes = 0
    elif not socket.zero_since_ns:
        socket.zero_since_ns = now
        table.note(reason.TCP_ZERO_WINDOW, socket, now, held=snd.unsent + snd.unacked)


def _echoed(socket: TcpSocket, segment: Incoming, now: int) -> int | None:
    """Return when what an acknowledgment echoes was sent, within 1 ms (RFC 7323 4)."""
    times = segment.options.timestamps
    if not socket.timestamps or times is None or not times[1]:
        return None
    clock = timestamp(now, socket.ts_offset)
    age = clock - unwrap(times[1], clock)
    return now - age * _MS_NS if age >= 0 else None


# --- SACK -----------------------------------------------------------------------------------------


def _sack_input(
    socket: TcpSocket, segment: Incoming, una: int, now: int
) -> tuple[list[Sent], bool]:
    """Mark what the peer says it has; return that, and whether it reports a duplicate.

    What cannot be, of what was never sent or long ago, is ignored (Linux tcp_is_sackblock_valid).
    """
    if not socket.sack or not segment.options.sack:
        return [], False
    snd, ack, found = socket.snd, segment.ack, []
    blocks = [
        (unwrap(left, snd.una), unwrap(right, snd.una)) for left, right in segment.options.sack
    ]
    duplicate = _is_duplicate(blocks, ack)
    if duplicate:
        left, right = blocks.pop(0)
        # Of what was never sent, or long ago: nothing can be learned from it.
        if right <= snd.nxt and left >= snd.una - max(snd.max_wnd, 1):
            _duplicate_input(socket)
    for left, right in blocks:
        if not left < right <= snd.nxt or right <= ack:
            continue
        for record in snd.between(max(left, ack), right):
            if not record.sacked:
                snd.mark_sacked(record)
                found.append(record)
    return found, duplicate


def _is_duplicate(blocks: list[tuple[int, int]], ack: int) -> bool:
    """Tell whether the first block reports a duplicate (RFC 2883 4)."""
    left, right = blocks[0]
    if right <= ack:
        return True
    return len(blocks) > 1 and blocks[1][0] <= left and right <= blocks[1][1]


def _duplicate_input(socket: TcpSocket) -> None:
    loss = socket.loss
    socket.stats.dsacks += 1
    rack.duplicated(socket)
    if loss.undo is not None and loss.undo_left:
        loss.undo_left -= 1


# --- what it says about the network ---------------------------------------------------------------


def _advanced(table: TcpTable, socket: TcpSocket, news: _Progress, now: int) -> None:
    """Take note that ``una`` moved on: a round trip is known, and the timer starts anew."""
    acked, rtt = news.acked, socket.rtt
    size = sum(len(buffer) for record in acked for buffer in record.buffers)
    socket.stats.bytes_acked += size
    if socket.flow is not None:
        socket.flow.confirm(now)
    elif socket.out is not None and not socket.out.loopback:
        peer = socket.ends.peer
        confirm(table.networks.for_address(peer), peer, now, socket.out.name)
    socket.retries = 0
    if any(record.times > 1 for record in acked):
        # Karn: which of its transmissions is acknowledged only the timestamp tells (RFC 7323 4).
        if news.echoed_ns is not None:
            rtt.sample(now - news.echoed_ns, now)
    else:
        first = next((record for record in acked if not record.sacked), None)
        if first is not None:
            rtt.sample(now - first.sent_ns, now)


def count_delivered(socket: TcpSocket, delivered: int, last: Sent, now: int) -> None:
    """Count what was delivered, ``last`` the end of it, and how fast (Linux tcp_rate.c)."""
    loss = socket.loss
    loss.delivered += delivered
    loss.delivered_ns = now
    before, since = last.delivered_ns, last.sent_ns
    elapsed = now - (before if before < since else since)
    if elapsed > 0 and before:
        rate = (loss.delivered - last.delivered) * 1_000_000_000 // elapsed
        if not last.app_limited or rate > loss.rate:
            loss.rate = rate


def _congestion(
    table: TcpTable, socket: TcpSocket, segment: Incoming, news: _Progress, now: int
) -> None:
    """Find losses, change the phase, and set the window."""
    loss, snd, window = socket.loss, socket.snd, socket.window
    if loss.tlp_end is not None:
        _probe_answered(table, socket, segment, duplicate=news.duplicate, now=now)
    lost_before, delivered = snd.lost, news.delivered
    if not socket.sack:
        delivered += _count_duplicates(socket, segment, news)
    if not _undone(table, socket, news, now):
        if loss.phase is Phase.LOSS and _spurious(table, socket, segment, news, now):
            pass
        else:
            _find_losses(table, socket, segment, news, now)
    ended = news.advanced and snd.una >= loss.high
    if loss.phase is not Phase.OPEN and ended and not _recovers_again(socket):
        recovery.leave(socket)
    _marks(table, socket, segment, now)
    if loss.phase is Phase.OPEN and snd.lost:
        recovery.enter_recovery(table, socket, now)
    if loss.phase in (Phase.RECOVERY, Phase.CWR):
        further = snd.lost <= lost_before
        recovery.reduce_rate(socket, delivered, advanced=news.advanced and further)
    elif news.advanced and (window.limited or window.slow_start) and news.delivered:
        grow(socket, news.delivered, now)


def grow(socket: TcpSocket, delivered: int, now: int) -> None:
    """Let the window grow, outside of recovery: so many bytes were delivered."""
    loss, snd, window = socket.loss, socket.snd, socket.window
    if snd.una > loss.round_end:
        loss.round_end = snd.nxt
        socket.controller.on_round(window, snd.nxt)
    # RFC 5681 3.1: what was not limited by the window says nothing about a larger one.
    if window.limited or window.cwnd < 2 * (snd.in_flight + delivered):
        socket.controller.on_ack(window, delivered, socket.rtt.latest_ns, now)


def _recovers_again(socket: TcpSocket) -> bool:
    """Tell whether a recovery is not over without SACK: RFC 6582 3.2 waits for one more.

    What was sent again and was not lost makes duplicates, which are no news then (RFC 6582 4).
    """
    loss, snd = socket.loss, socket.snd
    return (
        not socket.sack
        and snd.una == loss.high
        and loss.phase is not Phase.CWR
        and bool(snd.records)
    )


def _find_losses(
    table: TcpTable, socket: TcpSocket, segment: Incoming, news: _Progress, now: int
) -> None:
    if socket.sack:
        if socket.snd.sacked or socket.loss.phase is not Phase.OPEN or news.sacked:
            wait = rack.detect(socket, now)
            if wait:
                set_timer(table, socket, TimerKind.REORDER, now + wait)
            elif socket.timer is TimerKind.REORDER:
                socket.timer = TimerKind.NONE
                arm(table, socket, now)
        return
    _find_losses_by_count(socket, segment, news)


def _count_duplicates(socket: TcpSocket, segment: Incoming, news: _Progress) -> int:
    """Count duplicate acknowledgments; return what that adds to what was delivered, bytes.

    Without SACK, each says that some segment has left the network, and an acknowledgment of more
    covers those that were counted so (RFC 6937 2; Linux tcp_add_reno_sack).
    """
    loss, snd = socket.loss, socket.snd
    if news.advanced:
        loss.dupacks = 0
        covered = snd.dups
        if snd.una < loss.high and loss.phase is Phase.RECOVERY:
            # One of the segments is what was missing.
            covered = sum(record.size for record in news.acked) - socket.mss
            covered = max(covered, snd.dups + socket.mss - snd.in_flight)
        return -min(snd.uncount_duplicates(covered), news.delivered)
    if not segment.duplicate_ack or not snd.records:
        return 0
    loss.dupacks += 1
    if loss.phase is Phase.LOSS and snd.nxt == loss.high:
        return 0  # nothing new was sent since the timeout: they may be of what it has repeated
    return snd.duplicate_acked(socket.mss)


def _find_losses_by_count(socket: TcpSocket, segment: Incoming, news: _Progress) -> None:
    """Find losses of a peer without SACK: three duplicates, or a partial one (RFC 6582 3.2)."""
    loss, snd = socket.loss, socket.snd
    if news.advanced:
        found = loss.phase is Phase.RECOVERY and snd.una < loss.high
    else:
        calm = loss.phase in (Phase.OPEN, Phase.CWR)
        found = segment.duplicate_ack and loss.dupacks == 3 and calm
    if found and snd.records and not snd.records[0].lost:
        snd.cut(0, socket.mss)
        snd.mark_lost(snd.records[0])


def _marks(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> None:
    """Reduce the window once a round trip for congestion marks (RFC 3168 6.1.2)."""
    loss, snd = socket.loss, socket.snd
    marked = socket.ecn and segment.flags & ECE and not segment.flags & SYN
    if marked and loss.phase is Phase.OPEN and snd.una >= loss.ce_end:
        loss.ce_end = snd.nxt
        recovery.enter_cwr(table, socket, now)
        if not snd.records:
            recovery.leave(socket)
        table.note(reason.TCP_CE_MARK, socket, now)


def _undone(table: TcpTable, socket: TcpSocket, news: _Progress, now: int) -> bool:
    """Take a reduction back when every retransmission was needless; return whether it was."""
    loss = socket.loss
    if loss.undo is None or loss.phase not in (Phase.RECOVERY, Phase.LOSS):
        return False
    if news.duplicate and not loss.undo_left and loss.retransmitted is not None:
        recovery.take_back(table, socket, "dsack", now)
        return True
    # RFC 3522: it echoes what was sent before the retransmission.
    first = loss.retransmitted
    known = news.advanced and first is not None and news.echoed_ns is not None
    if known and (news.echoed_ns or 0) + _MS_NS <= (first or 0):
        recovery.take_back(table, socket, "timestamp", now)
        return True
    return False


def _spurious(
    table: TcpTable, socket: TcpSocket, segment: Incoming, news: _Progress, now: int
) -> bool:
    """Tell whether a timeout was spurious, or may still turn out to be (RFC 5682 3.1)."""
    loss, snd = socket.loss, socket.snd
    if not loss.frto:
        return False
    if news.original and any(
        record.times == 1 and record.end <= loss.high for record in (*news.acked, *news.sacked)
    ):
        recovery.take_back(table, socket, "frto", now)
        return True
    if not news.advanced:
        if news.sacked or news.duplicate or segment.duplicate_ack:
            loss.frto = 0  # RFC 5682 2.1 step 3a: the peer misses what the timeout was for
        return False
    # RFC 5682 2.1 step 2b: new data tells more than what is sent again. Its acknowledgment decides.
    more = snd.unsent and snd.una + snd.wnd > snd.nxt and snd.una < loss.high
    loss.frto = 2 if loss.frto == 1 and more else 0
    return False


# --- tail loss probes -----------------------------------------------------------------------------


def _probe_answered(
    table: TcpTable, socket: TcpSocket, segment: Incoming, *, duplicate: bool, now: int
) -> None:
    """Take what an acknowledgment says about a tail loss probe (RFC 8985 7.4.2).

    Args:
        duplicate: it reports that something came twice.
    """
    loss, end = socket.loss, socket.loss.tlp_end
    if end is None or segment.ack < end:
        return
    if not loss.tlp_again or duplicate:
        loss.tlp_end = None  # new data, or the original had arrived as well
    elif segment.ack > end:
        # The probe repaired a loss that nobody else noticed: it counts as one.
        loss.tlp_end = None
        if loss.phase is Phase.OPEN and not socket.snd.sacked:
            recovery.enter_cwr(table, socket, now)
    elif segment.duplicate_ack and not segment.options.sack:
        loss.tlp_end = None  # both arrived, at a peer that does not report duplicates
