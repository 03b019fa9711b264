"""Segments of connections in TIME-WAIT (RFC 9293 3.10.7.4; RFC 1337, RFC 6191)."""

from smolctl.stack import reason
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.trace.trace import Fate
from smolctl.stack.transport.tcp.ending import drop_time_wait
from smolctl.stack.transport.tcp.handshake import listen_input
from smolctl.stack.transport.tcp.incoming import Incoming
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.segment import send_segment
from smolctl.stack.transport.tcp.sequence import timestamp, unwrap
from smolctl.stack.transport.tcp.socket import Opened
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.stack.transport.tcp.time_wait import TimeWait
from smolctl.wire.tcp import ACK, FIN, RST, SYN, TcpHeader
from smolctl.wire.tcp_options import TcpOptions


def time_wait_input(table: TcpTable, rest: TimeWait, segment: Incoming) -> None:
    """Take a segment of a connection that is over (Linux tcp_timewait_state_process)."""
    packet, flags, now = segment.packet, segment.flags, segment.packet.now
    ends = rest.ends
    named: dict[str, object] = {"peer": (ends.peer, ends.peer_port), "port": ends.port}
    segment.place(rest.rcv_nxt, rest.snd_nxt)
    old = _is_old(rest, segment)
    if flags & SYN and not flags & (RST | ACK) and _is_new(rest, segment, old=old):
        # RFC 6191 2: the numbers or the timestamp tell it from what was before.
        drop_time_wait(table, rest)
        listen_input(table, segment, ends)
        request = table.connections.get(ends)
        if isinstance(request, Request):
            request.opened = Opened.REUSED
        return
    if flags & RST:
        if segment.seq == rest.rcv_nxt and not table.settings["tcp.rfc1337"] and not old:
            packet.trace.settle(Fate.ABSORBED, now)
            drop_time_wait(table, rest)
        else:
            packet.record(reason.TCP_RST_IN_TIME_WAIT, **named)
        return
    if flags & FIN and segment.end == rest.rcv_nxt and not old:
        # RFC 9293 3.10.7.4: our last acknowledgment was lost, and the time begins anew.
        packet.trace.settle(Fate.ANSWERED, now)
        table.waiting.add(rest, now + table.settings.ns("tcp.time_wait_ms"))
    elif old:
        packet.record(reason.TCP_PAWS, **named)
    elif segment.size and segment.end <= rest.rcv_nxt:
        packet.record(reason.TCP_DUPLICATE, **named, cause="data", size=segment.size)
    elif segment.size or segment.seq != rest.rcv_nxt:
        values = {"ahead": segment.seq - rest.rcv_nxt, "size": segment.size}
        packet.record(reason.TCP_SEQ_OUTSIDE_WINDOW, **named, **values)
    else:
        packet.trace.settle(Fate.ABSORBED, now)  # an acknowledgment of our FIN, once more
        return
    _acknowledge(table, rest, segment)


def _is_old(rest: TimeWait, segment: Incoming) -> bool:
    times = segment.options.timestamps
    if not rest.timestamps or times is None or rest.ts_recent is None:
        return False
    return unwrap(times[0], rest.ts_recent) < rest.ts_recent


def _is_new(rest: TimeWait, segment: Incoming, *, old: bool) -> bool:
    """Tell whether a SYN begins a new connection: behind the old one in numbers, or in time."""
    if old:
        return False
    if segment.seq > rest.rcv_nxt:
        return True
    times = segment.options.timestamps
    if not rest.timestamps or times is None or rest.ts_recent is None:
        return False
    return unwrap(times[0], rest.ts_recent) > rest.ts_recent


def _acknowledge(table: TcpTable, rest: TimeWait, segment: Incoming) -> None:
    """Send the last acknowledgment again, twice a second at most."""
    now, ends = segment.packet.now, rest.ends
    least = table.settings.ns("tcp.invalid_ratelimit_ms")
    if least and now - rest.invalid_ns < least:
        table.recorder.count("tcp.invalid_acks_limited")
        return
    rest.invalid_ns = now
    times = (timestamp(now, rest.ts_offset), rest.ts_recent or 0) if rest.timestamps else None
    header = TcpHeader(
        ends.port, ends.peer_port, rest.snd_nxt, rest.rcv_nxt, 0, ACK, rest.window, 0,
        TcpOptions(timestamps=times).to_bytes(),
    )  # fmt: skip
    how = SendOptions(ends.local, rest.dev, tos=rest.tos & ~3, mark=rest.mark)
    send_segment(table, ends, header.to_bytes(b"", ends.local, ends.peer), how, now)
