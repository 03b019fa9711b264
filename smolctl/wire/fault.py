"""The ways in which bytes from outside can fail to be what they claim."""

from enum import StrEnum
from typing import NamedTuple


class Fault(StrEnum):
    """One member per way a header can be wrong; the value is the name of the drop reason."""

    RX_FRAME_SHORT = "rx-frame-short"
    RX_OFFLOAD_INVALID = "rx-offload-invalid"
    ARP_TRUNCATED = "arp-truncated"
    ARP_BAD_FORMAT = "arp-bad-format"
    ARP_BAD_OP = "arp-bad-op"
    IP_HEADER_SHORT = "ip-header-short"
    IP_BAD_VERSION = "ip-bad-version"
    IP_BAD_IHL = "ip-bad-ihl"
    IP_BAD_CHECKSUM = "ip-bad-checksum"
    IP_LENGTH_MISMATCH = "ip-length-mismatch"
    IGMP_BAD_LENGTH = "igmp-bad-length"
    IGMP_BAD_CHECKSUM = "igmp-bad-checksum"
    ICMP_TRUNCATED = "icmp-truncated"
    ICMP_BAD_CHECKSUM = "icmp-bad-checksum"
    UDP_HEADER_SHORT = "udp-header-short"
    UDP_BAD_LENGTH = "udp-bad-length"
    UDP_BAD_CHECKSUM = "udp-bad-checksum"


class WireFault(NamedTuple):
    """Why some bytes are not the header that they were parsed as.

    Attributes:
        fault: what is wrong; also the name of the reason that the drop is counted under.
        offset: where, in bytes from the start of that header.
        detail: the values that the explanation shows. ``n``: bytes there, or the bad number;
            ``got`` and ``want``: checksums; ``a`` and ``b``: length claimed and length found;
            ``what``: in words.
    """

    fault: Fault
    offset: int
    detail: dict[str, int | str]
