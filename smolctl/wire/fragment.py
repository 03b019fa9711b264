"""An IPv4 packet cut into fragments (RFC 791 3.2, 2.3).

For whoever sends a packet, and for whoever forwards one: a fragment is cut like a whole datagram.
"""

from collections.abc import Iterator

from smolctl.wire import ipv4
from smolctl.wire.ipv4 import Ipv4Header

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
