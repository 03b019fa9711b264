"""Profiles: named sets of values for the sysctls, what one stack or text does as a whole.

A profile says only what differs from the defaults, which are Linux. ``docs/profiles.md`` shows what
follows from them, beside what the kernel does.
"""

from dataclasses import dataclass, field

from smolctl.errors import InvalidArgument
from smolctl.near import did_you_mean
from smolctl.stack.sysctl.deviations import EXACT
from smolctl.stack.sysctl.model import Sysctl
from smolctl.stack.sysctl.precedence import Assignment, Level


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of values.

    Attributes:
        what: whose behaviour it is, one line.
        source: where that is known from.
        values: text of a value by key; a sysctl that is not here has its default.
    """

    name: str
    what: str
    source: str
    values: dict[str, str] = field(default_factory=dict)

    def value(self, sysctl: Sysctl) -> int:
        """Return what a sysctl is in it."""
        text = self.values.get(sysctl.key)
        return sysctl.default if text is None else sysctl.parse(text)

    def assignments(self) -> list[Assignment]:
        """Return its values as the level "profile"."""
        place = f"profile {self.name}"
        return [Assignment(Level.PROFILE, key, text, place) for key, text in self.values.items()]


_SMOLTCP_0_9 = {
    "arp.accept": "1",
    "arp.accept_from": "subnet",
    "arp.accept_target": "ours",
    "arp.answer_probes": "0",
    "arp.ignore": "1",
    "icmp.echo_ignore_broadcasts": "0",
    "icmp.error_tos": "zero",
    "icmp.msgs_burst": "1000000",
    "icmp.msgs_per_sec": "1000000",
    "icmp.ratelimit_ms": "0",
    "iface.max_addr_count": "2",
    "iface.max_route_count": "2",
    "iface.neighbor_cache_count": "4",
    "ip.accept_redirects": "0",
    "ip.first_source": "1",
    "ip.frag_high_thresh": "1500",
    "ip.frag_max_datagrams": "1",
    "ip.frag_time_ms": "60000",
    "ip.local_prefix": "0",
    # It joins with a report of version 2, and knows no filters.
    "igmp.force_version": "2",
    "igmp.max_memberships": "4",
    "igmp.max_msf": "0",
    "igmp.qrv": "1",
    "mld.qrv": "1",
    "nd.accept_dad": "0",
    "ip.loopback_own": "0",
    "ip.multicast_ttl": "64",
    "ip.onlink_first": "1",
    "ip.strong_host": "1",
    "ip.subnet_broadcast": "0",
    "ip.no_route": "wait",
    "neigh.evict": "oldest",
    "neigh.lifetime_ms": "60000",
    "neigh.locktime_ms": "0",
    "neigh.mcast_solicit": "0",
    "neigh.queue_answers": "0",
    "neigh.rate_limit_scope": "cache",
    "neigh.unres_qlen": "0",
    "tcp.invalid_ratelimit_ms": "1000",
    "tcp.rto_initial_ms": "700",
    "tcp.rto_max_ms": "10000",
    "tcp.rto_min_ms": "10",
    "tcp.time_wait_ms": "10000",
    "tcp.timestamps": "0",
}

# 0.10 learned subnet broadcasts; 0.12 takes the source address that fits the next hop.
_SMOLTCP_0_12 = {
    **{
        key: text
        for key, text in _SMOLTCP_0_9.items()
        if key not in ("ip.first_source", "ip.subnet_broadcast")
    },
    "iface.neighbor_cache_count": "8",
}

PROFILES = {
    profile.name: profile
    for profile in (
        Profile("linux", "what Linux does with its defaults", "Linux 6.18; the sysctls' defaults"),
        Profile(
            "linux-exact",
            "what Linux does with its defaults, where a stack differs from it on purpose, too",
            "Linux 6.18; docs/reference/deviations.md",
            EXACT,
        ),
        Profile(
            "rfc1122",
            "what RFC 1122 requires of a host where Linux chose otherwise",
            "RFC 1122",
            {
                # 3.2.2: SHOULD be sent with normal (zero) TOS bits.
                "icmp.error_tos": "zero",
                # 3.2.1.8(c): MUST be able to act as the final destination of a source route.
                "ip.accept_source_route": "1",
                # 3.3.6: SHOULD silently discard what came by a link-layer broadcast but is not
                # for an IP broadcast or multicast address.
                "ip.drop_unicast_in_l2_multicast": "1",
                # 3.3.2: SHOULD be between 60 and 120 seconds.
                "ip.frag_time_ms": "60000",
                # 3.3.3 points to RFC 1191, whose 3 believes all down to 68 bytes, and whose 5 and
                # 7.1 search where a router is silent.
                "ip.min_pmtu": "68",
                "ip.pmtu_plateaus": "1",
                # 2.3.2.2: SHOULD save at least one, the latest.
                "neigh.unres_qlen": "1",
            },
        ),
        Profile("smoltcp-0.9", "what smoltcp 0.9 does by default", "smoltcp v0.9.1",
                _SMOLTCP_0_9),
        Profile("smoltcp-0.12", "what smoltcp 0.12 does by default", "smoltcp v0.12",
                _SMOLTCP_0_12),
        # 0.13 also keeps a neighbor that sends unicast packets; no sysctl is about that.
        Profile("smoltcp-0.13", "what smoltcp 0.13 does by default", "smoltcp v0.13.1",
                _SMOLTCP_0_12),
    )
}  # fmt: skip
"""Profiles by name, the default first."""


def profile(name: str) -> Profile:
    """Return the profile of that name.

    Raises:
        InvalidArgument: there is none; the message names those that are.
    """
    found = PROFILES.get(name)
    if found is None:
        raise InvalidArgument(
            f'there is no profile "{name}": {", ".join(PROFILES)}',
            hint=did_you_mean(name, PROFILES, "--profile linux"),
        )
    return found
