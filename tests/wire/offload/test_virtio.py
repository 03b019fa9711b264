"""The virtio header: what was left undone is done, and nothing else is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import ipv4, udp
from smolctl.wire.ethernet import EthernetHeader
from smolctl.wire.fault import Fault, WireFault
from smolctl.wire.offload import virtio
from smolctl.wire.offload.virtio import Gso, VirtioHeader

SRC, DST = 0x0A000002, 0x0A000001
MACS = EthernetHeader(bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b"), 0x0800)


def datagram(payload: bytes, ident: int = 0, options: bytes = b"", *, seed: bytes = b"") -> bytes:
    """Return a frame; with ``seed`` in the place of its UDP checksum."""
    segment = udp.to_bytes(5, 7, payload, SRC, DST)
    if seed:
        segment = segment[:6] + seed + segment[8:]
    header = ipv4.Ipv4Header(
        5, 0, 20 + len(options) + len(segment), ident, True, False, 0, 64, 17, SRC, DST, options
    )
    return MACS.to_bytes() + header.to_bytes() + segment


def uso(
    payload: bytes, size: int, ident: int = 0, options: bytes = b"", *, seed: bytes = b"\1\2"
) -> bytes:
    """Return a super-packet with its virtio header."""
    start = 34 + len(options)
    header = VirtioHeader(virtio.NEEDS_CSUM, Gso.UDP_L4, start + 8, size, start, 6)
    return header.to_bytes() + datagram(payload, ident, options, seed=seed)


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def test_a_header_is_ten_bytes_in_the_machines_order() -> None:
    header = VirtioHeader(1, 5, 42, 1400, 34, 6)
    assert len(header.to_bytes()) == virtio.HEADER_LEN == len(virtio.PLAIN)
    assert virtio.parse(header.to_bytes() + bytes(42)) == header
    assert bytes(10) == virtio.PLAIN


def test_a_frame_with_nothing_left_to_do_is_untouched() -> None:
    for header in (virtio.PLAIN, virtio.VERIFIED):
        for frame in (datagram(b"x"), b"", b"short", bytes(2000)):
            assert virtio.frames(header + frame) == [frame]


@pytest.mark.parametrize("payload", [b"", b"x", b"even", bytes(1472), b"\xff" * 9])
def test_a_udp_checksum_is_completed_whatever_its_seed_is(payload: bytes) -> None:
    for seed in (b"\0\0", b"\xff\xff", b"\x12\x34"):
        frame = datagram(payload, 77, seed=seed)
        assert virtio.frames(virtio.UDP_CSUM + frame) == [datagram(payload, 77)]


def test_any_other_checksum_is_completed_from_its_seed() -> None:
    # TCP over IPv4: protocol 6, the field at 16.
    segment = bytes(16) + ((SRC + DST + 6 + 24) % 0xFFFF).to_bytes(2) + b"\0\0data"
    header = ipv4.Ipv4Header(5, 0, 20 + len(segment), 0, True, False, 0, 64, 6, SRC, DST)
    frame = MACS.to_bytes() + header.to_bytes() + segment
    frames = virtio.frames(VirtioHeader(1, 0, 0, 0, 34, 16).to_bytes() + frame)
    assert isinstance(frames, list)
    (done,) = frames
    assert done[:50] + frame[50:52] + done[52:] == frame
    assert (int.from_bytes(done[34:]) + SRC + DST + 6 + 24) % 0xFFFF == 0
    # An odd number of bytes, and a sum of zero, which is sent as all ones.
    odd = VirtioHeader(1, 0, 0, 0, 14, 0).to_bytes() + bytes(14) + b"\0\0\0"
    assert virtio.frames(odd) == [bytes(14) + b"\xff\xff\0"]


def test_a_super_packet_is_cut_and_the_last_one_may_be_shorter() -> None:
    frames = virtio.frames(uso(b"abcdefgh", 3, ident=0xFFFF))
    assert frames == [datagram(b"abc", 0xFFFF), datagram(b"def", 0), datagram(b"gh", 1)]
    assert virtio.segment_size(uso(b"abcdefgh", 3)) == 3
    assert virtio.frames(uso(b"abc", 3)) == [datagram(b"abc")]
    assert virtio.frames(uso(b"abc", 9)) == [datagram(b"abc")]


def test_ip_options_stay_in_every_datagram() -> None:
    options = b"\x94\x04\0\0"  # router alert, RFC 2113
    frames = virtio.frames(uso(b"abcd", 2, 5, options))
    assert frames == [datagram(b"ab", 5, options), datagram(b"cd", 6, options)]


@given(
    st.lists(st.binary(min_size=1, max_size=1), min_size=1, max_size=128), st.integers(1, 50),
    st.integers(0, 0xFFFF), st.binary(min_size=2, max_size=2), st.data(),
)  # fmt: skip
def test_cutting_gives_the_datagrams(
    fills: list[bytes], size: int, ident: int, seed: bytes, data: st.DataObject
) -> None:
    last = data.draw(st.integers(1, size))
    payloads = [fill * size for fill in fills[:-1]] + [fills[-1] * last]
    assert virtio.frames(uso(b"".join(payloads), size, ident, seed=seed)) == [
        datagram(payload, (ident + number) & 0xFFFF) for number, payload in enumerate(payloads)
    ]


@given(st.integers(1, 0xFFFF))
def test_a_wrong_ip_checksum_stays_wrong(error: int) -> None:
    right = uso(b"abcdefgh", 3)
    field = int.from_bytes(right[34:36])
    if error % 0xFFFF:
        frames = virtio.frames(changed(right, 34, ((field + error) % 0xFFFF).to_bytes(2)))
        assert isinstance(frames, list)
        for frame in frames:
            parsed = ipv4.parse(frame[14:])
            assert isinstance(parsed, WireFault)
            assert parsed.fault is Fault.IP_BAD_CHECKSUM


@given(st.integers(1, 2), st.integers(0, 0xFFFF))
def test_tags_stay_in_front_of_every_datagram(number: int, tci: int) -> None:
    tags = (b"\x88\xa8" + tci.to_bytes(2) + b"\x81\0\0\x05")[: 4 * number]
    if number == 1:
        tags = b"\x81\0" + tci.to_bytes(2)
    plain = uso(b"abcdefgh", 3)
    header = virtio.parse(plain)
    assert isinstance(header, VirtioHeader)
    header = header._replace(csum_start=header.csum_start + len(tags))
    frame = plain[virtio.HEADER_LEN :]
    whole = virtio.frames(plain)
    assert isinstance(whole, list)
    assert virtio.frames(header.to_bytes() + frame[:12] + tags + frame[12:]) == [
        each[:12] + tags + each[12:] for each in whole
    ]


def test_a_checksum_from_within_a_tag_has_a_name() -> None:
    frame = bytes(12) + b"\x81\0\0\x05\x08\0" + bytes(40)
    fault = virtio.frames(VirtioHeader(1, 0, 0, 0, 16, 6).to_bytes() + frame)
    assert isinstance(fault, WireFault)
    assert fault.detail == {"what": "checksum from 16, within a VLAN tag"}


def test_super_packets_of_what_is_no_tcp_stay_whole() -> None:
    for gso, ethertype in ((Gso.TCPV4, b"\x08\0"), (Gso.TCPV6, b"\x86\xdd")):
        header = VirtioHeader(1, gso, 54, 1000, 34, 6).to_bytes()
        frame = bytes(12) + ethertype + bytes(40) + b"data"
        frames = virtio.frames(header + frame)
        assert isinstance(frames, list)
        assert [len(frame) for frame in frames] == [len(frame)]
        assert virtio.segment_size(header + frame) == 0


GOOD = uso(b"abcdefgh", 3)
BAD = {
    "no header": GOOD[:9],
    "nothing": b"",
    "UFO": changed(GOOD, 1, b"\x03"),
    "UDP of IPv6": changed(GOOD, 22, b"\x86\xdd"),
    "ECN": changed(GOOD, 1, b"\x81"),
    "no checksum asked for": changed(GOOD, 0, b"\0"),
    "only verified": changed(GOOD, 0, b"\2"),
    "size 0": changed(GOOD, 4, b"\0\0"),
    "sum of the Ethernet header": changed(GOOD, 6, (13).to_bytes(2, "little")),
    "sum behind the end": changed(GOOD, 6, b"\xff\xff"),
    "field behind the end": changed(GOOD, 8, b"\xff\xff"),
    "another field": changed(GOOD, 8, b"\x04\0"),
    "start is not where IP ends": changed(GOOD, 6, (38).to_bytes(2, "little")),
    "IPv6 in an IPv4 frame": changed(GOOD, 24, b"\x65"),
    "no IP header": changed(GOOD, 24, b"\x44"),
    "total length": changed(GOOD, 26, b"\0\x25"),
    "cut": GOOD[:-1],
    "padded": GOOD + b"\0",
    "first fragment": changed(GOOD, 30, b"\x20"),
    "last fragment": changed(GOOD, 30, b"\0\1"),
    "TCP": changed(GOOD, 33, b"\x06"),
    "UDP length": changed(GOOD, 48, b"\0\x07"),
    "nothing to cut": uso(b"", 3),
    "more than 128": uso(bytes(129), 1),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_cannot_be_done_has_a_name(data: bytes) -> None:
    fault = virtio.frames(data)
    assert isinstance(fault, WireFault)
    assert fault.fault is Fault.RX_OFFLOAD_INVALID
    assert fault.detail["what"]
    assert virtio.segment_size(data) == 0


def test_as_many_as_linux_allows() -> None:
    assert isinstance(virtio.frames(uso(bytes(128), 1)), list)
    frames = virtio.frames(uso(bytes(65507), 1000))
    assert isinstance(frames, list)
    assert len(frames) == 66


@given(st.binary(max_size=100))
def test_no_bytes_raise(data: bytes) -> None:
    virtio.frames(data)
    virtio.segment_size(data)


@given(st.sampled_from([GOOD, virtio.UDP_CSUM + datagram(b"x")]), st.integers(0, 60), st.binary())
def test_no_change_raises(data: bytes, at: int, new: bytes) -> None:
    data = changed(data, at, new[:8])
    virtio.frames(data)
    virtio.segment_size(data)
