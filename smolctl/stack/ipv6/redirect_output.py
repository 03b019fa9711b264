"""Redirects of neighbor discovery out: a host is told of a better first hop (RFC 4861 8.2)."""

from contextlib import suppress

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack import reason
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.forward import way_by
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.way import Refusal, Way
from smolctl.stack.ipv6.addresses import asking_address
from smolctl.stack.ipv6.nd_output import nd_output
from smolctl.stack.ipv6.output import packet_output
from smolctl.stack.neighbor.states import VALID
from smolctl.stack.packet import Packet
from smolctl.stack.trace.trace import Direction
from smolctl.wire import ipv6
from smolctl.wire.address import is_link_local
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ndp import Options, Redirect

_OPTION_LEN, _FIXED_LEN = 8, 40
"""Bytes of an option without data, and of a redirect without options."""


def redirect_sent(net: Network, packet: Packet, way: Way) -> None:
    """Tell the sender of a packet, which goes back to its own link, of the better first hop.

    Only who is no farther than the next link can go another way, and a router is known by its
    link-local address. A host that does not listen is left in peace for longer and longer. Source:
    Linux ``ip6_forward``, ``ndisc_send_redirect``.
    """
    header, came_by, now = packet.header, packet.interface, packet.now
    target = way.next_hop
    if target != header.dst and not is_link_local(target):
        return
    src = asking_address(came_by)
    if not is_link_local(src):
        return
    # Rules may have the redirect go by another link than the packet came in by, and so may routes.
    loose = not net.needs_dev(header.src)
    key = RouteKey(header.src, src, came_by.name, protocol=NextHeader.ICMPV6, loose=loose)
    route = net.lookup(key)
    if not isinstance(route, Route) or route.type is not RouteType.UNICAST:
        return
    back = way_by(net, came_by, key, route, reason.IP6_RULE_REFUSED)
    if isinstance(back, Refusal) or back.route is None or back.route.via is not None:
        return
    if not net.redirects.allow(header.src, now):
        return
    out = back.interface
    message = Redirect(target, header.dst, _options(net, packet, target))
    trace = net.recorder.begin(Direction.OUT, now, packet.trace, out.name)
    with suppress(SendRejected, NoBuffers):  # counted under its own reason
        packet_output(net, nd_output(net, out, message, src, header.src, trace, now), back)
    net.recorder.count("nd.redirects_sent")


def _options(net: Network, packet: Packet, target: int) -> Options:
    """Return the link-layer address of the target, and as much of the packet as fits."""
    entry = net.neighbors[packet.interface.name].lookup(target)
    lladdr = None if entry is None or entry.state not in VALID else entry.lladdr
    room = ipv6.MIN_MTU - ipv6.HEADER_LEN - _FIXED_LEN - _OPTION_LEN
    room -= _OPTION_LEN if lladdr is not None else 0
    # The option counts units of 8 bytes (RFC 4861 4.6.3).
    return Options(target=lladdr, redirected=packet.data[: room & ~7])
