"""Changes of proxy entries."""

from smolctl.stack.events import ChangeType
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.neighbor.proxy import ProxyEntry


def add_proxy(net: Network, interface: Interface, ip: int) -> None:
    """Have an interface answer ARP for somebody else (Linux ``pneigh_lookup``)."""
    if ip not in net.of(interface).proxies.entries:
        entry = net.of(interface).proxies.entries[ip] = ProxyEntry(ip)
        net.events.neigh(interface, ChangeType.NEW, entry)


def delete_proxy(net: Network, interface: Interface, ip: int) -> None:
    """Answer for it no more; a request that waits finds that out."""
    net.events.neigh(interface, ChangeType.DELETED, net.of(interface).proxies.entries.pop(ip))
