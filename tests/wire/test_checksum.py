"""Checksum: byte literals from the RFCs, and laws against a naive implementation."""

from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire.address import IPV6_MARK
from smolctl.wire.checksum import (
    expected_checksum,
    internet_checksum,
    pseudo_header_sum,
    sums_to_zero,
)


def naive_rfc1071(data: bytes) -> int:
    """The C code of RFC 1071 4.1, word by word."""
    if len(data) % 2:
        data += b"\0"
    total = 0
    for at in range(0, len(data), 2):
        total += data[at] << 8 | data[at + 1]
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_rfc1071_section_3_example() -> None:
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


def test_zero_sum_gives_ffff_and_ffff_sum_gives_zero() -> None:
    assert internet_checksum(b"") == 0xFFFF
    assert internet_checksum(bytes(40)) == 0xFFFF
    assert internet_checksum(b"\xff\xff") == 0
    assert internet_checksum(b"\xff\xfe\x00\x01") == 0


def test_odd_byte_is_the_high_half_of_a_word() -> None:
    assert internet_checksum(b"\x01") == internet_checksum(b"\x01\x00")


def test_all_zeroes_do_not_verify() -> None:
    assert not sums_to_zero(bytes(20))
    assert sums_to_zero(b"\xff\xff")


@given(st.binary(max_size=2000))
def test_equals_naive_implementation(data: bytes) -> None:
    assert internet_checksum(data) == naive_rfc1071(data)


@given(st.binary(max_size=200).map(lambda data: data[: len(data) & ~1]), st.binary(max_size=200))
def test_initial_continues_a_sum(head: bytes, tail: bytes) -> None:
    assert internet_checksum(tail, int.from_bytes(head)) == internet_checksum(head + tail)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=100))
def test_pseudo_header_sum_equals_its_bytes(src: int, dst: int, data: bytes) -> None:
    header = src.to_bytes(4) + dst.to_bytes(4) + bytes([0, 17]) + len(data).to_bytes(2)
    initial = pseudo_header_sum(src, dst, 17, len(data))
    assert internet_checksum(data, initial) == naive_rfc1071(header + data)


numbers = st.integers(0, 2**128 - 1)


@given(numbers, numbers, st.binary(max_size=100))
def test_pseudo_header_sum_of_ipv6_equals_its_bytes(src: int, dst: int, data: bytes) -> None:
    # RFC 8200 8.1: both addresses, a length of 4 bytes, and the upper layer's number.
    header = src.to_bytes(16) + dst.to_bytes(16) + len(data).to_bytes(4) + bytes([0, 0, 0, 58])
    initial = pseudo_header_sum(IPV6_MARK | src, IPV6_MARK | dst, 58, len(data))
    assert internet_checksum(data, initial) == naive_rfc1071(header + data)


@given(st.binary(min_size=4, max_size=200))
def test_data_with_its_checksum_verifies(data: bytes) -> None:
    field = internet_checksum(b"\0\0" + data[2:]).to_bytes(2)
    whole = field + data[2:]
    assert sums_to_zero(whole) == (naive_rfc1071(whole) == 0)
    assert sums_to_zero(whole)


@given(st.binary(min_size=4, max_size=200), st.integers(1, 0xFFFE))
def test_changed_checksum_does_not_verify(data: bytes, change: int) -> None:
    right = internet_checksum(b"\0\0" + data[2:])
    wrong = ((right + change) % 0xFFFF).to_bytes(2) + data[2:]
    assert not sums_to_zero(wrong) or wrong[:2] == right.to_bytes(2)
    assert expected_checksum(wrong, 0) == right
