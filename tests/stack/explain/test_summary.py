"""One line about any packet, whole or broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6

from smolctl.stack.explain.summary import summarize
from smolctl.wire import arp, ethernet, icmpv4, ipv4
from smolctl.wire.address import parse_mac
from tests.kit.host import (
    OURS,
    PEER,
    arp_frame,
    frame_of,
    icmp_frame,
    packet_of,
    reply,
    request,
    udp_frame,
    udp_packet,
    unreachable,
)

ARP = ethernet.EtherType.ARP
ECHO, ECHO_REPLY = icmpv4.Type.ECHO_REQUEST, icmpv4.Type.ECHO_REPLY

FRAMES = {
    "who-has 10.0.0.1 tell 99.9.9.9 (02:00:00:00:00:0b)": request("99.9.9.9"),
    "who-has 10.0.0.1 probe (02:00:00:00:00:0b)": request("0.0.0.0"),
    "reply 10.0.0.2 is-at 02:00:00:00:00:0b": reply(),
    "announcement 10.0.0.2 is-at 02:00:00:00:00:0b": request(PEER, PEER),
    "ARP op 3": arp_frame(3),
    "ARP htype 7 ptype 2048 hlen 6 plen 4": frame_of(b"\0\7" + request()[16:], ARP),
    "ARP packet of 3 B 000108": frame_of(b"\0\1\x08", ARP),
    "ARP packet of 0 B": frame_of(b"", ARP),
    "10.0.0.2:9 > 10.0.0.1:7 UDP 5 B": udp_frame(),
    "10.0.0.2:9 > 10.0.0.1:7 UDP 0 B": udp_frame(payload=b"") + bytes(18),
    "10.0.0.2 > 10.0.0.1 UDP 3 B": frame_of(packet_of(17, b"\0\x09\0")),
    "10.0.0.2:9 > 10.0.0.1:7 UDP fragment ident 1 offset 0, 13 B": frame_of(
        packet_of(17, udp_packet()[20:], mf=True)
    ),
    "10.0.0.2 > 10.0.0.1 UDP fragment ident 1 offset 1480, 4 B, the last": frame_of(
        packet_of(17, b"rest", offset=1480)
    ),
    "10.0.0.2:80 > 10.0.0.1:81 TCP SYN,ACK seq 7 ack 8, 3 B": frame_of(
        packet_of(
            6, bytes.fromhex("0050 0051 00000007 00000008 6012 ffff 0000 0000 01010100") + b"abc"
        )
    ),
    "10.0.0.2:80 > 10.0.0.1:81 TCP FIN seq 7, 0 B": frame_of(
        packet_of(6, bytes.fromhex("0050 0051 00000007 00000008 5001 ffff 0000 0000"))
    ),
    "10.0.0.2:80 > 10.0.0.1:81 TCP 4 B": frame_of(packet_of(6, bytes([0, 80, 0, 81]))),
    "[fe80::1]:5 > [ff02::2]:7 UDP 2 B": frame_of(
        bytes(IPv6(src="fe80::1", dst="ff02::2") / UDP(sport=5, dport=7) / b"hi"), 0x86DD
    ),
    "fe80::1 > ff02::2 ICMPv6 type 0 code 0 quoting 0 B": frame_of(
        bytes(IPv6(src="fe80::1", dst="ff02::2", nh=58) / bytes(8)), 0x86DD
    ),
    "10.0.0.2 > 10.0.0.1 protocol 253 1 B": frame_of(packet_of(253, b"x")),
    "10.0.0.2 > 10.0.0.1 ICMP echo request ident 7 seq 1, 3 B": icmp_frame(
        ECHO, 0, 7 << 16 | 1, b"abc", PEER, OURS
    ),
    "10.0.0.2 > 10.0.0.1 ICMP echo reply ident 7 seq 2, 0 B": icmp_frame(
        ECHO_REPLY, 0, 7 << 16 | 2, b"", PEER, OURS
    ),
    "10.0.0.2 > 10.0.0.1 ICMP port unreachable for 10.0.0.1:7 > 10.0.0.2:9 UDP": unreachable(
        icmpv4.Unreachable.PORT, udp_packet(7, 9, src=OURS, dst=PEER)
    ),
    "10.0.0.2 > 10.0.0.1 ICMP redirect for the host, quoting 4 B": icmp_frame(
        5, 1, 0, b"what", PEER, OURS
    ),
    "10.0.0.2 > 10.0.0.1 ICMP type 44 code 9, 0 B": icmp_frame(44, 9, 0, b"", PEER, OURS),
    "10.0.0.2 > 10.0.0.1 ICMP timestamp request, 12 B": icmp_frame(13, 0, 0, bytes(12), PEER, OURS),
    "10.0.0.2 > 10.0.0.1 ICMP 2 B 0800": frame_of(packet_of(1, b"\x08\0")),
    "IPv6 packet of 2 B 6000": frame_of(b"\x60\0", ethernet.EtherType.IPV6),
    "02:00:00:00:00:0b > 02:00:00:00:00:0a ethertype 0x1234 0 B": frame_of(b"", 0x1234),
    "02:00:00:00:00:0b > 01:80:c2:00:00:00 IEEE 802.3 38 B": frame_of(
        bytes(38), 38, to=parse_mac("01:80:c2:00:00:00")
    ),
    "Ethernet frame of 3 B 010203": b"\1\2\3",
    "Ethernet frame of 0 B": b"",
    "IPv4 packet of 3 B 450000": frame_of(b"\x45\0\0"),
    "IPv4 packet of 30 B 61000000000000000000000000000000...": frame_of(b"\x61" + bytes(29)),
}


@pytest.mark.parametrize("line", FRAMES)
def test_frame(line: str) -> None:
    assert summarize(FRAMES[line], True) == line


def test_packet_without_a_link_header() -> None:
    assert summarize(udp_packet(), False) == "10.0.0.2:9 > 10.0.0.1:7 UDP 5 B"


def test_a_wrong_checksum_or_length_does_not_hide_what_the_packet_is() -> None:
    packet = bytearray(udp_packet())
    packet[10] ^= 0xFF
    assert summarize(bytes(packet), False) == "10.0.0.2:9 > 10.0.0.1:7 UDP 5 B"
    packet[2:4] = b"\xff\xff"
    assert summarize(bytes(packet), False) == "10.0.0.2:9 > 10.0.0.1:7 UDP 5 B"


@given(st.binary(max_size=120), st.booleans())
def test_no_bytes_raise(data: bytes, with_ethernet: bool) -> None:
    line = summarize(data, with_ethernet)
    assert line.isprintable()
    assert len(line) < 200


@given(
    st.sampled_from([0x0800, 0x0806]),
    st.integers(0, 255),
    st.integers(0x40, 0x4F),
    st.binary(max_size=100),
    st.data(),
)
def test_no_headers_raise(
    ethertype: int, protocol: int, first: int, rest: bytes, data: st.DataObject
) -> None:
    whole = frame_of(bytes([first]) + packet_of(protocol, rest)[1:], ethertype)
    cut = data.draw(st.integers(0, len(whole)))
    assert summarize(whole[:cut], True).isprintable()


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=60))
def test_no_icmp_raises(kind: int, code: int, body: bytes) -> None:
    message = icmpv4.IcmpMessage(kind, code, 0, body).to_bytes()
    assert summarize(packet_of(ipv4.Protocol.ICMP, message), False).isprintable()


@given(st.builds(arp.ArpPacket, st.integers(0, 65535), st.binary(min_size=6, max_size=6),
                 st.integers(0, 2**32 - 1), st.binary(min_size=6, max_size=6),
                 st.integers(0, 2**32 - 1)))  # fmt: skip
def test_no_arp_raises(packet: arp.ArpPacket) -> None:
    assert summarize(frame_of(packet.to_bytes(), ARP), True).isprintable()
