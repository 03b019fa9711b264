"""The rate limit of ICMP errors, asked directly; test_icmp.py has what it does to a host."""

from smolctl.stack.ip.icmp_rate_limit import IcmpLimiter
from smolctl.stack.sysctl.settings import Settings
from tests.kit.clock import SECOND_NS


def test_what_an_error_takes_of_the_limit_for_all_is_random() -> None:
    # CVE-2020-25705: otherwise others could count whom we answered.
    taken = []
    for value in (0.0, 0.5, 0.99):
        limiter, now = IcmpLimiter(Settings(), lambda value=value: value), SECOND_NS  # type: ignore[misc]
        taken.append(sum(limiter.allow(peer, now) for peer in range(200)))
    assert taken == [200, 50, 25]
