"""The UDP header (RFC 768)."""

from struct import Struct
from typing import NamedTuple

from smolctl.wire.address import IPV6_MARK
from smolctl.wire.checksum import (
    expected_checksum,
    internet_checksum,
    pseudo_header_sum,
    sums_to_zero,
)
from smolctl.wire.fault import Fault, Fault6, WireFault

HEADER_LEN = 8
MAX_PAYLOAD = 65507
"""Bytes: 65535 of an IPv4 packet, less its shortest header and UDP's."""
MAX_PAYLOAD6 = 65527
"""Bytes: 65535 behind an IPv6 header, less UDP's."""

_PROTOCOL = 17
_MAX_LENGTH = 65535
_HEADER = Struct("!HHHH")


class UdpHeader(NamedTuple):
    """The four fields of UDP.

    Attributes:
        sport: 0..65535; 0 means that no answer is expected.
        dport: 0..65535.
        length: bytes of header and payload, at least 8.
        checksum: 0 when the sender computed none.
    """

    sport: int
    dport: int
    length: int
    checksum: int


def parse(segment: bytes, src: int, dst: int) -> UdpHeader | WireFault:
    """Return the header of a datagram.

    Args:
        segment: what follows the headers of IP. UDP may be shorter (RFC 768 has its own length).
        src: source address of the packet, for the pseudo header.
        dst: destination address of the packet.

    Faults: udp-header-short, udp-bad-length, udp-bad-checksum, udp6-no-checksum. A checksum of 0
    means that there is none (RFC 768). RFC 1122 4.1.3.4 allows to accept that, and RFC 8200 8.1
    forbids it.
    """
    size = len(segment)
    if size < HEADER_LEN:
        return WireFault(Fault.UDP_HEADER_SHORT, size, {"size": size})
    fields = _HEADER.unpack_from(segment)
    length, checksum = fields[2], fields[3]
    if not HEADER_LEN <= length <= size:
        cause = "header" if length < HEADER_LEN else "cut"
        return WireFault(Fault.UDP_BAD_LENGTH, 4, {"a": length, "b": size, "cause": cause})
    if checksum:
        covered = segment if length == size else segment[:length]
        pseudo = pseudo_header_sum(src, dst, _PROTOCOL, length)
        if not sums_to_zero(covered, pseudo):
            want = expected_checksum(covered, 6, pseudo) or 0xFFFF
            return WireFault(Fault.UDP_BAD_CHECKSUM, 6, {"got": checksum, "want": want})
    elif src >= IPV6_MARK:
        return WireFault(Fault6.UDP6_NO_CHECKSUM, 6, {"number": length})
    return tuple.__new__(UdpHeader, fields)


def payload(segment: bytes, header: UdpHeader) -> bytes:
    """Return what follows the header, as far as UDP's own length reaches."""
    return segment[HEADER_LEN : header.length]


def to_bytes(sport: int, dport: int, payload: bytes, src: int, dst: int) -> bytes:
    """Return header and payload, with the checksum.

    It is on by default in IPv4 (RFC 1122 4.1.3.4) and a must in IPv6 (RFC 8200 8.1).

    Args:
        sport: 0..65535.
        dport: 0..65535.
        payload: at most 65527 bytes; what fits in a packet is for the caller to know.
        src: source address that the packet will carry.
        dst: destination address that it will carry.

    Raises:
        ValueError: the length field cannot hold the payload's.
    """
    length = HEADER_LEN + len(payload)
    if length > _MAX_LENGTH:
        raise ValueError(f"{len(payload)} bytes of payload, UDP's length field holds 65527")
    fields = sport + dport + length
    checksum = internet_checksum(payload, fields + pseudo_header_sum(src, dst, _PROTOCOL, length))
    # RFC 768: "If the computed checksum is zero, it is transmitted as all ones".
    return _HEADER.pack(sport, dport, length, checksum or 0xFFFF) + payload
