"""A stack with IPv6 on a cable, in virtual time, and frames of IPv6."""

from typing import NamedTuple

from smolctl.wire import ethernet, icmpv6, ipv6, ndp, udp
from smolctl.wire.address import (
    UNSPECIFIED6,
    interface_id,
    is_multicast,
    link_local,
    multicast_mac,
    solicited_node,
)
from smolctl.wire.fault import WireFault
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.ipv6_ext import upper_layer
from smolctl.wire.ndp import Options
from tests.kit.host import OUR_MAC, PEER_MAC, Host, frame_of, ip, text

OURS6 = "2001:db8::1"
PEER6 = "2001:db8::2"
DEAD6 = "2001:db8::9"
OUR_LINK_LOCAL = text(link_local(interface_id(OUR_MAC)))
PEER_LINK_LOCAL = text(link_local(interface_id(PEER_MAC)))


class Host6(Host):
    """A stack with ``lo`` and ``tap0``, and IPv6 addresses alone.

    Args:
        addresses: of tap0 beside its link-local one; 2001:db8::1/64 when none is given.
        bare: no other address.
        optimistic: link-local addresses that are tested are used at once.
        dad: addresses are tested; without, a test of something else has them at once, and their
            groups are reported already.
    """

    def __init__(
        self,
        *addresses: str,
        bare: bool = False,
        random: float = 0.5,
        dad: bool = False,
        optimistic: bool = True,
    ) -> None:
        super().__init__(bare=True, random=random, ipv6=True, dad=dad, optimistic=optimistic)
        for address in () if bare else addresses or (f"{OURS6}/64",):
            self.add(address)
        if not dad:
            self.poll()
            self.take()

    def sent6(self, dev: str = "tap0") -> list["Seen6"]:
        """Let the device take all that waits, and return it."""
        return [see6(frame) for frame in self.take(dev)]


class Seen6(NamedTuple):
    """A frame with IPv6, taken apart; ``payload`` is what follows all headers of IPv6."""

    dst: bytes
    src: bytes
    ip: Ipv6Header
    protocol: int
    payload: bytes
    packet: bytes

    @property
    def udp(self) -> tuple[int, int, bytes]:
        """Return source port, destination port and payload; the checksum is right."""
        header = udp.parse(self.payload, self.ip.src, self.ip.dst)
        assert isinstance(header, udp.UdpHeader), header
        return header.sport, header.dport, udp.payload(self.payload, header)

    @property
    def icmp(self) -> icmpv6.Icmpv6Message:
        """Return the ICMPv6 message; its checksum is right."""
        assert self.protocol == NextHeader.ICMPV6
        message = icmpv6.parse(self.payload, self.ip.src, self.ip.dst)
        assert isinstance(message, icmpv6.Icmpv6Message), message
        return message

    @property
    def nd(self) -> ndp.Message:
        """Return the message of neighbor discovery; it is valid."""
        message = ndp.parse(self.icmp, self.ip.src, self.ip.dst, self.ip.hop_limit)
        assert not isinstance(message, WireFault), message
        return message


def see6(frame: bytes) -> Seen6:
    """Take a frame apart that must be well-formed IPv6."""
    header = ethernet.parse(frame)
    assert isinstance(header, ethernet.EthernetHeader)
    assert header.ethertype == ethernet.EtherType.IPV6
    packet = frame[ethernet.HEADER_LEN :]
    fixed = ipv6.parse(packet)
    assert isinstance(fixed, Ipv6Header), fixed
    upper = upper_layer(packet, fixed.next_header)
    return Seen6(header.dst, header.src, fixed, upper.protocol, packet[upper.offset :], packet)


def packet6_of(
    protocol: int,
    payload: bytes,
    src: str = PEER6,
    dst: str = OURS6,
    *,
    hops: int = 64,
    traffic_class: int = 0,
    flow: int = 0,
) -> bytes:
    header = Ipv6Header(traffic_class, flow, len(payload), protocol, hops, ip(src), ip(dst))
    return header.to_bytes() + payload


def frame6_of(packet: bytes, *, to: bytes | None = None, by: bytes = PEER_MAC) -> bytes:
    """Return a frame with a packet; to a group's MAC when the packet is to a group."""
    header = ipv6.parse_unchecked(packet)
    if to is None:
        group = header is not None and is_multicast(header.dst)
        to = multicast_mac(header.dst) if group and header is not None else OUR_MAC
    return frame_of(packet, ethernet.EtherType.IPV6, to=to, by=by)


def udp6_packet(
    sport: int = 9, dport: int = 7, payload: bytes = b"hello", src: str = PEER6, dst: str = OURS6
) -> bytes:
    segment = udp.to_bytes(sport, dport, payload, ip(src), ip(dst))
    return packet6_of(NextHeader.UDP, segment, src, dst)


def udp6_frame(
    sport: int = 9, dport: int = 7, payload: bytes = b"hello", src: str = PEER6, dst: str = OURS6
) -> bytes:
    return frame6_of(udp6_packet(sport, dport, payload, src, dst))


def icmp6_packet(
    kind: int,
    code: int = 0,
    rest: int = 0,
    body: bytes = b"",
    src: str = PEER6,
    dst: str = OURS6,
    *,
    hops: int = 64,
) -> bytes:
    message = icmpv6.Icmpv6Message(kind, code, rest, body).to_bytes(ip(src), ip(dst))
    return packet6_of(NextHeader.ICMPV6, message, src, dst, hops=hops)


def echo6_request(
    ident: int = 7,
    sequence: int = 1,
    data: bytes = b"abc",
    src: str = PEER6,
    dst: str = OURS6,
) -> bytes:
    rest = ident << 16 | sequence
    return frame6_of(icmp6_packet(icmpv6.Type.ECHO_REQUEST, 0, rest, data, src, dst))


def nd_frame(
    message: ndp.Message,
    src: str = PEER6,
    dst: str = OURS6,
    *,
    to: bytes | None = None,
    hops: int = ndp.HOP_LIMIT,
    by: bytes = PEER_MAC,
) -> bytes:
    """Return a message of neighbor discovery."""
    body = message.to_bytes(ip(src), ip(dst))
    return frame6_of(packet6_of(NextHeader.ICMPV6, body, src, dst, hops=hops), to=to, by=by)


def solicit(
    target: str = OURS6,
    src: str = PEER6,
    dst: str | None = None,
    *,
    mac: bytes | None = PEER_MAC,
) -> bytes:
    """Return a neighbor solicitation, to the target's solicited-node group or to ``dst``."""
    own = None if ip(src) == UNSPECIFIED6 else mac
    message = ndp.NeighborSolicitation(ip(target), Options(source=own))
    return nd_frame(message, src, text(solicited_node(ip(target))) if dst is None else dst)


def advertise(
    target: str = PEER6,
    flags: str = "SO",
    *,
    mac: bytes | None = PEER_MAC,
    src: str | None = None,
    dst: str = OURS6,
) -> bytes:
    """Return a neighbor advertisement with some of the flags R, S and O."""
    message = ndp.NeighborAdvertisement(
        "R" in flags, "S" in flags, "O" in flags, ip(target), Options(target=mac)
    )
    return nd_frame(message, target if src is None else src, dst)
