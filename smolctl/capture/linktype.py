"""Link types of capture files: which can be read, and their packets as Ethernet or raw IP.

A cooked header (SLL, SLL2) is what Linux writes of the interface "any": it has the sender's address
and no destination. Such a packet becomes an Ethernet frame; an address that the file does not say
is zero.

Source: the registry of link-layer header types at tcpdump.org; libpcap pcap/sll.h.
"""

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

ETHERNET, RAW = 1, 101
_NULL, _LOOP, _SLL, _SLL2 = 0, 108, 113, 276
_RAW_LINKTYPES = frozenset({RAW, 12, 14, 228, 229})
"""LINKTYPE_RAW with its two older numbers, LINKTYPE_IPV4 and LINKTYPE_IPV6."""

_OTHERS = {
    3: "AX.25", 6: "Token Ring", 9: "PPP", 10: "FDDI", 50: "PPP", 51: "PPPoE",
    105: "IEEE 802.11", 107: "Frame Relay", 119: "IEEE 802.11 behind a Prism header",
    127: "IEEE 802.11 behind a radiotap header", 163: "IEEE 802.11 behind an AVS header",
    187: "Bluetooth", 189: "USB", 192: "PPI", 195: "IEEE 802.15.4", 201: "Bluetooth",
    220: "USB", 227: "CAN", 239: "netfilter's log", 249: "USB", 251: "Bluetooth",
    253: "netlink", 256: "Bluetooth", 258: "upper-layer PDUs",
}  # fmt: skip
"""Other common link types, by the names that people know."""

_SLL_HEADER = Struct("!HHH8sH")
_SLL2_HEADER = Struct("!HHIHBB8s")
_OUTGOING, _BROADCAST, _OTHER_HOST = 4, 1, 3
_LLC = 4
"""As protocol of a cooked header: a frame of IEEE 802.3 (Linux ETH_P_802_2)."""
_NOBODY = bytes(6)
_ANOTHER = b"\x02\0\0\0\0\xfe"
"""The destination of what was another host's; its real address is not in the file."""


class Framed(NamedTuple):
    """A packet as the rest of the program knows packets.

    Attributes:
        ethernet: it begins with an Ethernet header, else with that of IP.
        header_len: bytes of the file's own header, in the place of which ``more`` are in front.
        cooked: an address of zeros is one that the file does not say.
    """

    frame: bytes
    ethernet: bool
    direction: str
    header_len: int
    more: int
    cooked: bool = False


def refusal(linktype: int) -> str | None:
    """Return why files of a link type cannot be read; None when they can."""
    if linktype in (ETHERNET, *_RAW_LINKTYPES, *_READERS):
        return None
    name = f" ({_OTHERS[linktype]})" if linktype in _OTHERS else ""
    return (
        f"link type {linktype}{name} cannot be read: only Ethernet, raw IP, BSD loopback and Linux"
        " cooked captures"
    )


def framed(linktype: int, data: bytes) -> Framed:
    """Return a packet of a file of that link type, which can be read."""
    reader = _READERS.get(linktype)
    return Framed(data, linktype == ETHERNET, "", 0, 0) if reader is None else reader(data)


def _loopback(data: bytes) -> Framed:
    """The address family in four bytes of some order, and IP; its version says the same."""
    return Framed(data[4:], False, "", 4, 0)


def _sll(data: bytes) -> Framed:
    if len(data) < _SLL_HEADER.size:
        return Framed(b"", True, "", 0, 0)
    kind, _, address_len, address, protocol = _SLL_HEADER.unpack_from(data)
    return _cooked(kind, address[:address_len], protocol, data, _SLL_HEADER.size)


def _sll2(data: bytes) -> Framed:
    if len(data) < _SLL2_HEADER.size:
        return Framed(b"", True, "", 0, 0)
    protocol, _, _, _, kind, address_len, address = _SLL2_HEADER.unpack_from(data)
    return _cooked(kind, address[:address_len], protocol, data, _SLL2_HEADER.size)


def _cooked(kind: int, address: bytes, protocol: int, data: bytes, header_len: int) -> Framed:
    payload = data[header_len:]
    dst = {_BROADCAST: b"\xff" * 6, _OTHER_HOST: _ANOTHER}.get(kind, _NOBODY)
    src = address if len(address) == 6 else _NOBODY
    ethertype = len(payload) if protocol == _LLC else protocol
    frame = dst + src + min(ethertype, 0xFFFF).to_bytes(2) + payload
    return Framed(frame, True, "out" if kind == _OUTGOING else "in", header_len, 14, True)


_READERS: dict[int, Callable[[bytes], Framed]] = {
    _NULL: _loopback, _LOOP: _loopback, _SLL: _sll, _SLL2: _sll2,
}  # fmt: skip
