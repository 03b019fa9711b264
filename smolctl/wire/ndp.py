"""Neighbor discovery (RFC 4861): solicitations, advertisements and redirects with their options.

A message is an ICMPv6 message whose checksum was found right (``icmpv6.parse``). ``parse`` makes
every check of RFC 4861 6.1, 7.1 and 8.1 that needs no table: each has a fault of its own.
"""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from smolctl.wire.address import (
    IPV6_MARK,
    UNSPECIFIED6,
    is_link_local,
    is_multicast,
    is_solicited_node,
    mask,
    packed,
)
from smolctl.wire.fault import Fault6, WireFault
from smolctl.wire.icmpv6 import HEADER_LEN, Icmpv6Message, Type

HOP_LIMIT = 255
"""Of every message: no router has passed it on (RFC 4861 3.1)."""
_RS, _RA, _NS, _NA, _REDIRECT = range(Type.ROUTER_SOLICITATION, Type.REDIRECT + 1)
TYPES = frozenset({_RS, _RA, _NS, _NA, _REDIRECT})
INFINITE = 0xFFFFFFFF
"""A lifetime in seconds that never ends (RFC 4861 4.6.2)."""

_UNIT = 8
_TIMERS = Struct("!II")
_PREFIX = Struct("!BBIII16s")
_ROUTE = Struct("!BBI")


class OptionType(IntEnum):
    """Options. Source: RFC 4861 4.6, 3971 5.3, 4191 2.3, 8106 5.1; IANA "ICMPv6 NDP Options"."""

    SOURCE_LLADDR = 1
    TARGET_LLADDR = 2
    PREFIX = 3
    REDIRECTED = 4
    MTU = 5
    NONCE = 14
    ROUTE = 24
    RDNSS = 25


_SOURCE, _TARGET = OptionType.SOURCE_LLADDR.value, OptionType.TARGET_LLADDR.value


class Preference(IntEnum):
    """The preference of a router or a route (RFC 4191 2.1)."""

    MEDIUM = 0
    HIGH = 1
    RESERVED = 2
    LOW = 3


class Prefix(NamedTuple):
    """A prefix information option (RFC 4861 4.6.2).

    Attributes:
        prefix: address without host bits, which the receiver must ignore.
        plen: 0..128.
        on_link: L flag, the prefix's addresses are on this link.
        autonomous: A flag, hosts may make addresses of it (RFC 4862 5.5.3).
        valid_s: seconds, see ``INFINITE``.
        preferred_s: seconds.
    """

    prefix: int
    plen: int
    on_link: bool
    autonomous: bool
    valid_s: int
    preferred_s: int


class RouteInfo(NamedTuple):
    """A route information option (RFC 4191 2.3).

    Attributes:
        prefix: address without host bits.
        plen: 0..128.
        preference: see ``Preference``; with RESERVED the option must be ignored.
        lifetime_s: seconds, see ``INFINITE``.
    """

    prefix: int
    plen: int
    preference: int
    lifetime_s: int


class Rdnss(NamedTuple):
    """A recursive DNS server option (RFC 8106 5.1).

    Attributes:
        lifetime_s: seconds, see ``INFINITE``; 0 takes them back.
        servers: addresses, at least one.
    """

    lifetime_s: int
    servers: tuple[int, ...]


class Options(NamedTuple):
    """The options of a message. Of those that make sense once, the first counts, as in Linux.

    Attributes:
        source: link-layer address of the sender, six bytes.
        target: link-layer address of the target, six bytes.
        mtu: of the link, bytes.
        nonce: 6 bytes, or 8 more for each unit (RFC 3971 5.3.2, RFC 7527 4).
        redirected: beginning of the packet that caused a redirect, padded with zeros.
        prefixes: prefix information.
        routes: route information.
        resolvers: recursive DNS servers.
        others: type and data of each other option, also of one whose length or content does not
            fit its type. They are to be ignored (RFC 4861 4.6).
    """

    source: bytes | None = None
    target: bytes | None = None
    mtu: int | None = None
    nonce: bytes | None = None
    redirected: bytes | None = None
    prefixes: tuple[Prefix, ...] = ()
    routes: tuple[RouteInfo, ...] = ()
    resolvers: tuple[Rdnss, ...] = ()
    others: tuple[tuple[int, bytes], ...] = ()

    def to_bytes(self) -> bytes:
        """Return the options, each padded with zeros to a multiple of 8 bytes."""
        if self[2:] == _NO_MORE and (self.source is None or self.target is None):
            if self.source is not None:
                return b"\1\1" + self.source
            return b"" if self.target is None else b"\2\1" + self.target
        return b"".join(
            bytes((kind, (len(data) + 2 + 7) // _UNIT)) + data + bytes(-(len(data) + 2) % _UNIT)
            for kind, data in self._items()
        )

    def _items(self) -> Iterator[tuple[int, bytes]]:
        if self.source is not None:
            yield OptionType.SOURCE_LLADDR, self.source
        if self.target is not None:
            yield OptionType.TARGET_LLADDR, self.target
        if self.mtu is not None:
            yield OptionType.MTU, self.mtu.to_bytes(6)
        for prefix, plen, on_link, autonomous, valid, preferred in self.prefixes:
            flags = on_link << 7 | autonomous << 6
            data = _PREFIX.pack(plen, flags, valid, preferred, 0, packed(prefix))
            yield OptionType.PREFIX, data
        for prefix, plen, preference, lifetime in self.routes:
            # RFC 4191 2.3: the prefix takes no more bytes than its length needs, in units of 8.
            data = _ROUTE.pack(plen, preference << 3, lifetime)
            yield OptionType.ROUTE, data + packed(prefix)[: (plen + 63) // 64 * _UNIT]
        for lifetime, servers in self.resolvers:
            yield OptionType.RDNSS, lifetime.to_bytes(6) + b"".join(map(packed, servers))
        if self.nonce is not None:
            yield OptionType.NONCE, self.nonce
        if self.redirected is not None:
            yield OptionType.REDIRECTED, bytes(6) + self.redirected
        yield from self.others


NO_OPTIONS = Options()
_NO_MORE = NO_OPTIONS[2:]


class RouterSolicitation(NamedTuple):
    """A host asks for routers (RFC 4861 4.1)."""

    options: Options = NO_OPTIONS

    def to_bytes(self, src: int, dst: int) -> bytes:
        """Return the ICMPv6 message with its checksum."""
        return _summed(_RS, 0, b"", self.options, src, dst)


class RouterAdvertisement(NamedTuple):
    """A router says that it is there, and what holds on its link (RFC 4861 4.2).

    Attributes:
        hop_limit: for packets of hosts, 0..255; 0 says nothing.
        managed: M flag, addresses come by DHCPv6.
        other: O flag, other configuration does.
        preference: see ``Preference``; RESERVED is to be taken for MEDIUM (RFC 4191 2.2).
        lifetime_s: seconds as a default router, 0..65535; 0 for none.
        reachable_ms: how long a neighbor is reachable; 0 says nothing.
        retrans_ms: between solicitations; 0 says nothing.
    """

    hop_limit: int
    managed: bool
    other: bool
    preference: int
    lifetime_s: int
    reachable_ms: int
    retrans_ms: int
    options: Options = NO_OPTIONS

    def to_bytes(self, src: int, dst: int) -> bytes:
        """Return the ICMPv6 message with its checksum."""
        flags = self.managed << 7 | self.other << 6 | (self.preference & 3) << 3
        rest = self.hop_limit << 24 | flags << 16 | self.lifetime_s
        body = _TIMERS.pack(self.reachable_ms, self.retrans_ms)
        return _summed(_RA, rest, body, self.options, src, dst)


class NeighborSolicitation(NamedTuple):
    """A node asks for a neighbor's link-layer address (RFC 4861 4.3)."""

    target: int
    options: Options = NO_OPTIONS

    def to_bytes(self, src: int, dst: int) -> bytes:
        """Return the ICMPv6 message with its checksum."""
        body = packed(self.target)
        return _summed(_NS, 0, body, self.options, src, dst)


class NeighborAdvertisement(NamedTuple):
    """A node tells its link-layer address (RFC 4861 4.4).

    Attributes:
        router: R flag, the sender is a router.
        solicited: S flag, it was asked.
        override: O flag, what is known is to be replaced.
        target: whose address it is.
    """

    router: bool
    solicited: bool
    override: bool
    target: int
    options: Options = NO_OPTIONS

    def to_bytes(self, src: int, dst: int) -> bytes:
        """Return the ICMPv6 message with its checksum."""
        rest = self.router << 31 | self.solicited << 30 | self.override << 29
        body = packed(self.target)
        return _summed(_NA, rest, body, self.options, src, dst)


class Redirect(NamedTuple):
    """A router names a better first hop (RFC 4861 4.5).

    Attributes:
        target: the better hop; equal to ``destination`` when that is on the link.
        destination: where the packet went that caused it.
    """

    target: int
    destination: int
    options: Options = NO_OPTIONS

    def to_bytes(self, src: int, dst: int) -> bytes:
        """Return the ICMPv6 message with its checksum."""
        body = packed(self.target) + packed(self.destination)
        return _summed(_REDIRECT, 0, body, self.options, src, dst)


Message = (
    RouterSolicitation
    | RouterAdvertisement
    | NeighborSolicitation
    | NeighborAdvertisement
    | Redirect
)

_FIXED_LEN = {
    _RS: 0,
    _RA: 8,
    _NS: 16,
    _NA: 16,
    _REDIRECT: 32,
}
"""Bytes behind the first 8 that each must have in front of its options."""


def parse(
    message: Icmpv6Message, src: int, dst: int, hop_limit: int, *, fragmented: bool = False
) -> Message | WireFault:
    """Return the message of neighbor discovery that an ICMPv6 message of ``TYPES`` is.

    Args:
        message: its checksum is right.
        src: source address of the packet.
        dst: destination address of the packet.
        hop_limit: of the packet.
        fragmented: it had a fragment header, even an atomic one (RFC 6980 5).

    Faults, in this order (that of Linux ndisc_rcv): nd-fragmented, nd-bad-hop-limit, nd-bad-code,
    nd-too-short, those of the type's own (nd-target-multicast, nd-dad-to-unicast,
    nd-solicited-to-group, ra-not-link-local, redirect6-*), nd-option-zero, nd-option-length,
    nd-dad-with-lladdr. Offsets count from the start of the ICMPv6 message.
    Source: RFC 4861 6.1.1, 6.1.2, 7.1.1, 7.1.2, 8.1.
    """
    kind, code, rest, body = message
    fixed = _FIXED_LEN[kind]
    if fragmented:
        return WireFault(Fault6.ND_FRAGMENTED, 0, {"number": kind})
    if hop_limit != HOP_LIMIT:
        return WireFault(Fault6.ND_BAD_HOP_LIMIT, 0, {"number": hop_limit})
    if code:
        return WireFault(Fault6.ND_BAD_CODE, 1, {"number": code})
    if len(body) < fixed:
        size = HEADER_LEN + len(body)
        return WireFault(Fault6.ND_TOO_SHORT, size, {"a": HEADER_LEN + fixed, "b": size})
    wrong = _FITS[kind](rest, body, src, dst)
    if wrong is not None:
        return WireFault(wrong, HEADER_LEN, {})
    options = _options(body, fixed)
    if isinstance(options, WireFault):
        return options
    if kind == _NS:
        if src == UNSPECIFIED6 and options.source is not None:
            return WireFault(Fault6.ND_DAD_WITH_LLADDR, HEADER_LEN + fixed, {})
        return NeighborSolicitation(_address(body, 0), options)
    if kind == _NA:
        flags = (rest >> 31 & 1 != 0, rest >> 30 & 1 != 0, rest >> 29 & 1 != 0)
        return NeighborAdvertisement(*flags, _address(body, 0), options)
    if kind == _RA:
        return _router_advertisement(rest, body, options)
    if kind == _REDIRECT:
        return Redirect(_address(body, 0), _address(body, 16), options)
    if src == UNSPECIFIED6 and options.source is not None:
        # RFC 4861 6.1.1 has the rule of 7.1.1 for who asks for a router.
        return WireFault(Fault6.ND_DAD_WITH_LLADDR, HEADER_LEN + fixed, {})
    return RouterSolicitation(options)


def _router_advertisement(rest: int, body: bytes, options: Options) -> RouterAdvertisement:
    reachable, retrans = _TIMERS.unpack_from(body)
    managed, other, preference = rest >> 23 & 1 != 0, rest >> 22 & 1 != 0, rest >> 19 & 3
    lifetime = rest & 0xFFFF
    return RouterAdvertisement(
        rest >> 24, managed, other, preference, lifetime, reachable, retrans, options
    )


# --- checks of each type --------------------------------------------------------------------------


def _fits_rs(rest: int, body: bytes, src: int, dst: int) -> Fault6 | None:
    return None


def _fits_ra(rest: int, body: bytes, src: int, dst: int) -> Fault6 | None:
    # RFC 4861 6.1.2: so that hosts tell routers apart by it.
    return None if is_link_local(src) else Fault6.RA_NOT_LINK_LOCAL


def _fits_ns(rest: int, body: bytes, src: int, dst: int) -> Fault6 | None:
    if body[0] == 0xFF:
        return Fault6.ND_TARGET_MULTICAST
    if src == UNSPECIFIED6 and not is_solicited_node(dst):
        return Fault6.ND_DAD_TO_UNICAST
    return None


def _fits_na(rest: int, body: bytes, src: int, dst: int) -> Fault6 | None:
    if body[0] == 0xFF:
        return Fault6.ND_TARGET_MULTICAST
    if rest >> 30 & 1 and is_multicast(dst):
        return Fault6.ND_SOLICITED_TO_GROUP
    return None


def _fits_redirect(rest: int, body: bytes, src: int, dst: int) -> Fault6 | None:
    if not is_link_local(src):
        return Fault6.REDIRECT6_SOURCE
    if body[16] == 0xFF:
        return Fault6.REDIRECT6_GROUP
    target = body[:16]
    if target != body[16:32] and not is_link_local(IPV6_MARK | int.from_bytes(target)):
        return Fault6.REDIRECT6_TARGET
    return None


_FITS = {
    _RS: _fits_rs,
    _RA: _fits_ra,
    _NS: _fits_ns,
    _NA: _fits_na,
    _REDIRECT: _fits_redirect,
}


# --- options --------------------------------------------------------------------------------------


def _options(body: bytes, at: int) -> Options | WireFault:
    """Return the options from ``at`` on; the first that is malformed ends the message."""
    size = len(body)
    if at == size:
        return NO_OPTIONS
    if at + _UNIT == size and body[at + 1] == 1:
        # What most have: one link-layer address.
        if body[at] == _SOURCE:
            return tuple.__new__(Options, (body[at + 2 :], None, *_NO_MORE))
        if body[at] == _TARGET:
            return tuple.__new__(Options, (None, body[at + 2 :], *_NO_MORE))
    once: dict[int, bytes] = {}
    prefixes, routes, resolvers, others = [], [], [], []
    while at < size:
        length = body[at + 1] * _UNIT if at + 1 < size else _UNIT
        if not length:
            # RFC 4861 4.6: "Nodes MUST silently discard an ND packet that contains" one.
            return WireFault(Fault6.ND_OPTION_ZERO, HEADER_LEN + at, {"number": body[at]})
        kind, data = body[at], body[at + 2 : at + length]
        lladdr = kind in (_SOURCE, _TARGET)
        if at + length > size or (lladdr and length != _UNIT):
            detail: dict[str, int | str] = {"number": kind, "a": length, "b": size - at}
            return WireFault(Fault6.ND_OPTION_LENGTH, HEADER_LEN + at, detail)
        if kind in _ONCE:
            once.setdefault(kind, data)
        elif kind == OptionType.PREFIX and (prefix := _prefix(data)) is not None:
            prefixes.append(prefix)
        elif kind == OptionType.ROUTE and (route := _route(data)) is not None:
            routes.append(route)
        elif kind == OptionType.RDNSS and (resolver := _rdnss(data)) is not None:
            resolvers.append(resolver)
        else:
            others.append((kind, data))
        at += length
    mtu, redirected = once.get(OptionType.MTU), once.get(OptionType.REDIRECTED)
    return Options(
        once.get(OptionType.SOURCE_LLADDR),
        once.get(OptionType.TARGET_LLADDR),
        None if mtu is None else int.from_bytes(mtu[2:6]),
        once.get(OptionType.NONCE),
        None if redirected is None else redirected[6:],
        tuple(prefixes),
        tuple(routes),
        tuple(resolvers),
        tuple(others),
    )


_ONCE = frozenset({
    OptionType.SOURCE_LLADDR, OptionType.TARGET_LLADDR, OptionType.MTU, OptionType.NONCE,
    OptionType.REDIRECTED,
})  # fmt: skip


def _prefix(data: bytes) -> Prefix | None:
    if len(data) != _PREFIX.size or data[0] > 128:
        return None
    plen, flags, valid, preferred, _, prefix = _PREFIX.unpack(data)
    return Prefix(
        _network(prefix, plen), plen, flags & 0x80 != 0, flags & 0x40 != 0, valid, preferred
    )


def _route(data: bytes) -> RouteInfo | None:
    # RFC 4191 2.3: 1, 2 or 3 units, as many as the prefix needs or more.
    if not len(data) <= 22 or data[0] > (len(data) - 6) * 8:
        return None
    plen, flags, lifetime = _ROUTE.unpack_from(data)
    prefix = data[6:].ljust(16, b"\0")
    return RouteInfo(_network(prefix, plen), plen, flags >> 3 & 3, lifetime)


def _rdnss(data: bytes) -> Rdnss | None:
    # RFC 8106 5.1: 3 units for one server, two more for each other.
    if len(data) < 22 or (len(data) - 6) % 16:
        return None
    servers = tuple(_address(data, at) for at in range(6, len(data), 16))
    return Rdnss(int.from_bytes(data[2:6]), servers)


def _network(prefix: bytes, plen: int) -> int:
    return IPV6_MARK | int.from_bytes(prefix) & mask(plen, 128)


def _address(body: bytes, at: int) -> int:
    return IPV6_MARK | int.from_bytes(body[at : at + 16])


def _summed(kind: int, rest: int, body: bytes, options: Options, src: int, dst: int) -> bytes:
    return Icmpv6Message(kind, 0, rest, body + options.to_bytes()).to_bytes(src, dst)
