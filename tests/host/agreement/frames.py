"""Frames as events: one line each, the same for those of the kernel and of the twin."""

import ipaddress
import socket
import struct

_IPV4, _ARP, _VLAN, _IPV6 = 0x0800, 0x0806, 0x8100, 0x86DD
_FLAGS = "FSRPA"
_EXTENSIONS = {0, 43, 60}
_FRAGMENT6 = 44
_ERRORS4, _ERRORS6 = {3, 4, 5, 11, 12}, {1, 2, 3, 4}
_ND_REDIRECT = 137
NOBODY_ASKED = {
    "igmp", "icmp6 130", "icmp6 131", "icmp6 132", "icmp6 133", "icmp6 143",
}  # fmt: skip
"""Packets that a host sends by itself, when it likes: reports of groups, calls for a router."""


def mac(data: bytes) -> str:
    """Return a MAC address as text."""
    return data.hex(":")


def frame_event(link: str, frame: bytes, *, linked: bool = True) -> str | None:
    """Return what leaves by a link; None of what nobody asked for.

    Args:
        link: its name.
        frame: with an Ethernet header.
        linked: the link has addresses of its own; else the header says nothing.
    """
    kind = int.from_bytes(frame[12:14])
    to, body = mac(frame[:6]) if linked else "-", frame[14:]
    if kind == _ARP:
        return f"{link}> {_arp(body, to)}"
    if kind not in (_IPV4, _IPV6):
        return f"{link}> type {kind:#06x} to {to}"
    return packet_event(link, body, to)


def packet_event(link: str, packet: bytes, to: str = "-") -> str | None:
    """Return what leaves by a link, of an IP packet.

    Args:
        link: its name.
        packet: with its IP header.
        to: the MAC address to which it goes; "-" of a link without such.
    """
    told = _ipv6(packet, to) if packet[:1] >= b"\x60" else _ipv4(packet, to)
    return None if told is None else f"{link}> {told}"


def _arp(body: bytes, to: str) -> str:
    op = int.from_bytes(body[6:8])
    sender, target = socket.inet_ntoa(body[14:18]), socket.inet_ntoa(body[24:28])
    if op == 1:
        return f"who-has {target} tell {sender}" + _unless_all(to)
    return f"{sender} is-at {mac(body[8:14])} to {to}"


def _unless_all(to: str) -> str:
    """Return to whom a question for a MAC address goes if it does not go to all."""
    return "" if to == "ff:ff:ff:ff:ff:ff" or to.startswith("33:33:ff") else f" asking {to}"


def _ipv4(packet: bytes, to: str) -> str | None:
    length = (packet[0] & 15) * 4
    ttl, protocol = packet[8], packet[9]
    src, dst = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    fragment = int.from_bytes(packet[6:8]) & 0x3FFF
    what = "a later part"
    if not fragment & 0x1FFF:
        what = _transport(protocol, packet[length:], _ERRORS4)
    if what in NOBODY_ASKED:
        return None
    cut = " in parts" if fragment else ""
    return f"{to} {what} {src} > {dst} ttl {ttl}{cut}"


def _ipv6(packet: bytes, to: str) -> str | None:
    protocol, hops = packet[6], packet[7]
    src = str(ipaddress.IPv6Address(packet[8:24]))
    dst = str(ipaddress.IPv6Address(packet[24:40]))
    body, cut, later = packet[40:], "", False
    while protocol in _EXTENSIONS or protocol == _FRAGMENT6:
        if protocol == _FRAGMENT6:
            cut, later = " in parts", bool(int.from_bytes(body[2:4]) & 0xFFF8)
            protocol, body = body[0], body[8:]
            break
        protocol, body = body[0], body[(body[1] + 1) * 8 :]
    what = "a later part" if later else _transport(protocol, body, _ERRORS6)
    if what in NOBODY_ASKED:
        return None
    if what == "icmp6 135":
        target = str(ipaddress.IPv6Address(body[8:24]))
        # Of a test for duplicates, nobody may have an answer: it is no question.
        return None if src == "::" else f"who-has {target} tell {src}" + _unless_all(to)
    if what == "icmp6 136":
        target = str(ipaddress.IPv6Address(body[8:24]))
        return f"{target} is-at {_option(body[24:])} to {to} from {src}"
    if what == f"icmp6 {_ND_REDIRECT}":
        return f"{to} redirect to {ipaddress.IPv6Address(body[8:24])} from {src}"
    return f"{to} {what} {src} > {dst} ttl {hops}{cut}"


def _option(data: bytes) -> str:
    """Return the link address that an advertisement has."""
    while len(data) >= 8 and data[1]:
        if data[0] == 2:
            return mac(data[2:8])
        data = data[data[1] * 8 :]
    return "?"


def _transport(protocol: int, data: bytes, errors: set[int]) -> str:
    """Return what a packet carries, of a whole one or of the first part of one."""
    if protocol == 17:
        sport, dport = struct.unpack_from("!HH", data)
        return f"udp {_port(sport)}>{_port(dport)}"
    if protocol == 6:
        sport, dport = struct.unpack_from("!HH", data)
        flags = "".join(name for bit, name in enumerate(_FLAGS) if data[13] >> bit & 1)
        return f"tcp {flags} {_port(sport)}>{_port(dport)}"
    if protocol == 2:
        return "igmp"
    name = {1: "icmp", 58: "icmp6"}.get(protocol)
    if name is None:
        return f"protocol {protocol}"
    kind, code = data[0], data[1]
    told = f"{name} {kind}"
    if kind in errors:
        told += f"/{code}"
        # RFC 1191 4, RFC 4443 3.2: the MTU of the next hop.
        if (name, kind, code) == ("icmp", 3, 4):
            told += f" mtu {int.from_bytes(data[6:8])}"
        if (name, kind) == ("icmp6", 2):
            told += f" mtu {int.from_bytes(data[4:8])}"
        if (name, kind) == ("icmp", 5):
            told += f" to {socket.inet_ntoa(data[4:8])}"
    return told


_EPHEMERAL = 32768


def _port(number: int) -> str:
    """Return a port; those that a host chooses by itself are all alike."""
    return "any" if number >= _EPHEMERAL else str(number)
