"""VLAN tags and SNAP, with scapy as the judge of what the bytes mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import LLC, SNAP, Dot1AD, Dot1Q, Dot3, Ether

from smolctl.wire import ethernet, snap, vlan
from smolctl.wire.fault import Fault, WireFault
from smolctl.wire.vlan import Tpid, VlanTag

TAGS = st.builds(
    VlanTag, st.sampled_from(list(Tpid)), st.integers(0, 7), st.booleans(), st.integers(0, 4095)
)
MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
INSIDE = Ether(**MACS) / IP() / UDP()


@given(TAGS)
def test_a_tag_is_what_scapy_reads(tag: VlanTag) -> None:
    kind = Dot1AD if tag.tpid == Tpid.SERVICE else Dot1Q
    read = Ether(vlan.tagged(bytes(INSIDE), tag))[kind]
    assert (read.prio, read.dei, read.vlan) == (tag.pcp, tag.dei, tag.vid)
    assert bytes(read.payload) == bytes(INSIDE[IP])


@given(TAGS)
def test_a_tag_that_scapy_writes_is_read(tag: VlanTag) -> None:
    kind = Dot1AD if tag.tpid == Tpid.SERVICE else Dot1Q
    header = kind(prio=tag.pcp, dei=tag.dei, vlan=tag.vid)
    frame = bytes(Ether(**MACS, type=tag.tpid) / header / IP())
    assert vlan.parse(frame) == tag
    assert vlan.untagged(frame)[12:14] == b"\x08\0"


@given(st.lists(TAGS, max_size=4))
def test_tags_that_are_put_on_come_off_in_reverse(tags: list[VlanTag]) -> None:
    frame = bytes(INSIDE)
    for tag in tags:
        frame = vlan.tagged(frame, tag)
    assert vlan.tags(frame) == tags[::-1]
    assert vlan.untagged(frame, len(tags)) == bytes(INSIDE)


@pytest.mark.parametrize("size", range(14, 18))
def test_a_frame_that_ends_within_its_tag_is_a_fault(size: int) -> None:
    fault = vlan.parse(vlan.tagged(bytes(INSIDE), VlanTag(Tpid.CUSTOMER, 0, False, 5))[:size])
    assert isinstance(fault, WireFault)
    assert (fault.fault, fault.detail) == (Fault.RX_VLAN_TRUNCATED, {"size": size})


def test_a_frame_without_a_tag_has_none() -> None:
    assert vlan.parse(bytes(INSIDE)) is None
    assert vlan.parse(b"\x81\x00" * 6) is None  # MAC addresses alone


@given(st.binary(max_size=80))
def test_no_bytes_raise(data: bytes) -> None:
    vlan.parse(data)
    vlan.tags(data)
    if len(data) >= ethernet.HEADER_LEN:
        snap.parse(data, int.from_bytes(data[12:14]))


@given(st.binary(min_size=1, max_size=100), st.integers(0, 20))
def test_what_scapy_puts_behind_snap_is_found_without_padding(data: bytes, pad: int) -> None:
    frame = bytes(Dot3(**MACS) / LLC() / SNAP(code=0x0800) / data)
    length = int.from_bytes(frame[12:14])
    padded = frame + bytes(pad)
    assert snap.parse(padded, length) == 0x0800
    assert snap.payload(padded, length) == data


def test_other_llc_is_no_snap() -> None:
    spanning_tree = bytes(Dot3(**MACS) / LLC(dsap=0x42, ssap=0x42, ctrl=3) / bytes(35))
    assert snap.parse(spanning_tree, 38) is None
    appletalk = bytes(Dot3(**MACS) / LLC() / SNAP(OUI=0x080007, code=0x809B) / bytes(35))
    assert snap.parse(appletalk, 43) is None


def test_a_header_that_the_length_cuts_is_no_snap() -> None:
    frame = bytes(Dot3(**MACS, len=7) / LLC() / SNAP(code=0x0800) / bytes(40))
    assert snap.parse(frame, 7) is None


def test_a_length_beyond_the_frame_is_a_fault() -> None:
    frame = bytes(Dot3(**MACS, len=60) / LLC() / SNAP(code=0x0800) / bytes(20))
    fault = snap.parse(frame, 60)
    assert isinstance(fault, WireFault)
    assert (fault.fault, fault.detail) == (Fault.RX_LLC_BAD_LENGTH, {"claimed": 60, "size": 28})
