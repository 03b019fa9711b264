"""Changes of proxy entries."""

from smolctl.stack.events import ChangeType
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.neighbor.proxy import ProxyEntry


def add_proxy(net: Network, interface: Interface, entry: ProxyEntry) -> None:
    """Have an interface answer who asks for somebody else (Linux ``pneigh_lookup``)."""
    entries = net.of(interface).proxies.entries
    before = entries.get(entry.ip)
    if before != entry:
        entries[entry.ip] = entry
        net.events.neigh(interface, ChangeType.CHANGED if before else ChangeType.NEW, entry)
    if before is None:
        net.proxy_added(interface, entry)


def delete_proxy(net: Network, interface: Interface, ip: int) -> None:
    """Answer for it no more; a request that waits finds that out."""
    entry = net.of(interface).proxies.entries.pop(ip)
    net.events.neigh(interface, ChangeType.DELETED, entry)
    net.proxy_removed(interface, entry)
