"""The network layer of one family as links know it: what becomes of it when they change.

Source: Linux ``inetdev_event``, ``addrconf_notify``, ``fib_netdev_event``.
"""

from abc import abstractmethod
from functools import partial

from smolctl.stack.events import ChangeType
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip import address_lifetimes, gateways, membership
from smolctl.stack.ip.derived_routes import sync
from smolctl.stack.ip.fragment_input import discard
from smolctl.stack.ip.network import Network
from smolctl.stack.link.loopback import Loopback
from smolctl.stack.shared import Shared
from smolctl.stack.timers import Timers


class LinkedNetwork(Network):
    """A network that follows its links."""

    def __init__(self, shared: Shared, loopback: Loopback) -> None:
        super().__init__(shared, loopback)
        self.neighbors.on_change = partial(gateways.changed, self)

    def attach_tables(self, timers: Timers) -> None:
        """Have time passed on to neighbors, what was learned of ways, fragments and addresses."""
        timers.add(self.neighbors.deadline, self.neighbors.expire)
        timers.add(self.neighbors.clean_deadline, self.neighbors.clean)
        timers.add_housekeeping(self.neighbors.collect)
        timers.add(self.fib.learned_deadline, self._expire_learned)
        timers.add(self.fib.clean_deadline, self.fib.clean)
        timers.add(self.reassembly.deadline, self._expire_fragments)
        timers.add(
            partial(address_lifetimes.deadline, self), partial(address_lifetimes.expire, self)
        )

    def _expire_learned(self, now: int) -> None:
        if self.fib.expire_learned(now):
            self.generation.touch()

    def _expire_fragments(self, now: int) -> None:
        for lost in self.reassembly.expire(now):
            discard(self, lost, now)

    @abstractmethod
    def link_ready(self, interface: Interface, now: int) -> None:
        """Take note that a link is up, and somebody may hear what is sent."""

    @abstractmethod
    def link_paused(self, interface: Interface) -> None:
        """Take note that nobody hears what is sent by a link, for a while."""

    @abstractmethod
    def drop_waiting(self, interface: Interface, now: int) -> None:
        """Drop what waits on a link that goes down, neighbors' queues excepted."""

    def link_added(self, interface: Interface) -> None:
        """Take note that there is a link."""
        self.neighbors.add(interface, self.random)
        self.note_carriers()
        self.generation.touch()

    def link_up(self, interface: Interface, now: int) -> None:
        """Bring back the routes that follow from addresses; test or announce these."""
        sync(self, interface, {})
        self.fib.revive_hops(interface.name)
        if interface.carrier:
            self.link_ready(interface, now)
        membership.link_changed(self, interface)
        self.generation.touch()

    def link_going_down(self, interface: Interface, now: int) -> None:
        """Forget neighbors, and drop what waits on the link."""
        self.link_paused(interface)
        self.drop_waiting(interface, now)
        self.neighbors.flush(interface, now, "down")

    def link_down(self, interface: Interface, now: int) -> None:
        """Take away every route by the link but the local ones."""
        name = interface.name
        self.shared.next_hops.flush(name)
        membership.link_changed(self, interface)
        self.fib.remove_with_link(
            lambda route: route.dev == name and route.scope is not Scope.HOST, now
        )
        self.fib.kill_hops(name)
        self.generation.touch()

    def link_deleted(self, interface: Interface, now: int) -> None:
        """Take away addresses, routes, neighbors and groups."""
        self.neighbors.flush(interface, now, "link")
        self.drop_waiting(interface, now)
        addresses = self.of(interface).addresses
        for address in addresses.items:
            self.events.addr(ChangeType.DELETED, interface, address)
        self.shared.next_hops.flush(interface.name)
        self.fib.remove_with_link(lambda route: route.dev == interface.name, now)
        self.fib.kill_hops(interface.name, gone=True)
        self.fib.ignore_links(self.fib.ignored_links - {interface.name})
        membership.forget(self, interface)
        gone = {address.local for address in addresses.items}
        addresses.items = []
        del self.neighbors[interface.name]
        self.sources_gone(gone)
        self.generation.touch()

    def mac_changing(self, interface: Interface, now: int) -> None:
        """Forget what was learned with the old MAC address (Linux neigh_changeaddr)."""
        self.neighbors.flush(interface, now, "mac")

    def mac_changed(self, interface: Interface, now: int) -> None:
        """Take note that a link has another MAC address."""
        self.neighbors.note_arp(interface)
        self.generation.touch()

    def arp_changing(self, interface: Interface, now: int) -> None:
        """Forget all neighbors (Linux arp_netdev_event, ndisc_netdev_event: neigh_changeaddr)."""
        self.neighbors.flush(interface, now, "arp")

    def arp_changed(self, interface: Interface, now: int) -> None:
        """Ask neighbors from now on, or no more."""
        self.neighbors.note_arp(interface)
        self.generation.touch()

    def mtu_changed(self, interface: Interface, before: int, now: int) -> None:
        """Nothing follows: ways ask for the MTU of their link."""

    def carrier_changed(self, interface: Interface, now: int) -> None:
        """Test or announce addresses again, or forget learned neighbors."""
        self.note_carriers()
        membership.link_changed(self, interface)
        if interface.carrier:
            self.link_ready(interface, now)
        else:
            self.shared.next_hops.flush(interface.name)
            self.link_paused(interface)
            self.neighbors.flush(interface, now, "carrier", keep_permanent=True)
        self.generation.touch()
