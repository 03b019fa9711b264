"""Headers of known flows: what a payload of some size gets in front, by the family of its flow."""

from collections.abc import Callable
from functools import partial
from struct import Struct

from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import PLAIN
from smolctl.stack.ip.way import Way
from smolctl.stack.ipv6.flow_label import flow_label
from smolctl.wire.address import IPV6_MARK
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.offload.run import Headers, Headers6
from smolctl.wire.udp import HEADER_LEN, MAX_PAYLOAD, MAX_PAYLOAD6

MakeHeaders = Callable[[tuple[bytes, bytes], int], Headers]
"""Makes the headers of payloads of some bytes, from and to these MAC addresses."""
_PORTS = Struct("!HH")


def headers_of(net: Network, way: Way, src: int, sport: int, dport: int, ttl: int) -> MakeHeaders:
    """Return what makes the headers of a flow's datagrams, as the layered path would."""
    dst = way.dst
    if dst < IPV6_MARK:
        return partial(_headers, src, dst, sport, dport, ttl)
    label = flow_label(net, PLAIN, src, dst, NextHeader.UDP, _PORTS.pack(sport, dport))
    header = Ipv6Header(0, label, 0, NextHeader.UDP, ttl, src, dst)
    return partial(_headers6, header, sport, dport)


def _headers(
    src: int, dst: int, sport: int, dport: int, ttl: int, macs: tuple[bytes, bytes], size: int
) -> Headers:
    return Headers(macs, src, dst, sport, dport, ttl, size)


def _headers6(
    header: Ipv6Header, sport: int, dport: int, macs: tuple[bytes, bytes], size: int
) -> Headers:
    return Headers6(macs, header, sport, dport, size)


def room(net: Network, way: Way) -> int:
    """Return how many bytes of payload leave in one packet by a way."""
    most = MAX_PAYLOAD if way.dst < IPV6_MARK else MAX_PAYLOAD6
    return min(way.mtu - net.header_len - HEADER_LEN, most)
