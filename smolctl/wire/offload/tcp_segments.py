"""A super-packet of TCP cut into the segments that it stands for, as a network card does (TSO).

This stack speaks no TCP, but it forwards what others say: a TAP with offloads hands it up to 64 KB
of a connection in one frame, which no link would take.
Source: Linux ``tcp_gso_segment``.
"""

from struct import Struct

from smolctl.wire import ethernet, ipv4

MIN_HEADER_LEN = 20
CHECKSUM_AT = 16
"""Of the checksum in a TCP header."""

_IPV4_AT = ethernet.HEADER_LEN
_IPV4 = ethernet.EtherType.IPV4.to_bytes(2)
_TCP = Struct("!HHIIBBHHH")
_FIN, _PSH, _CWR = 0x01, 0x08, 0x80
_MAX_SEGMENTS = 4096
"""More than 64 KB are ever cut into: Linux's least MSS is 48 (TCP_MIN_MSS)."""


def segments(frame: bytes, start: int, size: int) -> list[bytes] | None:
    """Cut a frame at its payload; None when it is no TCP over IPv4 that says the same everywhere.

    Sequence numbers and idents go on from one to the next; FIN and PSH belong to the last, CWR to
    the first. The checksum of the IP header is changed by what changes in it (RFC 1624), so that a
    wrong one stays wrong; that of TCP is made anew, since whoever leaves it to us is believed.

    Args:
        start: where the TCP header is.
        size: bytes of payload in each but the last.
    """
    if not _is_tcp(frame, start) or size < 1:
        return None
    head = start + (frame[start + 12] >> 4) * 4
    if not start + MIN_HEADER_LEN <= head <= len(frame) or len(frame) - head > size * _MAX_SEGMENTS:
        return None
    link, fragment, rest = frame[:16], frame[20:24], frame[26:start]
    total, ident = int.from_bytes(frame[16:18]), int.from_bytes(frame[18:20])
    ip_sum, addresses = int.from_bytes(frame[24:26]), int.from_bytes(frame[26:34])
    sport, dport, seq, ack, offset, flags, window, _, urgent = _TCP.unpack_from(frame, start)
    options, result = frame[start + MIN_HEADER_LEN : head], []
    for number, at in enumerate(range(head, max(len(frame), head + 1), size)):
        payload = frame[at : at + size]
        own = flags & ~(_CWR if number else 0)
        if at + size < len(frame):
            own &= ~(_FIN | _PSH)
        length = head - start + len(payload)
        new_total, new_ident = start - _IPV4_AT + length, (ident + number) & 0xFFFF
        checksum = (ip_sum + total - new_total + ident - new_ident) % 0xFFFF
        fields = (sport, dport, seq + at - head & 0xFFFFFFFF, ack, offset, own, window)
        behind = options + payload
        body = _TCP.pack(*fields, 0, urgent) + behind + bytes(length & 1)
        tcp_sum = -(int.from_bytes(body) + addresses + ipv4.Protocol.TCP + length) % 0xFFFF
        result.append(
            b"".join((
                link, new_total.to_bytes(2), new_ident.to_bytes(2), fragment, checksum.to_bytes(2),
                rest, _TCP.pack(*fields, tcp_sum, urgent), behind,
            ))
        )  # fmt: skip
    return result


def _is_tcp(frame: bytes, start: int) -> bool:
    """Tell whether a frame is a whole IPv4 packet whose TCP header is at ``start``."""
    return (
        len(frame) >= start + MIN_HEADER_LEN
        and frame[12:14] == _IPV4
        and frame[14] >> 4 == 4
        and (frame[14] & 0xF) * 4 == start - _IPV4_AT >= ipv4.MIN_HEADER_LEN
        and int.from_bytes(frame[16:18]) == len(frame) - _IPV4_AT
        and not (frame[20] & 0x3F or frame[21])
        and frame[23] == ipv4.Protocol.TCP
    )
