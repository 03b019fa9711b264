"""Connections that are ended by hand, and all of them at the end of the stack."""

from smolctl.stack import reason
from smolctl.stack.transport.tcp.ending import abort, fail, stop_listening
from smolctl.stack.transport.tcp.reset import send_reset
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import SYNCHRONIZED, State, TcpEvent
from smolctl.stack.transport.tcp.table import TcpTable


def kill(table: TcpTable, socket: TcpSocket, now: int) -> None:
    """Reset a connection by hand: its program gets ECONNABORTED (Linux tcp_abort)."""
    cause = "listener" if socket.state is State.LISTEN else "connection"
    dev = socket.out.name if socket.out is not None else ""
    detail = table.recorder.record(
        reason.TCP_KILLED, dev, now, None, peer=(socket.peer or 0, socket.peer_port or 0),
        port=socket.port, cause=cause,
    )  # fmt: skip
    if socket.state is State.LISTEN:
        stop_listening(table, socket, now)
    elif socket.state in SYNCHRONIZED or socket.state is State.SYN_RECEIVED:
        send_reset(table, socket, now)
    fail(table, socket, TcpEvent.ABORT, reason.TCP_KILLED, detail)


def reset_all(table: TcpTable, now: int) -> None:
    """Reset every connection: the stack is about to end.

    The peers get RST, so that none waits for what nobody will send; those whose program has closed
    them before, too.
    """
    for socket in list(table.sockets()):
        if socket.state is State.LISTEN:
            stop_listening(table, socket, now)
        elif socket.state is not State.CLOSED:
            abort(table, socket, now)
