"""Addresses of the Linux host's links: RTM_NEWADDR."""

import struct
from typing import NamedTuple

from smolctl.device.netlink import Netlink, attributes
from smolctl.host.values import address, check_length, number, of_family, text, unknown

# linux/if_addr.h
_GET = 22
_HEADER = struct.Struct("=BBBBi")  # family, prefix length, flags, scope, interface
_CACHE = struct.Struct("=II")  # preferred and valid lifetime, s
_ADDRESS, _LOCAL, _LABEL, _BROADCAST, _ANYCAST, _CACHEINFO = range(1, 7)
_FLAGS, _PRIORITY, _PROTO = 8, 9, 11
_KNOWN = frozenset({*range(1, 7), _FLAGS, _PRIORITY, _PROTO})
_FOREVER = 0xFFFFFFFF

SECONDARY, NODAD, OPTIMISTIC, DADFAILED = 0x01, 0x02, 0x04, 0x08
DEPRECATED, TENTATIVE, PERMANENT, MANAGETEMPADDR = 0x20, 0x40, 0x80, 0x100
NOPREFIXROUTE, AUTOJOIN, STABLE_PRIVACY = 0x200, 0x400, 0x800
"""Flags (IFA_F_*); of IPv6, ``SECONDARY`` is a temporary address."""


class Address(NamedTuple):
    """One address of a link.

    Attributes:
        ifindex: of its link.
        family: Linux's number.
        local: the address.
        plen: length of the prefix: of ``peer``'s, if there is one.
        peer: the other end of a point-to-point link; None if there is none.
        broadcast: None if there is none.
        anycast: None if there is none.
        scope: 0 global, 253 link, 254 host.
        flags: ``SECONDARY`` and its neighbors.
        label: "" of IPv6.
        valid, preferred: seconds that are left; None is for ever.
        metric: of the route to its prefix; 0 is the kernel's default.
        proto: who gave it (IFAPROT_*), 0 if it is not told.
        unknown: types of attributes that have no field here.
    """

    ifindex: int
    family: int
    local: int
    plen: int
    peer: int | None
    broadcast: int | None
    anycast: int | None
    scope: int
    flags: int
    label: str
    valid: int | None
    preferred: int | None
    metric: int
    proto: int
    unknown: tuple[int, ...]


def read(kernel: Netlink) -> tuple[Address, ...]:
    """Return the addresses of all links, in the kernel's order: that of preference, of IPv4.

    Raises:
        NetlinkError: as for ``Netlink.dump``.
    """
    return tuple(map(parse, kernel.dump(_GET, _HEADER.pack(0, 0, 0, 0, 0))))


def parse(data: bytes) -> Address:
    """Return the address that a message tells of.

    Raises:
        NetlinkError: it is too short.
    """
    check_length(data, _HEADER.size, "an address")
    family, plen, flags, scope, ifindex = _HEADER.unpack_from(data)
    found = attributes(data, _HEADER.size)
    # if_addr.h: IFA_ADDRESS is the peer's on a point-to-point link, where IFA_LOCAL is ours.
    told = of_family(found.get(_ADDRESS), family)
    local = address(found.get(_LOCAL))
    cache = found.get(_CACHEINFO, b"")
    preferred, valid = (
        _CACHE.unpack_from(cache) if len(cache) >= _CACHE.size else (_FOREVER, _FOREVER)
    )
    return Address(
        ifindex=ifindex,
        family=family,
        local=told if local is None else local,
        plen=plen,
        peer=None if local in (None, told) else told,
        broadcast=address(found.get(_BROADCAST)),
        anycast=address(found.get(_ANYCAST)),
        scope=scope,
        flags=number(found, _FLAGS, flags),
        label=text(found.get(_LABEL)),
        valid=None if valid == _FOREVER else valid,
        preferred=None if preferred == _FOREVER else preferred,
        metric=number(found, _PRIORITY),
        proto=number(found, _PROTO),
        unknown=unknown(found, _KNOWN),
    )
