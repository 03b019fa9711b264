"""Telling a socket that a packet it sent did not arrive.

The packet itself says whose it was: its addresses and ports find the socket, be it quoted by an
ICMP error or given up by this stack (RFC 1122 3.2.2.1, 4.1.3.3; Linux ``udp_err``, ``ping_err``).
"""

from typing import TYPE_CHECKING

from smolctl.stack.fate import Trace
from smolctl.stack.reason import Reason
from smolctl.stack.udp_socket import ERROR_QUEUE_LIMIT, SocketError
from smolctl.wire import icmp, ipv4, ipv4_options

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack
    from smolctl.stack.udp_socket import UdpSocket


def packet_failed(
    stack: "Stack",
    packet: bytes,
    dev: str,
    errno_name: str,
    reason: Reason,
    detail: dict[str, object],
    now: int,
    offender: int | None = None,
) -> bool:
    """Queue an error for the socket that sent ``packet``; tell whether there is one.

    Args:
        packet: the packet or as much of it as was quoted, IPv4 header first.
        dev: interface by which it should have left, or the error came in.
        errno_name: what Linux would report.
        offender: who said so; None when this stack gave up itself.
    """
    quote = icmp.parse_quote(packet)
    if quote is None or not stack.fib.is_local(quote.src):
        return False
    by = quote.src if offender is None else offender
    if quote.protocol == ipv4.Protocol.UDP and quote.sport is not None and quote.dport is not None:
        # Seen from the socket, the quoted destination is the peer (RFC 1122 4.1.3.3).
        socket = stack.udp.lookup(quote.dst, quote.dport, quote.src, quote.sport, dev)
        if socket is None:
            return False
        datagram_failed(stack, socket, errno_name, reason, detail, by, quote.dst, quote.dport, now)
        return True
    if quote.icmp_type == icmp.Type.ECHO_REQUEST and quote.icmp_ident is not None:
        echo = stack.echoes.get(quote.icmp_ident)
        if echo is None or not (echo.dst == quote.dst or _routed(quote)):
            return False
        sequence = quote.icmp_sequence or 0
        error = SocketError(errno_name, reason, detail, by, quote.dst, sequence, now)
        if len(echo.errors) < ERROR_QUEUE_LIMIT:
            echo.errors.append(error)
        stack.wake(echo)
        return True
    return False


def datagram_failed(
    stack: "Stack",
    socket: "UdpSocket",
    errno_name: str,
    reason: Reason,
    detail: dict[str, object],
    offender: int,
    dst: int,
    dport: int,
    now: int,
) -> None:
    """Queue an error for a socket: its datagram to ``dst`` did not arrive."""
    error = SocketError(errno_name, reason, detail, offender, dst, dport, now)
    if len(socket.errors) < ERROR_QUEUE_LIMIT:
        socket.errors.append(error)
    stack.wake(socket)


def _routed(quote: icmp.Quote) -> bool:
    """Tell whether a packet goes by hops that it names, so that its destination is one of them."""
    options = ipv4_options.parse(quote.options, arriving=False)
    return isinstance(options, ipv4_options.Options) and options.route is not None


def unanswered(stack: "Stack", trace: Trace, reason: Reason, now: int, **detail: object) -> None:
    """Note that nobody answered a packet that was sent by hand."""
    dev = trace.dev or ""
    stack.ledger.record(reason, dev, now, None, **detail)
    trace.complain(reason, {**detail, "dev": dev}, now)
