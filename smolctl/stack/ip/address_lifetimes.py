"""Ends of addresses: they are deprecated, and removed, when their time has run out.

Source: RFC 4862 5.5.4; Linux ``addrconf_verify_rtnl``, ``check_lifetime``.
"""

from smolctl.stack.alarm import earliest
from smolctl.stack.events import ChangeType
from smolctl.stack.ip.address_changes import remove_address
from smolctl.stack.ip.network import Network


def deadline(net: Network) -> int | None:
    """Return when an address is next deprecated or removed."""
    return earliest(net.of(interface).lifetimes.due_ns for interface in net.interfaces.values())


def expire(net: Network, now: int) -> None:
    """Deprecate and remove the addresses whose time has come."""
    for interface in list(net.interfaces.values()):
        lifetimes = net.of(interface).lifetimes
        if lifetimes.due_ns is None or lifetimes.due_ns > now:
            continue
        for address, gone in lifetimes.expire(now):
            if address not in net.of(interface).addresses.items:
                continue  # it went with the first address of its network
            if gone:
                remove_address(net, interface, address, now)
            else:
                address.deprecated = True
                net.events.addr(ChangeType.CHANGED, interface, address)
                net.generation.touch()
