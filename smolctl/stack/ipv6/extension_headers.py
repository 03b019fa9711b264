"""Extension headers in: they are passed, or what is wrong with them is answered (RFC 8200 4)."""

from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import ErrorKind
from smolctl.stack.packet import Packet
from smolctl.stack.sysctl.settings import Settings
from smolctl.wire.address import is_multicast
from smolctl.wire.fault import Fault6, WireFault
from smolctl.wire.icmpv6 import ParameterProblem
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import PROBLEMS, Chain, Limits, hop_by_hop, walk

WholeChain = Chain
"""The headers of a packet that may go on."""
_KINDS = {
    ParameterProblem.HEADER: ErrorKind.BAD_HEADER,
    ParameterProblem.NEXT_HEADER: ErrorKind.PROTOCOL,
    ParameterProblem.OPTION: ErrorKind.OPTION,
    ParameterProblem.FIRST_FRAGMENT: ErrorKind.HEADERS,
}
_QUIET = 3
"""Of an unknown option: nothing is sent when the packet went to a group (RFC 8200 4.2)."""


def limits(settings: Settings) -> Limits:
    """Return how many options and headers a packet may ask this stack to look at."""
    return Limits(settings["ip6.max_hbh_opts"], settings["ip6.max_dst_opts"])


def headers_input(net: Network, packet: Packet) -> WholeChain | None:
    """Return the extension headers of a packet that is for us; None when it ends here."""
    chain = walk(packet.data, packet.header, limits(net.settings))
    if isinstance(chain, WireFault):
        refused(net, packet, chain)
        return None
    packet.chain, packet.upper = chain, chain.offset
    packet.data = packet.data[: chain.end]
    packet.step("headers", "ok", chain)
    return chain


def refused(net: Network, packet: Packet, fault: WireFault) -> None:
    """Drop a packet for its extension headers, and tell its sender where the RFC wants that."""
    packet.malformed(fault)
    code = PROBLEMS.get(fault.fault)
    quiet = fault.detail.get("action") == _QUIET and is_multicast(packet.header.dst)
    if code is None or (quiet and fault.fault is Fault6.IP6_OPTION_UNKNOWN):
        return
    net.answer_error(packet, _KINDS[ParameterProblem(code)], fault.offset)


def hop_by_hop_passed(net: Network, packet: Packet) -> bool:
    """Look at the options that are for nodes on the way; False when the packet ends here.

    All else is for its destination, and no router looks at it (RFC 8200 4).
    """
    if packet.header.next_header != NextHeader.HOP_BY_HOP:
        return True
    fault = hop_by_hop(packet.data, packet.header, limits(net.settings))
    if fault is not None:
        refused(net, packet, fault)
    return fault is None
