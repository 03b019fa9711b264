"""Mirrors: interfaces that are like a link of another system, and whose frames go nowhere."""

from smolctl.errors import InvalidArgument
from smolctl.stack.config.link import announce, check_interface
from smolctl.stack.events import ChangeType
from smolctl.stack.interface import Interface, Interfaces, Medium, Mirror
from smolctl.stack.shared import Shared

KIND = "mirror"


def add_mirror(
    shared: Shared,
    name: str,
    told: Mirror,
    mtu: int,
    mac: bytes | None,
    now: int | None = None,
) -> Interface:
    """Add a mirror, which is up and has carrier.

    Args:
        mtu: bytes.
        mac: None for a link that has no link addresses, such as a TUN.
        now: None for the last time that the stack was given.

    Raises:
        InvalidArgument, AlreadyExists.
    """
    interfaces = shared.interfaces
    check_interface(interfaces, name, mtu, mac)
    check_index(interfaces, told.index)
    medium = Medium.NONE if mac is None else Medium.ETHERNET
    check_master(name, medium, told.master)
    interface = interfaces.create(name, KIND, medium, mtu, mac, told.index)
    interface.mirror = told
    announce(shared, interface, now)
    return interface


def check_index(interfaces: Interfaces, index: int) -> None:
    """Check that no other interface has a number.

    Raises:
        InvalidArgument: one has; the message says which.
    """
    for other in interfaces.values():
        if index and other.index == index:
            raise InvalidArgument(
                f"{other.name} is interface {index} already",
                hint="leave out ifindex, and it gets the next number",
            )


def check_master(name: str, medium: Medium, master: Interface | None) -> None:
    """Check that an interface can be a port of another one.

    Raises:
        InvalidArgument: it cannot.
    """
    if master is None:
        return
    if master.mirror is None:
        raise InvalidArgument(
            f"{master.name} has no ports: it is no mirror of a bridge or bond",
            hint=f"smolctl link add NAME type {KIND} kind bridge",
        )
    if Medium.NONE in (medium, master.medium):
        raise InvalidArgument(f"{name} cannot be a port: what it carries has no link addresses")


def check_port(interface: Interface, master: Interface | None) -> None:
    """Check that ``set_master`` can be done.

    Raises: as that.
    """
    if interface.mirror is None:
        raise InvalidArgument(
            f"{interface.name} is no mirror, and cannot be a port of another interface"
        )
    check_master(interface.name, interface.medium, master)
    above = master
    while above is not None:
        if above is interface:
            raise InvalidArgument(f"{interface.name} would be a port of itself")
        above = None if above.mirror is None else above.mirror.master


def set_master(shared: Shared, interface: Interface, master: Interface | None) -> None:
    """Make a mirror a port of another one, or of none any more.

    Raises:
        InvalidArgument: it is no mirror, or the other one has no ports; or it would be its own.
    """
    check_port(interface, master)
    told = interface.mirror
    if told is not None and told.master is not master:
        told.master = master
        shared.events.link(ChangeType.CHANGED, interface)
        shared.generation.touch()
