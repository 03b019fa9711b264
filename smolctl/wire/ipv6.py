"""The IPv6 header (RFC 8200 3)."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from smolctl.wire.address import IPV6_MARK
from smolctl.wire.fault import Fault6, WireFault

HEADER_LEN = 40
MIN_MTU = 1280
"""Bytes that every link takes in one piece (RFC 8200 5)."""
MAX_PAYLOAD_LEN = 65535

_HEADER = Struct("!IHBB16s16s")
_VERSION = 6 << 28
_FLOW_LABEL = 0xFFFFF


class NextHeader(IntEnum):
    """The kind of the next header. Source: RFC 8200 4; IANA "Protocol Numbers"."""

    HOP_BY_HOP = 0
    TCP = 6
    UDP = 17
    ROUTING = 43
    FRAGMENT = 44
    ESP = 50
    AUTHENTICATION = 51
    ICMPV6 = 58
    NONE = 59
    DESTINATION = 60
    MOBILITY = 135
    HIP = 139
    SHIM6 = 140


class Ipv6Header(NamedTuple):
    """The fields of an IPv6 header.

    Attributes:
        traffic_class: 0..255, DSCP and ECN (RFC 2474, RFC 3168).
        flow_label: 0..0xFFFFF, 0 for none (RFC 6437).
        payload_length: bytes behind this header, 0..65535.
        next_header: 0..255, see ``NextHeader``.
        hop_limit: 0..255.
        src: address.
        dst: address.
    """

    traffic_class: int
    flow_label: int
    payload_length: int
    next_header: int
    hop_limit: int
    src: int
    dst: int

    @property
    def total_length(self) -> int:
        """Bytes of the packet, this header included."""
        return HEADER_LEN + self.payload_length

    @property
    def ttl(self) -> int:
        """The hop limit, by IPv4's name."""
        return self.hop_limit

    @property
    def dscp_ecn(self) -> int:
        """The traffic class, by IPv4's name."""
        return self.traffic_class

    @property
    def options(self) -> bytes:
        """No options: IPv6 has them in extension headers."""
        return b""

    def to_bytes(self) -> bytes:
        """Return the 40 bytes."""
        traffic_class, flow_label, length, next_header, hop_limit, src, dst = self
        return _HEADER.pack(
            _VERSION | traffic_class << 20 | flow_label,
            length,
            next_header,
            hop_limit,
            src.to_bytes(17)[1:],
            dst.to_bytes(17)[1:],
        )


def parse(packet: bytes) -> Ipv6Header | WireFault:
    """Return the header of a packet after all checks that need nothing but the packet.

    The packet may be longer than its ``payload_length`` says: Ethernet pads short frames.

    Faults: ip6-header-short, ip6-bad-version, ip6-length-mismatch. Source: RFC 8200 3; Linux
    ``ip6_rcv_core``.
    """
    size = len(packet)
    if size < HEADER_LEN:
        return WireFault(Fault6.IP6_HEADER_SHORT, size, {"number": size})
    first, length, next_header, hop_limit, src, dst = _HEADER.unpack_from(packet)
    if first >> 28 != 6:
        return WireFault(Fault6.IP6_BAD_VERSION, 0, {"v": first >> 28})
    if length + HEADER_LEN > size:
        return WireFault(Fault6.IP6_LENGTH_MISMATCH, 4, {"a": length, "b": size - HEADER_LEN})
    values = (
        first >> 20 & 255,
        first & _FLOW_LABEL,
        length,
        next_header,
        hop_limit,
        IPV6_MARK | int.from_bytes(src),
        IPV6_MARK | int.from_bytes(dst),
    )
    return tuple.__new__(Ipv6Header, values)


def parse_unchecked(packet: bytes) -> Ipv6Header | None:
    """Return the header of a packet of which perhaps only the beginning is there.

    For the packet that an ICMPv6 error quotes: it is cut to fit (RFC 4443 2.4(c)). None when no
    header can be made out.
    """
    if len(packet) < HEADER_LEN or packet[0] >> 4 != 6:
        return None
    first, length, next_header, hop_limit, src, dst = _HEADER.unpack_from(packet)
    return Ipv6Header(
        traffic_class=first >> 20 & 255,
        flow_label=first & _FLOW_LABEL,
        payload_length=length,
        next_header=next_header,
        hop_limit=hop_limit,
        src=IPV6_MARK | int.from_bytes(src),
        dst=IPV6_MARK | int.from_bytes(dst),
    )


def aged(packet: bytes) -> bytes:
    """Return a packet whose hop limit is one less; it must not be 0 already (RFC 8200 3)."""
    return b"".join((packet[:7], (packet[7] - 1).to_bytes(), packet[8:]))


def payload(packet: bytes, header: Ipv6Header) -> bytes:
    """Return what follows the header, without Ethernet's padding."""
    return packet[HEADER_LEN : HEADER_LEN + header.payload_length]
