"""Changes of the addresses of an interface, and what follows from them.

For the user's changes (``config.addr``) and for the addresses that a network gives itself.
"""

from collections.abc import Collection

from smolctl.stack.events import ChangeType
from smolctl.stack.interface import Interface
from smolctl.stack.ip import membership
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.derived_routes import derived_from, ensure, follow, of_nobody_else, withdraw
from smolctl.stack.ip.network import Network


def insert_address(net: Network, interface: Interface, new: Address, now: int) -> None:
    """Put an address into the list, with the routes that follow; it may have to be tested first.

    Raises:
        AlreadyExists, InvalidArgument: as ``AddressList.insert``.
    """
    addresses = net.of(interface).addresses
    new.tentative = net.wants_test(interface, new)
    # It may stand in for others of its network, or others for it.
    others = addresses.company((new,)) if new.tentative or addresses.unsettled else []
    before = derived_from(net, interface, others)
    addresses.insert(new)
    net.of(interface).lifetimes.watch(new, now)
    net.events.addr(ChangeType.NEW, interface, new)
    if new.autojoin:
        membership.join_address(net, interface, new.local)
    follow(net, interface, [*others, new], before)
    if interface.up:
        net.fib.revive_hops(interface.name)
        net.generation.touch()
    net.address_added(interface, new, now)


def remove_addresses(
    net: Network, interface: Interface, wanted: Collection[Address], now: int
) -> list[Address]:
    """Take addresses out; a primary takes its secondaries with it. Returns all that went.

    Routes that prefer a source which is gone go too.
    """
    addresses = net.of(interface).addresses
    going = addresses.going(wanted)
    gone = [item for group in going for item in group]
    others = addresses.company(gone) if addresses.unsettled else []
    # As if it were up: what a loopback that is down keeps as local must go as well.
    before = net.derived_routes(interface, [*gone, *others], up=True)
    addresses.drop(gone)
    for item in gone:
        net.of(interface).dad.forget(item)
        net.of(interface).lifetimes.forget(item)
        if item.autojoin:
            membership.leave_address(net, interface, item.local)
    net.addresses_removed(interface, gone)
    for group in going:
        for item in reversed(group):  # a primary after its secondaries, as Linux
            net.events.addr(ChangeType.DELETED, interface, item)
    for key in net.derived_routes(interface, others, up=True) if others else ():
        before.pop(key, None)
    for route in of_nobody_else(net, interface, gone, before, up=True).values():
        withdraw(net, route)
    if others:  # another one may lead its network now
        for route in derived_from(net, interface, others).values():
            ensure(net, route)
    net.generation.touch()
    net.sources_gone({item.local for item in gone})
    if not addresses.items:
        net.last_address_gone(interface, now)
    return gone
