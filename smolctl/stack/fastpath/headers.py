"""Headers of known flows: what a payload of some size gets in front, by the family of its flow."""

from collections.abc import Callable
from functools import partial
from struct import Struct

from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import PLAIN
from smolctl.stack.ip.way import Way
from smolctl.stack.ipv6.flow_label import flow_label
from smolctl.wire.address import IPV6_MARK
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.offload.run import Headers, Headers6, TaggedHeaders
from smolctl.wire.udp import HEADER_LEN, MAX_PAYLOAD, MAX_PAYLOAD6

MakeHeaders = Callable[[tuple[bytes, bytes], int], Headers]
"""Makes the headers of payloads of some bytes, from and to these MAC addresses."""
_PORTS = Struct("!HH")


def headers_of(net: Network, way: Way, src: int, sport: int, dport: int, ttl: int) -> MakeHeaders:
    """Return what makes the headers of a flow's datagrams, as the layered path would."""
    dst, make = way.dst, partial(_headers, src, way.dst, sport, dport, ttl)
    if dst >= IPV6_MARK:
        label = flow_label(net, PLAIN, src, dst, NextHeader.UDP, _PORTS.pack(sport, dport))
        header = Ipv6Header(0, label, 0, NextHeader.UDP, ttl, src, dst)
        make = partial(_headers6, header, sport, dport)
    return make if way.interface.vlan is None else partial(_tagged, way.interface, make)


def _headers(
    src: int, dst: int, sport: int, dport: int, ttl: int, macs: tuple[bytes, bytes], size: int
) -> Headers:
    return Headers(macs, src, dst, sport, dport, ttl, size)


def _headers6(
    header: Ipv6Header, sport: int, dport: int, macs: tuple[bytes, bytes], size: int
) -> Headers:
    return Headers6(macs, header, sport, dport, size)


def _tagged(
    out: Interface, make: MakeHeaders, macs: tuple[bytes, bytes], size: int
) -> TaggedHeaders:
    """Return headers by the interface of a VLAN, which may have a MAC address of its own."""
    tags = [each.vlan.tag.to_bytes() for each in out.passed if each.vlan is not None]
    return TaggedHeaders(make((macs[0], out.mac), size), b"".join(reversed(tags)))


def room(net: Network, way: Way) -> int:
    """Return how many bytes of payload leave in one packet by a way."""
    most = MAX_PAYLOAD if way.dst < IPV6_MARK else MAX_PAYLOAD6
    return min(way.mtu - net.header_len - HEADER_LEN, most)
