"""Datagrams of one flow and one size: what they have in common, and how many go out at once.

With DF set and ident 0 (RFC 6864 4.1) everything before the UDP checksum is the same in all of
them, so it is packed once. Linux's TAP takes up to 64 of them in one write (UDP segmentation
offload): one header, the payloads behind it, and the kernel puts the checksums in.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Any

from smolctl.wire import ipv4, ipv6, udp, vlan
from smolctl.wire.address import packed
from smolctl.wire.checksum import pseudo_header_sum
from smolctl.wire.ipv6 import Ipv6Header
from smolctl.wire.offload import virtio

HEADERS_LEN = 42
"""Ethernet, IPv4 and UDP."""
HEADERS6_LEN = 62
"""Ethernet, IPv6 and UDP."""
MAX_SEGMENTS = 64
"""Linux UDP_MAX_SEGMENTS before 6.10; 128 since."""

_PREFIX = Struct("!6s6sHHHHHBBHIIHHH")
_PREFIX6 = Struct("!6s6sHIHBB16s16sHHH")
_DF = 0x4000
_PREFIX_LEN = _PREFIX.size
_UDP_AT = HEADERS_LEN - udp.HEADER_LEN
_MAX_PAYLOAD6 = udp.MAX_PAYLOAD6 - ipv6.HEADER_LEN
"""Of a super-packet of IPv6: with its header it is not longer than one of IPv4 can be."""


class Headers:
    """The headers of a flow's datagrams of one size.

    Args:
        macs: destination's and source's.
        src, dst, sport, dport, ttl: of the datagrams.
        size: of the payloads, bytes.

    Attributes:
        most: how many datagrams can go out together.
        offloaded: all that goes in front of a payload whose checksum somebody else completes:
            virtio header and headers.
        frame_len: of each datagram's frame, bytes.
    """

    __slots__ = ("_sum", "_super", "frame_len", "macs", "most", "offloaded", "prefix", "size")

    def __init__(
        self, macs: tuple[bytes, bytes], src: int, dst: int, sport: int, dport: int, ttl: int,
        size: int,
    ) -> None:  # fmt: skip
        length = size + udp.HEADER_LEN
        total_length = length + ipv4.MIN_HEADER_LEN
        pseudo = src + dst + ipv4.Protocol.UDP
        ip_sum = 0x4500 + total_length + _DF + (ttl << 8) + pseudo
        self.macs, self.size, self.frame_len = macs, size, HEADERS_LEN + size
        self.prefix = _PREFIX.pack(
            *macs, 0x0800, 0x4500, total_length, 0, _DF, ttl, ipv4.Protocol.UDP,
            -ip_sum % 0xFFFF, src, dst, sport, dport, length,
        )  # fmt: skip
        self._sum = pseudo + sport + dport + 2 * length
        self.most = min(MAX_SEGMENTS, udp.MAX_PAYLOAD // size) if size else 1
        self._super: dict[int, bytes] = {}
        self.offloaded = virtio.UDP_CSUM + self.prefix + _seed(pseudo + length)

    def frame(self, payload: bytes) -> bytes:
        """Return the frame of one datagram, with its checksum."""
        number = int.from_bytes(payload)
        if self.size & 1:
            number <<= 8
        # RFC 768: a computed zero is sent as all ones.
        checksum = -(number + self._sum) % 0xFFFF or 0xFFFF
        return self.prefix + checksum.to_bytes(2) + payload

    def before(self, number: int) -> bytes:
        """Return what goes in front of the payloads of a super-packet of ``number`` datagrams."""
        start = self._super.get(number)
        if start is None:
            start = self._super[number] = self._super_packet(number)
        return start

    def _super_packet(self, number: int) -> bytes:
        prefix, more = self.prefix, self.size * (number - 1)
        length = udp.HEADER_LEN + self.size + more
        total_length = ipv4.MIN_HEADER_LEN + length
        checksum = (int.from_bytes(prefix[24:26]) - more) % 0xFFFF
        pseudo = int.from_bytes(prefix[26:34]) + ipv4.Protocol.UDP + length
        header = virtio.VirtioHeader(
            virtio.NEEDS_CSUM, virtio.Gso.UDP_L4, HEADERS_LEN, self.size, _UDP_AT, 6
        )
        return b"".join((
            header.to_bytes(), prefix[:16], total_length.to_bytes(2), prefix[18:24],
            checksum.to_bytes(2), prefix[26:38], length.to_bytes(2), _seed(pseudo),
        ))  # fmt: skip


class Headers6(Headers):
    """The same over IPv6.

    Args:
        macs: destination's and source's.
        header: of the datagrams; its ``payload_length`` and ``next_header`` do not matter.
        sport, dport: of the datagrams.
        size: of the payloads, bytes.
    """

    __slots__ = ()

    def __init__(
        self, macs: tuple[bytes, bytes], header: Ipv6Header, sport: int, dport: int, size: int
    ) -> None:
        traffic_class, flow_label, _, _, hop_limit, src, dst = header
        length = size + udp.HEADER_LEN
        pseudo = pseudo_header_sum(src, dst, ipv4.Protocol.UDP, 0)
        self.macs, self.size, self.frame_len = macs, size, HEADERS6_LEN + size
        self.prefix = _PREFIX6.pack(
            *macs, 0x86DD, 6 << 28 | traffic_class << 20 | flow_label, length, ipv4.Protocol.UDP,
            hop_limit, packed(src), packed(dst), sport, dport, length,
        )  # fmt: skip
        self._sum = pseudo + sport + dport + 2 * length
        self.most = min(MAX_SEGMENTS, _MAX_PAYLOAD6 // size) if size else 1
        self._super: dict[int, bytes] = {}
        self.offloaded = virtio.UDP6_CSUM + self.prefix + _seed(pseudo + length)

    def _super_packet(self, number: int) -> bytes:
        prefix = self.prefix
        length = udp.HEADER_LEN + self.size * number
        pseudo = int.from_bytes(prefix[22:54]) + ipv4.Protocol.UDP + length
        header = virtio.VirtioHeader(
            virtio.NEEDS_CSUM, virtio.Gso.UDP_L4, HEADERS6_LEN, self.size, virtio.UDP6_AT, 6
        )
        field = length.to_bytes(2)
        return b"".join(
            (header.to_bytes(), prefix[:18], field, prefix[20:58], field, _seed(pseudo))
        )


class TaggedHeaders(Headers):
    """The same behind VLAN tags.

    Args:
        inner: those of frames without tags.
        tags: the bytes of all tags, the outermost first.
    """

    __slots__ = ("_inner", "_tags")

    def __init__(self, inner: Headers, tags: bytes) -> None:
        self._inner, self._tags = inner, tags
        self.macs, self.size, self.most = inner.macs, inner.size, inner.most
        self.frame_len = inner.frame_len + len(tags)
        self.offloaded = self._tagged(inner.offloaded)

    def frame(self, payload: bytes) -> bytes:
        """Return the frame of one datagram, with its checksum."""
        frame = self._inner.frame(payload)
        return frame[: vlan.AT] + self._tags + frame[vlan.AT :]

    def before(self, number: int) -> bytes:
        """Return what goes in front of the payloads of a super-packet of ``number`` datagrams."""
        return self._tagged(self._inner.before(number))

    def _tagged(self, start: bytes) -> bytes:
        """Return the beginning of a frame behind a virtio header with the tags, which it counts."""
        tags, at = self._tags, virtio.HEADER_LEN + vlan.AT
        return virtio.shifted(start, len(tags)) + start[virtio.HEADER_LEN : at] + tags + start[at:]


def _seed(pseudo_header_sum: int) -> bytes:
    """Return what the checksum field holds for whoever completes it: folded, not complemented.

    A wrong seed is not noticed by a socket of the same machine, which trusts it; every router
    would send wrong checksums on.
    """
    return (pseudo_header_sum % 0xFFFF or 0xFFFF).to_bytes(2)


PendingDatagram = tuple[Headers, bytes]
"""One datagram that waits to leave: what it shares with others, and its payload."""


class Run:
    """Datagrams that leave together, of either family.

    Attributes:
        payloads: oldest first, at least one, at most ``headers.most``.
    """

    __slots__ = ("headers", "payloads")

    def __init__(self, headers: Headers, payloads: list[bytes]) -> None:
        self.headers = headers
        self.payloads = payloads

    def __len__(self) -> int:
        """Return the length of all its frames in bytes."""
        return self.headers.frame_len * len(self.payloads)

    def frames(self) -> list[bytes]:
        """Return its frames, checksums done."""
        return list(map(self.headers.frame, self.payloads))

    def to_bytes(self) -> bytes:
        """Return what a device with a virtio header takes in one write."""
        payloads = self.payloads
        if len(payloads) == 1:
            return self.headers.offloaded + payloads[0]
        return self.headers.before(len(payloads)) + b"".join(payloads)


def coalesce(items: Sequence[Any], most: int) -> list[Any]:
    """Put datagrams that follow each other and have the same headers into runs; keep the order.

    Args:
        items: some of them a ``Datagram``; whatever else there is stays as it is.
        most: datagrams in a run.
    """
    if len(items) == 1 and type(items[0]) is tuple:
        return [Run(items[0][0], [items[0][1]])]
    result: list[Any] = []
    last: Headers | None = None
    payloads: list[bytes] = []
    room = 0
    for item in items:
        if type(item) is not tuple:
            last = None
            result.append(item)
            continue
        headers, payload = item
        if headers is last and room:
            room -= 1
            payloads.append(payload)
        else:
            last, payloads, room = headers, [payload], min(most, headers.most) - 1
            result.append(Run(headers, payloads))
    return result
