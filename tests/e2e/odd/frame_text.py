"""Frames that a host sends, in few words; the same for both hosts."""

import socket
from typing import Any

from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether

from tests.e2e.odd.ipv6_frames import ECHO, FRAGMENT, HOP_BY_HOP, NA, NS, REDIRECT, RS

_ICMP_NAMES = {0: "echo reply", 14: "timestamp reply"}
_ICMP6_NAMES = {129: "echo reply", REDIRECT: "redirect", 130: "MLD query"}
_MLD_REPORTS = (131, 132, 143)
_UDP, _ICMP6, _ROUTING, _OPTIONS = 17, 58, 43, 60


def answer_text(frame: bytes, reports: bool = False) -> str:
    """Return what a frame is that a host sent because of another, "" for what it sends anyway.

    Args:
        reports: reports of groups are answers, too; otherwise a change of groups causes them.
    """
    packet = Ether(frame)
    if ARP in packet:
        return "ARP reply" if packet[ARP].op == 2 else ""
    if ICMP in packet:
        kind, code = packet[ICMP].type, packet[ICMP].code
        return f"ICMP {kind}/{code}" if kind in (3, 11, 12) else _ICMP_NAMES.get(kind, "ICMP")
    if IPv6 in packet:
        return _answer6(packet[IPv6], reports)
    return "a packet" if IP in packet else ""


def _answer6(packet: Any, reports: bool) -> str:
    number, message = _inside(packet)
    if number != _ICMP6:
        return "forwarded" if number in (_UDP, FRAGMENT) else f"next header {number}"
    kind, code, word = message[0], message[1], int.from_bytes(message[4:8])
    if kind == ECHO:
        return "forwarded"
    if kind in _MLD_REPORTS:
        return f"MLDv{1 + (kind == 143)} report" if reports else ""
    if kind == RS or (kind == NS and packet.src == "::"):
        return ""
    if kind == NS:
        return f"asks for {_address(message[8:24])}"
    if kind == NA:
        flags = "".join(name for bit, name in zip((31, 30, 29), "RSO", strict=True)
                        if word >> bit & 1)  # fmt: skip
        return f"NA {flags} to {packet.dst}"
    if kind in _ICMP6_NAMES:
        return _ICMP6_NAMES[kind]
    detail = {2: f" MTU {word}", 4: f" at {word}"}.get(kind, "")
    return f"ICMPv6 {kind}/{code}{detail}"


def _inside(packet: Any) -> tuple[int, bytes]:
    """Return the number and the bytes behind hop-by-hop, routing and destination options."""
    number, data = packet.nh, bytes(packet)[40:]
    while number in (HOP_BY_HOP, _ROUTING, _OPTIONS) and len(data) >= 8:
        size = (data[1] + 1) * 8
        number, data = data[0], data[size:]
    return number, data


def _address(data: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET6, data)


def sent_text(frame: bytes) -> str:
    """Return what a frame is that a host sends for a datagram, "" for what it sends anyway."""
    packet = Ether(frame)
    if ARP in packet:
        return f"asks by ARP for {packet[ARP].pdst}"
    if IPv6 in packet:
        number, message = _inside(packet[IPv6])
        if number != _ICMP6:
            return f"sent from {packet[IPv6].src}"
        return f"asks for {_address(message[8:24])}" if message[0] == NS else ""
    return f"sent from {packet[IP].src}"
