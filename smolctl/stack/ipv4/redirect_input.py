"""ICMP redirects in: another first hop for one destination, if whoever says so may."""

from smolctl.stack import reason
from smolctl.stack.fib.route import RouteType, TableName
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip.host_model import is_near
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Fate
from smolctl.wire import icmpv4, ipv4
from smolctl.wire.address import is_host, is_loopback

_CODES = 4
"""Network, host, and both with a type of service (RFC 792)."""


def redirect_input(net: Network, packet: Packet) -> None:
    """Learn a better first hop (RFC 1122 3.2.2.2), or say why it is not believed.

    A network redirect is taken for its destination host alone: whose network that is cannot be
    known (RFC 1122 3.2.2.2). Source: Linux ``__ip_do_redirect``.
    """
    message, src, interface = packet.message, packet.header.src, packet.interface
    quote = icmpv4.parse_quote(message.body)
    values: dict[str, object] = {
        "offender": src,
        "gateway": message.rest,
        "ip": quote.dst if quote is not None else src,
        "type": message.type,
        "icmp_code": message.code,
    }
    if not net.settings["ip.accept_redirects"]:
        packet.record(reason.ICMP_REDIRECT_IGNORED, **values)
        return
    if quote is None or message.code >= _CODES or not _ours(net, interface.name, quote):
        packet.record(reason.ICMP_ERROR_UNMATCHED, **values)
        return
    ports = (quote.sport or 0, quote.dport or 0)
    key = RouteKey(quote.dst, quote.src, None, OUTPUT, 0, quote.protocol, *ports)
    way = route_output(net, key)
    if (
        not isinstance(way, Way)
        or way.route is None
        or way.gateway != src
        or way.interface is not interface
    ):
        hop = way.next_hop if isinstance(way, Way) else ""
        packet.record(reason.ICMP_REDIRECT_STRANGER, next_hop=hop, **values)
        return
    refused = _refused(net, interface, message.rest, src)
    if refused is not None:
        packet.record(refused, **values)
        return
    net.fib.exceptions.redirect(quote.dst, way.route, message.rest, packet.now)
    net.generation.touch()
    packet.record(reason.ICMP_REDIRECTED, **values)
    packet.trace.settle(Fate.ABSORBED, packet.now)


def _ours(net: Network, dev: str, quote: icmpv4.Quote) -> bool:
    """Tell whether the quoted packet may be ours: of UDP, whether a socket sent it (Linux)."""
    if not net.fib.is_local(quote.src):
        return False
    if quote.protocol != ipv4.Protocol.UDP:
        return True
    return net.transports[ipv4.Protocol.UDP].sender_of(quote, dev) is not None


def _refused(net: Network, interface: Interface, gateway: int, old: int) -> Reason | None:
    """Judge the gateway that a redirect names; None when it will do."""
    if gateway == old or not _may_be_gateway(net, gateway):
        return reason.ICMP_REDIRECT_NO_HOST
    if not net.settings["ip.shared_media"] and not is_near(net, interface, gateway):
        # RFC 1122 3.2.2.2: the new gateway must be on the network that the redirect came by.
        return reason.ICMP_REDIRECT_OFF_LINK
    if net.settings["ip.secure_redirects"] and not _is_default_gateway(net, gateway):
        return reason.ICMP_REDIRECT_INSECURE
    return None


def _may_be_gateway(net: Network, address: int) -> bool:
    other = is_host(address) and not is_loopback(address)
    return other and not net.is_broadcast(address) and not net.fib.is_local(address)


def _is_default_gateway(net: Network, address: int) -> bool:
    """Source: Linux ``ip_fib_check_default``."""
    return any(
        route.plen == 0 and route.via == address and route.type is RouteType.UNICAST
        for route in net.fib.tables[TableName.MAIN].chain(0, 0)
    )
