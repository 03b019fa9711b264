"""Neighbor discovery output: solicitations and advertisements (RFC 4861 7.2.2, 7.2.4)."""

from smolctl.stack import reason
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.quoted import tell_unreachable
from smolctl.stack.ipv6.addresses import asking_address, optimistic_address, usable
from smolctl.stack.link.output import ethernet_output
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Detail
from smolctl.stack.trace.facts import Announced, Asked
from smolctl.stack.trace.trace import Direction, Trace
from smolctl.wire import ethernet, icmpv6, ndp
from smolctl.wire.address import (
    UNSPECIFIED6,
    ZERO_MAC,
    is_multicast,
    multicast_mac,
    solicited_node,
)
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.ndp import NeighborAdvertisement, NeighborSolicitation, Options


def nd_output(
    net: Network,
    out: Interface,
    message: ndp.Message,
    src: int,
    dst: int,
    trace: Trace,
    now: int,
) -> Packet:
    """Return the packet of a message, with the hop limit 255 (RFC 4861 7.2.2); it is to be sent."""
    trace.dev, trace.src = out.name, src
    body = message.to_bytes(src, dst)
    header = Ipv6Header(0, 0, len(body), NextHeader.ICMPV6, ndp.HOP_LIMIT, src, dst)
    packet = Packet(header.to_bytes() + body, out, now, trace, net.recorder)
    packet.header, trace.frame = header, packet.data
    return packet


def solicitation(
    out: Interface, target: int, src: int, nonce: bytes | None = None
) -> NeighborSolicitation:
    """Return the question who has an address.

    Args:
        src: our address; ``::`` to test ``target`` (RFC 4862 5.4.2), which tells no MAC of ours.
        nonce: of a test, to know it again when it comes back (RFC 7527 4.1).
    """
    own = out.mac if src != UNSPECIFIED6 else None
    return NeighborSolicitation(target, Options(source=own, nonce=nonce))


def solicitation_output(
    net: Network,
    out: Interface,
    message: NeighborSolicitation,
    src: int,
    trace: Trace,
    now: int,
    lladdr: bytes | None = None,
) -> None:
    """Ask who has an address: its solicited-node group, or by unicast the station that had it.

    Args:
        src: as of ``solicitation``.
        lladdr: of the station that is asked by unicast.
    """
    target = message.target
    dst = target if lladdr is not None else solicited_node(target)
    packet = nd_output(net, out, message, src, dst, trace, now)
    mac = lladdr if lladdr is not None else multicast_mac(dst)
    net.recorder.count("nd.solicitations_sent")
    ethernet_output(packet, mac, ethernet.EtherType.IPV6)


def advertisement_output(
    net: Network,
    out: Interface,
    message: NeighborAdvertisement,
    dst: int,
    trace: Trace,
    now: int,
) -> None:
    """Say that an address is ours, to who asked or to everybody on the link.

    Raises: as ``Neighbors.output``.
    """
    # Nothing is sent from an address that other nodes have as well (RFC 4861 7.2.4: valid unicast).
    # Linux ndisc_send_na chooses another one for who asked.
    src: int | None = message.target
    if not net.has_address(out, message.target):
        src = net.select_source(out, dst, None, Scope.LINK)
    if src is None:
        net.recorder.record(reason.TX_NO_SOURCE, out.name, now, trace, ip=dst, _next_hop=dst)
        return
    packet = nd_output(net, out, message, src, dst, trace, now)
    packet.answer = trace.cause is not None
    net.recorder.count("nd.advertisements_sent")
    if is_multicast(dst):
        ethernet_output(packet, multicast_mac(dst), ethernet.EtherType.IPV6)
    else:
        net.neighbors.output(packet, dst)


def announcement_output(
    net: Network, out: Interface, tested: int, neighbor: int, trace: Trace, now: int
) -> None:
    """Tell a neighbor where an optimistic address is, so that it tells where it is itself.

    An address that is still tested may not ask (RFC 4429 3.2), and what waits for its test waits a
    second. It may be advertised, without the O flag (RFC 4429 3.3), also unasked (RFC 4861 7.2.6,
    RFC 9131 4). This one goes to the solicited-node group of the neighbor, which knows by that who
    is looked for, if it is one of ours (``nd_input``); to any other it is an advertisement of a
    node that it does not talk to.
    """
    said = NeighborAdvertisement(net.is_router(out), False, False, tested, Options(target=out.mac))
    advertisement_output(net, out, said, solicited_node(neighbor), trace, now)


def sender_mac(packet: Packet) -> bytes:
    """Return the MAC that the frame came from; zeros of one that came without a frame."""
    return packet.trace.frame[6:12] if packet.trace.linked else ZERO_MAC


class NdResolver:
    """Neighbor discovery as the neighbor machine knows it: ``neighbor.resolver.Resolver``."""

    ethertype = int(ethernet.EtherType.IPV6)

    def __init__(self, net: Network) -> None:
        self._net = net

    def is_for_all(self, _next_hop: int) -> bool:
        """Return False: IPv6 has groups instead."""
        return False

    def solicit(self, out: Interface, entry: Neighbor, *, unicast: bool, now: int) -> None:
        """Ask for a neighbor's MAC, from the address that the waiting packet has if it is here.

        Without any address of this link nobody could answer, and nothing is asked (Linux
        ``ndisc_send_ns``); with one that is optimistic, that is advertised instead.
        """
        net = self._net
        wanted = source = entry.queue[-1].source if entry.queue else entry.source
        if not usable(out, source):
            source = asking_address(out)
        tested = optimistic_address(out, wanted) if source == UNSPECIFIED6 else None
        facts = (
            Asked(entry.ip, source, entry.probes, unicast)
            if tested is None
            else Announced(entry.ip, tested)
        )
        cause = net.neighbors.tell_waiting(out, entry, "nd", facts, now)
        if source == UNSPECIFIED6:
            net.recorder.count("nd.solicitations_without_source")
            if tested is not None:
                trace = net.recorder.begin(Direction.OUT, now, cause, out.name)
                announcement_output(net, out, tested, entry.ip, trace, now)
            return
        trace = net.recorder.begin(Direction.OUT, now, cause, out.name)
        lladdr = entry.lladdr if unicast else None
        question = solicitation(out, entry.ip, source)
        solicitation_output(net, out, question, source, trace, now, lladdr)

    def unreachable(self, packet: Packet, detail: Detail) -> None:
        """Tell the sender that the next hop does not answer (Linux ndisc_error_report).

        The sender of a packet that was forwarded is told by ICMPv6 (RFC 4861 7.2.2).
        """
        tell_unreachable(self._net, packet, icmpv6.parse_quote(packet.data), detail)
