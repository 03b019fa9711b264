"""Sysctls of groups and IGMP (RFC 3376)."""

from smolctl.stack.sysctl.link_rule import LinkRule
from smolctl.stack.sysctl.model import DAY_MS, Sysctl

IGMP_SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "igmp.force_version", 0, "version", 0, 3,
        "latest IGMP version to speak (0 means 3); an older router on the link lowers it",
        "RFC 3376 7.2.1; Linux force_igmp_version", "0", "1 or 2, as the router",
        link=LinkRule.LOWEST,
    ),
    Sysctl(
        "igmp.link_local_reports", 1, "flag", 0, 1,
        "report groups of 224.0.0.0/24, which no router forwards but switches may want to know",
        "RFC 4541 2.1.2; Linux igmp_link_local_mcast_reports", "1", "1",
    ),
    Sysctl(
        "igmp.max_memberships", 20, "groups", 0, 1_000_000,
        "groups that one socket may join",
        "Linux igmp_max_memberships", "20", "4 an interface",
    ),
    Sysctl(
        "igmp.max_msf", 10, "sources", 0, 1_000_000,
        "sources that a socket may name for one group",
        "RFC 3376 3.1; Linux igmp_max_msf", "10", "none",
    ),
    Sysctl(
        "igmp.qrv", 2, "reports", 1, 7,
        "how often a change is reported, unless the querier says otherwise",
        "RFC 3376 8.1; Linux igmp_qrv", "2", "1",
    ),
    Sysctl(
        "igmp.strict_queries", 0, "flag", 0, 1,
        "ignore queries without router alert, and general queries not sent to 224.0.0.1",
        "RFC 3376 9.1", "0", "0",
    ),
    Sysctl(
        "igmp.v2_unsolicited_report_interval_ms", 10_000, "ms", 1, DAY_MS,
        "an unsolicited report of version 1 or 2 is repeated within this time",
        "RFC 2236 8.10; Linux igmpv2_unsolicited_report_interval", "10000", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "igmp.v3_unsolicited_report_interval_ms", 1000, "ms", 1, DAY_MS,
        "a report of a change is repeated within this time, in version 3",
        "RFC 3376 8.11; Linux igmpv3_unsolicited_report_interval", "1000", "none",
        link=LinkRule.OWN,
    ),
)  # fmt: skip
