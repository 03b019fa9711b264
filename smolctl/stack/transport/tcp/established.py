"""Segments of connections whose handshake is over, or all but (RFC 9293 3.10.7.4)."""

from smolctl.stack import reason
from smolctl.stack.alarm import NEVER
from smolctl.stack.trace.trace import Fate
from smolctl.stack.transport.tcp.ack import ack_input
from smolctl.stack.transport.tcp.ending import await_fin, end, fail, move, time_wait
from smolctl.stack.transport.tcp.incoming import Incoming
from smolctl.stack.transport.tcp.opening import arm_keepalive, opened
from smolctl.stack.transport.tcp.receive import BLOCK_OVERHEAD
from smolctl.stack.transport.tcp.reset import (
    answer_reset,
    answer_unacceptable,
    challenge,
    reject,
)
from smolctl.stack.transport.tcp.segment import send_ack
from smolctl.stack.transport.tcp.sequence import unwrap
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import HAS_FIN, MAY_RECEIVE, State, TcpEvent
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.wire.tcp import ACK, CWR, FIN, RST, SYN, URG

_CE = 3
"""The codepoint "congestion experienced" (RFC 3168 5)."""
_PAWS_NS = 24 * 86_400_000_000_000
"""Time for which a timestamp counts: half of the numbers of a clock of 1 ms (RFC 7323 5.5)."""
_ATO_MIN_NS, _ATO_MAX_NS = 40_000_000, 200_000_000
"""Delay of an acknowledgment: below 500 ms (RFC 9293 3.8.6.3, MUST-40)."""


def socket_input(table: TcpTable, socket: TcpSocket, segment: Incoming) -> None:
    """Take a segment of a connection, in the order of RFC 9293 3.10.7.4."""
    now, packet = segment.packet.now, segment.packet
    segment.place(socket.rcv.nxt, socket.snd.una)
    socket.stats.segs_in += 1
    if not _acceptable(table, socket, segment, now):
        return
    socket.heard_ns = now
    if not segment.flags & ACK:
        packet.record(reason.TCP_FLAGS_INVALID, cause="ack", **_named(socket))
        return
    if not _acknowledges(table, socket, segment, now):
        return
    ack_input(table, socket, segment, now)
    if socket.keepalive and socket.keepalive_ns is not NEVER:
        arm_keepalive(table, socket, now)
    if sent_all(table, socket, now):
        packet.trace.settle(Fate.ABSORBED, now)
        return
    if segment.flags & URG:
        _urgent(socket, segment)
    if segment.payload or segment.flags & FIN:
        text_input(table, socket, segment, now)
    else:
        packet.trace.settle(Fate.ABSORBED, now)
    if socket.state is not State.CLOSED:
        table.want_output(socket)


def _named(socket: TcpSocket) -> dict[str, object]:
    ends = socket.ends
    return {"peer": (ends.peer, ends.peer_port), "port": ends.port}


# --- acceptable -----------------------------------------------------------------------------------


def _acceptable(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> bool:
    """Check time, place, RST and SYN; what is not acceptable is recorded and answered."""
    rcv, packet, flags = socket.rcv, segment.packet, segment.flags
    if _is_old(socket, segment, now) and not flags & RST:
        packet.record(reason.TCP_PAWS, **_named(socket))
        answer_unacceptable(table, socket, segment, now)
        return False
    answers_syn = flags & (SYN | ACK | RST) == SYN | ACK and segment.seq == rcv.irs
    if answers_syn and socket.state is not State.SYN_RECEIVED:
        # The answer to our SYN again: our acknowledgment was lost, or not taken.
        socket.syn_acks += 1
        _old(table, socket, segment, now)
        return False
    if segment.end < rcv.acked or segment.seq > max(rcv.edge, rcv.nxt):
        _outside(table, socket, segment, now)
        return False
    if flags & RST:
        _reset_input(table, socket, segment, now)
        return False
    learn_time(socket, segment, now)
    if flags & SYN and not _completes_simultaneous(socket, segment):
        # RFC 5961 4.2: a peer that has restarted answers with RST.
        packet.record(reason.TCP_SYN_IN_WINDOW, **_named(socket))
        challenge(table, socket, segment, now)
        return False
    return True


def _is_old(socket: TcpSocket, segment: Incoming, now: int) -> bool:
    """Tell whether a segment is from long ago by its timestamp (PAWS, RFC 7323 5).

    One without a timestamp is taken, as in Linux: peers that leave it out are there.
    """
    rcv, times = socket.rcv, segment.options.timestamps
    if not socket.timestamps or times is None or rcv.ts_recent is None:
        return False
    value = unwrap(times[0], rcv.ts_recent)
    if value >= rcv.ts_recent or now - rcv.ts_recent_ns > _PAWS_NS:
        return False
    # A pure acknowledgment that was overtaken does no harm (Linux tcp_disordered_ack).
    same = segment.seq == rcv.nxt and not segment.size and segment.ack == socket.snd.una
    window = segment.header.window << socket.snd.scale
    recent = (rcv.ts_recent - value) * 1_000_000 <= socket.rtt.rto_ns
    return not (same and window == socket.snd.wnd and recent)


def learn_time(socket: TcpSocket, segment: Incoming, now: int) -> None:
    """Take over the timestamp of the segment that is at the left of the window (RFC 7323 4.3)."""
    rcv, times = socket.rcv, segment.options.timestamps
    if not socket.timestamps or times is None or segment.seq > rcv.acked:
        return
    value = times[0] if rcv.ts_recent is None else unwrap(times[0], rcv.ts_recent)
    if rcv.ts_recent is None or value >= rcv.ts_recent or now - rcv.ts_recent_ns > _PAWS_NS:
        rcv.ts_recent, rcv.ts_recent_ns = value, now


def _outside(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> None:
    """Drop a segment outside of the window, and acknowledge it unless it is RST."""
    rcv, packet = socket.rcv, segment.packet
    values = {**_named(socket), "ahead": segment.seq - rcv.nxt, "size": segment.size}
    if segment.flags & RST:
        packet.record(reason.TCP_RST_BAD_SEQ, **values)
    elif segment.flags & SYN:
        packet.record(reason.TCP_SYN_IN_WINDOW, **_named(socket))
        challenge(table, socket, segment, now)
    elif segment.end > rcv.nxt or segment.seq > rcv.nxt:
        packet.record(reason.TCP_SEQ_OUTSIDE_WINDOW, **values)
        answer_unacceptable(table, socket, segment, now)
    else:
        _old(table, socket, segment, now)


def _old(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> None:
    """Answer what is old: data that came before, or a probe whether we are alive."""
    packet, rcv = segment.packet, socket.rcv
    if segment.size:
        if table.settings["tcp.dsack"] and segment.payload:
            rcv.duplicate = (segment.seq, min(segment.end, rcv.nxt))
        cause = "syn" if segment.flags & SYN else "data"
        packet.record(reason.TCP_DUPLICATE, size=segment.size, cause=cause, **_named(socket))
    else:
        packet.trace.settle(Fate.ANSWERED, now)  # a keep-alive or window probe
    answer_unacceptable(table, socket, segment, now)


def _reset_input(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> None:
    """Take RST, which has to have exactly the next number; another is challenged (RFC 5961 3.2)."""
    packet, rcv = segment.packet, socket.rcv
    if segment.seq != rcv.nxt:
        shown = {"ahead": segment.seq - rcv.nxt, "size": segment.size}
        packet.record(reason.TCP_RST_BAD_SEQ, **_named(socket), **shown)
        challenge(table, socket, segment, now)
        return
    detail = packet.record(
        reason.TCP_RESET,
        **_named(socket),
        ttl=packet.header.ttl,
        cause=_reset_cause(socket, segment),
    )
    packet.trace.settle(Fate.ABSORBED, now)
    # Linux tcp_reset: whoever has been told that the peer closed gets EPIPE.
    errno_name = "EPIPE" if socket.state is State.CLOSE_WAIT else "ECONNRESET"
    if socket.state is State.SYN_RECEIVED:
        errno_name = "ECONNREFUSED"
    fail(table, socket, TcpEvent.RST, reason.TCP_RESET, detail, errno_name)


def _reset_cause(socket: TcpSocket, segment: Incoming) -> str:
    """Return why the peer sent RST.

    One that answers what it knows nothing of has no ACK (RFC 9293 3.10.7.1), and one of an end that
    gives up has it (3.10.5, where stacks follow 4.4BSD and Linux tcp_send_active_reset).
    """
    if socket.state is State.SYN_RECEIVED:
        return "handshake"
    recent = segment.packet.now - socket.challenge_ns <= socket.rtt.rto_ns
    if socket.challenged_syn and recent:
        return "restarted"
    if segment.flags & ACK:
        return "aborted"
    return "unknown" if socket.state in MAY_RECEIVE else "closed"


def _completes_simultaneous(socket: TcpSocket, segment: Incoming) -> bool:
    """Tell whether it is the peer's SYN and ACK after a simultaneous open (RFC 9293 3.5)."""
    return (
        socket.state is State.SYN_RECEIVED
        and bool(segment.flags & ACK)
        and segment.seq == socket.rcv.irs
        and segment.size == 1
    )


def _acknowledges(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> bool:
    """Check the acknowledgment; what acknowledges what was never sent, or long ago, is dropped.

    Source: RFC 9293 3.10.7.4; RFC 5961 5.2.
    """
    snd, ack = socket.snd, segment.ack
    if socket.state is State.SYN_RECEIVED:
        if not snd.una < ack <= snd.nxt:
            reject(table, segment, reason.TCP_NO_CONNECTION, socket.mark, **_named(socket))
            return False
        move(table, socket, TcpEvent.ACK_OF_SYN)
        opened(table, socket, now, retransmitted=False)
        return True
    if snd.una - snd.max_wnd <= ack <= snd.nxt:
        return True
    values = {**_named(socket), "ahead": ack - snd.nxt}
    cause = "future" if ack > snd.nxt else "past"
    segment.packet.record(reason.TCP_ACK_UNACCEPTABLE, cause=cause, **values)
    challenge(table, socket, segment, now)
    return False


# --- what it brings -------------------------------------------------------------------------------


def sent_all(table: TcpTable, socket: TcpSocket, now: int) -> bool:
    """Change the state when our FIN is acknowledged; return whether the connection is over."""
    snd = socket.snd
    if socket.state not in HAS_FIN or not snd.fin_sent or snd.records:
        if snd.records or socket.state in HAS_FIN:
            return False
        wake_writer(socket)
        return False
    if socket.state is State.LAST_ACK:
        end(table, socket, TcpEvent.ACK_OF_FIN)
        return True
    if socket.state is State.CLOSING:
        time_wait(table, socket, now)
        return True
    move(table, socket, TcpEvent.ACK_OF_FIN)
    if socket.closed:
        await_fin(table, socket, now)
    socket.wake()
    return False


def wake_writer(socket: TcpSocket) -> None:
    """Wake a program that may write more."""
    if socket.has_room:
        socket.wake()


def _urgent(socket: TcpSocket, segment: Incoming) -> None:
    """Take note of urgent data (RFC 9293 3.8.5): the pointer is behind it, as in Linux and BSD."""
    end_of = segment.seq + segment.header.urgent
    rcv = socket.rcv
    if end_of > rcv.nxt and (rcv.urgent is None or end_of > rcv.urgent):
        rcv.urgent = end_of
        socket.wake()


def text_input(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> None:
    """Take payload and FIN (RFC 9293 3.10.7.4, seventh and eighth)."""
    rcv, packet = socket.rcv, segment.packet
    socket.stats.data_segs_in += bool(segment.payload)
    if socket.ecn:
        if segment.flags & CWR:
            socket.ece = False
        # RFC 3168 6.1.5: not of what lies outside of the window, which is sent again unmarked.
        if packet.header.dscp_ecn & 3 == _CE and segment.end > rcv.nxt:
            socket.ece = True
            socket.stats.marks += 1
    fin_seq = segment.end - 1 if segment.flags & FIN else None
    if segment.end <= rcv.nxt:
        _old(table, socket, segment, now)
        return
    if socket.state not in MAY_RECEIVE:
        packet.record(
            reason.TCP_SEQ_OUTSIDE_WINDOW, **_named(socket), ahead=segment.seq - rcv.nxt,
            size=segment.size,
        )  # fmt: skip
        answer_unacceptable(table, socket, segment, now)
        return
    if segment.payload and not _payload(table, socket, segment, now):
        return
    if fin_seq is not None and fin_seq <= rcv.edge:
        rcv.fin = fin_seq
    if rcv.fin is not None and rcv.fin == rcv.nxt:
        fin_input(table, socket, now)
    packet.trace.settle(Fate.DELIVERED if segment.payload else Fate.ABSORBED, now)


def _payload(table: TcpTable, socket: TcpSocket, segment: Incoming, now: int) -> bool:
    """Take payload; return False where the segment has its fate already."""
    rcv, packet, seq, data = socket.rcv, segment.packet, segment.seq, segment.payload
    unread = socket.closed or socket.receive_shut
    if unread and socket.state is not State.ESTABLISHED:
        # RFC 9293 3.6.1: the peer shall know that its data is lost.
        segment.packet.record(reason.TCP_DATA_AFTER_CLOSE, **_named(socket))
        answer_reset(table, segment, socket.mark)
        end(table, socket, TcpEvent.ABORT)
        return False
    beyond = seq + len(data) - max(rcv.edge, rcv.nxt)
    if beyond > 0:
        data = data[:-beyond] if beyond < len(data) else b""
        segment.flags &= ~FIN
    if not data:
        packet.record(
            reason.TCP_SEQ_OUTSIDE_WINDOW, **_named(socket), ahead=seq - rcv.nxt, size=segment.size
        )
        answer_unacceptable(table, socket, segment, now)
        return False
    before, gap = rcv.nxt, seq > rcv.nxt
    if gap and not _has_place(socket, seq, len(data)):
        packet.record(reason.TCP_OFO_PRUNED, **_named(socket), size=len(data))
        socket.ack_now = True
        return False
    had_blocks, dsack = rcv.blocks, table.settings["tcp.dsack"]
    known = rcv.known(seq, seq + len(data)) if gap and dsack else None
    rcv.accept(seq, data)
    if gap:
        socket.stats.ooo_in += 1
        packet.record(reason.TCP_OUT_OF_ORDER, **_named(socket), size=seq - rcv.nxt)
        if known is not None:
            rcv.duplicate = known
        _acknowledge_now(table, socket, now)
    else:
        if seq < before and dsack:
            rcv.duplicate = (seq, before)
        socket.stats.bytes_received += rcv.nxt - before
        schedule_ack(table, socket, now, filled=had_blocks > 0)
        socket.wake()
    return True


def _has_place(socket: TcpSocket, seq: int, size: int) -> bool:
    """Make room for a payload beyond a gap; False when it would be the one to go.

    What is farthest away goes first (Linux tcp_prune_ofo_queue).
    """
    rcv = socket.rcv
    while rcv.ready + rcv.held + size + BLOCK_OVERHEAD > socket.rcvbuf:
        last = rcv.last_block
        if last is None or seq >= last:
            return False
        rcv.prune()
    return True


def _acknowledge_now(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Have an acknowledgment of a gap leave at once (RFC 5681 4.2: SHOULD).

    A peer with SACK learns all from one at the end of the turn; one without counts them.
    """
    socket.ack_now = True
    socket.quick = max(socket.quick, 2)
    if not socket.sack:
        send_ack(table, socket, now)


def schedule_ack(table: TcpTable, socket: TcpSocket, now: int, *, filled: bool) -> None:
    """Have data in order acknowledged: with every second full segment, or a little later.

    Source: RFC 9293 3.8.6.3 (MUST-40: within 0.5 s; SHLD-18 every second); RFC 5681 4.2 at once
    when a gap is filled. Of a small buffer half is enough: the peer may have no room for a second.
    """
    rcv = socket.rcv
    pending = rcv.nxt - rcv.acked
    quick = (socket.quick and not socket.pingpong) or socket.quickack
    # As Linux: what is more than one full segment is acknowledged, or its sender would take the end
    # of a flight for lost, and probe it.
    if filled or quick or pending > rcv.mss or 2 * pending >= socket.rcvbuf:
        socket.ack_now = True
    elif socket.ack_ns >= NEVER:
        wait = min(max(socket.rtt.srtt_ns // 2, _ATO_MIN_NS), _ATO_MAX_NS)
        socket.ack_ns = now + wait
        if socket.ack_ns < socket.heap_ns:
            table.timers.set(socket)


def fin_input(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Take the peer's FIN, which is next in the stream (RFC 9293 3.10.7.4, eighth)."""
    rcv = socket.rcv
    rcv.nxt += 1
    rcv.fin = None
    socket.ack_now = True
    if socket.state is State.FIN_WAIT_2:
        send_ack(table, socket, now)
        time_wait(table, socket, now)
    else:
        move(table, socket, TcpEvent.FIN)
        table.want_output(socket)
    socket.wake()
