"""Rules of the Linux host that choose a routing table: RTM_NEWRULE."""

import struct
from typing import NamedTuple

from smolctl.device.netlink import Attributes, Netlink, attributes
from smolctl.host.values import (
    FAMILIES,
    check_length,
    number,
    of_family,
    optional,
    text,
    unknown,
)

# linux/fib_rules.h
_GET = 34
_HEADER = struct.Struct("=BBBBBxxBI")
"""Family, length of the destination's and the source's prefix, TOS, table, action, flags."""
_PORTS = struct.Struct("=HH")
_UIDS = struct.Struct("=II")
_DST, _SRC, _IIF, _GOTO, _PRIORITY, _MARK, _FLOW, _TUN_ID = 1, 2, 3, 4, 6, 10, 11, 12
_SUPPRESS_GROUP, _SUPPRESS_PLEN, _TABLE, _MASK, _OIF, _PAD, _L3MDEV = 13, 14, 15, 16, 17, 18, 19
_UID_RANGE, _PROTOCOL, _IP_PROTO, _SPORT, _DPORT, _DSCP = 20, 21, 22, 23, 24, 25
_LABEL, _LABEL_MASK, _SPORT_MASK, _DPORT_MASK, _DSCP_MASK = 26, 27, 28, 29, 30
_KNOWN = frozenset(
    {_DST, _SRC, _IIF, _GOTO, _PRIORITY, _MARK, _FLOW, _TUN_ID, _SUPPRESS_GROUP, _SUPPRESS_PLEN}
    | {_LABEL, _LABEL_MASK, _SPORT_MASK, _DPORT_MASK, _DSCP_MASK}
    | {_TABLE, _MASK, _OIF, _PAD, _L3MDEV, _UID_RANGE, _PROTOCOL, _IP_PROTO, _SPORT, _DPORT, _DSCP}
)
_NONE = 0xFFFFFFFF

INVERT, UNRESOLVED, IIF_DETACHED, OIF_DETACHED = 2, 4, 8, 16
"""Flags: the selectors are negated; goto leads nowhere; such a link is not there."""
ACTIONS = {
    1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit",
}  # fmt: skip
"""Names of a rule's action, by its number (FR_ACT_*)."""


class Rule(NamedTuple):
    """One rule; a selector that is None, or a prefix of length 0, matches everything.

    Attributes:
        family: Linux's number.
        priority: the lowest comes first.
        action: a key of ``ACTIONS``.
        table: to be looked up; 0 for other actions, and with ``l3mdev``.
        goto: priority of the rule to go on with.
        flags: ``INVERT`` and its neighbors.
        src, src_plen, dst, dst_plen: prefixes of addresses.
        tos: 0 is any.
        dscp, dscp_mask: the same, of newer kernels, and its bits that count.
        iif, oif: names of links; "" is any.
        mark, mask: the packet's mark under the mask.
        uids, sports, dports: first and last.
        sport_mask, dport_mask: bits of a port that count; None with ranges, and on older kernels.
        label, label_mask: IPv6 flow label, and its bits that count.
        ip_proto: number of the transport protocol.
        tun_id: 0 is any.
        l3mdev: the table is that of the packet's VRF.
        suppress_plen: routes of prefixes that are not longer do not count.
        suppress_group: routes through links of this group do not count.
        realm: as of a route.
        protocol: who made it (RTPROT_*).
        unknown: types of attributes that have no field here.
    """

    family: int
    priority: int
    action: int
    table: int
    goto: int | None
    flags: int
    src: int
    src_plen: int
    dst: int
    dst_plen: int
    tos: int
    dscp: int | None
    dscp_mask: int | None
    iif: str
    oif: str
    mark: int
    mask: int
    uids: tuple[int, int] | None
    sports: tuple[int, int] | None
    dports: tuple[int, int] | None
    sport_mask: int | None
    dport_mask: int | None
    label: int | None
    label_mask: int | None
    ip_proto: int | None
    tun_id: int
    l3mdev: bool
    suppress_plen: int | None
    suppress_group: int | None
    realm: int
    protocol: int
    unknown: tuple[int, ...]


def read(kernel: Netlink) -> tuple[Rule, ...]:
    """Return the rules of IPv4 and IPv6, those of each in the order in which they are asked.

    Raises:
        NetlinkError: as for ``Netlink.dump``.
    """
    found: list[Rule] = []
    for family in FAMILIES:
        if kernel.has(family):
            body = _HEADER.pack(family, 0, 0, 0, 0, 0, 0)
            found += map(parse, kernel.dump(_GET, body))
    return tuple(found)


def parse(data: bytes) -> Rule:
    """Return the rule that a message tells of.

    Raises:
        NetlinkError: it is too short.
    """
    check_length(data, _HEADER.size, "a rule")
    family, dst_plen, src_plen, tos, table, action, flags = _HEADER.unpack_from(data)
    found = attributes(data, _HEADER.size)
    return Rule(
        family=family,
        priority=number(found, _PRIORITY),
        action=action,
        table=number(found, _TABLE, table),
        goto=optional(found, _GOTO),
        flags=flags,
        src=of_family(found.get(_SRC), family),
        src_plen=src_plen,
        dst=of_family(found.get(_DST), family),
        dst_plen=dst_plen,
        tos=tos,
        dscp=optional(found, _DSCP),
        dscp_mask=optional(found, _DSCP_MASK),
        iif=text(found.get(_IIF)),
        oif=text(found.get(_OIF)),
        mark=number(found, _MARK),
        mask=number(found, _MASK),
        uids=_pair(found, _UID_RANGE, _UIDS),
        sports=_pair(found, _SPORT, _PORTS),
        dports=_pair(found, _DPORT, _PORTS),
        sport_mask=optional(found, _SPORT_MASK),
        dport_mask=optional(found, _DPORT_MASK),
        label=_big(found, _LABEL),
        label_mask=_big(found, _LABEL_MASK),
        ip_proto=optional(found, _IP_PROTO),
        tun_id=_big(found, _TUN_ID) or 0,
        l3mdev=bool(number(found, _L3MDEV)),
        suppress_plen=_set(found, _SUPPRESS_PLEN),
        suppress_group=_set(found, _SUPPRESS_GROUP),
        realm=number(found, _FLOW),
        protocol=number(found, _PROTOCOL),
        unknown=unknown(found, _KNOWN),
    )


def _pair(found: Attributes, kind: int, layout: struct.Struct) -> tuple[int, int] | None:
    value = found.get(kind, b"")
    if len(value) < layout.size:
        return None
    first, last = layout.unpack_from(value)
    return first, last


def _big(found: Attributes, kind: int) -> int | None:
    """Return a number in network byte order; None if it is not told."""
    value = found.get(kind)
    return None if value is None else int.from_bytes(value)


def _set(found: Attributes, kind: int) -> int | None:
    """Return a number of which the kernel says -1 when it is not set."""
    value = optional(found, kind)
    return None if value == _NONE else value
