"""Changes of groups that are joined by hand."""

from smolctl.errors import AddressInUse, AddressNotAvailable
from smolctl.stack.interface import Interface
from smolctl.stack.ip.groups import ANYBODY, NOBODY, STATIC
from smolctl.stack.ip.membership import set_membership
from smolctl.stack.ip.network import Network
from smolctl.wire.address import format_address


def join_static(net: Network, interface: Interface, group: int) -> None:
    """Join a group by hand; it stays until ``leave_static``.

    Raises:
        AddressInUse: that was done already.
    """
    if STATIC in net.of(interface).groups.members(group):
        raise AddressInUse(
            f"{format_address(group)} was added to {interface.name} already",
            hint=f"smolctl maddr show dev {interface.name}",
        )
    set_membership(net, interface, group, STATIC, ANYBODY)


def leave_static(net: Network, interface: Interface, group: int) -> None:
    """Leave a group that was joined by hand.

    Raises:
        AddressNotAvailable: it was not; sockets leave by themselves.
    """
    if STATIC not in net.of(interface).groups.members(group):
        others = net.of(interface).groups.members(group)
        raise AddressNotAvailable(
            f"{format_address(group)} was not added to {interface.name} by hand"
            + ("; a socket or the stack itself has joined it" if others else ""),
            hint=f"smolctl maddr show dev {interface.name}",
        )
    set_membership(net, interface, group, STATIC, NOBODY)
