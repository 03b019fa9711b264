"""ICMP errors about segments: whose they are, and what follows (RFC 5927, RFC 9293 3.9.2.2)."""

from smolctl.stack import reason
from smolctl.stack.packet import DeliveryError, Sender
from smolctl.stack.transport.tcp.black_hole import too_big
from smolctl.stack.transport.tcp.ending import fail
from smolctl.stack.transport.tcp.probe import Probe
from smolctl.stack.transport.tcp.sequence import Ends, unwrap
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State, TcpEvent
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.wire.icmpv4 import Quote

_OPENING = frozenset({State.SYN_SENT, State.SYN_RECEIVED})
_HARD = frozenset({"ECONNREFUSED", "ENOPROTOOPT"})
"""Of a port or a protocol that is not there: RFC 1122 4.2.3.9 calls them hard errors."""


def sender_of(table: TcpTable, quote: Quote) -> Sender | None:
    """Return the connection, or the probe, that sent what an ICMP error quotes; None for none.

    RFC 5927 4.1: who has not seen the connection does not know which numbers are in flight.
    """
    if quote.sport is None or quote.dport is None:
        return None
    socket = table.connections.get(Ends(quote.src, quote.sport, quote.dst, quote.dport))
    if isinstance(socket, Probe):
        return socket if quote.tcp_seq in (None, socket.iss) else None
    if not isinstance(socket, TcpSocket):
        return None
    snd = socket.snd
    if quote.tcp_seq is not None:
        seq = unwrap(quote.tcp_seq, snd.una)
        if not snd.una <= seq <= snd.nxt:
            now = table.shared.events.now_ns
            table.note(reason.TCP_ICMP_SEQ_MISMATCH, socket, now, ahead=seq - snd.una)
            return None
    return socket


def icmp_error(table: TcpTable, socket: TcpSocket, error: DeliveryError) -> None:
    """Take an error for a segment: smaller ones, the end of an attempt, or a note for later.

    RFC 9293 3.9.2.2 (MUST-56): what may pass does not end a connection. Linux ends an attempt to
    connect all the same; ``tcp.icmp_aborts_connect`` decides.
    """
    now = max(error.at_ns, table.shared.events.now_ns)
    if socket.state is State.CLOSED:
        return
    if error.errno_name == "EMSGSIZE":
        too_big(table, socket, now)
        return
    socket.soft = error
    hard = error.errno_name in _HARD or table.settings["tcp.icmp_aborts_connect"]
    if socket.state in _OPENING and hard:
        fail(table, socket, TcpEvent.RST, error.reason, error.detail, error.errno_name)
