"""IPv6 addresses of an interface: their order, their scopes, and which of them may be there."""

from collections.abc import Collection
from dataclasses import dataclass

from smolctl.errors import AlreadyExists, InvalidArgument
from smolctl.stack.fib.route import RouteType, Scope, TableName
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address, AddressList
from smolctl.stack.ip.network import Network
from smolctl.wire.address import (
    IPV6,
    LOOPBACK6,
    UNSPECIFIED6,
    format_address,
    is_link_local,
    is_mapped,
    is_multicast,
)
from smolctl.wire.ipv6 import MIN_MTU

_SITE_LOCAL = 0x7FB
"""The first 11 bits, mark included, of fec0::/10 (RFC 3879)."""


@dataclass(slots=True, eq=False)
class Address6(Address):
    """One IPv6 address of an interface.

    Attributes:
        metric: of the routes to its network and to its peer.
        temporary: it was made for privacy and is preferred as source (RFC 8981, RFC 6724 rule 7).
        stable_privacy: it does not tell the MAC (RFC 7217).
        optimistic: it is used while it is tested (RFC 4429).
    """

    metric: int = 256
    temporary: bool = False
    stable_privacy: bool = False
    optimistic: bool = False

    @property
    def anchor(self) -> int:
        """The address whose network this one is in: its own, whoever its peer is."""
        return self.local


class AddressList6(AddressList):
    """The IPv6 addresses of one interface, in the order in which Linux keeps and shows them.

    None is secondary: addresses of one network stand side by side.
    """

    def __init__(self) -> None:
        super().__init__(IPV6.bits)

    def insert(self, new: Address) -> None:
        """Add an address: in front of those of its scope, and of nearer ones.

        Raises:
            AlreadyExists: the address is there, whatever its prefix length.

        Source: Linux ``ipv6_link_dev_addr``, ``ipv6_chk_same_addr``.
        """
        if self.find(new.local, None) is not None:
            raise AlreadyExists("the address is already assigned")
        nearer = (index for index, old in enumerate(self.items) if old.scope >= new.scope)
        self.items.insert(next(nearer, len(self.items)), new)

    def company(self, some: Collection[Address]) -> list[Address]:
        """Return nobody: no address stands in for another one."""
        return []


def scope_of(address: int) -> Scope:
    """Return the scope of a unicast address, as ``ip addr`` shows it (RFC 4291 2.4, RFC 4007 4)."""
    if address == LOOPBACK6:
        return Scope.HOST
    if is_link_local(address):
        return Scope.LINK
    return Scope.SITE if address >> 118 == _SITE_LOCAL else Scope.GLOBAL


def is_ours(net: Network, interface: Interface, address: int) -> bool:
    """Tell whether what comes in by an interface says to be from an address of this stack.

    A link-local address is ours on its own link alone.
    """
    if net.needs_dev(address):
        return net.has_address(interface, address)
    return net.fib.is_local(address)


def in_use(address: Address) -> bool:
    """Tell whether an address is not tested any more, and no group."""
    return not (address.tentative or address.autojoin)


def is_anycast_here(net: Network, interface: Interface, address: int) -> bool:
    """Tell whether an address is one that routers of this link have together, we among them."""
    routes = net.fib.tables[TableName.LOCAL].chain(address, IPV6.bits)
    return any(route.type is RouteType.ANYCAST and route.dev == interface.name for route in routes)


def usable(interface: Interface, address: int) -> bool:
    """Tell whether an interface may ask its neighbors from an address: one of its own, not tested.

    Source: Linux ``ndisc_solicit``.
    """
    found = interface.ipv6.addresses.find(address, None)
    return found is not None and in_use(found)


def asking_address(interface: Interface) -> int:
    """Return the address from which an interface asks its neighbors; ``::`` when it has none.

    The link-local one, as Linux (``ipv6_get_lladdr``), else the first, unless nd.ask_from_any=0.
    """
    own = [item for item in interface.ipv6.addresses.items if usable(interface, item.local)]
    near = [item for item in own if item.scope is Scope.LINK]
    if interface.settings["nd.ask_from_any"]:
        near = near or own
    return near[0].local if near else UNSPECIFIED6


def is_optimistic(address: Address) -> bool:
    """Tell whether an address is used although it is still tested (RFC 4429)."""
    optimistic = isinstance(address, Address6) and address.optimistic
    return optimistic and address.tentative and not address.dadfailed


def optimistic_address(interface: Interface, wanted: int | None) -> int | None:
    """Return an optimistic address of an interface: ``wanted`` if it is one; None without any."""
    found = [item for item in interface.ipv6.addresses.items if is_optimistic(item)]
    found.sort(key=lambda item: (item.local != wanted, item.scope is not Scope.LINK))
    return found[0].local if found else None


def why_disabled(interface: Interface) -> str | None:
    """Return why an interface does without IPv6, as ``ip6-disabled`` has it; None if it does not.

    Source: RFC 8200 5; Linux ``ipv6_add_dev``.
    """
    if interface.settings["ip6.disable"]:
        return "sysctl"
    return "mtu" if interface.mtu < MIN_MTU else None


def check_address(interface: Interface, new: Address) -> None:
    """Refuse what no interface can have as its address.

    Raises:
        InvalidArgument: it is such an address.

    Deviation: Linux takes an IPv4-mapped address, from which no packet gets anywhere: such packets
    are dropped by all who receive them (Linux ``ip6_rcv_core``).

    Source: RFC 4291 2.5.2, 2.5.3, 2.7; Linux ``ipv6_add_addr``.
    """
    disabled, dev = why_disabled(interface), interface.name
    if disabled is not None:
        why, hint = {
            "sysctl": ("ip6.disable is on", f"smolctl sysctl {dev}.ip6.disable=0"),
            "mtu": (f"its mtu is {interface.mtu}", f"smolctl link set {dev} mtu {MIN_MTU}"),
        }[disabled]
        raise InvalidArgument(f"{dev} does without IPv6: {why}", hint=hint)
    local = new.local
    shown = f"{format_address(local)}/{new.plen}"
    if local == UNSPECIFIED6:
        raise InvalidArgument(f"{shown} says that there is no address")
    if is_multicast(local) is not new.autojoin:
        if new.autojoin:
            raise InvalidArgument(
                f"{shown} is not a group that autojoin could join", hint="groups are ff00::/8"
            )
        raise InvalidArgument(
            f"{shown} is multicast: it cannot be an interface's own address",
            hint="to join the group, add the word autojoin",
        )
    if local == LOOPBACK6 and not interface.loopback:
        raise InvalidArgument(f"{shown} is the address of the loopback, and of no other interface")
    if is_mapped(local):
        raise InvalidArgument(f"{shown} stands for an IPv4 address, and is on no wire")


def new_address(local: int, plen: int, dev: str) -> Address6:
    """Return an address that an interface is to get; its scope follows from it."""
    return Address6(local, plen, scope_of(local), dev)
