"""Neighbor discovery about addresses of this node that comes in (RFC 4862 5.4.3, 5.4.4).

It changes tests alone, not addresses: these follow when time passes.
"""

from smolctl.stack import reason
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv6.addresses import is_optimistic
from smolctl.stack.ipv6.nd_output import sender_mac
from smolctl.stack.packet import Packet
from smolctl.stack.trace.trace import Fate
from smolctl.wire import ethernet, icmpv6, ipv6
from smolctl.wire.address import IPV6, UNSPECIFIED6, from_packed
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ndp import NeighborSolicitation

_AT = ethernet.HEADER_LEN + ipv6.HEADER_LEN
_TARGET = slice(_AT + icmpv6.HEADER_LEN, _AT + icmpv6.HEADER_LEN + IPV6.size)
"""The place of a target in a frame without extension headers."""
_NEXT_HEADER_AT = ethernet.HEADER_LEN + 6
_ABOUT = (icmpv6.Type.NEIGHBOR_SOLICITATION, icmpv6.Type.NEIGHBOR_ADVERTISEMENT)


def wants_own_frame(interface: Interface, frame: bytes) -> bool:
    """Tell whether a frame from our own MAC is about an address that is tested.

    It is our own question, which came back, or that of a node with our MAC, whose link-local
    address is ours as well (RFC 4862 5.4.5, appendix A).
    """
    dad = interface.ipv6.dad
    if not dad or len(frame) < _TARGET.stop:
        return False
    if frame[_NEXT_HEADER_AT] != NextHeader.ICMPV6 or frame[_AT] not in _ABOUT:
        return False
    return dad.tested(from_packed(frame[_TARGET])) is not None


def is_answered(address: Address, source: int) -> bool:
    """Tell whether somebody who asks for an address of ours gets an answer.

    For an optimistic one an answer goes to those who have an address (RFC 4429 3.3).
    """
    return not address.tentative or (is_optimistic(address) and source != UNSPECIFIED6)


def tested_input(
    net: Network, packet: Packet, message: NeighborSolicitation, address: Address
) -> None:
    """Take a solicitation for an address that is tested, or that another node has.

    Source: RFC 4862 5.4.3, RFC 7527 4.2; Linux ``ndisc_recv_ns``.
    """
    local, source = address.local, packet.header.src
    entry = net.of(packet.interface).dad.tested(local)
    if address.dadfailed:
        packet.record(reason.ND_TARGET_NOT_OURS, ip=local, source=source)
    elif entry is None or source != UNSPECIFIED6:
        packet.record(reason.ND_TARGET_TENTATIVE, ip=local, _address=address)
    elif entry.nonce is not None and message.options.nonce == entry.nonce:
        _looped(packet, local)
    else:
        _refuted(net, packet, address, "tester")


def conflict_input(net: Network, packet: Packet, address: Address) -> None:
    """Take an advertisement of an address that is ours, or is tested.

    Source: RFC 4862 5.4.4; Linux ``ndisc_recv_na``.
    """
    interface, local = packet.interface, address.local
    own = sender_mac(packet) == interface.mac
    if not address.tentative:
        packet.record(reason.ND_ADDRESS_CONFLICT, ip=local, mac=sender_mac(packet))
    elif net.of(interface).dad.tested(local) is None:
        packet.record(reason.ND_TARGET_TENTATIVE, ip=local, _address=address)
    elif own and is_optimistic(address):
        # Such an address is advertised while it is tested, and that may come back.
        _looped(packet, local)
    else:
        _refuted(net, packet, address, "owner")


def _looped(packet: Packet, local: int) -> None:
    packet.record(reason.ND_DAD_LOOPED, ip=local)
    packet.trace.settle(Fate.ABSORBED, packet.now)


def _refuted(net: Network, packet: Packet, address: Address, cause: str) -> None:
    """Take note that another node has, or tests, an address that is tested here."""
    dad = net.of(packet.interface).dad
    entry, mac = dad.find(address), sender_mac(packet)
    if entry is not None:
        dad.refuted(entry, mac, packet.now)
    plen = address.plen
    packet.record(reason.ND_DAD_FAILED, ip=address.local, mac=mac, cause=cause, plen=plen)
