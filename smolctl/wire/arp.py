"""ARP for IPv4 over Ethernet (RFC 826)."""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from smolctl.wire.fault import Fault, WireFault

PACKET_LEN = 28

_PACKET = Struct("!HHBBH6sI6sI")
_ETHERNET_IPV4 = (1, 0x0800, 6, 4)
_IEEE_802_IPV4 = (6, 0x0800, 6, 4)
"""Hardware type 6 is the same on an Ethernet (RFC 1042; Linux arp_process, ARPHRD_IEEE802)."""
_FORMAT_FIELDS = (("htype", 0), ("ptype", 2), ("hlen", 4), ("plen", 5))


class Op(IntEnum):
    """RFC 826 "opcode": ares_op$REQUEST and ares_op$REPLY."""

    REQUEST = 1
    REPLY = 2


class ArpPacket(NamedTuple):
    """An ARP packet; "sender" and "target" are RFC 826's words, never "source".

    Attributes:
        op: an ``Op``.
        sender_mac: six bytes.
        sender_ip: IPv4 address; 0 in a probe (RFC 5227 2.1.1).
        target_mac: six bytes, ignored in a request.
        target_ip: IPv4 address asked for, or answered to.
    """

    op: int
    sender_mac: bytes
    sender_ip: int
    target_mac: bytes
    target_ip: int

    def to_bytes(self) -> bytes:
        """Return the 28 bytes, without Ethernet's padding."""
        return _PACKET.pack(*_ETHERNET_IPV4, *self)


def parse(packet: bytes) -> ArpPacket | WireFault:
    """Return the packet in an Ethernet payload; bytes after the 28th are padding.

    Faults: arp-truncated, arp-bad-format (any but Ethernet and IPv4), arp-bad-op.
    """
    if len(packet) < PACKET_LEN:
        return WireFault(Fault.ARP_TRUNCATED, len(packet), {"size": len(packet)})
    fields = _PACKET.unpack_from(packet)
    if fields[:4] != _ETHERNET_IPV4 and fields[:4] != _IEEE_802_IPV4:
        return _bad_format(fields)
    op = fields[4]
    # RFC 826 knows these two; higher opcodes are those of RARP and InARP (RFC 903, RFC 2390).
    if op != 1 and op != 2:
        return WireFault(Fault.ARP_BAD_OP, 6, {"opcode": op})
    return tuple.__new__(ArpPacket, fields[4:])


def _bad_format(fields: tuple[int, ...]) -> WireFault:
    wrong = (
        field
        for field, got, want in zip(_FORMAT_FIELDS, fields, _ETHERNET_IPV4, strict=False)
        if got != want
    )
    cause, offset = next(wrong)
    detail: dict[str, int | str] = {
        name: value for (name, _), value in zip(_FORMAT_FIELDS, fields, strict=False)
    }
    return WireFault(Fault.ARP_BAD_FORMAT, offset, {**detail, "cause": cause})
