"""Changes of links: adding, deleting, up and down, MTU, MAC and carrier, as Linux has them.

Each verb checks everything first and changes nothing when it raises.
"""

from smolctl.errors import (
    AlreadyExists,
    InvalidArgument,
)
from smolctl.stack.config import maddr as maddr_config
from smolctl.stack.config.neigh import flush_neighbors
from smolctl.stack.config.netem import drop_held
from smolctl.stack.events import Action
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import MTU_MAX, MTU_MIN, Interface, Medium
from smolctl.stack.ip.derived_routes import (
    drop_routes_preferring,
    sync,
)
from smolctl.stack.ipv4 import acd, proxy_arp
from smolctl.stack.neighbor.output import perform
from smolctl.stack.stack import Stack
from smolctl.wire.address import ZERO_MAC, format_mac

NAME_MAX = 15
"""Bytes of an interface name, as Linux's IFNAMSIZ less the final zero."""


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
    if mac[0] & 1 or mac == ZERO_MAC:
        raise InvalidArgument(
            f"{format_mac(mac)} is a group address or zero, not the MAC of one interface"
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
    flush_neighbors(stack, interface, now)
    proxy_arp.purge(stack, interface, now)
    for address in interface.addresses.items:
        stack.events.addr(Action.DELETED, interface, address)
    stack.fib.remove_where(lambda route: route.dev == interface.name)
    stack.fib.kill_hops(interface.name, gone=True)
    for item in interface.outbox:
        stack.transmit_failed(interface, item, "stack-stopped", now)
    interface.outbox.clear()
    drop_held(stack, interface, now)
    interface.up = False
    maddr_config.forget(stack, interface)
    gone = {address.local for address in interface.addresses.items}
    interface.addresses.items = []
    del stack.interfaces[interface.name]
    del stack.neighbors[interface.name]
    drop_routes_preferring(stack, gone)
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
        sync(stack, interface, {})
        stack.fib.revive_hops(interface.name)
        acd.activated(stack, interface, now)
        maddr_config.link_changed(interface)
    else:
        interface.claims.pause()
        proxy_arp.purge(stack, interface, now)
        flush_neighbors(stack, interface, now)
        interface.up = False
        maddr_config.link_changed(interface)
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
    flush_neighbors(stack, interface, now)
    interface.mac = mac
    stack.events.link(Action.CHANGED, interface)
    stack.touch()
    acd.notify(stack, interface, now)


def set_carrier(stack: Stack, interface: Interface, on: bool, now: int) -> None:
    """Note whether somebody is at the other end; without, learned neighbors are forgotten."""
    if interface.carrier == on:
        return
    interface.carrier = on
    stack.events.link(Action.CHANGED, interface)
    maddr_config.link_changed(interface)
    if on:
        acd.activated(stack, interface, now)
    else:
        interface.claims.pause()
        actions = stack.neighbors[interface.name].flush(keep_permanent=True)
        perform(stack, interface, actions, now)
    stack.touch()
