"""A packet cut into fragments: RFC 791's own examples, options, and laws for any packet and MTU."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import ipv4
from smolctl.wire.fragment import copied_options, fragments
from smolctl.wire.ipv4 import Ipv4Header

HEADER = Ipv4Header(5, 0xB8, 0, 111, False, False, 0, 123, 6, 0x0A000001, 0x0A000002)

ROUTER_ALERT = bytes.fromhex("94040000")
STREAM = bytes.fromhex("88040007")
RECORD_ROUTE = bytes.fromhex("070708 00000000")
TIMESTAMP = bytes.fromhex("440c0500 0000000000000000")


def read(packet: bytes) -> tuple[Ipv4Header, bytes]:
    header = ipv4.parse(packet)
    assert isinstance(header, Ipv4Header)
    assert header.total_length == len(packet)
    return header, ipv4.payload(packet, header)


def test_rfc791_appendix_a_example_2() -> None:
    # 452 bytes of data, a total length of 472, and a network that takes 280.
    data = bytes(index & 255 for index in range(452))
    first, second = fragments(HEADER, data, 280)
    header, payload = read(first)
    assert (header.total_length, header.mf, header.fragment_offset) == (276, True, 0)
    assert payload == data[:256]
    header, payload = read(second)
    assert (header.total_length, header.mf, header.fragment_offset) == (216, False, 256)
    assert payload == data[256:]
    for packet in (first, second):
        header, _ = read(packet)
        assert header[1] == 0xB8
        assert (header.ident, header.df, header.ttl, header.protocol) == (111, False, 123, 6)
        assert (header.src, header.dst) == (0x0A000001, 0x0A000002)


@pytest.mark.parametrize("size", [0, 1, 8, 256])
def test_what_fits_stays_whole(size: int) -> None:
    whole = HEADER._replace(df=True, options=RECORD_ROUTE + b"\0")
    (packet,) = fragments(whole, bytes(size), 28 + size)
    header, payload = read(packet)
    assert header == whole._replace(ihl=7, total_length=28 + size)
    assert payload == bytes(size)


def test_a_fragment_in_the_middle_is_cut_into_fragments_in_the_middle() -> None:
    middle = HEADER._replace(mf=True, fragment_offset=1480)
    cut = [read(packet)[0] for packet in fragments(middle, bytes(48), 44)]
    assert [(header.fragment_offset, header.mf) for header in cut] == [(1480, True), (1504, True)]
    last = HEADER._replace(fragment_offset=1480)
    cut = [read(packet)[0] for packet in fragments(last, bytes(48), 44)]
    assert [(header.fragment_offset, header.mf) for header in cut] == [(1480, True), (1504, False)]


def test_the_first_has_all_options_and_the_others_those_to_be_copied() -> None:
    options = RECORD_ROUTE + ROUTER_ALERT + b"\1" + STREAM
    first, *others = (
        read(packet)[0] for packet in fragments(HEADER._replace(options=options), bytes(100), 68)
    )
    assert first.options == options
    assert [header.options for header in others] == [ROUTER_ALERT + STREAM] * 2
    # The shorter header leaves room for more data: 32 bytes behind 36, then 40 behind 28.
    assert [header.total_length for header in (first, *others)] == [36 + 32, 28 + 40, 28 + 28]


@pytest.mark.parametrize(
    ("options", "copied"),
    [
        (b"", b""),
        (RECORD_ROUTE + TIMESTAMP, b""),
        (b"\1\1" + STREAM + b"\0" + ROUTER_ALERT, STREAM),
        (STREAM + bytes.fromhex("8801") + ROUTER_ALERT, STREAM),
        (STREAM + bytes.fromhex("8809 00"), STREAM),
        (STREAM + bytes.fromhex("88"), STREAM),
    ],
    ids=["none", "uncopied", "end of list", "length 1", "longer than the rest", "no length"],
)
def test_copied_options(options: bytes, copied: bytes) -> None:
    assert copied_options(options) == copied


def test_what_may_not_or_cannot_be_cut_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="DF"):
        fragments(HEADER._replace(df=True), bytes(100), 68)
    with pytest.raises(ValueError, match="MTU of 67"):
        fragments(HEADER._replace(options=bytes(40)), bytes(100), 67)


words = st.integers(0, 0xFFFF)
headers = st.builds(
    lambda options, ident, mf, unit, ttl: HEADER._replace(
        options=options, ident=ident, mf=mf, fragment_offset=unit * 8, ttl=ttl
    ),
    st.binary(max_size=40).map(lambda raw: raw[: len(raw) & ~3]),
    words,
    st.booleans(),
    st.integers(0, 100),
    st.integers(1, 255),
)


@given(headers, st.binary(max_size=600), st.integers(68, 400))
def test_any_packet_at_any_mtu(header: Ipv4Header, data: bytes, mtu: int) -> None:
    if header.mf:
        data = data[: len(data) & ~7]
    cut = [read(packet) for packet in fragments(header, data, mtu)]
    assert b"".join(payload for _, payload in cut) == data
    assert all(each.total_length <= mtu for each, _ in cut)
    # Offsets say where the data goes on, in units of 8 bytes; all but the last say "more".
    assert cut[0][0].fragment_offset == header.fragment_offset
    for (before, payload), (behind, _) in pairwise(cut):
        assert len(payload) % 8 == 0
        assert behind.fragment_offset == before.fragment_offset + len(payload)
        assert before.mf
        # No fragment is smaller than it need be: 8 bytes more would not have fitted.
        assert before.total_length + 8 > mtu
    assert cut[-1][0].mf == header.mf
    assert cut[0][0].options == header.options
    assert {(each.ident, each.ttl, each.df) for each, _ in cut} == {
        (header.ident, header.ttl, False)
    }
