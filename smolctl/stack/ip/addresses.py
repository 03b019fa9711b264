"""Addresses of an interface.

The rules are those of Linux's ``__inet_insert_ifa`` and ``__inet_del_ifa``: the first address of a
prefix is primary and brings the connected route, later ones are secondary and go with it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from smolctl.errors import AlreadyExists, InvalidArgument
from smolctl.stack.duplicate import duplicate
from smolctl.stack.fib.route import Scope

FOREVER = 0xFFFFFFFF
"""A lifetime that never ends, seconds (Linux INFINITY_LIFE_TIME)."""
_NS_PER_S = 1_000_000_000


class Lifetime(NamedTuple):
    """The time for which an address is there, and preferred (RFC 4862 5.5.4).

    Attributes:
        valid: seconds until it is removed.
        preferred: seconds until it is deprecated; at most ``valid``.
        since_ns: when these began.
    """

    valid: int = FOREVER
    preferred: int = FOREVER
    since_ns: int = 0

    def valid_left(self, now: int) -> int:
        """Return the seconds until it is removed, those begun included."""
        return self._left(self.valid, now)

    def preferred_left(self, now: int) -> int:
        """Return the seconds until it is deprecated, those begun included."""
        return self._left(self.preferred, now)

    def _left(self, seconds: int, now: int) -> int:
        """Return what is left of a time, as Linux counts (``inet6_fill_ifaddr``)."""
        if seconds == FOREVER:
            return FOREVER
        return max(0, seconds - (now - self.since_ns) // _NS_PER_S)

    def next_ns(self, now: int) -> int | None:
        """Return when it is next deprecated or removed; None if never."""
        wanted = self.preferred if self.preferred_left(now) else self.valid
        return None if wanted == FOREVER else self.since_ns + wanted * _NS_PER_S


ENDLESS = Lifetime()


@dataclass(slots=True, eq=False)
class Address:
    """One address of an interface.

    Attributes:
        local: the address itself.
        plen: prefix length of its network in bits.
        broadcast: broadcast address shown and owned because the user asked for one; the last
            address of the network is a broadcast route either way.
        secondary: another address of the same network is primary.
        dad: whether it is tested before it is used (RFC 5227 2.1), None for as arp.dad says.
        tentative: it is not used: nothing is sent from it, and nothing for it is taken or answered.
        dadfailed: another host has it; it is tentative until it is tested again.
        other_mac: the MAC address of the host that claimed it last.
        autojoin: it is a group that the interface is in for as long as the address is there (Linux
            IFA_F_MCAUTOJOIN), and nobody's own: nothing is sent from it, and no route follows.
        lifetime: how long it is there, and preferred.
        peer: the address of the other end of a link between two; None without one. Of IPv4, the
            network is that one's, and ``plen`` the length of its prefix.
        prefix_route: its network gets a route (Linux: no IFA_F_NOPREFIXROUTE).
        metric: of that route.
        deprecated: its preferred time has run out. An IPv6 address is then not chosen for new
            packets while another one will do; of IPv4, nothing follows (Linux).
    """

    local: int
    plen: int
    scope: Scope
    label: str
    broadcast: int | None = None
    secondary: bool = False
    dad: bool | None = None
    tentative: bool = False
    dadfailed: bool = False
    other_mac: bytes | None = None
    autojoin: bool = False
    lifetime: Lifetime = ENDLESS
    deprecated: bool = False
    peer: int | None = None
    prefix_route: bool = True
    metric: int = 0

    @property
    def anchor(self) -> int:
        """The address whose network this one is in: its own, or its peer's (Linux ifa_address)."""
        return self.local if self.peer is None else self.peer

    def change(self, new: "Address") -> None:
        """Take over what was said of the same address anew."""
        self.label, self.scope, self.broadcast = new.label, new.scope, new.broadcast
        self.dad = new.dad if new.dad is not None else self.dad
        self.lifetime = new.lifetime
        self.peer, self.prefix_route, self.metric = new.peer, new.prefix_route, new.metric

    def network(self, bits: int) -> int:
        """Return the network address: ``anchor`` with its host bits cleared."""
        shift = bits - self.plen
        return self.anchor >> shift << shift

    def holds(self, address: int, bits: int) -> bool:
        """Tell whether an address of the same family is in its network (Linux inet_ifa_match)."""
        shift = bits - self.plen
        return address >> shift == self.anchor >> shift


class AddressList:
    """The addresses of one interface, in the order in which Linux keeps and shows them."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.items: list[Address] = []

    def clone(self, copies: Mapping[Address, Address]) -> "AddressList":
        """Return a list of the copies of its addresses."""
        result = duplicate(self)
        result.items = [copies[item] for item in self.items]
        return result

    def insert(self, new: Address) -> None:
        """Add an address; sets ``secondary`` on it when its network already exists.

        Raises:
            AlreadyExists: the same address with the same prefix length is there.
            InvalidArgument: the network is there with another scope.
        """
        position = 0
        new.secondary = False
        for index, old in enumerate(self.items):
            if not old.secondary and new.scope <= old.scope:
                position = index + 1
            if old.plen == new.plen and old.network(self.bits) == new.network(self.bits):
                if old.local == new.local:
                    raise AlreadyExists("the address is already assigned")
                if old.scope != new.scope:
                    raise InvalidArgument("another address of this network has another scope")
                new.secondary = True
        self.items.insert(len(self.items) if new.secondary else position, new)

    def going(self, wanted: Collection[Address]) -> list[list[Address]]:
        """Return what goes with each of some addresses: itself, and behind a primary the others."""
        bits, gone, going = self.bits, set[Address](), list[list[Address]]()
        behind: dict[tuple[int, int], list[Address]] = {}
        if any(not address.secondary for address in wanted):
            for other in self.items:
                if other.secondary:
                    behind.setdefault((other.network(bits), other.plen), []).append(other)
        for address in wanted:
            others = [] if address.secondary else behind.get((address.network(bits), address.plen))
            group = [each for each in (address, *(others or ())) if each not in gone]
            gone.update(group)
            going.append(group)
        return going

    def drop(self, gone: Collection[Address]) -> None:
        """Take addresses out."""
        leaving = set(gone)
        self.items = [kept for kept in self.items if kept not in leaving]

    def company(self, some: Collection[Address]) -> list[Address]:
        """Return the others of some addresses' networks.

        The routes of these change when one of those begins or ceases to be tentative, or a
        tentative one comes or goes.
        """
        bits, left_out = self.bits, set(some)
        networks = {(address.network(bits), address.plen) for address in some}
        return [
            each
            for each in self.items
            if (each.network(bits), each.plen) in networks and each not in left_out
        ]

    def find(self, local: int, plen: int | None, near: int | None = None) -> Address | None:
        """Return the address ``local`` (of that prefix length, when one is given).

        Args:
            near: an address that must be in its network, which may be a peer's.
        """
        for address in self.items:
            within = near is None or address.holds(near, self.bits)
            if address.local == local and plen in (None, address.plen) and within:
                return address
        return None

    def source_of(self, address: Address) -> int | None:
        """Return the primary address of ``address``'s network, which may be itself.

        While that one is tentative, the first other one that is not; None when all are.
        """
        if not (address.secondary or address.tentative):
            return address.local
        found = None
        network = address.network(self.bits)
        for other in self.items:
            same = other.plen == address.plen and other.network(self.bits) == network
            if same and not other.tentative:
                if not other.secondary:
                    return other.local
                found = other.local if found is None else found
        return found

    def tentative(self, local: int) -> Address | None:
        """Return an address that may not be used yet, or no more; None for any other."""
        for item in self.items:
            if item.tentative and item.local == local:
                return item
        return None

    @property
    def unsettled(self) -> bool:
        """Whether any of these is tentative."""
        return any(item.tentative for item in self.items)

    def holds(self, address: int) -> bool:
        """Tell whether an address is in the network of any of these."""
        return any(item.holds(address, self.bits) and not item.autojoin for item in self.items)

    def select(self, destination: int | None, scope: Scope) -> int | None:
        """Return the source address for a destination (Linux ``inet_select_addr``).

        The first primary address whose network holds ``destination`` wins, else the first primary
        address of at most that scope; None when there is none.

        A group's is none: no host could answer it (RFC 1122 3.2.1.3: MUST NOT).
        """
        first, waits = None, False
        for address in self.items:
            waits = waits or address.tentative
            if address.secondary or address.scope > scope or address.tentative or address.autojoin:
                continue
            if destination is None:
                return address.local
            if address.holds(destination, self.bits):
                return address.local
            if first is None:
                first = address.local
        return (self._stand_in(destination, scope) if waits else None) or first

    def _stand_in(self, destination: int | None, scope: Scope) -> int | None:
        """Return a secondary address whose primary is tentative, of the destination's network."""
        for address in self.items:
            usable = not (address.tentative or address.autojoin)
            if address.secondary and usable and address.scope <= scope:
                near = destination is None or address.holds(destination, self.bits)
                if near and self.source_of(address) == address.local:
                    return address.local
        return None
