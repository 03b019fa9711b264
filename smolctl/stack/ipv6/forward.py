"""Forwarding of IPv6: a packet for another node goes on to its next hop (RFC 8200 3, RFC 4443).

``forward_input`` -> ``onward`` -> ``_send_on``. Input hands over what is valid and not for us, with
ip6.forward on; a sender whose next hop does not answer is told by ``NdResolver.unreachable``.
"""

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.fib.lookup import Found
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.forward import chosen, drop_and_tell, keep_onward, too_big, too_far, way_by
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.output import note_way
from smolctl.stack.ip.protocol import ErrorKind
from smolctl.stack.ip.route_input import Inbound
from smolctl.stack.ip.way import Refusal, Way
from smolctl.stack.ipv6.extension_headers import hop_by_hop_passed
from smolctl.stack.ipv6.redirect_output import redirect_sent
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import PassedOn
from smolctl.wire import ethernet, ipv6
from smolctl.wire.address import UNSPECIFIED6, is_link_local
from smolctl.wire.ipv6 import NextHeader

_tuple = tuple.__new__
# RFC 4443 3; Linux ip6_pkt_drop, ip6_forward. Who is not here is not told.
_TOLD: dict[Reason, ErrorKind] = {
    reason.FWD_NO_ROUTE: ErrorKind.NET,
    reason.FWD_ROUTE_UNREACHABLE: ErrorKind.NET,
    reason.FWD_ROUTE_PROHIBIT: ErrorKind.PROHIBITED,
    reason.TX_IFACE_DOWN: ErrorKind.HOST,
    reason.FWD_TTL_EXCEEDED: ErrorKind.TTL,
    reason.FWD_TOO_BIG: ErrorKind.TOO_BIG,
    reason.FWD_LINK_LOCAL: ErrorKind.BEYOND_SCOPE,
}


def forward_input(net: Network, packet: Packet, key: RouteKey, inbound: Inbound) -> None:
    """Send a packet on, or say why not.

    Args:
        packet: without padding; its header and addresses are valid, and it is not for us.
        inbound: what was decided about such packets.
    """
    packet.trace.pass_on(packet.interface.name)
    header = packet.header
    if packet.pkt_type is not PacketType.HOST:
        packet.record(reason.FWD_GROUP_FRAME, ip=header.dst, cause=packet.pkt_type.word)
        return
    if not hop_by_hop_passed(net, packet):
        return
    way, beyond = inbound.onward, None
    if way is None:
        way = chosen(net, packet, key, onward(net, packet.interface, key, inbound.route), _TOLD)
        if way is None:
            return
        if header.src == UNSPECIFIED6 and _is_nobody(net, packet, way):
            packet.record(reason.IP6_SRC_UNSPECIFIED, ip=header.dst)
            return
        beyond = _beyond(packet, way)
        if beyond is None:
            keep_onward(net, key, inbound, way)
    else:
        note_way(net, key, way, packet.now, packet.trace)
    refusal = too_far(packet, way) or beyond
    if refusal is None:
        if way.interface is packet.interface:
            redirect_sent(net, packet, way)
        # RFC 8200 5: no router cuts a packet.
        refusal = too_big(packet, way)
    if refusal is not None:
        drop_and_tell(net, packet, refusal, _TOLD, way.mtu)
        return
    packet.step("forward", "ok", _tuple(PassedOn, (key.dst, header.hop_limit - 1)))
    _send_on(net, packet, way)


def onward(net: Network, interface: Interface, key: RouteKey, route: Found) -> Way | Refusal:
    """Choose the interface and next hop of a packet that came in; no side effect.

    Args:
        interface: by which it came in.
        route: that it matched.
    """
    return way_by(net, interface, key, route, reason.IP6_RULE_REFUSED)


def _is_nobody(net: Network, packet: Packet, way: Way) -> bool:
    """Tell whether a packet from no address is not sent on (RFC 4291 2.5.2).

    Linux ``ip6_forward`` asks only if it goes to another link.
    """
    return way.interface is not packet.interface or bool(net.settings["ip6.check_source"])


def _beyond(packet: Packet, way: Way) -> Refusal | None:
    """Refuse what would take a link-local address to another link (RFC 4291 2.5.6, RFC 4007 9)."""
    header = packet.header
    for ip in (header.src, header.dst):
        if is_link_local(ip) and way.interface is not packet.interface:
            return Refusal(reason.FWD_LINK_LOCAL, "", {"ip": ip, "out": way.interface.name})
    return None


def _send_on(net: Network, packet: Packet, way: Way) -> None:
    """Send a packet on with one hop less to go."""
    out, trace = way.interface, packet.trace
    trace.dev, trace.gateway = out.name, way.gateway
    net.recorder.count("ip6.datagrams_forwarded")
    packet.data = ipv6.aged(packet.data)
    packet.interface = out
    trace.frame, trace.linked = packet.data, False
    if out.medium is Medium.IP:
        net.loopback.output(packet, ethernet.EtherType.IPV6)
    else:
        try:  # noqa: SIM105  # a context manager costs each packet 0.2 us
            net.neighbors.output(packet, way.next_hop)
        except (SendRejected, NoBuffers):  # recorded: the neighbor cache is full for good
            pass
        if packet.header.next_header != NextHeader.HOP_BY_HOP:
            net.learn_forward(way, trace)
