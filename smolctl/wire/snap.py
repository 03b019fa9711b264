"""LLC and SNAP in a frame of IEEE 802.3, whose third field is a length (IEEE 802, RFC 1042)."""

from smolctl.wire.ethernet import HEADER_LEN as ETHERNET_LEN
from smolctl.wire.fault import Fault, WireFault

LENGTH_MAX = 1500
"""Above it, and below 0x0600, the field means nothing (IEEE 802.3 3.2.6)."""
HEADER_LEN = 8
_ETHERNET_IN_SNAP = bytes.fromhex("aaaa03000000")
"""Both service access points of SNAP, an unnumbered frame, and the protocols of Ethernet."""


def parse(frame: bytes, length: int) -> int | WireFault | None:
    """Return the ethertype of what a frame carries behind SNAP; None when it carries no SNAP.

    Args:
        frame: an Ethernet header, then what is to be looked at.
        length: the third field of the header, at most ``LENGTH_MAX``.

    Faults: rx-llc-bad-length, when the frame is shorter than it says.
    """
    if length > len(frame) - ETHERNET_LEN:
        detail: dict[str, int | str] = {"claimed": length, "size": len(frame) - ETHERNET_LEN}
        return WireFault(Fault.RX_LLC_BAD_LENGTH, ETHERNET_LEN - 2, detail)
    header = frame[ETHERNET_LEN : ETHERNET_LEN + min(length, HEADER_LEN)]
    if len(header) < HEADER_LEN or not header.startswith(_ETHERNET_IN_SNAP):
        return None
    return int.from_bytes(header[6:8])


def payload(frame: bytes, length: int) -> bytes:
    """Return what is behind SNAP, without padding."""
    return frame[ETHERNET_LEN + HEADER_LEN : ETHERNET_LEN + length]
