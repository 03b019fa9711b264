"""Ends of addresses: they are deprecated, and removed, when their time has run out.

Source: RFC 4862 5.5.4; Linux ``addrconf_verify_rtnl``, ``check_lifetime``.
"""

from smolctl.stack.alarm import earliest
from smolctl.stack.events import ChangeType
from smolctl.stack.ip.address_changes import remove_addresses
from smolctl.stack.ip.network import Network


def deadline(net: Network) -> int | None:
    """Return when an address is next deprecated or removed."""
    return earliest(net.of(interface).lifetimes.due_ns for interface in net.interfaces.values())


def expire(net: Network, now: int) -> None:
    """Deprecate and remove addresses whose time has come, many of them bit by bit."""
    for interface in list(net.interfaces.values()):
        lifetimes = net.of(interface).lifetimes
        if lifetimes.due_ns is None or lifetimes.due_ns > now:
            continue
        due = lifetimes.expire(now)
        for address, gone in due:
            if not gone:
                address.deprecated = True
                net.events.addr(ChangeType.CHANGED, interface, address)
                net.generation.touch()
        ended = [address for address, gone in due if gone]
        if ended:
            remove_addresses(net, interface, ended, now)
