"""Random sysctls of a host: those that decide about packets."""

from collections.abc import Sequence
from random import Random

# Name, values, how likely one of them is there, whether it is of links.
_IPV4 = (
    ("rp_filter", "012", 0.25), ("forwarding", "01", 0.15), ("arp_ignore", "012", 0.12),
    ("arp_announce", "012", 0.12), ("arp_filter", "01", 0.1), ("accept_local", "1", 0.1),
    ("route_localnet", "1", 0.1), ("proxy_arp", "1", 0.1), ("proxy_arp_pvlan", "1", 0.03),
    ("ignore_routes_with_linkdown", "1", 0.1), ("src_valid_mark", "1", 0.06),
    ("shared_media", "0", 0.04), ("send_redirects", "0", 0.06), ("bc_forwarding", "1", 0.03),
    ("drop_unicast_in_l2_multicast", "1", 0.03), ("arp_accept", "1", 0.03),
    ("promote_secondaries", "1", 0.05), ("medium_id", "1", 0.02),
)  # fmt: skip
_IPV6 = (
    ("forwarding", "01", 0.15), ("disable_ipv6", "1", 0.06), ("proxy_ndp", "1", 0.08),
    ("ignore_routes_with_linkdown", "1", 0.08), ("drop_unicast_in_l2_multicast", "1", 0.03),
    ("accept_ra", "0", 0.05), ("addr_gen_mode", "1", 0.04), ("hop_limit", "33", 0.05),
)  # fmt: skip
_WHOLE4 = (
    ("ip_forward", "1", 0.55), ("ip_nonlocal_bind", "1", 0.06), ("ip_default_ttl", "44", 0.06),
    ("icmp_echo_ignore_all", "1", 0.03), ("icmp_echo_ignore_broadcasts", "0", 0.08),
    ("icmp_errors_use_inbound_ifaddr", "1", 0.06), ("fwmark_reflect", "1", 0.04),
    ("ip_no_pmtu_disc", "1", 0.04), ("fib_multipath_hash_policy", "1", 0.05),
)  # fmt: skip
_WHOLE6 = (
    ("conf/all/forwarding", "1", 0.5), ("ip_nonlocal_bind", "1", 0.06),
    ("bindv6only", "1", 0.05), ("icmp/echo_ignore_all", "1", 0.03), ("fwmark_reflect", "1", 0.04),
)  # fmt: skip


def random_sysctls(
    rng: Random, links: Sequence[str], families: Sequence[int]
) -> tuple[tuple[str, str], ...]:
    """Return some sysctls, by their files, of a host with such links.

    Args:
        rng: where they come from.
        links: names of links.
        families: 0 for IPv4, 1 for IPv6.
    """
    found: list[tuple[str, str]] = []
    for number in families:
        root = ("ipv4", "ipv6")[number]
        for name, value, chance in (_WHOLE4, _WHOLE6)[number]:
            if rng.random() < chance:
                found.append((f"{root}/{name}", value))
        for name, values, chance in (_IPV4, _IPV6)[number]:
            if rng.random() < chance:
                scope = rng.choice(["all", "default", *links])
                found.append((f"{root}/conf/{scope}/{name}", rng.choice(values)))
    return tuple(found)
