"""One line about a packet of IPv6, whole or broken."""

import pytest
from scapy.layers.inet import UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6MLReport2,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6PacketTooBig,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.packet import Packet, Raw

from smolctl.stack.explain.summary import summarize

MAC = "02:00:00:00:00:0b"


def ip6(src: str = "fe80::2", dst: str = "fe80::1", **fields: int) -> Packet:
    return IPv6(src=src, dst=dst, **fields)


ASKED = ip6("2001:db8::1", "2001:db8::2") / UDP(sport=7, dport=9) / Raw(b"hello")
PACKETS = {
    "fe80::2 > fe80::1 ICMPv6 echo request ident 7 seq 1, 3 B": ip6()
    / ICMPv6EchoRequest(id=7, seq=1, data=b"abc"),
    f"fe80::2 > ff02::1:ff00:1 ICMPv6 neighbor solicitation, who-has fe80::1 ({MAC})": ip6(
        dst="ff02::1:ff00:1"
    )
    / ICMPv6ND_NS(tgt="fe80::1")
    / ICMPv6NDOptSrcLLAddr(lladdr=MAC),
    ":: > ff02::1:ff00:1 ICMPv6 neighbor solicitation, who-has fe80::1": ip6("::", "ff02::1:ff00:1")
    / ICMPv6ND_NS(tgt="fe80::1"),
    f"fe80::2 > fe80::1 ICMPv6 neighbor advertisement, fe80::2 is-at {MAC}"
    " (router, solicited, override)": ip6()
    / ICMPv6ND_NA(tgt="fe80::2", R=1, S=1, O=1)
    / ICMPv6NDOptDstLLAddr(lladdr=MAC),
    "fe80::2 > fe80::1 ICMPv6 neighbor advertisement, fe80::2 is here (solicited)": ip6()
    / ICMPv6ND_NA(tgt="fe80::2", R=0, S=1, O=0),
    "fe80::2 > ff02::1 ICMPv6 router advertisement, 8 B": ip6(dst="ff02::1") / ICMPv6ND_RA(),
    "fe80::2 > fe80::1 ICMPv6 redirect, 2001:db8::9 by fe80::3": ip6()
    / ICMPv6ND_Redirect(tgt="fe80::3", dst="2001:db8::9"),
    "fe80::2 > fe80::1 ICMPv6 packet too big (mtu 1280) for [2001:db8::1]:7 > [2001:db8::2]:9"
    " UDP": ip6() / ICMPv6PacketTooBig(mtu=1280) / ASKED,
    "fe80::2 > fe80::1 ICMPv6 hop limit exceeded for [2001:db8::1]:7 > [2001:db8::2]:9 UDP": ip6()
    / ICMPv6TimeExceeded()
    / ASKED,
    "fe80::2 > fe80::1 ICMPv6 hop limit exceeded quoting 3 B": ip6()
    / ICMPv6TimeExceeded()
    / Raw(b"abc"),
    "fe80::2 > ff02::16 ICMPv6 listener report, 0 B": ip6(dst="ff02::16") / ICMPv6MLReport2(),
    "[fe80::2]:7 > [fe80::1]:9 UDP 5 B": ip6()
    / IPv6ExtHdrDestOpt()
    / UDP(sport=7, dport=9)
    / Raw(b"hello"),
    "fe80::2 > fe80::1 UDP fragment ident 5 offset 8, 4 B, the last": ip6()
    / IPv6ExtHdrFragment(id=5, offset=1, nh=17)
    / Raw(b"abcd"),
    "[fe80::2]:7 > [fe80::1]:9 UDP fragment ident 5 offset 0, 8 B": ip6()
    / IPv6ExtHdrFragment(id=5, m=1)
    / UDP(sport=7, dport=9),
    "fe80::2 > fe80::1 ICMPv6 3 B": ip6(nh=58) / Raw(b"abc"),
    "fe80::2 > fe80::1 ICMPv6 type 200 code 1, 4 B": ip6(nh=58) / Raw(bytes((200, 1)) + bytes(10)),
}  # fmt: skip


@pytest.mark.parametrize("text", PACKETS)
def test_a_packet_is_said_in_the_words_of_its_protocol(text: str) -> None:
    assert summarize(bytes(PACKETS[text]), ethernet=False) == text


@pytest.mark.parametrize("text", PACKETS)
def test_a_packet_that_was_cut_anywhere_is_said_somehow(text: str) -> None:
    packet = bytes(PACKETS[text])
    for length in range(len(packet)):
        assert summarize(packet[:length], ethernet=False).isprintable()
