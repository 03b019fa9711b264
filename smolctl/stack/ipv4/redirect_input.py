"""ICMP redirects in: another first hop for one destination, if whoever says so may."""

from smolctl.stack import reason
from smolctl.stack.fib.route import RouteType, TableName
from smolctl.stack.interface import Interface
from smolctl.stack.ip.host_model import is_near
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.quoted import way_of
from smolctl.stack.ip.way import Refusal, Way
from smolctl.stack.packet import DeliveryError, Packet
from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Fate
from smolctl.wire import icmpv4, ipv4
from smolctl.wire.address import is_host, is_loopback

_CAUSES = ("net", "host", "net-tos", "host-tos")
"""Targets of redirects, by code (RFC 792), as the reason names them."""
Judged = tuple[Reason, dict[str, object]]


def redirect_input(net: Network, packet: Packet) -> None:
    """Learn a better first hop (RFC 1122 3.2.2.2), or say why it is not believed.

    A network redirect is taken for its destination host alone: whose network that is cannot be
    known (RFC 1122 3.2.2.2). Source: Linux ``__ip_do_redirect``.
    """
    message, src = packet.message, packet.header.src
    quote = icmpv4.parse_quote(message.body)
    values: dict[str, object] = {
        "offender": src,
        "gateway": message.rest,
        "ip": quote.dst if quote is not None else src,
        "type": message.type,
        "icmp_code": message.code,
    }
    why, more = _judge(net, packet, quote)
    detail = packet.record(why, **values, **more)
    if why is reason.ICMP_REDIRECTED:
        packet.trace.settle(Fate.ABSORBED, packet.now)
    if quote is None or quote.protocol not in net.transports:
        return
    sender = net.transports[quote.protocol].sender_of(quote, packet.interface.name)
    if sender is not None and net.fib.is_local(quote.src):
        number, now = quote.icmp_sequence or 0, packet.now
        sender.redirected(DeliveryError("", why, detail, src, quote.dst, number, now))


def _judge(net: Network, packet: Packet, quote: icmpv4.Quote | None) -> Judged:
    """Use the gateway that a redirect names, or return why not."""
    message, src, interface = packet.message, packet.header.src, packet.interface
    if not interface.settings["ip.accept_redirects"]:
        return reason.ICMP_REDIRECT_IGNORED, {}
    cause = _unmatched(net, interface.name, message.code, quote)
    if quote is None or cause is not None:
        return reason.ICMP_ERROR_UNMATCHED, {**_quoted(quote), "cause": cause}
    way = way_of(net, quote)
    if (
        not isinstance(way, Way)
        or way.route is None
        or way.gateway != src
        or way.interface is not interface
    ):
        return reason.ICMP_REDIRECT_STRANGER, _strange(way, interface)
    refused = _refused(net, interface, message.rest, src)
    if refused is not None:
        return refused
    net.fib.exceptions.redirect(quote.dst, way.route, message.rest, packet.now)
    net.generation.touch()
    return reason.ICMP_REDIRECTED, {"cause": _CAUSES[message.code]}


def _unmatched(net: Network, dev: str, code: int, quote: icmpv4.Quote | None) -> str | None:
    """Return why the quoted packet is not ours: of UDP, whether a socket sent it (Linux)."""
    if quote is None:
        return "quote"
    if code >= len(_CAUSES):
        return "code"
    if not net.fib.is_local(quote.src):
        return "source"
    if quote.protocol != ipv4.Protocol.UDP:
        return None
    return None if net.transports[ipv4.Protocol.UDP].sender_of(quote, dev) else "socket"


def _quoted(quote: icmpv4.Quote | None) -> dict[str, object]:
    return {} if quote is None else {"quoted": quote.src, "sport": quote.sport}


def _strange(way: Way | Refusal, interface: Interface) -> dict[str, object]:
    """Return why a redirect is not by the gateway that is in use."""
    if not isinstance(way, Way):
        return {"cause": "none"}
    if way.gateway is None or way.route is None:
        return {"cause": "direct"}
    cause = "gateway" if way.interface is interface else "link"
    return {"cause": cause, "next_hop": way.gateway, "out": way.interface.name}


def _refused(net: Network, interface: Interface, gateway: int, old: int) -> Judged | None:
    """Judge the gateway that a redirect names; None when it will do."""
    cause = "same" if gateway == old else _no_gateway(net, gateway)
    if cause is not None:
        return reason.ICMP_REDIRECT_NO_HOST, {"cause": cause}
    if not interface.settings["ip.shared_media"] and not is_near(net, interface, gateway):
        # RFC 1122 3.2.2.2: the new gateway must be on the network that the redirect came by.
        return reason.ICMP_REDIRECT_OFF_LINK, {}
    if interface.settings["ip.secure_redirects"] and not _is_default_gateway(net, gateway):
        return reason.ICMP_REDIRECT_INSECURE, {}
    return None


def _no_gateway(net: Network, address: int) -> str | None:
    """Return why an address can be no gateway, None when it may be one."""
    if net.fib.is_local(address):
        return "own"
    if net.is_broadcast(address):
        return "broadcast"
    return None if is_host(address) and not is_loopback(address) else "no-host"


def _is_default_gateway(net: Network, address: int) -> bool:
    """Source: Linux ``ip_fib_check_default``."""
    return any(
        route.plen == 0 and route.via == address and route.type is RouteType.UNICAST
        for route in net.fib.tables[TableName.MAIN].chain(0, 0)
    )
