"""RACK: what was lost is told by the time at which it was sent (RFC 8985 6)."""

from smolctl.stack.transport.tcp.loss import Phase
from smolctl.stack.transport.tcp.send import Sent
from smolctl.stack.transport.tcp.socket import TcpSocket

_STEPS_MAX = 255
_KEEP = 16
"""Recoveries for which a longer reordering window is kept (RFC 8985 6.2 step 4)."""
_DUPTHRESH = 3
_MS_NS = 1_000_000
"""Possible error of the timestamp clock."""


def delivered(socket: TcpSocket, record: Sent, now: int, echoed_ns: int | None) -> None:
    """Take note that the peer has a record (RFC 8985 6.2 steps 2 and 3).

    Args:
        echoed_ns: when what the acknowledgment echoes was sent, None when that is not known.
    """
    loss = socket.loss
    if record.times > 1:
        # It may be the original that arrived: then nothing is known of the retransmission.
        if echoed_ns is not None and echoed_ns + _MS_NS <= record.sent_ns:
            return
        if now - record.sent_ns < socket.rtt.min_ns:
            return
    if record.end > loss.forward:
        loss.forward = record.end
    elif record.end < loss.forward and record.times == 1:
        loss.reordered = True
        gap = (loss.forward - record.end) // max(socket.mss, 1) + 1
        loss.reordering = min(max(loss.reordering, gap), 300)
    again = record.times > 1
    if (record.sent_ns, again, record.end) > (loss.rack_ns, loss.rack_again, loss.rack_end):
        loss.rack_ns, loss.rack_again, loss.rack_end = record.sent_ns, again, record.end
        loss.rack_rtt_ns = now - record.sent_ns


def duplicated(socket: TcpSocket) -> None:
    """Take note that the peer reported a duplicate: reordering lasts longer (RFC 8985 6.2)."""
    loss = socket.loss
    if loss.dsack_round is None or socket.snd.una >= loss.dsack_round:
        loss.dsack_round = socket.snd.nxt
        loss.reorder_steps = min(loss.reorder_steps + 1, _STEPS_MAX)
        loss.reorder_keep = _KEEP


def recovered(socket: TcpSocket) -> None:
    """Take note that a recovery is over."""
    loss = socket.loss
    if loss.reorder_keep:
        loss.reorder_keep -= 1
        if not loss.reorder_keep:
            loss.reorder_steps = 1


def reorder_window(socket: TcpSocket) -> int:
    """Return how much later than another a segment may arrive, in ns (RFC 8985 6.2 step 4)."""
    loss, rtt = socket.loss, socket.rtt
    if not loss.reordered:
        if loss.phase in (Phase.RECOVERY, Phase.LOSS):
            return 0
        if socket.snd.sacked >= _DUPTHRESH * socket.mss:
            return 0
    return min(loss.reorder_steps * rtt.min_ns // 4, rtt.srtt_ns)


def detect(socket: TcpSocket, now: int) -> int:
    """Mark what was sent so long before what arrived that it is lost (RFC 8985 6.2 step 5).

    A turn has one time. Of what was sent in the same one, the higher number is the later, but what
    was sent again may have been sent after any of it.

    Returns: how long to wait until more of it is lost, ns; 0 for nothing to wait for.
    """
    loss, snd = socket.loss, socket.snd
    if not loss.rack_ns:
        return 0
    patience = loss.rack_rtt_ns + reorder_window(socket)
    latest = loss.rack_ns, loss.rack_again, loss.rack_end
    wait = 0
    for record in snd.records:
        if record.seq >= loss.rack_end and record.times == 1:
            break  # it and all behind it were sent later
        if record.sacked or (record.lost and not record.again):
            continue
        if (record.sent_ns, record.times > 1, record.end) >= latest:
            continue
        left = record.sent_ns + patience - now
        if left <= 0:
            snd.mark_lost(record)
        else:
            wait = max(wait, left)
    return wait
