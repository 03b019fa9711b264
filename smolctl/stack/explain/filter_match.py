"""Tests of a packet filter: over a packet's bytes and over its fate.

The bytes are read where the headers have their fields, without asking whether the headers are
right: a filter must also find the packets that were dropped because they are not. What a frame is
too short for is not there, and no test finds it.
"""

from collections.abc import Callable, Container, Sequence
from typing import NamedTuple

from smolctl.stack.trace.trace import Flow
from smolctl.wire import arp, ethernet, icmpv4, icmpv6, ipv4, ipv6, tcp, udp, vlan
from smolctl.wire.address import BROADCAST_MAC, IPV6, ZERO_MAC, family_of
from smolctl.wire.ethernet import EtherType
from smolctl.wire.ipv4 import Protocol
from smolctl.wire.vlan import VlanTag

_RARP = 0x8035
_SCTP = 132
_IPV6_FRAGMENT = 44
_IPV6_HEADER_LEN = 40
_ICMPV6 = 58
_OFFSET = 0x1FFF
WITH_PORTS = frozenset({Protocol.TCP, Protocol.UDP, _SCTP})
"""Protocols that ``port`` means when none is named: those that tcpdump means."""

_ADDRESSES_AT: dict[int, tuple[int, ...]] = {
    EtherType.IPV4: (12, 16),
    EtherType.ARP: (14, 24),
    _RARP: (14, 24),
}
"""Offsets of source and destination. ARP's sender and target count as such, as in tcpdump."""
_ADDRESSES6_AT: dict[int, tuple[int, ...]] = {EtherType.IPV6: (8, 24)}
"""The same for IPv6; what neighbor discovery asks for is no address of a packet, as in tcpdump."""


class FilteredPacket(NamedTuple):
    """One packet as a filter sees it.

    Attributes:
        frame: all its bytes.
        ethernet: they begin with an Ethernet header; else with that of IP, as on a loopback.
        direction: "in", "out", or "local" for what never leaves the stack.
        dev: name of the interface.
        reason: name of the reason of its fate, None when it has none.
        tags: those that its interface took off, or puts on, outermost first.
    """

    frame: bytes
    ethernet: bool = True
    direction: str = "in"
    dev: str = ""
    reason: str | None = None
    tags: tuple[VlanTag, ...] = ()


def meant(flow: Flow) -> tuple[bytes, bool]:
    """Return what a packet that was refused before it was built would have been.

    As far as a filter asks: headers without payload. A source that was not chosen yet is 0.0.0.0,
    or ::.

    Returns: the bytes, and whether they begin with an Ethernet header.
    """
    family = family_of(flow.dst)
    src = flow.src or family.mark
    if flow.proto == "arp":
        asked = arp.ArpPacket(arp.Op.REQUEST, ZERO_MAC, src, ZERO_MAC, flow.dst)
        header = ethernet.EthernetHeader(BROADCAST_MAC, ZERO_MAC, EtherType.ARP)
        return header.to_bytes() + asked.to_bytes(), True
    protocol, inner = _inner(flow, src)
    if family is IPV6:
        header6 = ipv6.Ipv6Header(0, 0, len(inner), protocol, 64, src, flow.dst)
        return header6.to_bytes() + inner, False
    length = ipv4.MIN_HEADER_LEN + len(inner)
    outer = ipv4.Ipv4Header(5, 0, length, 0, True, False, 0, 64, protocol, src, flow.dst)
    return outer.to_bytes() + inner, False


def _inner(flow: Flow, src: int) -> tuple[int, bytes]:
    """Return the protocol that IP would have carried, and its header."""
    if flow.proto == "udp":
        return Protocol.UDP, udp.to_bytes(flow.sport, flow.dport, b"", src, flow.dst)
    if flow.proto == "tcp":
        segment = tcp.TcpHeader(flow.sport, flow.dport, 0, 0, 0, flow.flags, 0)
        return Protocol.TCP, segment.to_bytes(b"", src, flow.dst)
    if family_of(flow.dst) is IPV6:
        message = icmpv6.Icmpv6Message(_icmp6_type(flow), flow.dport, 0, b"")
        return _ICMPV6, message.to_bytes(src, flow.dst)
    return Protocol.ICMP, icmpv4.IcmpMessage(flow.sport, flow.dport, 0, b"").to_bytes()


def _icmp6_type(flow: Flow) -> int:
    """Return the type of an ICMPv6 message, which a solicitation's flow does not say."""
    return icmpv6.Type.NEIGHBOR_SOLICITATION if flow.proto == "nd" else flow.sport


class Fields(NamedTuple):
    """A packet taken apart as far as all tests need.

    Attributes:
        packet: itself.
        ethertype: what ``network`` is; 0 when that cannot be told.
        network: from the network header on.
    """

    packet: FilteredPacket
    ethertype: int
    network: bytes

    def within(self, number: int) -> "Fields":
        """Return what is behind so many VLAN tags; nothing when there are fewer.

        A tag that the interface took off is there for who asks for it, and nobody else, as in a
        live capture of Linux.
        """
        frame = self.packet.frame
        number -= min(number, len(self.packet.tags))
        if not number or not self.packet.ethernet:
            return self
        if len(vlan.tags(frame)) < number:
            return Fields(self.packet, 0, b"")
        return fields(self.packet._replace(frame=vlan.untagged(frame, number), tags=()))


Test = Callable[[Fields], bool]
Combine = Callable[[Sequence[bool]], bool]
"""``any`` or ``all``: what must hold of source and destination."""


def fields(packet: FilteredPacket) -> Fields:
    """Take a packet apart; any bytes will do."""
    frame = packet.frame
    if packet.ethernet:
        header = ethernet.parse(frame)
        ethertype = header.ethertype if isinstance(header, ethernet.EthernetHeader) else 0
        return Fields(packet, ethertype, frame[ethernet.HEADER_LEN :])
    versions: dict[int, int] = {4: EtherType.IPV4, 6: EtherType.IPV6}
    return Fields(packet, versions.get(frame[0] >> 4, 0) if frame else 0, frame)


def ethertype(number: int) -> Test:
    """Return the test for what an Ethernet header, or IP's version, says that it carries."""
    return lambda fields: fields.ethertype == number


def tag(place: int, vid: int | None) -> Test:
    """Return the test for a VLAN tag.

    Args:
        place: 0 for the outermost tag, 1 for the next ...
        vid: its VLAN ID; None for any.
    """

    def test(fields: Fields) -> bool:
        packet = fields.packet
        tags = [*packet.tags, *(vlan.tags(packet.frame) if packet.ethernet else ())]
        return place < len(tags) and vid in (None, tags[place].vid)

    return test


def inside(number: int, test: Test) -> Test:
    """Return a test for what is behind so many VLAN tags."""
    return (lambda fields: test(fields.within(number))) if number else test


def protocol(number: int) -> Test:
    """Return the test for IP's protocol field, of either version.

    In IPv6, behind a fragment header too, but behind no other, as tcpdump does it.
    """

    def test(fields: Fields) -> bool:
        network = fields.network
        if fields.ethertype == EtherType.IPV4:
            return network[9:10] == bytes((number,))
        if fields.ethertype != EtherType.IPV6 or len(network) < 7:
            return False
        if network[6] == number:
            return True
        wrapped = network[6] == _IPV6_FRAGMENT
        return wrapped and network[_IPV6_HEADER_LEN : _IPV6_HEADER_LEN + 1] == bytes((number,))

    return test


def protocol_of(kind: int, number: int) -> Test:
    """Return the test for the protocol field of one version of IP, which its ethertype says."""
    of_either = protocol(number)
    return lambda fields: fields.ethertype == kind and of_either(fields)


def address(prefix: int, mask: int, ends: slice, combine: Combine) -> Test:
    """Return the test for addresses in an IPv4, ARP or IPv6 header.

    Args:
        prefix: what the address has where ``mask`` has ones; its family is that of the addresses.
        mask: 32 bits, or 128.
        ends: which of source and destination.
        combine: whether one or all of them must match.
    """
    family = family_of(prefix)
    size, wanted = family.size, prefix & ~family.mark
    places = _ADDRESSES6_AT if family is IPV6 else _ADDRESSES_AT

    def test(fields: Fields) -> bool:
        at = places.get(fields.ethertype, ())[ends]
        found = [fields.network[x : x + size] for x in at]
        return bool(at) and combine([_is_in(each, size, wanted, mask) for each in found])

    return test


def port(number: int, protocols: Container[int], ends: slice, combine: Combine) -> Test:
    """Return the test for ports, which only the first fragment of a packet has (RFC 791 3.2).

    Args:
        number: 0..65535.
        protocols: those whose ports are meant.
        ends: which of source and destination.
        combine: whether one or all of them must match.
    """

    def test(fields: Fields) -> bool:
        network = fields.network
        if fields.ethertype == EtherType.IPV4 and len(network) >= 10:
            if int.from_bytes(network[6:8]) & _OFFSET:
                return False
            carried, at = network[9], (network[0] & 15) * 4
        elif fields.ethertype == EtherType.IPV6 and len(network) >= 7:
            carried, at = network[6], _IPV6_HEADER_LEN
        else:
            return False
        wanted = number.to_bytes(2)
        return carried in protocols and combine(
            [network[x : x + 2] == wanted for x in [at, at + 2][ends]]
        )

    return test


def direction(name: str) -> Test:
    """Return the test for the way that a packet took: "in", "out" or "local"."""
    return lambda fields: fields.packet.direction == name


def device(name: str) -> Test:
    """Return the test for the interface."""
    return lambda fields: fields.packet.dev == name


def reason(name: str | None) -> Test:
    """Return the test for the reason of a packet's fate; None stands for any reason."""
    if name is None:
        return lambda fields: fields.packet.reason is not None
    return lambda fields: fields.packet.reason == name


def _is_in(address: bytes, size: int, prefix: int, mask: int) -> bool:
    return len(address) == size and int.from_bytes(address) & mask == prefix


PROTOCOLS: dict[str, Test] = {
    "ip": ethertype(EtherType.IPV4),
    "ip6": ethertype(EtherType.IPV6),
    "arp": ethertype(EtherType.ARP),
    "rarp": ethertype(_RARP),
    "icmp": protocol_of(EtherType.IPV4, Protocol.ICMP),
    "icmp6": protocol_of(EtherType.IPV6, _ICMPV6),
    "igmp": protocol_of(EtherType.IPV4, Protocol.IGMP),
    "tcp": protocol(Protocol.TCP),
    "udp": protocol(Protocol.UDP),
}
"""Meanings of the protocols' names: the same as in tcpdump."""
