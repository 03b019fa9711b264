"""Sysctls of interfaces: how much each may have (smoltcp's compile-time limits)."""

from smolctl.stack.sysctl.link_rule import LinkRule
from smolctl.stack.sysctl.model import Sysctl

IFACE_SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "iface.max_addr_count", 0, "addresses", 0, 1_000_000,
        "addresses an interface may have; 0 is no limit",
        "smoltcp IFACE_MAX_ADDR_COUNT", "0", "2",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "iface.max_route_count", 0, "routes", 0, 1_000_000,
        "routes through an interface, not counting those of its addresses; 0 is no limit",
        "smoltcp IFACE_MAX_ROUTE_COUNT", "0", "2",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "iface.neighbor_cache_count", 1024, "entries", 1, 1_000_000,
        "neighbor entries an interface may hold; a full cache replaces the least used one",
        "RFC 1122 2.3.2.1; Linux gc_thresh3", "1024", "4 (0.9), 8 (0.12)",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "iface.snap", 1, "flag", 0, 1,
        "receive IPv4 and ARP in frames of IEEE 802.3 with SNAP",
        "RFC 1122 2.3.3", "0", "",
    ),
)  # fmt: skip
