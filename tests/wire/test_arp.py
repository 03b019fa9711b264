"""ARP: literals, round trip, faults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import arp
from smolctl.wire.arp import ArpPacket, Op
from smolctl.wire.fault import Fault, WireFault

REQUEST = bytes.fromhex("0001 0800 06 04 0001 02000000000a 0a000001 000000000000 0a000002")
PACKET = ArpPacket(
    op=Op.REQUEST,
    sender_mac=b"\x02\0\0\0\0\x0a",
    sender_ip=0x0A000001,
    target_mac=bytes(6),
    target_ip=0x0A000002,
)

macs = st.binary(min_size=6, max_size=6)
addresses = st.integers(0, 2**32 - 1)


def test_parse_literal() -> None:
    assert arp.parse(REQUEST) == PACKET


def test_to_bytes_literal() -> None:
    assert PACKET.to_bytes() == REQUEST
    assert len(REQUEST) == arp.PACKET_LEN


def test_ethernet_padding_is_ignored() -> None:
    assert arp.parse(REQUEST + bytes(18)) == PACKET


@pytest.mark.parametrize("size", [0, 8, 27])
def test_truncated(size: int) -> None:
    assert arp.parse(REQUEST[:size]) == WireFault(Fault.ARP_TRUNCATED, size, {"size": size})


@pytest.mark.parametrize(
    ("name", "offset", "value"),
    [("htype", 0, 7), ("ptype", 2, 0x86DD), ("hlen", 4, 8), ("plen", 5, 16)],
)
def test_bad_format_names_all_four_fields(name: str, offset: int, value: int) -> None:
    size = 2 if offset < 4 else 1
    packet = REQUEST[:offset] + value.to_bytes(size) + REQUEST[offset + size :]
    detail: dict[str, int | str] = {"htype": 1, "ptype": 0x0800, "hlen": 6, "plen": 4, name: value}
    detail["cause"] = name
    assert arp.parse(packet) == WireFault(Fault.ARP_BAD_FORMAT, offset, detail)


def test_hardware_type_6_is_ethernet_too() -> None:
    assert arp.parse(REQUEST[:1] + b"\x06" + REQUEST[2:]) == arp.parse(REQUEST)


@pytest.mark.parametrize("op", [0, 3, 8, 0xFFFF])
def test_bad_op(op: int) -> None:
    packet = REQUEST[:6] + op.to_bytes(2) + REQUEST[8:]
    assert arp.parse(packet) == WireFault(Fault.ARP_BAD_OP, 6, {"opcode": op})


@given(st.builds(ArpPacket, st.sampled_from(Op), macs, addresses, macs, addresses))
def test_round_trip(packet: ArpPacket) -> None:
    assert arp.parse(packet.to_bytes()) == packet


@given(st.binary(max_size=60), st.booleans())
def test_no_bytes_raise_and_packet_is_what_was_there(data: bytes, prefixed: bool) -> None:
    if prefixed:
        data = REQUEST[:8] + data
    packet = arp.parse(data)
    if isinstance(packet, ArpPacket):
        assert packet.to_bytes() == data[: arp.PACKET_LEN]
