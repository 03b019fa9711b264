"""Ethernet: literals, round trip, faults."""

from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import ethernet
from smolctl.wire.ethernet import EthernetHeader, EtherType
from smolctl.wire.fault import Fault, WireFault

FRAME = bytes.fromhex("ffffffffffff 02000000000a 0806")
HEADER = EthernetHeader(b"\xff" * 6, b"\x02\0\0\0\0\x0a", EtherType.ARP)

macs = st.binary(min_size=6, max_size=6)


def test_parse_literal() -> None:
    assert ethernet.parse(FRAME + b"payload") == HEADER


def test_to_bytes_literal() -> None:
    assert HEADER.to_bytes() == FRAME
    assert len(FRAME) == ethernet.HEADER_LEN


def test_short_frame() -> None:
    assert ethernet.parse(FRAME[:13]) == WireFault(Fault.RX_FRAME_SHORT, 13, {"size": 13})
    assert ethernet.parse(b"") == WireFault(Fault.RX_FRAME_SHORT, 0, {"size": 0})


@given(st.builds(EthernetHeader, macs, macs, st.integers(0, 0xFFFF)), st.binary(max_size=50))
def test_round_trip(header: EthernetHeader, payload: bytes) -> None:
    assert ethernet.parse(header.to_bytes() + payload) == header


@given(st.binary(max_size=100))
def test_no_bytes_raise_and_header_is_what_was_there(frame: bytes) -> None:
    header = ethernet.parse(frame)
    if isinstance(header, WireFault):
        assert len(frame) < ethernet.HEADER_LEN
    else:
        assert header.to_bytes() == frame[: ethernet.HEADER_LEN]
