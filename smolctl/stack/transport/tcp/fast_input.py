"""The continuation of a stream: a segment with which nothing is wrong, and nothing to decide."""

from smolctl.stack.alarm import NEVER
from smolctl.stack.transport.tcp import rack
from smolctl.stack.transport.tcp.ack import ack_input, count_delivered, grow
from smolctl.stack.transport.tcp.ending import end
from smolctl.stack.transport.tcp.established import (
    learn_time,
    schedule_ack,
    sent_all,
    wake_writer,
)
from smolctl.stack.transport.tcp.incoming import Incoming
from smolctl.stack.transport.tcp.loss import Phase
from smolctl.stack.transport.tcp.opening import arm_keepalive
from smolctl.stack.transport.tcp.output import arm, set_timer
from smolctl.stack.transport.tcp.receive import Buffer
from smolctl.stack.transport.tcp.sequence import unwrap
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State, TcpEvent
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.stack.transport.tcp.timers import TimerKind
from smolctl.wire.tcp import FIN
from smolctl.wire.tcp_options import ALIGNED_TIMES, NO_OPTIONS

_MASK, _HALF = 0xFFFFFFFF, 1 << 31
_TIMES = int.from_bytes(ALIGNED_TIMES)
_ESTABLISHED, _LAST_ACK, _OPEN = State.ESTABLISHED, State.LAST_ACK, Phase.OPEN
_CLOSE_WAIT = State.CLOSE_WAIT
_CLOSING = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, _CLOSE_WAIT})
"""States in which one direction is closed, and the other goes on."""
_NO_TIMER, _PERSIST = TimerKind.NONE, TimerKind.PERSIST


def calm_input(
    table: TcpTable, socket: TcpSocket, fields: tuple[int, ...], payload: Buffer, size: int,
    now: int,
) -> bool:  # fmt: skip
    """Take a segment that continues the stream of a connection that has lost nothing.

    This is ``stream_input`` for nearly all segments of nearly all connections, in one piece.

    Args:
        fields: of its header, with a timestamp for its only option: ports, sequence number,
            acknowledgment, length and flags, window, checksum, urgent pointer, what kind of option
            it is, TSval, TSecr.
        size: payload of each of the segments that it stands for.

    Returns: whether it was taken; False leaves everything as it was.
    """
    snd, rcv, loss = socket.snd, socket.rcv, socket.loss
    _, _, seq, ack, _, window, _, _, option, value, _ = fields
    acked, length = (ack - snd.una) & _MASK, len(payload)
    recent = rcv.ts_recent
    newer = (value - recent) & _MASK if recent is not None else _HALF
    state = socket.state
    if state is not _ESTABLISHED:
        if state is _LAST_ACK:
            return _last_input(table, socket, fields, length)
        if state not in _CLOSING or (state is _CLOSE_WAIT and (length or fields[4] & FIN)):
            return False
    if (
        option != _TIMES or not (socket.timestamps and socket.sack and window)
        or (seq - rcv.nxt) & _MASK or rcv.nxt < snd.wl1
        or acked > snd.nxt - snd.una
        or newer >= _HALF
        or snd.sacked or snd.lost or snd.again
        or loss.phase is not _OPEN or loss.tlp_end is not None
        or rcv.out_of_order or rcv.fin is not None
        or rcv.nxt + length > rcv.edge
        or (length and (socket.closed or socket.receive_shut))
        or socket.flow is None
    ):  # fmt: skip
        return False
    window <<= snd.scale
    una = snd.una + acked
    if window > snd.max_wnd or snd.una + snd.wnd - una - window >= 1 << snd.scale:
        return False
    number = -(-length // size) if length > size else 1
    socket.stats.segs_in += number
    table.recorder.count("tcp.segments_received", number)
    if rcv.nxt <= rcv.acked:  # RFC 7323 4.3
        rcv.ts_recent, rcv.ts_recent_ns = (recent or 0) + newer, now
    socket.heard_ns = now
    snd.wl1, snd.wl2, snd.wnd = rcv.nxt, una, window
    socket.zero_since_ns = socket.window_probes = socket.probes = 0
    if acked:
        records = snd.records
        if len(records) == 1 and records[0].end == una and records[0].times == 1:
            _all_acknowledged(table, socket, una, acked, now)
        else:
            _acknowledged(table, socket, una, acked, now)
    elif socket.timer is _PERSIST and not snd.records:
        set_timer(table, socket, TimerKind.NONE, NEVER)
    if socket.keepalive:
        arm_keepalive(table, socket, now)
    if state is not _ESTABLISHED:
        sent_all(table, socket, now)
    if length:
        _text_input(table, socket, payload, size, now)
    elif not socket.ready:
        wake_writer(socket)
    if socket.ack_now or snd.unsent:
        table.pending[socket] = None
    return True


def _text_input(
    table: TcpTable, socket: TcpSocket, payload: Buffer, size: int, now: int
) -> None:  # fmt: skip
    """Take payload that is next in the stream, of segments of a size."""
    stats, rcv, length = socket.stats, socket.rcv, len(payload)
    stats.data_segs_in += -(-length // size) if length > size else 1
    stats.bytes_received += length
    rcv.accept_next(payload, length, size)
    if not socket.ack_now:
        schedule_ack(table, socket, now, filled=False)
    if not socket.ready:
        socket.wake()


def _last_input(
    table: TcpTable, socket: TcpSocket, fields: tuple[int, ...], length: int
) -> bool:  # fmt: skip
    """Take the acknowledgment of our FIN, with which a connection is over that the peer closed."""
    snd, rcv, recent = socket.snd, socket.rcv, socket.rcv.ts_recent
    _, _, seq, ack, words, _, _, _, option, value, _ = fields
    if (
        length or words & FIN or option != _TIMES or not socket.timestamps or recent is None
        or (value - recent) & _MASK >= _HALF
        or (seq - rcv.nxt) & _MASK or (ack - snd.nxt) & _MASK
        or snd.unsent or not snd.fin_sent or socket.flow is None
        or socket.loss.phase is not _OPEN or socket.loss.tlp_end is not None
    ):  # fmt: skip
        return False
    socket.stats.segs_in += 1
    table.recorder.count("tcp.segments_received")
    socket.stats.bytes_acked += snd.unacked
    snd.acknowledge(snd.nxt)
    end(table, socket, TcpEvent.ACK_OF_FIN)
    return True


def _all_acknowledged(table: TcpTable, socket: TcpSocket, una: int, acked: int, now: int) -> None:
    """Do what ``_acknowledged`` does when all that is in flight left in one piece, and arrived."""
    snd, window, loss = socket.snd, socket.window, socket.loss
    record = snd.records.pop()
    buffers, sent_ns = record.buffers, record.sent_ns
    snd.una = una
    size = len(buffers[0]) if len(buffers) == 1 else sum(map(len, buffers))
    snd.unacked -= size
    if record.small:
        snd.crumbs -= 1
    socket.stats.bytes_acked += size
    if socket.flow is not None:
        socket.flow.confirm(now)
    socket.retries = 0
    socket.rtt.sample(now - sent_ns, now)
    if una > loss.forward:
        loss.forward = una
    if sent_ns > loss.rack_ns or (
        sent_ns == loss.rack_ns and not loss.rack_again and una > loss.rack_end
    ):
        loss.rack_ns, loss.rack_again, loss.rack_end = sent_ns, False, una
        loss.rack_rtt_ns = now - sent_ns
    count_delivered(socket, acked, record, now)
    if window.limited or window.cwnd < window.ssthresh:
        # ``grow`` with nothing in flight.
        if una > loss.round_end:
            loss.round_end = snd.nxt
            socket.controller.on_round(window, una)
        if window.limited or window.cwnd < 2 * acked:
            socket.controller.on_ack(window, acked, socket.rtt.latest_ns, now)
    if snd.unsent or snd.fin:
        arm(table, socket, now, restart=True)
    else:
        socket.timer, socket.timer_ns = _NO_TIMER, NEVER


def _acknowledged(table: TcpTable, socket: TcpSocket, una: int, acked: int, now: int) -> None:
    """Take note that so many bytes more arrived, which were all sent once."""
    snd, window = socket.snd, socket.window
    unacked = snd.unacked
    gone = snd.acknowledge(una)
    socket.stats.bytes_acked += unacked - snd.unacked
    if socket.flow is not None:
        socket.flow.confirm(now)
    socket.retries = 0
    socket.rtt.sample(now - gone[0].sent_ns, now)
    for record in gone:
        rack.delivered(socket, record, now, None)
    count_delivered(socket, acked, gone[-1], now)
    if window.limited or window.cwnd < window.ssthresh:
        grow(socket, acked, now)
    arm(table, socket, now, restart=True)


def stream_input(
    table: TcpTable, socket: TcpSocket, segment: Incoming, size: int, number: int
) -> bool:
    """Take a segment that is next in the stream, or acknowledges; False for any other.

    Args:
        size: payload of each of the segments that it stands for.
        number: how many these are.

    It does what ``established.socket_input`` does with each of them.
    """
    rcv, snd, now = socket.rcv, socket.snd, segment.now
    if socket.state is not State.ESTABLISHED or table.connections.get(socket.ends) is not socket:
        return False
    segment.place(rcv.nxt, snd.una)
    length, options = len(segment.payload), segment.options
    times = options.timestamps
    if (
        segment.seq != rcv.nxt
        or rcv.blocks
        or rcv.fin is not None
        or segment.end > rcv.edge
        or not snd.una <= segment.ack <= snd.nxt
        or (length and (socket.closed or socket.receive_shut))
        or options.user_timeout_s is not None
        or (times is None) == socket.timestamps
        or (not socket.timestamps and options is not NO_OPTIONS)
    ):
        return False
    recent = rcv.ts_recent
    if times is not None and recent is not None and unwrap(times[0], recent) < recent:
        return False  # the layered path tells why it is dropped (RFC 7323 5)
    socket.stats.segs_in += number
    table.recorder.count("tcp.segments_received", number)
    learn_time(socket, segment, now)
    socket.heard_ns = now
    ack_input(table, socket, segment, now)
    if socket.keepalive:
        arm_keepalive(table, socket, now)
    wake_writer(socket)
    if length:
        _text_input(table, socket, segment.payload, size, now)
    table.want_output(socket)
    return True
