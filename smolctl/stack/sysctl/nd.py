"""Sysctls of neighbor discovery (RFC 4861) and of tests of IPv6 addresses (RFC 4862)."""

from smolctl.stack.sysctl.link_rule import LinkRule
from smolctl.stack.sysctl.model import Sysctl

ND_SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "nd.accept_dad", 1, "level", 0, 2,
        "test an IPv6 address before it is used: 0 never, 1 always, 2 and do without IPv6 on a link"
        " whose own link-local address another node has",
        "RFC 4862 5.4; Linux accept_dad", "1", "0",
        link=LinkRule.LARGER, all_default=0,
    ),
    Sysctl(
        "nd.accept_untracked_na", 0, "choice", 0, 2,
        "of which nodes a router learns that advertise themselves unasked: none, any, or those in a"
        " network of the link",
        "RFC 9131 6; Linux accept_untracked_na", "none", "", ("none", "any", "subnet"),
        link=LinkRule.OWN,
    ),
    Sysctl(
        "nd.dad_transmits", 1, "probes", 0, 100,
        "how often it is asked whether another node has an IPv6 address; 0 tests nothing",
        "RFC 4862 5.1; Linux dad_transmits", "1", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "nd.drop_unsolicited_na", 0, "flag", 0, 1,
        "learn nothing from neighbor advertisements that nobody asked for",
        "RFC 4861 7.2.5; Linux drop_unsolicited_na", "0", "",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "nd.enhanced_dad", 1, "flag", 0, 1,
        "put a nonce into tests of IPv6 addresses, by which our own are known when they come back",
        "RFC 7527 4.1; Linux enhanced_dad", "1", "",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "nd.ask_from_any", 1, "flag", 0, 1,
        "a link without a link-local address asks for neighbors from another one",
        "RFC 4861 7.2.2", "0", "",
    ),
    Sysctl(
        "nd.notify", 0, "flag", 0, 1,
        "advertise an IPv6 address that was tested, and all when a link has another MAC",
        "RFC 4861 7.2.6; RFC 9131 4; Linux ndisc_notify", "0", "0",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "nd.optimistic_dad", 1, "flag", 0, 1,
        "use link-local addresses, and those added with optimistic, while they are tested",
        "RFC 4429 3.1; Linux optimistic_dad", "0", "",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "nd.proxy", 0, "flag", 0, 1,
        "answer who asks for an address with a proxy entry (neigh add proxy); needs ip6.forward",
        "RFC 4861 7.2.8; Linux proxy_ndp", "0", "",
        link=LinkRule.EITHER,
    ),
)  # fmt: skip
