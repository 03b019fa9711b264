"""ICMPv6 messages (RFC 4443) and the packet that an error quotes."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from smolctl.wire import ipv6
from smolctl.wire.checksum import (
    expected_checksum,
    internet_checksum,
    pseudo_header_sum,
    sums_to_zero,
)
from smolctl.wire.fault import Fault6, WireFault
from smolctl.wire.icmpv4 import Quote
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import upper_layer

HEADER_LEN = 8
QUOTE_MAX = ipv6.MIN_MTU - ipv6.HEADER_LEN - HEADER_LEN
"""Bytes that an error may quote, so that it fits into every link (RFC 4443 2.4(c))."""

_PROTOCOL, _UDP, _TCP = NextHeader.ICMPV6.value, NextHeader.UDP.value, NextHeader.TCP.value
_HEADER = Struct("!BBHI")
_PORTS = Struct("!HH")
_ECHO = Struct("!BBHHH")


class Type(IntEnum):
    """ICMPv6 message types; errors are below 128. Source: RFC 4443 2.1; IANA "ICMPv6 Types"."""

    DEST_UNREACHABLE = 1
    PACKET_TOO_BIG = 2
    TIME_EXCEEDED = 3
    PARAMETER_PROBLEM = 4
    ECHO_REQUEST = 128
    ECHO_REPLY = 129
    MLD_QUERY = 130
    MLD_REPORT = 131
    MLD_DONE = 132
    ROUTER_SOLICITATION = 133
    ROUTER_ADVERTISEMENT = 134
    NEIGHBOR_SOLICITATION = 135
    NEIGHBOR_ADVERTISEMENT = 136
    REDIRECT = 137
    MLD_REPORT_V2 = 143


class Unreachable(IntEnum):
    """Codes of DEST_UNREACHABLE. Source: RFC 4443 3.1."""

    NO_ROUTE = 0
    ADMIN = 1
    BEYOND_SCOPE = 2
    ADDRESS = 3
    PORT = 4
    SOURCE_POLICY = 5
    REJECT_ROUTE = 6


class TimeExceeded(IntEnum):
    """Codes of TIME_EXCEEDED. Source: RFC 4443 3.3."""

    HOP_LIMIT = 0
    REASSEMBLY = 1


class ParameterProblem(IntEnum):
    """Codes of PARAMETER_PROBLEM. Source: RFC 4443 3.4; RFC 7112 5."""

    HEADER = 0
    NEXT_HEADER = 1
    OPTION = 2
    FIRST_FRAGMENT = 3


class Icmpv6Message(NamedTuple):
    """An ICMPv6 message; what its second word means depends on the type.

    Attributes:
        type: 0..255, see ``Type``.
        code: 0..255.
        rest: the second 32-bit word.
        body: what follows: echoed data, or the quoted packet of an error.
    """

    type: int
    code: int
    rest: int
    body: bytes

    @property
    def ident(self) -> int:
        """Identifier of an echo message."""
        return self.rest >> 16

    @property
    def sequence(self) -> int:
        """Sequence number of an echo message."""
        return self.rest & 0xFFFF

    @property
    def mtu(self) -> int:
        """Next-hop MTU of PACKET_TOO_BIG, bytes, 0..0xFFFFFFFF."""
        return self.rest

    @property
    def pointer(self) -> int:
        """Of PARAMETER_PROBLEM: which byte of the quoted packet; may be behind what is quoted."""
        return self.rest

    def to_bytes(self, src: int, dst: int) -> bytes:
        """Return the message with its checksum.

        Args:
            src: source address that the packet will carry.
            dst: its destination, the final one when there is a routing header (RFC 8200 8.1).
        """
        unsummed = _HEADER.pack(self.type, self.code, 0, self.rest) + self.body
        pseudo = pseudo_header_sum(src, dst, _PROTOCOL, len(unsummed))
        checksum = internet_checksum(unsummed, pseudo)
        return _HEADER.pack(self.type, self.code, checksum, self.rest) + self.body


def is_error(icmp_type: int) -> bool:
    """Return whether a type is an error's, known or not: its high bit is 0 (RFC 4443 2.1)."""
    return icmp_type < 128


def parse(message: bytes, src: int, dst: int) -> Icmpv6Message | WireFault:
    """Return the message in an IPv6 packet.

    Args:
        message: what follows the headers of IPv6.
        src: source address of the packet, for the pseudo header.
        dst: destination address of the packet.

    Faults: icmp6-truncated, icmp6-bad-checksum. Unknown types are none: RFC 4443 2.4 says what
    becomes of them, by who knows which are known.
    """
    size = len(message)
    if size < HEADER_LEN:
        return WireFault(Fault6.ICMP6_TRUNCATED, size, {"number": size})
    icmp_type, code, got, rest = _HEADER.unpack_from(message)
    pseudo = pseudo_header_sum(src, dst, _PROTOCOL, size)
    if not sums_to_zero(message, pseudo):
        want = expected_checksum(message, 2, pseudo)
        return WireFault(Fault6.ICMP6_BAD_CHECKSUM, 2, {"got": got, "want": want})
    return tuple.__new__(Icmpv6Message, (icmp_type, code, rest, message[HEADER_LEN:]))


def parse_quote(body: bytes) -> Quote | None:
    """Return what the body of an ICMPv6 error says about the packet that caused it.

    Extension headers are stepped over, as far as they are quoted. The ``total_length`` is that of
    the packet with its header, and may exceed what is quoted. None when there is no IPv6 header to
    be read. Source: RFC 4443 2.4(c), (d).
    """
    header = ipv6.parse_unchecked(body)
    if header is None:
        return None
    upper = upper_layer(body, header.next_header)
    total_length = ipv6.HEADER_LEN + header.payload_length
    quote = Quote(upper.protocol, header.src, header.dst, total_length)
    if upper.fragment is not None and upper.fragment.fragment_offset:
        return quote  # Only the first fragment begins with the transport's header.
    transport = body[upper.offset : upper.offset + HEADER_LEN]
    if upper.protocol in (_UDP, _TCP) and len(transport) >= 4:
        sport, dport = _PORTS.unpack_from(transport)
        if upper.protocol == _UDP or len(transport) < HEADER_LEN:
            return quote._replace(sport=sport, dport=dport)
        seq = int.from_bytes(transport[4:])
        return quote._replace(sport=sport, dport=dport, tcp_seq=seq)
    if upper.protocol == _PROTOCOL and len(transport) >= HEADER_LEN:
        icmp_type, _, _, ident, sequence = _ECHO.unpack(transport)
        if icmp_type in (Type.ECHO_REQUEST, Type.ECHO_REPLY):
            return quote._replace(icmp_type=icmp_type, icmp_ident=ident, icmp_sequence=sequence)
        return quote._replace(icmp_type=icmp_type)
    return quote
