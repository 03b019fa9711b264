"""Changes of addresses, with Linux's rules and consequences.

Each verb checks everything first and changes nothing when it raises.
"""

from smolctl.errors import (
    InvalidArgument,
)
from smolctl.stack.config.room import check_address_room
from smolctl.stack.events import ChangeType
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip import membership
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.derived_routes import (
    derived,
    derived_from,
    drop_routes_preferring,
    ensure,
    sync,
    withdraw,
)
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv4 import acd
from smolctl.wire.address import (
    IPV4,
    format_address,
    is_class_e,
    is_limited_broadcast,
    is_multicast,
    is_zeronet,
)

LOOPBACK_ADDRESS = 0x7F000001


def bring_up_loopback(net: Network) -> None:
    """Give ``lo`` 127.0.0.1/8, which makes all of 127/8 local."""
    lo = net.interfaces.loopback
    if net.of(lo).addresses.find(LOOPBACK_ADDRESS, 8) is None:
        add_address(net, lo, Address(LOOPBACK_ADDRESS, 8, Scope.HOST, "lo"))


def add_address(net: Network, interface: Interface, new: Address, now: int | None = None) -> None:
    """Add an address and the routes that follow from it; it may have to be tested first.

    Args:
        now: None for the last time that the stack was given.

    Raises:
        InvalidArgument: it is no address that one host can have, or another address of its
            network has another scope.
        AlreadyExists: it already exists.
        NoBuffers: there are as many as iface.max_addr_count allows, or as many groups as
            igmp.max_memberships does.
        AddressInUse: with another prefix length, it is a group that is joined already.
    """
    _check_address(new)
    check_address_room(net, interface, new)
    if new.autojoin and net.of(interface).addresses.find(new.local, new.plen) is None:
        membership.check_address(net, interface, new.local)
    new.tentative = acd.wants_test(net, interface, new)
    unsettled = new.tentative or net.of(interface).addresses.unsettled
    before = derived(net, interface) if unsettled else {}
    if net.family is IPV4:
        net.settings.settle(interface.name)
    net.of(interface).addresses.insert(new)
    net.events.addr(ChangeType.NEW, interface, new)
    if new.autojoin:
        membership.join_address(net, interface, new.local)
    if unsettled:  # it may stand in for others, or others for it
        sync(net, interface, before)
    else:
        for route in derived_from(net, interface, new).values():
            ensure(net, route)
        net.generation.touch()
    if interface.up:
        net.fib.revive_hops(interface.name)
        net.generation.touch()
    acd.added(net, interface, new, net.events.now_ns if now is None else now)


def _check_address(new: Address) -> None:
    """Refuse what Linux lets pass and every packet would then trip over.

    Deviation: Linux takes 0.0.0.0, multicast and broadcast addresses; RFC 1122 3.2.1.3 forbids
    them as a source. A group that is joined is no source.
    """
    local = new.local
    shown = f"{format_address(local)}/{new.plen}"
    if is_zeronet(local):
        raise InvalidArgument(f"{shown} is in 0.0.0.0/8, which has no host addresses")
    if new.autojoin:
        if not is_multicast(local):
            raise InvalidArgument(
                f"{shown} is not a group that autojoin could join",
                hint="groups are 224.0.0.0 to 239.255.255.255",
            )
        return
    if is_multicast(local):
        raise InvalidArgument(
            f"{shown} is multicast: it cannot be an interface's own address",
            hint="to join the group, add the word autojoin",
        )
    if is_limited_broadcast(local) or is_class_e(local):
        raise InvalidArgument(f"{shown} is reserved or broadcast, not the address of a host")
    host_bits = 32 - new.plen
    if host_bits >= 2 and local & (1 << host_bits) - 1 == (1 << host_bits) - 1:
        raise InvalidArgument(f"{shown} is the broadcast address of its own network")


def change_address(
    net: Network, interface: Interface, old: Address, new: Address, now: int | None = None
) -> None:
    """Change label, scope and broadcast of an address that is there, and whether it is tested.

    One that another host has is tested again.

    Args:
        now: None for the last time that the stack was given.

    Raises:
        InvalidArgument: the scope differs from that of its network's other addresses.
    """
    network = old.network(net.of(interface).addresses.bits)
    for other in net.of(interface).addresses.items:
        same = other.plen == old.plen and other.network(net.of(interface).addresses.bits) == network
        if other is not old and same and other.scope != new.scope:
            raise InvalidArgument("another address of this network has another scope")
    before = derived(net, interface)
    old.label, old.scope, old.broadcast = new.label, new.scope, new.broadcast
    old.dad = new.dad if new.dad is not None else old.dad
    net.events.addr(ChangeType.CHANGED, interface, old)
    sync(net, interface, before)
    now = net.events.now_ns if now is None else now
    if not acd.wants_test(net, interface, old):
        acd.take_untested(net, interface, old, now)
    elif new.dad or old.dadfailed:
        acd.retest(net, interface, old, now)


def delete_address(net: Network, interface: Interface, address: Address, now: int) -> list[Address]:
    """Delete an address; a primary takes its secondaries with it. Returns all that went.

    Routes that prefer a source which is gone go too, and with the last address every route by the
    interface (Linux fib_del_ifaddr, fib_sync_down_addr, fib_disable_ip).
    """
    # As if it were up: what a loopback that is down keeps as local must go as well.
    before = derived(net, interface, up=True)
    gone = net.of(interface).addresses.remove(address)
    for item in gone:
        net.of(interface).dad.forget(item)
        if item.autojoin:
            membership.leave_address(net, interface, item.local)
    for item in reversed(gone):  # a primary after its secondaries, as Linux
        net.events.addr(ChangeType.DELETED, interface, item)
    kept = derived(net, interface, up=True)
    for key, route in before.items():
        if key not in kept:
            withdraw(net, route)
    if net.of(interface).addresses.unsettled:  # another one may lead its network now
        for route in derived(net, interface).values():
            ensure(net, route)
    net.generation.touch()
    drop_routes_preferring(net, {item.local for item in gone})
    if not net.of(interface).addresses.items:
        net.fib.remove_where(lambda route: route.dev == interface.name)
        net.fib.kill_hops(interface.name)
        net.neighbors.flush(interface, now, "address")
        net.generation.touch()
    return gone
