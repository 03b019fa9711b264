"""A packet cut into fragments (RFC 791 3.2, 2.3; RFC 8200 4.5).

IPv4 for whoever sends a packet, and for whoever forwards one: a fragment is cut like a whole
datagram. IPv6 for the sender alone: a router answers that the packet is too big (RFC 8200 5).
"""

from collections.abc import Iterator

from smolctl.wire import ipv4, ipv6
from smolctl.wire.ipv4 import Ipv4Header
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import FRAGMENT_LEN, UPPER_LEN, Fragment, upper_layer

_COPIED = 0x80
"""Of an option's kind: it stands in every fragment (RFC 791 3.1)."""


def fragments(header: Ipv4Header, payload: bytes, mtu: int) -> list[bytes]:
    """Cut a packet into packets of at most ``mtu`` bytes, in the order of their data.

    What fits is one packet, unchanged. Every piece keeps addresses, identification, protocol, time
    to live and type of service; options that are not to be copied stand in the first alone.

    Args:
        header: may itself be that of a fragment. Its ``ihl`` and ``total_length`` do not matter.
        payload: all that follows the header, without padding.

    Raises:
        ValueError: it does not fit and has DF, or ``mtu`` leaves no room for 8 bytes of data.
    Source: RFC 791 3.2, "An Example Fragmentation Procedure".
    """
    room = mtu - _header_len(header)
    if len(payload) <= room:
        whole = header._replace(total_length=mtu - room + len(payload))
        return [whole.to_bytes() + payload]
    if header.df:
        raise ValueError(f"{len(payload)} bytes and DF: more than the {room} that fit")
    if room < 8:
        raise ValueError(f"an MTU of {mtu} has no room for 8 bytes behind the header")
    return list(_cut(header, payload, mtu))


def _cut(header: Ipv4Header, payload: bytes, mtu: int) -> Iterator[bytes]:
    # The copied options may be fewer, so the pieces behind the first may carry more.
    rest = header._replace(options=copied_options(header.options))
    piece, at, size = header, 0, len(payload)
    while at < size:
        head = _header_len(piece)
        end = at + (mtu - head) // 8 * 8
        if size - at <= mtu - head:
            end = size
        yield (
            piece._replace(
                total_length=head + end - at,
                mf=header.mf or end < size,  # of a fragment in the middle, all are in the middle
                fragment_offset=header.fragment_offset + at,
            ).to_bytes()
            + payload[at:end]
        )
        piece, at = rest, end


def _header_len(header: Ipv4Header) -> int:
    return ipv4.MIN_HEADER_LEN + (len(header.options) + 3 & ~3)


def copied_options(options: bytes) -> bytes:
    """Return the options of the fragments behind the first: those whose copied flag is set.

    What follows the end of the list, or an option that makes no sense, is not copied.
    Source: RFC 791 3.1.
    """
    copied, at = b"", 0
    while at < len(options) and (kind := options[at]) != ipv4.END_OF_OPTIONS:
        if kind == ipv4.NO_OPERATION:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2 or at + length > len(options):
            break
        if kind & _COPIED:
            copied += options[at : at + length]
        at += length
    return copied


# --- IPv6 -----------------------------------------------------------------------------------------


def fragments6(packet: bytes, mtu: int, ident: int) -> list[bytes]:
    """Cut an IPv6 packet into packets of at most ``mtu`` bytes, in the order of their data.

    What fits is one packet, unchanged: an atomic fragment helps nobody (RFC 8021 4). Every piece
    has the fixed header and the extension headers up to the last one that is for nodes on the way.

    Args:
        packet: whole and without padding; it has no fragment header yet.
        ident: 0..0xFFFFFFFF, not used lately between the same two addresses (RFC 7739).

    Raises:
        ValueError: ``mtu`` leaves no room for 8 bytes of data, or not for all headers in the first
            piece, which RFC 7112 5 requires.
    Source: RFC 8200 4.5.
    """
    size = len(packet)
    if size <= mtu:
        return [packet]
    end, field = _per_fragment_headers(packet)
    room = (mtu - end - FRAGMENT_LEN) & ~7
    upper = upper_layer(packet, packet[6])
    if room < 8 or upper.offset + UPPER_LEN.get(upper.protocol, 1) > end + room:
        raise ValueError(f"an MTU of {mtu} has no room for the headers and 8 bytes behind them")
    headers = bytearray(packet[:end])
    inside, headers[field] = headers[field], NextHeader.FRAGMENT
    pieces = []
    for at in range(end, size, room):
        data = packet[at : at + room]
        more = at + room < size
        headers[4:6] = (end - ipv6.HEADER_LEN + FRAGMENT_LEN + len(data)).to_bytes(2)
        fragment = Fragment(inside, at - end, more, ident)
        pieces.append(b"".join((headers, fragment.to_bytes(), data)))
    return pieces


def _per_fragment_headers(packet: bytes) -> tuple[int, int]:
    """Return where the headers end that every piece has, and which byte names what is behind.

    Source: RFC 8200 4.5: up to the routing header, else to the hop-by-hop options, else none.
    """
    end, field = ipv6.HEADER_LEN, 6
    protocol, at = packet[6], ipv6.HEADER_LEN
    while protocol in (NextHeader.HOP_BY_HOP, NextHeader.DESTINATION, NextHeader.ROUTING):
        length = (packet[at + 1] + 1) * 8
        if protocol != NextHeader.DESTINATION:
            end, field = at + length, at
        protocol, at = packet[at], at + length
    return end, field
