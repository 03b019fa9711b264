"""Proxy neighbor discovery (RFC 4861 7.2.8): a router answers for hosts of another link.

Unlike proxy ARP it answers for the addresses of proxy entries alone. No state is here: whom a link
answers for is in its ``IpInterface``.
"""

from smolctl.stack import reason
from smolctl.stack.fib.route import Route
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip import proxy_answers
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv6.addresses import is_anycast_here
from smolctl.stack.ipv6.nd_answer import answer
from smolctl.stack.neighbor.proxy import NeighborRequest, ProxyEntry
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.trace.facts import Owner, SpokenFor
from smolctl.wire import icmpv6
from smolctl.wire.address import is_multicast
from smolctl.wire.ipv6 import HEADER_LEN, NextHeader
from smolctl.wire.ndp import NeighborSolicitation

_ND_TYPES = range(icmpv6.Type.ROUTER_SOLICITATION, icmpv6.Type.REDIRECT + 1)


def spoken_for(net: Network, interface: Interface, target: int) -> ProxyEntry | None:
    """Return the proxy entry by which a link answers for an address that is not ours.

    Source: Linux ``ndisc_recv_ns``, ``pndisc_is_router``. Whether there is a route is not asked.
    """
    entry = net.of(interface).proxies.entries.get(target)
    if entry is None or not (interface.settings["nd.proxy"] and net.is_router(interface)):
        return None
    return entry


def takes(net: Network, packet: Packet) -> bool:
    """Tell whether a packet to another host is neighbor discovery that we take in its place.

    What is sent to it by unicast comes here, since we have told that it is here. It would be of no
    use behind us: its hop limit counts there. Source: Linux ``ip6_forward_proxy_check``.
    """
    header, data = packet.header, packet.data
    if spoken_for(net, packet.interface, header.dst) is None:
        return False
    is_icmp = header.next_header == NextHeader.ICMPV6 and len(data) > HEADER_LEN
    return is_icmp and data[HEADER_LEN] in _ND_TYPES


def facts(net: Network, interface: Interface, target: int, source: int) -> SpokenFor:
    """Return where an address is that is answered for, as steps tell it."""
    route = net.lookup(RouteKey(target, source, iif=interface.name))
    return SpokenFor(target, route.dev if isinstance(route, Route) else None, True)


def idle(net: Network, interface: Interface, target: int) -> dict[str, object]:
    """Return the details of a proxy entry that is of no use."""
    router = net.is_router(interface)
    return {
        "ip": target,
        "cause": "sysctl" if router else "forward",
        "knob": "nd.proxy" if router else net.forward_sysctl,
        "value": 1,
    }


def answer_for_others(net: Network, packet: Packet, message: NeighborSolicitation) -> None:
    """Answer for an address that is another host's, or several nodes', at once or after a while.

    Whoever asks by unicast is answered at once. Source: Linux ``ndisc_recv_ns``, ``pndisc_redo``.
    """
    interface, trace, now = packet.interface, packet.trace, packet.now
    target, source = message.target, packet.header.src
    entry = spoken_for(net, interface, target)
    if entry is None:
        packet.step("target", "ok", Owner(target, net.fib.own(target)))
    else:
        packet.step("target", "ok", facts(net, interface, target, source))
    asked = NeighborRequest(message, source, target, trace)
    group = is_multicast(packet.header.dst)
    by_unicast = packet.pkt_type is PacketType.HOST or not group
    if by_unicast or not interface.settings["neigh.proxy_delay_ms"]:
        _answer(net, interface, asked, now, multicast=group)
        return
    waits, full = reason.ND_ANSWER_DELAYED, reason.ND_ANSWER_QUEUE_FULL
    why, values = proxy_answers.delay(net, interface, asked, now, waits, full)
    # That each of them waits is no trouble to remember it for.
    followed = trace if trace.followed or why is full else None
    net.recorder.record(why, interface.name, now, followed, **values)


def answer_delayed(net: Network, interface: Interface, asked: NeighborRequest, now: int) -> None:
    """Answer a solicitation whose time has come, unless things have changed."""
    target = asked.target
    if spoken_for(net, interface, target) or is_anycast_here(net, interface, target):
        _answer(net, interface, asked, now, multicast=True)
    else:
        why, values = unanswered(net, interface, target, asked.source)
        net.recorder.record(why, interface.name, now, asked.trace, **values)


def unanswered(
    net: Network, interface: Interface, target: int, source: int
) -> tuple[reason.Reason, dict[str, object]]:
    """Return why a solicitation for an address that is not ours gets no answer."""
    if target in net.of(interface).proxies.entries:
        return reason.ND_PROXY_IDLE, idle(net, interface, target)
    return reason.ND_TARGET_NOT_OURS, {"ip": target, "source": source}


def _answer(
    net: Network, interface: Interface, asked: NeighborRequest, now: int, *, multicast: bool
) -> None:
    entry = spoken_for(net, interface, asked.target)
    router = None if entry is None else entry.router
    answer(net, interface, asked, now, multicast=multicast, override=False, router=router)
    if entry is not None:
        net.recorder.count("nd.proxy_advertisements_sent")
