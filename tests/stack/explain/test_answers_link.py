"""Golden answers: what is said about the troubles of a link, in full, as an engineer reads it."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from smolctl.stack.explain.verdict import verdict
from smolctl.stack.reason import REASONS
from smolctl.wire import vlan
from smolctl.wire.vlan import Tpid, VlanTag
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    OTHER_MAC,
    OUR_MAC,
    PEER_MAC,
    Host,
    arp_frame,
    echo_request,
    frame_of,
    packet_of,
    reply,
    request,
    udp_frame,
)
from tests.stack.reason.provokers import without_its_default_route

PING = echo_request()
OURS, THEIRS, OTHERS = (mac.hex(":") for mac in (OUR_MAC, PEER_MAC, OTHER_MAC))


def tagged(vid: int, tpid: int = Tpid.CUSTOMER) -> bytes:
    return vlan.tagged(PING, VlanTag(tpid, 0, False, vid))


def long_frame(host: Host) -> None:
    host.tap.mtu_in = True
    host.receive(udp_frame(payload=bytes(9000 - 28)))


def war(host: Host) -> None:
    for mac in (PEER_MAC, OTHER_MAC, PEER_MAC, OTHER_MAC, PEER_MAC):
        host.receive(request("10.0.0.9", "10.0.0.9" if host.neighbor("10.0.0.9") else "10.0.0.1",
                             mac))  # fmt: skip
        host.clock.advance(SECOND_NS)


def two_answers(host: Host) -> None:
    host.know("10.0.0.9")
    host.receive(reply("10.0.0.9", mac=OTHER_MAC))


def wake_on_lan(host: Host) -> None:
    host.link("eth1")
    host.add("10.7.0.1/24", "eth1")
    host.set("ip.forward", 1)
    host.receive(udp_frame(dst="10.7.0.255"))


def mixed_ecn(host: Host) -> None:
    host.receive(frame_of(packet_of(17, bytes(16), mf=True)))
    host.receive(frame_of(packet_of(17, bytes(16), offset=16, tos=2)))


class Answer(NamedTuple):
    """A situation, and the words about it; ``more`` is the fix, or what else to look at."""

    act: Callable[[Host], object]
    reason: str
    why: str
    more: str | None


ANSWERS = {
    "the switch port is a trunk": Answer(
        lambda host: host.receive(tagged(5)),
        "rx-vlan-unknown",
        "the frame is tagged for VLAN 5 (802.1Q), and tap0 has no interface in it (a trunk port?)",
        "make the switch port an access port, or take part in the VLAN: smolctl link add link"
        " tap0 name tap0.5 type vlan id 5",
    ),
    "the provider's port is a trunk": Answer(
        lambda host: host.receive(tagged(100, Tpid.SERVICE)),
        "rx-vlan-unknown",
        "the frame is tagged for VLAN 100 (802.1ad), and tap0 has no interface in it (a"
        " trunk port?)",
        "make the switch port an access port, or take part in the VLAN: smolctl link add link"
        " tap0 name tap0.100 type vlan protocol 802.1ad id 100",
    ),
    "a VLAN ID that is reserved": Answer(
        lambda host: host.receive(tagged(4095)),
        "rx-vlan-unknown",
        "the frame is tagged for VLAN 4095 (802.1Q), an ID that no frame may have",
        "smolctl explain rx-vlan-unknown",
    ),
    "a frame that ends within its tag": Answer(
        lambda host: host.receive(tagged(5)[:16]),
        "rx-vlan-truncated",
        "frame is 16 B, with a VLAN tag its header needs 18",
        "the bytes and their sender: smolctl capture tap0 -v",
    ),
    "an 802.3 length beyond the frame": Answer(
        lambda host: host.receive(frame_of(bytes(46), 100)),
        "rx-llc-bad-length",
        "the length field says 100 B, but only 46 B follow",
        "the bytes and their sender: smolctl capture tap0 -v",
    ),
    "jumbo frames at the other end of the cable": Answer(
        long_frame,
        "rx-frame-too-long",
        "frame is 9014 B; with mtu 1500 tap0 takes 1518 B at most",
        "use one MTU at all ends; here: smolctl link set tap0 mtu 9000",
    ),
    "a capture with a snapshot length": Answer(
        lambda host: host.stack.receive_snapped(host.tap, PING[:40], 1514, host.now),
        "rx-frame-snapped",
        "the capture file has only 40 of the frame's 1514 B",
        "capture again with whole frames: tcpdump -s 0 -w FILE",
    ),
    "a copied virtual machine has our MAC": Answer(
        lambda host: host.receive(arp_frame(1, "10.0.0.9", mac=OUR_MAC, by=OUR_MAC)),
        "rx-own-frame",
        f"a frame with our own source MAC {OURS} came in on tap0 from 10.0.0.9, which is not our"
        " address: another station has our MAC",
        f"look for a loop, or for another station with {OURS}: smolctl capture tap0 -v",
    ),
    "a loop brings our own frame back": Answer(
        lambda host: host.receive(udp_frame(src="10.0.0.1", dst="10.0.0.9", by=OUR_MAC)),
        "rx-own-frame",
        f"a frame with our own source MAC {OURS} came in on tap0",
        f"look for a loop, or for another station with {OURS}: smolctl capture tap0 -v",
    ),
    "a neighbor says that it has our MAC": Answer(
        lambda host: host.receive(request("10.0.0.9", mac=OUR_MAC)),
        "arp-own-mac",
        f"10.0.0.9 says that its MAC is {OURS}, which is our own on tap0",
        "give one of the two another: smolctl link set tap0 address MAC",
    ),
    "two hosts fight for an address": Answer(
        war,
        "arp-flapping",
        f"10.0.0.9 moved from {OTHERS} back to {THEIRS}: its MAC changed 4 times in 3.0 s",
        "do two hosts have 10.0.0.9? smolctl arping -c 3 -I tap0 10.0.0.9",
    ),
    "two hosts answer one question": Answer(
        two_answers,
        "arp-locktime",
        f"{OTHERS} answers for 10.0.0.9 within 1000 ms of {THEIRS}; the first answer counts",
        "do two hosts have 10.0.0.9? smolctl arping -c 3 -I tap0 10.0.0.9",
    ),
    "fragments disagree about ECN": Answer(
        mixed_ecn,
        "frag-ecn-mixed",
        "some fragments of the datagram are ECN-capable, and others are not",
        "the type of service of each fragment: smolctl capture tap0 -v",
    ),
    "wake-on-LAN through a router": Answer(
        wake_on_lan,
        "fwd-directed-broadcast",
        "10.7.0.255 is the broadcast address of eth1's network; with ip.bc_forwarding=0 it is not"
        " forwarded there, and no socket here listens at port 7",
        "smolctl sysctl ip.bc_forwarding=1",
    ),
    "the default route went with its link": Answer(
        without_its_default_route,
        "tx-no-route",
        "no route to 8.8.8.8 (connected: nothing); the default route via 10.0.0.2 went with tap0"
        " 12 s ago",
        None,
    ),
}


@pytest.mark.parametrize("situation", ANSWERS)
def test_what_is_said(situation: str) -> None:
    act, name, why, more = ANSWERS[situation]
    host = Host()
    act(host)
    (tally,) = [t for (each, _), t in host.stack.ledger.reasons.items() if each.name == name]
    reason = REASONS[name]
    assert reason.why(tally.detail) == why
    if name != "tx-no-route":  # what helps there is another matter
        assert reason.hint(tally.detail) == more


@pytest.mark.parametrize("situation", ANSWERS)
def test_a_packet_that_was_dropped_says_its_reason(situation: str) -> None:
    act, name, *_ = ANSWERS[situation]
    host = Host()
    act(host)
    said = [verdict(trace) for trace in host.stack.journal]
    dropped = str(REASONS[name].kind) == "drop"
    assert (f"dropped - {name}" in said) is dropped
