"""What a user changes: which groups are joined, by sockets and by hand.

Each verb checks everything first and changes nothing when it raises. What follows for the routers
of the link is reported when the stack is polled next (``igmp.Igmp``).
"""

from collections.abc import Hashable
from typing import TYPE_CHECKING

from smolctl.errors import (
    AddressInUse,
    AddressNotAvailable,
    InvalidArgument,
    NoBuffers,
    NoSuchDevice,
)
from smolctl.stack.events import Action
from smolctl.stack.explain import suggest
from smolctl.stack.interface import Interface
from smolctl.stack.ip.groups import ANYBODY, AUTOJOIN, HOST, NOBODY, STATIC, Filter, Group
from smolctl.stack.ip.route_output import Refusal, decide
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import format_address, is_multicast

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def interface_for(stack: "Stack", group: int, dev: str | None, src: int = 0) -> Interface:
    """Return the interface on which a group is meant (Linux ip_mc_find_dev).

    That of the name given, else the one that has the address ``src``, else the one by which a
    packet to the group would leave.

    Raises:
        InvalidArgument: ``group`` is no group.
        NoSuchDevice: none has that name or address, or no route says which.
    """
    shown = format_address(group)
    if not is_multicast(group):
        raise InvalidArgument(
            f"{shown} is not a group: groups are 224.0.0.0 to 239.255.255.255",
            hint="239.0.0.0/8 is for one's own",
        )
    if dev is not None:
        return stack.interface(dev)
    if src:
        found = stack.interface_of(src)
        if found is None:
            raise NoSuchDevice(
                f"no interface has the address {format_address(src)}", hint="smolctl addr show"
            )
        return found
    way = decide(stack, group)
    if isinstance(way, Refusal):
        wires = [link.name for link in stack.interfaces.values() if not link.loopback]
        name = (wires or [stack.loopback.name])[0]
        raise NoSuchDevice(
            f"no route says on which interface {shown} is meant: name one",
            hint=f"dev {name}; or for all groups: smolctl route add 224.0.0.0/4 dev {name}",
        )
    return way.interface


def join(
    stack: "Stack", socket: UdpSocket, interface: Interface, group: int, wanted: Filter = ANYBODY
) -> None:
    """Have a socket join a group, or join it for other sources than before.

    Raises:
        AddressInUse: it is a member with the same sources already.
        NoBuffers: it is in as many groups as igmp.max_memberships allows, or names more sources
            than igmp.max_msf does.
        InvalidArgument: a source is no host's address.
    """
    key = (group, interface.name)
    for source in sorted(wanted.sources):
        if not suggest.is_host(source):
            raise InvalidArgument(f"{format_address(source)} is not the address of one sender")
    if socket.groups.get(key) == wanted:
        raise AddressInUse(
            f"the socket has joined {format_address(group)} on {interface.name} already"
        )
    if key not in socket.groups:
        _check_room(stack, "igmp.max_memberships", len(socket.groups) + 1, "groups")
    _check_room(stack, "igmp.max_msf", len(wanted.sources), "sources of a group")
    socket.groups[key] = wanted
    _set(stack, interface, group, socket, wanted)


def _check_room(stack: "Stack", knob: str, number: int, what: str, who: str = "a socket") -> None:
    if number > stack.settings[knob]:
        raise NoBuffers(
            f"{who} may have {stack.settings[knob]} {what}, and this would be one of {number}",
            hint=f"smolctl sysctl {knob}={number}",
        )


def leave(stack: "Stack", socket: UdpSocket, interface: Interface, group: int) -> None:
    """Have a socket leave a group.

    Raises:
        AddressNotAvailable: it is not a member.
    """
    if socket.groups.pop((group, interface.name), None) is None:
        raise AddressNotAvailable(
            f"the socket has not joined {format_address(group)} on {interface.name}",
            hint="smolctl maddr show",
        )
    _set(stack, interface, group, socket, NOBODY)


def change_source(
    stack: "Stack",
    socket: UdpSocket,
    interface: Interface,
    group: int,
    source: int,
    *,
    exclude: bool,
    add: bool,
) -> None:
    """Change by one sender what a socket wants of a group that it joined (Linux ip_mc_source).

    Args:
        exclude: ``source`` is one of those that are not wanted, else of those that are.
        add: it becomes one of them, else it is one no more; with the last one that is wanted the
            group is left.

    Raises:
        InvalidArgument: the socket has not joined, or has said the other of whom it wants.
        AddressNotAvailable: it is one already, or none.
        NoBuffers: there are as many as igmp.max_msf allows.
    """
    shown, sender = format_address(group), format_address(source)
    old = socket.groups.get((group, interface.name))
    if old is None:
        raise InvalidArgument(f"the socket has not joined {shown} on {interface.name}")
    if old.exclude != exclude:
        if old.sources:
            other = "all but some" if old.exclude else "some"
            raise InvalidArgument(f"the socket has joined {shown} for {other} senders")
        old = Filter(exclude)  # a list without senders may become the other one
    if (source in old.sources) == add:
        what = "already" if add else "not"
        raise AddressNotAvailable(f"{sender} is {what} in the socket's list of senders to {shown}")
    wanted = Filter(exclude, old.sources | {source} if add else old.sources - {source})
    if wanted == NOBODY:
        leave(stack, socket, interface, group)
    else:
        join(stack, socket, interface, group, wanted)


def leave_all(stack: "Stack", socket: UdpSocket) -> None:
    """Have a socket that is closed leave what it joined."""
    for group, dev in socket.groups:
        _set(stack, stack.interface(dev), group, socket, NOBODY)
    socket.groups = {}


def join_static(stack: "Stack", interface: Interface, group: int) -> None:
    """Join a group by hand; it stays until ``leave_static``.

    Raises:
        AddressInUse: that was done already.
    """
    if STATIC in interface.groups.members(group):
        raise AddressInUse(
            f"{format_address(group)} was added to {interface.name} already",
            hint=f"smolctl maddr show dev {interface.name}",
        )
    _set(stack, interface, group, STATIC, ANYBODY)


def leave_static(stack: "Stack", interface: Interface, group: int) -> None:
    """Leave a group that was joined by hand.

    Raises:
        AddressNotAvailable: it was not; sockets leave by themselves.
    """
    if STATIC not in interface.groups.members(group):
        others = interface.groups.members(group)
        raise AddressNotAvailable(
            f"{format_address(group)} was not added to {interface.name} by hand"
            + (", a socket or the stack itself is in it" if others else ""),
            hint=f"smolctl maddr show dev {interface.name}",
        )
    _set(stack, interface, group, STATIC, NOBODY)


def check_address(stack: "Stack", interface: Interface, group: int) -> None:
    """Check that a group may be joined because it becomes an address of the interface.

    Linux joins all of them by one socket, which has a socket's limit.

    Raises:
        AddressInUse: it is one already.
        NoBuffers: there are as many as igmp.max_memberships allows.
    """
    if AUTOJOIN in interface.groups.members(group):
        raise AddressInUse(
            f"{format_address(group)} is an address of {interface.name} with another length",
            hint=f"smolctl addr show dev {interface.name}",
        )
    joined = sum(
        AUTOJOIN in link.groups.members(each)
        for link in stack.interfaces.values()
        for each in link.groups.filters
    )
    _check_room(stack, "igmp.max_memberships", joined + 1, "groups", "all links' addresses")


def join_address(stack: "Stack", interface: Interface, group: int) -> None:
    """Join a group that became an address (Linux ``ip_mc_autojoin_config``)."""
    _set(stack, interface, group, AUTOJOIN, ANYBODY)


def leave_address(stack: "Stack", interface: Interface, group: int) -> None:
    """Leave a group that is no address any more."""
    _set(stack, interface, group, AUTOJOIN, NOBODY)


def _set(
    stack: "Stack", interface: Interface, group: int, member: Hashable, wanted: Filter
) -> None:
    joined = group in interface.groups.filters
    before, after = interface.groups.set(group, member, wanted)
    if joined != (group in interface.groups.filters):
        action = Action.DELETED if joined else Action.NEW
        stack.events.maddr(action, interface, Group(group))
    if reports(interface):
        interface.igmp.changed(group, before, after)
    stack.touch()


# --- links ----------------------------------------------------------------------------------------


def reports(interface: Interface) -> bool:
    """Tell whether anybody can hear what an interface reports.

    Deviation: Linux reports on its loopback, too, where there can be no router.
    """
    return interface.up and interface.carrier and not interface.loopback


def link_changed(interface: Interface) -> None:
    """Begin anew: routers behind a link that comes up know of no member here."""
    if reports(interface):
        interface.igmp.restart(interface.groups.filters)
    else:
        interface.igmp.stop()


def forget(stack: "Stack", interface: Interface) -> None:
    """Have everybody leave the groups of an interface that is deleted."""
    for group in interface.groups.filters:
        members = interface.groups.members(group)
        if HOST not in members:
            stack.events.maddr(Action.DELETED, interface, Group(group))
        for member in members:
            if isinstance(member, UdpSocket):
                member.groups.pop((group, interface.name), None)
    interface.igmp.stop()
