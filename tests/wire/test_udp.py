"""UDP: literals, round trip, faults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import udp
from smolctl.wire.address import IPV6_MARK
from smolctl.wire.fault import Fault, Fault6, WireFault
from smolctl.wire.udp import UdpHeader

SRC, DST = 0x0A000001, 0x0A000002
SRC6, DST6 = IPV6_MARK | 0xFE80 << 112 | 1, IPV6_MARK | 0xFE80 << 112 | 2
HELLO = bytes.fromhex("03e8 07d0 000d 9c47 68656c6c6f")

words = st.integers(0, 0xFFFF)
addresses = st.integers(0, 2**32 - 1)
pairs = st.tuples(addresses, addresses) | st.tuples(
    st.integers(IPV6_MARK, 2 * IPV6_MARK - 1), st.integers(IPV6_MARK, 2 * IPV6_MARK - 1)
)


def test_parse_literal() -> None:
    header = udp.parse(HELLO, SRC, DST)
    assert header == UdpHeader(1000, 2000, 13, 0x9C47)
    assert isinstance(header, UdpHeader)
    assert udp.payload(HELLO, header) == b"hello"


def test_to_bytes_literal() -> None:
    assert udp.to_bytes(1000, 2000, b"hello", SRC, DST) == HELLO


def test_zero_checksum_means_none() -> None:
    segment = HELLO[:6] + b"\0\0" + b"HELLO"
    assert udp.parse(segment, SRC, DST) == UdpHeader(1000, 2000, 13, 0)


def test_rfc8200_8_1_over_ipv6_a_checksum_is_a_must() -> None:
    segment = udp.to_bytes(1000, 2000, b"hello", SRC6, DST6)
    assert isinstance(udp.parse(segment, SRC6, DST6), UdpHeader)
    found = udp.parse(segment[:6] + b"\0\0" + b"hello", SRC6, DST6)
    assert found == WireFault(Fault6.UDP6_NO_CHECKSUM, 6, {"number": 13})


def test_rfc8200_8_1_computed_zero_is_sent_as_ones() -> None:
    payload = (0xFFFF - 17 - 2 * 10).to_bytes(2)
    segment = udp.to_bytes(0, 0, payload, IPV6_MARK, IPV6_MARK)
    assert segment[6:8] == b"\xff\xff"
    assert udp.parse(segment, IPV6_MARK, IPV6_MARK) == UdpHeader(0, 0, 10, 0xFFFF)


def test_rfc768_computed_zero_is_sent_as_ones() -> None:
    # With everything else zero, the two bytes of payload make the sum 0xFFFF.
    payload = (0xFFFF - 17 - 2 * 10).to_bytes(2)
    segment = udp.to_bytes(0, 0, payload, 0, 0)
    assert segment[6:8] == b"\xff\xff"
    assert udp.parse(segment, 0, 0) == UdpHeader(0, 0, 10, 0xFFFF)


@pytest.mark.parametrize("size", [0, 7])
def test_header_short(size: int) -> None:
    fault = WireFault(Fault.UDP_HEADER_SHORT, size, {"size": size})
    assert udp.parse(HELLO[:size], SRC, DST) == fault


@pytest.mark.parametrize("length", [0, 7, 14, 0xFFFF])
def test_bad_length(length: int) -> None:
    segment = HELLO[:4] + length.to_bytes(2) + HELLO[6:]
    assert udp.parse(segment, SRC, DST) == WireFault(
        Fault.UDP_BAD_LENGTH, 4, {"a": length, "b": 13, "cause": "header" if length < 8 else "cut"}
    )


def test_bad_checksum_says_what_it_should_be() -> None:
    segment = HELLO[:6] + b"\x12\x34" + HELLO[8:]
    fault = WireFault(Fault.UDP_BAD_CHECKSUM, 6, {"got": 0x1234, "want": 0x9C47})
    assert udp.parse(segment, SRC, DST) == fault


def test_checksum_covers_the_addresses() -> None:
    fault = udp.parse(HELLO, SRC, DST + 1)
    assert isinstance(fault, WireFault)
    assert fault.fault is Fault.UDP_BAD_CHECKSUM


def test_wanted_checksum_is_never_zero() -> None:
    payload = (0xFFFF - 17 - 2 * 10).to_bytes(2)
    segment = udp.to_bytes(0, 0, payload, 0, 0)
    fault = udp.parse(segment[:6] + b"\0\1" + payload, 0, 0)
    assert fault == WireFault(Fault.UDP_BAD_CHECKSUM, 6, {"got": 1, "want": 0xFFFF})


def test_bytes_after_udp_s_length_are_not_payload() -> None:
    header = udp.parse(HELLO + b"rest", SRC, DST)
    assert header == UdpHeader(1000, 2000, 13, 0x9C47)
    assert isinstance(header, UdpHeader)
    assert udp.payload(HELLO + b"rest", header) == b"hello"


def test_largest_payload() -> None:
    assert len(udp.to_bytes(1, 2, bytes(udp.MAX_PAYLOAD), SRC, DST)) == 65515
    with pytest.raises(ValueError, match="65528 bytes of payload"):
        udp.to_bytes(1, 2, bytes(65528), SRC, DST)


@given(words, words, st.binary(max_size=200), pairs)
def test_round_trip(sport: int, dport: int, payload: bytes, ends: tuple[int, int]) -> None:
    src, dst = ends
    segment = udp.to_bytes(sport, dport, payload, src, dst)
    header = udp.parse(segment, src, dst)
    assert isinstance(header, UdpHeader)
    assert header[:3] == (sport, dport, 8 + len(payload))
    assert header.checksum != 0
    assert udp.payload(segment, header) == payload
    # The checksum does not tell source and destination apart (RFC 768).
    assert udp.parse(segment, dst, src) == header


@given(st.binary(max_size=60), pairs)
def test_no_bytes_raise(segment: bytes, ends: tuple[int, int]) -> None:
    header = udp.parse(segment, *ends)
    if isinstance(header, UdpHeader):
        assert len(udp.payload(segment, header)) == header.length - 8
