"""Summaries of ICMPv6 messages and neighbor discovery; a part of ``summary``."""

from struct import Struct

from smolctl.stack.explain.names import PROTOCOLS, icmp6_name
from smolctl.wire import icmpv6
from smolctl.wire.address import (
    format_address,
    format_endpoint,
    format_mac,
    from_packed,
)
from smolctl.wire.icmpv4 import Quote
from smolctl.wire.icmpv6 import Type
from smolctl.wire.ndp import OptionType

_HEADER = Struct("!BBHHH")
_TARGET = slice(8, 24)
_DESTINATION = slice(24, 40)
_FLAGS = ((0x80, "router"), (0x40, "solicited"), (0x20, "override"))
"""Of an advertisement, in the first byte behind the checksum (RFC 4861 4.4)."""
_MAC_OPTION_LEN = 8


def icmp6_words(message: bytes) -> str | None:
    """Return what an ICMPv6 message says; None for one without a whole header.

    Examples:
        echo request ident 7 seq 1, 56 B
        neighbor solicitation, who-has fe80::1 (02:00:00:00:00:0b)
        port unreachable for [2001:db8::1]:7 > [2001:db8::2]:9 UDP
    """
    if len(message) < icmpv6.HEADER_LEN:
        return None
    kind, code, _, first, second = _HEADER.unpack_from(message)
    words = icmp6_name(kind, code)
    body = message[icmpv6.HEADER_LEN :]
    if kind in (Type.ECHO_REQUEST, Type.ECHO_REPLY):
        return f"{words} ident {first} seq {second}, {len(body)} B"
    if icmpv6.is_error(kind):
        if kind == Type.PACKET_TOO_BIG:
            words += f" (mtu {first << 16 | second})"
        return f"{words} {_quoted(body)}"
    target = message[_TARGET]
    if len(target) == 16:
        if kind == Type.NEIGHBOR_SOLICITATION:
            return f"{words}, who-has {format_address(from_packed(target))}{_mac(message, 1)}"
        if kind == Type.NEIGHBOR_ADVERTISEMENT:
            return f"{words}, {_advertised(message, target)}"
        if kind == Type.REDIRECT and len(message) >= _DESTINATION.stop:
            dst = format_address(from_packed(message[_DESTINATION]))
            return f"{words}, {dst} by {format_address(from_packed(target))}"
    return f"{words}, {len(body)} B"


def _advertised(message: bytes, target: bytes) -> str:
    flags = [name for bit, name in _FLAGS if message[4] & bit]
    mac = _mac(message, 2).strip(" ()")
    where = f"{format_address(from_packed(target))} {f'is-at {mac}' if mac else 'is here'}"
    return where + (f" ({', '.join(flags)})" if flags else "")


def _mac(message: bytes, kind: int) -> str:
    """Return the MAC address that an option tells, in parentheses; "" without one.

    Args:
        kind: 1 for the source's, 2 for the target's (RFC 4861 4.6.1).
    """
    at = _TARGET.stop
    while at + _MAC_OPTION_LEN <= len(message) and message[at + 1]:
        if message[at] == OptionType(kind) and message[at + 1] * 8 == _MAC_OPTION_LEN:
            return f" ({format_mac(message[at + 2 : at + _MAC_OPTION_LEN])})"
        at += message[at + 1] * 8
    return ""


def _quoted(body: bytes) -> str:
    """Return the packet that an error is about."""
    quote = icmpv6.parse_quote(body)
    if quote is None:
        return f"quoting {len(body)} B"
    return f"for {quoted_packet(quote)}"


def quoted_packet(quote: Quote) -> str:
    """Return a packet that an error of ICMP or ICMPv6 quotes."""
    src, dst = format_address(quote.src), format_address(quote.dst)
    if quote.sport is not None:
        src, dst = format_endpoint(quote.src, quote.sport), format_endpoint(quote.dst, quote.dport)
    return f"{src} > {dst} {PROTOCOLS.get(quote.protocol, f'protocol {quote.protocol}')}"
