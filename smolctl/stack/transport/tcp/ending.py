"""The end of a connection: for good, in TIME-WAIT, or for a reason that its program is told."""

from collections.abc import Mapping

from smolctl.stack.alarm import NEVER
from smolctl.stack.events import ChangeType
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.reason import Reason
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.reset import send_reset
from smolctl.stack.transport.tcp.segment import send_segment
from smolctl.stack.transport.tcp.socket import ANY_USER, NO_ENDS, Backlog, Ending, TcpSocket
from smolctl.stack.transport.tcp.states import SYNCHRONIZED, State, TcpEvent, after
from smolctl.stack.transport.tcp.table import Failed, TcpTable
from smolctl.stack.transport.tcp.time_wait import TimeWait
from smolctl.stack.transport.tcp.timers import TimerKind
from smolctl.wire.tcp import ACK, RST, TcpHeader

_NO_TIMER = TimerKind.NONE


def move(table: TcpTable, socket: TcpSocket, event: TcpEvent) -> None:
    """Move a connection to the state that follows an event, and tell whoever watches."""
    state = after(socket.state, event)
    if state is socket.state:
        return
    socket.state = state
    if table.events.heard:
        table.tell(ChangeType.CHANGED, socket)


def forget(table: TcpTable, socket: TcpSocket) -> None:
    """Take a connection that is over out of all tables, and give up what it holds."""
    socket.timer, socket.timer_ns = _NO_TIMER, NEVER
    socket.ack_ns = socket.keepalive_ns = socket.close_ns = NEVER
    socket.ack_now, socket.flow, socket.handover = False, None, None
    if table.pending:
        table.pending.pop(socket, None)
    if table.throttled:
        table.throttled.pop(socket, None)
    if socket.key:
        table.inbound.pop(socket.key, None)
    if socket.ends is not NO_ENDS and table.connections.get(socket.ends) is socket:
        table.unregister(socket.ends, socket)
    if socket.bound:
        release_port(table, socket)
    if socket.closed:
        table.orphans -= 1
        socket.rcv.drop_all()
        if table.events.heard:
            table.tell(ChangeType.DELETED, socket)
    socket.snd.drop_all()


def end(table: TcpTable, socket: TcpSocket, event: TcpEvent) -> None:
    """End a connection in the regular way: all is acknowledged, or its program has given it up."""
    move(table, socket, event)
    forget(table, socket)
    socket.wake()


def fail(
    table: TcpTable, socket: TcpSocket, event: TcpEvent, why: Reason,
    detail: Mapping[str, object], errno_name: str | None = None,
) -> None:  # fmt: skip
    """End a connection for a reason that its program is told."""
    errno_name = errno_name or why.errno_name or "ECONNABORTED"
    ending = socket.ending = socket.ended = Ending(why, detail, errno_name)
    if socket.ends is not NO_ENDS:
        at_ns = table.shared.events.now_ns
        table.failed.append(
            Failed(socket.ends, socket.state, ending, socket.retries, socket.retry_since_ns, at_ns)
        )
    end(table, socket, event)


def await_fin(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Give the peer some time to close its end, of a connection that its program has closed."""
    own = socket.fin_timeout_ns
    socket.close_ns = now + (table.settings.ns("tcp.fin_timeout_ms") if own is None else own)
    table.timers.set(socket)


def time_wait(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Leave a connection to TIME-WAIT: twice the longest life of a segment (RFC 9293 3.6.1).

    What remains is small; the socket is free, and keeps what its program has not read yet.
    """
    rcv = socket.rcv
    rest = TimeWait(socket.ends, socket.snd.nxt, rcv.nxt, rcv.edge)
    rest.mark = socket.mark
    rest.dev, rest.reuse, rest.tos = socket.dev, socket.reuse, socket.tos
    rest.shared_with = ANY_USER if socket.reuseport else None
    rest.window = rcv.tell_window(socket.rcvbuf, socket.mss)
    rest.timestamps, rest.ts_recent = socket.timestamps, rcv.ts_recent
    rest.ts_recent_ns, rest.ts_offset = rcv.ts_recent_ns, socket.ts_offset
    socket.state = State.CLOSED
    table.tell(ChangeType.CHANGED, socket)
    forget(table, socket)
    if len(table.waiting) < table.settings["tcp.max_tw_buckets"]:
        table.register(rest.ends, rest)
        table.waiting.add(rest, now + table.settings.ns("tcp.time_wait_ms"))
    else:
        table.recorder.count("tcp.time_wait_overflows")
    socket.wake()


def abort(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Give a connection up at once: the peer gets RST (RFC 9293 3.10.5)."""
    if socket.state in SYNCHRONIZED or socket.state is State.SYN_RECEIVED:
        send_reset(table, socket, now)
    end(table, socket, TcpEvent.ABORT)


def stop_listening(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Close a listening socket: what was not accepted is reset (Linux inet_csk_listen_stop)."""
    backlog, socket.backlog = socket.backlog, None
    for request in _requests_of(table, socket):
        drop_request(table, request)
        answer = TcpHeader(
            request.ends.port, request.ends.peer_port, request.iss + 1, request.irs + 1, 0,
            RST | ACK, 0,
        )  # fmt: skip
        how = SendOptions(request.ends.local, request.dev, mark=request.mark)
        segment = answer.to_bytes(b"", request.ends.local, request.ends.peer)
        send_segment(table, request.ends, segment, how, now)
    for child in backlog.queue if backlog is not None else ():
        child.closed = True
        table.orphans += 1
        abort(table, child, now)
    move(table, socket, TcpEvent.CLOSE)
    release_port(table, socket)


def _requests_of(table: TcpTable, listener: TcpSocket) -> list[Request]:
    return [
        each
        for each in table.connections.values()
        if isinstance(each, Request) and each.listener is listener
    ]


def release_port(table: TcpTable, socket: TcpSocket) -> None:
    """Give back the port that a program bound, if it did."""
    if socket.bound:
        socket.bound = False
        table.remove(socket)


def drop_request(table: TcpTable, request: Request) -> None:
    """Forget a handshake, and the place that it has in the queue."""
    if table.connections.get(request.ends) is request:
        del table.connections[request.ends]
        if request.key:
            table.inbound.pop(request.key, None)
        table.requests.remove(request)
        backlog: Backlog | None = request.listener.backlog
        if backlog is not None:
            backlog.requests -= 1


def drop_time_wait(table: TcpTable, rest: TimeWait) -> None:
    """Forget what was left of a connection."""
    table.waiting.remove(rest)
    table.unregister(rest.ends, rest)
