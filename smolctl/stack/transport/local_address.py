"""Local addresses: what a socket of a family may be bound to."""

from smolctl.errors import InvalidArgument
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.route_output import unavailable
from smolctl.stack.transport.socket_base import SocketBase
from smolctl.wire.address import format_address, is_multicast


def is_local_at(net: Network, address: int, dev: str | None) -> bool:
    """Tell whether a socket of an interface may be bound to a source as one of our own.

    Without an interface a link-local address of any link counts, about which ``check_local`` asks.
    """
    if not net.is_bindable(address):
        return False
    if dev is None or not net.needs_dev(address):
        return True
    return net.has_address(net.interfaces.named(dev), address)


def check_local(net: Network, socket: SocketBase, local: int, dev: str | None) -> None:
    """Check that a socket of its family can be bound to an address (Linux ``__inet6_bind``).

    Raises:
        InvalidArgument: it cannot.
    """
    shown = format_address(local)
    if not socket.speaks(local):
        raise InvalidArgument(f"{shown} is of a family that the socket does not speak")
    if net.needs_dev(local) and dev is None:
        raise InvalidArgument(
            f"{shown} is an address of one link: which one?", hint=f"name it: {shown}%DEV"
        )
    if net.needs_dev(local) and not is_multicast(local):
        link = net.interfaces.named(dev or "")
        if not (net.has_address(link, local) or net.binds_others):
            raise unavailable(net, local)
