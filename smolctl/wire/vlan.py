"""The VLAN tag between the MAC addresses and the ethertype of a frame (IEEE 802.1Q-2018 9)."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from smolctl.wire.fault import Fault, WireFault

TAG_LEN = 4
PRIORITY = 0
"""The VLAN ID of a tag that has a priority only: the frame is of no VLAN (table 9-2)."""
RESERVED = 0xFFF
"""The VLAN ID that no frame may have (table 9-2)."""

_TAG = Struct("!HH")
_WORD = Struct("!H")
AT = 12
"""Offset of the outermost tag: behind the MAC addresses."""


class Tpid(IntEnum):
    """Ethertypes that begin a tag (9.5, table 9-1)."""

    CUSTOMER = 0x8100
    SERVICE = 0x88A8


PROTOCOLS: dict[int, str] = {Tpid.CUSTOMER: "802.1Q", Tpid.SERVICE: "802.1ad"}
"""Names of the protocols in ip."""


class VlanTag(NamedTuple):
    """One tag.

    Attributes:
        tpid: its kind, one of ``Tpid``.
        pcp: priority, 0..7.
        dei: whether the frame may be dropped before others.
        vid: VLAN ID, 0..4095.
    """

    tpid: int
    pcp: int
    dei: bool
    vid: int

    def to_bytes(self) -> bytes:
        """Return the 4 bytes of the tag."""
        return _TAG.pack(self.tpid, self.pcp << 13 | self.dei << 12 | self.vid)


def parse(frame: bytes, at: int = AT) -> VlanTag | WireFault | None:
    """Return a tag of a frame; None when there is none.

    Args:
        at: where it would be; that of the outermost by default.

    Faults: rx-vlan-truncated, when no ethertype is behind the tag.
    """
    if len(frame) < at + 2:
        return None
    (tpid,) = _WORD.unpack_from(frame, at)
    if tpid not in PROTOCOLS:
        return None
    if len(frame) < at + TAG_LEN + 2:
        return WireFault(Fault.RX_VLAN_TRUNCATED, len(frame), {"size": len(frame)})
    _, tci = _TAG.unpack_from(frame, at)
    return VlanTag(tpid, tci >> 13, bool(tci >> 12 & 1), tci & 0xFFF)


def tagged(frame: bytes, tag: VlanTag) -> bytes:
    """Return a frame with a tag in front of all that it has."""
    return frame[:AT] + tag.to_bytes() + frame[AT:]


def untagged(frame: bytes, number: int = 1) -> bytes:
    """Return a frame without so many of its outermost tags."""
    return frame[:AT] + frame[AT + number * TAG_LEN :]


def tags(frame: bytes) -> list[VlanTag]:
    """Return the tags of a frame, the outermost first; the rest of it may be anything."""
    found: list[VlanTag] = []
    while isinstance(tag := parse(frame, AT + len(found) * TAG_LEN), VlanTag):
        found.append(tag)
    return found
