"""Proxy ARP (RFC 1027): a router answers for hosts that it reaches by another link.

No state is here: whom a link answers for is in ``interface.proxies``.
"""

from typing import TYPE_CHECKING

from smolctl.stack import reason
from smolctl.stack.fib import lookup as fib_lookup
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import RouteType
from smolctl.stack.fib.rule import Traits
from smolctl.stack.interface import Interface
from smolctl.stack.ipv4 import acd
from smolctl.stack.neighbor.output import arp_output
from smolctl.stack.packet import Cast
from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire import arp
from smolctl.wire.address import format_address

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

Refused = tuple[Reason | None, dict[str, object]]


def speaks_for(stack: "Stack", interface: Interface, sender: int, target: int) -> bool:
    """Tell whether a link answers for an address that is not ours.

    Source: Linux ``arp_process``, ``arp_fwd_proxy``: what we forward, and by another link only,
    since who is on this one answers for himself.
    """
    wanted = stack.settings["arp.proxy"] or target in interface.proxies.entries
    return bool(wanted) and not _obstacle(stack, interface, sender, target)


def _obstacle(stack: "Stack", interface: Interface, sender: int, target: int) -> str:
    """Return why a packet to an address could not be sent on by another link; "" if it could."""
    if not stack.settings["ip.forward"]:
        return "ip.forward is 0"
    route = fib_lookup.pick_route(stack, target, None, sender, Traits(iif=interface.name))
    if route is None or route.type is not RouteType.UNICAST:
        return "there is no route to it"
    hops = route.hops if isinstance(route, Multipath) else (route,)
    if all(hop.dev == interface.name for hop in hops):
        return f"it is reached by {interface.name} itself"
    return ""


def idle(stack: "Stack", interface: Interface, sender: int, target: int) -> dict[str, object]:
    """Return the details of a proxy entry that is of no use."""
    problem = _obstacle(stack, interface, sender, target)
    detail: dict[str, object] = {"ip": format_address(target), "problem": problem}
    if not stack.settings["ip.forward"]:
        detail["value"] = 1
    return detail


def answer_for(
    stack: "Stack", interface: Interface, packet: arp.ArpPacket, cast: Cast, now: int, trace: Trace
) -> Refused:
    """Answer who asks for a host behind us, at once or after a random time.

    Linux waits so that the host itself, if it is on the link after all, answers first; who asks us
    by unicast is answered at once.
    """
    if cast is Cast.HOST or not stack.settings["neigh.proxy_delay_ms"]:
        _reply(stack, interface, packet, now, trace)
        return None, {}
    wait_ns = interface.proxies.delay(packet, trace, now)
    shown: dict[str, object] = {"ip": format_address(packet.target_ip)}
    if wait_ns is None:
        limit = stack.settings["neigh.proxy_qlen"]
        value = max(2 * limit, 8)
        return reason.ARP_PROXY_QUEUE_FULL, {**shown, "limit": limit, "value": value}
    return reason.ARP_PROXY_DELAYED, {**shown, "ms": wait_ns // 1_000_000}


def expire(stack: "Stack", interface: Interface, now: int) -> None:
    """Answer the requests whose time has come, unless things have changed."""
    for packet, trace in interface.proxies.due(now):
        if speaks_for(stack, interface, packet.sender_ip, packet.target_ip):
            _reply(stack, interface, packet, now, trace)
        else:
            why, detail = acd.unanswered(interface, packet.target_ip, packet.sender_ip)
            stack.ledger.record(why, interface.name, now, trace, **detail)


def purge(stack: "Stack", interface: Interface, now: int) -> None:
    """Drop the requests that wait on a link that goes down (Linux ``pneigh_queue_purge``)."""
    for packet, trace in interface.proxies.purge():
        stack.ledger.record(
            reason.ARP_PROXY_PURGED, interface.name, now, trace,
            ip=format_address(packet.target_ip),
        )  # fmt: skip


def _reply(
    stack: "Stack", interface: Interface, packet: arp.ArpPacket, now: int, trace: Trace
) -> None:
    """Say that the target is here; what is then sent here, is forwarded."""
    trace.settle(Fate.ANSWERED, now)
    reply = stack.journal.begin(Direction.OUT, now, trace, interface.name)
    sender, mac = packet.sender_ip, packet.sender_mac
    arp_output(stack, interface, arp.Op.REPLY, packet.target_ip, mac, sender, mac, now, reply)
    stack.ledger.count("arp.proxy_replies_sent")
