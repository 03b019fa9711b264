"""Frames of IPv6 as bytes, each field as odd as a case wants it; scapy computes the checksums."""

import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from scapy.layers.inet6 import IPv6, in6_chksum

from tests.e2e.kit import OURS_MAC, THEIRS_MAC

OURS, THEIRS, STATIC = "2001:db8::1", "2001:db8::2", "2001:db8::9"
OTHER, STRANGER = "2001:db8::77", "2001:db8::66"
OURS_LOCAL, THEIRS_LOCAL = "fe80::ff:fe00:1", "fe80::ff:fe00:2"
"""Link-local addresses of the two MAC addresses (RFC 4291 2.5.1)."""
ALL_NODES, ALL_ROUTERS = "ff02::1", "ff02::2"
NEXT_LINK, BEHIND = "2001:db8:1::1", "2001:db8:1::9"
REDIRECTED = ("2001:db8::3", "2001:db8::4", "2001:db8::5")
"""Other hosts on the link: each is sent one redirect, for a second one would have to wait, and no
error, because Linux counts redirects among errors.
"""
FAR = "2001:db8:9::5"
"""A host behind the router THEIRS_LOCAL."""
STRANGER_MAC, BEHIND_MAC = "02:00:00:00:00:66", "02:00:00:00:01:09"
BROADCAST = "ff:ff:ff:ff:ff:ff"

HOP_BY_HOP, UDP, ROUTING, FRAGMENT, ICMPV6, NO_NEXT, OPTIONS = 0, 17, 43, 44, 58, 59, 60
ECHO, RS, RA, NS, NA, REDIRECT = 128, 133, 134, 135, 136, 137


class Ext(NamedTuple):
    """An extension header: its number, and all of it but the first byte."""

    number: int
    rest: bytes


def raw(address: str) -> bytes:
    """Return the 16 bytes of an address."""
    return socket.inet_pton(socket.AF_INET6, address)


def mac_of(text: str) -> bytes:
    """Return the 6 bytes of a MAC address."""
    return bytes.fromhex(text.replace(":", ""))


def solicited(address: str) -> str:
    """Return the solicited-node group of an address (RFC 4291 2.7.1)."""
    return f"ff02::1:ff{raw(address)[13]:02x}:{int.from_bytes(raw(address)[14:]):x}"


def frame(
    number: int,
    payload: bytes = b"",
    *,
    src: str = THEIRS,
    dst: str = OURS,
    to: str | None = None,
    by: str = THEIRS_MAC,
    hops: int = 64,
    length: int | None = None,
    word: int = 6 << 28,
) -> bytes:
    """Return an IPv6 packet in a frame.

    Args:
        number: the first next header.
        to: MAC address; by default that of the group, or ours.
        length: of the payload, if the header lies.
        word: the first 32 bits: version, traffic class, flow label.
    """
    group = "33:33:" + raw(dst)[12:].hex(":") if dst.startswith("ff") else OURS_MAC
    size = len(payload) if length is None else length
    head = mac_of(group if to is None else to) + mac_of(by) + b"\x86\xdd"
    return head + struct.pack("!IHBB", word, size, number, hops) + raw(src) + raw(dst) + payload


def chain(headers: Sequence[Ext], number: int, payload: bytes) -> tuple[int, bytes]:
    """Put extension headers in front; return the first number, and the bytes."""
    for header in reversed(headers):
        payload = bytes([number]) + header.rest + payload
        number = header.number
    return number, payload


def extended(
    headers: Sequence[Ext], number: int, payload: bytes, *, src: str = THEIRS, dst: str = OURS,
    to: str | None = None, hops: int = 64,
) -> bytes:  # fmt: skip
    """Return a packet with extension headers in a frame."""
    return frame(*chain(headers, number, payload), src=src, dst=dst, to=to, hops=hops)


def options(number: int, data: bytes, length: int | None = None) -> Ext:
    """Return a header with options: its data is filled up with zeros (Pad1) to 8 octets."""
    data += bytes(-(len(data) + 2) % 8)
    return Ext(number, bytes([(len(data) + 2) // 8 - 1 if length is None else length]) + data)


def routing(kind: int, left: int, *via: str, length: int | None = None) -> Ext:
    """Return a routing header of a type with addresses."""
    size = 2 * len(via) if length is None else length
    return Ext(ROUTING, bytes([size, kind, left]) + bytes(4) + b"".join(map(raw, via)))


def fragment(offset: int, more: bool, ident: int, reserved: int = 0) -> Ext:
    """Return a fragment header; the offset is in bytes."""
    return Ext(FRAGMENT, struct.pack("!BHI", reserved, offset | more, ident))


def icmp(
    kind: int, code: int = 0, body: bytes = bytes(4), *, src: str = THEIRS, dst: str = OURS,
    checksum: int | None = None,
) -> bytes:  # fmt: skip
    """Return an ICMPv6 message with its checksum."""
    message = bytes([kind, code, 0, 0]) + body
    if checksum is None:
        checksum = in6_chksum(ICMPV6, IPv6(src=src, dst=dst), message)
    return message[:2] + checksum.to_bytes(2) + message[4:]


def icmp_frame(
    kind: int, code: int = 0, body: bytes = bytes(4), *, src: str = THEIRS, dst: str = OURS,
    to: str | None = None, by: str = THEIRS_MAC, hops: int = 64, checksum: int | None = None,
    headers: Sequence[Ext] = (), word: int = 6 << 28,
) -> bytes:  # fmt: skip
    """Return an ICMPv6 message in a frame, by default from THEIRS to OURS."""
    message = icmp(kind, code, body, src=src, dst=dst, checksum=checksum)
    packed = chain(headers, ICMPV6, message)
    return frame(*packed, src=src, dst=dst, to=to, by=by, hops=hops, word=word)


def echo(
    src: str = THEIRS, dst: str = OURS, *headers: Ext, to: str | None = None,
    by: str = THEIRS_MAC, hops: int = 64, code: int = 0, word: int = 6 << 28,
) -> bytes:  # fmt: skip
    """Return an echo request in a frame."""
    return icmp_frame(
        ECHO, code, b"\0\7\0\1abcdefgh", src=src, dst=dst, headers=headers, to=to, by=by,
        hops=hops, word=word,
    )  # fmt: skip


def error(kind: int, code: int, word: int, quoted: bytes) -> bytes:
    """Return an ICMPv6 error about a packet, which is given in its frame."""
    return icmp_frame(kind, code, word.to_bytes(4) + quoted[14:])


def udp(
    sport: int = 5000, dport: int = 9, payload: bytes = b"hello", *, src: str = THEIRS,
    dst: str = OURS, length: int | None = None, checksum: int | None = None,
) -> bytes:  # fmt: skip
    """Return a UDP datagram."""
    size = 8 + len(payload) if length is None else length
    datagram = struct.pack("!HHHH", sport, dport, size, 0) + payload
    if checksum is None:
        checksum = in6_chksum(UDP, IPv6(src=src, dst=dst), datagram)
    return datagram[:6] + checksum.to_bytes(2) + datagram[8:]


def udp_frame(
    dport: int = 9, payload: bytes = b"hello", *, sport: int = 5000, src: str = THEIRS,
    dst: str = OURS, length: int | None = None, checksum: int | None = None, hops: int = 64,
) -> bytes:  # fmt: skip
    """Return a UDP datagram in a frame."""
    data = udp(sport, dport, payload, src=src, dst=dst, length=length, checksum=checksum)
    return frame(UDP, data, src=src, dst=dst, hops=hops)


# --- neighbor discovery ---------------------------------------------------------------------------


def lladdr(number: int, mac: str = THEIRS_MAC, units: int = 1) -> bytes:
    """Return a link-layer address option: 1 is the source's, 2 the target's."""
    data = bytes([number, units]) + mac_of(mac)
    return data + bytes(max(0, units * 8 - 8))


def discovery(
    kind: int, body: bytes, *, src: str = THEIRS, dst: str = OURS, hops: int = 255, code: int = 0,
    to: str | None = None, by: str = THEIRS_MAC, headers: Sequence[Ext] = (),
) -> bytes:  # fmt: skip
    """Return a message of neighbor discovery in a frame."""
    return icmp_frame(
        kind, code, body, src=src, dst=dst, hops=hops, to=to, by=by, headers=headers
    )  # fmt: skip


def ns(
    target: str = OURS, given: bytes | None = None, *, src: str = THEIRS, dst: str | None = None,
    hops: int = 255, code: int = 0, to: str | None = None, by: str = THEIRS_MAC,
    headers: Sequence[Ext] = (),
) -> bytes:  # fmt: skip
    """Return a neighbor solicitation, by default with the source's link-layer address."""
    body = bytes(4) + raw(target) + (lladdr(1) if given is None else given)
    where = solicited(target) if dst is None else dst
    return discovery(
        NS, body, src=src, dst=where, hops=hops, code=code, to=to, by=by, headers=headers
    )  # fmt: skip


def na(
    target: str = STRANGER, flags: int = 0x60, given: bytes | None = None, *,
    src: str | None = None, dst: str = OURS, hops: int = 255, code: int = 0,
    headers: Sequence[Ext] = (),
) -> bytes:  # fmt: skip
    """Return a neighbor advertisement; of its flags, 0x80 is R, 0x40 S, and 0x20 O."""
    own = lladdr(2, STRANGER_MAC) if given is None else given
    body = bytes([flags, 0, 0, 0]) + raw(target) + own
    where = target if src is None else src
    return discovery(NA, body, src=where, dst=dst, hops=hops, code=code, headers=headers)


def ra(
    given: bytes = b"", *, src: str = THEIRS_LOCAL, dst: str = ALL_NODES, hops: int = 255,
    code: int = 0, lifetime: int = 0,
) -> bytes:  # fmt: skip
    """Return a router advertisement that offers nothing but what is given."""
    body = struct.pack("!BBHII", 0, 0, lifetime, 0, 0) + given
    return discovery(RA, body, src=src, dst=dst, hops=hops, code=code)


def redirect(
    target: str, dst: str = FAR, given: bytes = b"", *, src: str = THEIRS_LOCAL,
    hops: int = 255, code: int = 0, about: bytes | None = None,
) -> bytes:  # fmt: skip
    """Return a redirect to our global address: ``dst`` is better reached by ``target``."""
    quoted = echo(OURS, FAR)[14:] if about is None else about
    quote = bytes([4, 1 + (len(quoted) + 7) // 8]) + bytes(6) + quoted + bytes(-len(quoted) % 8)
    body = bytes(4) + raw(target) + raw(dst) + given + quote
    return discovery(REDIRECT, body, src=src, hops=hops, code=code)
