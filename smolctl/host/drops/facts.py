"""Facts about a dropped packet that its bytes tell."""

from typing import NamedTuple

from smolctl.host.drops.dropped import ARP, IPV4, IPV6, Dropped
from smolctl.stack.explain.summary import summarize
from smolctl.wire import arp, icmpv4, icmpv6, igmp, ipv4, ipv6, ipv6_ext, mld, ndp, tcp, udp
from smolctl.wire.fault import WireFault

ICMP, IGMP, TCP, UDP, ICMPV6 = 1, 2, 6, 17, 58
_SUMS = {"udp-bad-checksum", "tcp-bad-checksum", "icmp-bad-checksum", "icmp6-bad-checksum"}
_FUNCTIONS = {
    "udp_rcv": UDP, "__udp4_lib_rcv": UDP, "udpv6_rcv": UDP, "__udp6_lib_rcv": UDP,
    "tcp_v4_rcv": TCP, "tcp_v6_rcv": TCP, "icmp_rcv": ICMP, "icmpv6_rcv": ICMPV6,
}  # fmt: skip
"""Protocols of functions of Linux, for where the packet itself is not known."""
_PADDED_MAX = 0x10000
_ECHO = {(ICMP, 8), (ICMPV6, 128)}
_SYN, _FLAGS = 0x02, 0x17
"""Of TCP: FIN, SYN, RST and ACK are looked at."""


class Facts(NamedTuple):
    """Fields of a packet, and what is wrong with it; None is what is not known.

    Attributes:
        family: 4 or 6; 0 of what is not IP.
        src, dst: its addresses.
        ttl: its time to live or hop limit.
        protocol: what it carries, as IP numbers it.
        sport, dport: its ports.
        kind: of an ICMP or ICMPv6 message, its type.
        flags: of TCP.
        fault: smolctl's reason for what is wrong with its bytes; None where nothing is.
        piece: it is a fragment.
        routed: it has a source route.
    """

    family: int
    src: int | None = None
    dst: int | None = None
    ttl: int | None = None
    protocol: int | None = None
    sport: int | None = None
    dport: int | None = None
    kind: int | None = None
    flags: int | None = None
    fault: str | None = None
    piece: bool = False
    routed: bool = False

    @property
    def can_be_asked(self) -> bool:
        """Whether ``why`` has a question about it: UDP, the SYN of TCP, a request for an echo."""
        if self.protocol == TCP:
            return (self.flags or 0) & _FLAGS == _SYN
        return self.protocol == UDP or (self.protocol, self.kind) in _ECHO


def facts(dropped: Dropped) -> Facts:
    """Return what the bytes of a packet tell; raises nothing for any bytes."""
    if not dropped.packet and dropped.protocol == IPV6 and dropped.iif:
        return Facts(6, fault="ip6-header-short")
    if not dropped.packet:
        protocol = _FUNCTIONS.get(dropped.function)
        return Facts({IPV4: 4, IPV6: 6}.get(dropped.protocol, 0), protocol=protocol)
    if dropped.protocol in (IPV4, IPV6):
        read = _ipv4 if dropped.protocol == IPV4 else _ipv6
        made = read(_padded(dropped), dropped.size <= len(dropped.packet))
        # A sum that a device is to fill in is wrong in memory: it counts if Linux says so, too.
        return made._replace(fault=None) if made.fault in _SUMS and not _is_sum(dropped) else made
    if dropped.protocol == ARP:
        found = arp.parse(dropped.packet)
        return Facts(0, fault=found.fault.value if isinstance(found, WireFault) else None)
    return Facts(0)


def summary(dropped: Dropped) -> str:
    """Return a packet in one line; "" where its bytes are not known."""
    if not dropped.packet:
        return ""
    if dropped.protocol in (IPV4, IPV6):
        return summarize(_padded(dropped), ethernet=False)
    header = dropped.ethernet[:12] or bytes(12)
    return summarize(header + dropped.protocol.to_bytes(2) + dropped.packet, ethernet=True)


def _is_sum(dropped: Dropped) -> bool:
    return dropped.linux.endswith("_CSUM")


def _padded(dropped: Dropped) -> bytes:
    """Return the packet in its length, with zeros in place of what was not copied."""
    return dropped.packet.ljust(min(dropped.size, _PADDED_MAX), b"\0")


def _ipv4(packet: bytes, whole: bool) -> Facts:
    found = ipv4.parse(packet)
    header = ipv4.parse_unchecked(packet)
    if header is None:
        return Facts(4, fault=found.fault.value if isinstance(found, WireFault) else None)
    inside = packet[header.header_len : max(header.total_length, header.header_len)]
    made = Facts(
        4,
        header.src,
        header.dst,
        header.ttl,
        header.protocol,
        piece=header.mf or bool(header.fragment_offset),
        routed=bool({131, 137} & {*header.options}),
    )
    if isinstance(found, WireFault):
        return made._replace(fault=found.fault.value)
    return _upper(made, inside, whole) if not header.fragment_offset else made


def _ipv6(packet: bytes, whole: bool) -> Facts:
    found = ipv6.parse(packet)
    header = ipv6.parse_unchecked(packet)
    if header is None:
        return Facts(6, fault=found.fault.value if isinstance(found, WireFault) else None)
    upper = ipv6_ext.upper_layer(packet, header.next_header)
    piece = upper.fragment is not None
    made = Facts(6, header.src, header.dst, header.ttl, upper.protocol, piece=piece)
    if isinstance(found, WireFault):
        return made._replace(fault=found.fault.value)
    chain = ipv6_ext.walk(packet, header)
    if isinstance(chain, WireFault):
        return made._replace(fault=chain.fault.value)
    if chain.fragment is not None and chain.fragment.fragment_offset:
        return made
    made = _upper(made, packet[chain.offset : chain.end], whole)
    if made.protocol != ICMPV6 or made.fault is not None or not whole:
        return made
    message = icmpv6.parse(packet[chain.offset : chain.end], header.src, header.dst)
    wrong: object = None
    if isinstance(message, WireFault):
        wrong = message
    elif message.type in ndp.TYPES:
        pieces = chain.has_fragment_header
        wrong = ndp.parse(message, header.src, header.dst, header.ttl, fragmented=pieces)
    elif message.type in mld.TYPES:
        wrong = mld.parse(message, header.src, header.ttl, chain.alert)
    return made._replace(fault=wrong.fault.value) if isinstance(wrong, WireFault) else made


def _upper(made: Facts, inside: bytes, whole: bool) -> Facts:
    """Add what the header of the upper layer tells."""
    src, dst = made.src or 0, made.dst or 0
    wrong: object = None
    if made.protocol in (UDP, TCP) and len(inside) >= 4:
        sport, dport = int.from_bytes(inside[:2]), int.from_bytes(inside[2:4])
        made = made._replace(sport=sport, dport=dport)
    if made.protocol == UDP:
        wrong = udp.parse(inside, src, dst)
    elif made.protocol == TCP:
        made = made._replace(flags=inside[13] if len(inside) > 13 else None)
        wrong = tcp.parse(inside, src, dst)
    elif made.protocol in (ICMP, ICMPV6):
        made = made._replace(kind=inside[0] if inside else None)
        six = made.protocol == ICMPV6
        wrong = icmpv6.parse(inside, src, dst) if six else icmpv4.parse(inside)
    elif made.protocol == IGMP:
        wrong = igmp.parse(inside)
    if not isinstance(wrong, WireFault):
        return made
    # Where something is missing, any sum is wrong.
    name = wrong.fault.value
    return made if name in _SUMS and (not whole or made.piece) else made._replace(fault=name)
