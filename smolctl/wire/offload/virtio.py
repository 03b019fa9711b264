"""The virtio network header: what its sender left undone about the frame behind it.

A TAP with ``IFF_VNET_HDR`` puts it in front of every frame, both ways. Two things may be left to
the receiver, as to the hardware of a network card: to complete a checksum (``NEEDS_CSUM``: the
field holds the sum of the pseudo header), and to cut a super-packet of many datagrams into these
(GSO).
Source: virtio 1.2 5.1.6, linux/virtio_net.h; the numbers are in the machine's own byte order.
"""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from smolctl.wire import ethernet, ipv4, ipv6, udp, vlan
from smolctl.wire.fault import Fault, WireFault
from smolctl.wire.offload import tcp_segments
from smolctl.wire.offload.tcp_segments import is_ipv6
from smolctl.wire.vlan import VlanTag

HEADER_LEN = 10
NEEDS_CSUM = 0x01
DATA_VALID = 0x02
"""Somebody summed the frame and found it right. The checksum is there all the same, and is looked
at like any other."""
MAX_SEGMENTS = 128
"""Linux UDP_MAX_SEGMENTS: what one super-packet may blow up to."""


class Gso(IntEnum):
    """The type of a super-packet; of these Linux gives us those ``device/tap.py`` asks for."""

    NONE = 0
    TCPV4 = 1
    TCPV6 = 4
    UDP_L4 = 5


_HEADER = Struct("=BBHHHH")
_IPV4 = ethernet.EtherType.IPV4.to_bytes(2)
_USO = bytes([Gso.UDP_L4])
_GSO_TYPES = frozenset(Gso)
_IPV4_AT = ethernet.HEADER_LEN
_HEADERS_MAX = _IPV4_AT + 60 + udp.HEADER_LEN
_UDP_AT = _IPV4_AT + ipv4.MIN_HEADER_LEN
UDP6_AT = _IPV4_AT + ipv6.HEADER_LEN
"""Of a UDP header in a frame of IPv6 without extension headers."""
_CSUM_AT = 6
"""Of the checksum in a UDP header."""
_ADDRESSES = HEADER_LEN + _IPV4_AT + 12
_SUM = HEADER_LEN + _UDP_AT + _CSUM_AT
_PAYLOAD = HEADER_LEN + _UDP_AT + udp.HEADER_LEN
"""Behind a virtio header: the addresses of IPv4, UDP's checksum without options, its payload."""
_ADDRESSES6 = HEADER_LEN + _IPV4_AT + 8
_SUM6 = HEADER_LEN + UDP6_AT + _CSUM_AT
_PAYLOAD6 = HEADER_LEN + UDP6_AT + udp.HEADER_LEN
"""The same of IPv6 without extension headers."""


class VirtioHeader(NamedTuple):
    """One header.

    Attributes:
        gso_type: one of ``Gso``.
        header_len: of the headers in front of the payload; a hint, nothing relies on it.
        gso_size: payload of each segment but the last, which may be shorter.
        csum_start: from where to sum, bytes from the start of the frame.
        csum_offset: of the field, from ``csum_start``.
    """

    flags: int = 0
    gso_type: int = Gso.NONE
    header_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0

    def to_bytes(self) -> bytes:
        """Return the header."""
        return _HEADER.pack(*self)


PLAIN = VirtioHeader().to_bytes()
"""In front of a frame with which nothing is left to do."""
VERIFIED = VirtioHeader(DATA_VALID).to_bytes()
"""In front of one whose checksum somebody found right."""
_UDP_CSUM = VirtioHeader(NEEDS_CSUM, 0, 0, 0, _UDP_AT, _CSUM_AT)
UDP_CSUM = _UDP_CSUM.to_bytes()
"""In front of a UDP datagram without IP options whose checksum is to be completed."""
_UDP6_CSUM = VirtioHeader(NEEDS_CSUM, 0, 0, 0, UDP6_AT, _CSUM_AT)
UDP6_CSUM = _UDP6_CSUM.to_bytes()
"""In front of one over IPv6 without extension headers."""


def shifted(data: bytes, number: int) -> bytes:
    """Return the header of a UDP datagram whose frame gets so many bytes more in front of it."""
    flags, gso_type, header_len, gso_size, start, offset = _HEADER.unpack_from(data)
    header_len += number if header_len else 0
    return _HEADER.pack(flags, gso_type, header_len, gso_size, start + number, offset)


def parse(data: bytes) -> VirtioHeader | WireFault:
    """Return the header in front of a frame, or why what it asks for cannot be done."""
    if len(data) < HEADER_LEN:
        return _invalid(0, f"{len(data)} B, it needs {HEADER_LEN}")
    header = VirtioHeader._make(_HEADER.unpack_from(data))
    if header.gso_type not in _GSO_TYPES:
        return _invalid(1, f"gso type {header.gso_type} was not asked for")
    if not header.flags & NEEDS_CSUM:
        return _invalid(0, "segments without checksums") if header.gso_type else header
    field = header.csum_start + header.csum_offset
    if header.csum_start < _IPV4_AT or field + 2 > len(data) - HEADER_LEN:
        return _invalid(6, f"checksum at {field} of {len(data) - HEADER_LEN} B")
    return header


def frames(data: bytes) -> list[bytes] | WireFault:
    """Return the frames that a header and what is behind it stand for, as a wire would carry them.

    Returns: one, or the datagrams or TCP segments of a super-packet in their order.
    """
    header = parse(data)
    if isinstance(header, WireFault):
        return header
    frame = data[HEADER_LEN:]
    if not header.flags & NEEDS_CSUM:
        return [frame]
    tagged = vlan.TAG_LEN * len(vlan.tags(frame))
    if not tagged:
        return _frames(header, frame)
    # Whoever cuts looks for the headers behind an ethertype; the tags are in front of it.
    tags, start = frame[vlan.AT : vlan.AT + tagged], header.csum_start - tagged
    if start < _IPV4_AT:
        return _invalid(6, f"checksum from {header.csum_start}, within a VLAN tag")
    header = header._replace(csum_start=start)
    result = _frames(header, frame[: vlan.AT] + frame[vlan.AT + tagged :])
    if isinstance(result, WireFault):
        return result
    return [each[: vlan.AT] + tags + each[vlan.AT :] for each in result]


def _frames(header: VirtioHeader, frame: bytes) -> list[bytes] | WireFault:
    """Return the frames that one without a VLAN tag stands for, their checksums done."""
    if _is_udp(header, frame, len(frame)):
        return _split(header, frame)
    if _is_udp6(header, frame, len(frame)):
        return _split6(header, frame)
    is_tcp = header.gso_type in (Gso.TCPV4, Gso.TCPV6)
    if is_tcp and header.csum_offset == tcp_segments.CHECKSUM_AT:
        cut = tcp_segments.segments(frame, header.csum_start, header.gso_size)
        return [_complete(header, frame)] if cut is None else cut
    if header.gso_type == Gso.UDP_L4:
        return _invalid(4, f"{len(frame)} B are no UDP super-packet of {header.gso_size} B each")
    return [_complete(header, frame)]


def tagged(data: bytes, tag: VlanTag) -> bytes:
    """Return a frame behind its header with a VLAN tag that the kernel had taken off."""
    header = VirtioHeader._make(_HEADER.unpack_from(data))
    if header.flags & NEEDS_CSUM:
        header = header._replace(csum_start=header.csum_start + vlan.TAG_LEN)
    return header.to_bytes() + vlan.tagged(data[HEADER_LEN:], tag)


def summed(data: bytes) -> bytes | None:
    """Return the frame of a well-formed UDP datagram whose checksum alone is to be completed.

    None for all else, which ``frames`` is for; it would return the same, but for an IP header
    checksum of 0xFFFF, where it has 0.
    """
    size = len(data) - HEADER_LEN
    if data[:HEADER_LEN] != UDP_CSUM or not _is_udp(_UDP_CSUM, data[HEADER_LEN:_PAYLOAD], size):
        return None
    # Of the pseudo header only protocol and length are not there from the addresses on.
    rest = int.from_bytes(data[_ADDRESSES:])
    if size & 1:
        rest <<= 8
    rest += ipv4.Protocol.UDP + size - _UDP_AT - int.from_bytes(data[_SUM : _SUM + 2])
    # RFC 768: a computed zero is sent as all ones.
    return data[HEADER_LEN:_SUM] + (-rest % 0xFFFF or 0xFFFF).to_bytes(2) + data[_SUM + 2 :]


def summed6(data: bytes) -> bytes | None:
    """Return of IPv6 without extension headers what ``summed`` returns of IPv4."""
    size = len(data) - HEADER_LEN
    headers = data[HEADER_LEN:_PAYLOAD6]
    if data[:HEADER_LEN] != UDP6_CSUM or not _is_udp6(_UDP6_CSUM, headers, size):
        return None
    rest = int.from_bytes(data[_ADDRESSES6:])
    if size & 1:
        rest <<= 8
    rest += ipv4.Protocol.UDP + size - UDP6_AT - int.from_bytes(data[_SUM6 : _SUM6 + 2])
    # RFC 8200 8.1: a computed zero is sent as all ones.
    return data[HEADER_LEN:_SUM6] + (-rest % 0xFFFF or 0xFFFF).to_bytes(2) + data[_SUM6 + 2 :]


def segment_size(data: bytes) -> int:
    """Return the size of the payloads in a well-formed super-packet of UDP over IPv4, else 0."""
    if data[1:2] != _USO:
        return 0
    header = parse(data)
    if isinstance(header, WireFault):
        return 0
    headers = data[HEADER_LEN : HEADER_LEN + _HEADERS_MAX]  # not 64 KB of payload
    return header.gso_size if _is_udp(header, headers, len(data) - HEADER_LEN) else 0


def _is_udp(header: VirtioHeader, frame: bytes, size: int) -> bool:
    """Tell whether a frame that needs checksums is one UDP datagram, or many, and nothing else.

    All lengths must say the same, for there is only one place to cut.

    Args:
        header: in front of it.
        frame: its headers at least.
        size: of the whole frame.
    """
    _, gso_type, _, segment, start, offset = header
    length = size - start
    if size < _UDP_AT + udp.HEADER_LEN or offset != _CSUM_AT or start < _UDP_AT:
        return False
    return (
        frame[12:14] == _IPV4
        and frame[14] >> 4 == 4
        and (frame[14] & 0xF) * 4 == start - _IPV4_AT
        and int.from_bytes(frame[16:18]) == size - _IPV4_AT
        and not (frame[20] & 0x3F or frame[21])
        and frame[23] == ipv4.Protocol.UDP
        and length >= udp.HEADER_LEN
        and int.from_bytes(frame[start + 4 : start + 6]) == length
        and (
            gso_type == Gso.NONE
            or (gso_type == Gso.UDP_L4 and 0 < length - udp.HEADER_LEN <= segment * MAX_SEGMENTS)
        )
    )


def segment_size6(data: bytes) -> int:
    """Return the size of the payloads in a well-formed super-packet of UDP over IPv6, else 0.

    One with extension headers is none: who asks looks for addresses and ports at fixed places.
    """
    if data[1:2] != _USO:
        return 0
    header = parse(data)
    if isinstance(header, WireFault) or header.csum_start != UDP6_AT:
        return 0
    headers = data[HEADER_LEN : HEADER_LEN + UDP6_AT + udp.HEADER_LEN]
    return header.gso_size if _is_udp6(header, headers, len(data) - HEADER_LEN) else 0


def _is_udp6(header: VirtioHeader, frame: bytes, size: int) -> bool:
    """Tell of IPv6 what ``_is_udp`` tells of IPv4."""
    _, gso_type, _, segment, start, offset = header
    length = size - start
    return (
        offset == _CSUM_AT
        and length >= udp.HEADER_LEN
        and is_ipv6(frame, start, ipv4.Protocol.UDP, size)
        and int.from_bytes(frame[start + 4 : start + 6]) == length
        and (
            gso_type == Gso.NONE
            or (gso_type == Gso.UDP_L4 and 0 < length - udp.HEADER_LEN <= segment * MAX_SEGMENTS)
        )
    )


def _split(header: VirtioHeader, frame: bytes) -> list[bytes]:
    """Cut a well-formed super-packet, or a single datagram not at all, and put checksums in.

    The checksum of the IP header is changed by what changes in it (RFC 1624), so that a wrong one
    stays wrong. That of UDP is made anew: like Linux, whoever leaves it to us is believed.
    Source: Linux ``__udp_gso_segment``.
    """
    start, first = header.csum_start, header.csum_start + udp.HEADER_LEN
    size = header.gso_size if header.gso_type else udp.MAX_PAYLOAD
    link, options, ports = frame[:16], frame[26:start], frame[start : start + 4]
    fragment, ip_checksum = frame[20:24], int.from_bytes(frame[24:26])
    total_length, ident = int.from_bytes(frame[16:18]), int.from_bytes(frame[18:20])
    udp_sum = int.from_bytes(frame[26:34]) + int.from_bytes(ports) + ipv4.Protocol.UDP
    result = []
    for number, at in enumerate(range(first, max(len(frame), first + 1), size)):
        payload = frame[at : at + size]
        length = len(payload) + udp.HEADER_LEN
        new_total, new_ident = start - _IPV4_AT + length, (ident + number) & 0xFFFF
        checksum = (ip_checksum + total_length - new_total + ident - new_ident) % 0xFFFF
        word = int.from_bytes(payload) << 8 if length & 1 else int.from_bytes(payload)
        # RFC 768: a computed zero is sent as all ones.
        udp_checksum = -(udp_sum + 2 * length + word) % 0xFFFF or 0xFFFF
        result.append(
            b"".join((
                link, new_total.to_bytes(2), new_ident.to_bytes(2), fragment, checksum.to_bytes(2),
                options, ports, length.to_bytes(2), udp_checksum.to_bytes(2), payload,
            ))
        )  # fmt: skip
    return result


def _split6(header: VirtioHeader, frame: bytes) -> list[bytes]:
    """Do for IPv6 what ``_split`` does for IPv4; its header has no checksum."""
    start, first = header.csum_start, header.csum_start + udp.HEADER_LEN
    size = header.gso_size if header.gso_type else udp.MAX_PAYLOAD6
    link, rest, ports = frame[:18], frame[20:start], frame[start : start + 4]
    before = start - UDP6_AT
    udp_sum = int.from_bytes(frame[22:54]) + int.from_bytes(ports) + ipv4.Protocol.UDP
    result = []
    for at in range(first, max(len(frame), first + 1), size):
        payload = frame[at : at + size]
        length = len(payload) + udp.HEADER_LEN
        word = int.from_bytes(payload) << 8 if length & 1 else int.from_bytes(payload)
        # RFC 8200 8.1: a computed zero is sent as all ones.
        checksum = -(udp_sum + 2 * length + word) % 0xFFFF or 0xFFFF
        result.append(
            b"".join((
                link, (before + length).to_bytes(2), rest, ports, length.to_bytes(2),
                checksum.to_bytes(2), payload,
            ))
        )  # fmt: skip
    return result


def _complete(header: VirtioHeader, frame: bytes) -> bytes:
    """Put in the checksum whose field holds the pseudo header's sum (Linux skb_checksum_help).

    Zero means "no checksum" in UDP alone (RFC 768); in TCP it is what it is (RFC 1624 5).
    """
    start, at = header.csum_start, header.csum_start + header.csum_offset
    number = int.from_bytes(frame[start:])
    if len(frame) - start & 1:
        number <<= 8
    checksum = -number % 0xFFFF
    if not checksum and header.csum_offset != tcp_segments.CHECKSUM_AT:
        checksum = 0xFFFF
    return frame[:at] + checksum.to_bytes(2) + frame[at + 2 :]


def _invalid(offset: int, what: str) -> WireFault:
    return WireFault(Fault.RX_OFFLOAD_INVALID, offset, {"what": what})
