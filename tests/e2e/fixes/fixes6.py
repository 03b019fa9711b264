"""Cases of IPv6 for the fixes that are run as they are printed."""

from typing import Any

from scapy.layers.inet import UDP
from scapy.layers.inet6 import (
    HBHOptUnknown,
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
)
from scapy.layers.l2 import Ether

from tests.e2e.fixes.fixes import Case, counts
from tests.e2e.kit import OURS_MAC, THEIRS_MAC

OURS6, THEIRS6, OTHER6, GROUP6 = "2001:db8::1", "2001:db8::2", "2001:db8::77", "ff05::5"
GROUP6_MAC = "33:33:00:00:00:05"
SETUP6 = (
    "sysctl ip6.disable=0",
    "sysctl nd.dad_transmits=0",
    f"addr add {OURS6}/64 dev tap0 nodad",
    f"neigh replace {THEIRS6} lladdr {THEIRS_MAC} dev tap0",
)


def ip6(payload: Any, dst: str = OURS6, dst_mac: str = OURS_MAC, **fields: int) -> bytes:
    """Return a packet from the kernel's address to ours."""
    header = IPv6(src=THEIRS6, dst=dst, **fields)
    return bytes(Ether(dst=dst_mac, src=THEIRS_MAC) / header / payload)


def echo6(dst: str = OURS6, dst_mac: str = OURS_MAC) -> bytes:
    return ip6(ICMPv6EchoRequest(data=b"ping"), dst, dst_mac)


MANY = IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=30, optdata=b"")] * 9)
SOLICITATION = ICMPv6ND_NS(tgt=OTHER6) / ICMPv6NDOptSrcLLAddr(lladdr=THEIRS_MAC)
TESTED6 = (*SETUP6, "sysctl nd.dad_transmits=100", f"addr add {OTHER6}/64 dev tap0")
UNTESTED6 = f"smolctl addr replace {OTHER6}/64 dev tap0 nodad"
"""An address that is tested for 100 s, and what ends its test."""
ANSWERED, ADVERTISED = "icmp6.messages_sent", "nd.advertisements_sent"

CASES6 = (
    Case(
        "icmp6-echo-ignored", "smolctl sysctl icmp6.echo_ignore_all=0", counts(ANSWERED, echo6()),
        (*SETUP6, "sysctl icmp6.echo_ignore_all=1"),
    ),
    Case(
        "ip6-anycast-host", "smolctl sysctl ip6.forward=1", counts(ANSWERED, echo6("2001:db8::")),
        SETUP6,
    ),
    Case(
        "ip6-multicast-not-joined", f"smolctl maddr add {GROUP6} dev tap0",
        counts(ANSWERED, echo6(GROUP6, GROUP6_MAC)), SETUP6,
    ),
    Case(
        "ip6-unicast-in-multicast", "smolctl sysctl ip6.drop_unicast_in_l2_multicast=0",
        counts(ANSWERED, echo6(dst_mac=GROUP6_MAC)),
        (*SETUP6, "sysctl ip6.drop_unicast_in_l2_multicast=1"),
    ),
    Case(
        "ip6-option-limit", "smolctl sysctl ip6.max_dst_opts=32",
        counts(ANSWERED, ip6(MANY / ICMPv6EchoRequest(data=b"ping"))), SETUP6,
    ),
    Case("ip6-dst-tentative", UNTESTED6, counts(ANSWERED, echo6(OTHER6)), TESTED6),
    Case(
        "nd-target-tentative", UNTESTED6, counts(ADVERTISED, ip6(SOLICITATION, hlim=255)), TESTED6
    ),
    Case(
        "udp-port-closed", f"smolctl udp recv [{OURS6}]:7000",
        counts("udp.datagrams_delivered", ip6(UDP(sport=9, dport=7000) / b"x")), SETUP6,
    ),
    Case(
        "nd-target-not-ours", f"smolctl addr add {OTHER6}/64 dev tap0",
        counts(ADVERTISED, ip6(SOLICITATION, hlim=255)), SETUP6,
    ),
    Case(
        "nd-proxy-idle", "smolctl sysctl nd.proxy=1",
        counts("nd.proxy_advertisements_sent", ip6(SOLICITATION, hlim=255)),
        (*SETUP6, "sysctl ip6.forward=1", f"neigh add proxy {OTHER6} dev tap0"),
    ),
)  # fmt: skip
UNFIXED6 = {
    "nd-answer-queue-full": "its fix is tried in virtual time; arp-proxy-queue-full runs the same",
    "ip6-disabled": "a stack without IPv6 has no address that the lab's frames could be for",
    "ip6-dst-not-ours": "its fix is tried in virtual time; ip-dst-not-ours runs the same commands",
    "ip6-rule-refused": "its fix is tried in virtual time; ip-rule-refused runs the same command",
    "ip6-multicast-filtered": "as ip-multicast-filtered, which has a test of its own",
    "nd-unsolicited": "its fix is tried in virtual time; it is a sysctl",
    "redirect6-ignored": "its fix is tried in virtual time; it is a sysctl",
}
"""Reasons of IPv6 with a fix that are not in the table, and why."""
