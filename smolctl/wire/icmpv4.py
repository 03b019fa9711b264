"""ICMP messages (RFC 792) and the packet that an error quotes."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from smolctl.wire import ipv4
from smolctl.wire.checksum import expected_checksum, internet_checksum, sums_to_zero
from smolctl.wire.fault import Fault, WireFault

HEADER_LEN = 8

_UDP, _TCP = ipv4.Protocol.UDP.value, ipv4.Protocol.TCP.value
_HEADER = Struct("!BBHI")
_PORTS = Struct("!HH")
_ECHO = Struct("!BBHHH")


class Type(IntEnum):
    """ICMP message types. Source: RFC 792; IANA "ICMP Type Numbers"."""

    ECHO_REPLY = 0
    DEST_UNREACHABLE = 3
    SOURCE_QUENCH = 4
    REDIRECT = 5
    ECHO_REQUEST = 8
    ROUTER_ADVERTISEMENT = 9
    ROUTER_SOLICITATION = 10
    TIME_EXCEEDED = 11
    PARAMETER_PROBLEM = 12
    TIMESTAMP = 13
    TIMESTAMP_REPLY = 14
    INFORMATION_REQUEST = 15
    INFORMATION_REPLY = 16
    ADDRESS_MASK_REQUEST = 17
    ADDRESS_MASK_REPLY = 18


class Unreachable(IntEnum):
    """Codes of DEST_UNREACHABLE. Source: RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1."""

    NET = 0
    HOST = 1
    PROTOCOL = 2
    PORT = 3
    FRAG_NEEDED = 4
    SOURCE_ROUTE_FAILED = 5
    NET_UNKNOWN = 6
    HOST_UNKNOWN = 7
    HOST_ISOLATED = 8
    NET_PROHIBITED = 9
    HOST_PROHIBITED = 10
    NET_TOS = 11
    HOST_TOS = 12
    ADMIN = 13
    PRECEDENCE_VIOLATION = 14
    PRECEDENCE_CUTOFF = 15


class Redirect(IntEnum):
    """Codes of REDIRECT that may be sent. Source: RFC 792; RFC 1812 4.3.3.2."""

    HOST = 1


class TimeExceeded(IntEnum):
    """Codes of TIME_EXCEEDED. Source: RFC 792."""

    TTL = 0
    REASSEMBLY = 1


class ParameterProblem(IntEnum):
    """Codes of PARAMETER_PROBLEM. Source: RFC 792, RFC 1122 3.2.2.5; IANA."""

    POINTER = 0
    OPTION_MISSING = 1
    LENGTH = 2


_ERRORS = frozenset(
    {
        Type.DEST_UNREACHABLE,
        Type.SOURCE_QUENCH,
        Type.REDIRECT,
        Type.TIME_EXCEEDED,
        Type.PARAMETER_PROBLEM,
    }
)


class IcmpMessage(NamedTuple):
    """An ICMP message; what its second word means depends on the type.

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
        """Identifier of an echo or timestamp message."""
        return self.rest >> 16

    @property
    def sequence(self) -> int:
        """Sequence number of an echo or timestamp message."""
        return self.rest & 0xFFFF

    @property
    def mtu(self) -> int:
        """Next-hop MTU of FRAG_NEEDED, bytes; 0 from routers older than RFC 1191."""
        return self.rest & 0xFFFF

    @property
    def pointer(self) -> int:
        """The byte of the quoted packet that a PARAMETER_PROBLEM is about."""
        return self.rest >> 24

    def to_bytes(self) -> bytes:
        """Return the message with its checksum."""
        unsummed = _HEADER.pack(self.type, self.code, 0, self.rest) + self.body
        checksum = internet_checksum(unsummed)
        return _HEADER.pack(self.type, self.code, checksum, self.rest) + self.body


class Quote(NamedTuple):
    """The packet that an ICMP error quotes: enough of it to find its sender.

    Attributes:
        protocol: IP protocol of the quoted packet.
        src: its source, that is us when the error is meant for us.
        dst: where it was sent.
        total_length: its length before it was cut for the quote (RFC 1191 5 needs it).
        sport: UDP or TCP source port; None for other protocols and later fragments.
        dport: the destination port, likewise.
        icmp_type: of a quoted ICMP message, else None.
        icmp_ident: identifier of a quoted echo request or reply, else None.
        icmp_sequence: its sequence number, else None.
        options: of its header; a source route means that ``dst`` is but a hop.
        tcp_seq: sequence number of a quoted TCP segment, else None (RFC 5927 4.1 needs it).
    """

    protocol: int
    src: int
    dst: int
    total_length: int
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_ident: int | None = None
    icmp_sequence: int | None = None
    options: bytes = b""
    tcp_seq: int | None = None


def is_error(icmp_type: int) -> bool:
    """Return whether a type is one of the five error messages (RFC 1122 3.2.2)."""
    return icmp_type in _ERRORS


def parse(message: bytes) -> IcmpMessage | WireFault:
    """Return the message in an IPv4 payload.

    Faults: icmp-truncated, icmp-bad-checksum. Unknown types are none: RFC 1122 3.2.2 wants them
    discarded by who knows which are known.
    """
    if len(message) < HEADER_LEN:
        return WireFault(
            Fault.ICMP_TRUNCATED, len(message), {"size": len(message), "cause": "header"}
        )
    icmp_type, code, got, rest = _HEADER.unpack_from(message)
    if not sums_to_zero(message):
        want = expected_checksum(message, 2)
        return WireFault(Fault.ICMP_BAD_CHECKSUM, 2, {"got": got, "want": want})
    return tuple.__new__(IcmpMessage, (icmp_type, code, rest, message[HEADER_LEN:]))


def parse_quote(body: bytes) -> Quote | None:
    """Return what the body of an ICMP error says about the packet that caused it.

    Only its header and 8 bytes need be there (RFC 792); its checksum is not tested, and its
    ``total_length`` may exceed what is quoted. None when there is no IPv4 header to be read.
    """
    header = ipv4.parse_unchecked(body)
    if header is None:
        return None
    quote = Quote(
        header.protocol, header.src, header.dst, header.total_length, options=header.options
    )
    # Only the first fragment begins with the transport's header (RFC 791 3.2).
    transport = body[header.header_len :] if header.fragment_offset == 0 else b""
    if header.protocol in (_UDP, _TCP) and len(transport) >= 4:
        sport, dport = _PORTS.unpack_from(transport)
        if header.protocol == _UDP or len(transport) < 8:
            return quote._replace(sport=sport, dport=dport)
        seq = int.from_bytes(transport[4:8])
        return quote._replace(sport=sport, dport=dport, tcp_seq=seq)
    if header.protocol == ipv4.Protocol.ICMP and len(transport) >= HEADER_LEN:
        icmp_type, _, _, ident, sequence = _ECHO.unpack_from(transport)
        if icmp_type in (Type.ECHO_REQUEST, Type.ECHO_REPLY):
            return quote._replace(icmp_type=icmp_type, icmp_ident=ident, icmp_sequence=sequence)
        return quote._replace(icmp_type=icmp_type)
    return quote
