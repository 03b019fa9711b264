"""Changes of neighbors and proxy entries."""

from smolctl.stack.events import Action
from smolctl.stack.interface import Interface
from smolctl.stack.neighbor.output import perform
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.stack.stack import Stack


def flush_neighbors(stack: Stack, interface: Interface, now: int) -> None:
    """Forget all neighbors of an interface."""
    actions = stack.neighbors[interface.name].flush()
    perform(stack, interface, actions, now)


def add_proxy(stack: Stack, interface: Interface, ip: int) -> None:
    """Have an interface answer ARP for somebody else (Linux ``pneigh_lookup``)."""
    if ip not in interface.proxies.entries:
        entry = interface.proxies.entries[ip] = ProxyEntry(ip)
        stack.events.neigh(interface, Action.NEW, entry)


def delete_proxy(stack: Stack, interface: Interface, ip: int) -> None:
    """Answer for it no more; a request that waits finds that out."""
    stack.events.neigh(interface, Action.DELETED, interface.proxies.entries.pop(ip))
