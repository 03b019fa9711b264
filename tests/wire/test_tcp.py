"""TCP: literals, round trip, faults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import tcp
from smolctl.wire.address import IPV6_MARK
from smolctl.wire.fault import TcpFault, WireFault
from smolctl.wire.tcp import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG, TcpHeader

SRC, DST = 0x0A000001, 0x0A000002
# A SYN with an MSS of 1460, and a segment with five bytes, built by scapy.
SYN_WIRE = bytes.fromhex("03e8 0050 12345678 00000000 6002 ffff 1740 0000 020405b4")
SYN_HEADER = TcpHeader(1000, 80, 0x12345678, 0, 6, SYN, 0xFFFF, 0, bytes.fromhex("020405b4"))
DATA_WIRE = bytes.fromhex("03e8 0050 00000001 00000002 5018 0100 52b8 0000 68656c6c6f")
DATA_HEADER = TcpHeader(1000, 80, 1, 2, 5, PSH | ACK, 256)

words = st.integers(0, 0xFFFF)
longs = st.integers(0, 0xFFFFFFFF)
pairs = st.tuples(longs, longs) | st.tuples(
    st.integers(IPV6_MARK, 2 * IPV6_MARK - 1), st.integers(IPV6_MARK, 2 * IPV6_MARK - 1)
)
options = st.binary(max_size=40).map(lambda data: data[: len(data) & ~3])


@st.composite
def headers(draw: st.DrawFn) -> TcpHeader:
    raw = draw(options)
    return TcpHeader(
        draw(words), draw(words), draw(longs), draw(longs), 5 + len(raw) // 4,
        draw(st.integers(0, 0x1FF)), draw(words), draw(words), raw,
    )  # fmt: skip


def test_parse_literals() -> None:
    assert tcp.parse(SYN_WIRE, SRC, DST) == SYN_HEADER
    header = tcp.parse(DATA_WIRE, SRC, DST)
    assert header == DATA_HEADER
    assert isinstance(header, TcpHeader)
    assert (header.header_len, tcp.payload(DATA_WIRE, header)) == (20, b"hello")


def test_to_bytes_literals() -> None:
    assert SYN_HEADER.to_bytes(b"", SRC, DST) == SYN_WIRE
    assert DATA_HEADER.to_bytes(b"hello", SRC, DST) == DATA_WIRE


def test_sequence_numbers_are_cut_to_32_bits() -> None:
    far = DATA_HEADER._replace(seq=(7 << 32) + 1, ack=(1 << 40) + 2)
    assert far.to_bytes(b"hello", SRC, DST) == DATA_WIRE
    before = DATA_HEADER._replace(seq=-1).to_bytes(b"", SRC, DST)
    assert before[4:8] == b"\xff\xff\xff\xff"


@pytest.mark.parametrize("size", [0, 1, 19])
def test_header_short(size: int) -> None:
    found = tcp.parse(DATA_WIRE[:size], SRC, DST)
    assert found == WireFault(TcpFault.TCP_HEADER_SHORT, size, {"size": size})


@pytest.mark.parametrize("words", [0, 4, 7, 15])
def test_offset_invalid(words: int) -> None:
    segment = DATA_WIRE[:12] + bytes([words << 4]) + DATA_WIRE[13:]
    fault = WireFault(TcpFault.TCP_OFFSET_INVALID, 12, {"a": words * 4, "b": 25})
    assert tcp.parse(segment, SRC, DST) == fault


def test_bad_checksum_says_what_it_should_be() -> None:
    segment = DATA_WIRE[:16] + b"\x12\x34" + DATA_WIRE[18:]
    fault = WireFault(TcpFault.TCP_BAD_CHECKSUM, 16, {"got": 0x1234, "want": 0x52B8})
    assert tcp.parse(segment, SRC, DST) == fault


def test_checksum_covers_the_addresses() -> None:
    assert isinstance(tcp.parse(DATA_WIRE, SRC, DST + 1), WireFault)


def test_rfc9293_3_1_reserved_bits_are_ignored() -> None:
    segment = DATA_WIRE[:12] + b"\x5e" + DATA_WIRE[13:16] + (0x52B8 - 0xE00).to_bytes(2)
    assert tcp.parse(segment + DATA_WIRE[18:], SRC, DST) == DATA_HEADER


def test_options_are_padded_to_a_word() -> None:
    segment = DATA_HEADER._replace(options=b"\1").to_bytes(b"x", SRC, DST)
    header = tcp.parse(segment, SRC, DST)
    assert header == DATA_HEADER._replace(data_offset=6, options=b"\1\0\0\0")


def test_too_many_options_are_refused() -> None:
    assert len(DATA_HEADER._replace(options=bytes(40)).to_bytes(b"", SRC, DST)) == 60
    with pytest.raises(ValueError, match="41 bytes of TCP options"):
        DATA_HEADER._replace(options=bytes(41)).to_bytes(b"", SRC, DST)


def test_flags_in_words() -> None:
    assert [1 << bit for bit in range(9)] == [FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE]
    assert tcp.flags_text(SYN | ACK) == "SYN,ACK"
    assert tcp.flags_text(FIN | AE) == "FIN,AE"
    assert tcp.flags_text(0) == "none"


@given(headers(), st.binary(max_size=100), pairs)
def test_round_trip(header: TcpHeader, payload: bytes, ends: tuple[int, int]) -> None:
    segment = header.to_bytes(payload, *ends)
    assert tcp.parse(segment, *ends) == header
    assert tcp.payload(segment, header) == payload
    # The checksum does not tell source and destination apart.
    assert tcp.parse(segment, ends[1], ends[0]) == header


@given(headers(), st.binary(max_size=20), st.integers(0, 159))
def test_any_flipped_bit_of_a_header_is_noticed(
    header: TcpHeader, payload: bytes, bit: int
) -> None:
    segment = bytearray(header.to_bytes(payload, SRC, DST))
    segment[bit // 8] ^= 1 << bit % 8
    assert isinstance(tcp.parse(bytes(segment), SRC, DST), WireFault)


@given(st.binary(max_size=80), pairs)
def test_no_bytes_raise(segment: bytes, ends: tuple[int, int]) -> None:
    header = tcp.parse(segment, *ends)
    if isinstance(header, TcpHeader):
        assert len(tcp.payload(segment, header)) == len(segment) - header.header_len
