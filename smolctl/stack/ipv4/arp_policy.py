"""ARP policies: requests that are left unanswered, and addresses to ask from."""

from typing import TYPE_CHECKING

from smolctl.stack.explain import suggest
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.interface import Interface
from smolctl.stack.ip.host_model import is_near, pick_route_from
from smolctl.wire.address import format_address

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


ANYBODY, SUBNET, SOLICITED = range(3)
"""Values of arp.accept_from."""


def ignores_request(
    stack: "Stack", interface: Interface, sender: int, target: int
) -> dict[str, object] | None:
    """Return why a request for an address of ours is left unanswered; None when it is answered.

    ``knob`` has the value ``level``, and ``value`` would have it answered.

    Source: Linux ``arp_ignore``, ``arp_filter``.
    """
    shown: dict[str, object] = {
        "ip": format_address(target),
        "sender": format_address(sender),
        "networks": suggest.networks(interface),
    }
    if not sender and not stack.settings["arp.answer_probes"]:
        return {**shown, "knob": "arp.answer_probes", "level": 0, "value": 1}
    level = stack.settings["arp.ignore"]
    if (level and interface.addresses.find(target, None) is None) or (
        level == 2 and sender and not is_near(interface, sender, target)
    ):
        return {**shown, "knob": "arp.ignore", "level": level, "value": 0}
    if sender and stack.settings["arp.filter"]:
        # Linux arp_filter: by one of several links to the same network alone.
        route = pick_route_from(stack, sender, target)
        hops = route.hops if isinstance(route, Multipath) else (route,)
        if all(hop is None or hop.dev != interface.name for hop in hops):
            return {**shown, "knob": "arp.filter", "level": 1, "value": 0}
    return None


def may_ask_from(stack: "Stack", interface: Interface, source: int, target: int) -> bool:
    """Tell whether a request may bear the source address of the packet that waits for it.

    Source: Linux ``arp_solicit``, arp_announce.
    """
    level = stack.settings["arp.announce"]
    if level == 2 or not stack.fib.is_local(source):
        return False
    return level == 0 or is_near(interface, target, source)
