"""Addresses and groups of a twin, in the kernel's order."""

from smolctl.host import addresses
from smolctl.host.groups import AF_PACKET
from smolctl.host.reading import HostState
from smolctl.host.twin.notes import Note, Notes
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface, Interfaces
from smolctl.stack.ip.addresses import FOREVER, Address, Lifetime
from smolctl.stack.ip.dad import DadEntry, Phase
from smolctl.stack.ip.groups import ANYBODY, STATIC
from smolctl.stack.ip.network import Network, Networks
from smolctl.stack.ipv6.addresses import Address6
from smolctl.stack.ipv6.addresses import scope_of as scope6_of
from smolctl.wire.address import IPV4, IPV6, family_of, format_address

_SCOPES = sorted(Scope, reverse=True)


def add(networks: Networks, interfaces: Interfaces, state: HostState, notes: Notes) -> None:
    """Add the addresses and groups of all links; what the stack derived itself is none of them."""
    there = {link.index: link for link in interfaces.values()}
    for each in state.addresses:
        interface = there.get(each.ifindex)
        if interface is not None and each.family in (AF_INET, AF_INET6):
            net = networks[IPV6 if each.family == AF_INET6 else IPV4]
            _add(net, interface, each, notes)
    for group in state.groups.groups:
        interface = there.get(group.ifindex)
        if interface is not None and group.family != AF_PACKET:
            net = networks[IPV6 if group.family == AF_INET6 else IPV4]
            groups = net.of(interface).groups
            if not _is_wrong(net, group.address) and not groups.members(group.address):
                groups.set(group.address, STATIC, ANYBODY)
    for filtered in state.groups.sources:
        interface = there.get(filtered.ifindex)
        text = (
            f"some sockets want, or do not want, what {format_address(filtered.source)} sends to"
            f" {format_address(filtered.group)}"
        )
        notes.take(Note("group", text, "" if interface is None else interface.name))


def _is_wrong(net: Network, address: int | None) -> bool:
    """Tell whether an address is there, and of another family."""
    return address is not None and family_of(address) is not net.family


def scope_of(number: int) -> Scope:
    """Return a scope; of one without a name, the next farther one, which compares alike."""
    return next((scope for scope in _SCOPES if scope <= number), Scope.GLOBAL)


def _add(net: Network, interface: Interface, each: addresses.Address, notes: Notes) -> None:
    state, flags = net.of(interface), each.flags
    shown = f"{format_address(each.local)}/{each.plen}"
    if _is_wrong(net, each.local) or not 0 <= each.plen <= net.family.bits:
        text = f"{shown} on {interface.name} is none of its family"
        notes.take(Note("address", text, interface.name, net.family.name))
        return
    address: Address
    if net.family is IPV6:
        address = Address6(
            each.local, each.plen, scope6_of(each.local), interface.name,
            temporary=bool(flags & addresses.SECONDARY),
            stable_privacy=bool(flags & addresses.STABLE_PRIVACY),
            optimistic=bool(flags & addresses.OPTIMISTIC),
        )  # fmt: skip
    else:
        address = Address(each.local, each.plen, scope_of(each.scope), each.label or interface.name)
        address.secondary = bool(flags & addresses.SECONDARY)
        address.broadcast = None if _is_wrong(net, each.broadcast) else each.broadcast
        address.metric = each.metric or (256 if net.family is IPV6 else 0)
    address.peer = None if _is_wrong(net, each.peer) else each.peer
    address.prefix_route = not flags & addresses.NOPREFIXROUTE
    address.dadfailed = bool(flags & addresses.DADFAILED)
    address.tentative = bool(flags & addresses.TENTATIVE) or address.dadfailed
    address.autojoin = bool(flags & addresses.AUTOJOIN)
    address.deprecated = bool(flags & addresses.DEPRECATED)
    if each.valid is not None or each.preferred is not None:
        valid = FOREVER if each.valid is None else each.valid
        preferred = FOREVER if each.preferred is None else each.preferred
        address.lifetime = Lifetime(valid, preferred, net.events.now_ns)
    state.addresses.items.append(address)
    if address.tentative and not address.dadfailed:
        state.dad.put(DadEntry(address, Phase.WAITING))
    if each.unknown:
        text = f"{shown} on {interface.name}: attributes {', '.join(map(str, each.unknown))}"
        notes.take(Note("address", text, interface.name, net.family.name))
