"""Changes of links: adding, deleting, up and down, MTU, MAC and carrier, as Linux has them.

Each verb checks everything first and changes nothing when it raises. What follows for addresses,
routes and neighbors is up to the networks, which are told (``interface.LinkObserver``).
"""

from smolctl.errors import AlreadyExists, InterfaceDown, InvalidArgument
from smolctl.stack import reason
from smolctl.stack.config.netem import drop_delayed
from smolctl.stack.events import ChangeType
from smolctl.stack.interface import MTU_MAX, Interface, Interfaces, Medium
from smolctl.stack.link.output import transmit_failed
from smolctl.stack.shared import Shared
from smolctl.stack.sysctl.link_rule import SCOPES
from smolctl.wire.address import ZERO_MAC, format_mac
from smolctl.wire.ipv4 import MIN_MTU

NAME_MAX = 15
"""Bytes of an interface name, as Linux's IFNAMSIZ less the final zero."""


def check_interface(interfaces: Interfaces, name: str, mtu: int, mac: bytes | None) -> None:
    """Check a new interface's name, MTU and MAC.

    Raises:
        InvalidArgument, AlreadyExists.
    """
    check_name(name)
    if name in SCOPES:
        # Deviation: Linux accepts it, and then has no IPv4 on it (sysctl_dev_name_is_allowed).
        raise InvalidArgument(
            f'"{name}" is not an interface name: in sysctls it means something else'
        )
    if name in interfaces:
        raise AlreadyExists(f'the interface "{name}" already exists', hint="smolctl link show")
    _check_mtu(mtu)
    if mac is not None:
        _check_mac(mac)


def check_name(name: str) -> None:
    """Check that an interface may have a name (Linux ``dev_valid_name``).

    Raises:
        InvalidArgument: none may.
    """
    if not 1 <= len(name.encode()) <= NAME_MAX:
        raise InvalidArgument(
            f'"{name}" is not an interface name: it has 1 to {NAME_MAX} characters'
        )
    if name in (".", "..") or any(c == "/" or c == ":" or c.isspace() for c in name):
        raise InvalidArgument(
            f'"{name}" is not an interface name: no "/", ":", spaces, "." or ".."'
        )


def _check_mtu(mtu: int) -> None:
    if not MIN_MTU <= mtu <= MTU_MAX:
        raise InvalidArgument(f"mtu {mtu} is not within {MIN_MTU} to {MTU_MAX}")


def _check_mac(mac: bytes) -> None:
    if mac[0] & 1 or mac == ZERO_MAC:
        raise InvalidArgument(
            f"{format_mac(mac)} is a group address or zero, not the MAC of one interface"
        )


def add_interface(
    shared: Shared,
    name: str,
    kind: str,
    medium: Medium,
    mtu: int,
    mac: bytes | None,
    now: int | None = None,
) -> Interface:
    """Add an interface; it is up and has carrier.

    Args:
        now: None for the last time that the stack was given.

    Raises:
        InvalidArgument, AlreadyExists: as ``check_interface``.
    """
    check_interface(shared.interfaces, name, mtu, mac)
    interface = shared.interfaces.create(name, kind, medium, mtu, mac)
    announce(shared, interface, now)
    return interface


def announce(shared: Shared, interface: Interface, now: int | None = None) -> None:
    """Tell everybody of a new interface, and the networks whether it is ready."""
    shared.events.link(ChangeType.NEW, interface)
    if interface.up and interface.carrier:
        for network in shared.interfaces.observers:
            network.link_ready(interface, shared.events.now_ns if now is None else now)


def delete_interface(shared: Shared, interface: Interface, now: int) -> None:
    """Take an interface away with its addresses, routes, neighbors, VLANs and queued frames.

    Raises:
        InvalidArgument: it is ``lo``.
    """
    interfaces = shared.interfaces
    if interface is interfaces.loopback:
        raise InvalidArgument("lo is part of the stack and cannot be deleted")
    for upper in list(interface.vlans.values()):
        delete_interface(shared, upper, now)
    if (vlan := interface.vlan) is not None:
        del vlan.lower.vlans[vlan.tpid, vlan.vid]
    for other in interfaces.values():
        forget_mirrored(other, interface)
    for item in interface.outbox:
        transmit_failed(shared.recorder, interface, item, reason.STACK_STOPPED, now)
    interface.outbox.clear()
    drop_delayed(shared.recorder, interface, now)
    for network in interfaces.observers:
        network.link_deleted(interface, now)
    interface.up = False
    interfaces.forget(interface)
    shared.events.link(ChangeType.DELETED, interface)
    shared.generation.touch()


def forget_mirrored(interface: Interface, gone: Interface) -> None:
    """Have a mirror be no port of an interface that is deleted, and not on it any more."""
    told = interface.mirror
    if told is not None:
        told.master = None if told.master is gone else told.master
        told.lower = None if told.lower is gone else told.lower


def set_up(shared: Shared, interface: Interface, up: bool, now: int) -> None:
    """Bring an interface up or down.

    Down takes every route by it away but the local ones, and its neighbors; up brings only the
    routes that follow from its addresses back (Linux fib_netdev_event). Its VLANs go down and up
    with it, those too that somebody set down before (Linux vlan_device_event).

    Raises:
        InterfaceDown: it is a VLAN of a link that is down.
    """
    if interface.up == up:
        return
    networks, vlan = shared.interfaces.observers, interface.vlan
    if up and vlan is not None:
        if not vlan.lower.up:
            raise InterfaceDown(
                f"{interface.name} is a VLAN of {vlan.lower.name}, which is down",
                hint=f"smolctl link set {vlan.lower.name} up",
            )
        if not vlan.own_mac and interface.mac != vlan.lower.mac:
            set_mac(shared, interface, vlan.lower.mac, now)
    if up:
        interface.up = True
        shared.events.link(ChangeType.CHANGED, interface)
        for network in networks:
            network.link_up(interface, now)
    else:
        for network in networks:
            network.link_going_down(interface, now)
        interface.up = False
        shared.events.link(ChangeType.CHANGED, interface)
        for network in networks:
            network.link_down(interface, now)
    shared.generation.touch()
    for upper in interface.vlans.values():
        set_up(shared, upper, up, now)


def set_mtu(shared: Shared, interface: Interface, mtu: int) -> None:
    """Change the MTU, bytes; a VLAN of it has no larger one.

    Raises:
        InvalidArgument: out of range, or more than that of the link below.
    """
    _check_mtu(mtu)
    check_fits(interface.vlan.lower if interface.vlan is not None else None, mtu)
    before = interface.mtu
    if mtu != before:
        interface.mtu = mtu
        shared.events.link(ChangeType.CHANGED, interface)
        shared.generation.touch()
        for network in shared.interfaces.observers:
            network.mtu_changed(interface, before, shared.events.now_ns)
    for upper in interface.vlans.values():
        if upper.mtu > mtu:
            set_mtu(shared, upper, mtu)


def check_fits(lower: Interface | None, mtu: int) -> None:
    """Check that a VLAN's MTU is not more than that of the link below (Linux vlan_dev_change_mtu).

    Raises:
        InvalidArgument: it is.
    """
    if lower is not None and mtu > lower.mtu:
        raise InvalidArgument(
            f"mtu {mtu} does not fit {lower.name}, whose mtu is {lower.mtu}",
            hint=f"smolctl link set {lower.name} mtu {mtu}",
        )


def set_mac(shared: Shared, interface: Interface, mac: bytes, now: int) -> None:
    """Change the MAC; what was learned with the old one is flushed (Linux neigh_changeaddr).

    Raises:
        InvalidArgument: not a unicast MAC, or the medium has none.
    """
    if interface.medium is not Medium.ETHERNET:
        raise InvalidArgument(f"{interface.name} has no MAC address")
    _check_mac(mac)
    for network in shared.interfaces.observers:
        network.mac_changing(interface, now)
    interface.mac = mac
    shared.events.link(ChangeType.CHANGED, interface)
    shared.generation.touch()
    for network in shared.interfaces.observers:
        network.mac_changed(interface, now)
    for upper in interface.vlans.values():
        # One that is down gets it when it comes up (Linux vlan_dev_open).
        if upper.vlan is not None and not upper.vlan.own_mac and upper.up:
            set_mac(shared, upper, mac, now)


def set_arp(shared: Shared, interface: Interface, on: bool, now: int) -> None:
    """Let an interface ask its neighbors for their MACs, or not (Linux IFF_NOARP)."""
    if interface.arp == on:
        return
    networks = shared.interfaces.observers
    for network in networks:
        network.arp_changing(interface, now)
    interface.arp = on
    shared.events.link(ChangeType.CHANGED, interface)
    for network in networks:
        network.arp_changed(interface, now)


def set_group(shared: Shared, interface: Interface, group: int) -> None:
    """Put an interface into a group, which rules may look at (suppress_ifgroup)."""
    if interface.group != group:
        interface.group = group
        shared.events.link(ChangeType.CHANGED, interface)
        shared.generation.touch()


def set_carrier(shared: Shared, interface: Interface, on: bool, now: int) -> None:
    """Note whether somebody is at the other end; without, learned neighbors are forgotten."""
    if interface.carrier == on:
        return
    interface.carrier = on
    shared.events.link(ChangeType.CHANGED, interface)
    for network in shared.interfaces.observers:
        network.carrier_changed(interface, now)
    shared.generation.touch()
    for upper in interface.vlans.values():
        set_carrier(shared, upper, on, now)
