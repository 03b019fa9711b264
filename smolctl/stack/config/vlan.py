"""VLAN interfaces: adding one on another interface, as Linux's vlan_newlink has it."""

from smolctl.errors import AlreadyExists, InvalidArgument
from smolctl.stack.config.link import announce, check_fits, check_interface
from smolctl.stack.interface import Interface, Medium, Vlan
from smolctl.stack.shared import Shared


def add_vlan(
    shared: Shared,
    name: str,
    vlan: Vlan,
    mtu: int | None,
    mac: bytes | None,
    now: int | None = None,
) -> Interface:
    """Add the interface of a VLAN; it is up if the link below is, and has carrier as that one.

    Args:
        vlan: which one, and of which link.
        mtu, mac: None for those of the link below.
        now: None for the last time that the stack was given.

    Raises:
        InvalidArgument, AlreadyExists.
    """
    lower = vlan.lower
    if lower.medium is not Medium.ETHERNET:
        raise InvalidArgument(f"{lower.name} has no VLANs: nothing that it carries has a tag")
    mtu = lower.mtu if mtu is None else mtu
    check_interface(shared.interfaces, name, mtu, mac)
    check_fits(lower, mtu)
    other = lower.vlans.get((vlan.tpid, vlan.vid))
    if other is not None:
        raise AlreadyExists(
            f"VLAN {vlan.vid} of {lower.name} has an interface already: {other.name}",
            hint=f"smolctl -d link show {other.name}",
        )
    interface = shared.interfaces.create(
        name, "vlan", Medium.ETHERNET, mtu, lower.mac if mac is None else mac
    )
    interface.vlan, vlan.own_mac = vlan, mac is not None
    interface.up, interface.carrier, interface.arp = lower.up, lower.carrier, lower.arp
    for network in shared.interfaces.observers:
        network.arp_changed(interface, shared.events.now_ns if now is None else now)
    lower.vlans[vlan.tpid, vlan.vid] = interface
    announce(shared, interface, now)
    return interface
