"""ARP policies: requests that are left unanswered, and addresses to ask from."""

from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import Route, Scope
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip.host_model import is_near, lookup_from
from smolctl.stack.ip.network import Network

ANYBODY, SUBNET, SOLICITED = range(3)
"""Values of arp.accept_from."""
_NOT_OF_HOST, _NEVER = 3, 8
"""Levels of arp.ignore."""


def ignores_request(
    net: Network, interface: Interface, sender: int, target: int
) -> dict[str, object] | None:
    """Return why a request for an address of ours is left unanswered; None when it is answered.

    ``sysctl`` has the value ``level``, and ``value`` would have it answered.

    Source: Linux ``arp_ignore``, ``arp_filter``.
    """
    shown: dict[str, object] = {"ip": target, "sender": sender}
    if not sender and not interface.settings["arp.answer_probes"]:
        return {**shown, "cause": "probe", "knob": "arp.answer_probes", "level": 0, "value": 1}
    level = interface.settings["arp.ignore"]
    ignored = _ignored(net, interface, sender, target) if level else None
    if ignored is not None:
        return {**shown, "cause": ignored, "knob": "arp.ignore", "level": level, "value": 0}
    if sender and interface.settings["arp.filter"]:
        # Linux arp_filter: by one of several links to the same network alone.
        route = lookup_from(net, RouteKey(sender, target), target)
        hops = route.hops if isinstance(route, Multipath) else (route,)
        if all(not isinstance(hop, Route) or hop.dev != interface.name for hop in hops):
            return {**shown, "cause": "filter", "knob": "arp.filter", "level": 1, "value": 0}
    return None


def _ignored(net: Network, interface: Interface, sender: int, target: int) -> str | None:
    """Return why the level of arp.ignore lets nobody have an answer; None if it does."""
    level = interface.settings["arp.ignore"]
    if level == _NEVER:
        return "never"
    if level == _NOT_OF_HOST:
        links = net.interfaces.values()
        found = (net.of(link).addresses.find(target, None) for link in links)
        near = any(each is not None and each.scope <= Scope.LINK for each in found)
        return None if near else "host"
    if level in (1, 2) and net.of(interface).addresses.find(target, None) is None:
        return "elsewhere"
    far = level == 2 and sender and not is_near(net, interface, sender, target)
    return "far" if far else None


def may_ask_from(net: Network, interface: Interface, source: int, target: int) -> bool:
    """Tell whether a request may bear the source address of the packet that waits for it.

    Source: Linux ``arp_solicit``, arp_announce.
    """
    level = interface.settings["arp.announce"]
    if level == 2 or not net.fib.is_local(source):
        return False
    return level == 0 or is_near(net, interface, target, source)
