"""TCP runs: what leaves in one piece stands for the very segments that the codecs make."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import ethernet, tcp
from smolctl.wire.address import IPV6_MARK
from smolctl.wire.ipv4 import Ipv4Header
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.offload import virtio
from smolctl.wire.offload.tcp_run import Segment, TcpHeaders
from smolctl.wire.offload.virtio import Gso
from smolctl.wire.tcp import ACK, CWR, FIN, PSH, SYN, TcpHeader
from smolctl.wire.tcp_options import TcpOptions

MACS = bytes.fromhex("02000000000b"), bytes.fromhex("02000000000a")
V4 = Ipv4Header(5, 0xB8, 0, 0, True, False, 0, 64, 6, 0x0A000001, 0x0A000002)
V6 = Ipv6Header(0xB8, 0x12345, 0, 6, 64, IPV6_MARK | 0xFE80 << 112 | 1, IPV6_MARK | 2)
TIMES = TcpOptions(timestamps=(1, 2)).to_bytes()

families = st.sampled_from([V4, V6])
buffers = st.lists(st.binary(min_size=1, max_size=300), max_size=6).map(tuple)
options = st.sampled_from([b"", TIMES])
numbers = st.integers(-(2**31), 2**33)


def frame(ip: Ipv4Header | Ipv6Header, header: TcpHeader, payload: bytes, number: int = 0) -> bytes:
    """Return the frame as the codecs make it."""
    segment = header.to_bytes(payload, ip.src, ip.dst)
    if isinstance(ip, Ipv6Header):
        packet = ip._replace(payload_length=len(segment)).to_bytes()
        ethertype = ethernet.EtherType.IPV6
    else:
        packet = ip._replace(total_length=20 + len(segment), ident=number).to_bytes()
        ethertype = ethernet.EtherType.IPV4
    return ethernet.EthernetHeader(*MACS, ethertype).to_bytes() + packet + segment


@given(families, buffers, options, st.integers(53, 400), st.tuples(numbers, numbers))
def test_it_stands_for_what_the_codecs_make(
    ip: Ipv4Header | Ipv6Header, parts: tuple[bytes, ...], raw: bytes, mss: int,
    counters: tuple[int, int],
) -> None:  # fmt: skip
    seq, ack = counters
    headers = TcpHeaders(MACS, ip, 5, 80, mss)
    run = headers.segment(seq, ack, FIN | PSH | ACK | CWR, 77, raw, parts)
    payload, room = b"".join(parts), mss - len(raw)
    pieces = [payload[at : at + room] for at in range(0, max(len(payload), 1), room)]
    expected = []
    starts = accumulate(map(len, pieces), initial=seq)
    for number, (start, piece) in enumerate(zip(starts, pieces, strict=False)):
        flags = ACK | (CWR if number == 0 else 0)
        flags |= FIN | PSH if number == len(pieces) - 1 else 0
        header = TcpHeader(5, 80, start, ack, 0, flags, 77, 0, raw)
        expected.append(frame(ip, header, piece, number))
    assert run.frames() == expected
    assert (run.count, len(run)) == (len(pieces), sum(map(len, expected)))
    assert b"".join(run.buffers()) == run.to_bytes()
    assert run.buffers()[1:] == parts


@given(families, buffers, st.integers(53, 400), st.tuples(numbers, numbers, numbers, numbers))
def test_one_with_a_timestamp_is_packed_at_once(
    ip: Ipv4Header | Ipv6Header, parts: tuple[bytes, ...], mss: int,
    counters: tuple[int, int, int, int],
) -> None:  # fmt: skip
    seq, ack, value, echo = counters
    headers = TcpHeaders(MACS, ip, 5, 80, mss)
    raw = TcpOptions(timestamps=(value, echo)).to_bytes()
    size = sum(map(len, parts))
    timed = headers.timed((seq, ack, PSH | ACK, value, echo, 77), size, parts)
    assert timed.to_bytes() == headers.segment(seq, ack, PSH | ACK, 77, raw, parts).to_bytes()
    assert (timed.size, timed.room) == (size, mss - len(raw))


@pytest.mark.parametrize("ip", [V4, V6])
def test_a_checksum_of_zero_is_zero(ip: Ipv4Header | Ipv6Header) -> None:
    """Only UDP has another word for it (RFC 1624 5); Wireshark complains of 0xFFFF."""
    headers = TcpHeaders(MACS, ip, 5, 80, 1000)
    (plain,) = headers.segment(1, 2, ACK, 0, b"", (b"ab",)).frames()
    at = headers.tcp_at + 16
    window = int.from_bytes(plain[at : at + 2])
    (zero,) = headers.segment(1, 2, ACK, window, b"", (b"ab",)).frames()
    assert zero[at : at + 2] == bytes(2)
    assert zero == frame(ip, TcpHeader(5, 80, 1, 2, 0, ACK, window), b"ab")


def one(headers: TcpHeaders, size: int) -> Segment:
    return headers.segment(1, 2, ACK, 77, TIMES, (bytes(size),))


@pytest.mark.parametrize(("ip", "gso"), [(V4, Gso.TCPV4), (V6, Gso.TCPV6)])
def test_the_virtio_header_says_what_is_left_to_do(ip: Ipv4Header | Ipv6Header, gso: Gso) -> None:
    headers = TcpHeaders(MACS, ip, 5, 80, 1460)
    at = headers.tcp_at
    assert at == (54 if ip is V6 else 34)
    found = [virtio.parse(one(headers, size).to_bytes()) for size in (0, 1448, 1449)]
    assert found == [
        virtio.VirtioHeader(virtio.NEEDS_CSUM, Gso.NONE, 0, 0, at, 16),
        virtio.VirtioHeader(virtio.NEEDS_CSUM, Gso.NONE, 0, 0, at, 16),
        virtio.VirtioHeader(virtio.NEEDS_CSUM, gso, at + 32, 1448, at, 16),
    ]


@pytest.mark.parametrize("ip", [V4, V6])
def test_64_kilobytes_leave_together(ip: Ipv4Header | Ipv6Header) -> None:
    headers = TcpHeaders(MACS, ip, 5, 80, 1460)
    assert headers.payload_max >= 44 * 1448
    run = one(headers, 44 * 1448)
    assert run.count == 44
    frames = run.frames()
    assert [len(each) for each in frames] == [headers.tcp_at + 32 + 1448] * 44
    assert len(one(headers, headers.payload_max).to_bytes()) - 24 <= 65535


def test_the_seed_is_the_sum_of_the_pseudo_header() -> None:
    for ip, pseudo in ((V4, V4.src + V4.dst), (V6, V6.src + V6.dst - 2 * IPV6_MARK)):
        headers = TcpHeaders(MACS, ip, 5, 80, 1460)
        at = 10 + headers.tcp_at + 16
        for size in (0, 1, 1448, 5000):
            seed = int.from_bytes(one(headers, size).header[at : at + 2])
            assert seed == ((pseudo + NextHeader.TCP + 32 + size) % 0xFFFF or 0xFFFF)


def test_a_syn_is_like_any_segment() -> None:
    raw = TcpOptions(1460, 7, True, (1, 0)).to_bytes()
    (syn,) = TcpHeaders(MACS, V4, 5, 80, 1460).segment(9, 0, SYN, 64240, raw, ()).frames()
    header = tcp.parse(syn[34:], V4.src, V4.dst)
    assert header == TcpHeader(5, 80, 9, 0, 10, SYN, 64240, 0, raw)


def test_lengths_are_remembered_within_bounds() -> None:
    headers = TcpHeaders(MACS, V4, 5, 80, 1460)
    for size in range(1000):
        assert one(headers, size).size == size
    assert len(headers._templates) <= 64


def test_buffers_may_be_views() -> None:
    data = memoryview(bytes(range(256)))
    headers = TcpHeaders(MACS, V4, 5, 80, 140)
    viewed = headers.segment(1, 2, ACK, 77, b"", (data[:100], data[100:]))
    copied = headers.segment(1, 2, ACK, 77, b"", (bytes(data),))
    assert viewed.frames() == copied.frames()
    assert viewed.count == 2
