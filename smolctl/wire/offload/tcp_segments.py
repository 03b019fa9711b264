"""A super-packet of TCP cut into the segments that it stands for, as a network card does (TSO).

A TAP with offloads hands us up to 64 KB of a connection in one frame, which no link would take, and
takes as much from us.
Source: Linux ``tcp_gso_segment``.
"""

from collections.abc import Callable
from struct import Struct

from smolctl.wire import ethernet, ipv4, ipv6
from smolctl.wire.ipv6_ext import upper_layer

MIN_HEADER_LEN = 20
CHECKSUM_AT = 16
"""Of the checksum in a TCP header."""

_IP_AT = ethernet.HEADER_LEN
_IPV4 = ethernet.EtherType.IPV4.to_bytes(2)
_IPV6 = ethernet.EtherType.IPV6.to_bytes(2)
_TCP = Struct("!HHIIBBHHH")
_FIN, _PSH, _CWR = 0x01, 0x08, 0x80
_MAX_SEGMENTS = 4096
"""More than 64 KB are ever cut into: Linux's least MSS is 48 (TCP_MIN_MSS)."""


def segments(frame: bytes, start: int, size: int) -> list[bytes] | None:
    """Cut a frame at its payload; None when it is no TCP over IP that says the same everywhere.

    Sequence numbers and idents go on from one to the next; FIN and PSH belong to the last, CWR to
    the first. The checksum of the IP header is changed by what changes in it (RFC 1624), so that a
    wrong one stays wrong; that of TCP is made anew, since whoever leaves it to us is believed.

    Args:
        start: where the TCP header is.
        size: bytes of payload in each but the last.
    """
    if _is_tcp(frame, start):
        addresses, ip_header = int.from_bytes(frame[26:34]), _ipv4_headers(frame, start)
    elif is_ipv6(frame, start, ipv6.NextHeader.TCP, len(frame)):
        addresses, ip_header = int.from_bytes(frame[22:54]), _ipv6_headers(frame, start)
    else:
        return None
    head = start + (frame[start + 12] >> 4) * 4 if len(frame) > start + 12 else 0
    fits = start + MIN_HEADER_LEN <= head <= len(frame) and size > 0
    if not fits or len(frame) - head > size * _MAX_SEGMENTS:
        return None
    sport, dport, seq, ack, offset, flags, window, _, urgent = _TCP.unpack_from(frame, start)
    options, result = frame[start + MIN_HEADER_LEN : head], []
    for number, at in enumerate(range(head, max(len(frame), head + 1), size)):
        payload = frame[at : at + size]
        own = flags & ~(_CWR if number else 0)
        if at + size < len(frame):
            own &= ~(_FIN | _PSH)
        length = head - start + len(payload)
        fields = (sport, dport, seq + at - head & 0xFFFFFFFF, ack, offset, own, window)
        behind = options + payload
        body = _TCP.pack(*fields, 0, urgent) + behind + bytes(length & 1)
        tcp_sum = -(int.from_bytes(body) + addresses + ipv4.Protocol.TCP + length) % 0xFFFF
        tcp_header = _TCP.pack(*fields, tcp_sum, urgent)
        result.append(b"".join((ip_header(length, number), tcp_header, behind)))
    return result


IpHeaders = Callable[[int, int], bytes]
"""From the length of a segment and its number to all that is in front of it."""


def _ipv4_headers(frame: bytes, start: int) -> IpHeaders:
    link, fragment, rest = frame[:16], frame[20:24], frame[26:start]
    total, ident = int.from_bytes(frame[16:18]), int.from_bytes(frame[18:20])
    ip_sum = int.from_bytes(frame[24:26])

    def header(length: int, number: int) -> bytes:
        new_total, new_ident = start - _IP_AT + length, (ident + number) & 0xFFFF
        checksum = (ip_sum + total - new_total + ident - new_ident) % 0xFFFF
        return b"".join(
            (
                link,
                new_total.to_bytes(2),
                new_ident.to_bytes(2),
                fragment,
                checksum.to_bytes(2),
                rest,
            )
        )

    return header


def _ipv6_headers(frame: bytes, start: int) -> IpHeaders:
    link, rest, before = frame[:18], frame[20:start], start - _IP_AT - ipv6.HEADER_LEN

    def header(length: int, _: int) -> bytes:
        return b"".join((link, (before + length).to_bytes(2), rest))

    return header


def is_ipv6(frame: bytes, start: int, protocol: int, size: int) -> bool:
    """Tell whether a frame is a whole IPv6 packet whose upper layer is at ``start``.

    Args:
        frame: its headers at least.
        protocol: the upper layer's.
        size: of the whole frame.
    """
    if len(frame) < start or frame[12:14] != _IPV6 or start < _IP_AT + ipv6.HEADER_LEN:
        return False
    if frame[14] >> 4 != 6 or int.from_bytes(frame[18:20]) != size - _IP_AT - ipv6.HEADER_LEN:
        return False
    if start == _IP_AT + ipv6.HEADER_LEN:
        return frame[20] == protocol
    upper = upper_layer(frame[_IP_AT:], frame[20])
    return upper == (protocol, start - _IP_AT, None)


def _is_tcp(frame: bytes, start: int) -> bool:
    """Tell whether a frame is a whole IPv4 packet whose TCP header is at ``start``."""
    return (
        len(frame) >= start + MIN_HEADER_LEN
        and frame[12:14] == _IPV4
        and frame[14] >> 4 == 4
        and (frame[14] & 0xF) * 4 == start - _IP_AT >= ipv4.MIN_HEADER_LEN
        and int.from_bytes(frame[16:18]) == len(frame) - _IP_AT
        and not (frame[20] & 0x3F or frame[21])
        and frame[23] == ipv4.Protocol.TCP
    )
