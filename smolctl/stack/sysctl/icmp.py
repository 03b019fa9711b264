"""Sysctls of ICMP: which requests are answered, and how many errors are sent."""

from smolctl.stack.sysctl.model import DAY_MS, Sysctl

ICMP_SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "icmp.answer_timestamp", 0, "flag", 0, 1,
        "answer timestamp requests; by default the stack does not reveal its time",
        "RFC 1122 3.2.2.8; Linux icmp_timestamp", "1", "0",
    ),
    Sysctl(
        "icmp.echo_ignore_all", 0, "flag", 0, 1, "ignore all echo requests",
        "RFC 1122 3.2.2.6; Linux icmp_echo_ignore_all", "0", "0",
    ),
    Sysctl(
        "icmp.echo_ignore_broadcasts", 1, "flag", 0, 1,
        "ignore echo requests to a broadcast or multicast address",
        "RFC 1122 3.2.2.6; Linux icmp_echo_ignore_broadcasts", "1", "0",
    ),
    Sysctl(
        "icmp.error_tos", 1, "choice", 0, 1,
        "type of service of ICMP errors: zero, or that of the packet with the precedence of"
        " internetwork control",
        "RFC 1122 3.2.2 (zero), RFC 1812 4.3.2.5; Linux icmp_send", "control", "zero",
        ("zero", "control"),
    ),
    Sysctl(
        "icmp.inbound_source", 0, "flag", 0, 1,
        "send errors from an address of the interface by which their packet came in, not of the one"
        " by which they leave",
        "RFC 1812 4.3.2.4; Linux icmp_errors_use_inbound_ifaddr", "0", "0",
    ),
    Sysctl(
        "icmp.msgs_burst", 50, "messages", 0, 1_000_000,
        "ICMP errors that may leave at once, all destinations together",
        "RFC 1812 4.3.2.8; Linux icmp_msgs_burst", "50", "no limit",
    ),
    Sysctl(
        "icmp.msgs_per_sec", 1000, "messages/s", 0, 1_000_000,
        "ICMP errors a second, all destinations together",
        "RFC 1812 4.3.2.8; Linux icmp_msgs_per_sec", "1000", "no limit",
    ),
    Sysctl(
        "icmp.ratelimit_ms", 1000, "ms", 0, DAY_MS,
        "time between ICMP errors to one destination after a burst of 6; 0 is no limit",
        "RFC 1812 4.3.2.8; Linux icmp_ratelimit", "1000", "no limit",
    ),
)  # fmt: skip
