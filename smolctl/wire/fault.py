"""The ways in which bytes from outside can fail to be what they claim."""

from enum import StrEnum
from typing import NamedTuple


class Fault(StrEnum):
    """One member per way a header can be wrong; the value is the name of the drop reason."""

    RX_FRAME_SHORT = "rx-frame-short"
    RX_OFFLOAD_INVALID = "rx-offload-invalid"
    RX_VLAN_TRUNCATED = "rx-vlan-truncated"
    RX_LLC_BAD_LENGTH = "rx-llc-bad-length"
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


class Fault6(StrEnum):
    """The same for IPv6, its extension headers, and what ICMPv6 carries."""

    IP6_HEADER_SHORT = "ip6-header-short"
    IP6_BAD_VERSION = "ip6-bad-version"
    IP6_LENGTH_MISMATCH = "ip6-length-mismatch"
    IP6_HOP_BY_HOP_LATE = "ip6-hop-by-hop-late"
    IP6_OPTION_SKIP_NOT = "ip6-option-skip-not"
    IP6_OPTION_UNKNOWN = "ip6-option-unknown"
    IP6_OPTION_OVERRUN = "ip6-option-overrun"
    IP6_OPTION_LIMIT = "ip6-option-limit"
    IP6_PADDING = "ip6-padding"
    IP6_EXTHDR_TRUNCATED = "ip6-exthdr-truncated"
    IP6_ROUTING_TYPE = "ip6-routing-type"
    IP6_JUMBO = "ip6-jumbo"
    FRAG6_BAD_LENGTH = "frag6-bad-length"
    FRAG6_TOO_BIG = "frag6-too-big"
    FRAG6_HEADERS_MISSING = "frag6-headers-missing"
    UDP6_NO_CHECKSUM = "udp6-no-checksum"
    ICMP6_TRUNCATED = "icmp6-truncated"
    ICMP6_BAD_CHECKSUM = "icmp6-bad-checksum"
    ND_FRAGMENTED = "nd-fragmented"
    ND_BAD_HOP_LIMIT = "nd-bad-hop-limit"
    ND_BAD_CODE = "nd-bad-code"
    ND_TOO_SHORT = "nd-too-short"
    ND_OPTION_ZERO = "nd-option-zero"
    ND_OPTION_LENGTH = "nd-option-length"
    ND_TARGET_MULTICAST = "nd-target-multicast"
    ND_DAD_TO_UNICAST = "nd-dad-to-unicast"
    ND_DAD_WITH_LLADDR = "nd-dad-with-lladdr"
    ND_SOLICITED_TO_GROUP = "nd-solicited-to-group"
    RA_NOT_LINK_LOCAL = "ra-not-link-local"
    REDIRECT6_SOURCE = "redirect6-source"
    REDIRECT6_TARGET = "redirect6-target"
    REDIRECT6_GROUP = "redirect6-group"
    MLD_BAD_LENGTH = "mld-bad-length"
    MLD_BAD_HOP_LIMIT = "mld-bad-hop-limit"
    MLD_NO_ALERT = "mld-no-alert"
    MLD_SOURCE = "mld-source"


class TcpFault(StrEnum):
    """The same for TCP."""

    TCP_HEADER_SHORT = "tcp-header-short"
    TCP_OFFSET_INVALID = "tcp-offset-invalid"
    TCP_BAD_CHECKSUM = "tcp-bad-checksum"


class WireFault(NamedTuple):
    """The fault of bytes that are not the header that they were parsed as.

    Attributes:
        fault: what is wrong; also the name of the reason that the drop is counted under.
        offset: where, in bytes from the start of that header; in an extension header of IPv6, from
            the start of the packet, as the pointer of a parameter problem has it.
        detail: the values that the explanation shows. ``number``, of TCP ``n``: bytes there, or
            the bad number; ``got`` and ``want``: checksums; ``a`` and ``b``: length claimed and
            length found; ``what``: in words; ``cause``: in which of several ways it is wrong;
            ``action``: of an unknown option of IPv6, 1..3.
    """

    fault: Fault | Fault6 | TcpFault
    offset: int
    detail: dict[str, int | str]
