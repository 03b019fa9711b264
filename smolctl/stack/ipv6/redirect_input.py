"""Redirects of neighbor discovery in: another first hop for one destination (RFC 4861 8)."""

from smolctl.stack import reason
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.quoted import way_of
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.packet import DeliveryError, Packet
from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Fate
from smolctl.wire import icmpv6
from smolctl.wire.address import ZERO_MAC
from smolctl.wire.icmpv4 import Quote
from smolctl.wire.ndp import Redirect


def redirect_input(net: Network, packet: Packet, message: Redirect) -> None:
    """Learn a better first hop from the router in use, or say why it is not believed.

    Its target is the destination itself where that is on the link, else a router. Both were found
    right by ``ndp.parse``. Source: Linux ``rt6_do_redirect``.
    """
    src, now = packet.header.src, packet.now
    values: dict[str, object] = {
        "offender": src, "gateway": message.target, "ip": message.destination,
    }  # fmt: skip
    quote = icmpv6.parse_quote(message.options.redirected or b"")
    why, more = _judge(net, packet, message, quote)
    detail = packet.record(why, **values, **more)
    if why is not reason.REDIRECT6_TAKEN:
        return
    packet.trace.settle(Fate.ABSORBED, now)
    if quote is None or quote.protocol not in net.transports or not net.fib.is_local(quote.src):
        return
    sender = net.transports[quote.protocol].sender_of(quote, packet.interface.name)
    if sender is not None:
        number = quote.icmp_sequence or 0
        sender.redirected(DeliveryError("", why, detail, src, quote.dst, number, now))


def _judge(
    net: Network, packet: Packet, message: Redirect, quote: Quote | None
) -> tuple[Reason, dict[str, object]]:
    """Use the first hop that a redirect names, or return why not."""
    interface, src = packet.interface, packet.header.src
    if net.is_router(interface):
        return reason.REDIRECT6_IGNORED, {"cause": "router"}
    if not interface.settings["ip6.accept_redirects"]:
        return reason.REDIRECT6_IGNORED, {"cause": "sysctl"}
    # Without the packet that caused it, any packet to the destination tells the router in use.
    if quote is not None and quote.dst == message.destination and net.fib.is_local(quote.src):
        way = way_of(net, quote)
    else:
        way = route_output(net, RouteKey(message.destination))
    known = isinstance(way, Way) and way.interface is interface and way.gateway == src
    if not known or not isinstance(way, Way) or way.route is None:
        return reason.REDIRECT6_STRANGER, {}
    _learn_hop(net, packet, message)
    net.fib.exceptions.redirect(message.destination, way.route, message.target, packet.now)
    net.generation.touch()
    return reason.REDIRECT6_TAKEN, {}


def _learn_hop(net: Network, packet: Packet, message: Redirect) -> None:
    """Learn the link-layer address of the new first hop, if it is told (RFC 4861 8.3)."""
    mac, interface, now = message.options.target, packet.interface, packet.now
    if mac is None or mac[0] & 1 or mac == ZERO_MAC:
        return
    cache = net.neighbors[interface.name]
    taken, actions = cache.heard(message.target, mac, now, create=True, override=True)
    entry = cache.lookup(message.target)
    if taken and entry is not None and message.target != message.destination:
        entry.router = True
    net.neighbors.perform(interface, actions, now)
