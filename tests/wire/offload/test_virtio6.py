"""Super-packets of IPv6 are cut into what a wire would carry, UDP and TCP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, PadN
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from smolctl.wire.fault import Fault, WireFault
from smolctl.wire.offload import tcp_segments, virtio
from smolctl.wire.offload.virtio import Gso, VirtioHeader

LINK = Ether(dst="02:00:00:00:00:0a", src="02:00:00:00:00:0b", type=0x86DD)
IP = IPv6(src="2001:db8::1", dst="2001:db8::2", tc=0xB8, fl=0x12345)
# 8 bytes of destination options.
EXTRA = IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])

extras = st.booleans()


def datagram(payload: bytes, *, extra: bool = False) -> bytes:
    ip = IP / EXTRA if extra else IP
    return bytes(LINK / ip / UDP(sport=5, dport=7) / Raw(payload))


def segment(payload: bytes, seq: int = 1, flags: str = "A", *, extra: bool = False) -> bytes:
    ip = IP / EXTRA if extra else IP
    tcp = TCP(sport=5, dport=80, seq=seq, ack=9, flags=flags, window=77)
    return bytes(LINK / ip / tcp / Raw(payload))


def offloaded(frame: bytes, gso: Gso, size: int, start: int, field: int) -> bytes:
    """Return a frame behind its virtio header, its checksum not made."""
    header = VirtioHeader(virtio.NEEDS_CSUM, gso, start + 20, size, start, field)
    at = start + field
    return header.to_bytes() + frame[:at] + b"\x12\x34" + frame[at + 2 :]


@given(st.binary(min_size=1, max_size=300), st.integers(3, 200), extras)
def test_udp(payload: bytes, size: int, extra: bool) -> None:
    data = offloaded(datagram(payload, extra=extra), Gso.UDP_L4, size, 54 + 8 * extra, 6)
    parts = [payload[at : at + size] for at in range(0, len(payload), size)]
    assert virtio.frames(data) == [datagram(part, extra=extra) for part in parts]
    assert virtio.segment_size6(data) == (0 if extra else size)
    assert virtio.segment_size(data) == 0


@given(st.binary(max_size=300), extras)
def test_a_datagram_whose_checksum_is_to_be_completed(payload: bytes, extra: bool) -> None:
    data = offloaded(datagram(payload, extra=extra), Gso.NONE, 0, 54 + 8 * extra, 6)
    assert virtio.frames(data) == [datagram(payload, extra=extra)]
    assert virtio.summed(data) is None
    data = virtio.UDP6_CSUM + data[virtio.HEADER_LEN :]
    assert virtio.summed6(data) == (None if extra else datagram(payload))
    assert virtio.segment_size6(data) == 0


@given(st.binary(max_size=300), st.integers(1, 200), st.integers(0, 0xFFFFFFFF), extras)
def test_tcp(payload: bytes, size: int, seq: int, extra: bool) -> None:
    whole = segment(payload, seq, "FPA", extra=extra)
    frames = virtio.frames(offloaded(whole, Gso.TCPV6, size, 54 + 8 * extra, 16))
    parts = [payload[at : at + size] for at in range(0, max(len(payload), 1), size)]
    expected = [
        segment(part, (seq + number * size) & 0xFFFFFFFF, "A", extra=extra)
        for number, part in enumerate(parts[:-1])
    ]
    last = (seq + (len(parts) - 1) * size) & 0xFFFFFFFF
    assert frames == [*expected, segment(parts[-1], last, "FPA", extra=extra)]


@pytest.mark.parametrize(
    ("at", "value"),
    [(12, 9), (14, 0x40), (19, 1), (20, 6), (20, 44), (58, 1)],
    ids=["ethertype", "version", "length", "tcp", "fragment", "udp length"],
)
def test_what_does_not_say_the_same_everywhere_is_no_super_packet(at: int, value: int) -> None:
    good = datagram(bytes(100))
    frame = good[:at] + bytes([value]) + good[at + 1 :]
    found = virtio.frames(offloaded(frame, Gso.UDP_L4, 50, 54, 6))
    assert isinstance(found, WireFault)
    assert found.fault is Fault.RX_OFFLOAD_INVALID
    assert virtio.segment_size6(offloaded(frame, Gso.UDP_L4, 50, 54, 6)) == 0


def test_what_is_no_tcp_stays_whole() -> None:
    good = segment(bytes(100))
    for at, value in ((12, 9), (14, 0x40), (19, 1), (20, 17), (66, 0x40)):
        frame = good[:at] + bytes([value]) + good[at + 1 :]
        assert tcp_segments.segments(frame, 54, 50) is None, at


@given(st.binary(max_size=120), st.integers(0, 130), st.sampled_from(Gso), st.sampled_from([6, 16]))
def test_no_bytes_raise(data: bytes, start: int, gso: Gso, field: int) -> None:
    for frame in (data, bytes(12) + b"\x86\xdd\x60" + data):
        header = VirtioHeader(virtio.NEEDS_CSUM, gso, 0, 7, start, field)
        assert virtio.frames(header.to_bytes() + frame)
        virtio.segment_size6(header.to_bytes() + frame)
        virtio.summed6(virtio.UDP6_CSUM + frame)
        tcp_segments.segments(frame, start, 7)
