"""Answers that came and were dropped: what is looked at before "no answer" is said."""

from smolctl.stack.reason import ARP_OWN_SENDER, RX_NOT_OUR_MAC
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.journal import Journal
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire import arp, icmpv4, icmpv6, ipv4, ipv6
from smolctl.wire.address import IPV6_MARK, packed
from smolctl.wire.ethernet import EtherType
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import upper_layer

_SURE, _LIKELY, _NONE = 2, 1, 0
_DROPPED = (Fate.DROPPED, Fate.REJECTED)
_TAGS = (b"\x81\0", b"\x88\xa8")
"""802.1Q and 802.1ad."""
_ADVERTISEMENT = bytes([icmpv6.Type.NEIGHBOR_ADVERTISEMENT])
_ECHO_REPLY = bytes([icmpv6.Type.ECHO_REPLY])
_SNAP = b"\xaa\xaa\x03\0\0\0"


def dropped_answer(journal: Journal, awaited: Awaited) -> Trace | None:
    """Return the packet that was the answer, if one came and was dropped.

    What is most likely one; of several, the last.
    """
    best, found = _NONE, None
    for trace in journal:
        came = trace.direction is Direction.IN and trace.fate in _DROPPED
        came = came and trace.reason is not ARP_OWN_SENDER
        if not came or not awaited.since_ns <= trace.began_ns <= awaited.until_ns:
            continue
        likely = _likelihood(trace, awaited)
        if likely and likely >= best:
            best, found = likely, trace
    return found


def forgotten(journal: Journal, awaited: Awaited) -> bool:
    """Tell whether some of what was dropped while an answer was awaited is not remembered."""
    if len(journal) < journal.capacity:
        return False
    return next(iter(journal)).began_ns > awaited.since_ns


def _likelihood(trace: Trace, awaited: Awaited) -> int:
    """Tell how likely a dropped packet was the answer."""
    kind, payload = _opened(trace)
    if awaited.dst >= IPV6_MARK:
        return _ip6(payload, awaited) if kind == EtherType.IPV6 else _NONE
    if awaited.proto == "arp":
        if kind != EtherType.ARP:
            return _NONE
        to_us = not trace.frame[0] & 1 and trace.reason is not RX_NOT_OUR_MAC
        return _arp(payload, awaited, to_us)
    return _ip(payload, awaited) if kind == EtherType.IPV4 else _NONE


def _opened(trace: Trace) -> tuple[int, bytes]:
    """Return the ethertype of a frame and what it carries, behind VLAN tags and SNAP."""
    frame = trace.frame
    if not trace.linked:
        return EtherType.IPV6 if frame[:1] and frame[0] >> 4 == 6 else EtherType.IPV4, frame
    at = 12
    while frame[at : at + 2] in _TAGS:
        at += 4
    kind = int.from_bytes(frame[at : at + 2])
    if frame[at + 2 : at + 8] == _SNAP:
        at += 8
        kind = int.from_bytes(frame[at : at + 2])
    return kind, frame[at + 2 :]


def _arp(packet: bytes, awaited: Awaited, to_us: bool) -> int:
    """Judge ARP, of whatever format; a request of ours that comes back is no answer."""
    hardware_len = packet[4] if len(packet) > 4 else 6
    op = int.from_bytes(packet[6:8])
    sender = packet[8 + hardware_len : 12 + hardware_len]
    target = packet[12 + 2 * hardware_len : 16 + 2 * hardware_len]
    asked = awaited.dst.to_bytes(4)
    if sender == asked:
        announced = target == asked
        return _SURE if op != arp.Op.REQUEST or announced or awaited.probe else _NONE
    # A reply with another sender, or so short that it has none: to us, it is meant as an answer.
    return _LIKELY if op == arp.Op.REPLY and to_us and not awaited.probe else _NONE


def _ip6(packet: bytes, awaited: Awaited) -> int:
    """Judge an IPv6 packet, whose checksums and lengths may be wrong."""
    header = ipv6.parse_unchecked(packet)
    if header is None:
        return _NONE
    upper = upper_layer(packet, header.next_header)
    first = upper.fragment is None or not upper.fragment.fragment_offset
    body = packet[upper.offset :] if first else b""
    kind, theirs = body[:1], header.src == awaited.dst
    number = int.from_bytes(body[4:6])
    if awaited.proto == "nd":
        about = kind == _ADVERTISEMENT and body[8:24] == packed(awaited.dst)
        return _SURE if about and upper.protocol == NextHeader.ICMPV6 else _NONE
    if upper.protocol == NextHeader.ICMPV6 and kind and icmpv6.is_error(kind[0]):
        quote = icmpv6.parse_quote(body[icmpv6.HEADER_LEN :])
        return _SURE if quote is not None and quote.dst == awaited.dst else _NONE
    if awaited.proto == "icmp" and upper.protocol == NextHeader.ICMPV6:
        ours = kind == _ECHO_REPLY and number == awaited.number
        return _SURE if ours else _LIKELY if theirs and kind in (b"", _ECHO_REPLY) else _NONE
    if awaited.proto == "tcp" and upper.protocol == NextHeader.TCP:
        return _tcp(body, awaited) if theirs else _NONE
    if awaited.proto == "udp" and upper.protocol == NextHeader.UDP:
        ours = len(body) >= 4 and int.from_bytes(body[2:4]) == awaited.number
        return _SURE if theirs and ours else _LIKELY if theirs or ours else _NONE
    return _NONE


def _tcp(segment: bytes, awaited: Awaited) -> int:
    """Judge a segment of the host that was asked: from the port that was asked, or another one."""
    asked = int.from_bytes(segment[:2]) == awaited.number
    return _SURE if asked and awaited.number else _LIKELY


def _ip(packet: bytes, awaited: Awaited) -> int:
    """Judge an IPv4 packet, whose checksums and lengths may be wrong."""
    if len(packet) < ipv4.MIN_HEADER_LEN:
        return _NONE
    header_len = (packet[0] & 15) * 4
    protocol, src = packet[9], int.from_bytes(packet[12:16])
    first = not int.from_bytes(packet[6:8]) & 0x1FFF
    body = packet[header_len:] if first else b""
    theirs = src == awaited.dst
    if protocol == ipv4.Protocol.ICMP and body[:1] and icmpv4.is_error(body[0]):
        quote = icmpv4.parse_quote(body[icmpv4.HEADER_LEN :])
        return _SURE if quote is not None and quote.dst == awaited.dst else _NONE
    if awaited.proto == "icmp" and protocol == ipv4.Protocol.ICMP:
        reply = body[:1] == bytes([icmpv4.Type.ECHO_REPLY])
        ours = int.from_bytes(body[4:6]) == awaited.number
        if reply and (theirs or ours):
            return _SURE if ours else _LIKELY
        return _LIKELY if theirs and not first else _NONE
    if awaited.proto == "tcp" and protocol == ipv4.Protocol.TCP:
        return _tcp(body, awaited) if theirs else _NONE
    if awaited.proto == "udp" and protocol == ipv4.Protocol.UDP:
        ours = int.from_bytes(body[2:4]) == awaited.number
        if theirs:
            return _SURE if ours else _LIKELY
        return _LIKELY if ours and len(body) >= 4 else _NONE
    return _NONE
