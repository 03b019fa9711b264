"""ICMP redirects in: another first hop for one destination, if whoever says so may."""

from typing import TYPE_CHECKING

from smolctl.stack import reason
from smolctl.stack.fib.route import RouteType, TableName
from smolctl.stack.fib.rule import Traits
from smolctl.stack.interface import Interface
from smolctl.stack.ip.host_model import is_near
from smolctl.stack.ip.route_output import Decision, decide
from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire import icmpv4, ipv4
from smolctl.wire.address import format_address, is_class_e, is_loopback, is_multicast, is_zeronet

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

_CODES = 4
"""Network, host, and both with a type of service (RFC 792)."""


def redirect_input(
    stack: "Stack",
    interface: Interface,
    header: ipv4.Ipv4Header,
    message: icmpv4.IcmpMessage,
    now: int,
    trace: Trace,
) -> None:
    """Learn a better first hop (RFC 1122 3.2.2.2), or say why it is not believed.

    A network redirect is taken for its destination host alone: whose network that is cannot be
    known (RFC 1122 3.2.2.2). Source: Linux ``__ip_do_redirect``.
    """
    shown = format_address
    record, name = stack.ledger.record, interface.name
    quote = icmpv4.parse_quote(message.body)
    detail: dict[str, object] = {
        "offender": shown(header.src),
        "gateway": shown(message.rest),
        "ip": shown(quote.dst if quote is not None else header.src),
        "type": message.type,
        "icmp_code": message.code,
    }
    if not stack.settings["ip.accept_redirects"]:
        record(reason.ICMP_REDIRECT_IGNORED, name, now, trace, **detail)
        return
    if quote is None or message.code >= _CODES or not _ours(stack, name, quote):
        record(reason.ICMP_ERROR_UNMATCHED, name, now, trace, **detail)
        return
    traits = Traits(quote.protocol, quote.sport or 0, quote.dport or 0)
    way = decide(stack, quote.dst, quote.src, traits=traits)
    if (
        not isinstance(way, Decision)
        or way.route is None
        or way.gateway != header.src
        or way.interface is not interface
    ):
        hop = shown(way.next_hop) if isinstance(way, Decision) else ""
        record(reason.ICMP_REDIRECT_STRANGER, name, now, trace, hop=hop, **detail)
        return
    refused = _refused(stack, interface, message.rest, header.src)
    if refused is not None:
        record(refused, name, now, trace, **detail)
        return
    stack.exceptions.redirect(quote.dst, way.route, message.rest, now)
    stack.touch()
    record(reason.ICMP_REDIRECTED, name, now, trace, **detail)
    trace.settle(Fate.ABSORBED, now)


def _ours(stack: "Stack", dev: str, quote: icmpv4.Quote) -> bool:
    """Tell whether the quoted packet may be ours: of UDP, whether a socket sent it (Linux)."""
    if not stack.fib.is_local(quote.src):
        return False
    if quote.protocol != ipv4.Protocol.UDP:
        return True
    if quote.sport is None or quote.dport is None:
        return False
    return stack.udp.lookup(quote.dst, quote.dport, quote.src, quote.sport, dev) is not None


def _refused(stack: "Stack", interface: Interface, gateway: int, old: int) -> Reason | None:
    """Judge the gateway that a redirect names; None when it will do."""
    if gateway == old or not _is_host(stack, gateway):
        return reason.ICMP_REDIRECT_NO_HOST
    if not stack.settings["ip.shared_media"] and not is_near(interface, gateway):
        # RFC 1122 3.2.2.2: the new gateway must be on the network that the redirect came by.
        return reason.ICMP_REDIRECT_OFF_LINK
    if stack.settings["ip.secure_redirects"] and not _is_default_gateway(stack, gateway):
        return reason.ICMP_REDIRECT_INSECURE
    return None


def _is_host(stack: "Stack", address: int) -> bool:
    return not (
        is_zeronet(address)
        or is_loopback(address)
        or is_multicast(address)
        or is_class_e(address)
        or stack.is_broadcast(address)
        or stack.fib.is_local(address)
    )


def _is_default_gateway(stack: "Stack", address: int) -> bool:
    """Source: Linux ``ip_fib_check_default``."""
    return any(
        route.plen == 0 and route.via == address and route.type is RouteType.UNICAST
        for route in stack.fib.tables[TableName.MAIN].chain(0, 0)
    )
