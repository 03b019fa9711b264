"""Groups of a program's socket, as ip(7) has them: senders that it wants, and links."""

from smolctl.errors import AddressInUse, AddressNotAvailable, InvalidArgument, NoSuchDevice
from smolctl.ops.args import Args
from smolctl.ops.socket_names import numbered
from smolctl.stack.interface import Interface
from smolctl.stack.ip import membership
from smolctl.stack.ip.groups import ANYBODY, SourceFilter
from smolctl.stack.ip.membership import SourceChange
from smolctl.stack.ip.network import Network
from smolctl.stack.stack import Stack
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import IPV6, format_address, is_multicast

INTERFACE = "addr dev index family"
"""The arguments that name an interface: by an address that it has, its name, or its number."""
_MAX_INDEX = (1 << 31) - 1


def send_by(stack: Stack, socket: UdpSocket, args: Args) -> None:
    """Choose by which interface a socket sends to groups, and from which address (IP_MULTICAST_IF).

    Without an interface the routes say it, as in the beginning.

    Raises:
        NoSuchDevice, AddressNotAvailable: no interface is that one.
        InvalidArgument: the socket is bound to another one.
    """
    source = args.address("addr")
    source = None if source == 0 else source
    try:
        name = _named(stack, args)
    except NoSuchDevice as error:
        if "dev" in args or socket.family is IPV6:
            raise  # Linux: ENODEV of ipv6(7), EADDRNOTAVAIL of ip(7)
        raise AddressNotAvailable(error.message, hint=error.hint) from None
    if name is None and source is not None:
        owner = stack.networks.for_address(source).interface_of(source)
        if owner is None:
            raise AddressNotAvailable(
                f"no interface has the address {format_address(source)}", hint="smolctl addr show"
            )
        name = owner.name
    if name is not None and socket.dev not in (None, name):
        raise InvalidArgument(f"the socket is bound to {socket.dev}, and cannot send by {name}")
    socket.multicast_dev, socket.multicast_src = name, source
    stack.generation.touch()


def change(stack: Stack, socket: UdpSocket, args: Args) -> None:
    """Join or leave a group, or hear one of its senders more or less.

    Source: Linux ``ip_mc_join_group``, ``ip_mc_leave_group``, ``ip_mc_source``.

    Raises:
        InvalidArgument: no group, or not in that state.
        NoSuchDevice: no interface is the one that is named, or none is and no route says which.
        AddressInUse: joined already. AddressNotAvailable: not joined, or no such sender.
    """
    what = args.choice("what", (*_SOURCES, "join", "leave"))
    group, source = args.the_address("group"), args.address("source") or 0
    net = stack.networks.for_address(group)
    if what == "leave":
        _leave(stack, net, socket, group, args)
        return
    interface = _interface(stack, net, group, args)
    joined = (group, interface.name) in socket.groups
    if what == "join":
        if joined:
            shown = format_address(group)
            raise AddressInUse(f"the socket has joined {shown} on {interface.name} already")
        membership.join(net, socket, interface, group, ANYBODY)
    elif what == "join_source" and not joined:
        membership.join(net, socket, interface, group, SourceFilter(False, frozenset({source})))
    else:
        exclude, add = _SOURCES[what or ""]
        change = SourceChange(source, exclude, add)
        membership.change_source(net, socket, interface, group, change)


_SOURCES = {
    "join_source": (False, True),
    "leave_source": (False, False),
    "block": (True, True),
    "unblock": (True, False),
}
"""Whether a sender is unwanted, and is added to those that are (un)wanted."""


def _leave(stack: Stack, net: Network, socket: UdpSocket, group: int, args: Args) -> None:
    """Leave a group. Whoever names no interface that there is, is in no group there."""
    shown, named = format_address(group), any(name in args for name in INTERFACE.split())
    try:
        interface = _interface(stack, net, group, args)
    except InvalidArgument:
        if net.family is IPV6:
            raise  # Linux ipv6_sock_mc_drop
        raise AddressNotAvailable(
            f"the socket has not joined {shown}, which is not a group"
        ) from None
    except NoSuchDevice as error:
        if not named:
            raise
        raise AddressNotAvailable(
            f"the socket has not joined {shown} there: {error.message}"
        ) from None
    membership.leave(net, socket, interface, group)


def _interface(stack: Stack, net: Network, group: int, args: Args) -> Interface:
    """Return the interface that is meant (Linux ``ip_mc_find_dev``)."""
    name = _named(stack, args) if is_multicast(group) else None
    return membership.interface_for(net, group, name, args.address("addr") or 0)


def _named(stack: Stack, args: Args) -> str | None:
    """Return the interface with the number or the name that is given, None when neither is."""
    index = args.integer("index", 0, _MAX_INDEX)
    if index:
        return numbered(stack.interfaces, index)
    name = args.text("dev")
    return None if name is None else stack.interface(name).name
