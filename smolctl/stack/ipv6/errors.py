"""Errors for senders: what became of a packet of theirs, by the packet itself."""

from smolctl.stack.packet import DeliveryError, Packet
from smolctl.stack.reason import Detail, Reason
from smolctl.wire import icmpv6
from smolctl.wire.icmpv4 import Quote
from smolctl.wire.ipv6 import NextHeader


def number_of(quote: Quote) -> int:
    """Return by what a sender tells its packets apart: a port, or an echo request's sequence."""
    return (quote.dport if quote.protocol == NextHeader.UDP else quote.icmp_sequence) or 0


def delivery_error(packet: Packet, why: Reason, detail: Detail) -> DeliveryError | None:
    """Return the error for the sender of a packet that this stack gave up; None for nobody."""
    quote = icmpv6.parse_quote(packet.data)
    if quote is None:
        return None
    errno, number = why.errno_name or "EHOSTUNREACH", number_of(quote)
    return DeliveryError(errno, why, detail, quote.src, quote.dst, number, packet.now)
