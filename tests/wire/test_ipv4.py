"""IPv4: literals, round trip, faults, options."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import ipv4
from smolctl.wire.checksum import internet_checksum
from smolctl.wire.fault import Fault, WireFault
from smolctl.wire.ipv4 import Ipv4Header, Protocol

# The header of a UDP packet from 192.168.0.1 to 192.168.0.199; its checksum is 0xb861.
WIRE = bytes.fromhex("4500 0073 0000 4000 40 11 b861 c0a80001 c0a800c7")
HEADER = Ipv4Header(
    ihl=5,
    dscp_ecn=0,
    total_length=0x73,
    ident=0,
    df=True,
    mf=False,
    fragment_offset=0,
    ttl=64,
    protocol=Protocol.UDP,
    src=0xC0A80001,
    dst=0xC0A800C7,
)
PACKET = WIRE + bytes(0x73 - 20)

words = st.integers(0, 0xFFFF)
octets = st.integers(0, 255)
addresses = st.integers(0, 2**32 - 1)


@st.composite
def headers(draw: st.DrawFn) -> Ipv4Header:
    options = draw(st.binary(max_size=40).map(lambda raw: raw[: len(raw) & ~3]))
    return Ipv4Header(
        ihl=5 + len(options) // 4,
        dscp_ecn=draw(octets),
        total_length=draw(st.integers(20 + len(options), 200)),
        ident=draw(words),
        df=draw(st.booleans()),
        mf=draw(st.booleans()),
        fragment_offset=draw(st.integers(0, 0x1FFF)) * 8,
        ttl=draw(octets),
        protocol=draw(octets),
        src=draw(addresses),
        dst=draw(addresses),
        options=options,
    )


def patched(packet: bytes, at: int, value: bytes) -> bytes:
    """Change some bytes of the header and make its checksum right again."""
    packet = packet[:at] + value + packet[at + len(value) :]
    header_len = (packet[0] & 15) * 4 or 20
    zeroed = packet[:10] + b"\0\0" + packet[12:header_len]
    return packet[:10] + internet_checksum(zeroed).to_bytes(2) + packet[12:]


def test_parse_literal() -> None:
    assert ipv4.parse(PACKET) == HEADER
    assert HEADER.header_len == 20


def test_to_bytes_literal() -> None:
    assert HEADER.to_bytes() == WIRE


def test_payload_excludes_ethernet_padding() -> None:
    packet = HEADER._replace(total_length=25).to_bytes() + b"hello" + bytes(21)
    header = ipv4.parse(packet)
    assert isinstance(header, Ipv4Header)
    assert ipv4.payload(packet, header) == b"hello"


def test_fragment_fields() -> None:
    header = HEADER._replace(df=False, mf=True, fragment_offset=1480)
    packet = header.to_bytes()
    assert packet[6:8] == (0x2000 | 185).to_bytes(2)
    assert ipv4.parse(packet + bytes(0x73 - 20)) == header


def test_reserved_flag_is_ignored() -> None:
    header = ipv4.parse(patched(PACKET, 6, b"\x80\x00"))
    assert header == HEADER._replace(df=False)


@pytest.mark.parametrize("size", [0, 1, 19])
def test_header_short(size: int) -> None:
    assert ipv4.parse(PACKET[:size]) == WireFault(Fault.IP_HEADER_SHORT, size, {"size": size})


@pytest.mark.parametrize("version", [0, 5, 6, 15])
def test_bad_version(version: int) -> None:
    packet = bytes([version << 4 | 5]) + PACKET[1:]
    assert ipv4.parse(packet) == WireFault(Fault.IP_BAD_VERSION, 0, {"v": version})


@pytest.mark.parametrize(("ihl", "size"), [(0, 115), (4, 115), (6, 20), (15, 59)])
def test_bad_ihl(ihl: int, size: int) -> None:
    packet = (bytes([0x40 | ihl]) + PACKET[1:])[:size]
    assert ipv4.parse(packet) == WireFault(
        Fault.IP_BAD_IHL, 0, {"ihl": ihl, "size": size, "cause": "short" if ihl < 5 else "long"}
    )


def test_bad_checksum_says_what_it_should_be() -> None:
    packet = PACKET[:10] + b"\x12\x34" + PACKET[12:]
    fault = WireFault(Fault.IP_BAD_CHECKSUM, 10, {"got": 0x1234, "want": 0xB861})
    assert ipv4.parse(packet) == fault


@pytest.mark.parametrize(("total_length", "size"), [(19, 115), (0, 115), (116, 115), (65535, 20)])
def test_length_mismatch(total_length: int, size: int) -> None:
    packet = patched(PACKET, 2, total_length.to_bytes(2))[:size]
    cause = "header" if total_length < 20 else "cut"
    detail: dict[str, int | str] = {"a": total_length, "b": size, "header": 20, "cause": cause}
    fault = WireFault(Fault.IP_LENGTH_MISMATCH, 2, detail)
    assert ipv4.parse(packet) == fault


def test_total_length_must_cover_the_options() -> None:
    packet = HEADER._replace(options=bytes(8), total_length=27).to_bytes()
    detail: dict[str, int | str] = {"a": 27, "b": 28, "header": 28, "cause": "header"}
    fault = WireFault(Fault.IP_LENGTH_MISMATCH, 2, detail)
    assert ipv4.parse(packet) == fault


def test_options_are_padded_to_a_word() -> None:
    packet = HEADER._replace(options=b"\x01", total_length=24).to_bytes()
    header = ipv4.parse(packet)
    assert isinstance(header, Ipv4Header)
    assert (header.ihl, header.header_len, header.options) == (6, 24, b"\x01\0\0\0")


def test_too_many_options_are_refused() -> None:
    assert len(HEADER._replace(options=bytes(40)).to_bytes()) == 60
    with pytest.raises(ValueError, match="41 bytes of IPv4 options"):
        HEADER._replace(options=bytes(41)).to_bytes()


@given(headers(), st.binary(max_size=20))
def test_round_trip(header: Ipv4Header, padding: bytes) -> None:
    body = bytes(header.total_length - header.header_len)
    packet = header.to_bytes() + body + padding
    assert ipv4.parse(packet) == header
    assert ipv4.payload(packet, header) == body
    assert ipv4.parse_unchecked(packet) == header


@given(headers(), st.integers(0, 159), st.data())
def test_any_flipped_bit_of_a_header_is_noticed(
    header: Ipv4Header, bit: int, data: st.DataObject
) -> None:
    packet = bytearray(header.to_bytes() + bytes(header.total_length - header.header_len))
    packet[bit // 8] ^= 1 << bit % 8
    changed = ipv4.parse(bytes(packet))
    # With a shorter or longer header the sum covers other bytes, and may be right by chance.
    assert isinstance(changed, WireFault) or changed.ihl != header.ihl


@given(st.binary(max_size=80), st.sampled_from([b"", b"\x45", b"\x4f"]), st.booleans())
def test_no_bytes_raise(data: bytes, first: bytes, right_checksum: bool) -> None:
    packet = first + data
    if right_checksum and len(packet) >= 20:
        packet = patched(packet, 1, b"")
    header = ipv4.parse(packet)
    ipv4.parse_unchecked(packet)
    if isinstance(header, Ipv4Header):
        assert len(ipv4.payload(packet, header)) == header.total_length - header.header_len


@pytest.mark.parametrize(
    "change", [{"total_length": 5000}, {"ttl": 1, "options": b"\x83\x03\x04\x00"}]
)
def test_parse_unchecked_needs_neither_length_nor_checksum(change: dict[str, Any]) -> None:
    packet = bytearray(HEADER._replace(**change).to_bytes())
    packet[10:12] = b"\xab\xcd"
    header = ipv4.parse_unchecked(bytes(packet))
    assert header is not None
    assert {name: getattr(header, name) for name in change} == change


@pytest.mark.parametrize(
    "packet", [b"", WIRE[:19], b"\x65" + WIRE[1:], b"\x44" + WIRE[1:], b"\x46" + WIRE[1:]]
)
def test_parse_unchecked_gives_none_without_a_header(packet: bytes) -> None:
    assert ipv4.parse_unchecked(packet) is None
