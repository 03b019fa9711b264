"""The Ethernet II header (RFC 894)."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from smolctl.wire.fault import Fault, WireFault

HEADER_LEN = 14
MIN_FRAME = 60
"""Shortest frame on a cable, bytes without FCS. The stack does not pad: a TAP has no minimum."""
MIN_ETHERTYPE = 0x0600
"""The lowest ethertype; a lower number is the length of an IEEE 802.3 frame."""

_HEADER = Struct("!6s6sH")


class EtherType(IntEnum):
    """The protocol of a frame's payload. Source: IANA "IEEE 802 Numbers"."""

    IPV4 = 0x0800
    ARP = 0x0806
    IPV6 = 0x86DD


class EthernetHeader(NamedTuple):
    """Ethernet II: who it is for, who it is from, what is inside.

    Attributes:
        dst: six bytes.
        src: six bytes.
        ethertype: 0..0xFFFF; below 0x0600 it is an IEEE 802.3 length, and no EtherType.
    """

    dst: bytes
    src: bytes
    ethertype: int

    def to_bytes(self) -> bytes:
        """Return the 14 bytes that precede the payload."""
        return _HEADER.pack(*self)


def to_bytes(dst: bytes, src: bytes, ethertype: int) -> bytes:
    """Return the header with these fields: what ``EthernetHeader.to_bytes`` does, in one step."""
    return _HEADER.pack(dst, src, ethertype)


def parse(frame: bytes) -> EthernetHeader | WireFault:
    """Return the header of a frame (payload from ``HEADER_LEN`` on).

    Faults: rx-frame-short.
    """
    if len(frame) < HEADER_LEN:
        return WireFault(Fault.RX_FRAME_SHORT, len(frame), {"size": len(frame)})
    return tuple.__new__(EthernetHeader, _HEADER.unpack_from(frame))
