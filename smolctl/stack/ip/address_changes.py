"""Changes of the addresses of an interface, and what follows from them.

For the user's changes (``config.addr``) and for the addresses that a network gives itself.
"""

from smolctl.stack.events import ChangeType
from smolctl.stack.interface import Interface
from smolctl.stack.ip import membership
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.derived_routes import derived, derived_from, ensure, sync, withdraw
from smolctl.stack.ip.network import Network


def insert_address(net: Network, interface: Interface, new: Address, now: int) -> None:
    """Put an address into the list, with the routes that follow; it may have to be tested first.

    Raises:
        AlreadyExists, InvalidArgument: as ``AddressList.insert``.
    """
    addresses = net.of(interface).addresses
    new.tentative = net.wants_test(interface, new)
    unsettled = new.tentative or addresses.unsettled
    before = derived(net, interface) if unsettled else {}
    addresses.insert(new)
    net.of(interface).lifetimes.watch(new, now)
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
    net.address_added(interface, new, now)


def remove_address(net: Network, interface: Interface, address: Address, now: int) -> list[Address]:
    """Take an address out; a primary takes its secondaries with it. Returns all that went.

    Routes that prefer a source which is gone go too.
    """
    # As if it were up: what a loopback that is down keeps as local must go as well.
    before = derived(net, interface, up=True)
    addresses = net.of(interface).addresses
    gone = addresses.remove(address)
    for item in gone:
        net.of(interface).dad.forget(item)
        net.of(interface).lifetimes.forget(item)
        if item.autojoin:
            membership.leave_address(net, interface, item.local)
        net.address_removed(interface, item)
    for item in reversed(gone):  # a primary after its secondaries, as Linux
        net.events.addr(ChangeType.DELETED, interface, item)
    kept = derived(net, interface, up=True)
    for key, route in before.items():
        if key not in kept:
            withdraw(net, route)
    if addresses.unsettled:  # another one may lead its network now
        for route in derived(net, interface).values():
            ensure(net, route)
    net.generation.touch()
    net.sources_gone({item.local for item in gone})
    if not addresses.items:
        net.last_address_gone(interface, now)
    return gone
