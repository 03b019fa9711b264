"""scapy in tests: it builds frames, and reaches nobody."""

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, SNAP, Dot1Q, Dot3, Ether
from scapy.sendrecv import send, sendp, sniff, sr1, srp1

BROADCAST = "ff:ff:ff:ff:ff:ff"
WITHOUT_DST: dict[str, Callable[[], Any]] = {
    "IPv4": lambda: Ether() / IP(src="10.0.0.1", dst="10.0.0.2"),
    "IPv6": lambda: Ether() / IPv6(src="fe80::1", dst="fe80::2"),
    "ARP": lambda: Ether() / ARP(psrc="10.0.0.1", pdst="10.0.0.2"),
    "a VLAN": lambda: Ether() / Dot1Q(vlan=3) / IPv6(src="fe80::1", dst="fe80::2"),
    "IEEE 802.3": lambda: Dot3() / SNAP() / IP(src="10.0.0.1", dst="10.0.0.2"),
}
FRAME = Ether(dst=BROADCAST) / ARP(psrc="10.0.0.1", pdst="10.0.0.2")
SENT: dict[str, Callable[[], Any]] = {
    "send": lambda: send(IP(dst="127.0.0.1") / ICMP(), verbose=0),
    "send6": lambda: send(IPv6(dst="::1") / ICMPv6ND_NS(), verbose=0),
    "sendp": lambda: sendp(FRAME, iface="lo", verbose=0),
    "sr1": lambda: sr1(IP(dst="127.0.0.1") / ICMP(), timeout=0.1, verbose=0),
    "srp1": lambda: srp1(FRAME, iface="lo", timeout=0.1, verbose=0),
    "sniff": lambda: sniff(iface="lo", count=1, timeout=0.1),
}


@pytest.mark.parametrize("frame", WITHOUT_DST.values(), ids=WITHOUT_DST)
def test_a_frame_without_a_destination_is_not_built(frame: Callable[[], Any]) -> None:
    with pytest.raises(AssertionError, match=r"asks the network for a MAC address.* say dst="):
        bytes(frame())


@pytest.mark.parametrize("frame", WITHOUT_DST.values(), ids=WITHOUT_DST)
def test_one_with_a_destination_is(frame: Callable[[], Any]) -> None:
    whole = frame()
    whole.dst = BROADCAST
    assert bytes(whole)[:6] == b"\xff" * 6


@pytest.mark.parametrize("act", SENT.values(), ids=SENT)
def test_nothing_is_sent_or_heard(act: Callable[[], Any]) -> None:
    with pytest.raises(AssertionError, match="scapy opens a socket"):
        act()
