"""Which source address a packet gets that has none yet."""

from typing import TYPE_CHECKING

from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip.host_model import is_strong

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def select_source(
    stack: "Stack", out: Interface, destination: int | None, scope: Scope
) -> int | None:
    """Return the source address for packets by ``out`` (Linux ``inet_select_addr``).

    An address of the interface, of the destination's own network if possible; else the first
    address of that scope on any interface, loopback first; else None. In the strong model none but
    the interface's own will do, and with ip.first_source its first one always does.
    """
    items, settings = out.addresses.items, stack.settings
    if settings["ip.first_source"] and items and not (items[0].tentative or items[0].autojoin):
        return items[0].local
    source = out.addresses.select(destination, scope)
    if source is not None or (is_strong(stack) and not out.loopback):
        return source
    for interface in stack.interfaces.values():
        for address in interface.addresses.items:
            within = address.scope != Scope.LINK and address.scope <= scope
            if within and not (address.secondary or address.tentative or address.autojoin):
                return address.local
    return None
