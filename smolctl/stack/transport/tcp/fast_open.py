"""Handshakes with which nothing is wrong, of hosts that opened a connection before."""

from smolctl.stack.transport.tcp.handshake import (
    accept,
    agree,
    answered,
    begin_request,
    begin_stream,
    echoes_another,
)
from smolctl.stack.transport.tcp.incoming import Incoming
from smolctl.stack.transport.tcp.opening import first_window
from smolctl.stack.transport.tcp.request import Answering, Request
from smolctl.stack.transport.tcp.segment import syn_ack
from smolctl.stack.transport.tcp.sequence import Ends, unwrap
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.wire import tcp_options
from smolctl.wire.tcp_options import ALIGNED_TIMES

_MASK, _HALF = 0xFFFFFFFF, 1 << 31
_TIMES = int.from_bytes(ALIGNED_TIMES)


def calm_syn(table: TcpTable, listener: TcpSocket, ends: Ends) -> bool:
    """Tell whether a SYN may be answered: nothing is known of its ends, and the queues have room.

    The rest is what ``handshake.listen_input`` decides.
    """
    backlog = listener.backlog
    return (
        backlog is not None
        and len(backlog.queue) <= backlog.limit
        and backlog.requests < backlog.limit
        and backlog.requests < table.settings["tcp.max_syn_backlog"]
        and ends not in table.connections
    )


def answer_syn(
    table: TcpTable, request: Request, answering: Answering, options: bytes, now: int
) -> None:
    """Answer a SYN by a known way, as ``handshake.listen_input`` does."""
    agree(table, request, answering, tcp_options.parse(options, syn=True))
    table.recorder.count("tcp.segments_received")
    begin_request(table, request, now)
    syn_ack(table, request, first_window(request.listener.rcvbuf, request.advmss), now)


def calm_request(
    table: TcpTable, request: Request, fields: tuple[int, ...], ttl: int, now: int
) -> TcpSocket | None:
    """Take the acknowledgment that completes a handshake; return the connection.

    It does what ``handshake.request_input`` does with nearly all of them.

    Args:
        fields: of its header, as ``fast_input.calm_input`` has them.

    Returns: None for any other segment, nothing done.
    """
    _, _, seq, ack, _, window, _, _, option, value, _ = fields
    flow, listener = request.flow, request.listener
    backlog = listener.backlog
    if (
        option != _TIMES or not (request.timestamps and window)
        or (seq - request.irs - 1) & _MASK or (ack - request.iss - 1) & _MASK
        or (value - request.ts_recent) & _MASK >= _HALF
        or flow is None or flow.generation != table.generation.number
        or backlog is None or backlog.full
    ):  # fmt: skip
        return None
    table.recorder.count("tcp.segments_received")
    backlog.requests -= 1
    table.requests.remove(request)
    request.ts_recent += (value - request.ts_recent) & _MASK
    window <<= request.scale or 0
    if window > request.window:
        request.window = window
    child = accept(table, request, ttl, now)
    child.stats.segs_in = 1
    child.key, snd = request.key, child.snd
    snd.wl1, snd.wl2, snd.wnd = child.rcv.nxt, snd.una, window
    return child


def calm_answer(table: TcpTable, socket: TcpSocket, segment: Incoming, ttl: int) -> bool:
    """Take the answer to our SYN, by a known way; False leaves everything as it was.

    It does what ``handshake.syn_sent_input`` does with nearly all of them.

    Args:
        segment: has SYN and ACK, no other flag, and no payload.
    """
    snd = socket.snd
    segment.ack = unwrap(segment.header.ack, snd.una)
    if (
        segment.ack != snd.nxt or socket.ecn or socket.flow is None
        or echoes_another(socket, segment, segment.now)
    ):  # fmt: skip
        return False
    table.recorder.count("tcp.segments_received")
    begin_stream(table, socket, segment)
    answered(table, socket, segment, ttl)
    return True
