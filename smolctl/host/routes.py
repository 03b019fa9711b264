"""Routes of the Linux host, as rtnetlink(7) tells of them: RTM_NEWROUTE."""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from smolctl.device.netlink import Attributes, Netlink, attributes, each_attribute
from smolctl.host.values import (
    AF_INET,
    AF_INET6,
    FAMILIES,
    address,
    check_length,
    number,
    of_family,
    optional,
    unknown,
    unspecified,
)

# linux/rtnetlink.h
_GET = 26
_HEADER = struct.Struct("=BBBBBBBBI")
"""Family, length of the destination's and the source's prefix, TOS, table, protocol, scope, type,
flags."""
_HOP = struct.Struct("=HBBi")  # length, flags, weight - 1, interface
_CACHE = struct.Struct("=8xii")  # expiry in 1/100 s, error
_DST, _SRC, _OIF, _GATEWAY, _PRIORITY, _PREFSRC, _METRICS = 1, 2, 4, 5, 6, 7, 8
_MULTIPATH, _FLOW, _CACHEINFO, _TABLE, _VIA, _PREF = 9, 11, 12, 15, 18, 20
_ENCAP_TYPE, _ENCAP, _PAD, _NH_ID = 21, 22, 24, 30
_KNOWN = frozenset(
    {_DST, _SRC, _OIF, _GATEWAY, _PRIORITY, _PREFSRC, _METRICS, _MULTIPATH, _FLOW, _CACHEINFO}
    | {_TABLE, _VIA, _PREF, _ENCAP_TYPE, _ENCAP, _PAD, _NH_ID}
)
_KNOWN_OF_HOP = frozenset({_GATEWAY, _FLOW, _VIA, _ENCAP_TYPE, _ENCAP})
_LOCAL, _MAIN = 255, 254
_CLONED = 0x200
_HOP_FLAGS = 0xFF
_ALIKE_MAX = 4096
_TABLE_HEAD = struct.pack("=HH", 8, _TABLE)
_SIZES = {struct.pack("=HH", 4 + size, _DST): size for size in (4, 16)}
"""The head of a destination, and its size."""
_CONGESTION = 16

DEAD, ONLINK, LINKDOWN, UNRESOLVED = 1, 4, 16, 32
"""Flags of a next hop (RTNH_F_*)."""
TYPES = (
    "none", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable",
    "prohibit", "throw", "nat", "xresolve",
)  # fmt: skip
"""Names of a route's type, by its number (RTN_*)."""
METRICS = (
    "", "lock", "mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering",
    "hoplimit", "initcwnd", "features", "rto_min", "initrwnd", "quickack", "congctl",
    "fastopen_no_cookie",
)  # fmt: skip
"""Names of a route's metrics, by their number (RTAX_*)."""


class Hop(NamedTuple):
    """One next hop.

    Attributes:
        oif: index of the interface, 0 for none.
        gateway: None when the destination is a neighbor.
        weight: 1 and up.
        flags: ``DEAD``, ``ONLINK``, ``LINKDOWN`` and so on.
        realm: source realm << 16 | destination realm, 0 for none.
        encap: type of a lightweight tunnel (LWTUNNEL_ENCAP_*), 0 for none.
        encap_data: its attributes, as the kernel has them.
        unknown: types of attributes that have no field here.
    """

    oif: int
    gateway: int | None
    weight: int = 1
    flags: int = 0
    realm: int = 0
    encap: int = 0
    encap_data: bytes = b""
    unknown: tuple[int, ...] = ()


class Route(NamedTuple):
    """One route, of any table.

    Attributes:
        dst, plen: the destination.
        family: Linux's number.
        src, src_plen: which sources it is for, of IPv6; a length of 0 is all of them.
        tos: 0 is any.
        table: 254 is main, 255 local.
        protocol: who made it (RTPROT_*): 2 the kernel, 3 boot, 4 an administrator.
        scope: 0 global, 253 link, 254 host.
        type: an index of ``TYPES``.
        flags: RTM_F_* alone; those of next hops stand there.
        metric: the lowest one wins.
        prefsrc: source address of what is sent by it, or None.
        hops: none for a route that needs none, such as an IPv4 blackhole.
        metrics: number of each metric, an index of ``METRICS``, and its value.
        congestion: name of TCP's congestion control, "" for the default.
        nhid: number of the next-hop object from which ``hops`` come, 0 for none.
        pref: of IPv6 (RFC 4191): 0 medium, 1 high, 3 low.
        expires: after this time it is gone, 1/100 s; None: never.
        error: errno that the route gives instead of a way, 0 for none; of IPv6, negative.
        unknown: types of attributes that have no field here.
    """

    dst: int
    plen: int
    family: int
    src: int
    src_plen: int
    tos: int
    table: int
    protocol: int
    scope: int
    type: int
    flags: int
    metric: int
    prefsrc: int | None
    hops: tuple[Hop, ...]
    metrics: tuple[tuple[int, int], ...]
    congestion: str
    nhid: int
    pref: int
    expires: int | None
    error: int
    unknown: tuple[int, ...]

    @property
    def locked(self) -> frozenset[int]:
        """The metrics that are locked: nothing that is learned changes them."""
        lock = dict(self.metrics).get(1, 0)
        return frozenset(each for each in range(32) if lock >> each & 1)


def read(kernel: Netlink) -> tuple[Route, ...]:
    """Return all IPv4 and IPv6 routes of all tables, in the kernel's order.

    Raises:
        NetlinkError: as for ``Netlink.dump``.
    """
    return _read(kernel, 0)


def read_learned(kernel: Netlink) -> tuple[Route, ...]:
    """Return what the kernel learned of ways: MTUs that routers reported, and redirects.

    Raises:
        NetlinkError: as for ``Netlink.dump``.
    """
    return tuple(route for route in _read(kernel, _CLONED) if route.flags & _CLONED)


def is_split(there: Iterable[Route], told: Iterable[str]) -> bool | None:
    """Tell whether the tables local and main of IPv4 are asked one after the other.

    The kernel keeps both in one trie until somebody adds a rule, and in two for good from then on
    (``fib_unmerge``); the longest prefix of both wins in one. The statistics of main count the
    routes of its trie. None is returned if these are not told, or count other routes.

    Args:
        there: all routes.
        told: the lines of /proc/net/fib_triestat.
    """
    counts = Counter(each.table for each in there if each.family == AF_INET)
    title, counted = "", None
    for line in told:
        name, colon, value = line.partition(":")
        if colon and not value and not name.startswith("\t"):
            title = name
        elif name.strip() == "Prefixes" and title == "Main" and value.strip().isdecimal():
            counted = int(value)
    local, main = counts[_LOCAL], counts[_MAIN]
    return {main + local: False, main: True}.get(counted) if local and counted is not None else None


def _read(kernel: Netlink, flags: int) -> tuple[Route, ...]:
    found: list[Route] = []
    for family in FAMILIES:
        body = _HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, flags)
        if kernel.has(family):
            found += parse(kernel.dump(_GET, body))
    return tuple(found)


def parse(messages: Iterable[bytes]) -> Iterator[Route]:
    """Yield the routes that messages tell of.

    Routes in great number have few next hops. What two messages say is compared as bytes but for
    the destination, and told once.

    Raises:
        NetlinkError: a message is too short.
    """
    new, from_bytes = tuple.__new__, int.from_bytes
    rows: dict[tuple[int, int], dict[bytes, tuple[object, ...]]] = {}
    at, end, mark = 0, 0, 0
    alike: dict[bytes, tuple[object, ...]] = {}
    for data in messages:
        # All but the prefix length and the destination, as far as it stands where the last one did.
        rest = alike.get(data[:1] + data[2:at] + data[end:])
        if rest is None:
            route = _parse(data)
            # It is the first attribute, or the second behind RTA_TABLE.
            head = 20 if data[12:16] == _TABLE_HEAD else 12
            size = _SIZES.get(data[head : head + 4], 0)
            at, end = head + 4, head + 4 + size
            if not size or end > len(data):
                at, end, alike = 0, 0, {}
            else:
                mark = unspecified(AF_INET6) if size == 16 else 0
                alike = rows.setdefault((at, end), {})
                if len(alike) > _ALIKE_MAX:
                    alike.clear()
                alike[data[:1] + data[2:at] + data[end:]] = tuple(route)[2:]
            yield route
        else:
            yield new(Route, (from_bytes(data[at:end]) | mark, data[1], *rest))


def _parse(data: bytes) -> Route:
    check_length(data, _HEADER.size, "a route")
    family, plen, src_plen, tos, table, protocol, scope, kind, flags = _HEADER.unpack_from(data)
    found = attributes(data, _HEADER.size)
    expires, error = _cached(found.get(_CACHEINFO, b""))
    metrics = attributes(found.get(_METRICS, b""), 0)
    return Route(
        dst=of_family(found.get(_DST), family),
        plen=plen,
        family=family,
        src=of_family(found.get(_SRC), family),
        src_plen=src_plen,
        tos=tos,
        table=number(found, _TABLE, table),
        protocol=protocol,
        scope=scope,
        type=kind,
        flags=flags & ~_HOP_FLAGS,
        metric=number(found, _PRIORITY),
        prefsrc=address(found.get(_PREFSRC)),
        hops=_hops(found, flags & _HOP_FLAGS),
        metrics=tuple((each, number(metrics, each)) for each in metrics if each != _CONGESTION),
        congestion=metrics.get(_CONGESTION, b"").partition(b"\0")[0].decode(errors="replace"),
        nhid=number(found, _NH_ID),
        pref=number(found, _PREF),
        expires=expires,
        error=error,
        unknown=unknown(found, _KNOWN),
    )


def _cached(value: bytes) -> tuple[int | None, int]:
    """Return expiry and error of a route's cacheinfo."""
    if len(value) < _CACHE.size:
        return None, 0
    expires, error = _CACHE.unpack_from(value)
    return expires or None, error


def _hops(found: Attributes, flags: int) -> tuple[Hop, ...]:
    if _MULTIPATH in found:
        return tuple(_multipath(found[_MULTIPATH]))
    oif = number(found, _OIF)
    if not oif and _GATEWAY not in found and _VIA not in found and _ENCAP not in found:
        return ()
    return (_hop(found, oif, 1, flags)._replace(unknown=()),)


def _multipath(data: bytes) -> Iterator[Hop]:
    at = 0
    while at + _HOP.size <= len(data):
        length, flags, weight, oif = _HOP.unpack_from(data, at)
        if length < _HOP.size:
            return
        found = dict(each_attribute(data[at + _HOP.size : at + length]))
        yield _hop(found, oif, weight + 1, flags)
        at += (length + 3) & ~3


def _hop(found: Attributes, oif: int, weight: int, flags: int) -> Hop:
    gateway = address(found.get(_GATEWAY))
    if gateway is None and _VIA in found:
        gateway = address(found[_VIA][2:])  # behind its family (RFC 5549: of IPv6, for IPv4)
    return Hop(
        oif=oif,
        gateway=gateway,
        weight=weight,
        flags=flags,
        realm=number(found, _FLOW),
        encap=optional(found, _ENCAP_TYPE) or 0,
        encap_data=found.get(_ENCAP, b""),
        unknown=unknown(found, _KNOWN_OF_HOP),
    )
