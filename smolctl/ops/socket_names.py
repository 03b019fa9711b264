"""Names of a program's socket: the addresses that it says and hears, as RFC 3493 has them.

A socket of AF_INET6 speaks with both families, unless it is IPV6_V6ONLY. It says and hears an IPv4
address as an IPv6 one, ``::ffff:10.0.0.1`` (RFC 3493 3.7), and beside a link-local address the
number of the interface (sin6_scope_id, 3.3). Source of the errors: Linux, measured.
"""

from typing import NamedTuple

from smolctl.errors import InvalidArgument, NetworkUnreachable, NoSuchDevice, StackError
from smolctl.stack.interface import Interfaces
from smolctl.stack.transport.socket_base import ANY, SocketBase
from smolctl.wire.address import (
    IPV4,
    IPV6,
    LOOPBACK6,
    UNSPECIFIED6,
    family_of,
    format_address,
    is_link_local,
    is_mapped,
    is_scoped,
    is_unspecified,
    mapped,
    parse_address,
    unmapped,
)

_LOOPBACKS = {IPV4: parse_address("127.0.0.1"), IPV6: LOOPBACK6}


class Name(NamedTuple):
    """An address as the stack has it, and the interface that is its zone, None without one."""

    address: int
    dev: str | None


def numbered(interfaces: Interfaces, index: int) -> str:
    """Return the name of the interface that has a number.

    Raises:
        NoSuchDevice: none has it.
    """
    for interface in interfaces.values():
        if interface.index == index:
            return interface.name
    raise NoSuchDevice(f"no interface has the number {index}", hint="smolctl link show")


class SocketNames:
    """The names of one socket.

    Args:
        interfaces: of the stack; their numbers are the zones.

    Attributes:
        six: it is of AF_INET6.
    """

    def __init__(self, interfaces: Interfaces, socket: SocketBase) -> None:
        self._interfaces = interfaces
        self._socket = socket
        self.six = socket.family is IPV6

    def v6only(self, only: bool) -> None:
        """Have the socket hear IPv6 alone, or IPv4 as well.

        Raises:
            InvalidArgument: it is bound already.
            StackError: it is an IPv4 socket.
        """
        if not self.six:
            raise _error("ENOPROTOOPT", "IPV6_V6ONLY is an option of IPv6 sockets")
        if self._socket.port:
            raise InvalidArgument("the socket is already bound: say IPV6_V6ONLY first")
        self._socket.v6only = only

    def to_bind(self, address: int, zone: int) -> Name:
        """Return the stack's name of an address that a program binds to.

        Raises:
            InvalidArgument: a link-local address without zone, or an IPv4 one with IPV6_V6ONLY.
            NoSuchDevice: no interface has the zone's number.
            StackError: it is of another family.
        """
        if is_mapped(address) and self._socket.v6only:
            raise InvalidArgument(f"{format_address(address)} is IPv4, and the socket IPV6_V6ONLY")
        name = self._inward(address, zone)
        if is_scoped(name.address) and name.dev is None and self._socket.dev is None:
            raise self._no_zone(name.address)
        return name

    def to_connect(self, address: int, zone: int) -> Name:
        """Return the stack's name of an address that a program connects to.

        Raises:
            InvalidArgument: a link-local address without zone.
            NetworkUnreachable, StackError: as ``to_send``.
        """
        name = self.to_send(address, zone)
        if is_scoped(name.address) and name.dev is None and self._socket.dev is None:
            raise self._no_zone(name.address)
        return name

    def to_send(self, address: int, zone: int) -> Name:
        """Return the stack's name of an address that a program sends to.

        No address is this host itself (Linux ip_route_output_key, udpv6_sendmsg): the address that
        the socket is bound to, or that of the loopback.

        Raises:
            NetworkUnreachable: the socket cannot speak with that family, or no interface has the
                zone's number.
            StackError: it is of another family than the socket, or than what it is bound to.
        """
        socket, shown = self._socket, format_address(address)
        try:
            name = self._inward(address, zone)
        except NoSuchDevice as error:
            raise NetworkUnreachable(error.message, hint=error.hint) from None
        if is_unspecified(name.address):
            family, own = family_of(name.address), socket.local
            if own is None or family_of(own) is not family:
                own = _LOOPBACKS[family]
            name = Name(own, None)
        if socket.speaks(name.address):
            return name
        if family_of(name.address) is IPV6:
            raise _error("EAFNOSUPPORT", f"{shown} is IPv6, and the socket is bound to IPv4")
        raise NetworkUnreachable(f"{shown} is IPv4, and the socket speaks IPv6 alone")

    def _inward(self, address: int, zone: int) -> Name:
        if not self.six:
            if family_of(address) is not IPV4:
                raise _error("EAFNOSUPPORT", f"{format_address(address)} is not an IPv4 address")
            return Name(address, None)
        if family_of(address) is IPV4:
            raise _error("EAFNOSUPPORT", f"{format_address(address)} is not an IPv6 address")
        if is_mapped(address):
            return Name(unmapped(address), None)
        if not zone or not is_scoped(address):
            return Name(address, None)  # Linux looks at the zone of no other address
        return Name(address, numbered(self._interfaces, zone))

    def _no_zone(self, address: int) -> InvalidArgument:
        shown = format_address(address)
        wires = [link for link in self._interfaces.values() if not link.loopback]
        dev = wires[0].name if wires else "DEV"
        return InvalidArgument(
            f"{shown} is an address of one link: which one?", hint=f"name it: {shown}%{dev}"
        )

    def outward(self, address: int | None) -> int:
        """Return what a program calls an address of the stack's; ``ANY`` is all zeros."""
        if address is ANY:
            return UNSPECIFIED6 if self.six else 0
        return mapped(address) if self.six and family_of(address) is IPV4 else address

    def zone(self, address: int | None, dev: str | None) -> int:
        """Return the number of the interface beside an address, 0 where it says nothing."""
        if address is ANY or not is_scoped(address):
            return 0
        interface = self._interfaces.get(dev or "")
        return 0 if interface is None else interface.index

    def heard(self, src: int, dev: str) -> tuple[int, int]:
        """Return what a program calls the sender of a datagram that came in by an interface."""
        if not self.six:
            return src, 0
        if family_of(src) is IPV4:
            return mapped(src), 0
        return src, self.zone(src, dev) if is_link_local(src) else 0


def _error(errno_name: str, message: str) -> StackError:
    error = StackError(message, code="address-family")
    error.errno_name = errno_name
    return error
