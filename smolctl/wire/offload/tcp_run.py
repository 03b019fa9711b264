"""Up to 64 KB of a TCP connection in one piece, and the segments that it stands for.

Everything in front of TCP's header depends on nothing but the length, so it is made once for each
length. The payload stays in the buffers that the connection keeps for a retransmission: a device
with offloads writes headers and buffers in one ``writev``, and the kernel cuts and sums. For all
others ``frames`` does both in software.
"""

from struct import Struct
from typing import cast

from smolctl.wire import ethernet, ipv4, ipv6, tcp
from smolctl.wire.checksum import pseudo_header_sum
from smolctl.wire.ipv4 import Ipv4Header
from smolctl.wire.ipv6 import Ipv6Header
from smolctl.wire.offload import virtio
from smolctl.wire.tcp_options import ALIGNED_TIMES

Buffer = bytes | memoryview

_TCP = Struct("!HHIIHHHH")
TIMED = Struct("!HHIIHHHHIII")
"""A header whose only option is a timestamp, with what pads it (RFC 7323 appendix A)."""
TIMED_LEN = TIMED.size
_TIMED_WORDS, _ALIGNED_TIMES = TIMED_LEN << 10, int.from_bytes(ALIGNED_TIMES)
_PROTOCOL = ipv4.Protocol.TCP.value
_MASK = 0xFFFFFFFF
_LENGTH_AT, _SUM_AT, _LENGTH6_AT = 16, 24, 18
"""Offsets in a frame of IPv4's total length and checksum, and of IPv6's payload length."""
_PACKET_MAX = 65535
"""Bytes of an IP packet that stands for many segments, with its header."""
_TEMPLATES_MAX = 64
"""Lengths remembered; a bulk transfer has two, a dialog some."""


Numbers = tuple[int, int, int, int, int, int]
"""The fields of a header that change from segment to segment: sequence number, acknowledgment,
flags, TSval, TSecr, and window. Flags and window are as ``TcpHeaders.segment`` has them; the others
are any integers, of which the last 32 bits are sent."""


class TcpHeaders:
    """The headers of a connection's segments, as far as they do not change.

    Args:
        macs: destination's and source's.
        header: of IPv4 without options, or of IPv6. Its length and protocol do not matter, nor do
            IPv4's ident and flags: segments have ident 0 and DF (RFC 6864 4.1).
        sport, dport: of the segments.
        mss: bytes of TCP options and payload in one segment (RFC 6691 2), at least 41.

    Attributes:
        macs, mss: as given; when one changes, new headers are needed.
        tcp_at: where TCP's header begins in a frame.
        payload_max: bytes of payload that can go out together, with whatever options.
    """

    __slots__ = (
        "_front",
        "_pseudo",
        "_six",
        "_templates",
        "macs",
        "mss",
        "payload_max",
        "ports",
        "tcp_at",
    )

    def __init__(
        self, macs: tuple[bytes, bytes], header: Ipv4Header | Ipv6Header, sport: int, dport: int,
        mss: int,
    ) -> None:  # fmt: skip
        self.macs, self.ports, self.mss = macs, (sport, dport), mss
        self._pseudo = pseudo_header_sum(header.src, header.dst, _PROTOCOL, 0)
        self._templates: dict[int, tuple[bytes, int]] = {}
        self._six = isinstance(header, Ipv6Header)
        if isinstance(header, Ipv6Header):
            packet = header._replace(payload_length=0, next_header=_PROTOCOL).to_bytes()
            ip_len, ethertype = ipv6.HEADER_LEN, ethernet.EtherType.IPV6
        else:
            packet = header._replace(
                total_length=0, ident=0, df=True, mf=False, fragment_offset=0, protocol=_PROTOCOL,
                options=b"",
            ).to_bytes()  # fmt: skip
            ip_len, ethertype = ipv4.MIN_HEADER_LEN, ethernet.EtherType.IPV4
        self._front = ethernet.EthernetHeader(*macs, ethertype).to_bytes() + packet
        self.tcp_at = ethernet.HEADER_LEN + ip_len
        self.payload_max = _PACKET_MAX - ip_len - tcp.MAX_HEADER_LEN

    def between(self, sport: int, dport: int) -> "TcpHeaders":
        """Return those of another connection with the same way: what is made once is shared."""
        made = TcpHeaders.__new__(TcpHeaders)
        made.macs, made.ports, made.mss = self.macs, (sport, dport), self.mss
        made._front, made._pseudo, made._six = self._front, self._pseudo, self._six
        made._templates, made.tcp_at = self._templates, self.tcp_at
        made.payload_max = self.payload_max
        return made

    def segment(
        self, seq: int, ack: int, flags: int, window: int, options: bytes,
        buffers: tuple[Buffer, ...],
    ) -> "Segment":  # fmt: skip
        """Return what stands for one segment, or for as many as the payload needs.

        Args:
            seq: any integer, its last 32 bits are sent.
            ack: likewise.
            flags: FIN and PSH are the last segment's alone, CWR is the first's alone.
            window: 0..65535, scaled already.
            options: in each segment, a multiple of 4 bytes (``TcpOptions.to_bytes``).
            buffers: the payload, at most ``payload_max`` bytes. What is in them may not change
                until the segment was sent.
        """
        size = sum(map(len, buffers))
        key = size << 6 | len(options)
        template = self._templates.get(key)
        if template is None:
            template = self._template(key, size, len(options))
        front, seed = template
        words = (tcp.MIN_HEADER_LEN + len(options)) << 10 | flags
        fields = (*self.ports, seq & _MASK, ack & _MASK, words, window, seed, 0)
        header = front + _TCP.pack(*fields) + options
        return Segment(header, buffers, size, self.mss - len(options))

    def timed(self, numbers: Numbers, size: int, buffers: tuple[Buffer, ...]) -> "Segment":
        """Return the same with a timestamp for its only option; ``buffers`` hold ``size`` bytes."""
        key = size << 6 | TIMED_LEN - tcp.MIN_HEADER_LEN
        template = self._templates.get(key)
        if template is None:
            template = self._template(key, size, TIMED_LEN - tcp.MIN_HEADER_LEN)
        front, seed = template
        seq, ack, flags, value, echo, window = numbers
        header = front + TIMED.pack(
            *self.ports, seq & _MASK, ack & _MASK, _TIMED_WORDS | flags, window, seed, 0,
            _ALIGNED_TIMES, value & _MASK, echo & _MASK,
        )  # fmt: skip
        return Segment(header, buffers, size, self.mss - TIMED_LEN + tcp.MIN_HEADER_LEN)

    def _template(self, key: int, size: int, options: int) -> tuple[bytes, int]:
        """Return what is in front of TCP's header, and the seed of its checksum."""
        room, length, packet = self.mss - options, tcp.MIN_HEADER_LEN + options + size, self._front
        if self._six:
            gso = virtio.Gso.TCPV6
            packet = packet[:_LENGTH6_AT] + length.to_bytes(2) + packet[_LENGTH6_AT + 2 :]
        else:
            gso, total = virtio.Gso.TCPV4, ipv4.MIN_HEADER_LEN + length
            # RFC 1624: the checksum of the header without a length, less the length.
            checksum = (int.from_bytes(packet[_SUM_AT : _SUM_AT + 2]) - total) % 0xFFFF
            packet = b"".join((
                packet[:_LENGTH_AT], total.to_bytes(2), packet[_LENGTH_AT + 2 : _SUM_AT],
                checksum.to_bytes(2), packet[_SUM_AT + 2 :],
            ))  # fmt: skip
        cut = (gso, self.tcp_at + length - size, room) if size > room else (virtio.Gso.NONE, 0, 0)
        offload = virtio.VirtioHeader(virtio.NEEDS_CSUM, *cut, self.tcp_at, tcp.CHECKSUM_AT)
        front = offload.to_bytes() + packet
        if len(self._templates) >= _TEMPLATES_MAX:
            self._templates.clear()
        # Folded, not complemented: whoever completes the checksum adds the segment to it.
        seed = (self._pseudo + length) % 0xFFFF or 0xFFFF
        self._templates[key] = front, seed
        return front, seed


class Segment:
    """One segment, or many that leave together.

    Attributes:
        header: virtio header, Ethernet, IP and TCP, the checksum to be completed.
        payload: in buffers that belong to the connection.
        size: of the payload, bytes.
        room: bytes of payload in each segment but the last.
    """

    __slots__ = ("header", "payload", "room", "size")

    def __init__(self, header: bytes, payload: tuple[Buffer, ...], size: int, room: int) -> None:
        self.header = header
        self.payload = payload
        self.size = size
        self.room = room

    def __len__(self) -> int:
        """Return the length of all its frames in bytes."""
        return self.size + self.count * (len(self.header) - virtio.HEADER_LEN)

    @property
    def count(self) -> int:
        """The number of segments it stands for, at least one."""
        return -(-self.size // self.room) or 1

    def buffers(self) -> tuple[Buffer, ...]:
        """Return what a device with a virtio header takes in one ``writev``."""
        return (self.header, *self.payload)

    def to_bytes(self) -> bytes:
        """Return the same in one piece."""
        return b"".join((self.header, *self.payload))

    def frames(self) -> list[bytes]:
        """Return its frames, cut and with checksums, for a device that does neither."""
        # The header is ours: there is nothing in it that could be a fault.
        return cast(list[bytes], virtio.frames(self.to_bytes()))
