"""IPv6: literals, round trip, faults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import ipv6
from smolctl.wire.address import IPV6_MARK, parse_address
from smolctl.wire.fault import Fault6, WireFault
from smolctl.wire.ipv6 import Ipv6Header, NextHeader

WIRE = bytes.fromhex(
    "6b81 2345 0005 11 40 20010db8000000000000000000000001 fe8000000000000002000000000000ff"
)
HEADER = Ipv6Header(
    traffic_class=0xB8,
    flow_label=0x12345,
    payload_length=5,
    next_header=NextHeader.UDP,
    hop_limit=64,
    src=parse_address("2001:db8::1"),
    dst=parse_address("fe80::200:0:0:ff"),
)
PACKET = WIRE + b"hello"

words = st.integers(0, 0xFFFF)
octets = st.integers(0, 255)
addresses = st.integers(0, 2**128 - 1).map(lambda number: IPV6_MARK | number)
headers = st.builds(
    Ipv6Header, octets, st.integers(0, 0xFFFFF), st.integers(0, 200), octets, octets, addresses,
    addresses,
)  # fmt: skip


def test_parse_literal() -> None:
    assert ipv6.parse(PACKET) == HEADER
    assert ipv6.parse_unchecked(WIRE) == HEADER


def test_to_bytes_literal() -> None:
    assert HEADER.to_bytes() == WIRE


def test_payload_excludes_ethernet_padding() -> None:
    header = ipv6.parse(PACKET + bytes(7))
    assert isinstance(header, Ipv6Header)
    assert ipv6.payload(PACKET + bytes(7), header) == b"hello"


@pytest.mark.parametrize("size", [0, 1, 39])
def test_header_short(size: int) -> None:
    assert ipv6.parse(PACKET[:size]) == WireFault(Fault6.IP6_HEADER_SHORT, size, {"number": size})


@pytest.mark.parametrize("version", [0, 4, 5, 7, 15])
def test_bad_version(version: int) -> None:
    packet = bytes([version << 4 | 11]) + PACKET[1:]
    assert ipv6.parse(packet) == WireFault(Fault6.IP6_BAD_VERSION, 0, {"v": version})
    assert ipv6.parse_unchecked(packet) is None


@pytest.mark.parametrize("length", [6, 65535])
def test_length_mismatch(length: int) -> None:
    packet = PACKET[:4] + length.to_bytes(2) + PACKET[6:]
    fault = WireFault(Fault6.IP6_LENGTH_MISMATCH, 4, {"a": length, "b": 5})
    assert ipv6.parse(packet) == fault
    assert ipv6.parse_unchecked(packet) == HEADER._replace(payload_length=length)


@pytest.mark.parametrize("packet", [b"", WIRE[:39], b"\x45" + WIRE[1:]])
def test_parse_unchecked_gives_none_without_a_header(packet: bytes) -> None:
    assert ipv6.parse_unchecked(packet) is None


@given(headers, st.binary(max_size=20))
def test_round_trip(header: Ipv6Header, padding: bytes) -> None:
    body = bytes(header.payload_length)
    packet = header.to_bytes() + body + padding
    assert ipv6.parse(packet) == header
    assert ipv6.payload(packet, header) == body
    assert ipv6.parse_unchecked(packet) == header


@given(headers.filter(lambda header: header.hop_limit > 0))
def test_one_hop_on_only_the_hop_limit_is_another(header: Ipv6Header) -> None:
    packet = header.to_bytes() + b"data"
    expected = header._replace(hop_limit=header.hop_limit - 1).to_bytes() + b"data"
    assert ipv6.aged(packet) == expected


@given(st.binary(max_size=80), st.sampled_from([b"", b"\x60", b"\x60\0\0\0\0\x08"]))
def test_no_bytes_raise(data: bytes, first: bytes) -> None:
    packet = first + data
    header = ipv6.parse(packet)
    ipv6.parse_unchecked(packet)
    if isinstance(header, Ipv6Header):
        assert len(ipv6.payload(packet, header)) == header.payload_length
        assert header.to_bytes() == packet[:40]
