"""Changes of addresses, with Linux's rules and consequences.

Each verb checks everything first and changes nothing when it raises.
"""

from collections.abc import Collection
from contextlib import suppress

from smolctl.errors import InvalidArgument, StackError
from smolctl.stack.config.room import check_address_room
from smolctl.stack.events import ChangeType
from smolctl.stack.interface import Interface
from smolctl.stack.ip import membership
from smolctl.stack.ip.address_changes import insert_address, remove_addresses
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.derived_routes import derived_from, follow
from smolctl.stack.ip.network import Network


def bring_up_loopback(net: Network) -> None:
    """Give ``lo`` its address: 127.0.0.1/8, which makes all of 127/8 local, or ::1."""
    lo, (local, plen) = net.interfaces.loopback, net.loopback_prefix
    if net.of(lo).addresses.find(local, plen) is None:
        # A stack that starts with ip6.disable=1 does without (Linux init_loopback).
        with suppress(StackError):
            add_address(net, lo, net.new_address(local, plen, lo))


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
    net.check_address(interface, new)
    check_address_room(net, interface, new)
    if new.autojoin and net.of(interface).addresses.find(new.local, new.plen) is None:
        membership.check_address(net, interface, new.local)
    insert_address(net, interface, new, net.events.now_ns if now is None else now)


def change_address(
    net: Network, interface: Interface, old: Address, new: Address, now: int | None = None
) -> None:
    """Change what goes with an address, such as its scope and lifetime, and whether it is tested.

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
    before = derived_from(net, interface, (old,))
    old.change(new)
    now = net.events.now_ns if now is None else now
    net.of(interface).lifetimes.watch(old, now)
    net.events.addr(ChangeType.CHANGED, interface, old)
    follow(net, interface, (old,), before)
    if not net.wants_test(interface, old):
        net.take_untested(interface, old, now)
    elif new.dad or old.dadfailed:
        net.retest(interface, old, now)


def delete_addresses(
    net: Network, interface: Interface, wanted: Collection[Address], now: int
) -> list[Address]:
    """Delete addresses; a primary takes its secondaries with it. Returns all that went.

    Routes that prefer a source which is gone go too, and with the last address every route by the
    interface (Linux fib_del_ifaddr, fib_sync_down_addr, fib_disable_ip).
    """
    return remove_addresses(net, interface, wanted, now)
