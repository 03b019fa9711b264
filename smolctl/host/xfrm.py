"""Policies of the Linux host's IPsec, by netlink: which packets they are about. Only root may."""

import struct
from typing import NamedTuple

from smolctl.device.netlink import Netlink, attributes
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.wire.address import IPV6_MARK

XFRM = 6
"""Protocol of netlink."""
# linux/xfrm.h
_GET_STATE, _GET_POLICY = 0x12, 0x15
_SELECTOR = struct.Struct("=16s16s2s2s2s2sHBBB3xiI")
"""Destination, source, ports and their masks, family, lengths of the prefixes, protocol, link."""
_DIRECTION_AT, _INFO_SIZE = 160, 168
_TEMPLATES = 5
_BLOCK = 1
_DIRECTIONS = ("in", "out", "fwd")


class Policy(NamedTuple):
    """One policy, which decides about the packets that it selects.

    Attributes:
        direction: "in", "out" or "fwd".
        family: Linux's number.
        dst, dst_plen, src, src_plen: prefixes.
        dport, sport: each a port and the bits of it that count.
        proto: number of the transport protocol; 0 is any.
        ifindex: of the link; 0 is any.
        blocks: it drops what it selects.
        transforms: it has what it selects encrypted, or wants it to have been.
    """

    direction: str
    family: int
    dst: int
    dst_plen: int
    src: int
    src_plen: int
    dport: tuple[int, int]
    sport: tuple[int, int]
    proto: int
    ifindex: int
    blocks: bool
    transforms: bool


def read() -> tuple[tuple[Policy, ...], int]:
    """Return the policies, and how many states there are.

    Raises:
        NetlinkError: the kernel does not tell, or has none.
    """
    with Netlink(XFRM) as kernel:
        states = kernel.dump(_GET_STATE, b"")
        found = map(parse, kernel.dump(_GET_POLICY, b""))
        return tuple(each for each in found if each is not None), len(states)


def parse(data: bytes) -> Policy | None:
    """Return the policy that a message tells of; None of a socket's own, or of another family."""
    if len(data) < _INFO_SIZE:
        return None
    dst, src, dport, dport_mask, sport, sport_mask, family, dst_plen, src_plen, proto, link, _ = (
        _SELECTOR.unpack_from(data)
    )
    direction, action = data[_DIRECTION_AT : _DIRECTION_AT + 2]
    if direction >= len(_DIRECTIONS) or family not in (AF_INET, AF_INET6):
        return None
    number = int.from_bytes
    return Policy(
        _DIRECTIONS[direction], family, _address(dst, family), dst_plen, _address(src, family),
        src_plen, (number(dport), number(dport_mask)), (number(sport), number(sport_mask)), proto,
        link, action == _BLOCK, bool(attributes(data, _INFO_SIZE).get(_TEMPLATES)),
    )  # fmt: skip


def _address(data: bytes, family: int) -> int:
    if family == AF_INET:
        return int.from_bytes(data[:4])
    return IPV6_MARK | int.from_bytes(data)
