"""Frames whose packet stands behind more than an Ethernet II header: VLAN tags, LLC and SNAP."""

import pytest
from scapy.layers.l2 import LLC, SNAP, Dot3

from smolctl.stack.explain.summary import summarize
from smolctl.stack.explain.verdict import tell
from smolctl.wire import arp, vlan
from smolctl.wire.address import format_mac
from smolctl.wire.vlan import Tpid, VlanTag
from tests.kit.host import (
    OUR_MAC,
    PEER_MAC,
    Host,
    arp_frame,
    echo_request,
    frame_of,
    udp_frame,
    udp_packet,
)


def tag(vid: int, pcp: int = 0, tpid: int = Tpid.CUSTOMER) -> VlanTag:
    return VlanTag(tpid, pcp, False, vid)


@pytest.fixture
def host() -> Host:
    host = Host()
    host.know()
    return host


def told(host: Host) -> dict[str, object]:
    """Return the row about the newest packet in the journal."""
    return tell(list(host.stack.journal)[-1], lambda _now: 0.0)


# --- a priority without a VLAN --------------------------------------------------------------------


@pytest.mark.parametrize("tpid", Tpid)
def test_a_priority_tag_comes_off(host: Host, tpid: int) -> None:
    host.receive(vlan.tagged(echo_request(), tag(0, 5, tpid)))
    (answer,) = host.sent()
    assert answer.icmp.type == 0
    assert host.reasons() == {}


def test_arp_behind_a_priority_tag_is_answered(host: Host) -> None:
    host.receive(vlan.tagged(arp_frame(arp.Op.REQUEST), tag(0, 7)))
    (answer,) = host.sent()
    assert answer.arp is not None


def test_two_priority_tags_come_off(host: Host) -> None:
    inner = vlan.tagged(echo_request(), tag(0, 1))
    host.receive(vlan.tagged(inner, tag(0, 2, Tpid.SERVICE)))
    assert len(host.sent()) == 1


def test_a_tag_behind_a_priority_tag_is_named(host: Host) -> None:
    host.receive(vlan.tagged(vlan.tagged(echo_request(), tag(7)), tag(0, 3)))
    assert host.reasons() == {"rx-vlan-unknown": 1}
    assert "VLAN 7 " in str(told(host)["why"])


def test_a_thousand_tags_are_as_fast_as_one(host: Host) -> None:
    tags = tag(0, 1).to_bytes() * 16000
    frame = echo_request()
    host.receive(frame[:12] + tags + frame[12:])
    assert len(host.sent()) == 1


def test_datagrams_with_and_without_a_priority_are_of_one_flow(host: Host) -> None:
    socket = host.socket(7)
    plain = udp_frame(payload=b"plain")
    marked = vlan.tagged(udp_frame(payload=b"marked"), tag(0, 5))
    host.receive(plain, plain, marked, plain, marked)
    assert [item[0] for item in socket.queue] == [b"plain"] * 2 + [b"marked", b"plain", b"marked"]


# --- a VLAN that is not ours ----------------------------------------------------------------------


def test_a_tagged_frame_is_dropped_with_its_vlan(host: Host) -> None:
    host.receive(vlan.tagged(echo_request(), tag(5)))
    assert host.sent() == []
    row = told(host)
    assert row["reason"] == "rx-vlan-unknown"
    assert row["why"] == (
        "the frame is tagged for VLAN 5 (802.1Q), and tap0 has no interface in it (a trunk port?)"
    )
    assert row["look"] == (
        "make the switch port an access port, or take part in the VLAN:"
        " smolctl link add link tap0 name tap0.5 type vlan id 5"
    )
    assert str(row["summary"]).startswith("vlan 5, 10.0.0.2 > 10.0.0.1 ICMP echo request")


def test_a_provider_tag_is_named_as_such(host: Host) -> None:
    host.receive(vlan.tagged(vlan.tagged(echo_request(), tag(5)), tag(100, 0, Tpid.SERVICE)))
    row = told(host)
    assert "VLAN 100 (802.1ad)" in str(row["why"])
    assert str(row["look"]).endswith("type vlan protocol 802.1ad id 100")
    assert str(row["summary"]).startswith("vlan 100 vlan 5, ")


def test_nobody_is_told_to_take_part_in_the_reserved_vlan(host: Host) -> None:
    host.receive(vlan.tagged(echo_request(), tag(vlan.RESERVED)))
    row = told(host)
    assert row["why"] == (
        "the frame is tagged for VLAN 4095 (802.1Q), an ID that no frame may have"
    )
    assert row["look"] == "smolctl explain rx-vlan-unknown"


def test_a_tagged_frame_for_another_station_is_another_station_s(host: Host) -> None:
    host.receive(vlan.tagged(udp_frame(to=PEER_MAC, by=b"\2\0\0\0\0\x99"), tag(5)))
    assert host.reasons() == {"rx-not-our-mac": 1}


# --- a cable whose ends have different MTUs ----------------------------------------------------


def test_a_frame_beyond_the_mtu_is_lost_as_on_a_veth(host: Host) -> None:
    host.tap.mtu_in = True
    socket = host.socket(7)
    most = bytes(1500 - 28)
    frames = [udp_frame(payload=most), udp_frame(payload=most + b"x"), udp_frame(payload=b"y")]
    host.receive(*frames, frames[0] + bytes(4), frames[0] + bytes(5), *frames)
    assert [len(item[0]) for item in socket.queue] == [1472, 1473, 1, 1472, 1472, 1473, 1]
    assert host.reasons() == {"rx-frame-too-long": 1}
    assert (host.tap.counters.rx_dropped, host.tap.counters.rx_packets) == (1, 7)


def test_a_tagged_frame_has_room_for_its_tag(host: Host) -> None:
    host.tap.mtu_in = True
    socket = host.socket(7)
    host.receive(vlan.tagged(udp_frame(payload=bytes(1472)), tag(0, 1)))
    assert len(socket.queue) == 1


def test_who_drops_a_long_frame_says_which_mtu_it_takes(host: Host) -> None:
    host.tap.mtu_in = True
    host.receive(udp_frame(payload=bytes(9000 - 28)))
    row = told(host)
    assert row["why"] == "frame is 9014 B; with mtu 1500 tap0 takes 1518 B at most"
    assert row["look"] == "use one MTU at all ends; here: smolctl link set tap0 mtu 9000"


# --- RFC 1042 -------------------------------------------------------------------------------------


def in_snap(packet: bytes, code: int = 0x0800, **fields: int) -> bytes:
    macs = {"dst": format_mac(OUR_MAC), "src": format_mac(PEER_MAC)}
    return bytes(Dot3(**macs, **fields) / LLC() / SNAP(code=code) / packet)


@pytest.mark.parametrize("pad", [0, 10])
def test_rfc1122_2_3_3_ipv4_in_snap_is_received(host: Host, pad: int) -> None:
    socket = host.socket(7)
    host.receive(in_snap(udp_packet()) + bytes(pad))
    assert [item[0] for item in socket.queue] == [b"hello"]
    assert host.reasons() == {}


def test_arp_in_snap_is_answered_in_ethernet(host: Host) -> None:
    request = arp_frame(arp.Op.REQUEST)[14:]
    host.receive(in_snap(request, 0x0806))
    (answer,) = host.sent()
    assert answer.arp is not None
    assert answer.arp.op == arp.Op.REPLY


def test_snap_behind_a_priority_tag_is_received(host: Host) -> None:
    socket = host.socket(7)
    host.receive(vlan.tagged(in_snap(udp_packet()), tag(0, 2)))
    assert len(socket.queue) == 1


def test_a_length_that_cuts_the_packet_cuts_it(host: Host) -> None:
    host.receive(in_snap(udp_packet(), len=8 + len(udp_packet()) - 1))
    assert host.reasons() == {"ip-length-mismatch": 1}


def test_a_length_beyond_the_frame_is_named(host: Host) -> None:
    size = 8 + len(udp_packet())
    host.receive(in_snap(udp_packet(), len=size + 1))
    assert told(host)["why"] == f"the length field says {size + 1} B, but only {size} B follow"


@pytest.mark.parametrize("kind", [1501, 0x05FF])
def test_a_number_that_is_neither_length_nor_ethertype_means_nothing(host: Host, kind: int) -> None:
    host.receive(frame_of(bytes(60), kind))
    assert host.reasons() == {"rx-ethertype-unknown": 1}


def test_a_bridge_s_spanning_tree_is_no_ip(host: Host) -> None:
    bpdu = bytes(Dot3(dst="01:80:c2:00:00:00", src=format_mac(PEER_MAC))
                 / LLC(dsap=0x42, ssap=0x42, ctrl=3) / bytes(35))  # fmt: skip
    host.receive(bpdu + bytes(8))
    assert host.reasons() == {"rx-ethertype-unknown": 1}


def test_a_summary_looks_into_snap() -> None:
    assert summarize(in_snap(udp_packet()), True) == "10.0.0.2:9 > 10.0.0.1:7 UDP 5 B"
