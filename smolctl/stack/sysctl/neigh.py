"""Sysctls of the neighbor cache (RFC 4861 10)."""

from smolctl.stack.sysctl.link_rule import LinkRule
from smolctl.stack.sysctl.model import DAY_MS, Sysctl

NEIGH_SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "neigh.base_reachable_time_ms", 30_000, "ms", 1, DAY_MS,
        "mean time an entry stays REACHABLE; each takes 0.5 to 1.5 times this",
        "RFC 4861 10 REACHABLE_TIME; Linux base_reachable_time_ms", "30000", "60000, fixed",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.delay_first_probe_time_ms", 5000, "ms", 1, DAY_MS,
        "how long a used STALE entry waits for a confirmation before it is probed",
        "RFC 4861 10 DELAY_FIRST_PROBE_TIME; Linux delay_first_probe_time", "5000", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.evict", 0, "choice", 0, 1,
        "what a full cache replaces: the entry not used for longest, or the one with the oldest"
        " ARP (then an entry takes no place until it is resolved)",
        "RFC 1122 2.3.2.1; smoltcp neighbor::Cache::fill", "least-used", "oldest",
        ("least-used", "oldest"),
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.gc_stale_time_ms", 60_000, "ms", 1, DAY_MS,
        "an unused STALE or FAILED entry older than this may be collected",
        "Linux gc_stale_time", "60000", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.gc_thresh1", 128, "entries", 0, 1_000_000,
        "nothing is collected while an interface has at most this many entries",
        "Linux gc_thresh1", "128", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.lifetime_ms", 0, "ms", 0, DAY_MS,
        "an entry is forgotten this long after the last ARP about it, even if in use; 0 uses the"
        " states of RFC 4861 instead",
        "RFC 1122 2.3.2.1; RFC 4861 7.3.2; smoltcp ENTRY_LIFETIME", "0", "60000",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.locktime_ms", 1000, "ms", 0, DAY_MS,
        "after a change of its MAC an entry ignores other MACs this long",
        "Linux locktime", "1000", "0",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.mcast_solicit", 3, "probes", 0, 100,
        "broadcast requests before an unresolved entry is FAILED; 0 is no limit",
        "RFC 4861 10 MAX_MULTICAST_SOLICIT; Linux mcast_solicit", "3", "0",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.queue_answers", 1, "flag", 0, 1,
        "echo replies and ICMP errors wait for an unresolved neighbor like other packets; 0 loses"
        " them",
        "RFC 1122 2.3.2.2; smoltcp #597", "1", "0",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.rate_limit_scope", 0, "choice", 0, 1,
        "requests are neigh.retrans_time_ms apart for each entry, or for the whole cache",
        "RFC 1122 2.3.2.1; smoltcp silent_until", "entry", "cache", ("entry", "cache"),
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.retrans_time_ms", 1000, "ms", 10, DAY_MS,
        "time between two requests for one neighbor",
        "RFC 1122 2.3.2.1; RFC 4861 10 RETRANS_TIMER; Linux retrans_time_ms",
        "1000", "1000",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.ucast_solicit", 3, "probes", 0, 100,
        "unicast requests before a PROBE entry is FAILED",
        "RFC 4861 10 MAX_UNICAST_SOLICIT; Linux ucast_solicit", "3", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.unres_qlen", 256, "packets", 0, 100_000,
        "packets that may wait for one unresolved neighbor, then the oldest is dropped; with 0 a"
        " datagram waits in its socket and blocks it, and other packets are lost",
        "RFC 1122 2.3.2.2; Linux unres_qlen", "101 by count, see unres_qlen_bytes", "0",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.unres_qlen_bytes", 212_992, "bytes", 1, 1_000_000_000,
        "bytes that may wait for one unresolved neighbor; then the oldest packet is dropped",
        "RFC 1122 2.3.2.2; Linux unres_qlen_bytes", "212992", "",
        link=LinkRule.OWN,
    ),
)  # fmt: skip
