"""Groups of a router: of all routers, and those in which it is asked for what is not its own alone.

Source: RFC 4291 2.6.1, 2.8; Linux ``dev_forward_change``, ``addrconf_join_anycast``.
"""

from smolctl.stack.interface import Interface
from smolctl.stack.ip import membership
from smolctl.stack.ip.groups import ANYBODY, NOBODY, SourceFilter
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv6.derived_routes import anycast_of
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.wire.address import IPV6_MARK, format_address, solicited_node

ROUTER = "router"
"""The member of what a router is always in."""
_ALL_ROUTERS = tuple(IPV6_MARK | scope << 112 | 2 for scope in (0xFF01, 0xFF02, 0xFF05))
"""ff01::2, ff02::2 and ff05::2 (RFC 4291 2.7.1)."""


def sync_router_groups(net: Network, interface: Interface) -> None:
    """Join the groups of a router, and leave those that are no more."""
    wanted = set[int]()
    if net.is_router(interface) and not interface.loopback:
        wanted.update(_ALL_ROUTERS)
        items = interface.ipv6.addresses.items
        found = (anycast_of(item) for item in items if not item.autojoin)
        wanted.update(solicited_node(each) for each in found if each is not None)
    groups = interface.ipv6.groups
    if not wanted and ROUTER not in groups.members(_ALL_ROUTERS[0]):
        return  # it is in none of them: a router is always in this one
    have = {group for group in groups.filters if ROUTER in groups.members(group)}
    for group in sorted(have ^ wanted):
        joins = group in wanted
        membership.set_membership(net, interface, group, ROUTER, ANYBODY if joins else NOBODY)


def set_proxy_group(
    net: Network, interface: Interface, entry: ProxyEntry, wanted: SourceFilter
) -> None:
    """Join or leave the group in which a proxied address is asked for, router or not.

    Source: Linux ``pndisc_constructor``, ``pndisc_destructor``.
    """
    member = f"proxy {format_address(entry.ip)}"
    membership.set_membership(net, interface, solicited_node(entry.ip), member, wanted)
