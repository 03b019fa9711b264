"""The network layer of one address family: its tables, and its ways to the other layers."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from smolctl.stack.fib.fib6 import fib_of
from smolctl.stack.fib.lookup import Found, lookup
from smolctl.stack.fib.route import KERNEL, RouteType, TableName
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.watched_gateways import WatchedGateways
from smolctl.stack.interface import Interface, LinkObserver
from smolctl.stack.ip.icmp_rate_limit import IcmpLimiter
from smolctl.stack.ip.ident import Idents
from smolctl.stack.ip.interface import IpInterface
from smolctl.stack.ip.protocol import ErrorKind, Pmtudisc, SendOptions
from smolctl.stack.ip.reassembly import Reassembly
from smolctl.stack.ip.redirects_sent import Redirects
from smolctl.stack.ip.route_cache import RouteCache
from smolctl.stack.ip.way import Way
from smolctl.stack.link.loopback import Loopback
from smolctl.stack.neighbor.output import Neighbors
from smolctl.stack.neighbor.probe_client import ArpClient
from smolctl.stack.packet import Packet, Sender
from smolctl.stack.shared import Shared
from smolctl.stack.trace.trace import Trace
from smolctl.wire.address import (
    Family,
    family_of,
    is_limited_broadcast,
    is_multicast,
    is_zeronet,
)
from smolctl.wire.icmpv4 import Quote


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
        transports: by protocol number.
        idents: for packets that may be fragmented.
        learn_forward: remembers the way of a packet that was sent on, for the fast path.
        hash_seed: from what the hash of flows begins, unless a sysctl says so.
    """

    family: Family
    header_len: int

    def __init__(self, shared: Shared, loopback: Loopback) -> None:
        settings, random = shared.settings, shared.random
        self.settings, self.random, self.shared = settings, random, shared
        self.interfaces, self.recorder = shared.interfaces, shared.recorder
        self.events, self.generation = shared.events, shared.generation
        self.loopback = loopback
        alarm = shared.timers.alarm
        self.fib = fib_of(self.family, settings, alarm)
        self.neighbors = Neighbors(shared.interfaces, settings, shared.recorder, alarm)
        self.reassembly = Reassembly(settings, alarm)
        self.icmp_limiter, self.redirects = IcmpLimiter(settings, random), Redirects()
        self.watched_gateways = WatchedGateways()
        self.hash_seed = int(random() * 2**32)
        self.probe_clients: list[ArpClient] = []
        self.transports: dict[int, Transport] = {}
        self.ways: RouteCache[RouteKey, Way] = RouteCache()
        self.inbound: RouteCache[tuple[RouteKey, str, int, bool], Any] = RouteCache()
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

    # --- questions --------------------------------------------------------------------------------

    def lookup(self, key: RouteKey) -> Found:
        """Return the route of a packet, by ``key.oif`` if one is named; of several next hops all.

        The rules decide which tables count, and in each the longest prefix wins (Linux); with
        ip.onlink_first a connected network does, whatever else there is for a part of it (smoltcp).
        """
        found = lookup(self.fib, key)
        if self.settings["ip.onlink_first"]:
            return self.prefer_connected(key, found)
        return found

    def prefer_connected(self, key: RouteKey, found: Found) -> Found:
        """Return a connected route instead of one of table main."""
        if found is None or getattr(found, "table", None) is TableName.MAIN:
            for near in self.fib.matches(key.dst):
                connected = near.protocol == KERNEL and near.type is RouteType.UNICAST
                if connected and key.oif in (None, near.dev):
                    return near
        return found

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
        if is_zeronet(address):
            return "zeronet" if address else "zero"
        return "broadcast" if self.is_broadcast(address) else None

    def interface_of(self, address: int) -> Interface | None:
        """Return the interface that has exactly this address (Linux ``__ip_dev_find``)."""
        links = self.interfaces.values()
        return next((link for link in links if self.of(link).addresses.find(address, None)), None)

    @property
    def pmtudisc(self) -> Pmtudisc:
        """The path MTU discovery of a sender that says nothing about it (Linux inet_create)."""
        return Pmtudisc.DONT if self.settings["ip.no_pmtu_disc"] else Pmtudisc.WANT


def _remember_nothing(_way: Way, _trace: Trace) -> None:
    """Stand in for a fast path that is not there."""


class Networks(dict[Family, Network]):
    """The networks of one stack."""

    def for_address(self, address: int) -> Network:
        """Return the network of an address's family."""
        return self[family_of(address)]
