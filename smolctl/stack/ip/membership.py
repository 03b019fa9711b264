"""Memberships: which groups sockets and interfaces join and leave.

Each verb checks everything first and changes nothing when it raises. What follows for the routers
of the link is reported when the stack is polled next (``ip.group_reports``).
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from smolctl.errors import (
    AddressInUse,
    AddressNotAvailable,
    InvalidArgument,
    NoBuffers,
    NoSuchDevice,
)
from smolctl.stack.alarm import earliest
from smolctl.stack.events import ChangeType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip.group_reports import ReportAction
from smolctl.stack.ip.groups import ANYBODY, AUTOJOIN, HOST, NOBODY, Group, SourceFilter
from smolctl.stack.ip.network import Network, Networks
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal
from smolctl.wire.address import IPV4, IPV6, family_of, format_address, is_host, is_multicast


class Member(Protocol):
    """A socket, as groups know it.

    Attributes:
        groups: what it wants of each group that it joined, by group and interface.
    """

    groups: dict[tuple[int, str], SourceFilter]


SendReports = Callable[[Network, Interface, list[ReportAction], int], None]
"""Send what the table of an interface asked for."""


class SourceChange(NamedTuple):
    """A change of one sender in what a socket wants of a group.

    Attributes:
        exclude: it is one of those that are not wanted, else of those that are.
        add: it becomes one of them, else it is one no more.
    """

    source: int
    exclude: bool
    add: bool


_GROUPS = {
    IPV4: ("224.0.0.0 to 239.255.255.255", "239.0.0.0/8 is for private use"),
    IPV6: ("ff00::/8", "those of one link begin with ff02:"),
}
"""Groups of a family in words, and advice on the choice of one."""
_ALL = {IPV4: "224.0.0.0/4", IPV6: "ff00::/8"}


def interface_for(net: Network, group: int, dev: str | None, src: int = 0) -> Interface:
    """Return the interface on which a group is meant (Linux ip_mc_find_dev).

    That of the name given, else the one that has the address ``src``, else the one by which a
    packet to the group would leave.

    Raises:
        InvalidArgument: ``group`` is no group.
        NoSuchDevice: none has that name or address, or no route says which.
    """
    shown = format_address(group)
    if not is_multicast(group):
        groups, hint = _GROUPS[family_of(group)]
        raise InvalidArgument(f"{shown} is not a group: groups are {groups}", hint=hint)
    if dev is not None:
        return net.interfaces.named(dev)
    if src:
        found = net.interface_of(src)
        if found is None:
            raise NoSuchDevice(
                f"no interface has the address {format_address(src)}", hint="smolctl addr show"
            )
        return found
    way = route_output(net, RouteKey(group))
    if isinstance(way, Refusal):
        wires = [link.name for link in net.interfaces.values() if not link.loopback]
        name = (wires or [net.interfaces.loopback.name])[0]
        raise NoSuchDevice(
            f"no route says which interface {shown} is on: name one",
            hint=f"dev {name}"
            if net.needs_dev(group)
            else f"dev {name}; or for all groups: smolctl route add {_ALL[net.family]} dev {name}",
        )
    return way.interface


def join(
    net: Network, socket: Member, interface: Interface, group: int, wanted: SourceFilter = ANYBODY
) -> None:
    """Have a socket join a group, or join it for other sources than before.

    Raises:
        AddressInUse: it is a member with the same sources already.
        NoBuffers: it is in as many groups as the sysctls allow (igmp.*, mld.*), or names more
            sources.
        InvalidArgument: a source is no host's address.
    """
    key = (group, interface.name)
    for source in sorted(wanted.sources):
        if not is_host(source):
            raise InvalidArgument(f"{format_address(source)} is not the address of one sender")
    if socket.groups.get(key) == wanted:
        raise AddressInUse(
            f"the socket has joined {format_address(group)} on {interface.name} already"
        )
    if key not in socket.groups:
        joined = sum(family_of(each) is net.family for each, _ in socket.groups)
        _check_room(net, net.group_sysctls[0], joined + 1, "groups")
    _check_room(net, net.group_sysctls[1], len(wanted.sources), "sources of a group")
    socket.groups[key] = wanted
    set_membership(net, interface, group, socket, wanted)


def leave(net: Network, socket: Member, interface: Interface, group: int) -> None:
    """Have a socket leave a group.

    Raises:
        AddressNotAvailable: it is not a member.
    """
    if socket.groups.pop((group, interface.name), None) is None:
        raise AddressNotAvailable(
            f"the socket has not joined {format_address(group)} on {interface.name}",
            hint="smolctl maddr show",
        )
    set_membership(net, interface, group, socket, NOBODY)


def change_source(
    net: Network, socket: Member, interface: Interface, group: int, change: SourceChange
) -> None:
    """Change by one sender what a socket wants of a group that it joined (Linux ip_mc_source).

    With the last one that is wanted the group is left.

    Raises:
        InvalidArgument: the socket has not joined, or has said the other of whom it wants.
        AddressNotAvailable: it is one already, or none.
        NoBuffers: there are as many as igmp.max_msf or mld.max_msf allows.
    """
    source, exclude, add = change
    shown, sender = format_address(group), format_address(source)
    old = socket.groups.get((group, interface.name))
    if old is None:
        raise InvalidArgument(f"the socket has not joined {shown} on {interface.name}")
    if old.exclude != exclude:
        if old.sources:
            other = "all but some" if old.exclude else "some"
            raise InvalidArgument(f"the socket has joined {shown} for {other} senders")
        old = SourceFilter(exclude)  # a list without senders may become the other one
    if (source in old.sources) == add:
        what = "already" if add else "not"
        raise AddressNotAvailable(f"{sender} is {what} in the socket's list of senders to {shown}")
    wanted = SourceFilter(exclude, old.sources | {source} if add else old.sources - {source})
    if wanted == NOBODY:
        leave(net, socket, interface, group)
    else:
        join(net, socket, interface, group, wanted)


def leave_all(networks: Networks, socket: Member) -> None:
    """Have a socket that is closed leave what it joined."""
    for group, dev in socket.groups:
        net = networks.for_address(group)
        set_membership(net, net.interfaces.named(dev), group, socket, NOBODY)
    socket.groups = {}


def check_address(net: Network, interface: Interface, group: int) -> None:
    """Check that a group may be joined because it becomes an address of the interface.

    Linux joins all of them by one socket, which has a socket's limit.

    Raises:
        AddressInUse: it is one already.
        NoBuffers: there are as many as igmp.max_memberships or mld.max_memberships
            allows.
    """
    if AUTOJOIN in net.of(interface).groups.members(group):
        raise AddressInUse(
            f"{format_address(group)} is an address of {interface.name} with another length",
            hint=f"smolctl addr show dev {interface.name}",
        )
    joined = sum(
        AUTOJOIN in net.of(link).groups.members(each)
        for link in net.interfaces.values()
        for each in net.of(link).groups.filters
    )
    _check_room(net, net.group_sysctls[0], joined + 1, "groups", "all links' addresses")


def join_address(net: Network, interface: Interface, group: int) -> None:
    """Join a group that became an address (Linux ``ip_mc_autojoin_config``)."""
    set_membership(net, interface, group, AUTOJOIN, ANYBODY)


def leave_address(net: Network, interface: Interface, group: int) -> None:
    """Leave a group that is no address any more."""
    set_membership(net, interface, group, AUTOJOIN, NOBODY)


def link_changed(net: Network, interface: Interface) -> None:
    """Begin anew: routers behind a link that comes up know of no member here."""
    if _reports(interface):
        net.of(interface).reports.restart(net.of(interface).groups.filters)
    else:
        net.of(interface).reports.stop()


def forget(net: Network, interface: Interface) -> None:
    """Have everybody leave the groups of an interface that is deleted."""
    for group in net.of(interface).groups.filters:
        members = net.of(interface).groups.members(group)
        if HOST not in members:
            net.events.maddr(ChangeType.DELETED, interface, Group(group))
        for member in members:
            if not isinstance(member, str):
                member.groups.pop((group, interface.name), None)
    net.of(interface).reports.stop()


def reports_deadline(net: Network) -> int | None:
    """Return when the next report is due."""
    return earliest(net.of(interface).reports.due_ns for interface in net.interfaces.values())


def reports_expire(net: Network, send: SendReports, now: int) -> None:
    """Send the reports of every interface that are due."""
    for interface in net.interfaces.values():
        state = net.of(interface)
        due = state.reports.due_ns
        if due is not None and due <= now:
            send(net, interface, state.reports.expire(state.groups.filters, now), now)


def _check_room(net: Network, sysctl: str, number: int, what: str, who: str = "a socket") -> None:
    if number > net.settings[sysctl]:
        raise NoBuffers(
            f"{who} may have {net.settings[sysctl]} {what}, and this would be one of {number}",
            hint=f"smolctl sysctl {sysctl}={number}",
        )


def set_membership(
    net: Network, interface: Interface, group: int, member: object, wanted: SourceFilter
) -> None:
    """Note what a member wants of a group on an interface; NOBODY has it leave."""
    joined = group in net.of(interface).groups.filters
    before, after = net.of(interface).groups.set(group, member, wanted)
    if joined != (group in net.of(interface).groups.filters):
        action = ChangeType.DELETED if joined else ChangeType.NEW
        net.events.maddr(action, interface, Group(group))
    if _reports(interface):
        net.of(interface).reports.changed(group, before, after)
    net.generation.touch()


def _reports(interface: Interface) -> bool:
    """Tell whether anybody can hear what an interface reports.

    Deviation: Linux reports on its loopback, too, where there can be no router.
    """
    return interface.up and interface.carrier and not interface.loopback
