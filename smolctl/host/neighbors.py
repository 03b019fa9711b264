"""Neighbors of the Linux host, and the addresses that it answers for: RTM_NEWNEIGH."""

import struct
from typing import NamedTuple

from smolctl.device.netlink import Netlink, attributes
from smolctl.host.values import FAMILIES, check_length, number, of_family, unknown

# linux/neighbour.h
_GET = 30
_HEADER = struct.Struct("=BxxxiHBB")  # family, interface, state, flags, type of address
_CACHE = struct.Struct("=III")  # times since it was confirmed, used, updated, 1/100 s
_DST, _LLADDR, _CACHEINFO, _PROBES, _PROTOCOL, _FLAGS_EXT = 1, 2, 3, 4, 12, 15
_KNOWN = frozenset({_DST, _LLADDR, _CACHEINFO, _PROBES, _PROTOCOL, _FLAGS_EXT})

PROXY, EXT_LEARNED, ROUTER = 0x08, 0x10, 0x80
"""Flags (NTF_*)."""
STATES = {
    0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe",
    0x20: "failed", 0x40: "noarp", 0x80: "permanent", 0: "none",
}  # fmt: skip
"""Names of an entry's state, by its number (NUD_*)."""


class Neighbor(NamedTuple):
    """One entry of the neighbor table.

    Attributes:
        ifindex: of its link.
        family: Linux's number.
        dst: the neighbor's address.
        lladdr: its link address; b"" while it is not known.
        state: a key of ``STATES``.
        flags: ``PROXY``, ``EXT_LEARNED``, ``ROUTER``, and others in the upper 24 bits.
        confirmed, used, updated: times since then, 1/100 s.
        probes: sent since it was asked for.
        protocol: who made it (RTPROT_*), 0 if it is not told.
        unknown: types of attributes that have no field here.
    """

    ifindex: int
    family: int
    dst: int
    lladdr: bytes
    state: int
    flags: int
    confirmed: int
    used: int
    updated: int
    probes: int
    protocol: int
    unknown: tuple[int, ...]


def read(kernel: Netlink) -> tuple[Neighbor, ...]:
    """Return the neighbors of IPv4 and IPv6 on all links, those without ARP among them.

    Raises:
        NetlinkError: as for ``Netlink.dump``.
    """
    return _read(kernel, 0)


def read_proxies(kernel: Netlink) -> tuple[Neighbor, ...]:
    """Return the addresses for which single links answer; an ifindex of 0 is all links.

    Raises:
        NetlinkError: as for ``Netlink.dump``.
    """
    return _read(kernel, PROXY)


def _read(kernel: Netlink, flags: int) -> tuple[Neighbor, ...]:
    found: list[Neighbor] = []
    for family in FAMILIES:
        if kernel.has(family):
            found += map(parse, kernel.dump(_GET, _HEADER.pack(family, 0, 0, flags, 0)))
    return tuple(found)


def parse(data: bytes) -> Neighbor:
    """Return the entry that a message tells of.

    Raises:
        NetlinkError: it is too short.
    """
    check_length(data, _HEADER.size, "a neighbor")
    family, ifindex, state, flags, _ = _HEADER.unpack_from(data)
    found = attributes(data, _HEADER.size)
    cache = found.get(_CACHEINFO, b"")
    confirmed, used, updated = _CACHE.unpack_from(cache) if len(cache) >= _CACHE.size else (0, 0, 0)
    return Neighbor(
        ifindex=ifindex,
        family=family,
        dst=of_family(found.get(_DST), family),
        lladdr=found.get(_LLADDR, b""),
        state=state,
        flags=flags | number(found, _FLAGS_EXT) << 8,
        confirmed=confirmed,
        used=used,
        updated=updated,
        probes=number(found, _PROBES),
        protocol=number(found, _PROTOCOL),
        unknown=unknown(found, _KNOWN),
    )
