"""Many datagrams in one write: UDP segmentation offload toward the kernel (USO, Linux 6.2).

Writing a frame to a TAP runs the kernel's whole receive path. Datagrams of one size and one flow
that wait together are therefore handed over as one super-packet behind a virtio-net header, and the
kernel cuts it into the very frames that it was made of. A lone frame goes as it is and is never
held back.
Source: linux/virtio_net.h, udp_offload.c (``__udp_gso_segment``).
"""

from collections.abc import Iterator, Sequence
from struct import Struct

from smolctl.device import Framed

HEADER_LEN = 10
PLAIN = bytes(HEADER_LEN)
"""virtio-net header of a frame that is just a frame: its checksums are done."""

SEGMENTS_MAX = 64
"""What every kernel with USO takes (UDP_MAX_SEGMENTS was 64 before it was 128)."""
PAYLOAD_MAX = 65507
"""Of the super-packet, bytes: its IPv4 total_length must hold."""
_IP_LEN, _HEADERS_LEN = 20, 42
_NEEDS_CSUM = 1
_GSO_UDP_L4 = 5
# In host byte order: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset.
_VNET = Struct("=BBHHHH")


def batches(items: Sequence[bytes | Framed]) -> Iterator[tuple[int, bytes]]:
    """Yield what to write for each run of items: how many they are, and the bytes.

    A run is consecutive frames that are equal but for payload and UDP checksum. A frame that
    somebody follows stays alone, so that it has a fate of its own.
    """
    at, count = 0, len(items)
    while at < count:
        first = items[at]
        if type(first) is not bytes:
            yield 1, PLAIN + first.frame  # type: ignore[union-attr]
            at += 1
            continue
        end = at + 1
        if end < count and _can_merge(first):
            size, prefix = len(first), first[:40]
            limit = min(count, at + SEGMENTS_MAX, at + PAYLOAD_MAX // (size - _HEADERS_LEN))
            while end < limit:
                item = items[end]
                if type(item) is not bytes or item[:40] != prefix or len(item) != size:
                    break
                end += 1
        if end - at == 1:
            yield 1, PLAIN + first
        else:
            yield end - at, _super_packet(first, items[at:end])
        at = end


def _can_merge(frame: bytes) -> bool:
    """Tell whether a frame is UDP over IPv4 without options and fragments, DF set, not empty."""
    return (
        len(frame) > _HEADERS_LEN
        and frame[12:15] == b"\x08\0\x45"
        and frame[20:22] == b"\x40\0"
        and frame[23] == 17
    )


def _super_packet(first: bytes, frames: Sequence[bytes | Framed]) -> bytes:
    """Return one packet that the kernel cuts into ``frames``.

    The UDP checksum field holds the folded sum of the pseudo header alone, not complemented: with a
    wrong one local sockets hear nothing of it, but every forwarded segment is corrupt.
    """
    payload = b"".join([frame[_HEADERS_LEN:] for frame in frames])  # type: ignore[index]
    udp_length = len(payload) + 8
    total_length = udp_length + _IP_LEN
    # Of the first frame's IPv4 header only the length changes, and its checksum by as much.
    old_length = int.from_bytes(first[16:18])
    old_sum = int.from_bytes(first[24:26])
    ip_sum = -(0xFFFF - old_sum - old_length + total_length) % 0xFFFF
    addresses = int.from_bytes(first[26:30]) + int.from_bytes(first[30:34])
    seed = (addresses + 17 + udp_length) % 0xFFFF
    return b"".join(
        (
            _VNET.pack(_NEEDS_CSUM, _GSO_UDP_L4, _HEADERS_LEN, len(first) - _HEADERS_LEN, 34, 6),
            first[:16],
            total_length.to_bytes(2),
            first[18:24],
            ip_sum.to_bytes(2),
            first[26:38],
            udp_length.to_bytes(2),
            seed.to_bytes(2),
            payload,
        )
    )
