"""IPv4: the network layer assembled, and what becomes of it when links change."""

from functools import partial

from smolctl.stack.events import ChangeType
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip import gateways, membership
from smolctl.stack.ip.derived_routes import drop_routes_preferring, sync
from smolctl.stack.ip.interface import IpInterface, make_ip_interface
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import ErrorKind, SendOptions
from smolctl.stack.ip.way import Way
from smolctl.stack.ipv4 import acd, igmp, proxy_arp
from smolctl.stack.ipv4.arp import arp_input
from smolctl.stack.ipv4.arp_output import ArpResolver
from smolctl.stack.ipv4.fragment import discard
from smolctl.stack.ipv4.icmp_error import answer_error
from smolctl.stack.ipv4.input import ip_input
from smolctl.stack.ipv4.output import ip_output
from smolctl.stack.link.input import LinkProtocols
from smolctl.stack.link.loopback import Loopback
from smolctl.stack.packet import Packet
from smolctl.stack.shared import Shared
from smolctl.stack.sysctl.link_settings import LinkSettings
from smolctl.stack.timers import Timers
from smolctl.wire import ethernet, ipv4
from smolctl.wire import igmp as igmp_wire
from smolctl.wire.address import IPV4


class Ipv4(Network):
    """IPv4 of one stack."""

    family = IPV4
    header_len = ipv4.MIN_HEADER_LEN

    def __init__(self, shared: Shared, loopback: Loopback) -> None:
        super().__init__(shared, loopback)
        self.neighbors.resolver = ArpResolver(self)
        self.neighbors.on_change = partial(gateways.changed, self)

    def attach(self, protocols: LinkProtocols, timers: Timers) -> None:
        """Take packets from the link layer, and have time passed on."""
        protocols.input[ethernet.EtherType.IPV4] = self.input
        protocols.input[ethernet.EtherType.ARP] = partial(arp_input, self)
        timers.add(self.neighbors.deadline, self.neighbors.expire)
        timers.add_housekeeping(self.neighbors.collect)
        timers.add(partial(acd.deadline, self), partial(acd.expire, self))
        timers.add(partial(proxy_arp.deadline, self), partial(proxy_arp.expire, self))
        timers.add(partial(igmp.deadline, self), partial(igmp.expire, self))
        timers.add(self.fib.learned_deadline, self._expire_learned)
        timers.add(self.fib.clean_deadline, self.fib.clean)
        timers.add(self.reassembly.deadline, self._expire_fragments)

    def of(self, interface: Interface) -> IpInterface:
        """Return what IPv4 knows of an interface."""
        return interface.ipv4

    def input(self, packet: Packet) -> None:
        """Take a packet that came in by an interface."""
        ip_input(self, packet)

    def output(self, packet: Packet, way: Way, protocol: int, how: SendOptions) -> None:
        """Send a packet that has no IP header yet."""
        ip_output(self, packet, way, protocol, how)

    def answer_error(self, packet: Packet, kind: ErrorKind, rest: int = 0) -> None:
        """Answer a packet with an ICMP error, unless that is forbidden."""
        answer_error(self, packet, kind, rest)

    def _expire_learned(self, now: int) -> None:
        if self.fib.expire_learned(now):
            self.generation.touch()

    def _expire_fragments(self, now: int) -> None:
        for lost in self.reassembly.expire(now):
            discard(self, lost, now)

    # --- links (Linux inetdev_event, fib_netdev_event) --------------------------------------------

    def make_state(self, settings: LinkSettings) -> IpInterface:
        """Return the state of a new interface."""
        return make_ip_interface(
            self.family, settings, self.random, self.shared.timers.alarm, igmp_wire.ALL_HOSTS
        )

    def link_added(self, interface: Interface) -> None:
        """Take note that there is a link."""
        self.neighbors.add(interface, self.random)
        self.generation.touch()

    def link_up(self, interface: Interface, now: int) -> None:
        """Bring back the routes that follow from addresses; test or announce these."""
        sync(self, interface, {})
        self.fib.revive_hops(interface.name)
        acd.activated(self, interface, now)
        membership.link_changed(self, interface)
        self.generation.touch()

    def link_going_down(self, interface: Interface, now: int) -> None:
        """Forget neighbors, and drop what waits on the link."""
        self.of(interface).dad.pause()
        proxy_arp.purge(self, interface, now)
        self.neighbors.flush(interface, now, "down")

    def link_down(self, interface: Interface, now: int) -> None:
        """Take away every route by the link but the local ones."""
        name = interface.name
        membership.link_changed(self, interface)
        self.fib.remove_with_link(
            lambda route: route.dev == name and route.scope is not Scope.HOST, now
        )
        self.fib.kill_hops(name)
        self.generation.touch()

    def link_deleted(self, interface: Interface, now: int) -> None:
        """Take away addresses, routes, neighbors and groups."""
        self.neighbors.flush(interface, now, "link")
        proxy_arp.purge(self, interface, now)
        addresses = self.of(interface).addresses
        for address in addresses.items:
            self.events.addr(ChangeType.DELETED, interface, address)
        self.fib.remove_with_link(lambda route: route.dev == interface.name, now)
        self.fib.kill_hops(interface.name, gone=True)
        membership.forget(self, interface)
        gone = {address.local for address in addresses.items}
        addresses.items = []
        del self.neighbors[interface.name]
        drop_routes_preferring(self, gone)
        self.generation.touch()

    def mac_changing(self, interface: Interface, now: int) -> None:
        """Forget what was learned with the old MAC address (Linux neigh_changeaddr)."""
        self.neighbors.flush(interface, now, "mac")

    def mac_changed(self, interface: Interface, now: int) -> None:
        """Announce the addresses with the new MAC address."""
        self.generation.touch()
        acd.notify(self, interface, now)

    def carrier_changed(self, interface: Interface, now: int) -> None:
        """Test or announce addresses again, or forget learned neighbors."""
        membership.link_changed(self, interface)
        if interface.carrier:
            acd.activated(self, interface, now)
        else:
            self.of(interface).dad.pause()
            self.neighbors.flush(interface, now, "carrier", keep_permanent=True)
        self.generation.touch()
