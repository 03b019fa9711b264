"""Output: what of the stream leaves now, and the timer that waits for its acknowledgment."""

from smolctl.stack import reason
from smolctl.stack.alarm import NEVER
from smolctl.stack.interface import Interface
from smolctl.stack.reason import Reason
from smolctl.stack.transport.tcp.handover import hand_over_queued
from smolctl.stack.transport.tcp.loss import Phase
from smolctl.stack.transport.tcp.segment import (
    payload_room,
    send_ack,
    send_last,
    sync_mss,
    transmit,
)
from smolctl.stack.transport.tcp.send import RECORD_OVERHEAD, Buffer, Sent
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.stack.transport.tcp.timers import TimerKind
from smolctl.wire.tcp import FIN, PSH, SYN

_SENDING = frozenset(
    {State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK}
)
_NO_TIMER, _RETRANSMIT = TimerKind.NONE, TimerKind.RETRANSMIT
_PROBE, _PERSIST, _OPEN = TimerKind.PROBE, TimerKind.PERSIST, Phase.OPEN
OUTBOX_SHARE = 512
"""Frames in an interface's outbox beyond which a connection waits (Linux TCP small queues)."""
_CORK_NS = 200_000_000
"""Time for which TCP_CORK holds a segment back (tcp(7))."""
_DELACK_MAX_NS = 200_000_000
_LEAST_PROBE_NS = 8_000_000
"""Added to two round trips before the tail is probed (Linux TCP_TIMEOUT_MIN, 2 jiffies of 4 ms)."""


def output(table: TcpTable, socket: TcpSocket, now: int, *, force: bool = False) -> None:
    """Send what may leave now: what was lost, then what is new, else an acknowledgment that is due.

    Args:
        force: one segment leaves though it is small, or the window is (a window probe, RFC 9293
            3.8.6.1).
    """
    if socket.state in _SENDING:
        if socket.generation != table.generation.number:
            sync_mss(table, socket)
        if socket.snd.lost and socket.loss.frto != 2:
            _send_lost(table, socket, now)
        if socket.handover is not None and socket.snd.unsent:
            hand_over_queued(table, socket, now)
        if socket.snd.unsent or (socket.snd.fin and not socket.snd.fin_sent):
            _send_new(table, socket, now, force=force)
        arm(table, socket, now)
    elif socket.state is State.SYN_SENT and not socket.snd.records[0].times:
        send_syn(table, socket, now)
    if socket.ack_now:
        send_ack(table, socket, now)


def send_syn(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Send our first SYN, or wait until the interface has room for it.

    In a burst of these, one that the link's queue refused would be tried again after a second only.
    """
    record = socket.snd.records[0]
    record.times, record.sent_ns = 0, now
    if not crowded(table, socket):
        record.times, socket.retry_since_ns = 1, now
        transmit(table, socket, record.seq, record.flags, (), now)
    set_timer(table, socket, TimerKind.RETRANSMIT, now + socket.rtt.rto_ns)


def send_at_once(table: TcpTable, socket: TcpSocket, data: Buffer, now: int) -> bool:
    """Send what fits into one segment and was never queued; False when something is in the way.

    Args:
        data: at most ``socket.mss`` bytes.

    It does what ``output`` does with it, by a known flow, of a connection that is calm.
    """
    snd, window, flow, size = socket.snd, socket.window, socket.flow, len(data)
    generation = table.generation.number
    if (
        flow is None or flow.generation != generation or socket.generation != generation
        or socket.state is not State.ESTABLISHED
        or snd.unsent or snd.lost or snd.urgent is not None
        or socket.cork or socket.rcv.out_of_order or socket.rcv.duplicate is not None
        or size > snd.una + snd.wnd - snd.nxt
        or snd.unacked + RECORD_OVERHEAD * snd.crumbs + size > socket.sndbuf
    ):  # fmt: skip
        return False
    if not snd.records:
        if not socket.loss.delivered_ns or now - window.used_ns > socket.rtt.rto_ns:
            _begin_flight(socket, now)
    elif size > window.cwnd - snd.pipe or (
        size < socket.mss and snd.small_end > snd.una and not socket.nodelay
    ):
        return False
    if len(flow.out.outbox) >= OUTBOX_SHARE and crowded(table, socket):
        return False
    window.limited = False
    buffers = (bytes(data),)
    if not socket.timestamps or socket.ecn:
        _send_buffers(table, socket, buffers, size, now, fin=False)
    else:
        if size < socket.mss:
            snd.small_end = snd.nxt + size
        send_last(table, socket, Sent(snd.nxt, snd.nxt + size, buffers, PSH, now), size)
    if len(snd.records) == 1 and socket.timer is _NO_TIMER and not socket.retries:
        _arm_alone(table, socket, now)
    else:
        arm(table, socket, now)
    return True


def send_fin_at_once(table: TcpTable, socket: TcpSocket, now: int) -> bool:
    """Send FIN when nothing else is to be sent or acknowledged; False when something is in the way.

    It does what ``output`` does, by a known flow, also at the end of this turn.
    """
    snd, flow, rcv = socket.snd, socket.flow, socket.rcv
    generation = table.generation.number
    if (
        flow is None or flow.generation != generation or socket.generation != generation
        or snd.unsent or snd.records or snd.urgent is not None or snd.una + snd.wnd <= snd.nxt
        or rcv.out_of_order or rcv.duplicate is not None
        or not socket.timestamps or socket.ecn or socket.state not in _SENDING
        or crowded(table, socket)
    ):  # fmt: skip
        return False
    socket.waits_for, socket.window.limited = None, False
    _begin_flight(socket, now)
    snd.fin_sent = True
    send_last(table, socket, Sent(snd.nxt, snd.nxt + 1, (), FIN, now), 0)
    arm(table, socket, now)
    if not socket.ack_now:
        table.pending.pop(socket, None)
    return True


def _send_lost(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Send again what is believed to be lost, as far as the window allows."""
    snd, window, room = socket.snd, socket.window, payload_room(socket)
    index, records = 0, snd.records
    while index < len(records):
        record = records[index]
        if record.lost and not record.again:
            if snd.pipe and snd.pipe + min(record.size, socket.mss) > window.cwnd:
                return
            if crowded(table, socket):
                return
            snd.cut(index, _again_size(table, socket, room))
            if not retransmit(table, socket, record, now):
                return
        index += 1


def _again_size(table: TcpTable, socket: TcpSocket, room: int) -> int:
    """Return how much of what was lost is sent again at once."""
    flow, window = socket.flow, socket.window
    if flow is None or flow.generation != table.generation.number:
        return room
    return max(min(window.cwnd - socket.snd.pipe, flow.largest) // room, 1) * room


def retransmit(table: TcpTable, socket: TcpSocket, record: Sent, now: int) -> bool:
    """Send a record once more; False when it was refused."""
    snd, loss, stats = socket.snd, socket.loss, socket.stats
    flags = record.flags & (SYN | FIN | PSH)
    noted = loss.note
    loss.note = noted or loss.why
    sent = transmit(table, socket, record.seq, flags, record.buffers, now)
    loss.note = noted
    if not sent:
        return False
    snd.mark_again(record, now)
    loss.prr_out += record.size
    if loss.retransmitted is None:
        loss.retransmitted = now
    if loss.undo is not None:
        loss.undo_left += 1
    size = sum(map(len, record.buffers))
    number = -(-size // socket.mss) or 1
    stats.retrans += number
    stats.syns_again += bool(flags & SYN)
    stats.bytes_retrans += size
    table.recorder.count("tcp.segments_retransmitted", number)
    return True


def crowded(table: TcpTable, socket: TcpSocket) -> bool:
    """Tell whether the interface has enough to do: the connection goes on when that has left."""
    out = socket.out
    if out is None or len(device_of(out).outbox) < OUTBOX_SHARE:
        return False
    table.throttled[socket] = None
    return True


def device_of(interface: Interface) -> Interface:
    """Return the interface whose device sends what an interface does: of a VLAN, the one below."""
    return interface.passed[-1]


def _send_new(table: TcpTable, socket: TcpSocket, now: int, *, force: bool) -> None:
    """Send what was never sent, as far as both windows allow (RFC 9293 3.8.6.2.1; RFC 5681)."""
    snd, window = socket.snd, socket.window
    window.limited = False
    if not snd.records:
        socket.waits_for = None
        _begin_flight(socket, now)
    if snd.unsent > socket.mss and not _send_full(table, socket, now):
        return
    while snd.unsent or (snd.fin and not snd.fin_sent):
        size = _next_size(table, socket)
        fin = snd.fin and size == snd.unsent
        allowed = snd.una + snd.wnd - snd.nxt
        if size + fin > allowed:
            # RFC 9293 3.8.6.2.1 (3): half of the largest window is worth a segment, less is not.
            size, fin = max(allowed, 0), False
            if size <= 0 or not (force or 2 * size >= snd.max_wnd or size >= socket.mss):
                return
        elif size < socket.mss and not fin and not force and _waits(socket, size):
            _note_wait(table, socket, reason.TCP_NAGLE, now)
            return
        quota = window.cwnd - snd.pipe
        if size + fin > quota and snd.pipe:
            window.limited = True
            _note_wait(table, socket, reason.TCP_CWND_FULL, now)
            return
        if crowded(table, socket) or not _send_piece(table, socket, size, fin, now):
            return
        force = False


def _note_wait(table: TcpTable, socket: TcpSocket, why: Reason, now: int) -> None:
    """Note why data waits; once until all is acknowledged."""
    if socket.waits_for is why:
        return
    socket.waits_for = why
    cause = "cork" if socket.cork else "nagle"
    values = {"cause": cause} if why is reason.TCP_NAGLE else {"cwnd": socket.window.cwnd}
    table.note(why, socket, now, held=socket.snd.unsent, **values)


def _send_full(table: TcpTable, socket: TcpSocket, now: int) -> bool:
    """Send full segments as long as nothing is in the way, as many at once as a known flow takes.

    Returns: False when the interface has enough to do, or refused one.
    """
    snd, window, flow, room = socket.snd, socket.window, socket.flow, payload_room(socket)
    if flow is None or flow.generation != table.generation.number:
        return True
    edge, largest = snd.una + snd.wnd, flow.largest
    while True:
        allowed = min(snd.unsent, edge - snd.nxt, window.cwnd - snd.pipe, largest)
        if allowed < room or (snd.fin and snd.unsent <= largest):
            return True
        if crowded(table, socket) or not _send_piece(
            table, socket, allowed // room * room, False, now
        ):
            return False


def _next_size(table: TcpTable, socket: TcpSocket) -> int:
    """Return how much leaves next: a segment, or as many full ones as the fast path takes at once.

    Neither window may cut a segment short that stands for many: these are whole ones.
    """
    snd, room, flow = socket.snd, payload_room(socket), socket.flow
    if snd.unsent <= room or flow is None or flow.generation != table.generation.number:
        return min(snd.unsent, room)
    allowed = min(snd.una + snd.wnd - snd.nxt, socket.window.cwnd - snd.pipe, flow.largest)
    return max(min(snd.unsent, allowed) // room, 1) * room


def whole_pieces(socket: TcpSocket, room: int) -> int:
    """Return how much of ``room`` to fill so that nothing is left behind pieces as they leave.

    What is left would be a segment of its own, which costs as much as many.
    """
    flow, mss = socket.flow, socket.mss
    if flow is None:
        return room
    piece = max(flow.largest // mss, 1) * mss
    return room - (socket.snd.unsent + room) % piece if room >= piece else room


def _waits(socket: TcpSocket, size: int) -> bool:
    """Tell whether a segment that is not full waits for more to send (RFC 9293 3.7.4; Minshall).

    It does while an earlier one that was not full is under way. What is left in the buffer behind a
    payload that is small for its options alone is no such segment.
    """
    snd = socket.snd
    if size < snd.unsent:
        return False
    if socket.cork:
        return True
    return not socket.nodelay and bool(snd.records) and snd.small_end > snd.una


def _send_piece(table: TcpTable, socket: TcpSocket, size: int, fin: bool, now: int) -> bool:
    """Send the next ``size`` bytes for the first time, with FIN or not."""
    buffers = socket.snd.take(size) if size else ()
    return _send_buffers(table, socket, buffers, size, now, fin=fin)


def _send_buffers(
    table: TcpTable, socket: TcpSocket, buffers: tuple[Buffer, ...], size: int, now: int, *,
    fin: bool,
) -> bool:  # fmt: skip
    """Send buffers of ``size`` bytes, which are next in the stream."""
    snd, loss = socket.snd, socket.loss
    socket.window.used_ns = now
    flags = FIN if fin else 0
    if size and not snd.unsent:
        flags |= PSH  # RFC 9293 3.9.1.2: when there is no more to send
    seq = snd.nxt
    record = Sent(seq, seq + size + fin, buffers, flags, now)
    record.delivered, record.delivered_ns = loss.delivered, loss.delivered_ns
    record.app_limited = not snd.unsent
    if size and size < socket.mss:
        snd.small_end = record.end
    snd.push(record, size)
    snd.fin_sent = snd.fin_sent or fin
    loss.prr_out += size + fin
    if socket.ack_ns < NEVER:
        socket.pingpong = True  # the program answers: what it says acknowledges what it got
    # Whether it leaves or not, it is on its way: the timer sends it again.
    return transmit(table, socket, seq, flags, buffers, now, ecn=bool(size))


def _begin_flight(socket: TcpSocket, now: int) -> None:
    """Note when data began to be in flight; begin anew after a long silence (RFC 5681 4.1)."""
    window, loss = socket.window, socket.loss
    if not loss.delivered_ns:
        loss.delivered_ns = now
    idle = now - window.used_ns
    if window.used_ns and idle > socket.rtt.rto_ns and window.restart:
        # Linux tcp_cwnd_restart: halved for each timeout of silence, not below the initial window.
        window.ssthresh = max(window.ssthresh, window.cwnd * 3 // 4)
        halvings = min(idle // socket.rtt.rto_ns, 30)
        window.cwnd = max(window.cwnd >> halvings, min(window.restart, window.cwnd))


# --- the timer ------------------------------------------------------------------------------------


def arm(table: TcpTable, socket: TcpSocket, now: int, *, restart: bool = False) -> None:
    """Start the timer that what is in flight needs, or what cannot leave (RFC 6298 5).

    Args:
        restart: new data was acknowledged (RFC 6298 5.3); an acknowledgment of nothing new leaves a
            timer that runs as it is.
    """
    snd, timer = socket.snd, socket.timer
    if snd.records:
        fresh = restart or timer is _NO_TIMER or timer is _PERSIST
        if restart or snd.records[-1].sent_ns == now:
            kind = _RETRANSMIT if fresh else timer
            if _arm_probe(table, socket, kind, now):
                return
        if fresh:
            _set(table, socket, _RETRANSMIT, now + socket.rtt.backed_off(socket.retries))
    elif snd.unsent or (snd.fin and not snd.fin_sent):
        if timer is not _PERSIST and socket not in table.throttled:
            wait = socket.rtt.backed_off(socket.window_probes)
            if socket.cork and snd.wnd >= socket.mss:
                wait = _CORK_NS
            _set(table, socket, _PERSIST, now + wait)
    elif timer is not _NO_TIMER:
        socket.timer, socket.timer_ns = _NO_TIMER, NEVER


def _arm_alone(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Do what ``arm`` does for all that is in flight: one segment, which has just left."""
    rtt, loss = socket.rtt, socket.loss
    kind, at_ns = _RETRANSMIT, now + rtt.rto_ns
    if (
        socket.sack and loss.tlp_end is None and rtt.sampled and table.defaults.tlp
        and (loss.phase is _OPEN or loss.phase is Phase.CWR)
    ):  # fmt: skip
        kind, at_ns = _PROBE, min(now + 2 * rtt.srtt_ns + _DELACK_MAX_NS, at_ns)
    socket.timer, socket.timer_ns = kind, at_ns
    if at_ns < socket.heap_ns:
        table.timers.set(socket)


def _set(table: TcpTable, socket: TcpSocket, kind: TimerKind, at_ns: int) -> None:
    socket.timer, socket.timer_ns = kind, at_ns
    if at_ns < socket.heap_ns:
        table.timers.set(socket)


def set_timer(table: TcpTable, socket: TcpSocket, kind: TimerKind, at_ns: int) -> None:
    """Have the retransmission timer go off at a time, for a purpose."""
    _set(table, socket, kind, at_ns)


def _arm_probe(table: TcpTable, socket: TcpSocket, timer: TimerKind, now: int) -> bool:
    """Have the tail of the flight probed before it times out, or then (RFC 8985 7.2).

    One probe at a time, and none before a round trip was measured since the last (7.3).

    Args:
        timer: the kind that runs, or is to run.

    Returns: whether the timer was set.
    """
    loss, snd, rtt = socket.loss, socket.snd, socket.rtt
    if (
        snd.sacked or socket.retries or not socket.sack or loss.tlp_end is not None
        or not rtt.sampled
        or (timer is not _RETRANSMIT and timer is not _PROBE)
        or (loss.phase is not _OPEN and loss.phase is not Phase.CWR)
        or socket.state not in _SENDING or not table.defaults.tlp
    ):  # fmt: skip
        return False
    wait = 2 * rtt.srtt_ns
    # The peer may delay the acknowledgment of a single segment.
    alone = len(snd.records) == 1 and snd.nxt - snd.una <= socket.mss
    wait += _DELACK_MAX_NS if alone else _LEAST_PROBE_NS
    timeout = snd.records[0].sent_ns + rtt.rto_ns
    if now < timeout:
        _set(table, socket, _PROBE, min(now + wait, timeout))
        return True
    if timer is _PROBE:
        _set(table, socket, _RETRANSMIT, now)
    return timer is _PROBE
