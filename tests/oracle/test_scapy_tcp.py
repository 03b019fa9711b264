"""scapy as an independent oracle for TCP and its options, over both families, both ways."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from smolctl.wire import tcp
from smolctl.wire.address import IPV6_MARK, format_address
from smolctl.wire.tcp import TcpHeader
from smolctl.wire.tcp_options import TcpOptions, parse

words = st.integers(0, 0xFFFF)
longs = st.integers(0, 0xFFFFFFFF)
shown = format_address
pairs = st.tuples(longs, longs) | st.tuples(
    st.integers(IPV6_MARK, 2 * IPV6_MARK - 1), st.integers(IPV6_MARK, 2 * IPV6_MARK - 1)
)


def segment_of(layers: Any, src: int, dst: int) -> bytes:
    """Return the segment that scapy makes, with its checksum."""
    if src < IPV6_MARK:
        return bytes(IP(src=shown(src), dst=shown(dst)) / layers)[20:]
    return bytes(IPv6(src=shown(src), dst=shown(dst)) / layers)[40:]


@given(
    st.tuples(words, words, longs, longs),
    st.integers(0, 0x1FF),
    words,
    words,
    st.binary(max_size=64),
    pairs,
)
def test_header(
    start: tuple[int, int, int, int], flags: int, window: int, urgent: int, payload: bytes,
    ends: tuple[int, int],
) -> None:  # fmt: skip
    sport, dport, seq, ack = start
    layer = TCP(
        sport=sport, dport=dport, seq=seq, ack=ack, flags=flags, window=window, urgptr=urgent
    )
    theirs = segment_of(layer / Raw(payload), *ends)
    ours = TcpHeader(sport, dport, seq, ack, 5, flags, window, urgent)
    assert ours.to_bytes(payload, *ends) == theirs
    assert tcp.parse(theirs, *ends) == ours
    seen = TCP(theirs)
    assert (seen.sport, seen.dport, seen.seq, seen.ack, seen.dataofs) == ours[:5]
    assert (int(seen.flags), seen.window, seen.urgptr) == ours[5:8]


@given(st.integers(1, 0xFFFF), st.integers(0, 14), longs, longs)
def test_options_of_a_syn(mss: int, scale: int, value: int, echo: int) -> None:
    # In the order in which Linux sends them; scapy keeps the order that it is given.
    layer = TCP(
        flags="S",
        options=[
            ("MSS", mss), ("SAckOK", b""), ("Timestamp", (value, echo)), ("NOP", None),
            ("WScale", scale),
        ],
    )  # fmt: skip
    theirs = segment_of(layer, 1, 2)[20:]
    ours = TcpOptions(mss, scale, True, (value, echo))
    assert ours.to_bytes() == theirs
    assert parse(theirs, syn=True) == ours


@given(longs, longs, st.lists(st.tuples(longs, longs), min_size=1, max_size=3))
def test_timestamps_and_sack(value: int, echo: int, blocks: list[tuple[int, int]]) -> None:
    nop = ("NOP", None)
    edges = tuple(edge for block in blocks for edge in block)
    layer = TCP(options=[nop, nop, ("Timestamp", (value, echo)), nop, nop, ("SAck", edges)])
    theirs = segment_of(layer, 1, 2)[20:]
    ours = TcpOptions(timestamps=(value, echo), sack=tuple(blocks))
    assert ours.to_bytes() == theirs
    assert parse(theirs, syn=False) == ours
