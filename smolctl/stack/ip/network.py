"""The network layer of one address family: its tables, and its ways to the other layers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Any, Protocol

from smolctl.stack.fib.fib6 import fib_of
from smolctl.stack.fib.lookup import Found, lookup
from smolctl.stack.fib.route import KERNEL, Route, RouteType, Scope, TableName
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.watched_gateways import WatchedGateways
from smolctl.stack.interface import Interface, LinkObserver
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.icmp_rate_limit import IcmpLimiter
from smolctl.stack.ip.ident import Idents
from smolctl.stack.ip.interface import IpInterface
from smolctl.stack.ip.protocol import ErrorKind, Pmtudisc, SendOptions
from smolctl.stack.ip.reassembly import FragmentRules, Reassembly
from smolctl.stack.ip.redirects_sent import Redirects
from smolctl.stack.ip.route_cache import RouteCache
from smolctl.stack.ip.way import Way
from smolctl.stack.link.loopback import Loopback
from smolctl.stack.neighbor.output import Neighbors
from smolctl.stack.neighbor.probe_client import ProbeClient
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.stack.packet import Packet, Sender
from smolctl.stack.shared import Shared
from smolctl.stack.sysctl.settings import named
from smolctl.stack.trace.trace import Trace
from smolctl.wire.address import (
    Family,
    family_of,
    is_limited_broadcast,
    is_multicast,
    is_unspecified,
    is_zeronet,
)
from smolctl.wire.icmpv4 import Quote

Derived = dict[tuple[object, ...], Route]
"""Derived routes by what makes two of them the same."""

Like = tuple[bytes | RouteKey, int, int, str, int, bool]
"""All that a decision about a packet that came in depends on: from where to where it goes, its
protocol, its type of service, its interface, the type of its frame, and whether it was looped."""


class Transport(Protocol):
    """A transport protocol, as networks know it."""

    def input(self, packet: Packet) -> None:
        """Take a packet that is for this stack."""

    def sender_of(self, quote: Quote, dev: str) -> Sender | None:
        """Return who sent a packet that an ICMP error quotes, which came in by ``dev``."""


class Network(LinkObserver, ABC):
    """One address family of a stack.

    Attributes:
        header_len: bytes of the shortest header of this family.
        forward_sysctl: the sysctl that makes this stack a router.
        linkdown_sysctl: the sysctl by which routes do not count while their link has no carrier.
        hops_sysctls: the sysctls of how far packets go, to one host and to a group.
        trusts_devices: where a sender insists on an interface that is up, groups are reached by it,
            whatever routes say, and so is a destination that no route by it leads to (Linux
            ``ip_route_output_key_hash_rcu``).
        fragment_rules: the rules of this family for fragments.
        icmp_limit_sysctl: the sysctl that is the time between ICMP errors to one host.
        nonlocal_sysctl: the sysctl that lets sockets have addresses of others.
        reflect_sysctl: the sysctl that has answers keep the mark of what they answer.
        group_sysctls: the sysctls of how many groups a socket may join, and sources name of each.
        max_packet_len: bytes of the longest packet, header included.
        min_mtu: bytes of a packet that every link takes.
        loopback_prefix: the address of ``lo``, and its prefix length.
        transports: by protocol number.
        idents: for packets that may be fragmented.
        learn_forward: remembers the way of a packet that was sent on, for the fast path.
        hash_seed: from what the hash of flows begins, unless a sysctl says so.
    """

    family: Family
    header_len: int
    forward_sysctl: str
    linkdown_sysctl: str
    hops_sysctls: tuple[str, str]
    loopback_prefix: tuple[int, int]
    max_packet_len: int
    min_mtu: int
    trusts_devices: bool
    fragment_rules: FragmentRules
    icmp_limit_sysctl: str
    reflect_sysctl: str
    nonlocal_sysctl: str
    group_sysctls: tuple[str, str]

    def __init__(self, shared: Shared, loopback: Loopback) -> None:
        settings, random = shared.settings, shared.random
        self.settings, self.random, self.shared = settings, random, shared
        self.interfaces, self.recorder = shared.interfaces, shared.recorder
        self.events, self.generation = shared.events, shared.generation
        self.loopback = loopback
        alarm = shared.timers.alarm
        self.fib = fib_of(self.family, settings, alarm)
        self.fib.group_of = shared.interfaces.group_of
        self.neighbors = Neighbors(shared.interfaces, shared.recorder, alarm)
        self.reassembly = Reassembly(self.fragment_rules, settings, alarm)
        self.icmp_limiter = IcmpLimiter(settings, random, self.icmp_limit_sysctl)
        self.redirects = Redirects()
        self.watched_gateways = WatchedGateways()
        self.hash_seed = int(random() * 2**32)
        self.probe_clients: list[ProbeClient] = []
        self.transports: dict[int, Transport] = {}
        self.ways: RouteCache[RouteKey, Way] = RouteCache()
        self.inbound: RouteCache[Like, tuple[RouteKey, Any]] = RouteCache()
        self.idents = Idents(random)
        self.learn_forward: Callable[[Way, Trace], None] = _remember_nothing

    # --- what each family has of its own ----------------------------------------------------------

    @abstractmethod
    def of(self, interface: Interface) -> IpInterface:
        """Return what this family knows of an interface."""

    @abstractmethod
    def input(self, packet: Packet) -> None:
        """Take a packet that came in by an interface."""

    @abstractmethod
    def output(self, packet: Packet, way: Way, protocol: int, how: SendOptions) -> None:
        """Send a packet that has no IP header yet; ``how.ttl`` is given.

        Raises:
            SendRejected: it did not leave, and never will; the reason is counted.
        """

    @abstractmethod
    def answer_error(self, packet: Packet, kind: ErrorKind, rest: int = 0) -> None:
        """Answer a packet with an ICMP error, unless that is forbidden.

        Args:
            rest: the message's second word: an MTU, a pointer, a gateway.
        """

    def mark_of_answer(self, packet: Packet) -> int:
        """Return the mark of an answer that no socket gives (Linux ``IP4_REPLY_MARK``)."""
        return packet.mark if packet.mark and self.settings[self.reflect_sysctl] else 0

    def labelled(self, how: SendOptions, way: Way, protocol: int, ports: bytes) -> SendOptions:
        """Return a sender's wishes with what all packets of its flow have alike: in IPv4 nothing.

        Args:
            ports: source's and destination's, as in a packet.
        """
        return how

    # --- addresses --------------------------------------------------------------------------------

    @abstractmethod
    def new_address(self, local: int, plen: int, interface: Interface) -> Address:
        """Return an address that an interface is to get, with the attributes that follow from it.

        Args:
            plen: prefix length of its network in bits.
        """

    @abstractmethod
    def check_address(self, interface: Interface, new: Address) -> None:
        """Refuse what no host, or no interface, can have as its address.

        Raises:
            InvalidArgument: it is such an address.
        """

    @abstractmethod
    def derived_routes(
        self, interface: Interface, some: Collection[Address], *, up: bool
    ) -> Derived:
        """Return the routes that some of an interface's addresses bring if it is ``up`` or not."""

    @abstractmethod
    def select_source(
        self, out: Interface, dst: int, next_hop: int | None, scope: Scope
    ) -> int | None:
        """Return the source address for a packet by ``out`` that has none yet; None without one.

        Args:
            next_hop: the gateway, None where the destination is on the link.
            scope: the distance of the destination, as its route has it.
        """

    @abstractmethod
    def wants_test(self, interface: Interface, address: Address) -> bool:
        """Tell whether an address is tested before it is used."""

    @abstractmethod
    def address_added(self, interface: Interface, address: Address, now: int) -> None:
        """Begin to test a new address that is in the list, or to use it."""

    @abstractmethod
    def addresses_removed(self, interface: Interface, gone: Collection[Address]) -> None:
        """Take note that addresses are in the list no more; their routes still are."""

    @abstractmethod
    def retest(self, interface: Interface, address: Address, now: int) -> None:
        """Use an address no more until it was tested, or tested again."""

    @abstractmethod
    def take_untested(self, interface: Interface, address: Address, now: int) -> None:
        """Use an address at once, whoever has it."""

    @abstractmethod
    def sources_gone(self, sources: set[int]) -> None:
        """Take note that addresses are removed, which routes may prefer as source."""

    @abstractmethod
    def last_address_gone(self, interface: Interface, now: int) -> None:
        """Take note that an interface has no address any more."""

    def proxy_added(self, interface: Interface, entry: ProxyEntry) -> None:
        """Take note that an interface answers for somebody else now."""

    def proxy_removed(self, interface: Interface, entry: ProxyEntry) -> None:
        """Take note that an interface no longer answers for somebody else."""

    def sysctl_changed(self, key: str) -> None:
        """Take note that a sysctl was set; what is read when it is needed needs nothing here."""
        if named(key).item.key == self.linkdown_sysctl:
            self.note_carriers()

    def note_carriers(self) -> None:
        """Find out which routes do not count, as their links have no carrier.

        Source: Linux ``ip_ignore_linkdown``, ``ip6_ignore_linkdown``.
        """
        self.fib.ignore_links(
            frozenset(
                name
                for name, link in self.interfaces.items()
                if not link.carrier and link.settings[self.linkdown_sysctl]
            )
        )

    # --- questions --------------------------------------------------------------------------------

    def lookup(self, key: RouteKey) -> Found:
        """Return the route of a packet, by ``key.bound`` if that is one; of several next hops all.

        The rules decide which tables count, and in each the longest prefix wins (Linux); with
        ip.onlink_first a connected network does, whatever else there is for a part of it (smoltcp).
        """
        found = lookup(self.fib, key)
        if self.settings["ip.onlink_first"]:
            return self.prefer_connected(key, found)
        return found

    def source_link(self, _route: Route, out: Interface) -> Interface:
        """Return the link among whose addresses the source of a packet is chosen."""
        return out

    def lookup_to_send(self, key: RouteKey) -> tuple[RouteKey, Found]:
        """Return the route of a packet of ours, and by which key it was found.

        Where the source had to be chosen first, the key has it.
        """
        return key, self.lookup(key)

    def prefer_connected(self, key: RouteKey, found: Found) -> Found:
        """Return a connected route instead of one of table main."""
        if found is None or getattr(found, "table", None) is TableName.MAIN:
            for near in self.fib.matches(key.dst):
                connected = near.protocol == KERNEL and near.type is RouteType.UNICAST
                if connected and key.bound in (None, near.dev):
                    return near
        return found

    @property
    def source_first(self) -> bool:
        """Whether that is said of a packet without a way: there is no address to send from."""
        return False

    def source_to_itself(self, _owner: Interface, dst: int) -> int | None:
        """Return the source address for a packet to an address of ours on the interface."""
        return dst

    def meant(self, dst: int, src: int | None, dev: str | None) -> int:
        """Return the address that a sender means: no address is this host itself.

        Args:
            dev: the link that it insists on.
        """
        if not (is_unspecified(dst) and self.settings["ip.zero_is_own"]):
            return dst
        return self.own_address(src, dev)

    @abstractmethod
    def own_address(self, src: int | None, dev: str | None) -> int:
        """Return the address by which this host is reached from ``src``, by a link."""

    def is_broadcast(self, address: int) -> bool:
        """Tell whether an address is the limited or one of our networks' broadcast addresses."""
        if is_limited_broadcast(address):
            return True
        route = self.fib.own(address)
        return route is not None and route.type is RouteType.BROADCAST

    def no_host(self, address: int) -> str | None:
        """Return why no single host can have an address, the ``cause`` of reasons; None if one can.

        Source: RFC 1122 3.2.1.3.
        """
        if is_multicast(address):
            return "multicast"
        if is_limited_broadcast(address):
            return "everybody"
        if is_zeronet(address) and not (address and self.settings["ip.zeronet"]):
            return "zeronet" if address else "zero"
        return "broadcast" if self.is_broadcast(address) else None

    def is_anycast(self, address: int) -> bool:
        """Tell whether an address of ours is one that other hosts may have as well."""
        route = self.fib.own(address)
        return route is not None and route.type is RouteType.ANYCAST

    def interface_of(self, address: int) -> Interface | None:
        """Return the interface that has exactly this address."""
        links = self.interfaces.values()
        return next((link for link in links if self.of(link).addresses.find(address, None)), None)

    @abstractmethod
    def needs_dev(self, address: int) -> bool:
        """Tell whether an address is of one link, so that it says nothing without an interface."""

    def has_address(self, interface: Interface, address: int) -> bool:
        """Tell whether an interface has exactly this address."""
        return self.of(interface).addresses.find(address, None) is not None

    def is_bindable(self, address: int) -> bool:
        """Tell whether sockets may be bound to an address as one of ours (Linux ``inet_bind``)."""
        return self.fib.is_local(address)

    @property
    def binds_others(self) -> bool:
        """Whether sockets may be bound to addresses that this stack does not have."""
        return bool(self.settings[self.nonlocal_sysctl])

    @property
    def sends_for_others(self) -> bool:
        """Whether packets may have a source address that this stack does not have."""
        return False

    def may_send_from(self, src: int) -> bool:
        """Tell whether packets may be sent from an address that is not this stack's alone."""
        return self.sends_for_others or self.is_anycast(src)

    @property
    def first_source(self) -> bool:
        """Whether packets are sent from the interface's first address, whatever the next hop."""
        return False

    def is_router(self, interface: Interface) -> bool:
        """Tell whether this stack is a router for the neighbors on a link."""
        return interface.of_program or interface.settings[self.forward_sysctl] == 1

    def forwards(self, interface: Interface) -> bool:
        """Tell whether a packet that came in by an interface is passed on."""
        return interface.of_program or interface.settings[self.forward_sysctl] == 1

    def passes(self, interface: Interface, found: Found) -> bool:
        """Tell whether a packet that came in by an interface and matched this is passed on.

        What is for a program's interface is, wherever it came in: it is an answer to the program,
        for which this stack is the only router. Deviation: Linux asks the link that it came in by.
        """
        if self.forwards(interface):
            return True
        dev = found.dev if isinstance(found, Route) else None
        return dev is not None and self.interfaces[dev].of_program

    @property
    def pmtudisc(self) -> Pmtudisc:
        """The path MTU discovery of a sender that says nothing about it."""
        return Pmtudisc.WANT


def _remember_nothing(_way: Way, _trace: Trace) -> None:
    """Stand in for a fast path that is not there."""


class Networks(dict[Family, Network]):
    """The networks of one stack."""

    def for_address(self, address: int) -> Network:
        """Return the network of an address's family."""
        return self[family_of(address)]
