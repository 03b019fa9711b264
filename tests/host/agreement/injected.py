"""Frames that come in, as their sender builds them: plain bytes, made by nobody's codec."""

import ipaddress
import struct

from tests.host.agreement.questions import DMACS, FAR_MAC, Ask

_PROTOCOLS = {"udp": 17, "tcp": 6, "icmp": 1}
_TTL = 64
FROM_PORT = 5555
"""The port of a sender who says none."""


def injected(ask: Ask, own_mac: bytes, for_all: bool) -> bytes:
    """Return the frame of a question.

    Args:
        ask: the question.
        own_mac: of the link by which it comes in; b"" of a link without such: no header.
        for_all: the address is that of all hosts.
    """
    if ask.proto == "arp":
        return _to(ask, own_mac, True) + b"\x08\x06" + _arp(ask)
    if ask.proto == "nd":
        return _nd(ask)
    packet = _packet6(ask) if ask.six else _packet4(ask)
    if not own_mac:
        return packet
    return _to(ask, own_mac, for_all) + (b"\x86\xdd" if ask.six else b"\x08\x00") + packet


def _to(ask: Ask, own_mac: bytes, for_all: bool) -> bytes:
    address = ipaddress.ip_address(ask.dst)
    if ask.dmac:
        text = DMACS.get(ask.dmac, ask.dmac)
        to = bytes.fromhex(text.replace(":", ""))
    elif for_all:
        to = b"\xff" * 6
    elif address.is_multicast and address.version == 4:
        to = b"\x01\0\x5e" + bytes([address.packed[1] & 0x7F]) + address.packed[2:]
    elif address.is_multicast:
        to = b"\x33\x33" + address.packed[-4:]
    else:
        to = own_mac
    return to + bytes.fromhex(FAR_MAC.replace(":", ""))


def _arp(ask: Ask) -> bytes:
    far = bytes.fromhex(FAR_MAC.replace(":", ""))
    src, dst = (ipaddress.IPv4Address(each).packed for each in (ask.src, ask.dst))
    return b"\0\1\x08\0\6\4\0\1" + far + src + bytes(6) + dst


def _nd(ask: Ask) -> bytes:
    """Return a solicitation (RFC 4861 4.3)."""
    far = bytes.fromhex(FAR_MAC.replace(":", ""))
    src, dst = (ipaddress.IPv6Address(each).packed for each in (ask.src, ask.dst))
    group = bytes.fromhex("ff0200000000000000000001ff") + dst[-3:]
    own = b"" if ask.src == "::" else b"\1\1" + far
    body = b"\x87\0\0\0\0\0\0\0" + dst + own
    body = _summed(body, src + group + struct.pack("!II", len(body), 58), 2)
    header = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + src + group
    return b"\x33\x33\xff" + dst[-3:] + far + b"\x86\xdd" + header + body


def _packet4(ask: Ask) -> bytes:
    src, dst = (ipaddress.IPv4Address(each).packed for each in (ask.src, ask.dst))
    number = _PROTOCOLS[ask.proto]
    body = _body(ask, src + dst, number, 8)
    # May not be fragmented: what is too big is refused by name.
    head = struct.pack(
        "!BBHHHBBH", 0x45, ask.tos, 20 + len(body), 0, 0x4000, ask.ttl or _TTL, number, 0
    )
    return _summed(head + src + dst, b"", 10) + body


def _packet6(ask: Ask) -> bytes:
    src, dst = (ipaddress.IPv6Address(each).packed for each in (ask.src, ask.dst))
    number = 58 if ask.proto == "icmp" else _PROTOCOLS[ask.proto]
    body = _body(ask, src + dst, number, 128)
    head = struct.pack("!IHBB", 6 << 28 | ask.tos << 20, len(body), number, ask.ttl or _TTL)
    return head + src + dst + body


def _body(ask: Ask, addresses: bytes, number: int, echo: int) -> bytes:
    payload, sport = bytes(ask.size), ask.sport or FROM_PORT
    if ask.proto == "icmp":
        message = struct.pack("!BBHHH", echo, 0, 0, 1, 1) + payload
        pseudo = addresses + struct.pack("!II", len(message), 58) if echo == 128 else b""
        return _summed(message, pseudo, 2)
    if ask.proto == "udp":
        segment = struct.pack("!HHHH", sport, ask.dport, 8 + len(payload), 0) + payload
        return _summed(segment, addresses + struct.pack("!II", len(segment), number), 6)
    segment = struct.pack("!HHIIHHHH", sport, ask.dport, 7, 0, 0x5002, 65535, 0, 0)
    return _summed(segment, addresses + struct.pack("!II", len(segment), number), 16)


def _summed(data: bytes, pseudo: bytes, at: int) -> bytes:
    """Return data with its checksum (RFC 1071)."""
    whole = pseudo + data
    whole += bytes(len(whole) % 2)
    total = sum(struct.unpack(f"!{len(whole) // 2}H", whole))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return data[:at] + struct.pack("!H", ~total & 0xFFFF or 0xFFFF) + data[at + 2 :]
