"""What a user changes: links and addresses, with Linux's rules and consequences.

Each verb checks everything first and changes nothing when it raises.
"""

from smolctl.errors import (
    AlreadyExists,
    InvalidArgument,
)
from smolctl.stack import (
    configure_maddr,
    conflict,
    derive,
    egress_link,
    impair,
    policy,
    proxy_arp,
)
from smolctl.stack.addr import Address
from smolctl.stack.events import Action
from smolctl.stack.interface import MTU_MAX, MTU_MIN, Interface, Medium
from smolctl.stack.proxy import ProxyEntry
from smolctl.stack.route import Scope
from smolctl.stack.stack import Stack
from smolctl.wire import addr

LOOPBACK_ADDRESS = 0x7F000001
NAME_MAX = 15
"""Bytes of an interface name, as Linux's IFNAMSIZ less the final zero."""

# --- links ----------------------------------------------------------------------------------------


def bring_up_loopback(stack: Stack) -> None:
    """Give ``lo`` 127.0.0.1/8, which makes all of 127/8 local."""
    if stack.loopback.addresses.find(LOOPBACK_ADDRESS, 8) is None:
        add_address(stack, stack.loopback, Address(LOOPBACK_ADDRESS, 8, Scope.HOST, "lo"))


def check_interface(stack: Stack, name: str, mtu: int, mac: bytes | None) -> None:
    """Check a new interface's name, MTU and MAC.

    Raises:
        InvalidArgument, AlreadyExists.
    """
    if not 1 <= len(name.encode()) <= NAME_MAX:
        raise InvalidArgument(
            f'"{name}" is not an interface name: it has 1 to {NAME_MAX} characters'
        )
    if name in (".", "..") or any(c == "/" or c == ":" or c.isspace() for c in name):
        raise InvalidArgument(
            f'"{name}" is not an interface name: no "/", ":", spaces, "." or ".."'
        )
    if name in stack.interfaces:
        raise AlreadyExists(f'the interface "{name}" is there already', hint="smolctl link show")
    _check_mtu(mtu)
    if mac is not None:
        _check_mac(mac)


def _check_mtu(mtu: int) -> None:
    if not MTU_MIN <= mtu <= MTU_MAX:
        raise InvalidArgument(f"mtu {mtu} is not within {MTU_MIN} to {MTU_MAX}")


def _check_mac(mac: bytes) -> None:
    if mac[0] & 1 or mac == addr.ZERO_MAC:
        raise InvalidArgument(
            f"{addr.format_mac(mac)} is a group address or zero, not the MAC of one interface"
        )


def add_interface(
    stack: Stack, name: str, kind: str, medium: Medium, mtu: int, mac: bytes | None
) -> Interface:
    """Add an interface; it is up and has carrier.

    Raises:
        InvalidArgument, AlreadyExists: as ``check_interface``.
    """
    check_interface(stack, name, mtu, mac)
    interface = stack.create_interface(name, kind, medium, mtu, mac)
    stack.events.link(Action.NEW, interface)
    return interface


def delete_interface(stack: Stack, interface: Interface, now: int) -> None:
    """Take an interface away with its addresses, routes, neighbors and queued frames.

    Raises:
        InvalidArgument: it is ``lo``.
    """
    if interface is stack.loopback:
        raise InvalidArgument("lo is part of the stack and cannot be deleted")
    _flush_neighbors(stack, interface, now)
    proxy_arp.purge(stack, interface, now)
    for address in interface.addresses.items:
        stack.events.addr(Action.DELETED, interface, address)
    stack.fib.remove_where(lambda route: route.dev == interface.name)
    stack.fib.kill_hops(interface.name, gone=True)
    for item in interface.outbox:
        stack.transmit_failed(interface, item, "stack-stopped", now)
    interface.outbox.clear()
    impair.drop_held(stack, interface, now)
    interface.up = False
    configure_maddr.forget(stack, interface)
    gone = {address.local for address in interface.addresses.items}
    interface.addresses.items = []
    del stack.interfaces[interface.name]
    del stack.neighbors[interface.name]
    derive.drop_routes_preferring(stack, gone)
    stack.events.link(Action.DELETED, interface)
    stack.touch()


def set_up(stack: Stack, interface: Interface, up: bool, now: int) -> None:
    """Bring an interface up or down.

    Down takes every route by it away but the local ones, and its neighbors; up brings only the
    routes that follow from its addresses back (Linux fib_netdev_event).
    """
    if interface.up == up:
        return
    if up:
        interface.up = True
        stack.events.link(Action.CHANGED, interface)
        derive.sync(stack, interface, {})
        stack.fib.revive_hops(interface.name)
        conflict.activated(stack, interface, now)
        configure_maddr.link_changed(interface)
    else:
        interface.claims.pause()
        proxy_arp.purge(stack, interface, now)
        _flush_neighbors(stack, interface, now)
        interface.up = False
        configure_maddr.link_changed(interface)
        stack.events.link(Action.CHANGED, interface)
        stack.fib.remove_where(
            lambda route: route.dev == interface.name and route.scope is not Scope.HOST
        )
        stack.fib.kill_hops(interface.name)
    stack.touch()


def set_mtu(stack: Stack, interface: Interface, mtu: int) -> None:
    """Change the MTU, bytes.

    Raises:
        InvalidArgument: out of range.
    """
    _check_mtu(mtu)
    if mtu != interface.mtu:
        interface.mtu = mtu
        stack.events.link(Action.CHANGED, interface)
        stack.touch()


def set_mac(stack: Stack, interface: Interface, mac: bytes, now: int) -> None:
    """Change the MAC; what was learned with the old one is flushed (Linux neigh_changeaddr).

    Raises:
        InvalidArgument: not a unicast MAC, or the medium has none.
    """
    if interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(f"{interface.name} has no MAC address")
    _check_mac(mac)
    _flush_neighbors(stack, interface, now)
    interface.mac = mac
    stack.events.link(Action.CHANGED, interface)
    stack.touch()
    conflict.notify(stack, interface, now)


def set_carrier(stack: Stack, interface: Interface, on: bool, now: int) -> None:
    """Note whether somebody is at the other end; without, learned neighbors are forgotten."""
    if interface.carrier == on:
        return
    interface.carrier = on
    stack.events.link(Action.CHANGED, interface)
    configure_maddr.link_changed(interface)
    if on:
        conflict.activated(stack, interface, now)
    else:
        interface.claims.pause()
        actions = stack.neighbors[interface.name].flush(keep_permanent=True)
        egress_link.perform(stack, interface, actions, now)
    stack.touch()


def _flush_neighbors(stack: Stack, interface: Interface, now: int) -> None:
    actions = stack.neighbors[interface.name].flush()
    egress_link.perform(stack, interface, actions, now)


# --- proxies --------------------------------------------------------------------------------------


def add_proxy(stack: Stack, interface: Interface, ip: int) -> None:
    """Have an interface answer ARP for somebody else (Linux ``pneigh_lookup``)."""
    if ip not in interface.proxies.entries:
        entry = interface.proxies.entries[ip] = ProxyEntry(ip)
        stack.events.neigh(interface, Action.NEW, entry)


def delete_proxy(stack: Stack, interface: Interface, ip: int) -> None:
    """Answer for it no more; a request that waits finds that out."""
    stack.events.neigh(interface, Action.DELETED, interface.proxies.entries.pop(ip))


# --- addresses ------------------------------------------------------------------------------------


def add_address(stack: Stack, interface: Interface, new: Address, now: int | None = None) -> None:
    """Add an address and the routes that follow from it; it may have to be tested first.

    Args:
        now: None for the last time that the stack was given.

    Raises:
        InvalidArgument: it is no address that one host can have, or another address of its
            network has another scope.
        AlreadyExists: it is there already.
        NoBuffers: there are as many as iface.max_addr_count allows, or as many groups as
            igmp.max_memberships does.
        AddressInUse: with another prefix length, it is a group that is joined already.
    """
    _check_address(new)
    policy.check_address_room(stack, interface, new)
    if new.autojoin and interface.addresses.find(new.local, new.plen) is None:
        configure_maddr.check_address(stack, interface, new.local)
    new.tentative = policy.wants_test(stack, interface, new)
    unsettled = new.tentative or interface.addresses.unsettled
    before = policy.derived(stack, interface) if unsettled else {}
    interface.addresses.insert(new)
    stack.events.addr(Action.NEW, interface, new)
    if new.autojoin:
        configure_maddr.join_address(stack, interface, new.local)
    if unsettled:  # it may stand in for others, or others for it
        derive.sync(stack, interface, before)
    else:
        for route in policy.derived_from(stack, interface, new).values():
            derive.ensure(stack, route)
        stack.touch()
    if interface.up:
        stack.fib.revive_hops(interface.name)
        stack.touch()
    conflict.added(stack, interface, new, stack.events.now_ns if now is None else now)


def _check_address(new: Address) -> None:
    """Refuse what Linux lets pass and every packet would then trip over.

    Deviation: Linux takes 0.0.0.0, multicast and broadcast addresses; RFC 1122 3.2.1.3 forbids
    them as a source. A group that is joined is no source.
    """
    local = new.local
    shown = f"{addr.IPV4.format(local)}/{new.plen}"
    if addr.is_zeronet(local):
        raise InvalidArgument(f"{shown}: 0.0.0.0/8 is no address of a host")
    if new.autojoin:
        if not addr.is_multicast(local):
            raise InvalidArgument(
                f"{shown} is not a group, which autojoin could join",
                hint="groups are 224.0.0.0 to 239.255.255.255",
            )
        return
    if addr.is_multicast(local):
        raise InvalidArgument(
            f"{shown} is multicast: it cannot be an interface's own address",
            hint="to join the group, add the word autojoin",
        )
    if addr.is_limited_broadcast(local) or addr.is_class_e(local):
        raise InvalidArgument(f"{shown} is reserved or broadcast, not the address of a host")
    host_bits = 32 - new.plen
    if host_bits >= 2 and local & (1 << host_bits) - 1 == (1 << host_bits) - 1:
        raise InvalidArgument(f"{shown} is the broadcast address of its own network")


def change_address(
    stack: Stack, interface: Interface, old: Address, new: Address, now: int | None = None
) -> None:
    """Change label, scope and broadcast of an address that is there, and whether it is tested.

    One that another host has is tested again.

    Args:
        now: None for the last time that the stack was given.

    Raises:
        InvalidArgument: the scope differs from that of its network's other addresses.
    """
    network = old.network(interface.addresses.bits)
    for other in interface.addresses.items:
        same = other.plen == old.plen and other.network(interface.addresses.bits) == network
        if other is not old and same and other.scope != new.scope:
            raise InvalidArgument("another address of this network has another scope")
    before = policy.derived(stack, interface)
    old.label, old.scope, old.broadcast = new.label, new.scope, new.broadcast
    old.dad = new.dad if new.dad is not None else old.dad
    stack.events.addr(Action.CHANGED, interface, old)
    derive.sync(stack, interface, before)
    now = stack.events.now_ns if now is None else now
    if not policy.wants_test(stack, interface, old):
        conflict.take_untested(stack, interface, old, now)
    elif new.dad or old.dadfailed:
        conflict.retest(stack, interface, old, now)


def delete_address(stack: Stack, interface: Interface, address: Address, now: int) -> list[Address]:
    """Delete an address; a primary takes its secondaries with it. Returns all that went.

    Routes that prefer a source which is gone go too, and with the last address every route by the
    interface (Linux fib_del_ifaddr, fib_sync_down_addr, fib_disable_ip).
    """
    # As if it were up: what a loopback that is down keeps as local must go as well.
    before = policy.derived(stack, interface, up=True)
    gone = interface.addresses.remove(address)
    for item in gone:
        interface.claims.forget(item)
        if item.autojoin:
            configure_maddr.leave_address(stack, interface, item.local)
    for item in reversed(gone):  # a primary after its secondaries, as Linux
        stack.events.addr(Action.DELETED, interface, item)
    kept = policy.derived(stack, interface, up=True)
    for key, route in before.items():
        if key not in kept:
            derive.withdraw(stack, route)
    if interface.addresses.unsettled:  # another one may lead its network now
        for route in policy.derived(stack, interface).values():
            derive.ensure(stack, route)
    stack.touch()
    derive.drop_routes_preferring(stack, {item.local for item in gone})
    if not interface.addresses.items:
        stack.fib.remove_where(lambda route: route.dev == interface.name)
        stack.fib.kill_hops(interface.name)
        _flush_neighbors(stack, interface, now)
        stack.touch()
    return gone
