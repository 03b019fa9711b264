"""The IPv4 header (RFC 791 3.1)."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from smolctl.wire.checksum import expected_checksum
from smolctl.wire.fault import Fault, WireFault

MIN_HEADER_LEN = 20
MAX_HEADER_LEN = 60
MAX_PACKET_LEN = 65535
MIN_MTU = 68
"""Bytes of a packet that every link takes and every router sends on in one piece (RFC 791 3.2)."""

_HEADER = Struct("!BBHHHBBHII")
_WORDS = Struct("!HHHHHHII")
"""The same, but its single bytes in pairs."""
_DF = 0x4000
_MF = 0x2000
_OFFSET = 0x1FFF

END_OF_OPTIONS = 0
NO_OPERATION = 1


class Protocol(IntEnum):
    """The protocol behind the header. Source: IANA "Protocol Numbers"."""

    ICMP = 1
    IGMP = 2
    TCP = 6
    UDP = 17


class Ipv4Header(NamedTuple):
    """The fields of an IPv4 header; the checksum is not one, ``parse`` checked it.

    Attributes:
        ihl: header length in 32-bit words, 5..15; ``to_bytes`` computes it from ``options``.
        dscp_ecn: the former type of service, 0..255 (RFC 2474, RFC 3168).
        total_length: bytes of header and payload, 20..65535.
        ident: 0..65535, has meaning only while fragments are possible (RFC 6864).
        df: don't fragment.
        mf: more fragments.
        fragment_offset: bytes, a multiple of 8.
        ttl: 0..255.
        protocol: 0..255, see ``Protocol``.
        src: address.
        dst: address.
        options: raw bytes, 0..40.
    """

    ihl: int
    dscp_ecn: int
    total_length: int
    ident: int
    df: bool
    mf: bool
    fragment_offset: int
    ttl: int
    protocol: int
    src: int
    dst: int
    options: bytes = b""

    @property
    def header_len(self) -> int:
        """Bytes from the start of the packet to its payload."""
        return self.ihl * 4

    def to_bytes(self) -> bytes:
        """Return the header with ``ihl`` and checksum computed, options padded with zeros.

        Raises:
            ValueError: more than 40 bytes of options.
        """
        _, tos, total_length, ident, df, mf, offset, ttl, protocol, src, dst, options = self
        first, flags = 0x4500 | tos, offset >> 3
        if df:
            flags |= _DF
        if mf:
            flags |= _MF
        if options:
            if len(options) > MAX_HEADER_LEN - MIN_HEADER_LEN:
                raise ValueError(f"{len(options)} bytes of IPv4 options, at most 40 fit")
            options += bytes(-len(options) % 4)
            first += len(options) << 6
        # The sum of the fields is that of the bytes, and saves building them twice (RFC 1071).
        time_and_protocol = ttl << 8 | protocol
        total = first + total_length + ident + flags + time_and_protocol + src + dst
        checksum = -(total + int.from_bytes(options)) % 0xFFFF
        words = (first, total_length, ident, flags, time_and_protocol, checksum, src, dst)
        return _WORDS.pack(*words) + options


def parse(packet: bytes) -> Ipv4Header | WireFault:
    """Return the header of a packet after all checks that need nothing but the packet.

    The packet may be longer than its ``total_length``: Ethernet pads short frames.

    Faults, in this order (that of Linux ip_rcv_core): ip-header-short, ip-bad-version, ip-bad-ihl,
    ip-bad-checksum, ip-length-mismatch. Source: RFC 1122 3.2.1.1, 3.2.1.2.
    """
    size = len(packet)
    if size < MIN_HEADER_LEN:
        return WireFault(Fault.IP_HEADER_SHORT, size, {"size": size})
    fields = _HEADER.unpack_from(packet)
    version_ihl, dscp_ecn, total_length, ident, flags, ttl, protocol, _, src, dst = fields
    if version_ihl == 0x45:
        ihl, header_len, options = 5, 20, b""
    else:
        ihl = version_ihl & 15
        header_len = ihl * 4
        if version_ihl >> 4 != 4:
            return WireFault(Fault.IP_BAD_VERSION, 0, {"v": version_ihl >> 4})
        if ihl < 5 or header_len > size:
            cause = "short" if ihl < 5 else "long"
            return WireFault(Fault.IP_BAD_IHL, 0, {"ihl": ihl, "size": size, "cause": cause})
        options = packet[20:header_len]
    # Not every word is zero: no sum is.
    if int.from_bytes(packet[:header_len]) % 0xFFFF:
        return _bad_checksum(packet[:header_len])
    if not header_len <= total_length <= size:
        values = {"a": total_length, "b": size, "header": header_len}
        cause = "cut" if total_length > size else "header"
        return WireFault(Fault.IP_LENGTH_MISMATCH, 2, {**values, "cause": cause})
    fields = (
        ihl,
        dscp_ecn,
        total_length,
        ident,
        flags & _DF != 0,
        flags & _MF != 0,
        (flags & _OFFSET) << 3,
        ttl,
        protocol,
        src,
        dst,
        options,
    )
    return tuple.__new__(Ipv4Header, fields)


def parse_unchecked(packet: bytes) -> Ipv4Header | None:
    """Return the header of a packet of which perhaps only the beginning is there.

    For the packet that an ICMP error quotes: routers have changed it on its way, so neither its
    checksum nor its length says anything (RFC 1812 4.3.2.3). None when no header can be made out.
    """
    if len(packet) < MIN_HEADER_LEN:
        return None
    first, dscp_ecn, total_length, ident, flags, ttl, protocol, _, src, dst = _HEADER.unpack_from(
        packet
    )
    ihl = first & 15
    if first >> 4 != 4 or ihl < 5 or ihl * 4 > len(packet):
        return None
    return Ipv4Header(
        ihl=ihl,
        dscp_ecn=dscp_ecn,
        total_length=total_length,
        ident=ident,
        df=flags & _DF != 0,
        mf=flags & _MF != 0,
        fragment_offset=(flags & _OFFSET) << 3,
        ttl=ttl,
        protocol=protocol,
        src=src,
        dst=dst,
        options=packet[20 : ihl * 4],
    )


def aged(packet: bytes) -> bytes:
    """Return a packet whose time to live is one less; it must not be 0 already.

    The checksum is changed by what changes in the header, so that a wrong one stays wrong (RFC
    1624 3; RFC 1812 4.2.2.5; Linux ``ip_decrease_ttl``).
    """
    checksum = (int.from_bytes(packet[10:12]) + 0x100) % 0xFFFF
    ttl = packet[8] - 1
    return b"".join((packet[:8], ttl.to_bytes(), packet[9:10], checksum.to_bytes(2), packet[12:]))


def payload(packet: bytes, header: Ipv4Header) -> bytes:
    """Return what follows the header, without Ethernet's padding."""
    return packet[header.ihl * 4 : header.total_length]


def _bad_checksum(header: bytes) -> WireFault:
    got = int.from_bytes(header[10:12])
    return WireFault(Fault.IP_BAD_CHECKSUM, 10, {"got": got, "want": expected_checksum(header, 10)})
