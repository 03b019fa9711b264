"""Changes of sysctls, and what follows from them at once."""

from smolctl.stack.ip.derived_routes import DERIVING, derived, sync
from smolctl.stack.sysctl.settings import named
from smolctl.stack.transport.udp.blocked import look_again
from smolctl.stack.transport.udp.table import UdpTable


def set_sysctl(udp: UdpTable, key: str, text: str, *, origin: str) -> None:
    """Set one sysctl from its text; what it decides is decided anew from now on.

    Args:
        udp: whose blocked sockets look again; it knows the networks.

    Raises:
        NotFound, InvalidArgument: as ``Settings.set``.
    """
    item, interfaces = named(key).item, udp.interfaces.values()
    before = [
        (net, link, derived(net, link))
        for net in udp.networks.values()
        for link in (interfaces if item.key in DERIVING else ())
    ]
    udp.settings.set(key, text, origin=origin)
    for net, link, routes in before:
        sync(net, link, routes)
    for net in udp.networks.values():
        net.sysctl_changed(key)
    look_again(udp)  # and at all timers: a time of a sysctl may have become shorter
    udp.generation.touch()
