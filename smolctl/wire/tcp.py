"""The TCP header (RFC 9293 3.1)."""

from struct import Struct
from typing import NamedTuple

from smolctl.wire.checksum import (
    expected_checksum,
    internet_checksum,
    pseudo_header_sum,
    sums_to_zero,
)
from smolctl.wire.fault import TcpFault, WireFault

MIN_HEADER_LEN = 20
MAX_HEADER_LEN = 60
CHECKSUM_AT = 16
"""Of the checksum in a header."""

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))
"""Flags. Source: RFC 9293 3.1; RFC 3168 6.1 for ECE and CWR, RFC 9768 for AE."""

_PROTOCOL = 6
_HEADER = Struct("!HHIIHHHH")
_FLAGS = 0x1FF
_MASK = 0xFFFFFFFF
_NAMES = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE")


class TcpHeader(NamedTuple):
    """The fields of a TCP header; the checksum is not one, ``parse`` checked it.

    Attributes:
        sport: 0..65535.
        dport: 0..65535.
        seq: sequence number; any integer in ``to_bytes``, which sends its last 32 bits.
        ack: acknowledgment number, likewise; means something with ACK only.
        data_offset: header length in 32-bit words, 5..15; ``to_bytes`` computes it from
            ``options``.
        flags: see ``FIN`` and the others; the reserved bits are ignored (RFC 9293 3.1).
        window: 0..65535, not scaled.
        urgent: pointer, means something with URG only.
        options: raw bytes, 0..40, see ``tcp_options``.
    """

    sport: int
    dport: int
    seq: int
    ack: int
    data_offset: int
    flags: int
    window: int
    urgent: int = 0
    options: bytes = b""

    @property
    def header_len(self) -> int:
        """Bytes from the start of the segment to its payload."""
        return self.data_offset * 4

    def to_bytes(self, payload: bytes, src: int, dst: int) -> bytes:
        """Return header and payload, with ``data_offset`` and checksum computed.

        Args:
            payload: what fits in a packet is for the caller to know.
            src: source address that the packet will carry.
            dst: destination address that it will carry.

        Raises:
            ValueError: more than 40 bytes of options.
        """
        sport, dport, seq, ack, _, flags, window, urgent, options = self
        if len(options) > MAX_HEADER_LEN - MIN_HEADER_LEN:
            raise ValueError(f"{len(options)} bytes of TCP options, at most 40 fit")
        options += bytes(-len(options) % 4)
        length = MIN_HEADER_LEN + len(options)
        # The sum of the fields is that of the bytes, and saves building them twice.
        words = length << 10 | flags
        total = sport + dport + (seq & _MASK) + (ack & _MASK) + words + window + urgent
        behind = options + payload
        total += pseudo_header_sum(src, dst, _PROTOCOL, MIN_HEADER_LEN + len(behind))
        checksum = internet_checksum(behind, total)
        fields = (sport, dport, seq & _MASK, ack & _MASK, words, window, checksum, urgent)
        return _HEADER.pack(*fields) + behind


def parse(segment: bytes, src: int, dst: int) -> TcpHeader | WireFault:
    """Return the header of a segment.

    Args:
        segment: what follows the headers of IP.
        src: source address of the packet, for the pseudo header.
        dst: destination address of the packet.

    Faults, in this order (that of Linux tcp_v4_rcv): tcp-header-short, tcp-offset-invalid,
    tcp-bad-checksum.
    """
    size = len(segment)
    if size < MIN_HEADER_LEN:
        return WireFault(TcpFault.TCP_HEADER_SHORT, size, {"size": size})
    sport, dport, seq, ack, words, window, got, urgent = _HEADER.unpack_from(segment)
    length = words >> 12 << 2
    if not MIN_HEADER_LEN <= length <= size:
        return WireFault(TcpFault.TCP_OFFSET_INVALID, 12, {"a": length, "b": size})
    pseudo = pseudo_header_sum(src, dst, _PROTOCOL, size)
    if not sums_to_zero(segment, pseudo):
        want = expected_checksum(segment, CHECKSUM_AT, pseudo)
        return WireFault(TcpFault.TCP_BAD_CHECKSUM, CHECKSUM_AT, {"got": got, "want": want})
    options = segment[MIN_HEADER_LEN:length] if length > MIN_HEADER_LEN else b""
    values = (sport, dport, seq, ack, words >> 12, words & _FLAGS, window, urgent, options)
    return tuple.__new__(TcpHeader, values)


def payload(segment: bytes, header: TcpHeader) -> bytes:
    """Return what follows the header."""
    return segment[header.data_offset * 4 :]


def flag_names(flags: int) -> list[str]:
    """Return the names of flags, from FIN to AE as the header has them from the right."""
    return [name for bit, name in enumerate(_NAMES) if flags >> bit & 1]


def flags_text(flags: int) -> str:
    """Return flags in words: ``SYN,ACK``; ``none`` without any."""
    return ",".join(flag_names(flags)) or "none"
