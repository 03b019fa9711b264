"""Redirects of neighbor discovery out: a host is told of a better first hop (RFC 4861 8.2)."""

from contextlib import suppress

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.way import Way
from smolctl.stack.ipv6.addresses import asking_address
from smolctl.stack.ipv6.nd_output import nd_output
from smolctl.stack.neighbor.states import VALID
from smolctl.stack.packet import Packet
from smolctl.stack.trace.trace import Direction
from smolctl.wire import ipv6
from smolctl.wire.address import is_link_local
from smolctl.wire.ndp import Options, Redirect

_OPTION_LEN, _FIXED_LEN = 8, 40
"""Bytes of an option without data, and of a redirect without options."""


def redirect_sent(net: Network, packet: Packet, way: Way) -> bool:
    """Tell the sender of a packet that goes back to its own link of the better first hop.

    Only a host on the link can go another way, and a router is known by its link-local address. A
    host that does not listen is left in peace for longer and longer. Source: Linux
    ``ip6_forward``, ``ndisc_send_redirect``.
    """
    header, out, now = packet.header, way.interface, packet.now
    target = way.next_hop
    if out is not packet.interface or not (target == header.dst or is_link_local(target)):
        return False
    src = asking_address(out)
    near = _link_of_neighbor(net, out, header.src)
    if not is_link_local(src) or near is None:
        return False
    if not net.redirects.allow(header.src, now):
        return False
    message = Redirect(target, header.dst, _options(net, packet, target))
    trace = net.recorder.begin(Direction.OUT, now, packet.trace, out.name)
    with suppress(SendRejected, NoBuffers):  # counted under its own reason
        net.neighbors.output(nd_output(net, near, message, src, header.src, trace, now), header.src)
    net.recorder.count("nd.redirects_sent")
    return True


def _link_of_neighbor(net: Network, out: Interface, host: int) -> Interface | None:
    """Return the link on which the sender of a packet is; None if a gateway leads to it.

    That is the link by which the packet came in, unless it came in by a wrong one.
    """
    for key in (RouteKey(host, oif=out.name), RouteKey(host)):
        route = net.lookup(key)
        if isinstance(route, Route) and route.type is RouteType.UNICAST:
            dev = route.dev if route.via is None else None
            return None if dev is None else net.interfaces.named(dev)
    return None


def _options(net: Network, packet: Packet, target: int) -> Options:
    """Return the link-layer address of the target, and as much of the packet as fits."""
    entry = net.neighbors[packet.interface.name].lookup(target)
    lladdr = None if entry is None or entry.state not in VALID else entry.lladdr
    room = ipv6.MIN_MTU - ipv6.HEADER_LEN - _FIXED_LEN - _OPTION_LEN
    room -= _OPTION_LEN if lladdr is not None else 0
    # The option counts units of 8 bytes (RFC 4861 4.6.3).
    return Options(target=lladdr, redirected=packet.data[: room & ~7])
