"""Frames of the kernel's side, for the cases of fixes.py."""

from typing import Any

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether

from tests.e2e.kit import OURS_MAC, THEIRS_MAC

OURS, THEIRS, FAR = "10.0.0.1", "10.0.0.2", "192.0.2.1"
BROADCAST = "ff:ff:ff:ff:ff:ff"
PORT = 7000
"""Port of the kernel's socket, and of smolctl's once it has one."""


def arp(**fields: Any) -> bytes:
    """Return an ARP request for our address, or what the fields make of it."""
    given = {"op": 1, "psrc": THEIRS, "pdst": OURS, "hwsrc": THEIRS_MAC, **fields}
    return bytes(Ether(dst=OURS_MAC, src=given["hwsrc"]) / ARP(**given))


def ip(payload: Any, dst: str = OURS, dst_mac: str = OURS_MAC, src: str = THEIRS) -> bytes:
    """Return a packet from the kernel's address to ours."""
    return bytes(Ether(dst=dst_mac, src=THEIRS_MAC) / IP(src=src, dst=dst) / payload)


def echo(dst: str = OURS, dst_mac: str = OURS_MAC) -> bytes:
    return ip(ICMP() / b"ping", dst, dst_mac)


def udp(port: int = PORT) -> bytes:
    return ip(UDP(sport=9, dport=port) / b"x")
