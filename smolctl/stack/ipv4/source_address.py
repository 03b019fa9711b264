"""The selection of a source address for a packet that has none yet."""

from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip.host_model import is_strong
from smolctl.stack.ip.network import Network


def select_source(
    net: Network, out: Interface, destination: int | None, scope: Scope
) -> int | None:
    """Return the source address for packets by ``out`` (Linux ``inet_select_addr``).

    An address of the interface, of the destination's own network if possible; else the first
    address of that scope on any interface, loopback first; else None. In the strong model none but
    the interface's own will do, and with ip.first_source its first one always does. Where there is
    none, it is 0.0.0.0 with ip.source_zero.
    """
    addresses = net.of(out).addresses
    items = addresses.items
    if net.settings["ip.first_source"] and items and not (items[0].tentative or items[0].autojoin):
        return items[0].local
    near = scope
    if scope >= Scope.LINK and out.settings["ip.route_localnet"]:
        near = Scope.HOST  # its addresses of this host may be on the link
    source = addresses.select(destination, near)
    if source is not None or (is_strong(net) and not out.loopback):
        return source
    for interface in net.interfaces.values():
        for address in net.of(interface).addresses.items:
            within = address.scope != Scope.LINK and address.scope <= scope
            if within and not (address.secondary or address.tentative or address.autojoin):
                return address.local
    return 0 if net.settings["ip.source_zero"] else None
