"""IPv4: the network layer assembled."""

from collections.abc import Collection
from functools import partial

from smolctl.stack import reason
from smolctl.stack.fib.route import RouteType, Scope
from smolctl.stack.interface import Interface
from smolctl.stack.ip import address_tests, membership, proxy_answers
from smolctl.stack.ip.addresses import Address, AddressList
from smolctl.stack.ip.derived_routes import drop_routes_preferring
from smolctl.stack.ip.interface import IpInterface, make_ip_interface
from smolctl.stack.ip.linked_network import LinkedNetwork
from smolctl.stack.ip.network import Derived
from smolctl.stack.ip.protocol import ErrorKind, Pmtudisc
from smolctl.stack.ipv4 import acd, igmp, proxy_arp
from smolctl.stack.ipv4.address import check_address
from smolctl.stack.ipv4.arp import arp_input
from smolctl.stack.ipv4.arp_output import ArpResolver
from smolctl.stack.ipv4.derived_routes import derived_routes
from smolctl.stack.ipv4.fragment import RULES
from smolctl.stack.ipv4.icmp_error import answer_error
from smolctl.stack.ipv4.input import ip_input
from smolctl.stack.ipv4.output import ip_output
from smolctl.stack.ipv4.source_address import select_source
from smolctl.stack.link.input import LinkProtocols
from smolctl.stack.link.loopback import Loopback
from smolctl.stack.packet import Packet
from smolctl.stack.shared import Shared
from smolctl.stack.sysctl.link_settings import LinkSettings
from smolctl.stack.timers import Timers
from smolctl.wire import ethernet, ipv4
from smolctl.wire import igmp as igmp_wire
from smolctl.wire.address import IPV4, is_loopback


class Ipv4(LinkedNetwork):
    """IPv4 of one stack."""

    family = IPV4
    header_len = ipv4.MIN_HEADER_LEN
    forward_sysctl = "ip.forward"
    linkdown_sysctl = "ip.ignore_routes_with_linkdown"
    hops_sysctls = ("ip.default_ttl", "ip.multicast_ttl")
    max_packet_len = ipv4.MAX_PACKET_LEN
    min_mtu = ipv4.MIN_MTU
    trusts_devices = True
    fragment_rules = RULES
    icmp_limit_sysctl = "icmp.ratelimit_ms"
    reflect_sysctl = "ip.fwmark_reflect"
    nonlocal_sysctl = "ip.nonlocal_bind"
    group_sysctls = ("igmp.max_memberships", "igmp.max_msf")
    loopback_prefix = (0x7F000001, 8)
    input, output = ip_input, ip_output

    def __init__(self, shared: Shared, loopback: Loopback) -> None:
        super().__init__(shared, loopback)
        self.neighbors.resolver = ArpResolver(self)

    def attach(self, protocols: LinkProtocols, timers: Timers) -> None:
        """Take packets from the link layer, and have time passed on."""
        protocols.input[ethernet.EtherType.IPV4] = self.input
        protocols.input[ethernet.EtherType.ARP] = partial(arp_input, self)
        self.attach_tables(timers)
        timers.add(
            partial(address_tests.deadline, self), partial(address_tests.expire, self, acd.perform)
        )
        answer = proxy_arp.answer_delayed
        timers.add(
            partial(proxy_answers.deadline, self), partial(proxy_answers.expire, self, answer)
        )
        timers.add(
            partial(membership.reports_deadline, self),
            partial(membership.reports_expire, self, igmp.send_reports),
        )

    def of(self, interface: Interface) -> IpInterface:
        """Return what IPv4 knows of an interface."""
        return interface.ipv4

    def answer_error(self, packet: Packet, kind: ErrorKind, rest: int = 0) -> None:
        """Answer a packet with an ICMP error, unless that is forbidden."""
        answer_error(self, packet, kind, rest)

    def needs_dev(self, address: int) -> bool:
        """Tell whether an address says nothing without an interface: none does."""
        return False

    @property
    def pmtudisc(self) -> Pmtudisc:
        """The path MTU discovery of a sender that says nothing about it (Linux inet_create)."""
        return Pmtudisc.DONT if self.settings["ip.no_pmtu_disc"] else Pmtudisc.WANT

    @property
    def first_source(self) -> bool:
        """Whether packets are sent from the interface's first address, whatever the next hop."""
        return self.settings["ip.first_source"] == 1

    # --- addresses --------------------------------------------------------------------------------

    def new_address(self, local: int, plen: int, interface: Interface) -> Address:
        """Return an address that an interface is to get; one of a loopback is of this host."""
        scope = Scope.HOST if is_loopback(local) else Scope.GLOBAL
        return Address(local, plen, scope, interface.name)

    def check_address(self, interface: Interface, new: Address) -> None:
        """Refuse what no host can have as its address."""
        check_address(new)

    def derived_routes(
        self, interface: Interface, some: Collection[Address], *, up: bool
    ) -> Derived:
        """Return the routes that some of an interface's addresses bring if it is ``up`` or not."""
        return derived_routes(self.settings, interface, some, up=up)

    def select_source(
        self, out: Interface, dst: int, next_hop: int | None, scope: Scope
    ) -> int | None:
        """Return the source address for a packet by ``out``; None when there is none."""
        return select_source(self, out, next_hop, scope)

    def own_address(self, src: int | None, dev: str | None) -> int:
        """Return the sender's own address, else one of its link, or that of the loopback.

        Source: Linux ``ip_route_output_key_hash_rcu``.
        """
        if src is None and dev is not None and (out := self.interfaces.get(dev)) is not None:
            src = self.select_source(out, 0, None, Scope.HOST)
        return src or self.loopback_prefix[0]

    def interface_of(self, address: int) -> Interface | None:
        """Return the interface that has an address; of several, the one that got it last.

        Source: Linux ``__ip_dev_find``, which also takes what a local route alone makes ours.
        """
        own = self.fib.own(address)
        if own is None or own.type is not RouteType.LOCAL:
            return None
        alike = self.fib.tables[own.table].chain(own.prefix, own.plen)
        devs = [route.dev for route in alike if route.type is RouteType.LOCAL]
        return self.interfaces.get(devs[-1] or "")

    def wants_test(self, interface: Interface, address: Address) -> bool:
        """Tell whether an address is tested before it is used."""
        return acd.wants_test(self, interface, address)

    def address_added(self, interface: Interface, address: Address, now: int) -> None:
        """Begin to test a new address that is in the list, or announce it."""
        self.settings.settle(interface.name)
        acd.added(self, interface, address, now)

    def addresses_removed(self, interface: Interface, gone: Collection[Address]) -> None:
        """Nothing is left of them but their routes."""

    def retest(self, interface: Interface, address: Address, now: int) -> None:
        """Use an address no more until it was tested, or tested again."""
        acd.retest(self, interface, address, now)

    def take_untested(self, interface: Interface, address: Address, now: int) -> None:
        """Use an address at once, whoever has it."""
        acd.take_untested(self, interface, address, now)

    def sources_gone(self, sources: set[int]) -> None:
        """Drop the routes that prefer a source which is no longer ours."""
        drop_routes_preferring(self, sources)

    def last_address_gone(self, interface: Interface, now: int) -> None:
        """Drop every route by an interface without address (Linux fib_disable_ip).

        Routes that are made of next-hop objects stay with them.
        """
        name = interface.name
        self.fib.remove_where(lambda route: route.dev == name and not route.nhid)
        self.fib.kill_hops(interface.name)
        self.neighbors.flush(interface, now, "address")
        self.generation.touch()

    # --- links ------------------------------------------------------------------------------------

    def make_state(self, settings: LinkSettings) -> IpInterface:
        """Return the state of a new interface."""
        return make_ip_interface(
            AddressList(self.family.bits), acd.AcdRules(settings, self.random), igmp.RULES,
            settings, self.random, self.shared.timers.alarm, (igmp_wire.ALL_HOSTS,),
        )  # fmt: skip

    def link_ready(self, interface: Interface, now: int) -> None:
        """Test or announce the addresses of a link."""
        acd.activated(self, interface, now)

    def link_paused(self, interface: Interface) -> None:
        """Let the tests of addresses wait."""
        self.of(interface).dad.pause()

    def drop_waiting(self, interface: Interface, now: int) -> None:
        """Drop the requests that are to be answered for others."""
        proxy_answers.purge(self, interface, reason.ARP_PROXY_PURGED, now)

    def mac_changed(self, interface: Interface, now: int) -> None:
        """Announce the addresses with the new MAC address."""
        super().mac_changed(interface, now)
        acd.notify(self, interface, now)
