"""A super-packet of TCP is cut into the segments that it stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from smolctl.wire.offload import tcp_segments, virtio
from smolctl.wire.offload.virtio import Gso, VirtioHeader

SRC, DST = "10.0.0.2", "10.7.0.2"


def segment(
    payload: bytes, seq: int = 1, ident: int = 1, flags: str = "A", options: bytes = b""
) -> bytes:
    """Return what scapy makes of it, which is what a wire would carry."""
    words = [("NOP", None)] * len(options)
    tcp = TCP(sport=5, dport=80, seq=seq, ack=9, flags=flags, options=words, window=77)
    return bytes(
        Ether(dst="02:00:00:00:00:0a", src="02:00:00:00:00:0b", type=0x800)
        / IP(src=SRC, dst=DST, id=ident, flags="DF") / tcp / payload
    )  # fmt: skip


def tso(frame: bytes, size: int, start: int = 34) -> bytes:
    """Return a super-packet behind its virtio header, its checksum not made."""
    header = VirtioHeader(virtio.NEEDS_CSUM, Gso.TCPV4, start + 20, size, start, 16)
    return header.to_bytes() + frame[: start + 16] + b"\x12\x34" + frame[start + 18 :]


def test_sequence_numbers_and_idents_go_on_and_flags_stand_where_they_belong() -> None:
    whole = segment(b"abcdefgh", seq=0xFFFFFFFE, ident=0xFFFF, flags="FPACE")
    assert virtio.frames(tso(whole, 3)) == [
        segment(b"abc", 0xFFFFFFFE, 0xFFFF, "ACE"),
        segment(b"def", 1, 0, "AE"),
        segment(b"gh", 4, 1, "FPAE"),
    ]


def test_options_stand_in_each_segment() -> None:
    whole = segment(b"abcd", options=bytes(4))
    assert virtio.frames(tso(whole, 2)) == [
        segment(b"ab", 1, 1, options=bytes(4)),
        segment(b"cd", 3, 2, options=bytes(4)),
    ]


@given(st.binary(max_size=300), st.integers(1, 200), st.integers(0, 0xFFFFFFFF))
def test_the_payload_is_all_there_and_every_checksum_is_right(
    payload: bytes, size: int, seq: int
) -> None:
    frames = virtio.frames(tso(segment(payload, seq), size))
    assert isinstance(frames, list)
    parts = [payload[at : at + size] for at in range(0, max(len(payload), 1), size)]
    assert frames == [
        segment(part, (seq + number * size) & 0xFFFFFFFF, 1 + number)
        for number, part in enumerate(parts)
    ]


def test_what_is_no_such_packet_stays_whole() -> None:
    good = segment(bytes(100))
    for at, value in ((12, 9), (14, 0x46), (17, 1), (20, 0x20), (23, 17), (46, 0x40)):
        frame = good[:at] + bytes([value]) + good[at + 1 :]
        assert tcp_segments.segments(frame, 34, 50) is None, at
        frames = virtio.frames(tso(frame, 50))
        assert isinstance(frames, list)
        assert len(frames) == 1
    assert tcp_segments.segments(good, 34, 0) is None
    assert tcp_segments.segments(good[:50], 34, 50) is None
    assert tcp_segments.segments(segment(bytes(5000)), 34, 1) is None


@given(st.binary(max_size=80), st.integers(-5, 100), st.integers(-5, 100))
def test_no_bytes_raise(frame: bytes, start: int, size: int) -> None:
    cut = tcp_segments.segments(frame, start, size)
    assert cut is None or len(cut) > 0


@pytest.mark.parametrize("error", [1, 0x100, 0xFFFE])
def test_a_wrong_ip_checksum_stays_wrong(error: int) -> None:
    whole = segment(b"abcdef")
    wrong = (int.from_bytes(whole[24:26]) + error) % 0xFFFF
    cut = tcp_segments.segments(whole[:24] + wrong.to_bytes(2) + whole[26:], 34, 3)
    right = tcp_segments.segments(whole, 34, 3)
    assert cut is not None
    assert right is not None
    for bad, good in zip(cut, right, strict=True):
        assert (int.from_bytes(bad[24:26]) - int.from_bytes(good[24:26]) - error) % 0xFFFF == 0
