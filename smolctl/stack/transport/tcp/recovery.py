"""Recovery: the congestion window after a loss, a mark or a timeout, and when that was wrong.

The phases are those of Linux (tcp_input.c): OPEN, CWR after a congestion mark, RECOVERY after a
loss that acknowledgments told of (RFC 6675, RFC 6937), LOSS after a timeout (RFC 5681, RFC 5682).
"""

from smolctl.stack import reason
from smolctl.stack.trace.trace import Struck
from smolctl.stack.transport.tcp import rack
from smolctl.stack.transport.tcp.loss import Phase
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.table import TcpTable


def _begin(socket: TcpSocket, phase: Phase, now: int) -> None:
    """Bring the threshold down and remember where the window was."""
    loss, window, snd = socket.loss, socket.window, socket.snd
    loss.prior_cwnd, loss.prior_ssthresh = window.cwnd, window.ssthresh
    flight = snd.nxt - snd.una
    window.ssthresh = socket.controller.reduced(window, flight, now)
    loss.phase, loss.high = phase, snd.nxt
    loss.undo, loss.undo_left, loss.retransmitted = snd.una, 0, None
    loss.prr_delivered = loss.prr_out = 0
    loss.tlp_end = None
    loss.prr_base = max(flight, 1)
    socket.cwr = True


def enter_recovery(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Begin to repair a loss that acknowledgments told of (RFC 6675 5)."""
    _begin(socket, Phase.RECOVERY, now)
    detail = table.note(reason.TCP_FAST_RETRANSMIT, socket, now, lost=socket.snd.lost)
    socket.loss.why = Struck(reason.TCP_FAST_RETRANSMIT, detail)


def enter_cwr(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Reduce the window because a router marked a segment (RFC 3168 6.1.2)."""
    _begin(socket, Phase.CWR, now)
    socket.loss.undo = None


def enter_loss(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Begin anew after a timeout (RFC 5681 3.1; RFC 6298 5.4): what is in flight is lost.

    With SACK, what was sent less than a round trip ago is not, yet (RFC 8985 6.3).
    """
    loss, snd, window = socket.loss, socket.snd, socket.window
    head = snd.records[0] if snd.records else None
    if head is not None and head.sacked:
        snd.forget_sacks()  # the peer threw it away (RFC 2018 8)
    again = loss.phase is Phase.LOSS or socket.retries
    # RFC 5682: only the first timeout of data that was never sent again may be a spurious one.
    loss.frto = int(bool(
        table.settings["tcp.frto"] and not again and loss.phase is not Phase.RECOVERY
        and head is not None and head.times == 1
    ))  # fmt: skip
    if loss.phase in (Phase.OPEN, Phase.CWR) or (not again and snd.una >= loss.high):
        _begin(socket, Phase.LOSS, now)
    loss.phase, loss.high = Phase.LOSS, snd.nxt
    socket.controller.reset()
    window.cwnd = socket.mss
    patience = loss.rack_rtt_ns + rack.reorder_window(socket) if socket.sack else 0
    for record in snd.records:
        if not record.sacked and (record is head or record.sent_ns + patience <= now):
            snd.mark_lost(record)
    loss.dupacks, loss.tlp_end, snd.dups = 0, None, 0


def reduce_rate(socket: TcpSocket, delivered: int, *, advanced: bool) -> None:
    """Set the window so that it comes down in proportion to what arrives (RFC 6937 3).

    Args:
        advanced: the acknowledgment moved on and no further loss was found, so that the window may
            grow as in slow start.
    """
    loss, snd, window = socket.loss, socket.snd, socket.window
    if not delivered and loss.prr_out:
        return
    loss.prr_delivered += delivered
    pipe = snd.pipe
    if pipe > window.ssthresh:
        share = -(-loss.prr_delivered * window.ssthresh // loss.prr_base)
        count = share - loss.prr_out
    else:
        count = max(loss.prr_delivered - loss.prr_out, delivered)
        if advanced:
            count += socket.mss
        count = min(window.ssthresh - pipe, count)
    if not loss.prr_out:
        count = max(count, socket.mss)  # the first retransmission leaves in any case
    window.cwnd = pipe + max(count, 0)


def leave(socket: TcpSocket) -> None:
    """End a recovery: all that was in flight when it began is acknowledged."""
    loss, window = socket.loss, socket.window
    if loss.phase in (Phase.CWR, Phase.RECOVERY):
        window.cwnd = window.ssthresh
    if loss.phase is not Phase.CWR:
        rack.recovered(socket)
    loss.phase, loss.undo, loss.frto, loss.dupacks = Phase.OPEN, None, 0, 0
    loss.retransmitted, loss.why, socket.snd.dups = None, None, 0


def take_back(table: TcpTable, socket: TcpSocket, cause: str, now: int) -> None:
    """Take a reduction back: nothing was lost (RFC 3522, RFC 3708, RFC 5682)."""
    loss, window, snd = socket.loss, socket.window, socket.snd
    snd.unmark()
    window.cwnd = max(window.cwnd, loss.prior_cwnd)
    window.ssthresh = max(window.ssthresh, loss.prior_ssthresh)
    loss.phase, loss.undo, loss.frto, loss.dupacks = Phase.OPEN, None, 0, 0
    loss.retransmitted, loss.why, snd.dups = None, None, 0
    socket.retries, socket.cwr = 0, False
    socket.stats.spurious += 1
    table.note(reason.TCP_SPURIOUS_RETRANSMIT, socket, now, cause=cause)
