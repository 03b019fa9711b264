"""Next-hop objects of the Linux host, and groups of them: RTM_NEWNEXTHOP."""

import struct
from typing import NamedTuple

from smolctl.device.netlink import Netlink, NetlinkError, attributes
from smolctl.host.values import address, check_length, number, unknown

# linux/nexthop.h
_GET = 106
_HEADER = struct.Struct("=BBBxI")  # family, scope, protocol, flags
_MEMBER = struct.Struct("=IBBxx")  # number, weight - 1, its upper byte
_ID, _GROUP, _GROUP_TYPE, _BLACKHOLE, _OIF, _GATEWAY, _ENCAP_TYPE, _ENCAP = range(1, 9)
_FDB, _RES_GROUP, _OP_FLAGS = 11, 12, 14
_KNOWN = frozenset({*range(1, 9), _FDB, _RES_GROUP, _OP_FLAGS})


class Member(NamedTuple):
    """One next hop of a group."""

    id: int
    weight: int


class Nexthop(NamedTuple):
    """One next-hop object.

    Attributes:
        id: its number.
        family: of the gateway, 0 of a group.
        scope, protocol: as of a route.
        flags: as of ``routes.Hop``.
        oif: index of the interface, 0 for none.
        gateway: None when destinations are neighbors.
        blackhole: packets are dropped without a word.
        group: the members, none of an object that is no group.
        resilient: flows stay at their member while others come and go.
        fdb: for bridges and VXLANs, not for routes.
        encap: type of a lightweight tunnel, 0 for none.
        encap_data: its attributes, as the kernel has them.
        unknown: types of attributes that have no field here.
    """

    id: int
    family: int
    scope: int
    protocol: int
    flags: int
    oif: int
    gateway: int | None
    blackhole: bool
    group: tuple[Member, ...]
    resilient: bool
    fdb: bool
    encap: int
    encap_data: bytes
    unknown: tuple[int, ...]


def read(kernel: Netlink) -> tuple[Nexthop, ...]:
    """Return all next-hop objects; none of a kernel that has no such thing (before 5.3)."""
    try:
        messages = kernel.dump(_GET, _HEADER.pack(0, 0, 0, 0))
    except NetlinkError:
        return ()
    return tuple(map(parse, messages))


def parse(data: bytes) -> Nexthop:
    """Return the object that a message tells of.

    Raises:
        NetlinkError: it is too short.
    """
    check_length(data, _HEADER.size, "a next hop")
    family, scope, protocol, flags = _HEADER.unpack_from(data)
    found = attributes(data, _HEADER.size)
    group = found.get(_GROUP, b"")
    members = _MEMBER.iter_unpack(group[: len(group) // _MEMBER.size * _MEMBER.size])
    return Nexthop(
        id=number(found, _ID),
        family=family,
        scope=scope,
        protocol=protocol,
        flags=flags,
        oif=number(found, _OIF),
        gateway=address(found.get(_GATEWAY)),
        blackhole=_BLACKHOLE in found,
        group=tuple(Member(each, (high << 8 | low) + 1) for each, low, high in members),
        resilient=number(found, _GROUP_TYPE) == 1,
        fdb=_FDB in found,
        encap=number(found, _ENCAP_TYPE),
        encap_data=found.get(_ENCAP, b""),
        unknown=unknown(found, _KNOWN),
    )
