"""Sysctls of groups of IPv6, and of MLD (RFC 3810)."""

from smolctl.stack.sysctl.link_rule import LinkRule
from smolctl.stack.sysctl.model import DAY_MS, Sysctl

MLD_SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "mld.force_version", 0, "version", 0, 2,
        "MLD version to speak; 0 is 2, or 1 while there is an older router on the link",
        "RFC 3810 8.2.1; Linux force_mld_version", "0", "",
        link=LinkRule.LOWEST,
    ),
    Sysctl(
        "mld.max_memberships", 1024, "groups", 0, 1_000_000,
        "IPv6 groups that one socket may join",
        "Linux, by net.core.optmem_max", "none", "4 an interface",
    ),
    Sysctl(
        "mld.max_msf", 64, "sources", 0, 1_000_000,
        "sources that a socket may name for one IPv6 group",
        "RFC 3810 4.1; Linux mld_max_msf", "64", "none",
    ),
    Sysctl(
        "mld.qrv", 2, "reports", 1, 7,
        "how often a change is reported, unless the querier says otherwise",
        "RFC 3810 9.1; Linux mld_qrv", "2", "1",
    ),
    Sysctl(
        "mld.v1_unsolicited_report_interval_ms", 10_000, "ms", 1, DAY_MS,
        "an unsolicited report of version 1 is repeated within this time",
        "RFC 2710 7.10; Linux mldv1_unsolicited_report_interval", "10000", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "mld.v2_unsolicited_report_interval_ms", 1000, "ms", 1, DAY_MS,
        "a report of a change is repeated within this time, in version 2",
        "RFC 3810 9.11; Linux mldv2_unsolicited_report_interval", "1000", "none",
        link=LinkRule.OWN,
    ),
)  # fmt: skip
