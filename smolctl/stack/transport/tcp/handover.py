"""Connections between two sockets of this stack: what one sends is handed over to the other.

Both ends are here, so what one of them writes can be put into the other's stream, and nothing is
lost by leaving segments and acknowledgments out. Everything but data in order stays with the
layered path: handshakes, FIN, urgent data, a closed window. What waits in the loopback's queue is
never overtaken.
"""

from smolctl.stack import reason
from smolctl.stack.alarm import NEVER
from smolctl.stack.transport.tcp.loss import Phase
from smolctl.stack.transport.tcp.opening import arm_keepalive
from smolctl.stack.transport.tcp.send import Buffer
from smolctl.stack.transport.tcp.socket import Handover, TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.stack.transport.tcp.timers import TimerKind

_MASK = 0xFFFFFFFF
_SENDING = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})
_TAKING = frozenset({State.ESTABLISHED, State.FIN_WAIT_2})


def _usable(table: TcpTable, socket: TcpSocket, handover: Handover) -> bool:
    """Tell whether nothing stands between the two ends, and nothing but data is to be told."""
    other, snd = handover.other, socket.snd
    rcv = other.rcv
    return not (
        handover.queue
        or handover.generation != table.generation.number
        or snd.records
        or socket.state not in _SENDING
        or other.state not in _TAKING
        or (snd.nxt - rcv.nxt) & _MASK
        or rcv.out_of_order or rcv.fin is not None or rcv.duplicate is not None
        or other.closed or other.receive_shut
        or socket.cork or snd.urgent is not None or socket.ecn
    )  # fmt: skip


def hand_over(table: TcpTable, socket: TcpSocket, data: Buffer, now: int) -> int:
    """Give the other end what was never queued, as far as it has room; return how many bytes."""
    handover = socket.handover
    if handover is None or socket.snd.unsent or not _usable(table, socket, handover):
        return 0
    return _give(table, socket, handover, data, now)


def hand_over_queued(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Give the other end what is queued, as far as it has room."""
    handover, snd = socket.handover, socket.snd
    if handover is None or not _usable(table, socket, handover):
        return
    full = not socket.has_room
    while snd.unsent:
        room = handover.other.rcv.room(handover.other.rcvbuf)
        if not room:
            break
        for buffer in snd.take(min(room, snd.unsent)):
            _give(table, socket, handover, buffer, now)
    if full and socket.has_room:
        socket.wake()


def _give(
    table: TcpTable, socket: TcpSocket, handover: Handover, data: Buffer, now: int
) -> int:  # fmt: skip
    other, snd = handover.other, socket.snd
    rcv, size = other.rcv, len(data)
    room = rcv.room(other.rcvbuf)
    if room < size:
        if not room:
            return 0
        data, size = memoryview(data)[:room], room
    mss = socket.mss
    number = 1 if size <= mss else -(-size // mss)
    rcv.accept(rcv.nxt, data, mss if size > mss else size)
    rcv.acked = rcv.nxt
    other.ack_now, other.ack_ns = False, NEVER
    if other.snd.records:
        _acknowledge(socket, other, now)
    snd.una = snd.nxt = snd.nxt + size
    snd.wnd = rcv.tell_window(other.rcvbuf, other.mss) << snd.scale
    if not snd.wnd and not socket.zero_since_ns:
        socket.zero_since_ns = now
        table.note(reason.TCP_ZERO_WINDOW, socket, now, held=snd.unsent)
    socket.window.used_ns = socket.heard_ns = other.heard_ns = now
    for end in (socket, other):
        if end.keepalive:
            arm_keepalive(table, end, now)
    _count(table, socket, handover, size, number)
    other.wake()
    return size


def _acknowledge(socket: TcpSocket, other: TcpSocket, now: int) -> None:
    """Acknowledge what segments have brought before, as the data that is handed over would."""
    snd, loss = other.snd, other.loss
    calm = not (snd.sacked or snd.lost or snd.again or snd.fin_sent) and loss.phase is Phase.OPEN
    if not calm or (snd.nxt - socket.rcv.nxt) & _MASK:
        return
    size, full = snd.unacked, not other.has_room
    snd.acknowledge(snd.nxt)
    other.stats.bytes_acked += size
    loss.delivered += size
    loss.delivered_ns, loss.tlp_end = now, None
    other.timer, other.timer_ns, other.retries = TimerKind.NONE, NEVER, 0
    socket.rcv.acked = socket.rcv.nxt
    socket.ack_now, socket.ack_ns = False, NEVER
    if full:
        other.wake()


def _count(
    table: TcpTable, socket: TcpSocket, handover: Handover, size: int, number: int
) -> None:  # fmt: skip
    """Count the segments that were left out."""
    sent, received = socket.stats, handover.other.stats
    sent.segs_out += number
    sent.data_segs_out += number
    sent.bytes_sent += size
    sent.bytes_acked += size
    received.segs_in += number
    received.data_segs_in += number
    received.bytes_received += size
    count, counters = table.recorder.count, handover.out.counters
    count("tcp.segments_sent", number)
    count("tcp.segments_received", number)
    counters.looped_packets += number
    counters.looped_bytes += size + number * handover.headers_len


def tell_window(table: TcpTable, socket: TcpSocket) -> bool:
    """Let the other end know at once that the window has opened; False leaves it to a segment."""
    handover = socket.handover
    if handover is None or handover.queue or handover.generation != table.generation.number:
        return False
    other = handover.other
    snd, rcv = other.snd, socket.rcv
    if other.state not in _SENDING or snd.records or (snd.nxt - rcv.nxt) & _MASK:
        return False
    snd.wnd = rcv.tell_window(socket.rcvbuf, socket.mss) << snd.scale
    snd.max_wnd = max(snd.max_wnd, snd.wnd)
    if snd.wnd:
        other.zero_since_ns = other.window_probes = 0
    if snd.unsent:
        table.want_output(other)
    return True
