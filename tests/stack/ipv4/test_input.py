"""Packets that are let in: the checks of RFC 1122 3.2.1, their order, and the counters."""

import pytest

from smolctl.stack.config.link import set_up
from smolctl.stack.interface import Counters
from smolctl.stack.packet import Packet
from smolctl.stack.trace.trace import Trace
from smolctl.wire import ipv4
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, multicast_mac
from smolctl.wire.ethernet import EtherType
from tests.kit.host import (
    OTHER_MAC,
    OURS,
    PEER,
    Host,
    arp_frame,
    frame_of,
    packet_of,
    udp_frame,
    udp_packet,
)


@pytest.fixture
def host() -> Host:
    """A host with a socket at port 7, and another link with 10.1.0.1/24."""
    host = Host()
    host.link("tap1", OTHER_MAC)
    host.add("10.1.0.1/24", "tap1")
    host.socket(7)
    return host


def delivered(host: Host) -> int:
    return sum(socket.rx_datagrams for socket in host.stack.udp)


SEGMENT = udp_packet()[20:]

# RFC 1122 says MUST or SHOULD accept, or Linux does.
ACCEPTED: dict[str, bytes] = {
    "a plain datagram": udp_frame(),
    "padding behind the packet": udp_frame(payload=b"") + bytes(18),
    "a time to live of 0 (3.2.1.7)": frame_of(packet_of(17, SEGMENT, ttl=0)),
    "options that we do not know (3.2.1.8)": frame_of(
        packet_of(17, SEGMENT, options=b"\x44\x04\x05\x00")
    ),
    "unicast in a broadcast frame": udp_frame(to=BROADCAST_MAC),
    "unicast in a multicast frame": udp_frame(to=multicast_mac(1)),
    "broadcast in a unicast frame": udp_frame(dst="10.0.0.255"),
    "the limited broadcast address": udp_frame(dst="255.255.255.255", to=BROADCAST_MAC),
    "no address yet, to everybody (3.2.1.3(a))": udp_frame(
        src="0.0.0.0", dst="255.255.255.255", to=BROADCAST_MAC
    ),
    "another interface's address (3.3.4.2, weak)": udp_frame(dst="10.1.0.1"),
    "another interface's broadcast address": udp_frame(dst="10.1.0.255", to=BROADCAST_MAC),
    "a source of class E": udp_frame(src="240.0.0.1"),
    "a source off the subnet": udp_frame(src="192.168.9.9"),
    "no UDP checksum (4.1.3.4)": frame_of(packet_of(17, SEGMENT[:6] + b"\0\0" + SEGMENT[8:])),
    "more bytes than UDP says": frame_of(packet_of(17, SEGMENT + b"tail")),
}


@pytest.mark.parametrize("frame", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(host: Host, frame: bytes) -> None:
    host.receive(frame)
    assert host.reasons() == {}
    assert delivered(host) == 1


def test_a_datagram_ends_where_udp_says(host: Host) -> None:
    (socket,) = host.stack.udp
    host.receive(ACCEPTED["more bytes than UDP says"], ACCEPTED["padding behind the packet"])
    assert [datagram.payload for datagram in (socket.receive(), socket.receive()) if datagram] == [
        b"hello",
        b"",
    ]


REFUSED: dict[str, tuple[bytes, str]] = {
    "the reserved source 0/8": (udp_frame(src="0.0.0.9"), "ip-src-invalid"),
    "no source, to one host": (udp_frame(src="0.0.0.0"), "ip-src-invalid"),
    "0/8 to everybody": (udp_frame(src="0.0.0.9", dst="10.0.0.255"), "ip-src-invalid"),
    "a multicast source": (udp_frame(src="224.0.0.1"), "ip-src-invalid"),
    "the limited broadcast as source": (udp_frame(src="255.255.255.255"), "ip-src-invalid"),
    "a broadcast source": (udp_frame(src="10.1.0.255"), "ip-src-invalid"),
    "our other interface's source": (udp_frame(src="10.1.0.1"), "ip-src-is-ours"),
    "a loopback source": (udp_frame(src="127.0.0.1"), "ip-loopback-on-wire"),
    "a loopback destination": (udp_frame(dst="127.0.0.2"), "ip-loopback-on-wire"),
    "this network": (udp_frame(dst="0.0.0.9"), "ip-dst-invalid"),
    "another host": (udp_frame(dst=PEER), "ip-dst-not-ours"),
    "our network's own address": (udp_frame(dst="10.0.0.0"), "ip-dst-not-ours"),
    "a fragment of no length": (frame_of(packet_of(17, b"", mf=True)), "frag-bad-length"),
}


@pytest.mark.parametrize(("frame", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(host: Host, frame: bytes, reason: str) -> None:
    host.receive(frame)
    assert host.reasons() == {reason: 1}
    assert delivered(host) == 0


def test_a_route_that_is_not_local_makes_no_destination_ours(host: Host) -> None:
    host.route("0.0.0.0/0", via=PEER)
    host.receive(udp_frame(dst="8.8.8.8"))
    assert host.reasons() == {"ip-dst-not-ours": 1}


def test_the_strict_sysctl_drops_unicast_in_group_frames_only(host: Host) -> None:
    host.set("ip.drop_unicast_in_l2_multicast", 1)
    for to in (BROADCAST_MAC, multicast_mac(1)):
        host.receive(udp_frame(to=to))
        host.receive(udp_frame(dst="10.0.0.255", to=to))
    host.receive(udp_frame())
    assert host.reasons() == {"ip-unicast-in-broadcast": 2}
    assert delivered(host) == 3


# The first check that fails gives the reason.
ORDER: list[tuple[bytes, str]] = [
    (udp_frame(to=OTHER_MAC, by=BROADCAST_MAC), "rx-src-mac-invalid"),
    (udp_frame(to=OTHER_MAC, src="0.0.0.9"), "rx-not-our-mac"),
    (udp_frame(src="0.0.0.9", dst="0.0.0.9"), "ip-src-invalid"),
    (frame_of(packet_of(132, b"", dst=PEER)), "ip-dst-not-ours"),
    (frame_of(packet_of(132, b"", mf=True)), "frag-bad-length"),
    (frame_of(packet_of(17, SEGMENT, "127.0.0.1", options=b"\x83\x03\x04")), "ip-loopback-on-wire"),
    (frame_of(packet_of(132, b"", dst=PEER, options=b"\7\2")), "ip-dst-not-ours"),
    # What Linux 6.18 says of these, as skb:kfree_skb has it.
    (udp_frame(src=OURS), "ip-src-is-ours"),
    (udp_frame(src=OURS, dst="10.0.0.255"), "ip-src-is-ours"),
    (udp_frame(src=OURS, dst=PEER), "ip-dst-not-ours"),
    (udp_frame(src="10.0.0.255", dst=PEER), "ip-dst-not-ours"),
    (udp_frame(src=OURS, dst="0.0.0.0"), "ip-dst-invalid"),
    (udp_frame(src=OURS, dst="127.0.0.1"), "ip-loopback-on-wire"),
    (udp_frame(src="127.0.0.1", dst="0.0.0.0"), "ip-dst-invalid"),
    (udp_frame(src="0.0.0.0", dst="127.0.0.1"), "ip-src-invalid"),
    (udp_frame(src="224.0.0.1", dst="127.0.0.1"), "ip-src-invalid"),
    (udp_frame(src="127.0.0.1", dst=PEER), "ip-loopback-on-wire"),
    (udp_frame(src=OURS, dst="224.0.0.1", to=multicast_mac(1)), "ip-src-is-ours"),
    (udp_frame(src="224.0.0.1", dst="224.0.0.1", to=multicast_mac(1)), "ip-src-invalid"),
    *(
        (udp_frame(src=src, dst="224.0.0.9", to=multicast_mac(9)), "ip-multicast-not-joined")
        for src in (OURS, "127.0.0.1", "224.0.0.1", "10.0.0.255")
    ),
]


@pytest.mark.parametrize(("frame", "reason"), ORDER)
def test_the_first_check_that_fails_is_the_reason(host: Host, frame: bytes, reason: str) -> None:
    host.receive(frame)
    assert host.reasons() == {reason: 1}


# --- counters -------------------------------------------------------------------------------------


def counted(host: Host, frame: bytes) -> Counters:
    host.receive(frame)
    return host.tap.counters


def test_malformed_frames_are_errors_of_the_link(host: Host) -> None:
    assert counted(host, udp_frame()[:-1]).rx_errors == 1
    assert counted(host, bytes(13)).rx_errors == 2
    assert counted(host, udp_frame(by=ZERO_MAC)).rx_errors == 3
    assert counted(host, arp_frame(3)).rx_errors == 4
    assert counted(host, udp_frame(dst=PEER)).rx_errors == 4
    assert host.tap.counters.rx_packets == 5


def test_frames_to_groups_are_counted(host: Host) -> None:
    assert counted(host, udp_frame()).multicast == 0
    assert counted(host, udp_frame(to=BROADCAST_MAC)).multicast == 1
    assert counted(host, arp_frame(1)).multicast == 2


def test_frames_for_a_link_that_is_down_are_dropped_by_it(host: Host) -> None:
    set_up(host.stack.shared, host.tap, False, host.now)
    counters = counted(host, udp_frame())
    assert (counters.rx_packets, counters.rx_dropped) == (1, 1)


def test_unknown_ethertypes_are_counted_with_their_number(host: Host) -> None:
    host.receive(frame_of(b"", 0x8100 + 1), frame_of(b"", 0x88CC))
    ((_, tally),) = host.stack.ledger.reasons.items()
    assert (tally.count, tally.detail["ethertype"]) == (2, "0x88cc")


def test_a_batch_is_taken_in_its_order(host: Host) -> None:
    (socket,) = host.stack.udp
    frames = [udp_frame(payload=bytes([n]), sport=1 + n % 3) for n in range(10)]
    host.stack.receive_batch(host.tap, frames, host.now)
    payloads = [datagram[0] for datagram in socket.queue]
    assert payloads == [bytes([n]) for n in range(10)]
    assert host.tap.counters.rx_packets == 10
    assert host.tap.counters.rx_bytes == sum(map(len, frames))


def come_back(host: Host, data: bytes) -> None:
    lo, recorder = host.stack.interfaces.loopback, host.stack.shared.recorder
    host.stack.loopback.output(Packet(data, lo, host.now, Trace(), recorder), EtherType.IPV4)


def test_what_is_looped_is_not_held_against_its_source(host: Host) -> None:
    packet = packet_of(ipv4.Protocol.UDP, udp_packet(src="127.0.0.1", dst="127.0.0.1")[20:],
                       "127.0.0.1", "127.0.0.1")  # fmt: skip
    come_back(host, packet)
    host.poll()
    assert delivered(host) == 1
    come_back(host, packet_of(17, SEGMENT, dst="8.8.8.8"))
    host.poll()
    assert host.reasons() == {"ip-dst-not-ours": 1}
