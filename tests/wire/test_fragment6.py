"""An IPv6 packet cut into fragments: its headers, and laws for any packet and MTU."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import ipv6
from smolctl.wire.address import IPV6_MARK
from smolctl.wire.fragment import fragments6
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.ipv6_ext import Chain, Fragment, Routing, options_header, reassembled, walk

SRC, DST = IPV6_MARK | 0xFE80 << 112 | 1, IPV6_MARK | 0xFE80 << 112 | 2
IDENT = 0xABCD1234
ALERT = [(5, bytes(2))]


def whole(first: int, payload: bytes) -> bytes:
    return Ipv6Header(0xB8, 0x12345, len(payload), first, 64, SRC, DST).to_bytes() + payload


def read(packet: bytes) -> tuple[Ipv6Header, Chain]:
    header = ipv6.parse(packet)
    assert isinstance(header, Ipv6Header)
    assert header.payload_length == len(packet) - 40
    chain = walk(packet, header)
    assert isinstance(chain, Chain), chain
    return header, chain


def test_an_example() -> None:
    data = bytes(index & 255 for index in range(2000))
    first, second = fragments6(whole(NextHeader.UDP, data), 1280, IDENT)
    header, chain = read(first)
    assert header == Ipv6Header(0xB8, 0x12345, 1240, NextHeader.FRAGMENT, 64, SRC, DST)
    assert chain.fragment == Fragment(NextHeader.UDP, 0, True, IDENT)
    assert first[chain.offset :] == data[:1232]
    header, chain = read(second)
    assert header.payload_length == 8 + 768
    assert chain.fragment == Fragment(NextHeader.UDP, 1232, False, IDENT)
    assert second[chain.offset :] == data[1232:]


@pytest.mark.parametrize("size", [0, 1, 1240])
def test_rfc8021_what_fits_stays_whole_and_gets_no_fragment_header(size: int) -> None:
    packet = whole(NextHeader.UDP, bytes(size))
    assert fragments6(packet, 1280, IDENT) == [packet]


def test_rfc8200_4_5_headers_for_nodes_on_the_way_stand_in_each_piece() -> None:
    hop_by_hop = options_header(60, ALERT)
    before = options_header(43, []) + Routing(60, 4, 0, bytes(20)).to_bytes()
    behind = options_header(17, [])
    data = bytes(range(200))
    packets = fragments6(whole(0, hop_by_hop + before + behind + data), 200, IDENT)
    assert len(packets) == 2
    for packet in packets:
        _, chain = read(packet)
        assert [header.type for header in chain.headers] == [0, 60, 43, 44]
        assert chain.fragment is not None
        assert chain.fragment.next_header == 60
    # Behind a hop-by-hop header alone, destination options are data.
    for packet in fragments6(whole(0, hop_by_hop + behind + data), 200, IDENT):
        _, chain = read(packet)
        assert [header.type for header in chain.headers] == [0, 44]


def test_what_cannot_be_cut_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="MTU of 55"):
        fragments6(whole(NextHeader.UDP, bytes(100)), 55, IDENT)
    assert len(fragments6(whole(NextHeader.UDP, bytes(100)), 56, IDENT)) == 13
    # RFC 7112 5: the first fragment has all headers.
    chain = options_header(60, [(0x1E, bytes(100))]) + options_header(6, [])
    with pytest.raises(ValueError, match="MTU of 128"):
        fragments6(whole(60, chain + bytes(200)), 128, IDENT)
    assert len(fragments6(whole(60, chain + bytes(200)), 192, IDENT)) == 3


headers = st.sampled_from(
    [(NextHeader.UDP, b""), (0, options_header(17, ALERT)), (60, options_header(17, ALERT))]
)


@given(
    headers, st.binary(min_size=8, max_size=600), st.integers(72, 400), st.integers(0, 2**32 - 1)
)
def test_any_packet_at_any_mtu(
    before: tuple[int, bytes], data: bytes, mtu: int, ident: int
) -> None:
    packet = whole(before[0], before[1] + data)
    cut = fragments6(packet, mtu, ident)
    assert all(len(piece) <= mtu for piece in cut)
    if len(cut) == 1:
        assert cut == [packet]
        return
    joined, at = b"", 0
    for number, piece in enumerate(cut):
        _, chain = read(piece)
        assert chain.fragment is not None
        assert (chain.fragment.fragment_offset, chain.fragment.ident) == (at, ident)
        assert chain.fragment.mf == (number < len(cut) - 1)
        # No piece is smaller than it need be: 8 bytes more would not have fitted.
        assert not chain.fragment.mf or len(piece) + 8 > mtu
        joined += piece[chain.offset :]
        at = len(joined)
    _, chain = read(cut[0])
    assert reassembled(cut[0], chain, joined) == packet
