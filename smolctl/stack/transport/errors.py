"""Telling a socket that a packet it sent did not arrive.

The packet itself says whose it was: its addresses and ports find the socket, be it quoted by an
ICMP error or given up by this stack (RFC 1122 3.2.2.1, 4.1.3.3; Linux ``udp_err``, ``ping_err``).
"""

from typing import TYPE_CHECKING

from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.ping import EchoClient
from smolctl.stack.transport.udp.socket import ERROR_QUEUE_LIMIT, SocketError, UdpSocket
from smolctl.wire import icmpv4, ipv4, ipv4_options

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack
    from smolctl.stack.transport.udp.socket import UdpSocket


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
    quote = icmpv4.parse_quote(packet)
    sender = None if quote is None else sender_of(stack, quote, dev)
    if quote is None or sender is None:
        return False
    number = quote.dport if isinstance(sender, UdpSocket) else quote.icmp_sequence
    by = quote.src if offender is None else offender
    error = SocketError(errno_name, reason, detail, by, quote.dst, number or 0, now)
    if len(sender.errors) < ERROR_QUEUE_LIMIT:
        sender.errors.append(error)
    stack.wake(sender)
    return True


def sender_of(stack: "Stack", quote: icmpv4.Quote, dev: str) -> UdpSocket | EchoClient | None:
    """Return who sent a packet, None when nobody here can have."""
    if not stack.fib.is_local(quote.src):
        return None
    if quote.protocol == ipv4.Protocol.UDP and quote.sport is not None and quote.dport is not None:
        # Seen from the socket, the quoted destination is the peer (RFC 1122 4.1.3.3).
        return stack.udp.lookup(quote.dst, quote.dport, quote.src, quote.sport, dev)
    if quote.icmp_type == icmpv4.Type.ECHO_REQUEST and quote.icmp_ident is not None:
        echo = stack.echoes.get(quote.icmp_ident)
        known = echo is not None and (echo.dst == quote.dst or _routed(quote))
        return echo if known else None
    return None


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


def _routed(quote: icmpv4.Quote) -> bool:
    """Tell whether a packet goes by hops that it names, so that its destination is one of them."""
    options = ipv4_options.parse(quote.options, arriving=False)
    return isinstance(options, ipv4_options.Options) and options.route is not None


def unanswered(stack: "Stack", trace: Trace, reason: Reason, now: int, **detail: object) -> None:
    """Note that nobody answered a packet that was sent by hand."""
    dev = trace.dev or ""
    stack.ledger.record(reason, dev, now, None, **detail)
    trace.complain(reason, {**detail, "dev": dev}, now)
