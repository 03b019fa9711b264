"""ARP output: requests for the MAC addresses of next hops, and answers (RFC 826)."""

from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.quoted import tell_unreachable
from smolctl.stack.ipv4.arp_policy import may_ask_from
from smolctl.stack.ipv4.source_address import select_source
from smolctl.stack.link.output import ethernet_output
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Detail
from smolctl.stack.trace.facts import Asked
from smolctl.stack.trace.trace import Direction, Trace
from smolctl.wire import arp, ethernet, icmpv4
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC


def arp_output(
    net: Network,
    out: Interface,
    message: arp.ArpPacket,
    frame_dst: bytes,
    now: int,
    trace: Trace | None = None,
) -> None:
    """Send one ARP packet."""
    if trace is None:
        trace = net.recorder.begin(Direction.OUT, now, None, out.name)
    else:
        net.recorder.follow(trace, now)
    trace.dev, trace.src = out.name, message.sender_ip
    packet = Packet(message.to_bytes(), out, now, trace, net.recorder)
    ethernet_output(packet, frame_dst, ethernet.EtherType.ARP)


def arp_request(out: Interface, sender: int, target: int) -> arp.ArpPacket:
    """Return a request from our MAC address for that of ``target``."""
    return arp.ArpPacket(arp.Op.REQUEST, out.mac, sender, ZERO_MAC, target)


def arp_reply(net: Network, out: Interface, request: arp.ArpPacket, now: int, cause: Trace) -> None:
    """Answer a request: its target is here."""
    sender, mac = request.sender_ip, request.sender_mac
    trace = net.recorder.begin(Direction.OUT, now, cause, out.name)
    message = arp.ArpPacket(arp.Op.REPLY, out.mac, request.target_ip, mac, sender)
    arp_output(net, out, message, mac, now, trace)


class ArpResolver:
    """ARP as the neighbor machine knows it: ``neighbor.resolver.Resolver``."""

    ethertype = int(ethernet.EtherType.IPV4)

    def __init__(self, net: Network) -> None:
        self._net = net

    def is_for_all(self, next_hop: int) -> bool:
        """Tell whether an address is a broadcast address."""
        return self._net.is_broadcast(next_hop)

    def solicit(self, out: Interface, entry: Neighbor, *, unicast: bool, now: int) -> None:
        """Ask for a neighbor's MAC, from the address that the waiting packet has if that may be.

        On a link without ARP nobody is asked, even if a user has made an entry without a MAC
        address (Linux ``arp_send_dst``).
        """
        net = self._net
        if not out.arp:
            return
        sender = None
        source = entry.queue[-1].source if entry.queue else entry.source
        if source:
            sender = source if may_ask_from(net, out, source, entry.ip) else None
        if sender is None:
            sender = select_source(net, out, entry.ip, Scope.LINK) or 0
        target = entry.lladdr if unicast and entry.lladdr is not None else BROADCAST_MAC
        asked = Asked(entry.ip, sender, entry.probes, unicast)
        cause = net.neighbors.tell_waiting(out, entry, "arp", asked, now)
        trace = net.recorder.begin(Direction.OUT, now, cause, out.name)
        arp_output(net, out, arp_request(out, sender, entry.ip), target, now, trace)
        net.recorder.count("arp.requests_sent")

    def unreachable(self, packet: Packet, detail: Detail) -> None:
        """Tell the sender that the next hop does not answer (Linux arp_error_report).

        The sender of a packet that was forwarded is told by ICMP (RFC 1812 5.2.7.1).
        """
        tell_unreachable(self._net, packet, icmpv4.parse_quote(packet.data), detail)
