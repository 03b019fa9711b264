"""IPv6: the network layer assembled."""

from collections.abc import Collection
from enum import IntEnum
from functools import partial

from smolctl.errors import StackError
from smolctl.stack import reason
from smolctl.stack.fib.lookup import Found, is_lost
from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.fib.route import Route, Scope
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import Interface
from smolctl.stack.ip import address_tests, gateways, membership, proxy_answers
from smolctl.stack.ip.address_changes import insert_address, remove_addresses
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.groups import ANYBODY, NOBODY
from smolctl.stack.ip.interface import IpInterface, make_ip_interface
from smolctl.stack.ip.linked_network import LinkedNetwork
from smolctl.stack.ip.network import Derived
from smolctl.stack.ip.protocol import ErrorKind, SendOptions
from smolctl.stack.ip.way import Way
from smolctl.stack.ipv6 import dad, mld, proxy_nd, source_address
from smolctl.stack.ipv6.address_labels import AddressLabels
from smolctl.stack.ipv6.addresses import (
    Address6,
    AddressList6,
    check_address,
    new_address,
    why_disabled,
)
from smolctl.stack.ipv6.dad_input import wants_own_frame
from smolctl.stack.ipv6.derived_routes import derived_routes
from smolctl.stack.ipv6.flow_label import flow_label
from smolctl.stack.ipv6.fragment import RULES
from smolctl.stack.ipv6.icmp_error import answer_error
from smolctl.stack.ipv6.input import ip6_input
from smolctl.stack.ipv6.nd_output import NdResolver
from smolctl.stack.ipv6.output import ip6_output
from smolctl.stack.ipv6.router_groups import set_proxy_group, sync_router_groups
from smolctl.stack.link.input import LinkProtocols
from smolctl.stack.link.loopback import Loopback
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.stack.packet import Packet
from smolctl.stack.shared import Shared
from smolctl.stack.sysctl.link_settings import LinkSettings
from smolctl.stack.sysctl.settings import named
from smolctl.stack.timers import Timers
from smolctl.wire import ethernet, ipv6
from smolctl.wire.address import (
    ALL_NODES,
    ALL_NODES_OF_INTERFACE,
    IPV6,
    LOOPBACK6,
    UNSPECIFIED6,
    format_address,
    interface_id,
    is_link_local,
    is_multicast,
    link_local,
    multicast_scope,
    solicited_node,
)

_LINK_LOCAL_LEN = 64
_LINK_SCOPE = 2


class AddressMode(IntEnum):
    """Values of ip6.addr_gen_mode."""

    EUI64 = 0
    NONE = 1
    RANDOM = 2


class Ipv6(LinkedNetwork):
    """IPv6 of one stack.

    Attributes:
        labels: the policy table of source addresses (RFC 6724).
    """

    family = IPV6
    header_len = ipv6.HEADER_LEN
    forward_sysctl = "ip6.forward"
    linkdown_sysctl = "ip6.ignore_routes_with_linkdown"
    hops_sysctls = ("ip6.hop_limit", "ip6.multicast_hops")
    max_packet_len = ipv6.HEADER_LEN + ipv6.MAX_PAYLOAD_LEN
    min_mtu = ipv6.MIN_MTU
    trusts_devices = False
    fragment_rules = RULES
    icmp_limit_sysctl = "icmp6.ratelimit_ms"
    reflect_sysctl = "ip6.fwmark_reflect"
    nonlocal_sysctl = "ip6.nonlocal_bind"
    group_sysctls = ("mld.max_memberships", "mld.max_msf")
    loopback_prefix = (LOOPBACK6, 128)
    input, output = ip6_input, ip6_output

    def __init__(self, shared: Shared, loopback: Loopback) -> None:
        super().__init__(shared, loopback)
        self.labels = AddressLabels()
        self._identifiers: dict[str, int] = {}
        self.neighbors.resolver = NdResolver(self)

    def attach(self, protocols: LinkProtocols, timers: Timers) -> None:
        """Take packets from the link layer, and have time passed on."""
        protocols.input[ethernet.EtherType.IPV6] = self.input
        protocols.own[ethernet.EtherType.IPV6] = wants_own_frame
        self.attach_tables(timers)
        timers.add(
            partial(proxy_answers.deadline, self),
            partial(proxy_answers.expire, self, proxy_nd.answer_delayed),
        )
        timers.add(
            partial(address_tests.deadline, self), partial(address_tests.expire, self, dad.perform)
        )
        timers.add(
            partial(membership.reports_deadline, self),
            partial(membership.reports_expire, self, mld.send_reports),
        )

    def of(self, interface: Interface) -> IpInterface:
        """Return what IPv6 knows of an interface."""
        return interface.ipv6

    def labelled(self, how: SendOptions, way: Way, protocol: int, ports: bytes) -> SendOptions:
        """Return a sender's wishes with the label of its flow (RFC 6437 3)."""
        src = UNSPECIFIED6 if way.src is None else way.src
        return how._replace(flow_label=flow_label(self, how, src, way.dst, protocol, ports))

    def answer_error(self, packet: Packet, kind: ErrorKind, rest: int = 0) -> None:
        """Answer a packet with an ICMPv6 error, unless that is forbidden."""
        answer_error(self, packet, kind, rest)

    def needs_dev(self, address: int) -> bool:
        """Tell whether an address is of one link (RFC 4007 6; Linux __ipv6_addr_needs_scope_id)."""
        if is_multicast(address):
            return multicast_scope(address) <= _LINK_SCOPE
        return is_link_local(address)

    def is_bindable(self, address: int) -> bool:
        """Tell whether sockets may be bound to an address: a link has it (Linux ``ipv6_chk_addr``).

        A route of type local is not enough, as it is in IPv4.
        """
        having = any(self.has_address(link, address) for link in self.interfaces.values())
        return having and self.fib.is_local(address)

    @property
    def sends_for_others(self) -> bool:
        """Whether packets may have a source that this stack does not have (Linux: unchecked)."""
        return self.binds_others

    # --- addresses --------------------------------------------------------------------------------

    def new_address(self, local: int, plen: int, interface: Interface) -> Address:
        """Return an address that an interface is to get."""
        return new_address(local, plen, interface.name)

    def check_address(self, interface: Interface, new: Address) -> None:
        """Refuse what no interface can have as its address, and any where IPv6 is disabled."""
        if interface.settings["ip6.disable"]:
            knob = self.settings.knob(interface.name, "ip6.disable", 0)
            error = StackError(
                f"IPv6 is disabled on {interface.name}",
                hint=f"smolctl sysctl {knob}=0",
                code="ipv6-disabled",
            )
            error.errno_name = "EACCES"
            raise error
        check_address(interface, new)

    def derived_routes(
        self, interface: Interface, some: Collection[Address], *, up: bool
    ) -> Derived:
        """Return the routes that some of an interface's addresses bring if it is ``up`` or not."""
        return derived_routes(interface, some, up=up)

    def select_source(
        self, out: Interface | None, dst: int, next_hop: int | None, scope: Scope
    ) -> int | None:
        """Return the source address for a packet by ``out``; None when there is none.

        Args:
            out: None where no route says it.
        """
        found = source_address.candidates(self.interfaces, self.labels, out, dst)
        winner = source_address.best(found)
        return None if winner is None else winner.address.local

    def source_link(self, route: Route, out: Interface) -> Interface:
        """Return the link among whose addresses the source of a packet is chosen.

        Of a group of next-hop objects it is that of the first one, whichever the hash picks.

        Source: Linux ``ip6_route_get_saddr``, ``fib6_info_nh_dev``.
        """
        if not route.nhid or not isinstance(route, Hop) or route.whole is None:
            return out
        return self.interfaces.named(route.whole.hops[0].dev or "")

    def lookup(self, key: RouteKey) -> Found:
        """Return the route of a packet as ``Network.lookup``; of a host, past dead gateways.

        Source: Linux ``ip6_pol_route``, which looks for that if ``all.forwarding`` is off.
        """
        found = super().lookup(key)
        if self.settings[self.forward_sysctl] == 1:
            return found
        return gateways.reachable(self, key, found)

    def lookup_to_send(self, key: RouteKey) -> tuple[RouteKey, Found]:
        """Return the route of a packet of ours; where that fails, the one from an address of ours.

        Rules may select by the source, and this one stays. Source: Linux ``ip6_dst_lookup_tail``.
        """
        found = self.lookup(key)
        if key.src is None and is_lost(found):
            key = key._replace(src=self.select_source(None, key.dst, None, Scope.GLOBAL))
            if key.src is not None and not self.fib.usual_rules:
                found = self.lookup(key)
        return key, found

    @property
    def source_first(self) -> bool:
        """Whether that is said of a packet without a way: there is no address to send from."""
        return self.settings["ip6.source_first"] == 1

    def source_to_itself(self, owner: Interface, dst: int) -> int | None:
        """Return the source address for a packet to an address of ours, as for any other.

        Nothing is sent from an anycast address that another node has as well (RFC 4291 2.6), nor
        from one that a route alone makes ours (Linux ``ip6_route_get_saddr``).
        """
        return self.select_source(owner, dst, None, Scope.GLOBAL)

    def own_address(self, src: int | None, dev: str | None) -> int:
        """Return the loopback address (Linux ``udpv6_sendmsg``, ``tcp_v6_connect``)."""
        return self.loopback_prefix[0]

    def wants_test(self, interface: Interface, address: Address) -> bool:
        """Tell whether an address is tested before it is used."""
        return dad.wants_test(self, interface, address)

    def address_added(self, interface: Interface, address: Address, now: int) -> None:
        """Join the group in which others ask for a new address (RFC 4291 2.8), and test it.

        One that is not tested is not optimistic (Linux ``addrconf_dad_begin``).
        """
        if isinstance(address, Address6) and not address.tentative:
            address.optimistic = False
        if not (interface.loopback or address.autojoin):
            group, member = solicited_node(address.local), _member(address)
            membership.set_membership(self, interface, group, member, ANYBODY)
            sync_router_groups(self, interface)
            dad.added(self, interface, address, now)

    def addresses_removed(self, interface: Interface, gone: Collection[Address]) -> None:
        """Leave the groups in which others asked for them."""
        if interface.loopback:
            return
        for address in gone:
            if not address.autojoin:
                group, member = solicited_node(address.local), _member(address)
                membership.set_membership(self, interface, group, member, NOBODY)
        sync_router_groups(self, interface)

    def retest(self, interface: Interface, address: Address, now: int) -> None:
        """Use an address no more until it was tested, or tested again."""
        dad.retest(self, interface, address, now)

    def take_untested(self, interface: Interface, address: Address, now: int) -> None:
        """Use an address at once, whoever has it."""
        dad.take_untested(self, interface, address, now)

    def sources_gone(self, sources: set[int]) -> None:
        """Let routes that prefer a source which is gone select another one."""
        self.fib.forget_sources({each for each in sources if not self.fib.is_local(each)})
        self.generation.touch()

    def last_address_gone(self, interface: Interface, now: int) -> None:
        """Nothing follows: routes stay without addresses, and neighbors as well."""

    def forwards(self, interface: Interface) -> bool:
        """Tell whether packets that came in by an interface are sent on.

        Source: Linux ``ip6_forward``, which asks for all links, never for one.
        """
        return interface.of_program or self.settings[self.forward_sysctl] == 1

    def proxy_added(self, interface: Interface, entry: ProxyEntry) -> None:
        """Join the group in which others ask for a proxied address."""
        set_proxy_group(self, interface, entry, ANYBODY)

    def proxy_removed(self, interface: Interface, entry: ProxyEntry) -> None:
        """Leave that group."""
        set_proxy_group(self, interface, entry, NOBODY)

    def sysctl_changed(self, key: str) -> None:
        """Join the groups of a router, or take all addresses away, or give links their own.

        Source: Linux ``addrconf_fixup_forwarding``, ``addrconf_disable_ipv6``.
        """
        super().sysctl_changed(key)
        name, now = named(key), self.events.now_ns
        if name.item.key == self.forward_sysctl:
            for interface in self.interfaces.values():
                sync_router_groups(self, interface)
        if name.item.key not in ("ip6.disable", "ip6.addr_gen_mode"):
            return
        for interface in self.interfaces.values():
            if name.whole or name.scope == interface.name:
                self._check_use(interface, now)

    # --- links ------------------------------------------------------------------------------------

    def make_state(self, settings: LinkSettings) -> IpInterface:
        """Return the state of a new interface: in two groups (RFC 4291 2.8)."""
        return make_ip_interface(
            AddressList6(), dad.NdDadRules(settings, self.random), mld.RULES, settings, self.random,
            self.shared.timers.alarm, (ALL_NODES_OF_INTERFACE, ALL_NODES),
        )  # fmt: skip

    def link_ready(self, interface: Interface, now: int) -> None:
        """Give a link its link-local address (RFC 4862 5.3), a loopback ``::1``.

        Source: Linux ``addrconf_dev_config``, ``init_loopback``.
        """
        if why_disabled(interface) is not None:
            return
        if interface is self.interfaces.loopback:
            local, plen = self.loopback_prefix
        elif interface.has_wire:
            local, plen = link_local(self._identifier(interface)), _LINK_LOCAL_LEN
        else:
            return
        sync_router_groups(self, interface)
        wire, mode = not interface.loopback, interface.settings["ip6.addr_gen_mode"]
        wanted = not (wire and mode == AddressMode.NONE)
        if wanted and interface.ipv6.addresses.find(local, None) is None:
            new = new_address(local, plen, interface.name)
            new.stable_privacy = wire and mode == AddressMode.RANDOM
            wanted = interface.settings["nd.optimistic_dad"] == 1
            new.optimistic = wanted and not self.forwards(interface)
            insert_address(self, interface, new, now)
        dad.activated(self, interface, now)

    def _identifier(self, interface: Interface) -> int:
        """Return the interface identifier of a link's own address, 64 bits.

        Deviation: Linux makes a random one of a secret, the prefix and the MAC; so does this one
        stay the same while the link is there, and nobody can tell the difference.
        """
        if interface.settings["ip6.addr_gen_mode"] != AddressMode.RANDOM:
            return interface_id(interface.mac)
        known = self._identifiers
        if interface.name not in known:
            octets = bytes(int(self.random() * 256) for _ in range(8))
            known[interface.name] = int.from_bytes(octets)
        return known[interface.name]

    def link_deleted(self, interface: Interface, now: int) -> None:
        """Forget the link's identifier and its address labels, too."""
        super().link_deleted(interface, now)
        self.labels.forget(interface.name)
        self._identifiers.pop(interface.name, None)

    def mac_changed(self, interface: Interface, now: int) -> None:
        """Advertise the addresses with the new MAC address."""
        super().mac_changed(interface, now)
        dad.notify(self, interface, now)

    def mtu_changed(self, interface: Interface, before: int, now: int) -> None:
        """Leave a link on which no packet of 1280 bytes fits, or come back (RFC 8200 5).

        Source: Linux ``addrconf_notify``, NETDEV_CHANGEMTU.
        """
        if (before < ipv6.MIN_MTU) is not (interface.mtu < ipv6.MIN_MTU):
            self._check_use(interface, now)

    def _check_use(self, interface: Interface, now: int) -> None:
        """Take all addresses, routes and neighbors from a link that does without IPv6.

        Or give it its own again. Source: Linux ``addrconf_ifdown``, ``rt6_disable_ip``.
        """
        if why_disabled(interface) is not None:
            self._remove_addresses(interface, now)
            name = interface.name
            self.fib.remove_where(lambda route: route.dev == name and not route.nhid)
            self.fib.kill_hops(interface.name)
            self.neighbors.flush(interface, now, "address")
            interface.ipv6.reports.stop()
            self.generation.touch()
        elif interface.up:
            self.link_ready(interface, now)

    def link_paused(self, interface: Interface) -> None:
        """Let the tests of addresses wait."""
        interface.ipv6.dad.pause()

    def drop_waiting(self, interface: Interface, now: int) -> None:
        """Drop the solicitations that are to be answered for others."""
        proxy_answers.purge(self, interface, reason.ND_ANSWER_PURGED, now)

    def link_down(self, interface: Interface, now: int) -> None:
        """Take away every address with its routes (Linux ``addrconf_ifdown``)."""
        super().link_down(interface, now)
        self._remove_addresses(interface, now)

    def _remove_addresses(self, interface: Interface, now: int) -> None:
        remove_addresses(self, interface, list(interface.ipv6.addresses.items), now)


def _member(address: Address) -> str:
    """Return the name by which an address is a member of its solicited-node group."""
    return format_address(address.local)
