"""Forwarding: a packet that is for another host goes on to its next hop (RFC 1812 5.2.1.2).

``forward_input`` -> ``onward`` -> ``_send_on``. Input hands over what is valid and not for us, with
ip.forward on; a sender whose next hop does not answer is told by ``Arp.unreachable``. Every way out
of a function sends, or records a reason; ``drop_and_tell`` also tells the sender.
"""

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.fib.lookup import Found
from smolctl.stack.fib.route import Scope
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.forward import chosen, drop_and_tell, keep_onward, too_big, too_far, way_by
from smolctl.stack.ip.host_model import is_near, is_neighbor
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.output import loop_copy, note_way
from smolctl.stack.ip.protocol import ErrorKind
from smolctl.stack.ip.reverse_path import source_refused, way_back
from smolctl.stack.ip.route_input import Inbound
from smolctl.stack.ip.way import Refusal, Way, WayType
from smolctl.stack.ipv4.options import passing
from smolctl.stack.ipv4.options_input import options_checked
from smolctl.stack.ipv4.output import broadcast_mac
from smolctl.stack.ipv4.source_address import select_source
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Cut, PassedOn
from smolctl.stack.trace.trace import Direction, Fate
from smolctl.wire import ethernet, fragment, ipv4, ipv4_options
from smolctl.wire.address import is_class_e, is_link_local

_tuple = tuple.__new__
# RFC 1812 5.2.7.1, 5.3.1; Linux ip_error, ip_forward. Who is not here is not told.
_TOLD: dict[Reason, ErrorKind] = {
    reason.FWD_NO_ROUTE: ErrorKind.NET,
    reason.FWD_ROUTE_UNREACHABLE: ErrorKind.HOST,
    reason.FWD_ROUTE_PROHIBIT: ErrorKind.PROHIBITED,
    reason.TX_IFACE_DOWN: ErrorKind.HOST,
    reason.FWD_TTL_EXCEEDED: ErrorKind.TTL,
    reason.FWD_TOO_BIG: ErrorKind.TOO_BIG,
}


def forward_input(net: Network, packet: Packet, key: RouteKey, inbound: Inbound) -> None:
    """Send a packet on, or say why not.

    Args:
        packet: without padding; its header and addresses are valid, and it is not for us.
        inbound: what was decided about such packets.
    """
    packet.trace.pass_on(packet.interface.name)
    way = inbound.onward
    unfit = _unfit(net, packet) if way is None else None
    if unfit is not None:
        packet.record(unfit.reason, **unfit.values)
        return
    options = None
    if packet.header.options:
        options = options_checked(net, packet)
        if options is None:
            return
    if way is None:
        way = chosen(net, packet, key, onward(net, packet.interface, key, inbound.route), _TOLD)
        if way is None:
            return
        refused = source_refused(net, packet.interface, key, way.interface.name)
        if refused is not None:
            packet.record(refused[0], **refused[1])
            return
        keep_onward(net, key, inbound, way)
    else:
        note_way(net, key, way, packet.now, packet.trace)
    # RFC 1812 4.2.2.7, RFC 1191 4: what may be cut is not refused.
    refusal = too_far(packet, way) or (too_big(packet, way) if packet.header.df else None)
    if refusal is not None:
        drop_and_tell(net, packet, refusal, _TOLD, way.mtu)
        return
    if _is_detour(net, packet, key, way) and net.redirects.allow(packet.header.src, packet.now):
        net.answer_error(packet, ErrorKind.REDIRECT, way.next_hop)
        net.recorder.count("icmp.redirects_sent")
    packet.step("forward", "ok", _tuple(PassedOn, (key.dst, packet.header.ttl - 1)))
    _send_on(net, packet, way, options)


def onward(net: Network, interface: Interface, key: RouteKey, route: Found) -> Way | Refusal:
    """Choose the interface and next hop of a packet that came in; no side effect.

    Args:
        interface: by which it came in.
        route: that it matched.

    Source: RFC 1812 5.2.4; Linux ``ip_route_input_slow``.
    """
    if net.settings["ip.onlink_first"]:
        route = net.prefer_connected(key, route)
    return way_by(net, interface, key, route, reason.IP_RULE_REFUSED)


def _unfit(net: Network, packet: Packet) -> Refusal | None:
    """Return why a packet is not forwarded, whatever routes there are."""
    header = packet.header
    if packet.pkt_type is not PacketType.HOST:
        return Refusal(
            reason.FWD_GROUP_FRAME, "", {"ip": header.dst, "cause": packet.pkt_type.word}
        )
    if not net.settings["ip.forward_special"]:
        for ip in (header.dst, header.src):
            if is_link_local(ip) or is_class_e(ip):
                return Refusal(reason.FWD_SPECIAL_ADDRESS, "", {"ip": ip})
    return None


def _is_detour(net: Network, packet: Packet, key: RouteKey, way: Way) -> bool:
    """Tell whether a host should send such packets to the next hop itself, and be told so.

    Deviation: Linux does so by default when next hop and host are in different networks of the
    link, too, and without shared_media for destinations on the link; RFC 1812 5.2.7.2: MUST NOT.
    Source: Linux ``__mkroute_input``.
    """
    out, src = way.interface, packet.header.src
    return (
        out is packet.interface
        and way.type is WayType.UNICAST
        and out.settings["ip.send_redirects"] == 1
        and (
            is_neighbor(net, out, way_back(net, out, key, out.name))
            if out.settings["ip.shared_media"]
            else is_near(net, out, src, way.next_hop)
        )
    )


def _filled(
    net: Network, packet: Packet, way: Way, options: ipv4_options.Options | None
) -> ipv4.Ipv4Header:
    """Return the header with us in a record route or timestamp (RFC 1812 5.3.13.5, 5.3.13.6)."""
    header: ipv4.Ipv4Header = packet.header
    if options is None or (options.record is None and options.timestamp is None):
        return header
    own = select_source(net, way.interface, way.next_hop, Scope.LINK) or 0
    return header._replace(options=passing(net, options, own, packet.now))


def _send_on(net: Network, packet: Packet, way: Way, options: ipv4_options.Options | None) -> None:
    """Send a packet on with one hop less to go, in pieces if it must be (RFC 1812 4.2.2.7)."""
    out, trace, data = way.interface, packet.trace, packet.data
    header = _filled(net, packet, way, options)
    trace.dev, trace.gateway = out.name, way.gateway
    net.recorder.count("ip.datagrams_forwarded")
    if header.total_length <= way.mtu:
        aged = ipv4.aged(data)
        if header.options:
            aged = header._replace(ttl=header.ttl - 1).to_bytes() + data[header.header_len :]
        trace.frame, trace.linked = aged, False
        packet.data, packet.interface = aged, out
        _link_output(net, packet, way)
        if not header.options:
            net.learn_forward(way, trace)
    else:
        shorter = header._replace(ttl=header.ttl - 1)
        pieces = fragment.fragments(shorter, data[header.header_len :], way.mtu)
        net.recorder.count("ip.datagrams_fragmented")
        net.recorder.count("ip.fragments_created", len(pieces))
        packet.step("fragment", "ok", Cut(len(pieces), header.total_length, way.mtu, header.ident))
        trace.settle(Fate.FORWARDED, packet.now)
        for data in pieces:
            own = net.recorder.begin(Direction.OUT, packet.now, trace, out.name)
            own.frame, own.gateway = data, way.gateway
            piece = Packet(data, out, packet.now, own, net.recorder)
            piece.header = header
            _link_output(net, piece, way)


def _link_output(net: Network, packet: Packet, way: Way) -> None:
    """Hand a packet to the link that leads on."""
    ethertype = ethernet.EtherType.IPV4
    if packet.interface.medium is Medium.IP:
        net.loopback.output(packet, ethertype)
    else:
        try:  # a context manager costs each packet 0.2 us
            if way.type is WayType.BROADCAST:
                # Sockets here are part of "everybody" (RFC 1812 5.2.3).
                loop_copy(net, packet, ethertype)
                net.neighbors.output_to_all(packet, way.dst, broadcast_mac(packet.interface))
            else:
                net.neighbors.output(packet, way.next_hop)
        except (SendRejected, NoBuffers):  # recorded: the neighbor cache is full for good
            pass
