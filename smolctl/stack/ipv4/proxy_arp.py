"""Proxy ARP (RFC 1027): a router answers for hosts that it reaches by another link.

No state is here: whom a link answers for is in its ``IpInterface``.
"""

from smolctl.stack import reason
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip import proxy_answers
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv4 import acd
from smolctl.stack.ipv4.arp_output import arp_reply
from smolctl.stack.neighbor.proxy import NeighborRequest
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import SpokenFor
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire import arp

Refusal = tuple[Reason | None, dict[str, object]]


def speaks_for(net: Network, interface: Interface, sender: int, target: int) -> bool:
    """Tell whether a link answers for an address that is not ours.

    Source: Linux ``arp_process``, ``arp_fwd_proxy``: what we forward, and by another link only,
    since who is on this one answers for himself; but for ``arp_fwd_pvlan``, where he is not heard.
    """
    settings = interface.settings
    wanted = settings["arp.proxy"] or target in net.of(interface).proxies.entries
    if not (wanted or settings["arp.proxy_pvlan"]):
        return False
    obstacle = _obstacle(net, interface, sender, target)
    if obstacle == "link":
        return bool(settings["arp.proxy_pvlan"]) and sender != target
    return bool(wanted) and not obstacle


def _obstacle(net: Network, interface: Interface, sender: int, target: int) -> str:
    """Return why no other link leads to an address, as reasons have it; "" if one does."""
    if not interface.settings["ip.forward"]:
        return "forward"
    route = net.lookup(RouteKey(target, sender, iif=interface.name))
    if not isinstance(route, Route) or route.type is not RouteType.UNICAST:
        return "route"
    hops = route.hops if isinstance(route, Multipath) else (route,)
    if all(hop.dev == interface.name for hop in hops):
        return "link"
    return ""


def idle(net: Network, interface: Interface, sender: int, target: int) -> dict[str, object]:
    """Return the details of a proxy entry that is of no use."""
    cause = _obstacle(net, interface, sender, target)
    detail: dict[str, object] = {"ip": target, "cause": cause}
    if not interface.settings["ip.forward"]:
        detail["value"] = 1
    return detail


def answer_for(net: Network, packet: Packet) -> Refusal:
    """Answer who asks for a host behind us, at once or after a random time.

    Linux waits so that the host itself, if it is on the link after all, answers first; who asks us
    by unicast is answered at once.
    """
    message, trace, now = packet.message, packet.trace, packet.now
    target, interface = message.target_ip, packet.interface
    route = net.lookup(RouteKey(target, message.sender_ip, iif=interface.name))
    dev = route.dev if isinstance(route, Route) else None
    listed = target in net.of(interface).proxies.entries
    packet.step("target", "ok", SpokenFor(target, dev, listed))
    if packet.pkt_type is PacketType.HOST or not interface.settings["neigh.proxy_delay_ms"]:
        _reply(net, packet.interface, message, now, trace)
        return None, {}
    asked = NeighborRequest(message, message.sender_ip, target, trace)
    waits, full = reason.ARP_PROXY_DELAYED, reason.ARP_PROXY_QUEUE_FULL
    return proxy_answers.delay(net, interface, asked, now, waits, full)


def answer_delayed(net: Network, interface: Interface, asked: NeighborRequest, now: int) -> None:
    """Answer a request whose time has come, unless things have changed."""
    message, source, target, trace = asked
    assert isinstance(message, arp.ArpPacket)
    if speaks_for(net, interface, source, target):
        _reply(net, interface, message, now, trace)
    else:
        why, values = acd.unanswered(net, interface, target, source)
        net.recorder.record(why, interface.name, now, trace, **values)


def _reply(
    net: Network, interface: Interface, message: arp.ArpPacket, now: int, trace: Trace
) -> None:
    """Say that the target is here; what is then sent here, is forwarded."""
    trace.settle(Fate.ANSWERED, now)
    arp_reply(net, interface, message, now, trace)
    net.recorder.count("arp.proxy_replies_sent")
