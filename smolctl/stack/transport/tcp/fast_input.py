"""The continuation of a stream: a segment with which nothing is wrong, and nothing to decide."""

from smolctl.stack.transport.tcp.ack import ack_input
from smolctl.stack.transport.tcp.established import learn_time, schedule_ack, wake_writer
from smolctl.stack.transport.tcp.incoming import Incoming
from smolctl.stack.transport.tcp.opening import arm_keepalive
from smolctl.stack.transport.tcp.sequence import unwrap
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.wire.tcp_options import NO_OPTIONS


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
    stats = socket.stats
    stats.segs_in += number
    table.recorder.count("tcp.segments_received", number)
    learn_time(socket, segment, now)
    socket.heard_ns = now
    ack_input(table, socket, segment, now)
    if socket.keepalive:
        arm_keepalive(table, socket, now)
    wake_writer(socket)
    if length:
        stats.data_segs_in += number
        stats.bytes_received += length
        rcv.accept(segment.seq, segment.payload, size)
        schedule_ack(table, socket, now, filled=False)
        socket.wake()
    table.want_output(socket)
    return True
