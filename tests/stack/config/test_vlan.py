"""VLAN interfaces: their frames, and how they follow the interface below, as in Linux."""

import pytest

from smolctl.errors import AlreadyExists, InterfaceDown, InvalidArgument
from smolctl.stack.config.link import delete_interface, set_carrier, set_mac, set_mtu, set_up
from smolctl.stack.config.netem import set_impairment
from smolctl.stack.config.vlan import add_vlan
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.explain.verdict import tell
from smolctl.stack.interface import Interface, Vlan
from smolctl.stack.link.impairment import Netem
from smolctl.wire import arp, vlan
from smolctl.wire.vlan import Tpid, VlanTag
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    OTHER_MAC,
    OUR_MAC,
    PEER_MAC,
    Host,
    arp_frame,
    echo_request,
    ip,
    see,
    udp_frame,
)

C, S = Tpid.CUSTOMER, Tpid.SERVICE
LOCAL, REMOTE = "10.5.0.1", "10.5.0.2"


def tag(vid: int, pcp: int = 0, tpid: int = C) -> VlanTag:
    return VlanTag(tpid, pcp, False, vid)


def add(
    host: Host,
    vid: int = 5,
    tpid: int = C,
    lower: str = "tap0",
    *,
    mtu: int | None = None,
    mac: bytes | None = None,
) -> Interface:
    below = host.dev(lower)
    return add_vlan(host.stack.shared, f"{lower}.{vid}", Vlan(below, tpid, vid), mtu, mac)


@pytest.fixture
def host() -> Host:
    """A host with 10.0.0.1/24 on tap0 and 10.5.0.1/24 in VLAN 5 of it."""
    host = Host()
    add(host)
    host.add(f"{LOCAL}/24", "tap0.5")
    return host


def from_vlan(frame: bytes, vid: int = 5, pcp: int = 0) -> bytes:
    return vlan.tagged(frame, tag(vid, pcp))


PING = echo_request(src=REMOTE, dst=LOCAL)


# --- frames ---------------------------------------------------------------------------------------


def test_what_is_sent_in_a_vlan_has_its_tag(host: Host) -> None:
    host.know(REMOTE, dev="tap0.5")
    host.send(host.socket(), REMOTE, payload=b"hi")
    (frame,) = host.take()
    assert vlan.parse(frame) == tag(5)
    assert see(vlan.untagged(frame)).udp[2] == b"hi"


def test_who_asks_in_a_vlan_is_answered_in_it(host: Host) -> None:
    host.receive(from_vlan(arp_frame(arp.Op.REQUEST, REMOTE, LOCAL)))
    (frame,) = host.take()
    assert vlan.parse(frame) == tag(5)
    answer = see(vlan.untagged(frame)).arp
    assert answer is not None
    assert answer.sender_mac == OUR_MAC
    assert host.neighbor(REMOTE, "tap0.5") is not None
    assert host.neighbor(REMOTE, "tap0") is None


@pytest.mark.parametrize("pcp", [0, 6])
def test_a_ping_in_a_vlan_is_answered_whatever_its_priority(host: Host, pcp: int) -> None:
    host.know(REMOTE, dev="tap0.5")
    host.receive(from_vlan(PING, pcp=pcp))
    (frame,) = host.take()
    assert vlan.parse(frame) == tag(5)
    assert see(vlan.untagged(frame)).icmp.type == 0
    assert host.reasons() == {}


def test_a_tag_that_stands_behind_a_priority_is_found(host: Host) -> None:
    host.know(REMOTE, dev="tap0.5")
    host.receive(vlan.tagged(from_vlan(PING), tag(0, 3)))
    assert len(host.take()) == 1


def test_other_vlans_are_still_unknown(host: Host) -> None:
    host.receive(from_vlan(PING, 6), vlan.tagged(PING, tag(5, tpid=S)))
    assert host.reasons() == {"rx-vlan-unknown": 2}


def test_frames_without_a_tag_are_not_of_the_vlan(host: Host) -> None:
    host.set("ip.strong_host", 1)
    host.receive(PING)
    assert host.reasons() == {"ip-dst-other-iface": 1}


def test_both_interfaces_count_a_frame(host: Host) -> None:
    host.know(REMOTE, dev="tap0.5")
    host.receive(from_vlan(PING))
    host.take()
    upper, lower = host.dev("tap0.5").counters, host.tap.counters
    size = len(PING)
    assert (upper.rx_packets, upper.rx_bytes) == (1, size)
    assert (lower.rx_packets, lower.rx_bytes) == (1, size + 4)
    assert (upper.tx_packets, upper.tx_bytes) == (1, size)
    assert (lower.tx_packets, lower.tx_bytes) == (1, size + 4)


@pytest.mark.parametrize("pcp", [0, 3])
def test_datagrams_of_a_known_flow_are_delivered_and_counted(host: Host, pcp: int) -> None:
    socket = host.socket(7)
    frames = [
        from_vlan(udp_frame(payload=bytes([n]), src=REMOTE, dst=LOCAL), pcp=pcp) for n in range(5)
    ]
    host.receive(*frames)
    assert [item[0] for item in socket.queue] == [bytes([n]) for n in range(5)]
    assert {item[5] for item in socket.queue} == {"tap0.5"}
    assert host.dev("tap0.5").counters.rx_packets == 5


def test_many_datagrams_leave_in_their_order(host: Host) -> None:
    host.know(REMOTE, dev="tap0.5")
    socket = host.socket()
    for n in range(5):
        host.send(socket, REMOTE, payload=bytes([n]))
    assert [see(vlan.untagged(frame)).udp[2] for frame in host.take()] == [
        bytes([n]) for n in range(5)
    ]


def test_a_vlan_in_a_vlan_has_both_tags() -> None:
    host = Host()
    add(host, 100, S)
    add(host, 5, C, "tap0.100")
    host.add(f"{LOCAL}/24", "tap0.100.5")
    host.receive(vlan.tagged(from_vlan(arp_frame(1, REMOTE, LOCAL)), tag(100, tpid=S)))
    (frame,) = host.take()
    assert vlan.tags(frame) == [tag(100, tpid=S), tag(5)]
    assert see(vlan.untagged(frame, 2)).arp is not None


def test_vlan_0_has_an_interface_if_somebody_wants_it() -> None:
    host = Host(bare=True)
    add(host, 0)
    host.add(f"{LOCAL}/24", "tap0.0")
    host.receive(from_vlan(arp_frame(1, REMOTE, LOCAL), 0))
    (frame,) = host.take()
    assert vlan.parse(frame) == tag(0)


def test_a_router_on_a_stick_forwards_from_vlan_to_vlan(host: Host) -> None:
    add(host, 6)
    host.add("10.6.0.1/24", "tap0.6")
    host.set("ip.forward", 1)
    host.know("10.6.0.2", OTHER_MAC, dev="tap0.6")
    for n in range(3):
        host.receive(from_vlan(udp_frame(payload=bytes([n]), src=REMOTE, dst="10.6.0.2")))
    frames = host.take()
    assert [vlan.parse(frame) for frame in frames] == [tag(6)] * 3
    assert [see(vlan.untagged(frame)).udp[2] for frame in frames] == [b"\0", b"\1", b"\2"]


def test_from_a_vlan_to_a_plain_link_the_fast_path_forwards_the_same(host: Host) -> None:
    host.set("ip.forward", 1)
    host.know()
    for n in range(3):
        host.receive(from_vlan(udp_frame(payload=bytes([n]), src=REMOTE, dst="10.0.0.2")))
    assert [seen.udp[2] for seen in host.sent()] == [b"\0", b"\1", b"\2"]
    assert host.dev("tap0.5").counters.rx_packets == 3


def test_a_bad_link_is_bad_for_its_vlans(host: Host) -> None:
    set_impairment(host.stack.shared, host.tap, Netem(delay_ns=SECOND_NS))
    host.know(REMOTE, dev="tap0.5")
    host.send(host.socket(), REMOTE)
    assert host.take() == []
    host.wait(SECOND_NS)
    assert [vlan.parse(frame) for frame in host.take()] == [tag(5)]


def test_a_bad_vlan_is_bad_alone(host: Host) -> None:
    set_impairment(host.stack.shared, host.dev("tap0.5"), Netem(loss=1))
    host.know(REMOTE, dev="tap0.5")
    host.know()
    host.send(host.socket(), REMOTE)
    host.send(host.socket(), "10.0.0.2")
    assert [vlan.parse(frame) for frame in host.take()] == [None]


# --- what is told ---------------------------------------------------------------------------------


def test_a_sent_packet_says_its_vlan(host: Host) -> None:
    host.know(REMOTE, dev="tap0.5")
    trace = host.send(host.socket(), REMOTE)
    host.take()
    row = tell(trace)
    assert row["verdict"] == "sent by tap0.5"
    stages = [(step["stage"], step["text"]) for step in row["steps"][-2:]]
    assert stages == [
        ("vlan", "VLAN 5 (802.1Q)"),
        ("device", f"tap0 took 51 B for {PEER_MAC.hex(':')}"),
    ]


def test_a_dropped_packet_says_its_vlan(host: Host) -> None:
    host.receive(from_vlan(udp_frame(src=REMOTE, dst=LOCAL)))
    row = tell(next(iter(host.stack.journal)), lambda _now: 0.0)
    assert row["reason"] == "udp-port-closed"
    assert (row["steps"][0]["stage"], row["steps"][0]["vid"]) == ("vlan", 5)
    assert row["dev"] == "tap0.5"


def test_why_predicts_by_the_vlan(host: Host) -> None:
    host.know(REMOTE, dev="tap0.5")
    row = tell(predict(host.stack, Question("udp", None, ip(REMOTE), dport=9), host.now))
    assert row["verdict"] == "sent by tap0.5"
    assert [step["vid"] for step in row["steps"] if step["stage"] == "vlan"] == [5]
    assert host.take() == []
    asked = Question("udp", ip(REMOTE), ip(LOCAL), 9, 7, iif="tap0.5")
    assert tell(predict(host.stack, asked, host.now))["reason"] == "udp-port-closed"


# --- following the interface below ----------------------------------------------------------------


def test_a_vlan_begins_with_mtu_and_mac_of_its_link(host: Host) -> None:
    upper = host.dev("tap0.5")
    assert (upper.mtu, upper.mac) == (1500, OUR_MAC)


def test_a_vlan_goes_down_and_up_with_its_link(host: Host) -> None:
    upper, shared = host.dev("tap0.5"), host.stack.shared
    set_up(shared, host.tap, False, host.now)
    assert not host.dev("tap0.5").up
    assert host.stack.ipv4.fib.lookup(ip(REMOTE)) is None
    with pytest.raises(InterfaceDown, match=r"tap0\.5 is a VLAN of tap0, which is down"):
        set_up(shared, upper, True, host.now)
    set_up(shared, host.tap, True, host.now)
    assert upper.up
    assert host.stack.ipv4.fib.lookup(ip(REMOTE)) is not None


def test_a_vlan_of_a_link_that_is_down_is_down(host: Host) -> None:
    set_up(host.stack.shared, host.tap, False, host.now)
    assert not add(host, 6).up


def test_a_vlan_has_the_carrier_of_its_link(host: Host) -> None:
    upper = host.dev("tap0.5")
    set_carrier(host.stack.shared, host.tap, False, host.now)
    assert (upper.up, upper.carrier) == (True, False)
    assert not add(host, 6).carrier
    set_carrier(host.stack.shared, host.tap, True, host.now)
    assert upper.carrier


def test_a_vlan_down_alone_hears_nothing(host: Host) -> None:
    set_up(host.stack.shared, host.dev("tap0.5"), False, host.now)
    host.receive(from_vlan(PING))
    assert host.reasons() == {"rx-iface-down": 1}


def test_a_smaller_mtu_below_makes_that_of_the_vlan_smaller(host: Host) -> None:
    upper, shared = host.dev("tap0.5"), host.stack.shared
    set_mtu(shared, host.tap, 1400)
    assert upper.mtu == 1400
    set_mtu(shared, host.tap, 9000)
    assert upper.mtu == 1400
    set_mtu(shared, upper, 9000)
    with pytest.raises(InvalidArgument, match="mtu 9001 does not fit tap0, whose mtu is 9000"):
        set_mtu(shared, upper, 9001)
    with pytest.raises(InvalidArgument, match="mtu 9001 does not fit"):
        add(host, 6, mtu=9001)


def test_a_vlan_takes_a_new_mac_of_its_link(host: Host) -> None:
    set_mac(host.stack.shared, host.tap, PEER_MAC, host.now)
    assert host.dev("tap0.5").mac == PEER_MAC


def test_a_vlan_that_is_down_takes_it_when_it_comes_up(host: Host) -> None:
    upper, shared = host.dev("tap0.5"), host.stack.shared
    set_up(shared, upper, False, host.now)
    set_mac(shared, host.tap, PEER_MAC, host.now)
    assert upper.mac == OUR_MAC
    set_up(shared, upper, True, host.now)
    assert upper.mac == PEER_MAC


def test_a_vlan_with_a_mac_of_its_own_keeps_and_uses_it(host: Host) -> None:
    upper = add(host, 6, mac=OTHER_MAC)
    host.add("10.6.0.1/24", "tap0.6")
    set_mac(host.stack.shared, host.tap, PEER_MAC, host.now)
    assert upper.mac == OTHER_MAC
    host.know("10.6.0.2", dev="tap0.6")
    host.receive(from_vlan(echo_request(src="10.6.0.2", dst="10.6.0.1", to=OTHER_MAC), 6))
    (answer,) = host.take()
    assert see(vlan.untagged(answer)).src == OTHER_MAC
    host.receive(from_vlan(echo_request(src="10.6.0.2", dst="10.6.0.1", to=OUR_MAC), 6))
    assert host.reasons() == {"rx-not-our-mac": 1}


def test_a_link_takes_its_vlans_along_when_it_is_deleted(host: Host) -> None:
    add(host, 7, lower="tap0.5")
    delete_interface(host.stack.shared, host.tap, host.now)
    assert list(host.stack.interfaces) == ["lo"]


def test_a_deleted_vlan_is_unknown_again(host: Host) -> None:
    delete_interface(host.stack.shared, host.dev("tap0.5"), host.now)
    host.receive(from_vlan(PING))
    assert host.reasons() == {"rx-vlan-unknown": 1}
    add(host)


def test_a_vlan_has_one_interface(host: Host) -> None:
    with pytest.raises(AlreadyExists, match=r"VLAN 5 of tap0 has an interface already: tap0\.5"):
        add_vlan(host.stack.shared, "other", Vlan(host.tap, C, 5), None, None)
    add_vlan(host.stack.shared, "other", Vlan(host.tap, S, 5), None, None)


def test_a_loopback_has_no_vlans(host: Host) -> None:
    with pytest.raises(InvalidArgument, match="lo has no VLANs"):
        add(host, lower="lo")
